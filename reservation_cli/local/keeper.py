"""Keeps one child alive: starts it, asks whether it answers, and starts it again when it does not."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from itertools import chain
from pathlib import Path
from selectors import BaseSelector

from reservation_cli.local import localhttp
from reservation_cli.local.childprocess import ChildProcess
from reservation_cli.local.groups import Groups
from reservation_cli.local.localhttp import Probe
from reservation_cli.local.logs import BoundedLog
from reservation_cli.local.plan import Child

STARTING_POLL = 0.025
LIVE_POLL = 1.0
#: Seconds between looks whether its port has become free.
PORT_POLL = 0.25
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
#: or after it told of a crash inside: wrangler starts the Worker's process again, in its own time,
HUNG_AFTER_CRASH = 8.0
#: but not the one in front, without which nobody listens on the port,
CLOSED_AFTER_CRASH = 0.2
#: or while it uses the processor, as under the load of a benchmark: 30 s were seen with fifteen others for each core.
HUNG_AT_WORK = 90.0
#: Seconds of silence after which its processor time is read, to tell at HUNG whether it is at work.
SILENT = 2.0
#: Processor seconds it must have used since then: one that hangs uses none, one at work gets a share of a busy machine.
AT_WORK = 0.1
#: Seconds in which an edit of its sources makes it reload, if it does.
RELOAD_LIMIT = 60.0


class CannotStartError(Exception):
    """A child cannot be brought to answer. The text says which and why, on one line; `log` names its log."""

    def __init__(self, message: str, *, log: str) -> None:
        super().__init__(message)
        self.log = log


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
        groups: Groups,
    ) -> None:
        """`say` gets what happens, for people; `groups` is told of the process groups that come and go."""
        self.child = child
        #: Counts how often it came to answer: at its starts, and after crashes and reloads inside.
        self.awakenings = 0
        self._environ = {**environ, **child.env}
        self._selector = selector
        self._log = log
        self._say = say
        self._groups = groups
        self._process: ChildProcess | None = None
        self._phase = "starting"
        self._phase_since = 0.0
        self._heard = 0.0
        self._probe: Probe | None = None
        self._next_probe = 0.0
        self._closed = False
        self._next_start = 0.0
        self._last: ChildProcess | None = None
        self._ended = 0.0
        self._restarts = 0
        self._failed_starts = 0
        self._taken_since: float | None = None
        self._cpu_when_silent: float | None = None
        self._edited_at = _newest(child.sources)
        self._reload_until = 0.0
        self._members: set[int] = set()

    @property
    def live(self) -> bool:
        """Whether it answered when last asked."""
        return self._process is not None and self._phase == "live"

    def tick(self, now: float) -> float:
        """Does what is due, and gives the time of the next call. Raises CannotStartError."""
        if self._process is None:
            if now >= self._next_start and not self._lingers(now) and not self._is_taken(now):
                self._start(now)
        elif (outcome := self._process.outcome()) is not None:
            line = "" if outcome.startswith("SIG") else self._process.last_line()
            self._restart(self._process, now, f"ended with {outcome}" + (f": {line}" if line else ""))
        else:
            if self._process.told_of_crash:
                self._process.told_of_crash = False
                self._enter("crashed", now)
            self._ask(self._process, now)
            self._check_silence(self._process, now)
        return max(self._next_probe, now + LIVE_POLL / 2) if self.live else now + STARTING_POLL

    def forgive(self, now: float) -> None:
        """The supervisor itself was held up until now: the silence so far is not the child's."""
        self._heard = now
        self._cpu_when_silent = None

    def terminate(self) -> None:
        """Asks it to end."""
        if self._process is not None:
            self._process.terminate()

    def gone(self) -> bool:
        """Whether it and all that it started have ended."""
        return self._process is None or self._process.gone()

    def kill(self) -> None:
        """Ends it and all that it started, at once."""
        self._forget_probe()
        if self._process is not None:
            self._process.kill()
            self._groups.discard(self._process.group)
            self._process = None

    def _lingers(self, now: float) -> bool:
        """Whether something of the last run still holds its port: the killed take a moment to be gone."""
        return self._last is not None and now < self._ended + 1.0 and not self._last.gone()

    def _is_taken(self, now: float) -> bool:
        """Whether somebody else listens on its port, such as another stack: the answers would be theirs.

        Raises CannotStartError when that goes on.
        """
        if not localhttp.listens(self.child.port):
            self._taken_since = None
            return False
        if self._taken_since is None:
            self._taken_since = now
            self._say(f"{self.child.name} waits: another process has port {self.child.port}")
        elif now - self._taken_since > START_LIMIT:
            raise CannotStartError(
                f"{self.child.name} cannot be started: another process has port {self.child.port}", log="supervisor"
            )
        self._next_start = now + PORT_POLL
        return True

    def _start(self, now: float) -> None:
        self._enter("starting", now)
        try:
            self._process = ChildProcess(self.child, self._environ, self._selector, self._log)
        except OSError as error:
            self._plan_restart(now, f"{self.child.name} could not be run: {error}")
        else:
            self._groups.add(self._process.group)

    def _restart(self, process: ChildProcess, now: float, reason: str) -> None:
        self.kill()
        self._last, self._ended = process, now
        self._plan_restart(now, f"{self.child.name} {reason}")

    def _plan_restart(self, now: float, what: str) -> None:
        self._say(what)
        if self._phase == "starting":
            self._failed_starts += 1
            if self._failed_starts >= START_ATTEMPTS or now - self._heard > START_LIMIT:
                raise CannotStartError(what, log=self.child.name)
        elif now - self._phase_since > SETTLED:
            self._restarts = 0
        self._next_start = now + DELAYS[min(self._restarts, len(DELAYS) - 1)]
        self._restarts += 1

    def _enter(self, phase: str, now: float) -> None:
        self._forget_probe()
        self._phase = phase
        self._phase_since = self._heard = self._next_probe = now
        self._cpu_when_silent = None

    def _ask(self, process: ChildProcess, now: float) -> None:
        if self._probe is not None and self._probe.status != 0:
            status, self._closed = self._probe.status, self._probe.refused
            self._probe = None
            if self._phase == "live" and status > 0:
                self._heard = now
                self._cpu_when_silent = None
                self._look_for_reload(process, now)
            elif 0 < status < 500:
                self._came_alive(process, now)
        if self._probe is None and now >= self._next_probe:
            self._probe = Probe(self._selector, self.child.port, self.child.path)
            self._next_probe = now + (LIVE_POLL if self._phase == "live" else STARTING_POLL)

    def _came_alive(self, process: ChildProcess, now: float) -> None:
        self._say(f"{self.child.name} answers on port {self.child.port}")
        self._enter("live", now)
        self._next_probe = now + LIVE_POLL
        self._failed_starts = 0
        self.awakenings += 1
        if self.child.sources:
            self._members = {member.pid for member in process.members()}

    def _look_for_reload(self, process: ChildProcess, now: float) -> None:
        """A reload after an edit shows as a new process in the group; nothing else tells of it."""
        if (edited_at := _newest(self.child.sources)) != self._edited_at:
            self._edited_at = edited_at
            self._reload_until = now + RELOAD_LIMIT
        if now < self._reload_until and {member.pid for member in process.members()} - self._members:
            self._say(f"{self.child.name} reloads after an edit")
            self._enter("reloading", now)

    def _check_silence(self, process: ChildProcess, now: float) -> None:
        silence = now - self._heard
        if self._phase == "live":
            if silence > SILENT and self._cpu_when_silent is None:
                self._cpu_when_silent = _cpu_seconds(process)
            if silence > HUNG_AT_WORK or (silence > HUNG and not self._at_work(process)):
                self._restart(process, now, f"has not answered for {silence:.0f} s")
        elif silence > self._patience:
            self._restart(process, now, f"has not come to answer in {silence:.1f} s")

    @property
    def _patience(self) -> float:
        if self._phase != "crashed":
            return START_LIMIT
        return CLOSED_AFTER_CRASH if self._closed else HUNG_AFTER_CRASH

    def _at_work(self, process: ChildProcess) -> bool:
        return self._cpu_when_silent is not None and _cpu_seconds(process) - self._cpu_when_silent >= AT_WORK

    def _forget_probe(self) -> None:
        if self._probe is not None:
            self._probe.cancel()
            self._probe = None


def _cpu_seconds(process: ChildProcess) -> float:
    return sum(member.cpu_seconds for member in process.members())


def _newest(paths: tuple[str, ...]) -> float:
    """When a file in `paths` (files, or folders and what is in them) last changed."""
    files = chain.from_iterable((Path(path), *Path(path).rglob("*")) for path in paths)
    return max((os.stat(file).st_mtime for file in files if file.exists()), default=0.0)
