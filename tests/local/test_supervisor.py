"""The supervisor against stand-in children: what it starts it keeps alive, and it leaves nothing behind."""

from __future__ import annotations

import json
import os
import resource
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from reservation_cli.deploy.local import LocalRemover
from reservation_cli.errors import NotConfiguredError, PlatformError, TimedOutError
from reservation_cli.local import leftovers, limits, localhttp, logs, ports, processes, stack
from reservation_cli.local.halves import PACKAGE
from reservation_cli.local.plan import Child, Plan
from reservation_cli.local.stack import Stack
from support import engine_disk
from support.waiting import until

STAND_IN = Path(__file__).with_name("stand_in.py")
FACTS = {
    "cloudflare_url": "",
    "workflow": "reservation-workflow-dev",
    "aws_endpoint_url": "",
    "dynamodb_url": "",
    "region": "us-east-2",
    "account": "000000000000",
    "function": "reservation-workflow-dev",
    "qualifier": "live",
    "seats_function": "reservation-seats-dev",
    "engines": {"node": "24.19.0"},
}


def alive(pid: int) -> bool:
    return any(process.pid == pid for process in processes.table())


@dataclass
class Lab:
    """A RESV_HOME with a plan of stand-ins."""

    home: Path
    children: list[Child] = field(default_factory=list)
    idle_seconds: float = 600.0
    said: list[str] = field(default_factory=list)
    _ports: set[int] = field(default_factory=set)

    def add(self, name: str, *flags: str, **fields: Any) -> Child:
        """Adds a stand-in to the plan."""
        folder = self.home.parent / f"{self.home.name}-{name}"
        folder.mkdir()
        port = ports.choose(0, self._ports)
        argv = (sys.executable, str(STAND_IN), "--port", str(port), "--folder", str(folder), *flags)
        child = Child(name, argv, cwd=str(folder), port=port, path="/health", **fields)
        self.children.append(child)
        return child

    def up(self) -> Stack:
        first = f"http://127.0.0.1:{self.children[0].port}"
        facts = {**FACTS, "cloudflare_url": first, "aws_endpoint_url": first}
        layout = Plan(str(self.home), tuple(self.children), self.idle_seconds, facts)
        environ = {**os.environ, "PYTHONPATH": str(PACKAGE.parent)}
        return stack.start(self.home, lambda: (layout, environ), self.said.append)

    def down(self) -> bool:
        return stack.stop(self.home, self.said.append)

    def starts(self, child: Child) -> list[int]:
        """The process ids of the child's starts."""
        path = Path(child.cwd, "starts")
        return [int(line) for line in path.read_text().split()] if path.exists() else []

    def pid(self, child: Child) -> int | None:
        """The process that answers on the child's port."""
        try:
            pid: int = localhttp.get(child.port, "/")["pid"]
        except OSError:
            return None
        return pid

    def pids(self) -> list[int]:
        return [pid for child in self.children for pid in self.starts(child)]

    def log(self) -> str:
        return (self.home / "logs" / "supervisor.log").read_text()


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    lab = Lab(tmp_path / "home")
    yield lab
    lab.down()
    assert [pid for pid in lab.pids() if alive(pid)] == []


def test_a_stack_is_up_when_all_answer_and_gone_after_its_stop(lab: Lab) -> None:
    first, second = lab.add("first"), lab.add("second", "--helper")
    assert stack.running(lab.home) is None

    up = lab.up()

    assert lab.pid(first)
    assert lab.pid(second)
    assert stack.running(lab.home) == up
    assert up.log_dir == lab.home / "logs"
    assert up.engines == {"node": "24.19.0"}
    assert stat.S_IMODE((lab.home / "stack.json").stat().st_mode) == 0o600
    assert lab.up() == up, "a second start finds the first"
    helper = int(Path(second.cwd, "helper").read_text())
    assert alive(helper)

    assert lab.down() is True
    assert not alive(helper)
    assert stack.running(lab.home) is None
    assert not (lab.home / "stack.json").exists()
    assert lab.down() is False


def test_a_stack_is_stopped_by_whichever_path_leads_to_its_home(lab: Lab) -> None:
    child = lab.add("child")
    link = lab.home.with_name("link")
    link.symlink_to(lab.home)
    for started, stopped in ((lab.home, link), (link, lab.home), (lab.home / ".." / lab.home.name, link)):
        lab.home = started
        up = lab.up()
        lab.home = stopped
        assert lab.down() is True
        assert not alive(up.pid)
        assert lab.pid(child) is None


