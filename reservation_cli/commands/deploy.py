"""resv deploy: put the workflow on AWS or on Cloudflare."""

from __future__ import annotations

from typing import Annotated

import typer

from reservation_cli.options import Cloud, DryRun, Json, Region, StageName, WayName, Yes, begin


def command(
    context: typer.Context,
    platform: Annotated[Cloud, typer.Argument(metavar="aws|cloudflare", help="Where to.")],
    stage: StageName = None,
    region: Region = None,
    via: Annotated[
        WayName | None,
        typer.Option(help="AWS: by the SAM CLI, or by the API alone; sam when a good enough one is installed."),
    ] = None,
    public: Annotated[
        bool, typer.Option("--public", help="Cloudflare: leave the Worker's POSTs open, without a bearer token.")
    ] = False,
    recreate: Annotated[
        bool, typer.Option("--recreate", help="AWS: delete and make anew a function that lacks DurableConfig.")
    ] = False,
    dry_run: DryRun = False,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Deploy a stage: resv deploy aws. Run again, it updates, or completes what was half done."""
    me = begin(context, json)

    from reservation_cli import rollout  # deferred: what no other command needs
    from reservation_cli.deploy import ways

    name = ways.stage_of(me.settings, stage)
    choice = ways.Choice(platform.value, name, region, via.value if via else None, public, recreate)
    if dry_run:
        deployer, way = ways.deployer(me.settings, choice, None)
        rollout.show(me, rollout.planned_deploy(me, choice, deployer, way))
        return
    with rollout.alone(me, choice.platform, name):
        deployer, way = ways.deployer(me.settings, choice, me.output.note)
        plan = rollout.planned_deploy(me, choice, deployer, way)
        if rollout.agreed(me, plan, yes):
            rollout.tell_deployed(me, rollout.deploy(me, plan, deployer))
