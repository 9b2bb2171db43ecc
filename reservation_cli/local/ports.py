"""Free ports on 127.0.0.1."""

from __future__ import annotations

import socket

from reservation_cli.local.localhttp import HOST, listens


def choose(wanted: int, taken: set[int]) -> int:
    """`wanted` when it is free, else any free port; 0 wants any. Never one of `taken`, to which it is added."""
    port = wanted if wanted and wanted not in taken and is_free(wanted) else _any(taken)
    taken.add(port)
    return port


def is_free(port: int) -> bool:
    """Whether a server could listen on `port` now."""
    with socket.socket() as attempt:
        # As the servers do: a port whose last connections are still being closed is free.
        attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            attempt.bind((HOST, port))
        except OSError:
            return False
    # On macOS that succeeds beside a server that listens on all addresses, and takes its requests away.
    return not listens(port)


def _any(taken: set[int]) -> int:
    while True:
        with socket.socket() as attempt:
            attempt.bind((HOST, 0))
            port: int = attempt.getsockname()[1]
        if port not in taken:
            return port
