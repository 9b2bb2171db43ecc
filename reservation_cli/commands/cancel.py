"""resv cancel: give a held seat back."""

from __future__ import annotations

import typer

from reservation_cli.decide import decide
from reservation_cli.options import Json, On, OnPlatform, Ref, begin


def command(context: typer.Context, ref: Ref = "last", on: OnPlatform = On.both, json: Json = False) -> None:
    """Cancel a reservation while its hold lasts."""
    decide(begin(context, json), "cancel", ref, on)
