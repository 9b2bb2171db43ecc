"""resv list: the newest reservations on both platforms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated

import typer

from reservation_cli import lanes
from reservation_cli.domain.reservation import STATUSES
from reservation_cli.domain.timeline import Timeline
from reservation_cli.errors import ResvError, UsageError
from reservation_cli.options import Json, Local, On, OnPlatform, Stage, begin, platforms_of
from reservation_cli.platforms import PlatformClient


def command(
    context: typer.Context,
    on: OnPlatform = On.both,
    status: Annotated[
        str | None, typer.Option(help="Only held, confirmed, expired, cancelled or rejected ones.")
    ] = None,
    seat: Annotated[str | None, typer.Option(help="Only this seat.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many executions to look at, on each platform.")] = 20,
    local: Local = False,
    stage: Stage = None,
    json: Json = False,
) -> None:
    """List the newest reservations."""
    if status is not None and status not in STATUSES:
        raise UsageError(f"{status!r} is no status of a reservation.", hint=f"One of: {', '.join(STATUSES)}.")
    me = begin(context, json, local, stage)
    clients = me.clients(platforms_of(on))
    calls: list[Callable[[], Sequence[Timeline]]] = [partial(_newest, client, limit) for client in clients]
    answers = lanes.together(calls)
    refused = [answer for answer in answers if isinstance(answer, ResvError)]
    found = [lane for answer in answers if not isinstance(answer, ResvError) for lane in answer]
    if refused and not found:
        raise refused[0]
    rows = [lane for lane in found if _wanted(lane, status, seat)]
    rows.sort(key=lambda lane: lane.started or lane.as_of, reverse=True)
    if json:
        from reservation_cli.render.json import list_json

        me.output.data(list_json(rows))
    else:
        from reservation_cli.render.console import list_view  # deferred: rich, 30 ms that --json does not need

        me.output.view(lambda width: list_view(rows, width))
    if refused:
        # What the other platform has is worth showing all the same.
        raise refused[0]


def _newest(client: PlatformClient, limit: int) -> Sequence[Timeline]:
    return [lanes.with_seat(client, lane) for lane in client.executions(limit)]


def _wanted(lane: Timeline, status: str | None, seat: str | None) -> bool:
    reservation = lane.reservation
    found_seat = reservation.seat if reservation else lane.request.seat if lane.request else None
    return (status is None or (reservation is not None and reservation.status == status)) and seat in (None, found_seat)
