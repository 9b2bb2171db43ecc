"""An in-memory fake of the part of Cloudflare's API that a deploy and a teardown use, over HTTP."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ACCOUNT = "0123456789abcdef0123456789abcdef"
TOKEN = "fake-cloudflare-token"
VERSION = "11111111-2222-3333-4444-555555555555"
Reply = tuple[int, object]


@dataclass
class FakeCloudflare:
    """What is deployed, and the calls (method and path within the account) in order. `fault` answers that call 500."""

    url: str = ""
    subdomain: str | None = "acme"
    workers: dict[str, bytes] = field(default_factory=dict)
    workflows: dict[str, dict[str, str]] = field(default_factory=dict)
    namespaces: dict[str, str] = field(default_factory=dict)
    calls: list[tuple[str, str]] = field(default_factory=list)
    fault: int | None = None

    @property
    def empty(self) -> bool:
        return not (self.workers or self.workflows or self.namespaces)

    @property
    def writes(self) -> list[tuple[str, str]]:
        return [call for call in self.calls if call[0] != "GET"]

    def answer(self, method: str, path: str, body: bytes) -> Reply:
        self.calls.append((method, path))
        if self.fault is not None and len(self.calls) == self.fault:
            return error(500, 10013, "An unknown error has occurred")
        match [method, *path.strip("/").split("/")]:
            case ["GET", "workers", "subdomain"]:
                return (200, {"subdomain": self.subdomain}) if self.subdomain else error(404, 10007, "no subdomain")
            case ["GET", "storage", "kv", "namespaces"]:
                return 200, [{"id": key, "title": title} for key, title in self.namespaces.items()]
            case ["POST", "storage", "kv", "namespaces"]:
                title = json.loads(body)["title"]
                if title in self.namespaces.values():
                    return error(400, 10014, "a namespace with this account ID and title already exists")
                self.namespaces[f"{len(self.calls):032x}"] = title
                return 200, {"id": f"{len(self.calls):032x}", "title": title}
            case ["DELETE", "storage", "kv", "namespaces", key]:
                return (200, {}) if self.namespaces.pop(key, None) else error(404, 10013, "namespace not found")
            case ["PUT", "workflows", name, "instances", "terminate"]:
                return 200, {"status": "ok"}
            case ["PUT", "workflows", name]:
                self.workflows[name] = json.loads(body)
                return 200, {}
            case [_, "workflows", name] if name not in self.workflows:
                return error(404, 10200, "workflow not found")
            case ["GET", "workflows", name]:
                return 200, {"name": name, **self.workflows[name]}
            case ["DELETE", "workflows", name]:
                del self.workflows[name]
                return 200, {}
            case ["PUT", "workers", "scripts", name]:
                self.workers[name] = body
                return 200, {"id": name, "deployment_id": VERSION, "startup_time_ms": 5}
            case [_, "workers", "services", name] if name not in self.workers:
                return error(404, 10090, "This service does not exist")
            case ["GET", "workers", "services", name]:
                script = {"id": name, "tag": "tag", "tags": [], "migration_tag": "v1", "last_deployed_from": "wrangler"}
                return 200, {"id": name, "default_environment": {"environment": "production", "script": script}}
            case ["DELETE", "workers", "services", name]:
                del self.workers[name]
                return 200, {}
            case [_, "workers", _, name, *_] if name not in self.workers:
                return error(404, 10007, "This Worker does not exist on your account.")
            case _:
                return self._of_worker(method, path)

    def _of_worker(self, method: str, path: str) -> Reply:
        match [method, *path.strip("/").split("/")[3:]]:
            case ["GET", "secrets"]:
                return 200, [{"name": "API_TOKEN", "type": "secret_text"}]
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
                script = {"etag": "etag", "handlers": ["fetch"], "last_deployed_from": "wrangler"}
                resources = {"script": script, "bindings": [], "script_runtime": {}}
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
            sent = self.rfile.read(int(self.headers.get("content-length") or 0))
            if "chunked" in (self.headers.get("transfer-encoding") or ""):
                while size := int(self.rfile.readline(), 16):
                    sent += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
            path = self.path.partition("?")[0].partition(f"/accounts/{ACCOUNT}")[2]
            if self.headers.get("authorization") != f"Bearer {TOKEN}":
                status, result = error(403, 10000, "Authentication error")
            else:
                status, result = fake.answer(self.command, path, sent)
            good = status < 400
            content = json.dumps(
                {
                    "success": good,
                    "errors": [] if good else [result],
                    "messages": [],
                    "result": result if good else None,
                }
            ).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

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
