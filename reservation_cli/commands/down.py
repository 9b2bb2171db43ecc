"""resv down: stop the local stack."""

from __future__ import annotations

import typer

from reservation_cli.local import stack
from reservation_cli.options import Json, begin


def command(context: typer.Context, json: Json = False) -> None:
    """Stop both engines. Reservations stay as they are and go on with the next start."""
    me = begin(context, json)
    stopped = stack.stop(me.settings.home, me.output.note)
    if json:
        me.output.data({"stopped": stopped})
    else:
        me.output.text("The local stack is stopped." if stopped else "The local stack was not running.")
