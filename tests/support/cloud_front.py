"""Cloudflare's REST API as the cloud has it, in front of the real local engine: a token, cursors, outputs as text."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

ACCOUNT = "0123456789abcdef0123456789abcdef"
TOKEN = "a-token-for-the-front"


@contextmanager
def serving(worker_url: str) -> Iterator[str]:
    """Gives the base URL of the API for the local Worker at `worker_url`; GETs of instances and their list only."""
    engine = httpx.Client(base_url=f"{worker_url}/cdn-cgi/local/explorer/api", timeout=30, trust_env=False)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            status, body = self._answer()
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def _answer(self) -> tuple[int, Any]:
            if self.headers.get("authorization") != f"Bearer {TOKEN}":
                return 403, {"success": False, "errors": [{"code": 10000, "message": "Authentication error"}]}
            parts = urlsplit(self.path)
            path, asked = parts.path.removeprefix(f"/accounts/{ACCOUNT}"), parse_qs(parts.query)
            page = asked.get("cursor", ["1"])[0]
            query = {"page": page, "per_page": asked["per_page"][0]} if path.endswith("/instances") else {}
            answer = engine.get(path, params=query)
            body = answer.json()
            if isinstance(body.get("result"), list):
                more = len(body["result"]) == int(query["per_page"])
                body["result"] = [item for item in body["result"] if item.get("status")]
                body["result_info"] = {"cursor": str(int(page) + 1) if more else ""}
            elif isinstance(body.get("result"), dict):
                body["result"] = _as_the_cloud(body["result"])
            return answer.status_code, body

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        engine.close()


def _as_the_cloud(instance: dict[str, Any]) -> dict[str, Any]:
    """Outputs are text in the cloud, objects locally."""
    steps = [{**step, "output": _text(step.get("output"))} for step in instance.get("steps", [])]
    return {**instance, "output": _text(instance.get("output")), "steps": steps}


def _text(value: object) -> object:
    return json.dumps(value) if isinstance(value, dict) else value
