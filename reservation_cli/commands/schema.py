"""resv schema: the JSON Schema of what `--json` prints."""

from __future__ import annotations

from typing import Annotated

import typer

from reservation_cli.errors import UsageError
from reservation_cli.options import Command, Json, begin


def command(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Of which output; --list tells which command prints which.")] = "run",
    every: Annotated[bool, typer.Option("--list", help="List the schemas instead.")] = False,
    json: Json = False,
) -> None:
    """Print the JSON Schema of what --json prints: resv schema, resv schema list."""
    me = begin(context, json)

    from reservation_cli import schema  # deferred: what no other command needs

    if every:
        _list(me)
    elif name in schema.OUTPUTS:
        me.output.data(schema.bundled(name))
    else:
        raise UsageError(
            f"There is no schema {name!r}.",
            hint=f"One of: {', '.join(schema.OUTPUTS)}; `resv schema --list` tells which command prints which.",
        )


def _list(me: Command) -> None:
    from reservation_cli.schema import OUTPUTS, read

    if me.output.as_json:
        files = {name: read(name) for name in OUTPUTS}
        me.output.data(
            {
                "schemas": [
                    {"name": name, "id": file["$id"], "title": file["title"], "printed_by": list(OUTPUTS[name])}
                    for name, file in files.items()
                ]
            }
        )
        return
    for name, commands in OUTPUTS.items():
        printed_by = ", ".join(f"resv {command}" for command in commands)
        me.output.text(f"{name:<12} {printed_by or 'any command, on stderr'}")
