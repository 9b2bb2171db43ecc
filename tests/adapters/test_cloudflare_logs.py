"""The logs of a Worker in the cloud: the telemetry API's answers, and the real `wrangler tail` at a tail of our own."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import secrets
import struct
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from reservation_cli.domain.deployment import CloudflareDeployment
from reservation_cli.errors import NotConfiguredError, PlatformError
from reservation_cli.local.node import Node, find_node
from reservation_cli.local.processes import table
from reservation_cli.platforms import cloudflare_logs
from reservation_cli.platforms.wrangler import Wrangler
from support.http_server import Answers, serving
from support.waiting import until

FIXTURES = Path(__file__).parents[1] / "fixtures" / "cloudflare"
FOLDER = Path(__file__).parents[2] / "cf-workflow"
ACCOUNT = "0123456789abcdef0123456789abcdef"
WORKER = "reservation-workflow-dev"
API_TOKEN = "api-token-that-nobody-may-see"
SINCE = datetime(2026, 11, 23, 8, tzinfo=UTC)
DEPLOYMENT = CloudflareDeployment("dev", ACCOUNT, f"https://{WORKER}.acme.workers.dev", "v1", SINCE)
QUERY = f"/client/v4/accounts/{ACCOUNT}/workers/observability/telemetry/query"
TAILS = f"/client/v4/accounts/{ACCOUNT}/workers/scripts/{WORKER}/tails"


def text(name: str) -> str:
    return (FIXTURES / f"cloud-{name}.json").read_text()


@pytest.fixture
def server() -> Iterator[Answers]:
    with serving() as answers:
        yield answers


def environ(url: str, token: str = API_TOKEN) -> dict[str, str]:
    return {"CLOUDFLARE_API_BASE_URL": f"{url}/client/v4", "CLOUDFLARE_API_TOKEN": token}


def past(url: str, about: str | None = None, newest: int = 100, token: str = API_TOKEN) -> list[str]:
    return [line.text for line in cloudflare_logs.past(DEPLOYMENT, environ(url, token), SINCE, about, newest)]


# What was written


def test_past_lines_oldest_first(server: Answers) -> None:
    server.give("POST", QUERY, text("telemetry"))
    assert past(server.url) == [
        "2026-11-23T09:00:00.000Z POST https://reservation-workflow-dev.acme.workers.dev/reserve (ok)",
        "2026-11-23T09:00:01.000Z warn: The workflow r-1 was not told to confirm:  [31mred",
        "2026-11-23T09:00:02.000Z error: boom",
        "2026-11-23T09:00:02.000Z     at seat.ts:1",
    ]
    assert server.authorizations == [f"Bearer {API_TOKEN}"]


def test_the_query_asks_for_this_worker_and_this_text(server: Answers) -> None:
    server.give("POST", QUERY, text("telemetry"))
    past(server.url, "r-1", 7)
    asked = json.loads(server.seen[0][2])
    assert (asked["view"], asked["limit"], asked["dry"]) == ("events", 7, True)
    assert asked["timeframe"]["from"] == SINCE.timestamp() * 1000 < asked["timeframe"]["to"]
    assert asked["parameters"]["needle"] == {"value": "r-1", "matchCase": True}
    assert asked["parameters"]["filters"] == [
        {"key": "$metadata.service", "operation": "eq", "type": "string", "value": WORKER}
    ]


def test_further_pages_begin_behind_the_last_event(server: Answers) -> None:
    body = json.loads(text("telemetry"))
    event = body["result"]["events"]["events"][0]
    many = [{**event, "$metadata": {**event["$metadata"], "id": f"e{number}"}} for number in range(1000)]
    body["result"]["events"]["events"] = many
    server.first("POST", QUERY, (200, {"content-type": "application/json"}, json.dumps(body).encode()))
    server.give("POST", QUERY, text("telemetry"))
    assert len(past(server.url, newest=1500)) == 2 * 1000 + 4
    second = json.loads(server.seen[1][2])
    assert (second["offset"], second["offsetDirection"], second["limit"]) == ("e999", "next", 500)


def test_no_lines_at_all(server: Answers) -> None:
    server.give("POST", QUERY, json.dumps({"success": True, "result": {"events": {"count": 0, "events": []}}}))
    assert past(server.url) == []


def test_without_a_token_nothing_is_asked(server: Answers) -> None:
    with pytest.raises(NotConfiguredError, match="CLOUDFLARE_API_TOKEN is not set") as caught:
        past(server.url, token="")
    assert "Workers Observability" in str(caught.value.hint)
    assert server.seen == []


def test_a_token_without_the_permission(server: Answers) -> None:
    server.give("POST", QUERY, text("error-token"), 403)
    with pytest.raises(NotConfiguredError) as caught:
        past(server.url)
    assert "Workers Observability (edit)" in str(caught.value.hint)
    assert API_TOKEN not in caught.value.message


@pytest.mark.parametrize("body", ['{"success": true, "result": {}}', '{"success": true, "result": null}', "<html>"])
def test_an_answer_that_is_none(server: Answers, body: str) -> None:
    server.give("POST", QUERY, body)
    with pytest.raises(PlatformError, match="not the JSON"):
        past(server.url)


@pytest.mark.parametrize(
    "event", [{}, {"$metadata": [], "$workers": 7, "source": None, "timestamp": "?"}, {"source": {"message": ["a", 1]}}]
)
def test_an_event_of_another_shape_is_still_a_line(server: Answers, event: object) -> None:
    server.give("POST", QUERY, json.dumps({"success": True, "result": {"events": {"events": [event]}}}))
    assert len(past(server.url)) == 1


# What is being written


@dataclass
class Tail:
    """An API that has a tail, and the tail itself: a WebSocket that sends the events it is given."""

    events: list[object]
    url: str = ""
    status: int = 200
    calls: list[tuple[str, str]] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)


def frame(payload: bytes) -> bytes:
    """A text frame of a WebSocket server."""
    size = bytes([len(payload)]) if len(payload) < 126 else bytes([126]) + struct.pack(">H", len(payload))
    return b"\x81" + size + payload


@contextmanager
def tail(*events: object, status: int = 200) -> Iterator[Tail]:
    fake = Tail(list(events), status=status)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if "sec-websocket-key" not in self.headers:
                # Refused, wrangler asks whose token it is.
                self._reply(None)
                return
            accept = hashlib.sha1((self.headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode())
            self.send_response(101)
            self.send_header("upgrade", "websocket")
            self.send_header("connection", "Upgrade")
            self.send_header("sec-websocket-accept", base64.b64encode(accept.digest()).decode())
            self.send_header("sec-websocket-protocol", "trace-v1")
            self.end_headers()
            for event in fake.events:
                self.wfile.write(frame(json.dumps(event).encode()))
            self.close_connection = True
            fake.over.wait()

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("content-length") or 0))
            fake.calls.append(("POST", self.path))
            self._reply(
                {"id": "t1", "url": fake.url.replace("http", "ws") + "/tail", "expires_at": "2026-11-23T15:00:00Z"}
            )

        def do_DELETE(self) -> None:
            fake.calls.append(("DELETE", self.path))
            self._reply(None)

        def _reply(self, result: object) -> None:
            good = fake.status < 400
            errors = [] if good else [{"code": 10000, "message": "Authentication error"}]
            body = json.dumps({"success": good, "errors": errors, "messages": [], "result": result}).encode()
            self.send_response(fake.status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    fake.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield fake
    finally:
        fake.over.set()
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="session")
def node() -> Node:
    return find_node({"PATH": os.environ["PATH"]})


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """An environment of its own for wrangler, which keeps things at home."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "XDG_CONFIG_HOME": str(tmp_path),
        "NO_PROXY": "127.0.0.1",
    }


