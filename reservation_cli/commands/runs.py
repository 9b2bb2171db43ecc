"""resv runs: what was recorded here."""

from __future__ import annotations

from typing import Annotated

import typer

from reservation_cli.options import Json, begin


def command(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many of the newest.")] = 20,
    json: Json = False,
) -> None:
    """List the newest recorded runs: resv compare ID draws one again, without either platform."""
    me = begin(context, json)

    from reservation_cli import runs  # deferred: what few other commands need

    found = list(runs.listed(me.settings.home, limit))
    if json:
        from reservation_cli.render.json import runs_json

        me.output.data(runs_json(found))
        return
    from reservation_cli.render.runs import runs_view  # deferred: rich, 30 ms that --json does not need

    me.output.view(lambda width: runs_view(found, width))
    if not found:
        me.output.note("Make one: resv compare")
        return
    number, taken = runs.size(me.settings.home)
    kept = "1 run takes" if number == 1 else f"{number:,} runs take"
    me.output.note(f"{kept} {taken / 1e6:.1f} MB in {me.settings.home / runs.FOLDER}; they are kept, delete any file.")
