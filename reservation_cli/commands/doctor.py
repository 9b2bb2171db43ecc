"""resv doctor: what is there, what is missing, and what mends it."""

from __future__ import annotations

from typing import Annotated

import typer

from reservation_cli.options import AnyPlace, Json, begin


def command(
    context: typer.Context,
    place: Annotated[
        AnyPlace | None, typer.Argument(help="All that this one needs; else all that is in use.", show_default=False)
    ] = None,
    json: Json = False,
) -> None:
    """Check tools, credentials, permissions, ports, state and deployments: resv doctor, resv doctor aws."""
    me = begin(context, json)

    from reservation_cli.doctor.examine import examine  # deferred: httpx and, for AWS, botocore

    report = examine(me.settings, place and place.value)
    if json:
        me.output.data(report.as_json())
    else:
        from reservation_cli.render.doctor import doctor_view  # deferred: rich, 30 ms

        me.output.view(lambda width: doctor_view(report, width))
    report.require()
