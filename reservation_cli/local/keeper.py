"""Keeps one child alive: starts it, copies its output to its log, asks whether it answers, starts it again."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Callable, Mapping
from itertools import chain
from pathlib import Path
from selectors import EVENT_READ, BaseSelector

from reservation_cli.local.localhttp import Probe
from reservation_cli.local.logs import BoundedLog
from reservation_cli.local.plan import Child
from reservation_cli.local.processes import Process, table
from reservation_cli.local.reaper import signal_group

STARTING_POLL = 0.025
LIVE_POLL = 1.0
#: Seconds in which a child must answer after its start.
START_LIMIT = 60.0
#: After this many starts in a row without an answer it cannot be started.
START_ATTEMPTS = 5
#: Seconds before the first, second, ... restart; the last one repeats.
DELAYS = (0.0, 0.25, 0.5, 1.0, 2.0)
#: A child that has answered for this long is restarted without delay again.
SETTLED = 10.0

#: Seconds of silence after which a child that answered is taken to hang,
HUNG = 5.0
#: or after it told of a crash inside,
HUNG_AFTER_CRASH = 2.5
#: or while it uses the processor, as under the load of a benchmark.
HUNG_AT_WORK = 30.0
#: Seconds of silence after which its processor time is read, to tell at HUNG whether it is at work.
SILENT = 2.0
#: Seconds in which an edit of its sources makes it reload, if it does.
RELOAD_LIMIT = 60.0

_TAIL = 8192
_ANSI = re.compile(r"\x1b\[[0-9;]*m")


class CannotStartError(Exception):
    """A child cannot be brought to answer. The text says which and why, on one line."""


class Keeper:
    """One child and what is known of it. Times are those of time.monotonic()."""

    def __init__(
        self,
        child: Child,
        *,
        environ: Mapping[str, str],
        selector: BaseSelector,
        log: BoundedLog,
        say: Callable[[str], None],
        track: Callable[[str], None],
    ) -> None:
        """`say` gets what happens, for people; `track` gets `+GROUP` and `-GROUP` as process groups come and go."""
        self.child = child
        #: Counts how often it came to answer: at its starts, and after crashes and reloads inside.
        self.awakenings = 0
        self.group = 0
        self._environ = {**environ, **child.env}
        self._selector = selector
        self._log = log
        self._say = say
        self._track = track
        self._process: subprocess.Popen[bytes] | None = None
        self._phase = "starting"
        self._phase_since = 0.0
        self._heard = 0.0
        self._probe: Probe | None = None
        self._next_probe = 0.0
        self._next_start = 0.0
        self._ended = 0.0
        self._restarts = 0
        self._failed_starts = 0
        self._cpu_when_silent: float | None = None
        self._tail = b""
        self._crash_told = False
        self._edited_at = _newest(child.sources)
        self._reload_until = 0.0
        self._members: frozenset[int] = frozenset()

    @property
    def live(self) -> bool:
        """Whether it answered when last asked."""
        return self._process is not None and self._phase == "live"

    def tick(self, now: float) -> float:
        """Does what is due, and gives the time of the next call. Raises CannotStartError."""
        if self._process is None:
            lingers = now < self._ended + 1.0 and signal_group(self.group, 0)
            if now >= self._next_start and not lingers:
                self._start(now)
        elif (code := self._process.poll()) is not None:
            self._restart(now, f"ended with {_outcome(code)}")
        else:
            if self._crash_told:
                self._crash_told = False
                self._ask_anew("crashed", now)
            self._ask(now)
            self._check_silence(now)
        return now + STARTING_POLL if not self.live else max(self._next_probe, now + LIVE_POLL / 2)

    def forgive(self, now: float) -> None:
        """The supervisor itself was held up until now: the silence so far is not the child's."""
        self._heard = self._phase_since = now
        self._cpu_when_silent = None

    def terminate(self) -> None:
        """Asks it to end."""
        if self._process is not None:
            signal_group(self.group, signal.SIGTERM)

    def gone(self) -> bool:
        """Whether it and all that it started have ended."""
        return self._process is None or (
            self._process.poll() is not None and not signal_group(self.group, 0)
        )

    def kill(self, now: float) -> None:
        """Ends it and all that it started, at once."""
        if self._process is None:
            return
        signal_group(self.group, signal.SIGKILL)
        self._process.wait()
        self._forget_probe()
        assert self._process.stdin is not None
        self._process.stdin.close()
        while self._copy_output():
            pass
        self._close_output()
        self._process = None
        self._ended = now
        self._track(f"-{self.group}")

    def _start(self, now: float) -> None:
        self._tail = b""
        self._crash_told = False
        self._next_probe = now
        self._enter("starting", now)
        try:
            self._process = subprocess.Popen(
                self.child.argv,
                cwd=self.child.cwd,
                env=self._environ,
                stdin=subprocess.PIPE,  # never written to: its end tells a child of the supervisor's
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            self._restart(now, f"could not be run ({error})")
            return
        self.group = self._process.pid
        self._track(f"+{self.group}")
        assert self._process.stdout is not None
        os.set_blocking(self._process.stdout.fileno(), False)
        self._selector.register(self._process.stdout, EVENT_READ, self._copy_output)

    def _enter(self, phase: str, now: float) -> None:
        self._phase = phase
        self._phase_since = self._heard = now
        self._cpu_when_silent = None

    def _restart(self, now: float, reason: str) -> None:
        self.kill(now)
        what = f"{self.child.name} {reason}" + (f": {line}" if (line := self._last_line()) else "")
        self._say(what)
        if self._phase == "starting":
            self._failed_starts += 1
            if self._failed_starts >= START_ATTEMPTS or now - self._phase_since > START_LIMIT:
                raise CannotStartError(what)
        elif now - self._phase_since > SETTLED:
            self._restarts = 0
        self._next_start = now + DELAYS[min(self._restarts, len(DELAYS) - 1)]
        self._restarts += 1

    def _ask(self, now: float) -> None:
        if self._probe is not None and self._probe.status != 0:
            status = self._probe.status
            self._probe = None
            if self._phase == "live" and status > 0:
                self._heard = now
                self._cpu_when_silent = None
                self._look_for_reload(now)
            elif 0 < status < 500:
                self._came_alive(now)
        if self._probe is None and now >= self._next_probe:
            self._probe = Probe(self._selector, self.child.port, self.child.path)
            self._next_probe = now + (LIVE_POLL if self._phase == "live" else STARTING_POLL)

    def _came_alive(self, now: float) -> None:
        self._say(f"{self.child.name} answers on port {self.child.port}")
        self._enter("live", now)
        self._next_probe = now + LIVE_POLL
        self._failed_starts = 0
        self.awakenings += 1
        if self.child.sources:
            self._members = self._pids()

    def _look_for_reload(self, now: float) -> None:
        """A reload after an edit shows as a new process in the group; before it, nothing is told."""
        if (edited_at := _newest(self.child.sources)) != self._edited_at:
            self._edited_at = edited_at
            self._reload_until = now + RELOAD_LIMIT
        if now < self._reload_until and not self._pids() <= self._members:
            self._say(f"{self.child.name} reloads after an edit")
            self._ask_anew("reloading", now)

    def _check_silence(self, now: float) -> None:
        silence = now - self._heard
        if self._phase == "live":
            if silence > SILENT and self._cpu_when_silent is None:
                self._cpu_when_silent = self._cpu_seconds()
            if silence > HUNG_AT_WORK or (silence > HUNG and not self._at_work()):
                self._restart(now, f"has not answered for {silence:.0f} s")
        elif silence > (HUNG_AFTER_CRASH if self._phase == "crashed" else START_LIMIT):
            self._restart(now, f"does not answer {silence:.0f} s after it started or restarted inside")

    def _at_work(self) -> bool:
        return self._cpu_when_silent is not None and self._cpu_seconds() - self._cpu_when_silent >= 1.0

    def _cpu_seconds(self) -> float:
        return sum(process.cpu_seconds for process in self._processes())

    def _processes(self) -> list[Process]:
        return [process for process in table() if process.group == self.group]

    def _pids(self) -> frozenset[int]:
        return frozenset(process.pid for process in self._processes())

    def _ask_anew(self, phase: str, now: float) -> None:
        self._forget_probe()
        self._next_probe = now
        self._enter(phase, now)

    def _forget_probe(self) -> None:
        if self._probe is not None:
            self._probe.cancel()
            self._probe = None

    def _copy_output(self) -> bool:
        """Copies what there is of its output. Whether there may be more."""
        assert self._process is not None
        assert self._process.stdout is not None
        if self._process.stdout.closed:
            return False
        try:
            data = os.read(self._process.stdout.fileno(), 65_536)
        except BlockingIOError:
            return False
        if not data:
            self._close_output()
            return False
        self._log.write(data)
        crash_line = self.child.crash_line.encode()
        if crash_line and crash_line in self._tail[-len(crash_line) :] + data:
            self._crash_told = True
            self._tail = b""
        self._tail = (self._tail + data)[-_TAIL:]
        return True

    def _close_output(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        if not self._process.stdout.closed:
            self._selector.unregister(self._process.stdout)
            self._process.stdout.close()

    def _last_line(self) -> str:
        """What it said last; of that, what speaks of an error."""
        text = _ANSI.sub("", self._tail.decode(errors="replace"))
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        errors = [line for line in lines if "error" in line.lower()]
        return (errors or lines or [""])[-1][:300]


def _outcome(code: int) -> str:
    return f"exit code {code}" if code >= 0 else signal.Signals(-code).name


def _newest(paths: tuple[str, ...]) -> float:
    """When a file in `paths` (files, or folders and what is in them) last changed."""
    files = chain.from_iterable((Path(path), *Path(path).rglob("*")) for path in paths)
    return max((os.stat(file).st_mtime for file in files if file.exists()), default=0.0)
