"""resv compare: one reservation on both engines at once, the two timelines side by side."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from reservation_cli import lanes
from reservation_cli.domain.reservation import (
    MAX_HOLD_SECONDS,
    PLATFORMS,
    STRATEGIES,
    ReservationRequest,
    new_reservation_id,
    parse_duration,
    parse_hold,
)
from reservation_cli.domain.timeline import Timeline
from reservation_cli.errors import ResvError, UsageError
from reservation_cli.options import (
    Command,
    ComparedStrategy,
    Hold,
    Json,
    Local,
    On,
    OutputFiles,
    Stage,
    User,
    begin,
    check_outputs,
    configuration,
    platforms_of,
    write_outputs,
)
from reservation_cli.platforms import NAMES, PlatformClient

if TYPE_CHECKING:
    from reservation_cli.domain.run import Run

#: How much later than its end a hold may be confirmed, to see what a late confirmation is told.
LATE_SECONDS = 10.0

Found = Sequence[tuple[PlatformClient, Timeline]]


def command(
    context: typer.Context,
    refs: Annotated[
        list[str] | None,
        typer.Argument(metavar="[REF]...", help="Reservations to compare, instead of a new pair; or one recorded run."),
    ] = None,
    hold: Hold = "10s",
    strategy: Annotated[ComparedStrategy, typer.Option(help="One strategy, or both for four lanes.")] = (
        ComparedStrategy.sleep
    ),
    seat: Annotated[str | None, typer.Option(help="The seat; a free one unless given.")] = None,
    user: User = "anonymous",
    confirm_after: Annotated[
        str | None, typer.Option(help="Confirm each lane this long from when it is followed: 3s.")
    ] = None,
    output: OutputFiles = None,
    local: Local = False,
    stage: Stage = None,
    json: Json = False,
) -> int:
    """Reserve on both platforms at once, follow both, and draw the two timelines side by side."""
    delay = parse_duration(confirm_after) if confirm_after is not None else None
    wanted = parse_hold(hold)
    if delay is not None and delay > (MAX_HOLD_SECONDS if refs else wanted + LATE_SECONDS):
        raise UsageError(
            f"The hold is over long before {confirm_after} have passed.",
            hint="Give a --confirm-after within --hold; a few seconds more show what a late confirmation is told.",
        )
    me = begin(context, json, local, stage)

    from reservation_cli import runs  # deferred: bad input costs none of it

    check_outputs(output)
    if refs and runs.is_named(me.settings.home, refs[0]):
        if len(refs) > 1:
            raise UsageError(
                "One recorded run at a time.", hint="Or the ids of reservations, which are looked up anew."
            )
        return _again(me, runs.find(me.settings.home, refs[0]), output)
    found: Found
    unkept: ResvError | None = None
    if refs:
        found = _existing(me, refs)
    else:
        requests = [
            ReservationRequest(new_reservation_id(), _free_seat() if seat is None else seat, user, wanted, chosen)
            for chosen in STRATEGIES
            if strategy.value in (chosen, "both")
        ]
        clients = me.clients(PLATFORMS)
        names = " ".join(request.reservation_id for request in requests)
        with lanes.resumable(names, f"resv compare {names}"):
            pairs = [(client, request) for request in requests for client in clients]
            found, unkept = lanes.reserve(me.settings.home, pairs)
    names = " ".join(dict.fromkeys(lane.reservation_id for _, lane in found))
    with lanes.followed(names, f"resv compare {names}"):
        timelines = _follow(me, found, delay)
    run = runs.made("compare", timelines, configuration(context))
    if json:
        from reservation_cli.domain.record import run_as_json

        me.output.data(run_as_json(run))
    # After it has been shown: what was measured is not lost to a full disk.
    runs.record(me.settings.home, run)
    if not json:
        me.output.note(f"Recorded: resv compare {run.id} draws it again.")
    write_outputs(me, run, output)
    if unkept is not None:
        raise unkept
    return lanes.exit_code(timelines)


def _again(me: Command, run: Run, output: Sequence[str] | None) -> int:
    """Draw a recorded run, without either platform."""
    if me.output.as_json:
        from reservation_cli.domain.record import run_as_json

        me.output.data(run_as_json(run))
    else:
        from reservation_cli.render.run import run_view

        me.output.view(lambda width: run_view(run, width))
    write_outputs(me, run, output)
    return 0


def _existing(me: Command, refs: Sequence[str]) -> Found:
    """The lanes of all refs, each ref with both its lanes where it has two."""
    found: list[tuple[PlatformClient, Timeline]] = []
    for name in [lanes.resolve(me.settings.home, ref) for ref in refs]:
        pair = lanes.find(me.settings.home, me.clients(platforms_of(On.both, name), name), name)
        for platform in pair.missing:
            me.output.note(f"{NAMES[platform]} does not know {name}.")
        found.extend(pair.lanes)
    return found


def _follow(me: Command, found: Found, delay: float | None) -> Sequence[Timeline]:
    from reservation_cli.live import follow_live
    from reservation_cli.render.console import comparison_view  # deferred: bad input costs no rich

    nudges = [threading.Event() for _ in found]
    refusals: list[str] = []
    confirmations = [
        _confirm_later(client, lane, delay, nudge, refusals)
        for (client, lane), nudge in zip(found, nudges, strict=True)
        if delay is not None
    ]
    timelines = follow_live(me.settings.home, me.output, found, comparison_view, nudges=nudges)
    for confirmation in confirmations:
        confirmation.join()  # a late one has its refusal to tell
    for refusal in refusals:
        me.output.note(refusal)
    return timelines


def _confirm_later(
    client: PlatformClient, lane: Timeline, delay: float, nudge: threading.Event, refusals: list[str]
) -> threading.Timer:
    def confirm() -> None:
        try:
            client.confirm(lane.ref)
        except ResvError as error:  # a lane that could not be confirmed is still worth drawing
            refusals.append(error.message)
        finally:
            nudge.set()

    timer = threading.Timer(delay, confirm)
    timer.daemon = True
    timer.start()
    return timer


def _free_seat() -> str:
    """A seat that nobody else has: each comparison takes its own."""
    return f"C{secrets.randbelow(10**6):06d}"
