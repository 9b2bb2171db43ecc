"""The local AWS engine and its handler host as child processes, and a Lambda client that checks every answer."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import boto3
from botocore.config import Config
from mypy_boto3_lambda import LambdaClient

from support import aws_model

T = TypeVar("T")
ROOT = Path(__file__).parents[2]
FUNCTIONS = (
    *("--function", "flow", "--function", "sync-flow=300", "--function", "brief=2", "--function", "many-*=60"),
    *("--plain-function", "echo"),
)
ENDED = ("SUCCEEDED", "FAILED", "TIMED_OUT", "STOPPED")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def until(look: Callable[[], T | None], what: str, seconds: float = 60) -> T:
    """What `look` gives once it gives something true."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        seen = look()
        if seen:
            return seen
        time.sleep(0.01)
    raise AssertionError(f"not within {seconds} s: {what}")


def environment() -> dict[str, str]:
    """The test's environment without what would lead a child to a real account."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return {
        **kept,
        "AWS_EC2_METADATA_DISABLED": "true",
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")]),
    }


def start_engine(*arguments: str, module: str = "reservation_cli.local.aws_engine") -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@dataclass
class Local:
    """An engine and a host, each on a port and in a folder that stay the same over restarts."""

    folder: Path
    functions: Sequence[str] = FUNCTIONS
    engine_port: int = field(default_factory=free_port)
    host_port: int = field(default_factory=free_port)
    module: str = "reservation_cli.local.aws_engine"
    engine: subprocess.Popen[str] | None = None
    host: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.engine_port}"

    def up(self) -> None:
        self.start_engine()
        self.start_host()

    def start_engine(self) -> None:
        self.engine = start_engine(
            "--port",
            str(self.engine_port),
            "--host-url",
            f"http://127.0.0.1:{self.host_port}",
            "--data",
            str(self.folder / "data"),
            "--exit-with-parent",
            *self.functions,
            module=self.module,
        )
        assert self.engine.stdout is not None
        line = self.engine.stdout.readline()
        assert json.loads(line) == {"ready": True, "port": self.engine_port}

    def start_host(self) -> None:
        """Start the host, again if there is one, without waiting for it: the engine waits."""
        if self.host is not None:
            self.kill_host()
        self.host = subprocess.Popen(
            [
                sys.executable,
                str(ROOT / "tests/support/aws_engine_host.py"),
                "--port",
                str(self.host_port),
                "--engine",
                self.url,
                "--folder",
                str(self.folder),
            ],
            env=environment(),
            stdin=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def fill_disk(self) -> None:
        """From now on the engine can write no file. Its module must be `support.aws_engine_disk`."""
        self._toggle_disk("full")

    def free_disk(self) -> None:
        """As before again."""
        self._toggle_disk("free")

    def _toggle_disk(self, expected: str) -> None:
        assert self.engine is not None
        assert self.engine.stdout is not None
        self.engine.send_signal(signal.SIGUSR1)
        assert self.engine.stdout.readline().strip() == expected

    def kill_engine(self) -> None:
        """End the engine as a crash would."""
        assert self.engine is not None
        _end(self.engine, signal.SIGKILL)
        self.engine = None

    def kill_host(self) -> None:
        assert self.host is not None
        _end(self.host, signal.SIGKILL)
        self.host = None

    def down(self) -> None:
        for process in (self.engine, self.host):
            if process is not None:
                _end(process, signal.SIGKILL)

    def client(self, seen: set[str] | None = None, **config: Any) -> LambdaClient:
        """A plain boto3 client of the endpoint, which fails on an answer that Lambda's model does not allow.

        `seen` gathers the operations and their errors; `config` is botocore's.
        """
        client = boto3.client(
            "lambda",
            endpoint_url=self.url,
            region_name="us-east-2",
            aws_access_key_id="local",
            aws_secret_access_key="local",
            config=Config(retries={"max_attempts": 0}, max_pool_connections=64, **config),
        )
        aws_model.register(client.meta.events, seen)
        return client

    def host_answers(self) -> list[str]:
        """What the handlers' own client was answered: operations with their errors, and what the model forbids."""
        path = self.folder / "answers"
        return path.read_text().splitlines() if path.exists() else []

    def runs(self, name: str) -> int:
        """How often the step of that name has run."""
        path = self.folder / f"{name}.runs"
        return len(path.read_text().splitlines()) if path.exists() else 0

    def touch(self, name: str) -> None:
        """Let the steps go on that wait for that file."""
        (self.folder / name).touch()


def _end(process: subprocess.Popen[str], number: signal.Signals) -> None:
    process.send_signal(number)
    process.wait(10)
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            stream.close()


@contextmanager
def local(folder: Path, module: str = Local.module) -> Iterator[Local]:
    """A running pair, ended afterwards."""
    pair = Local(folder, module=module)
    try:
        pair.up()
        yield pair
    finally:
        pair.down()


class Caller:
    """What the tests do over and over with a client."""

    def __init__(self, client: LambdaClient) -> None:
        # The tests also say what the stubs, rightly, do not allow.
        self.client: Any = client

    def start(self, *plan: dict[str, Any], function: str = "flow:live", name: str | None = None) -> str:
        named: dict[str, Any] = {} if name is None else {"DurableExecutionName": name}
        answer = self.client.invoke(
            FunctionName=function, InvocationType="Event", Payload=json.dumps({"plan": plan}), **named
        )
        return str(answer["DurableExecutionArn"])

    def get(self, arn: str) -> dict[str, Any]:
        return dict(self.client.get_durable_execution(DurableExecutionArn=arn))

    def status(self, arn: str) -> str:
        return str(self.get(arn)["Status"])

    def end(self, arn: str, seconds: float = 60) -> dict[str, Any]:
        """The execution once it has ended."""

        def look() -> dict[str, Any] | None:
            seen = self.get(arn)
            return seen if seen["Status"] in ENDED else None

        return until(look, f"the end of {arn}", seconds)

    def events(self, arn: str, kind: str | None = None) -> list[dict[str, Any]]:
        """The whole history, or its events of one kind."""
        pages = self.client.get_paginator("get_durable_execution_history").paginate(DurableExecutionArn=arn)
        events = [dict(event) for page in pages for event in page["Events"]]
        return [event for event in events if kind in (None, event["EventType"])]

    def event(self, arn: str, kind: str) -> dict[str, Any]:
        """The first event of that kind, once there is one."""
        return until(lambda: next(iter(self.events(arn, kind)), None), f"{kind} of {arn}")

    def callback_id(self, arn: str) -> str:
        return str(self.event(arn, "CallbackStarted")["CallbackStartedDetails"]["CallbackId"])
