"""What a killed supervisor leaves behind, and the start after it: on the same ports, soon."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from reservation_cli.local import localhttp, ports, processes, stack
from reservation_cli.local.halves import PACKAGE
from reservation_cli.local.plan import Child, Plan
from support.waiting import until

STAND_IN = Path(__file__).with_name("stand_in.py")


def test_the_next_start_has_the_ports_of_what_the_killed_one_left(tmp_path: Path) -> None:
    home, port, free = tmp_path / "home", ports.choose(0, set()), []
    argv = (sys.executable, str(STAND_IN), "--port", str(port), "--folder", str(tmp_path), "--stubborn")
    url = f"http://127.0.0.1:{port}"
    names = ("workflow", "region", "account", "function", "qualifier", "seats_function")
    facts = {**dict.fromkeys(names, ""), "dynamodb_url": "", "cloudflare_url": url, "aws_endpoint_url": url}

    def layout() -> tuple[Plan, dict[str, str]]:
        free.append(ports.is_free(port))
        child = Child("child", argv, cwd=str(tmp_path), port=port, path="/health")
        plan = Plan(str(home), (child,), 600, {**facts, "engines": {}})
        return plan, {**os.environ, "PYTHONPATH": str(PACKAGE.parent)}

    first = stack.start(home, layout, print)
    try:
        os.kill(first.pid, signal.SIGKILL)
        until(lambda: stack.running(home) is None, "the lock is free")
        assert not ports.is_free(port), "the child ignores TERM"
        stack.start(home, layout, print)
        assert free == [True, True]
        assert localhttp.get(port, "/")["pid"] in {process.pid for process in processes.table()}
    finally:
        stack.stop(home, print)
