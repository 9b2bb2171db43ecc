"""The table of processes: /proc where there is one, else ps."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import NamedTuple


class Process(NamedTuple):
    """A living process. `started` and `command` tell it from a later one with its number."""

    pid: int
    group: int
    started: str
    cpu_seconds: float
    command: str


def table() -> list[Process]:
    """All living processes that this user may see."""
    return from_proc() if Path("/proc/self/stat").exists() else from_ps()


def from_proc() -> list[Process]:
    """The table from Linux's /proc. Slim container images have no ps."""
    found = []
    ticks = os.sysconf("SC_CLK_TCK")
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            stat = (folder / "stat").read_text()
            command = (folder / "cmdline").read_bytes()
        except OSError:  # it has ended meanwhile
            continue
        # The name in parentheses may itself hold blanks and parentheses; see proc(5) for the fields after it.
        state, _parent, group, *rest = stat.rpartition(")")[2].split()
        if state not in "ZX":
            used = (int(rest[8]) + int(rest[9])) / ticks
            text = command.rstrip(b"\0").replace(b"\0", b" ").decode(errors="replace")
            found.append(Process(int(folder.name), int(group), rest[16], used, text))
    return found


def from_ps() -> list[Process]:
    """The table from ps, as on macOS."""
    listing = subprocess.run(
        ["/bin/ps", "-A", "-ww", "-o", "pid=,pgid=,stat=,time=,lstart=,command="],
        capture_output=True,
        check=True,
        env={"LC_ALL": "C", "TZ": "UTC"},  # a local start time would change with the clock's summer time
    )
    found = []
    for line in listing.stdout.decode(errors="replace").splitlines():
        fields = line.split(None, 9)
        if len(fields) == 10 and not fields[2].startswith("Z"):
            started = " ".join(fields[4:9])
            found.append(Process(int(fields[0]), int(fields[1]), started, _seconds(fields[3]), fields[9]))
    return found


def _seconds(used: str) -> float:
    """`used` is [days-][hours:]minutes:seconds, on macOS with hundredths."""
    days, _, clock = used.rpartition("-")
    units = zip(reversed(clock.split(":")), (1, 60, 3600), strict=False)
    return int(days or 0) * 86_400 + sum(float(part) * unit for part, unit in units)
