"""The process groups of a running stack, known to two besides the supervisor: the reaper, and children.json."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from reservation_cli.local import leftovers, reaper


class Groups:
    """Tells the reaper, and the next start, of the groups to end if the supervisor cannot do it itself."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._groups: set[int] = set()
        self._recorded: set[int] = set()
        self._start_reaper()

    def add(self, group: int) -> None:
        """A group has come."""
        self._groups.add(group)
        self._tell(f"+{group}")

    def discard(self, group: int) -> None:
        """A group has ended."""
        self._groups.discard(group)
        self._tell(f"-{group}")

    def keep(self) -> bool:
        """Brings children.json up to date, and starts another reaper if it has ended: then True.

        On a full disk the file waits: the children matter more, and the reaper knows them all.
        """
        if self._groups != self._recorded:
            with suppress(OSError):
                leftovers.record(self._home, self._groups)
                self._recorded = set(self._groups)
        if self._reaper.poll() is None:
            return False
        os.close(self._pipe)
        self._start_reaper()
        return True

    def close(self) -> None:
        """All groups have ended."""
        os.close(self._pipe)
        self._reaper.wait()
        (self._home / leftovers.NAME).unlink(missing_ok=True)

    def _start_reaper(self) -> None:
        reading, self._pipe = os.pipe()
        # The folder is for people who wonder what this process belongs to.
        command = [sys.executable, "-I", "-S", reaper.__file__, str(self._home)]
        self._reaper = subprocess.Popen(command, stdin=reading, start_new_session=True)
        os.close(reading)
        for group in self._groups:
            self._tell(f"+{group}")

    def _tell(self, change: str) -> None:
        with suppress(BrokenPipeError):  # it has ended: `keep` starts another and tells it all
            os.write(self._pipe, f"{change}\n".encode())
