"""resv teardown: remove what was deployed, or the local stack's state."""

from __future__ import annotations

from typing import Annotated

import typer

from reservation_cli.errors import UsageError
from reservation_cli.options import AnyPlace, DryRun, Json, Region, StageName, Yes, begin


def command(
    context: typer.Context,
    platform: Annotated[AnyPlace, typer.Argument(metavar="aws|cloudflare|local", help="What to remove.")],
    stage: StageName = None,
    region: Region = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Remove a stage, or the local stack's state, and leave nothing behind. Safe to repeat."""
    me = begin(context, json)

    from reservation_cli import rollout  # deferred: what no other command needs
    from reservation_cli.deploy import ways

    if stage is not None and platform == AnyPlace.local:
        raise UsageError("The local stack has no stages.", hint="Leave --stage away.")
    name = ways.stage_of(me.settings, stage)
    if dry_run:
        remover = ways.remover(me.settings, platform.value, name, region, None)
        rollout.show(me, rollout.planned_teardown(me, platform.value, name, remover))
        return
    with rollout.alone(me, platform.value, name):
        remover = ways.remover(me.settings, platform.value, name, region, me.output.note)
        plan = rollout.planned_teardown(me, platform.value, name, remover)
        if rollout.agreed(me, plan, yes):
            rollout.tell_removed(me, plan, rollout.teardown(me, plan, remover))