def followed(
    fake: Tail, node: Node, home: dict[str, str], about: str | None, count: int, token: str = API_TOKEN
) -> list[str]:
    """The texts of the first `count` lines."""
    wrangler = Wrangler(node, FOLDER, home | environ(fake.url, token))
    with cloudflare_logs.follow(DEPLOYMENT, wrangler, about) as lines:
        return [next(lines).text for _ in range(count)]


def test_wrangler_tail_is_followed_and_ended(node: Node, home: dict[str, str]) -> None:
    with tail(*json.loads(text("tail-events"))) as fake:
        assert followed(fake, node, home, None, 4) == [
            "2026-11-23T09:00:00.000Z POST /confirm/r-1 200 (ok)",
            '2026-11-23T09:00:00.100Z warn: The workflow r-1 was not told to confirm: {"name": "Error"}',
            "2026-11-23T09:00:01.000Z Seat.hold (exception)",
            "2026-11-23T09:00:01.050Z exception: TypeError: boom",
        ]
        assert fake.calls == [("POST", TAILS), ("DELETE", f"{TAILS}/t1")]


def test_a_tail_ends_with_its_context_while_a_thread_waits_for_its_next_line(node: Node, home: dict[str, str]) -> None:
    deployment = replace(DEPLOYMENT, stage=f"t{secrets.token_hex(6)}")
    with tail() as fake, ThreadPoolExecutor(1) as pool:
        wrangler = Wrangler(node, FOLDER, home | environ(fake.url))
        with cloudflare_logs.follow(deployment, wrangler, None) as lines:
            waiting = pool.submit(lambda: list(lines))
            until(lambda: fake.calls, "the tail")
        waiting.exception(timeout=30)
    assert [process for process in table() if deployment.workflow in process.command] == []


def test_only_events_that_mention_the_reservation(node: Node, home: dict[str, str]) -> None:
    first, other = json.loads(text("tail-events"))
    with tail(other, first, other) as fake:
        assert followed(fake, node, home, "r-1", 1) == ["2026-11-23T09:00:00.000Z POST /confirm/r-1 200 (ok)"]


def test_a_tail_that_is_refused(node: Node, home: dict[str, str]) -> None:
    with tail(status=403) as fake, pytest.raises(NotConfiguredError) as caught:
        followed(fake, node, home, None, 1)
    assert caught.value.code == "credentials"
    assert API_TOKEN not in f"{caught.value.message} {caught.value.hint}"


def test_without_credentials_wrangler_says_so(node: Node, home: dict[str, str]) -> None:
    with tail() as fake, pytest.raises(NotConfiguredError, match="no Cloudflare credentials"):
        followed(fake, node, home, None, 1, token="")


@pytest.mark.parametrize(
    "lines",
    [
        ['{"outcome": "ok", "n": 1}\n', "noise\n", '{"outcome": "ok", "n": 2}\n'],
        ["{\n", '  "outcome": "ok",\n', '  "n": {\n', '    "m": 1\n', "  }\n", "}\n", "noise\n", '{"outcome": "}"}\n'],
    ],
)
def test_objects_of_one_line_or_of_many(lines: list[str]) -> None:
    assert len(list(cloudflare_logs.objects(lines))) == 2
