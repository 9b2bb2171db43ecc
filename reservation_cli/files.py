"""Files that are written whole or not at all."""

from __future__ import annotations

import errno
import os
import tempfile
from contextlib import suppress
from pathlib import Path

_PREFIX = ".resv-"
#: There is no room, or no more may be written: a full disk, a quota, a limit of the process.
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def write_whole(path: Path, content: str, mode: int | None = None) -> None:
    """Write a new file beside `path` that then takes its place: what stood there stays if anything fails.

    Its owner alone may read it unless `mode` says otherwise. Halves of characters become '?'. Raises OSError.
    """
    with tempfile.NamedTemporaryFile("wb", dir=path.parent, prefix=_beside(path), delete=False) as file:
        new = Path(file.name)
        try:
            file.write(content.encode(errors="replace"))
            file.flush()
            os.fsync(file.fileno())
            if mode is not None:
                new.chmod(mode)
            new.replace(path)
        except BaseException:
            # Also when interrupted: nothing half-written is left behind.
            new.unlink(missing_ok=True)
            raise
    _sync_folder(path.parent)


def remove_unfinished(path: Path) -> None:
    """Remove what writers of `path` that were killed have left beside it. Only while nobody else writes `path`."""
    for left in path.parent.glob(f"{_beside(path)}*"):
        left.unlink(missing_ok=True)


def own_folder(path: Path) -> None:
    """Make a folder that its owner alone may look into, and what is missing above it. Raises OSError."""
    try:
        path.mkdir(mode=0o700, exist_ok=True)
    except FileNotFoundError:
        if path.parent == path:
            raise
        own_folder(path.parent)
        path.mkdir(mode=0o700, exist_ok=True)


def own_file(path: str, flags: int) -> int:
    """An opener for `open`: a file that it makes is for its owner alone."""
    return os.open(path, flags, 0o600)


def is_full(error: OSError) -> bool:
    """Whether there was no room to write."""
    return error.errno in _NO_ROOM


def _beside(path: Path) -> str:
    return f"{_PREFIX}{path.name}-"


def _sync_folder(folder: Path) -> None:
    """Makes the new name outlast a power failure, where the file system can; the file itself is there already."""
    with suppress(OSError):
        fd = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
