"""resv cancel: give a held seat back."""

from __future__ import annotations

import typer

from reservation_cli.decide import decide
from reservation_cli.options import Json, Local, On, OnPlatform, Ref, Stage, begin


def command(
    context: typer.Context,
    ref: Ref = "last",
    on: OnPlatform = On.both,
    local: Local = False,
    stage: Stage = None,
    json: Json = False,
) -> None:
    """Cancel a reservation while its hold lasts."""
    decide(begin(context, json, local, stage), "cancel", ref, on)
