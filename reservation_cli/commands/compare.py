"""resv compare: one reservation on both engines at once, the two timelines side by side."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Sequence
from typing import Annotated

import typer

from reservation_cli import lanes
from reservation_cli.domain.reservation import (
    PLATFORMS,
    STRATEGIES,
    ReservationRequest,
    new_reservation_id,
    parse_duration,
    parse_hold,
)
from reservation_cli.domain.timeline import Timeline
from reservation_cli.errors import ConflictError, ResvError
from reservation_cli.options import Command, ComparedStrategy, Hold, Json, On, User, begin, platforms_of
from reservation_cli.platforms import NAMES, PlatformClient

Found = Sequence[tuple[PlatformClient, Timeline]]


def command(
    context: typer.Context,
    refs: Annotated[
        list[str] | None, typer.Argument(metavar="[REF]...", help="Reservations to compare, instead of a new pair.")
    ] = None,
    hold: Hold = "10s",
    strategy: Annotated[ComparedStrategy, typer.Option(help="One strategy, or both for four lanes.")] = (
        ComparedStrategy.sleep
    ),
    seat: Annotated[str | None, typer.Option(help="The seat; a free one unless given.")] = None,
    user: User = "anonymous",
    confirm_after: Annotated[
        str | None, typer.Option(help="Confirm each lane this long after its hold began: 3s.")
    ] = None,
    json: Json = False,
) -> int:
    """Reserve on both platforms at once, follow both, and draw the two timelines side by side."""
    delay = parse_duration(confirm_after) if confirm_after is not None else None
    wanted = parse_hold(hold)
    me = begin(context, json)
    if refs:
        found = _existing(me, refs)
    else:
        requests = [
            ReservationRequest(new_reservation_id(), seat or _free_seat(), user, wanted, chosen)
            for chosen in STRATEGIES
            if strategy.value in (chosen, "both")
        ]
        clients = me.clients(PLATFORMS)
        with lanes.resumable(requests[0].reservation_id):
            found = lanes.reserve(me.settings.home, [(client, request) for request in requests for client in clients])
    with lanes.resumable(" ".join(dict.fromkeys(lane.reservation_id for _, lane in found))):
        timelines = _follow(me, found, delay)
    return ConflictError.exit_code if any(lane.outcome == "rejected" for lane in timelines) else 0


def _existing(me: Command, refs: Sequence[str]) -> Found:
    """The lanes of all refs, each ref with both its lanes where it has two."""
    found: list[tuple[PlatformClient, Timeline]] = []
    for name in [lanes.resolve(me.settings.home, ref) for ref in refs]:
        pair = lanes.find(me.settings.home, me.clients(platforms_of(On.both, name)), name)
        for platform in pair.missing:
            me.output.note(f"{NAMES[platform]} does not know {name}.")
        found.extend(pair.lanes)
    return found


def _follow(me: Command, found: Found, delay: float | None) -> Sequence[Timeline]:
    from reservation_cli.live import follow_live
    from reservation_cli.render.console import comparison_view  # deferred: bad input costs no rich
    from reservation_cli.render.json import run_json

    nudges = [threading.Event() for _ in found]
    refusals: list[str] = []
    if delay is not None:
        for (client, lane), nudge in zip(found, nudges, strict=True):
            _confirm_later(client, lane, delay, nudge, refusals)
    timelines = follow_live(me.settings.home, me.output, found, comparison_view, nudges=nudges)
    if me.output.as_json:
        me.output.data(run_json(timelines))
    for refusal in refusals:
        me.output.note(refusal)
    return timelines


def _confirm_later(
    client: PlatformClient, lane: Timeline, delay: float, nudge: threading.Event, refusals: list[str]
) -> None:
    def confirm() -> None:
        try:
            client.confirm(lane.ref)
        except ResvError as error:  # a lane that could not be confirmed is still worth drawing
            refusals.append(error.message)
        nudge.set()

    timer = threading.Timer(delay, confirm)
    timer.daemon = True
    timer.start()


def _free_seat() -> str:
    """A seat that nobody else has: each comparison takes its own."""
    return f"C{secrets.randbelow(10**6):06d}"
