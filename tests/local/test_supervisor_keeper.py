"""How a child is judged, with a clock of the test's own, and the parts that the supervisor is made of."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from selectors import DefaultSelector

import pytest

from reservation_cli.local import keeper, ports, processes
from reservation_cli.local.groups import Groups
from reservation_cli.local.keeper import Keeper
from reservation_cli.local.logs import BoundedLog
from reservation_cli.local.plan import Child
from support.waiting import until

STAND_IN = Path(__file__).with_name("stand_in.py")


@dataclass
class Watched:
    """A stand-in under a keeper. `now` is the keeper's clock: only the test moves it."""

    keeper: Keeper
    selector: DefaultSelector
    folder: Path
    now: float = 1000.0
    said: list[str] = field(default_factory=list)

    def turn(self, seconds: float = 0.0) -> None:
        """Lets the keeper do what is due, `seconds` later."""
        self.now += seconds
        self.keeper.tick(self.now)
        for key, _ in self.selector.select(0):
            key.data()

    def turn_until_live(self) -> None:
        def live() -> bool:
            self.turn(0.03)
            return self.keeper.live

        until(live, "an answer")

    @property
    def pid(self) -> int:
        return int((self.folder / "starts").read_text().split()[-1])


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    argv = (sys.executable, str(STAND_IN), "--port", str(port := ports.choose(0, set())), "--folder", str(tmp_path))
    (tmp_path / "source").touch()
    child = Child(
        *("child", argv, str(tmp_path), port, "/health"),
        crash_line="it crashed",
        sources=(str(tmp_path / "source"),),
    )
    selector = DefaultSelector()
    groups = Groups(tmp_path)
    said: list[str] = []
    log = BoundedLog(tmp_path / "log")
    one = Keeper(child, environ=os.environ, selector=selector, log=log, say=said.append, groups=groups)
    watched = Watched(one, selector, tmp_path, said=said)
    watched.turn_until_live()
    yield watched
    one.kill()
    groups.close()
    selector.close()
    log.close()


def test_a_child_that_hangs_is_restarted(watched: Watched) -> None:
    before = watched.pid
    os.kill(before, signal.SIGSTOP)
    watched.turn(1.1)  # asks
    watched.turn(2.0)
    watched.turn(1.5)
    assert watched.pid == before
    watched.turn(0.6)
    assert watched.said[-1] == "child has not answered for 5 s"
    watched.turn_until_live()
    assert watched.pid != before


