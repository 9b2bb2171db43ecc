"""HTTP that no client sends, to the local servers: over a socket, since a client would refuse to send it."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

from hypothesis import strategies as st

from support.bad_input import mutants, texts, wire

SECONDS = 20.0
#: Larger than any of the servers takes from those who use it.
_HUGE = 8 * 1024 * 1024
_FUNCTION = "reservation-workflow-dev"
_ARN = f"arn%3Aaws%3Alambda%3Aus-east-2%3A000000000000%3Afunction%3A{_FUNCTION}%3A1%2Fdurable-execution%2Fr-1%2Fa1b2"
_FUNCTIONS = (_FUNCTION, f"{_FUNCTION}:live", "reservation-seats-dev", "reservation-seats-dev:live", "nobody")
#: Paths as each server has them; segments of them are taken away, doubled and put elsewhere.
PATHS: Mapping[str, tuple[str, ...]] = {
    "worker": ("/", "/openapi.json", "/reserve", "/confirm/r-1", "/cancel/r-1", "/reservation/r-1", "/workflow/r-1"),
    "engine": (
        "/health",
        *(f"/2015-03-31/functions/{name}/invocations" for name in _FUNCTIONS),
        *(f"/2025-12-01/functions/{name}/durable-executions" for name in _FUNCTIONS),
        *(f"/2025-12-01/durable-executions/{_ARN}{end}" for end in ("", "/history", "/state", "/checkpoint", "/stop")),
        *(f"/2025-12-01/durable-execution-callbacks/{_ARN}/{end}" for end in ("succeed", "fail", "heartbeat")),
    ),
    "host": ("/health", *(f"/2015-03-31/functions/{name}/invocations" for name in _FUNCTIONS)),
}
#: What a target begins with when it is a whole URL (RFC 9112, 3.2.2), as a client sends it to a proxy.
_AUTHORITIES = (
    "http://127.0.0.1",
    "http://[::1]:80",
    "http://[x",
    "http://[v1.x]",
    "http://a]b",
    "http://evil.test:99999",
    "HTTP://@",
    "http://",
    "https://x:y",
    "//[x",
    "*",
    "x:",
)
_QUERY = ("Qualifier", "MaxItems", "Marker", "Statuses", "StartedAfter", "StartedBefore", "ReverseOrder")
_QUERY_TOO = ("IncludeExecutionData", "DurableExecutionName", "CheckpointToken", "per_page", "x")
_QUERY_VALUES = (
    "live",
    "1",
    "$LATEST",
    "0",
    "9" * 30,
    "9" * 5000,
    "1.2",
    "9" * 25 + "." + "9" * 25,
    "1e400",
    "1e15",
    "inf",
)
_HEADERS = (
    *(("X-Amz-Invocation-Type", value) for value in ("Event", "DryRun", "RequestResponse", "x", "")),
    *(("X-Amz-Durable-Execution-Name", value) for value in ("r-1", "a b", "x" * 65, "\xe9", "")),
    *(("Content-Type", value) for value in ("application/json", "text/plain", "application/json; charset=utf-16", "")),
    *(("Content-Length", value) for value in ("-1", "x", "9" * 5000, "1, 2", "\xb2", " ", "0")),
    *(("Transfer-Encoding", value) for value in ("chunked", "gzip, chunked", "identity")),
    *(("Host", value) for value in ("evil.test", "", "127.0.0.1:99999", "localhost:1@evil.test")),
    *(("Origin", value) for value in ("http://evil.test", "null", "http://[::1", "\xff")),
    *(("Expect", value) for value in ("100-continue", "x")),
    *(("Connection", value) for value in ("close", "upgrade", "keep-alive")),
    *(("X-Amz-Client-Context", value) for value in ("e30=", "\xe9", "x" * 5000)),
    *(("X-Amz-Tenant-Id", value) for value in ("t", "\xe9", "x" * 5000)),
    ("X", "y" * 70_000),
    ("Authorization", "Bearer \xff"),
    ("Content-Encoding", "gzip"),
)
_BODIES = (
    {"reservationId": "r-1", "seatId": "A1", "userId": "user123", "holdSeconds": 1, "strategy": "sleep"},
    {"action": "get", "reservationId": "r-1"},
    {"CheckpointToken": "x", "Updates": [{"Id": "1", "Type": "STEP", "Action": "START", "StepOptions": {}}]},
    {"ErrorType": "x", "ErrorMessage": "y", "ErrorData": "z", "StackTrace": ["a"]},
)
#: What no Worker sees. Before it stands workerd, or Cloudflare's edge, which reads where a request goes and where it
#: ends, and answers for itself: workerd says 500 to a body that breaks off, and 501 to a method that there is not.
_FRAMING = ("Content-Length", "Transfer-Encoding", "Expect", "Connection", "Host")
_UNHEARD_OF = ("NONE", "get", "CONNECT")
_METHODS = (
    "GET",
    "POST",
    "POST",
    "POST",
    "PUT",
    "DELETE",
    "HEAD",
    "PATCH",
    "OPTIONS",
    "TRACE",
    "CONNECT",
    "NONE",
    "get",
)
_VERSIONS = ("HTTP/1.1",) * 8 + ("HTTP/1.0", "HTTP/2.0", "HTTP/9.9", "HTTP/1.1 x", "")


@dataclass(frozen=True, slots=True)
class Sent:
    """What goes over the socket to which server; `is_cut`: nothing more comes although more was announced."""

    server: str
    data: bytes
    is_cut: bool = False


@st.composite
def requests(draw: st.DrawFn, server: str) -> Sent:
    """A request that is wrong in one way or in several."""
    if draw(st.integers(0, 19)) == 0:
        return Sent(server, draw(st.binary(min_size=8, max_size=200)) + b"\r\n\r\n")
    methods = [method for method in _METHODS if server != "worker" or method not in _UNHEARD_OF]
    lines = [f"{draw(st.sampled_from(methods))} {draw(_targets(server))} {draw(st.sampled_from(_VERSIONS))}"]
    framed = [header for header in _HEADERS if server != "worker" or header[0] not in _FRAMING]
    odd = draw(st.lists(st.sampled_from(framed), max_size=3))
    headers = [("Host", "127.0.0.1"), ("Content-Type", "application/json"), *odd]
    kind = draw(st.sampled_from(("json",) * 6 + ("text", "bytes", "deep", "none", "huge", "cut")))
    if kind == "cut" and server == "worker":
        kind = "json"
    body = b""
    if kind in ("json", "cut"):
        body = wire(draw(mutants(_BODIES)))
    elif kind == "text":
        body = draw(texts()).encode("utf-8", "surrogatepass")
    elif kind == "bytes":
        body = draw(st.binary(max_size=200))
    elif kind == "deep":
        body = b"[" * 6_000 + b"]" * draw(st.sampled_from((0, 6_000)))
    elif kind == "huge" and draw(st.integers(0, 9)) == 0:
        body = b'"' + b"x" * _HUGE + b'"'
    if not any(name in ("Content-Length", "Transfer-Encoding") for name, _ in headers):
        headers.append(("Content-Length", str(len(body) + (50 if kind == "cut" else 0))))
    lines += [f"{name}: {value}" for name, value in headers]
    head = "\r\n".join(lines).encode("utf-8", "surrogatepass")
    return Sent(server, head + b"\r\n\r\n" + body, kind == "cut")


@st.composite
def _targets(draw: st.DrawFn, server: str) -> str:
    path = draw(st.sampled_from(PATHS[server]))
    parts = path.split("/")
    if draw(st.integers(0, 2)) == 0:
        at = draw(st.integers(1, len(parts)))
        odd = draw(st.sampled_from(("%00", "%zz", "%ff%fe", "..", "", "%2e%2e", "%E2%80%AE", "x" * 9_000)) | texts(10))
        parts[at : at + draw(st.integers(0, 2))] = [_segment(odd)]
    # In front of the Worker stands workerd, which reads whole URLs by itself.
    if server != "worker" and draw(st.integers(0, 3)) == 0:
        parts[0] = draw(st.sampled_from(_AUTHORITIES))
    values = st.sampled_from(_QUERY_VALUES) | texts(10).map(_segment)
    query = draw(st.lists(st.tuples(st.sampled_from(_QUERY + _QUERY_TOO), values), max_size=3))
    return "/".join(parts) + ("?" + "&".join(f"{name}={value}" for name, value in query) if query else "")


def _segment(text: str) -> str:
    """`text` as it may stand in a path or a query; now and then with signs that should have been encoded."""
    if len(text) % 5 == 4:
        return re.sub(r"[\s\0#]", "+", text)
    return quote(text, safe="%.", errors="surrogatepass")


def send(sent: Sent, url: str) -> int | None:
    """Send it and give the status that was answered, None when the connection was closed without one.

    AssertionError for a 5xx; TimeoutError when neither comes.
    """
    where = urlsplit(url)
    answer = b""
    with socket.create_connection((where.hostname or "", where.port or 80), timeout=SECONDS) as connection:
        try:
            connection.sendall(sent.data)
            # The rest of what was announced will never come.
            connection.shutdown(socket.SHUT_WR)
            while b"\r\n\r\n" not in answer and (some := connection.recv(65_536)):
                answer += some
                if answer.startswith(b"HTTP/1.1 100"):
                    answer = answer.partition(b"\r\n\r\n")[2]
        except OSError as error:
            if isinstance(error, TimeoutError):
                raise
            # It has heard enough, and hung up.
    found = re.match(rb"HTTP/1\.[01] (\d{3})", answer)
    if found is None:
        return None
    status = int(found[1])
    assert status < 500, f"{status} for {sent.data[:1500]!r}: {answer[:500]!r}"
    return status


def urls(home: Path) -> dict[str, str]:
    """The servers of the stack of `home`, by the names of `PATHS`."""
    told = json.loads((home / "stack.json").read_text())
    plan = json.loads((home / "plan.json").read_text())
    (host,) = re.findall(r'"--host-url", "(http://[^"]+)"', json.dumps(plan))
    return {"worker": told["cloudflare_url"], "engine": told["aws_endpoint_url"], "host": host}


def complaints(home: Path) -> list[str]:
    """The lines of the stack's logs that tell of a traceback or of an error that nobody caught."""
    found: list[str] = []
    for path in sorted((home / "logs").glob("*.log*")):
        text = path.read_text(encoding="utf-8", errors="replace")
        if "Traceback (most recent call last)" in text:
            at = text.index("Traceback (most recent call last)")
            found.append(f"{path.name}: {text[max(0, at - 300) : at + 1500]}")
    return found
