"""The process that keeps a local stack alive: `python -m reservation_cli.local.supervisor HOME REPORT_FD`.

Started by `stack.ensure`, detached, with the plan in HOME/plan.json. Holds HOME/stack.lock for its life, keeps the
children alive, and writes HOME/stack.json once all of them answer. One line of JSON on REPORT_FD tells the outcome
of the start. Ends at SIGTERM, SIGINT or SIGHUP, when a child cannot be started, or when nobody has used the stack
for a while. Its imports are part of the stack's start time: no package, and no heavy part of the standard library.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from selectors import EVENT_READ, DefaultSelector
from threading import Thread

from reservation_cli.local import limits, locks, plan, reaper
from reservation_cli.local.groups import Groups
from reservation_cli.local.keeper import CannotStartError, Keeper
from reservation_cli.local.logs import BoundedLog
from reservation_cli.local.plan import CLOUDFLARE, FORMAT, LOCK, LOGS, PLAN, STACK, USED

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
#: Whoever asks whether the lock is held holds it for an instant.
_LOCK_SECONDS = 5.0
#: The loop turns at least twice a second; a longer gap means that this process, or the machine, was held up.
_HELD_UP = 2.5


class Supervisor:
    """Runs one plan."""

    def __init__(self, spec: plan.Plan, environ: Mapping[str, str], report: Report, log: BoundedLog) -> None:
        self._spec = spec
        self._home = Path(spec.home)
        self._report = report
        self._log = log
        self._selector = DefaultSelector()
        self._stopping = False
        self._groups = Groups(self._home)
        self._woken: dict[str, int] = {}
        temporary = self._temporary_folder()
        self._next_look = time.monotonic() + self._look_seconds
        self._keepers = [
            Keeper(
                child,
                environ={**environ, "TMPDIR": str(temporary)} if child.workflow else environ,
                selector=self._selector,
                log=BoundedLog(self._home / LOGS / f"{child.name}.log"),
                say=self._say,
                groups=self._groups,
            )
            for child in spec.children
        ]

    def _temporary_folder(self) -> Path:
        """For the files that the Cloudflare engine makes at each start, and leaves there when it is killed."""
        folder = self._home / CLOUDFLARE / "tmp"
        with suppress(OSError):
            for left in folder.iterdir():
                _remove(left)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder

    def run(self) -> None:
        """Keeps the children alive until it is time to stop. Raises CannotStartError, with all of them ended."""
        self._say("starts")
        self._listen_for_signals()
        (self._home / USED).touch()
        try:
            self._prune()
            self._keep()
        finally:
            (self._home / STACK).unlink(missing_ok=True)
            self._end_children()

    def _keep(self) -> None:
        announced = False
        last = time.monotonic()
        while not self._stopping:
            now = time.monotonic()
            if now - last > _HELD_UP:
                for keeper in self._keepers:
                    keeper.forgive(now)
            last = now
            due = min(keeper.tick(now) for keeper in self._keepers if self._has_its_turn(keeper))
            if not announced and all(keeper.live for keeper in self._keepers):
                announced = True
                self._announce()
            self._wake_sleepers()
            self._look_for_use(now)
            if self._groups.keep():
                self._say("the reaper had ended; there is another")
            self._turn(due - time.monotonic())

    def _prune(self) -> None:
        """Forgets what ended long ago, while no engine runs."""
        for workflow in {child.workflow for child in self._spec.children if child.workflow}:
            state = self._home / CLOUDFLARE
            if not (state / "v3").is_dir():
                continue
            from reservation_cli.local import prune  # deferred: most starts have nothing to forget

            now = time.time()
            try:
                if prune.is_due(state, now):
                    gone = prune.prune(state, workflow, now)
                    self._say(
                        f"forgot what ended long ago: {gone.instances} instances, {gone.reservations} reservations,"
                        f" {gone.entries} entries of KV"
                    )
            except OSError as error:
                self._say(f"could not forget what ended long ago: {error}")

    def _has_its_turn(self, keeper: Keeper) -> bool:
        after = keeper.child.after
        return not after or any(other.awakenings for other in self._keepers if other.child.name == after)

    def _turn(self, seconds: float) -> None:
        for key, _ in self._selector.select(max(seconds, 0.0)):
            key.data()

    def _listen_for_signals(self) -> None:
        reading, writing = os.pipe()
        os.set_blocking(reading, False)
        os.set_blocking(writing, False)
        signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        self._selector.register(reading, EVENT_READ, lambda: os.read(reading, 512))
        signal.signal(signal.SIGCHLD, lambda *_: None)  # ends the select: a child has died
        for number in STOP_SIGNALS:
            signal.signal(number, self._stop)

    def _stop(self, number: int, _frame: object) -> None:
        self._stopping = True
        self._say(f"stops: {signal.Signals(number).name}")

    def _announce(self) -> None:
        started_at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        stack = {"format": FORMAT, "pid": os.getpid(), "started_at": started_at, **self._spec.facts}
        beside = self._home / f"{STACK}.new"
        beside.unlink(missing_ok=True)
        with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
            json.dump(stack, stream)
        beside.replace(self._home / STACK)
        self._say("all answer")
        self._report.send(None)

    def _wake_sleepers(self) -> None:
        for keeper in self._keepers:
            awakening = keeper.awakenings
            if keeper.child.workflow and keeper.live and self._woken.get(keeper.child.name, 0) != awakening:
                self._woken[keeper.child.name] = awakening
                Thread(target=self._wake, args=(keeper, awakening), daemon=True).start()

    def _wake(self, keeper: Keeper, awakening: int) -> None:
        from reservation_cli.local.wake import wake_all  # deferred: 40 ms, needed once the stack is up

        child = keeper.child
        wake_all(
            *(child.port, child.workflow, self._home / CLOUDFLARE),
            give_up=lambda: keeper.awakenings != awakening,
            say=lambda text: self._say(f"{child.name}: {text}"),
        )

    @property
    def _look_seconds(self) -> float:
        return min(60.0, self._spec.idle_seconds / 4)

    def _look_for_use(self, now: float) -> None:
        if now >= self._next_look:
            self._next_look = now + self._look_seconds
            Thread(target=self._stop_if_idle, daemon=True).start()

    def _stop_if_idle(self) -> None:
        from reservation_cli.local.use import last_use  # deferred like wake_all

        if not self._is_unused_since((self._home / USED).stat().st_mtime):
            return  # without a question to the engines, which costs them something
        used = last_use(self._spec.children)
        if used is None:
            return
        used = max(used, (self._home / USED).stat().st_mtime)  # read last: it shows what came meanwhile
        if self._is_unused_since(used):
            self._say(f"stops: not used for {self._spec.idle_seconds / 60:g} minutes, and nothing is unfinished")
            os.kill(os.getpid(), signal.SIGTERM)

    def _is_unused_since(self, moment: float) -> bool:
        return time.time() - moment > self._spec.idle_seconds

    def _end_children(self) -> None:
        for keeper in self._keepers:
            keeper.terminate()
        deadline = time.monotonic() + reaper.EXIT_SECONDS
        while time.monotonic() < deadline and not all(keeper.gone() for keeper in self._keepers):
            self._turn(0.02)
        for keeper in self._keepers:
            keeper.kill()
        self._groups.close()
        self._say("has ended all children")

    def _say(self, text: str) -> None:
        say(self._log, text)


def _remove(path: Path) -> None:
    """Removes a file, or a folder and all in it. (shutil costs 10 ms at start.)"""
    if path.is_dir() and not path.is_symlink():
        for child in path.iterdir():
            _remove(child)
        path.rmdir()
    else:
        path.unlink()


def say(log: BoundedLog, text: str) -> None:
    """Writes a line to the supervisor's log, with the time in UTC."""
    now = time.time()
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now))
    log.write(f"{stamp}.{int(now % 1 * 1000):03d}Z {text}\n".encode())


