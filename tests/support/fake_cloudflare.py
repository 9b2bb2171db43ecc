"""An in-memory fake of the part of Cloudflare's API that a deploy and a teardown use, over HTTP."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

ACCOUNT = "0123456789abcdef0123456789abcdef"
TOKEN = "fake-cloudflare-token"
VERSION = "11111111-2222-3333-4444-555555555555"
LIVE = ("queued", "running", "paused", "waiting", "waitingForPause")
Reply = tuple[int, object]


def refused(code: int, message: str) -> bytes:
    """The body of an answer with one error."""
    return json.dumps({"success": False, "errors": [{"code": code, "message": message}], "result": None}).encode()


@dataclass
class Fault:
    """What is answered instead of the truth: to the call of that number, or to calls of `method` with `path` in theirs.

    A `status` of 0 cuts the connection. It happens `times` times, after `spared` calls that it could have hit; with a
    `number`, to the same call when it is tried again. `done`: the call does what it should all the same.
    """

    method: str = ""
    path: str = ""
    number: int | None = None
    status: int = 500
    body: bytes = refused(10013, "An unknown error has occurred")
    headers: Mapping[str, str] = field(default_factory=dict)
    times: int = 1
    spared: int = 0
    again: tuple[str, str] | None = None
    done: bool = False

    def hits(self, number: int, method: str, path: str) -> bool:
        if self.times == 0:
            return False
        if self.number is not None and number >= self.number:
            self.again = self.again or (method, path)
            if (method, path) != self.again:
                return False
        elif self.number is not None or not (self.method in ("", method) and self.path in path):
            return False
        if self.spared > 0:
            self.spared -= 1
            return False
        self.times -= 1
        return True


@dataclass
class Worker:
    """What a Worker is: its code as it was uploaded, its secrets, and the tag of its last migration."""

    uploaded: bytes = b""
    secrets: dict[str, str] = field(default_factory=dict)
    migration_tag: str | None = "v1"
    deployed_from: str = "wrangler"

    def upload(self, body: bytes) -> None:
        """Take a multipart upload: its metadata say which secrets are new and whether the others are kept."""
        metadata = json.loads(re.split(rb"\r?\n\r?\n", body, maxsplit=1)[1].partition(b"\r\n--")[0])
        kept = self.secrets if "secret_text" in metadata.get("keep_bindings", []) else {}
        new = {each["name"]: each["text"] for each in metadata["bindings"] if each["type"] == "secret_text"}
        self.uploaded, self.secrets = body, kept | new
        self.migration_tag = metadata.get("migrations", {}).get("new_tag", self.migration_tag)


@dataclass
class FakeCloudflare:
    """What is deployed, and the calls (method and path within the account) in order.

    `workflows` have a script_name; `instances` count theirs by status; `namespaces` are titles by id.
    """

    url: str = ""
    tokens: set[str] = field(default_factory=lambda: {TOKEN})
    accounts: dict[str, str] = field(default_factory=lambda: {ACCOUNT: "Acme"})
    subdomain: str | None = "acme"
    workers: dict[str, Worker] = field(default_factory=dict)
    workflows: dict[str, dict[str, str]] = field(default_factory=dict)
    instances: dict[str, dict[str, int]] = field(default_factory=dict)
    namespaces: dict[str, str] = field(default_factory=dict)
    calls: list[tuple[str, str]] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    @property
    def empty(self) -> bool:
        return not (self.workers or self.workflows or self.namespaces)

    @property
    def writes(self) -> list[tuple[str, str]]:
        return [call for call in self.calls if call[0] != "GET"]

    def answer(self, method: str, path: str, query: Mapping[str, list[str]], body: bytes, token: str) -> Reply:
        """The answer to a call with this path below the base URL."""
        if token not in self.tokens:
            return (
                error(401, 1000, "Invalid API Token") if "verify" in path else error(403, 10000, "Authentication error")
            )
        match path.strip("/").split("/"):
            case ["user", "tokens", "verify"]:
                return 200, {"id": "ed17574386854bf78a67040be0a770b0", "status": "active"}
            case ["accounts"]:
                return 200, [{"id": key, "name": name} for key, name in self.accounts.items()]
            case ["accounts", account, *rest] if account == ACCOUNT:
                return self._in_account(method, rest, query, body)
            case _:
                return error(403, 10000, "Authentication error")

    def _in_account(self, method: str, path: list[str], query: Mapping[str, list[str]], body: bytes) -> Reply:
        match [method, *path]:
            case ["GET", "workers", "subdomain"]:
                return (200, {"subdomain": self.subdomain}) if self.subdomain else error(404, 10007, "no subdomain")
            case ["GET", "storage", "kv", "namespaces"]:
                size, page = int(query.get("per_page", ["20"])[0]), int(query.get("page", ["1"])[0])
                listed = [{"id": key, "title": title} for key, title in self.namespaces.items()]
                return 200, listed[(page - 1) * size : page * size]
            case ["POST", "storage", "kv", "namespaces"]:
                title = json.loads(body)["title"]
                if title in self.namespaces.values():
                    return error(400, 10014, "a namespace with this account ID and title already exists")
                self.namespaces[f"{len(self.calls):032x}"] = title
                return 200, {"id": f"{len(self.calls):032x}", "title": title}
            case ["DELETE", "storage", "kv", "namespaces", key]:
                return (200, {}) if self.namespaces.pop(key, None) else error(404, 10013, "namespace not found")
            case [_, "workflows", name, *rest]:
                return self._workflow(method, name, rest, body)
            case ["PUT", "workers", "scripts", name]:
                self.workers.setdefault(name, Worker(migration_tag=None)).upload(body)
                return 200, {"id": name, "deployment_id": VERSION, "startup_time_ms": 5}
            case [_, "workers", "services", name] if name not in self.workers:
                return error(404, 10090, "This service does not exist")
            case ["GET", "workers", "services", name]:
                script: dict[str, object] = {"id": name, "tag": "tag", "tags": []}
                script["last_deployed_from"] = self.workers[name].deployed_from
                script["migration_tag"] = self.workers[name].migration_tag
                return 200, {"id": name, "default_environment": {"environment": "production", "script": script}}
            case [_, "workers", _, name, *_] if name not in self.workers:
                return error(404, 10007, "This Worker does not exist on your account.")
            case ["DELETE", "workers", "scripts", name]:
                if query.get("force") != ["true"]:
                    return error(400, 10064, "Durable Object namespaces depend on this script")
                del self.workers[name]
                return 200, None
            case [_, "workers", _, name, *rest]:
                return self._worker(method, self.workers[name], rest, body)
            case _:
                return error(404, 7003, f"Could not route to /{'/'.join(path)}")

    def _workflow(self, method: str, name: str, path: list[str], body: bytes) -> Reply:
        if (method, path) == ("PUT", []):
            self.workflows[name] = json.loads(body)
            return 200, {"name": name, **self.workflows[name]}
        if name not in self.workflows:
            return error(404, 10200, "workflow.not_found")
        counts = self.instances.setdefault(name, {})
        match method, path:
            case "PUT", ["instances", "terminate"]:
                counts["terminated"] = counts.get("terminated", 0) + sum(counts.pop(status, 0) for status in LIVE)
                return 200, {"status": "ok"}
            case "DELETE", _:
                del self.workflows[name], self.instances[name]
                return 200, {"status": "ok", "success": True}
            case _:
                return 200, {"name": name, **self.workflows[name], "instances": counts}

    def _worker(self, method: str, worker: Worker, path: list[str], body: bytes) -> Reply:
        match [method, *path]:
            case ["GET", "secrets"]:
                return 200, [{"name": name, "type": "secret_text"} for name in worker.secrets]
            case ["DELETE", "secrets", name]:
                return (200, None) if worker.secrets.pop(name, None) else error(404, 10056, "Binding not found")
            case ["GET", "deployments"]:
                return 200, {"deployments": []}
            case ["GET", "settings"]:
                key = next(iter(self.namespaces), "")
                return 200, {"bindings": [{"type": "kv_namespace", "name": "RESERVATIONS_KV", "namespace_id": key}]}
            case ["GET", "versions", _]:
                return 200, {"id": VERSION, "resources": {"script": {"handlers": ["fetch"]}, "bindings": []}}
            case ["GET"]:
                return 200, {"subdomain": {"enabled": True, "previews_enabled": True}}
            case ["POST", "versions"]:
                worker.upload(body)
                uploaded = {"etag": "etag", "handlers": ["fetch"], "last_deployed_from": "wrangler"}
                resources = {"script": uploaded, "bindings": [], "script_runtime": {}}
                return 200, {"id": VERSION, "startup_time_ms": 5, "resources": resources}
            case _:
                return 200, {"enabled": True, "previews_enabled": True}


def error(status: int, code: int, message: str) -> Reply:
    return status, {"code": code, "message": message}


@contextmanager
def serving() -> Iterator[FakeCloudflare]:
    """The fake on a free port of 127.0.0.1."""
    fake = FakeCloudflare()

    class Handler(BaseHTTPRequestHandler):
        def _reply(self) -> None:
            sent = self._body()
            target = urlsplit(self.path)
            path = target.path.removeprefix("/client/v4")
            shown = path.removeprefix(f"/accounts/{ACCOUNT}") or path
            fake.calls.append((self.command, shown))
            number = len(fake.calls)
            fault = next((each for each in fake.faults if each.hits(number, self.command, shown)), None)
            if fault is not None and not fault.done:
                self._send(fault.status, fault.headers, fault.body)
                return
            token = (self.headers.get("authorization") or "").removeprefix("Bearer ")
            status, result = fake.answer(self.command, path, parse_qs(target.query), sent, token)
            if fault is not None:
                self._send(fault.status, fault.headers, fault.body)
                return
            good = status < 400
            envelope = {
                "success": good,
                "errors": [] if good else [result],
                "messages": [],
                "result": result if good else None,
            }
            self._send(status, {"content-type": "application/json"}, json.dumps(envelope).encode())

        def _body(self) -> bytes:
            sent = self.rfile.read(int(self.headers.get("content-length") or 0))
            if "chunked" in (self.headers.get("transfer-encoding") or ""):
                while size := int(self.rfile.readline(), 16):
                    sent += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
            return sent

        def _send(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
            if status == 0:
                self.close_connection = True
                return
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _reply

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    fake.url = f"http://127.0.0.1:{server.server_port}/client/v4"
    try:
        yield fake
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