def test_a_child_at_work_has_longer_to_answer(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    before = watched.pid
    os.kill(before, signal.SIGSTOP)
    monkeypatch.setattr(keeper, "_cpu_seconds", lambda _process: watched.now)
    for _ in range(int(keeper.HUNG_AT_WORK)):
        watched.turn(1.0)
    assert watched.pid == before
    watched.turn(1.0)
    watched.turn_until_live()
    assert watched.pid != before


def test_silence_while_the_supervisor_was_held_up_is_forgiven(watched: Watched) -> None:
    before = watched.pid
    watched.now += 3600
    watched.keeper.forgive(watched.now)
    watched.turn_until_live()
    watched.turn(1.1)
    assert watched.pid == before


def test_a_crash_inside_that_heals_wakes_again_and_one_that_does_not_is_a_restart(watched: Watched) -> None:
    before, awakenings = watched.pid, watched.keeper.awakenings

    def tell_of_crash() -> None:
        (watched.folder / "say").write_text("it crashed, unexpectedly\n")
        until(lambda: not (watched.folder / "say").exists(), "the stand-in's word")

    tell_of_crash()
    watched.turn()
    watched.turn()
    watched.turn_until_live()
    assert watched.pid == before
    assert watched.keeper.awakenings == awakenings + 1

    tell_of_crash()
    os.kill(before, signal.SIGSTOP)  # the kernel still takes connections for it
    watched.turn()
    watched.turn()
    watched.turn(keeper.HUNG_AFTER_CRASH - 0.5)
    watched.turn()
    assert watched.pid == before, "the Worker's process comes back by itself, on a busy machine late"
    watched.turn(1.0)
    watched.turn_until_live()
    assert watched.pid != before


def test_a_port_that_another_process_has_is_waited_for_and_its_answers_are_not_taken(watched: Watched) -> None:
    before = watched.pid
    watched.keeper.kill()
    with socket.create_server(("127.0.0.1", watched.keeper.child.port)):
        for _ in range(20):
            watched.turn(1.0)
        assert not watched.keeper.live
        assert watched.said[-1] == f"child waits: another process has port {watched.keeper.child.port}"
        assert watched.said.count(watched.said[-1]) == 1
    watched.turn(1.0)
    watched.turn_until_live()
    assert watched.pid != before

    watched.keeper.kill()
    with socket.create_server(("127.0.0.1", watched.keeper.child.port)):
        watched.turn(1.0)
        with pytest.raises(keeper.CannotStartError, match="another process has port"):
            watched.turn(keeper.START_LIMIT + 1.0)


def test_after_a_crash_that_closed_the_port_the_restart_comes_at_once(watched: Watched) -> None:
    before = watched.pid
    (watched.folder / "close").touch()
    until(lambda: not (watched.folder / "close").exists(), "the stand-in's port is closed")
    (watched.folder / "say").write_text("it crashed, unexpectedly\n")
    until(lambda: not (watched.folder / "say").exists(), "the stand-in's word")
    for _ in range(3):
        watched.turn(0.03)
    assert watched.pid == before
    watched.turn(keeper.CLOSED_AFTER_CRASH)
    watched.turn_until_live()
    assert watched.pid != before


def test_a_reload_after_an_edit_wakes_again(watched: Watched) -> None:
    awakenings = watched.keeper.awakenings
    os.utime(watched.folder / "source", (5_000_000_000, 5_000_000_000))
    (watched.folder / "start-helper").touch()
    until(lambda: not (watched.folder / "start-helper").exists(), "the stand-in's new process")

    def awakened() -> bool:
        watched.turn(0.3)
        return watched.keeper.awakenings > awakenings

    until(awakened, "another awakening")
    assert "child reloads after an edit" in watched.said


def test_a_log_is_bounded(tmp_path: Path) -> None:
    log = BoundedLog(tmp_path / "a.log", limit=100)
    for number in range(100):
        log.write(f"line {number}\n".encode())
    log.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.log", "a.log.1"]
    assert all(path.stat().st_size < 120 for path in tmp_path.iterdir())
    assert (tmp_path / "a.log").read_text().endswith("line 99\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full to write to")
def test_a_log_on_a_full_disk_loses_output_and_no_more() -> None:
    log = BoundedLog(Path("/dev/full"))
    log.write(b"lost")
    log.close()


def test_a_taken_port_is_passed_over() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = server.getsockname()[1]
        chosen: set[int] = set()
        other = ports.choose(taken, chosen)
        assert other != taken
        assert chosen == {other}
    assert ports.choose(taken, chosen) == taken
    assert ports.choose(taken, chosen) not in {taken, other}, "chosen before"


@pytest.mark.parametrize("read", [processes.table, processes.from_ps])
def test_the_process_table_tells_processes_apart(read: object) -> None:
    assert callable(read)
    (me,) = [process for process in read() if process.pid == os.getpid()]
    assert me.group == os.getpgrp()
    assert me.cpu_seconds >= 0
    assert Path(sys.executable).name in me.command
    assert [again.started for again in read() if again.pid == me.pid] == [me.started]


@pytest.mark.parametrize(
    ("used", "seconds"), [("00:00:07", 7), ("1-02:03:04", 93_784), ("0:01.50", 1.5), ("61:00", 3660)]
)
def test_processor_time_of_ps(used: str, seconds: float) -> None:
    assert processes._seconds(used) == seconds
