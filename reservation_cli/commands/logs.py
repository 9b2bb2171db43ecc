"""resv logs: what the engines and the workflow wrote."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from typing import Annotated

import typer

from reservation_cli.domain.reservation import PLATFORMS
from reservation_cli.logs import LogLine
from reservation_cli.options import Command, Json, Local, Stage, begin
from reservation_cli.output import plain


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
    ref = "" if what in ("all", *PLATFORMS) else what
    shown = _show(me, log_sources.past(found, ref))
    if follow:
        _show(me, log_sources.follow(found))
    elif ref and not shown:
        raise log_sources.unmentioned(ref)


def _show(me: Command, lines: Generator[LogLine]) -> bool:
    shown = False
    # Closed here and now: what follows a log elsewhere is to end with it.
    with closing(lines):
        for line in lines:
            shown = True
            if me.output.as_json:
                me.output.line({"log": line.log, "text": line.text})
            else:
                # What a log has for another terminal must not move the cursor of this one.
                me.output.text(f"{line.log:<10} {plain(line.text)}")
    return shown
