"""resv logs: what the engines and the workflow wrote."""

from __future__ import annotations

from contextlib import closing
from typing import Annotated

import typer

from reservation_cli.domain.reservation import PLATFORMS
from reservation_cli.errors import NotFoundError
from reservation_cli.options import Json, Local, Stage, begin


def command(
    context: typer.Context,
    what: Annotated[str, typer.Argument(metavar="[cloudflare|aws|REF]", help="Whose lines; all by default.")] = "all",
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Wait for further lines.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="How many of the newest lines of each log.")] = 100,
    local: Local = False,
    stage: Stage = None,
    json: Json = False,
) -> None:
    """Show logs, of the local stack or of what is deployed: all, of one platform, or about one reservation."""
    me = begin(context, json, local, stage)
    from reservation_cli import log_sources  # deferred: what no other command needs

    found = log_sources.sources(me, what, lines)
    shown = False
    for each in (log_sources.past, *([log_sources.follow] if follow else [])):
        # Closed here and now: what follows a log elsewhere is to end with it.
        with closing(each(found)) as given:
            for line in given:
                shown = True
                if json:
                    me.output.line({"log": line.log, "text": line.text})
                else:
                    me.output.text(f"{line.log:<10} {line.text}")
        if not (shown or follow or what in ("all", *PLATFORMS)):
            raise NotFoundError(f"No log mentions {what}.", hint="Logs are kept for a while only: see README.")
