"""resv logs: what the engines and the workflow wrote."""

from __future__ import annotations

from typing import Annotated

import typer

from reservation_cli import lanes
from reservation_cli.local import logs
from reservation_cli.options import Json, begin


def command(
    context: typer.Context,
    what: Annotated[
        str | None, typer.Argument(metavar="[cloudflare|aws|REF]", help="Whose lines; all by default.")
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Wait for further lines.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="How many of the newest lines of each log.")] = 100,
    json: Json = False,
) -> None:
    """Show the logs of the local stack, all or of one platform or reservation."""
    me = begin(context, json)
    about = None if what in (None, "cloudflare", "aws") else lanes.resolve(me.settings.home, what or "last")
    for line in logs.tail(me.settings.home, what if about is None else None, about, lines, follow):
        if json:
            me.output.line({"log": line.log, "text": line.text})
        else:
            me.output.text(f"{line.log:<10} {line.text}")
