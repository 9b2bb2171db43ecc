"""resv reserve: hold a seat on one platform or on both."""

from __future__ import annotations

from typing import Annotated

import typer

from reservation_cli import lanes
from reservation_cli.domain.reservation import ReservationRequest, new_reservation_id, parse_hold
from reservation_cli.errors import UsageError
from reservation_cli.options import (
    Hold,
    Json,
    Local,
    On,
    OnPlatform,
    Seat,
    Stage,
    Strategy,
    StrategyName,
    User,
    begin,
    platforms_of,
)

#: What `status`, `compare` and `logs` take in the place of an id.
NAMES_OF_SOMETHING_ELSE = ("last", "all", "aws", "cloudflare")


def command(
    context: typer.Context,
    seat: Seat,
    user: User = "anonymous",
    hold: Hold = "15m",
    strategy: Strategy = StrategyName.sleep,
    on: OnPlatform = On.both,
    reservation_id: Annotated[
        str | None, typer.Option("--id", help="The reservation id; the same request again gets the same answer.")
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Follow it until it ends; with --json as NDJSON.")] = False,
    local: Local = False,
    stage: Stage = None,
    json: Json = False,
) -> int:
    """Hold a seat: resv reserve --seat A1 --user user123."""
    if reservation_id in NAMES_OF_SOMETHING_ELSE:
        raise UsageError(f"{reservation_id!r} means something else as a reference.", hint="Choose another --id.")
    name = new_reservation_id() if reservation_id is None else reservation_id
    request = ReservationRequest(name, seat, user, parse_hold(hold), strategy.value)
    me = begin(context, json, local, stage)
    clients = me.clients(platforms_of(on))

    from reservation_cli.live import follow_live
    from reservation_cli.render.console import reserve_view, status_view  # deferred: bad input costs no rich
    from reservation_cli.render.json import run_json

    with lanes.resumable(name, f"resv status {name} --watch"):
        reserved, unkept = lanes.reserve(me.settings.home, [(client, request) for client in clients])
        timelines = tuple(lane for _, lane in reserved)
        if watch:
            timelines = follow_live(
                me.settings.home,
                me.output,
                reserved,
                status_view,
                lambda now: me.output.line(run_json(now)) if json else None,
            )
        elif json:
            me.output.data(run_json(timelines))
        else:
            me.output.view(lambda width: reserve_view(timelines, width))
    if unkept is not None:
        raise unkept
    return lanes.exit_code(timelines)