class Report:
    """The pipe to the `ensure` that waits for this start: one line of JSON, once."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def send(self, error: str | None, log: str = "supervisor") -> None:
        """Says that the stack is up, or why it is not and which log has more.

        Later calls, and a reader that has gone, are no matter.
        """
        if self._fd >= 0:
            with suppress(BrokenPipeError):
                os.write(self._fd, json.dumps({"error": error, "log": log}).encode() + b"\n")
            os.close(self._fd)
            self._fd = -1


def main(home: Path, report: Report, environ: Mapping[str, str]) -> int:
    """Runs the plan in `home` until it is stopped. Exit code 0, or 1 when the stack could not be kept up."""
    os.umask(0o077)  # what the engines write are somebody's reservations
    log = BoundedLog(home / LOGS / "supervisor.log")
    threading.excepthook = lambda failure: _say_failure(log, failure)
    try:
        lock = _acquire(home / LOCK)
        os.ftruncate(lock, 0)
        os.write(lock, str(os.getpid()).encode())
        limits.raise_open_files()  # for the children
        Supervisor(plan.read(home / PLAN), environ, report, log).run()
    except (CannotStartError, OSError) as error:
        say(log, f"gives up: {error}")
        report.send(str(error), error.log if isinstance(error, CannotStartError) else "supervisor")
        return 1
    return 0


def _say_failure(log: BoundedLog, failure: threading.ExceptHookArgs) -> None:
    """A failed look or waking, each minute perhaps: into the log, which is bounded, and not past it to stderr."""
    import traceback  # deferred: 5 ms that nothing else needs

    lines = traceback.format_exception(failure.exc_type, failure.exc_value, failure.exc_traceback)
    say(log, "".join(lines).rstrip())


def _acquire(path: Path) -> int:
    deadline = time.monotonic() + _LOCK_SECONDS
    while (lock := locks.try_acquire(path)) is None:
        if time.monotonic() > deadline:
            raise CannotStartError(f"another process holds {path}", log="supervisor")
        time.sleep(0.01)
    return lock


if __name__ == "__main__":
    if os.fork() == 0:  # the parent ends at once: whoever started it need not wait for this one, ever
        # The environment was settled by `ensure`, from the settings; it comes here by inheritance.
        sys.exit(main(Path(sys.argv[1]), Report(int(sys.argv[2])), dict(os.environ)))
