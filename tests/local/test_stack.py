"""The real stack: both engines come up, survive what can be killed, and nothing that sleeps is lost."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.config import Config

from reservation_cli import settings
from reservation_cli.local import localhttp, ports, processes, stack, wake
from reservation_cli.local.processes import Process
from reservation_cli.local.stack import Stack
from support.waiting import until

pytestmark = pytest.mark.stack


@dataclass
class Running:
    """A real stack, and the plainest clients of its engines."""

    home: Path
    stack: Stack

    def __post_init__(self) -> None:
        self.cloudflare_port = urlsplit(self.stack.cloudflare_url).port or 0
        self.lambda_ = boto3.client(
            "lambda",
            endpoint_url=self.stack.aws_endpoint_url,
            region_name=self.stack.region,
            aws_access_key_id="local",
            aws_secret_access_key="local",
            config=Config(retries={"mode": "standard", "max_attempts": 10}),
        )

    def reserve(self, name: str, hold_seconds: int) -> None:
        """Reserves a seat of its own on both platforms."""
        request = {"reservationId": name, "seatId": name, "userId": "u", "holdSeconds": hold_seconds}
        connection = localhttp.connect(self.cloudflare_port, timeout=30)
        localhttp.call(connection, "POST", "/reserve", request)
        self.lambda_.invoke(
            FunctionName=self.stack.function,
            Qualifier=self.stack.qualifier,
            InvocationType="Event",
            DurableExecutionName=name,
            Payload=json.dumps(request),
        )

    def instance(self, name: str) -> dict[str, Any] | None:
        """Cloudflare's instance once it has ended."""
        try:
            path = f"{wake.API}/{self.stack.workflow}/instances/{name}"
            found: dict[str, Any] = localhttp.get(self.cloudflare_port, path)["result"]
        except OSError:
            return None
        return found if found["status"] == "complete" else None

    def execution(self, name: str) -> Any:
        """AWS's execution once it has ended."""
        (found,) = self.lambda_.list_durable_executions_by_function(
            FunctionName=self.stack.function, DurableExecutionName=name
        )["DurableExecutions"]
        return found if found["Status"] == "SUCCEEDED" else None

    def answers(self) -> bool:
        try:
            localhttp.get(self.cloudflare_port, "/")
            localhttp.get(urlsplit(self.stack.aws_endpoint_url).port or 0, "/health")
        except OSError:
            return False
        return True

    def processes(self, part: str) -> list[Process]:
        """The stack's processes with `part` in the command, in the order of their start."""
        table = processes.table()
        leaders = {process.pid for process in table if str(self.home) in process.command}
        found = [process for process in table if process.group in leaders and part in process.command]
        return sorted(found, key=lambda process: process.pid)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    home = tmp_path_factory.mktemp("home")
    chosen: set[int] = set()
    environ = {
        **os.environ,
        "RESV_HOME": str(home),
        "RESV_CLOUDFLARE_PORT": str(ports.choose(0, chosen)),
        "RESV_AWS_PORT": str(ports.choose(0, chosen)),
    }
    running = Running(home, stack.ensure(settings.load(environ, home), print))
    yield running
    groups = {process.group for process in running.processes("")}
    assert stack.stop(home, print) is True
    assert {process.group for process in processes.table()} & groups == set()


def test_both_engines_answer(running: Running) -> None:
    assert running.answers()
    engines = running.stack.engines
    assert engines["cloudflare"].startswith("wrangler ")
    assert engines["aws"].startswith("aws-durable-execution-sdk-python-testing ")
    assert int(engines["node"].split(".")[0]) >= 22


VICTIMS: dict[str, Callable[[list[Process]], Process]] = {
    "workerd in front": lambda found: found[0],
    "workerd of the Worker": lambda found: found[-1],
    "wrangler-dev.mjs": lambda found: found[0],
    "host.mjs": lambda found: found[0],
    "aws_engine": lambda found: found[0],
}


@pytest.mark.parametrize("victim", VICTIMS)
def test_what_is_killed_comes_back_and_what_sleeps_ends(running: Running, victim: str) -> None:
    name = victim.replace(" ", "-").replace(".", "-")
    short, long = f"short-{name}", f"long-{name}"
    running.reserve(short, 1)  # due while the engine is down, or just before
    running.reserve(long, 8)  # due when it is up again
    killed = VICTIMS[victim](running.processes("/workerd " if "workerd" in victim else victim))

    os.kill(killed.pid, signal.SIGKILL)

    until(running.answers, f"answers after {victim} was killed")
    for reservation, hold_seconds in ((short, 1), (long, 8)):
        instance = until(partial(running.instance, reservation), f"{reservation} on Cloudflare")
        (sleep,) = (step for step in instance["steps"] if step["type"] == "sleep")
        slept = datetime.fromisoformat(sleep["end"]) - datetime.fromisoformat(sleep["start"])
        assert slept.total_seconds() >= hold_seconds, "a wake must not end a sleep before its due time"
        assert instance["output"]["reservation"]["status"] == "expired"
        until(partial(running.execution, reservation), f"{reservation} on AWS")


def test_its_state_outlives_a_stop(running: Running) -> None:
    name = "over-a-stop"
    running.reserve(name, 2)
    environ = {
        **os.environ,
        "RESV_HOME": str(running.home),
        "RESV_CLOUDFLARE_PORT": str(running.cloudflare_port),
        "RESV_AWS_PORT": str(urlsplit(running.stack.aws_endpoint_url).port),
    }
    assert stack.stop(running.home, print) is True
    running.stack = stack.ensure(settings.load(environ, running.home), print)
    until(lambda: running.instance(name), "the reservation on Cloudflare")
    until(lambda: running.execution(name), "the reservation on AWS")
