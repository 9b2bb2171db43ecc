"""resv logs: what the engines and the workflow wrote."""

from __future__ import annotations

from typing import Annotated

import typer

from reservation_cli import lanes, logs
from reservation_cli.domain.arn import parse_arn
from reservation_cli.errors import NotFoundError
from reservation_cli.options import Json, begin


def command(
    context: typer.Context,
    what: Annotated[str, typer.Argument(metavar="[cloudflare|aws|REF]", help="Whose lines; all by default.")] = "all",
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Wait for further lines.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="How many of the newest lines of each log.")] = 100,
    json: Json = False,
) -> None:
    """Show the logs of the local stack: all, of one platform, or the lines about one reservation."""
    me = begin(context, json)
    home = me.settings.home
    about = None
    if what not in logs.LOGS:
        ref = lanes.resolve(home, what)
        about = parse_arn(ref).name if ref.startswith("arn:") else ref
    names = logs.LOGS.get(what, logs.LOGS["all"])
    found = list(logs.tail(home, names, about, lines))
    if about and not found and not follow:
        raise NotFoundError(f"No log mentions {about}.", hint="The logs keep the newest two megabytes of each part.")
    for source in (found, *([logs.grow(home, names, about)] if follow else [])):
        for line in source:
            if json:
                me.output.line({"log": line.log, "text": line.text})
            else:
                me.output.text(f"{line.log:<10} {line.text}")
