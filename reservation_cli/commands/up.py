"""resv up: start the local stack."""

from __future__ import annotations

import typer

from reservation_cli.local import stack
from reservation_cli.options import Json, begin


def command(context: typer.Context, json: Json = False) -> None:
    """Start both engines on this machine, or say where they run already."""
    me = begin(context, json)
    running = stack.ensure(me.settings, me.output.note)
    stack.touch(me.settings.home)
    if json:
        me.output.data(
            {
                "cloudflare": {"url": running.cloudflare_url},
                "aws": {
                    "endpoint_url": running.aws_endpoint_url,
                    "region": running.region,
                    "function": running.function,
                    "qualifier": running.qualifier,
                },
            }
        )
    else:
        me.output.text(
            f"Cloudflare {running.cloudflare_url} · AWS {running.aws_endpoint_url} ({running.function}:live)"
        )
