"""A log file of bounded size: `name.log` and, before it, `name.log.1`."""

from __future__ import annotations

import os
from pathlib import Path

LIMIT = 1_000_000


def rotate(path: Path) -> None:
    """Puts `path` aside as `path`.1, over the one before it."""
    if path.exists():
        path.replace(path.with_name(path.name + ".1"))


def rotate_if_full(path: Path) -> None:
    """Puts a log aside that others have written past LIMIT."""
    if path.exists() and path.stat().st_size > LIMIT:
        rotate(path)


class BoundedLog:
    """Appends to `path` and rotates it past `limit` bytes. The logging package would cost 15 ms at start."""

    def __init__(self, path: Path, limit: int = LIMIT) -> None:
        self.path = path
        self._limit = limit
        self._fd = -1
        self._size = 0

    def write(self, data: bytes) -> None:
        """Appends `data`. On a full disk output is lost: the processes it comes from matter more."""
        try:
            if self._fd < 0 or self._size > self._limit:
                self._reopen()
            os.write(self._fd, data)
            self._size += len(data)
        except OSError:
            self.close()

    def close(self) -> None:
        """Closes the file; the next write opens it again."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _reopen(self) -> None:
        self.close()
        if self.path.exists() and self.path.stat().st_size > self._limit:
            rotate(self.path)
        self._fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._size = os.fstat(self._fd).st_size
