"""resv env: shell exports that point other tools at the local stack."""

from __future__ import annotations

import shlex

import typer

from reservation_cli.local import stack
from reservation_cli.local.plan import KEY
from reservation_cli.options import Json, begin


def command(context: typer.Context, json: Json = False) -> None:
    """Print exports that point the aws CLI, boto3 and curl at the local stack: eval "$(resv env)"."""
    me = begin(context, json)
    running = stack.ensure(me.settings, me.output.note)
    stack.touch(me.settings.home)
    values = {
        "AWS_ENDPOINT_URL_LAMBDA": running.aws_endpoint_url,
        "AWS_ENDPOINT_URL_DYNAMODB": running.dynamodb_url,
        "AWS_REGION": running.region,
        "AWS_DEFAULT_REGION": running.region,
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": KEY,
        "RESV_CLOUDFLARE_URL": running.cloudflare_url,
        "RESV_CLOUDFLARE_PORT": running.cloudflare_url.rpartition(":")[2],
        "RESV_CLOUDFLARE_WORKFLOW": running.workflow,
    }
    if json:
        me.output.data(values)
        return
    for name, value in values.items():
        me.output.text(f"export {name}={shlex.quote(value)}")
