"""resv up: start the local stack."""

from __future__ import annotations

from typing import Annotated

import typer

from reservation_cli.errors import NotConfiguredError, UsageError
from reservation_cli.local import stack
from reservation_cli.options import Command, Json, begin

_EXECUTION_TIMEOUT = "15m"
_LONGEST_EXECUTION = 31_622_400

Functions = Annotated[
    list[str] | None,
    typer.Option(
        "--function",
        metavar="NAME=BUNDLE",
        help="Also serve a durable function of your own, as NAME:live: a file that exports `handler`; repeatable. "
        "A * in NAME stands for anything. Kept until others are named.",
    ),
]
NoFunctions = Annotated[bool, typer.Option("--no-functions", help="Serve no functions of your own any more.")]
ExecutionTimeout = Annotated[
    str | None,
    typer.Option(
        metavar="DURATION",
        help="How long an execution of --function may take, 1s to 366d. Up to 15m, the default, it can be invoked "
        "synchronously, as in Lambda.",
    ),
]


def command(
    context: typer.Context,
    function: Functions = None,
    no_functions: NoFunctions = False,
    execution_timeout: ExecutionTimeout = None,
    json: Json = False,
) -> None:
    """Start both engines on this machine, or say where they run already."""
    if function and no_functions:
        raise UsageError("--function and --no-functions exclude each other.")
    if execution_timeout is not None and not function:
        raise UsageError("--execution-timeout is of the functions that --function names.", hint="Name them again.")
    me = begin(context, json)
    if function or no_functions:
        running = _serving(me, function or [], execution_timeout or _EXECUTION_TIMEOUT)
    else:
        running = stack.ensure(me.settings, me.output.note)
    stack.touch(me.settings.home)
    own = running.functions
    if json:
        me.output.data(
            {
                "cloudflare": {"url": running.cloudflare_url},
                "aws": {
                    "endpoint_url": running.aws_endpoint_url,
                    "region": running.region,
                    "function": running.function,
                    "qualifier": running.qualifier,
                    "functions": [{"name": name, **kind} for name, kind in own.items()],
                },
            }
        )
    else:
        names = ", ".join(f"{name}:{running.qualifier}" for name in [running.function, *own])
        me.output.text(f"Cloudflare {running.cloudflare_url} · AWS {running.aws_endpoint_url} ({names})")


def _serving(me: Command, values: list[str], execution_timeout: str) -> stack.Stack:
    """The stack with those functions and no others, started anew if it runs with others."""
    from reservation_cli.local import functions, layout  # deferred: most starts need none of it
    from reservation_cli.local.node import find_node

    settings, note = me.settings, me.output.note
    wanted = functions.parse(values, _seconds(execution_timeout), layout.RESERVED)
    environ = layout.child_environ(settings.environ) | layout.function_environ(settings.aws_port)
    functions.check(wanted, find_node(settings.environ), environ)
    try:
        functions.remember(settings.home, wanted)
    except OSError as error:
        raise NotConfiguredError(
            f"{settings.home} cannot be written: {error.strerror or error}.", hint="RESV_HOME names another folder."
        ) from error
    running = stack.ensure(settings, note)
    if running.functions != wanted:
        note("The local stack runs with other functions; starting it anew. What is unfinished goes on.")
        stack.stop(settings.home, note)
        running = stack.ensure(settings, note)
    return running


def _seconds(text: str) -> int:
    from reservation_cli.domain.reservation import InvalidInputError, parse_duration

    try:
        seconds = parse_duration(text)
    except InvalidInputError as error:
        raise UsageError(f"--execution-timeout: {error}") from error
    if not 1 <= seconds <= _LONGEST_EXECUTION or seconds != int(seconds):
        raise UsageError(f"--execution-timeout takes whole seconds from 1s to 366d, not {text}.")
    return int(seconds)
