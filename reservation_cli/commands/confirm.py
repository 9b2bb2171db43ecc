"""resv confirm: confirm a held seat."""

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
    """Confirm a reservation while its hold lasts."""
    decide(begin(context, json, local, stage), "confirm", ref, on)
