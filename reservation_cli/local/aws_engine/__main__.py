"""`python -m reservation_cli.local.aws_engine`: the local Lambda endpoint as a process."""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import socket
import sys
import threading
from pathlib import Path

from reservation_cli.local.aws_engine.functions import Function

DEFAULT_FUNCTION = "reservation-workflow-dev"
DEFAULT_PLAIN_FUNCTION = "reservation-seats-dev"
DEFAULT_EXECUTION_TIMEOUT = 2_764_800
_LONGEST_EXECUTION_TIMEOUT = 31_622_400


def _arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m reservation_cli.local.aws_engine", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="port on 127.0.0.1; 0 picks a free one")
    parser.add_argument("--host-url", required=True, help="the handler host, http://127.0.0.1:PORT")
    parser.add_argument("--data", type=Path, required=True, help="folder of the durable store")
    parser.add_argument(
        "--function",
        action="append",
        metavar="NAME[=SECONDS]",
        help=f"a durable function, with its execution timeout (default: {DEFAULT_FUNCTION})",
    )
    parser.add_argument(
        "--plain-function",
        action="append",
        metavar="NAME",
        help=f"a function that is passed straight to the host (default: {DEFAULT_PLAIN_FUNCTION})",
    )
    parser.add_argument("--region", default="us-east-2")
    parser.add_argument(
        "--execution-timeout",
        type=_timeout,
        default=DEFAULT_EXECUTION_TIMEOUT,
        metavar="SECONDS",
        help="execution timeout of the functions that name none (default: 32 days)",
    )
    parser.add_argument("--exit-with-parent", action="store_true", help="end when standard input ends")
    return parser.parse_args(argv)


def _timeout(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= _LONGEST_EXECUTION_TIMEOUT:
        raise argparse.ArgumentTypeError(f"not a number of seconds from 1 to {_LONGEST_EXECUTION_TIMEOUT}: {text}")
    return int(text)


def _functions(arguments: argparse.Namespace) -> list[Function]:
    functions = []
    for text in arguments.function or [DEFAULT_FUNCTION]:
        name, equals, seconds = text.partition("=")
        functions.append(Function(name, _timeout(seconds) if equals else arguments.execution_timeout))
    return functions + [Function(name, None) for name in arguments.plain_function or [DEFAULT_PLAIN_FUNCTION]]


def _end_with_stdin(ended: threading.Event) -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    ended.set()


def main(argv: list[str]) -> int:
    """Serve until SIGTERM, SIGINT or the end of standard input; gives the exit status."""
    arguments = _arguments(argv)
    try:
        functions = _functions(arguments)
    except argparse.ArgumentTypeError as error:
        sys.stderr.write(f"--function: {error}\n")
        return 2
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    try:
        # Callers queue here while the engine, half a second of imports, is loaded.
        listener = socket.create_server(("127.0.0.1", arguments.port), backlog=1024)
    except OSError as error:
        sys.stderr.write(f"port {arguments.port} on 127.0.0.1 cannot be used: {error}\n")
        return 1

    from reservation_cli.local.aws_engine.assembly import Settings, UnusableError, assemble

    try:
        engine = assemble(Settings(arguments.host_url, arguments.data, arguments.region, functions), listener)
    except UnusableError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    engine.start()
    if arguments.exit_with_parent:
        threading.Thread(target=_end_with_stdin, args=(ended,), daemon=True).start()
    sys.stdout.write(json.dumps({"ready": True, "port": listener.getsockname()[1]}) + "\n")
    sys.stdout.flush()
    ended.wait()
    engine.close()
    return 0


if __name__ == "__main__":
    status = main(sys.argv[1:])
    sys.stderr.flush()
    # Threads that wait for a handler cannot be interrupted, and everything acknowledged is on disk: do not join them.
    os._exit(status)
