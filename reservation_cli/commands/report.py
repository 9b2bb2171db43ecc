"""resv report: write a recorded run as files, or send its spans."""

from __future__ import annotations

from typing import Annotated

import typer

from reservation_cli import exports, runs
from reservation_cli.errors import UsageError
from reservation_cli.options import Json, OutputFiles, begin


def command(
    context: typer.Context,
    run: Annotated[str, typer.Argument(help="A run's file, its id from `resv runs`, or `last`.")] = "last",
    output: OutputFiles = None,
    json: Json = False,
) -> None:
    """Write a recorded run to files by their endings, or send its spans to an OTLP endpoint (an http:// URL)."""
    me = begin(context, json)
    if not output:
        raise UsageError(
            "Nothing to write the run to.",
            hint=f"--output FILE, ending in one of {' '.join(exports.ENDINGS)}; `resv compare {run}` draws it here.",
        )
    exports.check(output)
    found = runs.find(me.settings.home, run)
    written = exports.write(found, output, me.settings.environ)
    for name in written:
        me.output.note(f"Written: {name}")
    if json:
        me.output.data({"written": written})
