"""resv differences: what differs between the two programming models, and the lines of code that show it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from reservation_cli.errors import UsageError
from reservation_cli.options import Command, Json, begin

if TYPE_CHECKING:
    from reservation_cli.domain.differences import Difference


def command(
    context: typer.Context,
    topic: Annotated[
        str | None, typer.Argument(help="Only this one, such as sleep or retries.", show_default=False)
    ] = None,
    code: Annotated[bool, typer.Option("--code", help="The two workflow files, next to each other.")] = False,
    json: Json = False,
) -> None:
    """Tell the two programming models apart: resv differences sleep, resv differences --code."""
    me = begin(context, json)
    if code and topic is not None:
        raise UsageError(
            "--code shows both workflow files whole, without a topic.",
            hint=f"resv differences {topic}, or resv differences --code",
        )
    if code:
        _code(me)
    else:
        _differences(me, topic)


def _differences(me: Command, topic: str | None) -> None:
    from reservation_cli import sources  # deferred, as all of this: 4 ms that no other command needs
    from reservation_cli.domain.differences import DIFFERENCES, quoted

    chosen = DIFFERENCES if topic is None else [_difference(topic)]
    told = [quoted(difference, sources.read_if_shipped) for difference in chosen]
    if me.output.as_json:
        from reservation_cli.render.differences_json import differences_json

        me.output.data(differences_json(told))
    else:
        from reservation_cli.render.differences import differences_view  # deferred: rich and pygments

        me.output.view(lambda width: differences_view(told, width))


def _code(me: Command) -> None:
    from reservation_cli import sources
    from reservation_cli.domain.twins import AWS_FILE, CLOUDFLARE_FILE, side_by_side

    blocks = side_by_side(sources.read(CLOUDFLARE_FILE), sources.read(AWS_FILE))
    if me.output.as_json:
        from reservation_cli.render.differences_json import code_json

        me.output.data(code_json(blocks))
    else:
        from reservation_cli.render.twins import twins_view

        me.output.view(lambda width: twins_view(blocks, width))


def _difference(topic: str) -> Difference:
    from reservation_cli.domain.differences import closest, find, topics

    found = find(topic)
    if found is None:
        close = closest(topic)
        meant = f"Did you mean {close}? " if close else ""
        raise UsageError(f"There is no topic {topic!r}.", hint=f"{meant}The topics: {', '.join(topics())}.")
    return found
