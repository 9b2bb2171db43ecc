"""A real HTTP server in a thread that gives prepared answers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = tuple[int, Mapping[str, str], bytes]
#: The connection is closed without a word.
CUT: Answer = (0, {}, b"")
#: No answer comes for as long as the server runs.
SILENCE: Answer = (-1, {}, b"")
NOTHING: Answer = (404, {"content-type": "text/html"}, b"<h1>nothing here</h1>")


@dataclass
class Answers:
    """Prepared answers by method and path pattern; `seen` are the requests in order: method, path with query, body."""

    url: str = ""
    prepared: dict[tuple[str, str], Answer] = field(default_factory=dict)
    before: dict[tuple[str, str], list[Answer]] = field(default_factory=dict)
    seen: list[tuple[str, str, bytes]] = field(default_factory=list)
    authorizations: list[str | None] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)
    after_each: Callable[[str, str], None] = lambda _method, _path: None

    def give(self, method: str, path: str, body: str | bytes, status: int = 200, **headers: str) -> None:
        """Answer `method path` (without its query; `*` stands for anything) with `body`, JSON by default."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        content = body.encode() if isinstance(body, str) else body
        self.prepared[method, path] = (status, {"content-type": "application/json", **named}, content)

    def first(self, method: str, path: str, *answers: Answer) -> None:
        """Give these answers, one a request, before the one that `give` has prepared for the same pattern."""
        self.before[method, path] = list(answers)

    def find(self, method: str, path: str) -> Answer:
        """The answer prepared for this request."""
        for (known, pattern), answers in self.before.items():
            if known == method and fnmatchcase(path, pattern) and answers:
                return answers.pop(0)
        for (known, pattern), answer in self.prepared.items():
            if known == method and fnmatchcase(path, pattern):
                return answer
        return NOTHING


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
            answers.authorizations.append(self.headers.get("authorization"))
            answer = answers.find(method, self.path.partition("?")[0])
            if answer is SILENCE:
                answers.over.wait()
            if answer in (CUT, SILENCE):
                return
            status, headers, body = answer
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            if "content-length" not in headers:
                self.send_header("content-length", str(len(body)))
            self.end_headers()
            answers.after_each(method, self.path)
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
        answers.over.set()
        server.shutdown()
        thread.join()
        server.server_close()
