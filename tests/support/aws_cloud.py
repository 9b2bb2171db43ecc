"""What tests of the AWS client in the cloud share: a deployment, credentials, and servers that misbehave."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from botocore.config import Config

from reservation_cli.domain.deployment import AwsDeployment
from support.http_server import Answer, Answers

FIXTURES = Path(__file__).parents[1] / "fixtures" / "aws"
DEPLOYMENT = AwsDeployment("dev", "us-east-2", "123456789012", "api", "3", datetime(2026, 11, 25, tzinfo=UTC))
LABEL = "AWS · us-east-2 · reservation-workflow-dev:live"
ARN = (
    "arn:aws:lambda:us-east-2:123456789012:function:reservation-workflow-dev:3/durable-execution/r-cloud-1"
    "/9c4f7b1a-3d52-4e8b-b1c6-5f2f0a6d7e31"
)
# A colon stands in a path as %3A.
_FUNCTIONS = DEPLOYMENT.functions_arn.replace(":", "%3A")
INVOKE = f"/2015-03-31/functions/{_FUNCTIONS}reservation-workflow-dev/invocations"
SEATS = f"/2015-03-31/functions/{_FUNCTIONS}reservation-seats-dev/invocations"
LIST = f"/2025-12-01/functions/{_FUNCTIONS}reservation-workflow-dev/durable-executions"
HISTORY = "/2025-12-01/durable-executions/*/history"

KEY_ID = "AKIAIOSFODNN7EXAMPLE"
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
TOKEN = "FwoGZXIvYXdzEBYaDEXAMPLETOKENxyz0123456789"
#: One attempt, so that no test waits for botocore's back-off.
ONCE = Config(retries={"total_max_attempts": 1}, connect_timeout=2, read_timeout=2)


def bare(**more: str) -> dict[str, str]:
    """An environment without credentials, and without anything of this machine's."""
    nothing = {"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null"}
    return {**nothing, "AWS_EC2_METADATA_DISABLED": "true", **more}


def keys(url: str, **more: str) -> dict[str, str]:
    """An environment with keys, that leads every call to `url`."""
    secrets = {"AWS_ACCESS_KEY_ID": KEY_ID, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_SESSION_TOKEN": TOKEN}
    return bare(**secrets, AWS_ENDPOINT_URL=url, **more)


def fixture(name: str) -> dict[str, Any]:
    """An answer as it goes over the wire."""
    answer: dict[str, Any] = json.loads((FIXTURES / f"{name}.json").read_text())
    return answer


def give_pages(server: Answers, method: str, path: str, *pages: object) -> None:
    """Answer the first request with the first page, the next with the next, and the last one from then on."""
    answers: list[Answer] = [(200, {"content-type": "application/json"}, json.dumps(page).encode()) for page in pages]
    server.first(method, path, *answers[:-1])
    server.prepared[method, path] = answers[-1]


@contextmanager
def answering(raw: bytes) -> Iterator[str]:
    """The URL of a server that answers each request with these very bytes, and hangs up."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            length = 0
            while (line := self.rfile.readline()) not in (b"\r\n", b""):
                name, _, value = line.partition(b":")
                length = int(value) if name.lower() == b"content-length" else length
            self.rfile.read(length)
            self.wfile.write(raw)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
