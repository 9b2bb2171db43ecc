"""File locks: they end with the process that holds them, however it ends."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

POLL_SECONDS = 0.05


def is_held(path: Path) -> bool:
    """Whether a living process holds the lock at `path`."""
    try:
        fd = os.open(path, os.O_RDONLY)
    except (FileNotFoundError, NotADirectoryError):
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def try_acquire(path: Path) -> int | None:
    """The descriptor that holds the lock at `path` until it is closed, or None when another holds it."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return None
    except BaseException:
        os.close(fd)
        raise
    return fd


@contextmanager
def held(path: Path, on_wait: Callable[[], None]) -> Iterator[int]:
    """Holds the lock at `path`; calls `on_wait` once when another process has it."""
    fd = try_acquire(path)
    if fd is None:
        on_wait()
        while (fd := try_acquire(path)) is None:
            time.sleep(POLL_SECONDS)
    try:
        yield fd
    finally:
        os.close(fd)
