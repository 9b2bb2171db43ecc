"""A real HTTP server in a thread that gives prepared answers."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

JSON = "application/json"


@dataclass
class Answers:
    """`bodies[(method, path)]` is `(status, content type, body)`; `seen` are the requests in order."""

    url: str = ""
    bodies: dict[tuple[str, str], tuple[int, str, bytes]] = field(default_factory=dict)
    seen: list[tuple[str, str, bytes]] = field(default_factory=list)

    def give(self, method: str, path: str, body: str | bytes, status: int = 200, kind: str = JSON) -> None:
        """Answer `method path` (path without its query) with `body`."""
        self.bodies[method, path] = (status, kind, body.encode() if isinstance(body, str) else body)


@contextmanager
def serving() -> Iterator[Answers]:
    """A server on a free port of 127.0.0.1; what it has no answer for is 404 without JSON."""
    answers = Answers()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer("GET")

        def do_POST(self) -> None:
            self._answer("POST")

        def _answer(self, method: str) -> None:
            sent = self.rfile.read(int(self.headers.get("content-length") or 0))
            answers.seen.append((method, self.path, sent))
            known = answers.bodies.get((method, self.path.partition("?")[0]))
            status, kind, body = known or (404, "text/html", b"<h1>nothing here</h1>")
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    answers.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield answers
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
