"""One run of a child: its process group, its output, its end."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Mapping
from selectors import EVENT_READ, BaseSelector

from reservation_cli.local.logs import BoundedLog
from reservation_cli.local.plan import Child
from reservation_cli.local.processes import Process, table
from reservation_cli.local.reaper import signal_group

_TAIL = 8192
_ANSI = re.compile(r"\x1b\[[0-9;]*m")


class ChildProcess:
    """A started child, in a session and process group of its own. Its output goes to `log`."""

    def __init__(self, child: Child, environ: Mapping[str, str], selector: BaseSelector, log: BoundedLog) -> None:
        """Starts it. Raises OSError."""
        #: It has told of a crash inside. Whoever deals with that sets it to False.
        self.told_of_crash = False
        self._crash_line = child.crash_line.encode()
        self._selector = selector
        self._log = log
        self._tail = b""
        self._output, output = os.pipe()
        # Never written to: the end of its standard input tells a child of the supervisor's end.
        lifeline, self._lifeline = os.pipe()
        try:
            self._process = subprocess.Popen(
                child.argv,
                cwd=child.cwd,
                env=environ,
                stdin=lifeline,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError:
            os.close(self._output)
            os.close(self._lifeline)
            raise
        finally:
            os.close(output)
            os.close(lifeline)
        self.group = self._process.pid
        os.set_blocking(self._output, False)
        selector.register(self._output, EVENT_READ, self._copy)

    def outcome(self) -> str | None:
        """How it ended, in words; None while it runs."""
        code = self._process.poll()
        if code is None:
            return None
        while self._copy():
            pass
        return f"exit code {code}" if code >= 0 else signal.Signals(-code).name

    def gone(self) -> bool:
        """Whether it and all that it started have ended."""
        if self._process.poll() is None:
            return False
        # Orphans that have died stay in the group until init collects them, late in some containers.
        return not signal_group(self.group, 0) or not self.members()

    def members(self) -> list[Process]:
        """The living processes of its group."""
        return [process for process in table() if process.group == self.group]

    def terminate(self) -> None:
        """Asks it, and all that it started, to end."""
        signal_group(self.group, signal.SIGTERM)

    def kill(self) -> None:
        """Ends it and all that it started, at once."""
        signal_group(self.group, signal.SIGKILL)
        self._process.wait()
        os.close(self._lifeline)
        while self._copy():
            pass
        self._close_output()

    def last_line(self) -> str:
        """What it said last; of that, what speaks of an error."""
        text = _ANSI.sub("", self._tail.decode(errors="replace"))
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        errors = [line for line in lines if "error" in line.lower()]
        return (errors or lines or [""])[-1][:300]

    def _copy(self) -> bool:
        """Copies what there is of its output. Whether there was any."""
        if self._output < 0:
            return False
        try:
            data = os.read(self._output, 65_536)
        except BlockingIOError:
            return False
        if not data:
            self._close_output()
            return False
        self._log.write(data)
        recent = self._tail[-len(self._crash_line) :] + data
        if self._crash_line and self._crash_line in recent:
            self.told_of_crash = True
            self._tail = b""
        self._tail = (self._tail + data)[-_TAIL:]
        return True

    def _close_output(self) -> None:
        if self._output >= 0:
            self._selector.unregister(self._output)
            os.close(self._output)
            self._output = -1
