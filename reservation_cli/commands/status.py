"""resv status: what a reservation's workflow has done, on the platforms that know it."""

from __future__ import annotations

from typing import Annotated

import typer

from reservation_cli import lanes
from reservation_cli.domain.reservation import PLATFORMS
from reservation_cli.options import Json, Local, On, OnPlatform, Ref, Stage, begin, platforms_of
from reservation_cli.platforms import NAMES


def command(
    context: typer.Context,
    ref: Ref = "last",
    on: OnPlatform = On.both,
    watch: Annotated[bool, typer.Option("--watch", help="Follow it until it ends; with --json as NDJSON.")] = False,
    local: Local = False,
    stage: Stage = None,
    json: Json = False,
) -> None:
    """Show a reservation step by step: resv status last, resv status ARN."""
    me = begin(context, json, local, stage)
    name = lanes.resolve(me.settings.home, ref)
    found = lanes.find(me.settings.home, me.clients(platforms_of(on, name), name), name)
    for platform in found.missing:
        me.output.note(f"{NAMES[platform]} does not know {name}.")

    from reservation_cli.render.json import run_json

    if json and not watch:
        me.output.data(run_json(found.timelines))
        return
    from reservation_cli.live import follow_live
    from reservation_cli.render.console import status_view  # deferred: rich, 30 ms that --json does not need

    if watch:
        with lanes.followed(name, f"resv status {name} --watch"):
            follow_live(
                me.settings.home,
                me.output,
                found.lanes,
                status_view,
                lambda now: me.output.line(run_json(now)) if json else None,
            )
    else:
        shown = sorted((*found.timelines, *found.absent), key=lambda lane: PLATFORMS.index(lane.platform))
        me.output.view(lambda width: status_view(shown, width))
