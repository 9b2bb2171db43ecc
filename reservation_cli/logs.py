"""Reading the local stack's logs: RESV_HOME/logs/NAME.log, and before it NAME.log.1."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from reservation_cli.errors import NotFoundError

LOGS: dict[str, tuple[str, ...]] = {
    "cloudflare": ("cloudflare",),
    "aws": ("aws", "host"),
    "all": ("cloudflare", "aws", "host", "supervisor"),
}
_LOOK_AGAIN_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line and the log that it stands in."""

    log: str
    text: str


def tail(home: Path, names: Sequence[str], about: str | None, newest: int) -> Iterator[LogLine]:
    """The `newest` lines of each log, oldest first; only those that mention `about`, when given.

    Raises NotFoundError when none of the logs exists.
    """
    folder = home / "logs"
    if not any((folder / f"{name}.log").exists() for name in names):
        raise NotFoundError(f"There are no logs in {folder} yet.", hint="`resv up` starts the local stack.")
    for name in names:
        kept: deque[LogLine] = deque(maxlen=newest)
        for path in (folder / f"{name}.log.1", folder / f"{name}.log"):
            if path.exists():
                with path.open(encoding="utf-8", errors="replace") as file:
                    kept.extend(_wanted(name, file, about))
        yield from kept


def grow(home: Path, names: Sequence[str], about: str | None) -> Iterator[LogLine]:
    """Lines as they are written from now on, without end; a log that is rotated is followed into its new file."""
    paths = {name: home / "logs" / f"{name}.log" for name in names}
    files = {name: _open_at_end(path) for name, path in paths.items()}
    while True:
        quiet = True
        for name, path in paths.items():
            file = files[name]
            if file is not None:
                for line in _wanted(name, file, about):
                    quiet = False
                    yield line
            if file is None or _rotated(file, path):
                files[name] = path.open(encoding="utf-8", errors="replace") if path.exists() else None
        if quiet:
            time.sleep(_LOOK_AGAIN_SECONDS)


def _wanted(name: str, file: TextIO, about: str | None) -> Iterator[LogLine]:
    for line in iter(file.readline, ""):
        if about is None or about in line:
            yield LogLine(name, line.rstrip("\n"))


def _open_at_end(path: Path) -> TextIO | None:
    if not path.exists():
        return None
    file = path.open(encoding="utf-8", errors="replace")
    file.seek(0, 2)
    return file


def _rotated(file: TextIO, path: Path) -> bool:
    return path.exists() and path.stat().st_ino != os.fstat(file.fileno()).st_ino
