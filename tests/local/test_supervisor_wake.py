"""Waking Cloudflare's instances and looking for use, against a server that answers as wrangler's explorer does."""

from __future__ import annotations

import json
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from reservation_cli.local import engine_files, use, wake
from reservation_cli.local.plan import Child
from support import engine_disk
from support.waiting import until

PAGE = 100
CREATED = "2026-11-23T09:00:00.500Z"


class Explorer:
    """Instances with a status each; waking one fails so often as `failures` says."""

    def __init__(self) -> None:
        self.instances: dict[str, str] = {}
        self.created: dict[str, str] = {}
        self.failures: Counter[str] = Counter()
        self.woken: list[str] = []
        self.health = ""
        self.asked = 0
        self.port = 0

    def answer(self, method: str, target: str) -> tuple[int, object]:
        parts = urlsplit(target)
        if parts.path == "/health":
            return 200, json.loads(self.health)
        if method == "GET":
            self.asked += 1
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            found = [id_ for id_, status in self.instances.items() if query.get("status", status) == status]
            per_page, page = int(query["per_page"]), int(query.get("page", 1))
            rows = [
                {"id": id_}  # a ghost: what is left when somebody asked for an instance that there is not
                if self.instances[id_] == "unknown"
                else {"id": id_, "status": self.instances[id_], "created_on": self.created.get(id_, CREATED)}
                for id_ in found[(page - 1) * per_page : page * per_page]
            ]
            info = {
                "page": page,
                "total_pages": max(1, -(-len(found) // per_page)),
                "status_counts": dict(Counter(self.instances.values())),
            }
            return 200, {"result": rows, "result_info": info}
        match = re.fullmatch(r".*/workflows/[^/]+/instances/([^/]+)/events/__wake", parts.path)
        assert match
        if self.failures[match[1]] > 0:
            self.failures[match[1]] -= 1
            return 500, {}
        self.woken.append(match[1])
        return 200, {"success": True}


@pytest.fixture
def explorer() -> Iterator[Explorer]:
    explorer = Explorer()

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            self.rfile.read(int(self.headers.get("content-length") or 0))
            status, body = explorer.answer(self.command, self.path)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        do_GET = do_POST = _answer

        def log_message(self, format: str, *args: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    explorer.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield explorer
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """The engine's folder, with files that are not understood: then it is asked itself, which these tests are about."""
    folder = engine_files.workflows(tmp_path, "w")
    folder.mkdir(parents=True)
    (folder / "0.sqlite").write_text("no database")
    return tmp_path


def test_all_unfinished_instances_are_woken_once_over_all_pages(explorer: Explorer, state: Path) -> None:
    explorer.instances = {f"r{number}": "running" for number in range(2 * PAGE + 5)}
    explorer.instances |= {
        "w": "waiting",
        "q": "queued",
        "p": "paused",
        "c": "complete",
        "e": "errored",
        "u": "unknown",
    }
    said: list[str] = []
    woken = wake.wake_all(explorer.port, "w", state, lambda: False, said.append)
    assert woken == 2 * PAGE + 7
    assert sorted(explorer.woken) == sorted(set(explorer.instances) - {"p", "c", "e", "u"})
    assert said == [f"woke {woken} unfinished instances"]


def test_the_oldest_are_woken_first(explorer: Explorer) -> None:
    explorer.instances = {f"r{number}": "running" for number in range(2 * PAGE)}
    explorer.created = {f"r{number}": f"2026-11-23T{(number * 7) % 24:02}:00:00.000Z" for number in range(2 * PAGE)}
    assert wake.unfinished(explorer.port, "w") == sorted(
        explorer.instances, key=lambda instance: explorer.created[instance]
    )


def test_a_wake_that_fails_is_tried_again(explorer: Explorer, state: Path) -> None:
    explorer.instances = {"a": "running", "b": "running"}
    explorer.failures["a"] = 2
    assert wake.wake_all(explorer.port, "w", state, lambda: False) == 2
    assert explorer.woken == ["b", "a"]


def test_waking_ends_when_it_is_out_of_date(explorer: Explorer, state: Path) -> None:
    explorer.instances = {"a": "running"}
    explorer.failures["a"] = 1_000_000
    assert wake.wake_all(explorer.port, "w", state, lambda: explorer.failures["a"] < 1_000_000) == 0


def test_one_that_never_can_be_woken_is_given_up(
    explorer: Explorer, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wake, "_PAUSE_SECONDS", 0.001)
    explorer.instances = {"a": "running", "b": "running"}
    explorer.failures["a"] = 1_000_000
    assert wake.wake_all(explorer.port, "w", state, lambda: False) == 1


def test_those_due_soonest_are_woken_first_and_the_others_not_before_it_is_time(
    explorer: Explorer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time()
    moments = {f"r{number:03}": now - 300 + (number * 37) % 200 for number in range(120)}
    for name, due in moments.items():
        engine_disk.instance(tmp_path, name, "running", written=now, due=due)
    engine_disk.instance(tmp_path, "in-a-step", "running", written=now)
    engine_disk.instance(tmp_path, "over", "complete", written=now)
    engine_disk.instance(tmp_path, "paused", "paused", written=now)
    engine_disk.instance(tmp_path, "later", "running", written=now, due=now + 3600)
    engine_disk.ghost(tmp_path, "nobody", written=now)
    monkeypatch.setattr(wake, "_WORKERS", 1)
    done = threading.Event()
    said: list[str] = []
    with ThreadPoolExecutor(1) as pool:
        waking = pool.submit(wake.wake_all, explorer.port, engine_disk.WORKER, tmp_path, done.is_set, said.append)
        until(lambda: said, "word of what was woken")
        assert explorer.woken == ["in-a-step", *sorted(moments, key=lambda name: moments[name])]
        assert said == ["woke 121 unfinished instances; 1 more are woken before they are due"]
        assert not waking.done()
        monkeypatch.setattr(time, "time", lambda: now + 3590)
        until(lambda: "later" in explorer.woken, "the last one")
        assert waking.result() == 122
    assert explorer.asked == 0, "the engine was not asked for its list"


def children(explorer: Explorer) -> list[Child]:
    cloudflare = Child("cloudflare", (), "/", explorer.port, "/", workflow="w")
    return [cloudflare, Child("aws", (), "/", explorer.port, "/health", reports_use=True)]


@pytest.mark.parametrize(
    ("instances", "health", "expected"),
    [
        ({}, {"running": 0, "last_request": None}, 0.0),
        ({"a": "complete"}, {"running": 0, "last_request": None}, 1795424400.5),
        ({"a": "complete"}, {"running": 0, "last_request": "2026-11-23T09:00:02.000Z"}, 1795424402.0),
        ({"a": "complete", "b": "running"}, {"running": 0, "last_request": None}, None),
        ({}, {"running": 1, "last_request": None}, None),
        ({"u": "unknown"}, {"running": 0, "last_request": None}, 0.0),
        ({"u": "unknown", "a": "complete"}, {"running": 0, "last_request": None}, 1795424400.5),
    ],
)
def test_last_use(
    explorer: Explorer, instances: dict[str, str], health: dict[str, object], expected: float | None
) -> None:
    explorer.instances, explorer.health = instances, json.dumps(health)
    assert use.last_use(children(explorer)) == expected


def test_an_engine_that_does_not_answer_is_not_unused() -> None:
    assert use.last_use([Child("aws", (), "/", 1, "/health", reports_use=True)]) is None
