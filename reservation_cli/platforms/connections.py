"""Connections for many threads at once."""

from __future__ import annotations

import threading
from collections.abc import Callable

import httpx


class ThreadTransport(httpx.BaseTransport):
    """A transport of its own for each thread, so a connection.

    httpx's one pool looks through all its connections at every request: with fifty threads that takes more than the
    request itself, and at its limit it closes a connection that another thread is just about to use (EBADF).
    """

    def __init__(self, make: Callable[[], httpx.BaseTransport]) -> None:
        self._make = make
        self._mine = threading.local()
        self._all: list[httpx.BaseTransport] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """See httpx.BaseTransport."""
        transport: httpx.BaseTransport | None = getattr(self._mine, "transport", None)
        if transport is None:
            transport = self._mine.transport = self._make()
            self._all.append(transport)
        return transport.handle_request(request)

    def close(self) -> None:
        """Close those of all threads."""
        for transport in self._all:
            transport.close()
