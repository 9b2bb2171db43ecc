"""resv cost: what a reservation, and a million of them, would cost on each platform."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from reservation_cli import lanes
from reservation_cli.domain.cost import MEMORY_MB, Shape, expected
from reservation_cli.domain.prices import PRICES, Prices, read_prices
from reservation_cli.domain.reservation import InvalidInputError, parse_hold
from reservation_cli.domain.timeline import Timeline
from reservation_cli.errors import NotFoundError, UsageError
from reservation_cli.options import Command, Json, Local, On, OnPlatform, Stage, StrategyName, begin, platforms_of
from reservation_cli.platforms import NAMES


class OutcomeName(StrEnum):
    """How a reservation can end."""

    expired = "expired"
    confirmed = "confirmed"
    cancelled = "cancelled"
    rejected = "rejected"


def command(
    context: typer.Context,
    ref: Annotated[
        str | None,
        typer.Argument(help="A reservation (id, ARN, last) or a recorded run (id, RUN.json); else an expected one."),
    ] = None,
    hold: Annotated[str | None, typer.Option(help="How long the seat is held: 10s, 15m (the default), 1d.")] = None,
    strategy: Annotated[StrategyName | None, typer.Option(help="How the hold is waited out; else sleep.")] = None,
    outcome: Annotated[OutcomeName | None, typer.Option(help="How it ends; else expired.")] = None,
    per_month: Annotated[str, typer.Option(help="How many of them: 20000, 500k, 5M.")] = "1M",
    free: Annotated[bool, typer.Option("--free", help="Take off what the plans include a month.")] = False,
    memory: Annotated[int, typer.Option(min=128, max=10240, help="MB of each Lambda function.")] = MEMORY_MB,
    prices: Annotated[str | None, typer.Option(metavar="FILE", help="Prices of your own, as TOML.")] = None,
    details: Annotated[bool, typer.Option("--details", help="Also where each quantity and price comes from.")] = False,
    on: OnPlatform = On.both,
    local: Local = False,
    stage: Stage = None,
    json: Json = False,
) -> None:
    """Tell what a reservation costs, line by line: resv cost, resv cost last, resv cost RUN.json."""
    from reservation_cli.domain.costing import (  # deferred: 3 ms that no other command needs
        Terms,
        costing,
        costings_as_json,
        parse_count,
    )

    terms = Terms(parse_count(per_month), free, memory, _prices(prices))
    if ref is not None and (hold, strategy, outcome) != (None, None, None):
        raise UsageError(f"What {ref} is like has been recorded.", hint="Leave --hold, --strategy and --outcome away.")
    me = begin(context, json, local, stage)
    found: Sequence[Timeline | Shape]
    if ref is None:
        found = _expected(on, hold or "15m", strategy or StrategyName.sleep, outcome or OutcomeName.expired)
    else:
        found = _recorded(me, on, ref)
    costed = [costing(each, terms) for each in found]
    if json:
        me.output.data(costings_as_json(costed, terms))
        return
    from reservation_cli.render.cost import cost_view  # deferred: rich, 30 ms that --json does not need

    me.output.view(lambda width: cost_view(costed, terms, width, details))


def _expected(on: On, hold: str, strategy: StrategyName, outcome: OutcomeName) -> list[Shape]:
    seconds = parse_hold(hold)
    return [expected(platform, seconds, strategy.value, outcome.value) for platform in platforms_of(on)]


def _recorded(me: Command, on: On, ref: str) -> list[Timeline]:
    from reservation_cli import runs  # deferred: an expected one needs neither

    if runs.is_named(me.settings.home, ref):
        wanted = platforms_of(on)
        found = [lane for lane in runs.find(me.settings.home, ref).lanes if lane.platform in wanted]
        if not found:
            raise NotFoundError(f"{ref} has no lane on {' or '.join(NAMES[platform] for platform in wanted)}.")
        return found
    name = lanes.resolve(me.settings.home, ref)
    pair = lanes.find(me.settings.home, me.clients(platforms_of(on, name), name), name)
    for platform in pair.missing:
        me.output.note(f"{NAMES[platform]} does not know {name}.")
    return list(pair.timelines)


def _prices(name: str | None) -> Prices:
    if name is None:
        return PRICES
    hint = 'Write it like: as_of = "2027-01", then [cloudflare] steps = 0.60; `resv cost --json` has the names.'
    try:
        return read_prices(Path(name).read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{name} cannot be read: {error.strerror}.", hint=hint) from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{name}: It is no text in UTF-8.", hint=hint, code="prices") from error
    except InvalidInputError as error:
        raise UsageError(f"{name}: {error}", hint=hint, code="prices") from error
    except ValueError as error:  # a NUL in the name
        raise UsageError(f"{name!r} is no name of a file.", hint=hint) from error
