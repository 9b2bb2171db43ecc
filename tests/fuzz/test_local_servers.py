"""Bad HTTP to the servers of the local stack: 4xx or a closed connection, never a 5xx, nothing in their logs.

The Worker is asked by schemathesis, after its own description; the others over sockets. `make soak` does the same with
thousands of requests (tests/soak/test_bad_input.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from support import bad_http, bad_worker
from support.bad_input import SEED, drive

pytestmark = pytest.mark.stack


_LISTED = "/2025-12-01/functions/reservation-workflow-dev/durable-executions"
_CALLED = "/2015-03-31/functions/reservation-seats-dev:live/invocations"
_NINES = "9" * 5_000


def request(method: str, path: str, body: bytes = b"", length: str | None = None) -> bytes:
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {length or len(body)}\r\n\r\n"
    return head.encode() + body


@pytest.mark.parametrize(
    ("server", "data", "status"),
    [
        ("engine", request("PATCH", _LISTED), 400),
        ("engine", request("HEAD", "/health"), 400),
        ("engine", request("GET", f"{_LISTED}?MaxItems={_NINES}"), 400),
        ("engine", request("GET", f"{_LISTED}?Marker={_NINES}.1"), 400),
        ("engine", request("GET", f"{_LISTED}?StartedBefore=1e400"), 400),
        ("engine", request("GET", f"{_LISTED}?StartedAfter=1e15"), 400),
        ("engine", request("POST", _CALLED, b"{}", _NINES), 413),
        ("engine", request("POST", _CALLED, b"{}", "9"), 400),
        ("engine", request("POST", _CALLED, b"[" * 100_000), 400),
        ("engine", request("POST", _CALLED, b"NaN"), 400),
        ("engine", request("GET", "http://[x/"), 400),
        ("engine", request("GET", "http://a]b/health"), 400),
        ("engine", request("GET", "http://127.0.0.1/health"), 200),
        ("host", request("GET", "http://[x/"), 400),
        ("host", request("POST", "///x:live/invocations", b"{}"), 400),
        ("host", request("POST", "/2015-03-31/functions/%zz/invocations", b"{}"), 400),
    ],
    ids=lambda value: value.split(b" HTTP")[0].decode()[:50] if isinstance(value, bytes) else str(value),
)
def test_what_was_answered_with_a_5xx_once(
    stack_environ: Mapping[str, str], server: str, data: bytes, status: int
) -> None:
    url = bad_http.urls(Path(stack_environ["RESV_HOME"]))[server]
    assert bad_http.send(bad_http.Sent(server, data), url) == status


@pytest.mark.parametrize(("server", "count"), [("engine", 120), ("host", 80), ("worker", 20)])
def test_http_that_no_client_sends(stack_environ: Mapping[str, str], server: str, count: int) -> None:
    home = Path(stack_environ["RESV_HOME"])
    url = bad_http.urls(home)[server]
    assert drive(count, bad_http.requests(server), lambda sent: bad_http.send(sent, url)) >= count
    assert bad_http.complaints(home) == []


def test_the_worker_keeps_to_its_description(stack_environ: Mapping[str, str], tmp_path: Path) -> None:
    url = bad_http.urls(Path(stack_environ["RESV_HOME"]))["worker"]
    # Its phases of coverage and of stateful sequences alone: `make soak` adds thousands of random ones.
    report = bad_worker.run(url, tmp_path, examples=4, seed=SEED, phases="coverage,stateful")
    assert report.failures == [], report.text
    assert report.cases > 80, report.text
