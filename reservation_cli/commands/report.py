"""resv report: write a recorded run as files, or send its spans."""

from __future__ import annotations

from typing import Annotated

import typer

from reservation_cli.errors import UsageError
from reservation_cli.options import Json, OutputFiles, begin, check_outputs, write_outputs


def command(
    context: typer.Context,
    run: Annotated[str, typer.Argument(help="A run's file, its id from `resv runs`, or `last`.")] = "last",
    output: OutputFiles = None,
    json: Json = False,
) -> None:
    """Write a recorded run to files by their endings, or send its spans to an OTLP endpoint (an http:// URL)."""
    me = begin(context, json)

    from reservation_cli import exports, runs  # deferred: what few other commands need

    if not output:
        raise UsageError(
            "Nothing to write the run to.",
            hint=f"--output FILE, ending in one of {' '.join(exports.ENDINGS)}; `resv compare {run}` draws it here.",
        )
    check_outputs(output)
    written = write_outputs(me, runs.find(me.settings.home, run), output)
    if json:
        me.output.data({"written": written})
