"""HTTP on 127.0.0.1 for the supervisor: a probe that never blocks, and JSON calls for its threads."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from selectors import EVENT_READ, EVENT_WRITE, BaseSelector
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from http.client import HTTPConnection

HOST = "127.0.0.1"


def listens(port: int) -> bool:
    """Whether somebody takes connections on `port`."""
    with socket.socket() as attempt:
        attempt.settimeout(0.2)
        return attempt.connect_ex((HOST, port)) == 0


class Probe:
    """One GET, driven by a selector. `status` is 0 while there is no answer yet and -1 when there will be none.

    `refused` tells that there is none because nobody listens.
    """

    def __init__(self, selector: BaseSelector, port: int, path: str) -> None:
        self.status = 0
        self.refused = False
        self._selector = selector
        self._request = f"GET {path} HTTP/1.0\r\nHost: {HOST}:{port}\r\n\r\n".encode()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._socket.setblocking(False)
        self._socket.connect_ex((HOST, port))
        self._watch(EVENT_WRITE, self._send)

    def _watch(self, event: int, then: Callable[[], None]) -> None:
        self._selector.register(self._socket, event, then)

    def _send(self) -> None:
        try:
            self._socket.send(self._request)  # well below any socket buffer: one send takes it all
        except OSError:
            self.refused = True
            self._finish(-1)
            return
        self._selector.unregister(self._socket)
        self._watch(EVENT_READ, self._receive)

    def _receive(self) -> None:
        try:
            words = self._socket.recv(64).split()
        except OSError:
            words = []
        self._finish(int(words[1]) if len(words) > 1 and words[1].isdigit() else -1)

    def _finish(self, status: int) -> None:
        self.status = status
        self._selector.unregister(self._socket)
        self._socket.close()

    def cancel(self) -> None:
        """Gives up on an answer."""
        if self.status == 0:
            self._finish(-1)


def connect(port: int, timeout: float) -> HTTPConnection:
    """A connection for `call`. Blocks, so only for threads."""
    from http.client import HTTPConnection  # deferred: 24 ms, and the stack is up before the first call

    return HTTPConnection(HOST, port, timeout=timeout)


def call(connection: HTTPConnection, method: str, path: str, body: object = None) -> Any:
    """The JSON that comes back. Raises OSError, also when the answer is no success or no JSON."""
    from http.client import HTTPException

    try:
        data = None if body is None else json.dumps(body)
        connection.request(method, path, data, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
        if answer.status >= 300:
            raise OSError(f"{method} {path} answered {answer.status}")
        return json.loads(text)
    except (HTTPException, ValueError) as error:
        raise OSError(f"{method} {path}: {error!r}") from error
    finally:
        connection.close()  # also after a failure a connection must not be used half-read


def get(port: int, path: str, timeout: float = 5.0) -> Any:
    """GET `path`, as JSON. Raises OSError."""
    return call(connect(port, timeout), "GET", path)