def test_a_home_of_bytes_that_are_no_text_is_stopped(tmp_path: Path) -> None:
    home = tmp_path / os.fsdecode(b"home-\xff")
    try:
        home.mkdir()
    except OSError:
        pytest.skip("this file system takes UTF-8 only")
    lab = Lab(home)
    lab.add("child")
    up = lab.up()
    assert lab.down() is True
    assert not alive(up.pid)


def test_a_stack_that_goes_on_is_not_called_stopped_and_keeps_its_state(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when its supervisor runs in another container, which shares the folder: here no process is seen."""
    child = lab.add("child")
    state = lab.home / "cloudflare" / "state"
    state.parent.mkdir(parents=True)
    state.touch()
    up = lab.up()
    number = (lab.home / "stack.lock").read_text()
    (lab.home / "stack.lock").write_text("1")
    monkeypatch.setattr(stack, "_STOP_SECONDS", 0.1)
    for stop in (lab.down, lambda: LocalRemover(lab.home).remove(lambda _: None)):
        with pytest.raises(TimedOutError, match="did not stop"):
            stop()
    assert lab.pid(child), "its children are not ended under it"
    assert stack.running(lab.home) == up
    assert state.exists()
    (lab.home / "stack.lock").write_text(number)
    monkeypatch.undo()


def test_a_child_can_wait_for_another_at_its_first_start(lab: Lab) -> None:
    gate = lab.home.parent / "gate"
    first, second = lab.add("first", "--gate", str(gate)), lab.add("second", after="first")
    with ThreadPoolExecutor(1) as pool:
        up = pool.submit(lab.up)
        until(lambda: lab.starts(first), "the first child's start")
        assert not lab.starts(second)
        gate.touch()
        up.result()
    assert lab.pid(second)


def test_a_killed_child_comes_back_on_its_port_and_its_helpers_do_not_stay(lab: Lab) -> None:
    child, other = lab.add("child", "--helper"), lab.add("other")
    lab.up()
    before, bystander = lab.pid(child), lab.pid(other)
    helper = int(Path(child.cwd, "helper").read_text())
    assert before is not None

    os.kill(before, signal.SIGKILL)

    until(lambda: (pid := lab.pid(child)) and pid != before, "the child's return")
    until(lambda: not alive(helper), "the end of the killed one's helper")
    assert lab.pid(other) == bystander


def test_a_child_may_fail_to_start_a_few_times(lab: Lab) -> None:
    child = lab.add("child", "--fail", "3")
    lab.up()
    assert len(lab.starts(child)) == 4


def test_a_child_that_cannot_start_ends_the_stack_with_its_last_error(lab: Lab) -> None:
    lab.add("sound")
    lab.add("broken", "--fail", "99")
    with pytest.raises(PlatformError) as caught:
        lab.up()
    assert "broken ended with exit code 1: Error: this stand-in fails on purpose" in caught.value.message
    assert caught.value.hint == f"More is in {lab.home / 'logs' / 'broken.log'}."
    assert "and says more" in (lab.home / "logs" / "broken.log").read_text()
    assert stack.running(lab.home) is None
    until(lambda: not any(alive(pid) for pid in lab.pids()), "the end of all children")


def test_a_program_that_is_missing_is_named(lab: Lab) -> None:
    lab.children.append(Child("absent", ("/nonexistent/node",), cwd="/", port=1, path="/"))
    with pytest.raises(PlatformError, match=r"absent could not be run: .*'/nonexistent/node'"):
        lab.up()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_the_supervisor_and_all_its_children(lab: Lab, number: signal.Signals) -> None:
    lab.add("child", "--helper")
    up = lab.up()
    os.kill(up.pid, number)
    until(lambda: not alive(up.pid), "the supervisor's end")
    assert not any(alive(pid) for pid in lab.pids())
    assert not (lab.home / "stack.json").exists()
    assert number.name in lab.log()


def test_children_end_with_a_supervisor_that_was_killed(lab: Lab) -> None:
    lab.add("child", "--helper")
    lab.add("stubborn", "--stubborn")
    up = lab.up()
    os.kill(up.pid, signal.SIGKILL)
    until(lambda: not any(alive(pid) for pid in lab.pids()), "the reaper's work")
    assert stack.running(lab.home) is None


def test_children_may_open_as_many_files_as_the_system_allows(lab: Lab) -> None:
    """Cloudflare's engine needs nine for each reservation; shells give 256 (macOS) or 1,024 by default."""
    child = lab.add("child")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        lab.up()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    allowed = limits.MOST if hard == resource.RLIM_INFINITY else min(hard, limits.MOST)
    assert localhttp.get(child.port, "/")["open_files"] == allowed


def test_children_come_back_though_nothing_can_be_written(lab: Lab) -> None:
    child = lab.add("child")
    lab.up()
    recorded = (lab.home / "children.json").read_text()
    (lab.home / "children.new").mkdir()  # no file can be written there, as on a full disk
    before = lab.pid(child)
    assert before is not None
    os.kill(before, signal.SIGKILL)
    after = until(lambda: (pid := lab.pid(child)) and pid != before and pid, "the child's return")
    assert (lab.home / "children.json").read_text() == recorded
    (lab.home / "children.new").rmdir()
    until(lambda: str(after) in (lab.home / "children.json").read_text(), "the record, once it can be written")


def test_a_start_forgets_what_ended_long_ago(lab: Lab) -> None:
    state = lab.home / "cloudflare"
    now = time.time()
    old = engine_disk.instance(state, "old", "complete", written=now - 15 * 86_400)
    recent = engine_disk.instance(state, "recent", "complete", written=now - 3600)
    lab.add("cloudflare", workflow=engine_disk.WORKER)
    lab.up()
    assert (old.exists(), recent.exists()) == (False, True)
    assert "forgot what ended long ago: 1 instances, 0 reservations, 0 entries of KV" in lab.log()


def sizes(lab: Lab) -> dict[str, int]:
    return {path.name: path.stat().st_size for path in (lab.home / "logs").iterdir()}


def test_no_log_grows_beyond_its_bound(lab: Lab) -> None:
    """What a stack's children say, and what it says itself, also of failures of its own."""
    lab.idle_seconds = 0.4
    child = lab.add("engine", reports_use=True)
    # No answer of an engine: each look for use fails, and its traceback is told.
    Path(child.cwd, "health").write_text("[]")
    logs_folder = lab.home / "logs"
    logs_folder.mkdir(parents=True)
    (logs_folder / "supervisor.log").write_bytes(b"x" * (logs.LIMIT + 1))
    lab.up()
    assert sizes(lab)["supervisor.log"] < 1000
    assert sizes(lab)["supervisor.log.1"] == logs.LIMIT + 1

    for _ in range(3):
        Path(child.cwd, "say").write_text(("It goes on and on.\n") * 60_000)
        until(lambda: not Path(child.cwd, "say").exists(), "all is said", seconds=60)
    until(lambda: "engine.log.1" in sizes(lab), "a rotated log")
    until(lambda: lab.log().count("TypeError") >= 2, "failed looks")
    assert "Traceback" in lab.log()
    chunk = 65_536
    assert max(sizes(lab).values()) <= logs.LIMIT + chunk
    assert {name.removesuffix(".1") for name in sizes(lab)} == {"engine.log", "supervisor.log"}


def test_the_cloudflare_engine_has_a_temporary_folder_that_each_start_empties(lab: Lab) -> None:
    temporary = lab.home / "cloudflare" / "tmp"
    left = temporary / "miniflare-1" / "cache"
    left.mkdir(parents=True)
    (left / "file").touch()
    child, other = lab.add("cloudflare", workflow=engine_disk.WORKER), lab.add("other")
    lab.up()
    assert list(temporary.iterdir()) == []
    assert localhttp.get(child.port, "/")["temporary"] == str(temporary)
    assert localhttp.get(other.port, "/")["temporary"] != str(temporary)


def reapers(lab: Lab) -> list[int]:
    return [process.pid for process in processes.table() if f"reaper.py {lab.home}" in process.command]


def test_a_killed_reaper_is_replaced_by_one_that_knows_all_children(lab: Lab) -> None:
    lab.add("child")
    up = lab.up()
    (before,) = reapers(lab)
    os.kill(before, signal.SIGKILL)
    until(lambda: set(reapers(lab)) - {before}, "another reaper")
    os.kill(up.pid, signal.SIGKILL)
    until(lambda: not any(alive(pid) for pid in lab.pids()), "the reaper's work")


def test_what_neither_supervisor_nor_reaper_could_end_the_next_start_ends(lab: Lab) -> None:
    child = lab.add("child", "--helper")
    up = lab.up()
    (left,) = lab.starts(child)
    helper = int(Path(child.cwd, "helper").read_text())
    (reaper,) = reapers(lab)
    os.kill(up.pid, signal.SIGSTOP)  # so that it starts no other reaper
    os.kill(reaper, signal.SIGKILL)
    os.kill(up.pid, signal.SIGKILL)
    os.kill(left, signal.SIGKILL)  # the group's leader: its helper still has the group
    until(lambda: not alive(left), "the leader's end")
    assert alive(helper)

    lab.up()
    assert not alive(helper)


def test_a_process_that_got_the_number_of_an_old_child_is_left_alone(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, start_new_session=True) as other:
        row = {"pid": other.pid, "started": "1", "command": "node wrangler"}
        (tmp_path / "children.json").write_text(json.dumps([row]))
        assert leftovers.sweep(tmp_path) == 0
        assert other.poll() is None
        other.communicate(b"\n")
    assert other.returncode == 0


def test_starts_at_the_same_time_make_one_stack(lab: Lab) -> None:
    child = lab.add("child")
    with ThreadPoolExecutor(4) as pool:
        stacks = [future.result() for future in [pool.submit(lab.up) for _ in range(4)]]
    assert len({up.pid for up in stacks}) == 1
    assert len(lab.starts(child)) == 1
    assert "Another process is starting the local stack; waiting for it…" in lab.said


def test_a_start_outlives_the_command_that_began_it(lab: Lab) -> None:
    gate = lab.home.parent / "gate"
    child = lab.add("child", "--gate", str(gate))
    pid = os.fork()
    if pid == 0:
        try:
            lab.up()
        finally:
            os._exit(0)  # whatever happens: a second pytest must not go on from here
    until(lambda: lab.starts(child), "the child's start")
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    assert stack.running(lab.home) is None

    with ThreadPoolExecutor(1) as pool:
        second = pool.submit(lab.up)
        gate.touch()
        assert second.result() == stack.running(lab.home)
    assert len(lab.starts(child)) == 1


def test_a_stack_can_be_stopped_while_it_starts(lab: Lab) -> None:
    child = lab.add("child", "--gate", str(lab.home.parent / "never"))
    with ThreadPoolExecutor(1) as pool:
        start = pool.submit(lab.up)
        until(lambda: lab.starts(child), "the child's start")
        assert lab.down() is True
        with pytest.raises(PlatformError, match="ended before it was up"):
            start.result()


def test_two_homes_have_two_stacks(lab: Lab, tmp_path: Path) -> None:
    child = lab.add("child")
    first = lab.up()
    other = Lab(tmp_path / "other")
    other.add("child")
    assert other.up().pid != first.pid
    assert other.down() is True
    assert lab.pid(child)


@pytest.mark.parametrize("content", ["{", "[]", '{"format": 99}', '{"format": 1, "pid": 5}', ""])
def test_the_lock_decides_not_what_stands_in_stack_json(lab: Lab, content: str) -> None:
    child = lab.add("child")
    lab.home.mkdir()
    (lab.home / "stack.json").write_text(content)
    assert stack.running(lab.home) is None
    up = lab.up()
    (lab.home / "stack.json").write_text(content)
    assert stack.running(lab.home) is None
    assert lab.up().pid != up.pid
    assert len(lab.starts(child)) == 2
    assert not alive(up.pid)


def test_a_stack_json_that_outlived_its_supervisor_is_no_stack(lab: Lab) -> None:
    lab.add("child")
    up = lab.up()
    os.kill(up.pid, signal.SIGKILL)
    until(lambda: not alive(up.pid), "the supervisor's end")
    assert (lab.home / "stack.json").exists()
    assert stack.running(lab.home) is None


def test_an_unused_stack_stops_once_nothing_is_unfinished(lab: Lab) -> None:
    lab.idle_seconds = 0.4
    child = lab.add("engine", reports_use=True)
    health = Path(child.cwd, "health")
    health.write_text('{"running": 1, "last_request": null}')
    up = lab.up()
    asked = Path(child.cwd, "asked")
    until(lambda: asked.stat().st_size > 4, "questions after its use")
    assert stack.running(lab.home) == up
    health.write_text('{"running": 0, "last_request": "2026-11-23T09:00:00.000Z"}')
    until(lambda: not alive(up.pid), "the idle stop")
    assert "not used for" in lab.log()


def test_a_home_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    home = tmp_path / "file" / "home"
    assert stack.running(home) is None
    assert stack.stop(home, print) is False
    with pytest.raises(NotConfiguredError, match=str(home)) as caught:
        stack.touch(home)
    assert "RESV_HOME" in (caught.value.hint or "")


def test_a_start_in_a_home_that_cannot_be_used_is_refused(lab: Lab) -> None:
    lab.add("child")
    lab.home.touch()
    with pytest.raises(NotConfiguredError, match=str(lab.home)) as caught:
        lab.up()
    assert caught.value.exit_code == 6
    lab.home.unlink()
