"""What a running stack takes: the memory of each of its processes, and the disk under each of its folders.

Run by itself it writes a CSV of `seconds,what,bytes`, a row for each thing measured, every minute until it is ended:
`python tests/support/footprint.py RESV_HOME FOLDER... > idle.csv`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from reservation_cli.local.leftovers import NAME as CHILDREN
from reservation_cli.local.plan import STACK
from reservation_cli.local.processes import table

MINUTE = 60.0


def measure(home: Path, folders: Sequence[Path]) -> dict[str, int]:
    """Bytes by what they are of: resident memory of each process of the stack in `home`, and each folder's disk."""
    return {**memory(home), **{f"disk {folder.name}": disk(folder) for folder in folders}}


def memory(home: Path) -> dict[str, int]:
    """The resident memory of each process of the stack in `home`, in bytes."""
    supervisor = json.loads((home / STACK).read_text())["pid"]
    groups = {row["pid"] for row in json.loads((home / CHILDREN).read_text())}
    found: dict[str, int] = {}
    for process in sorted(table()):
        if process.pid == supervisor or process.group in groups or f"reaper.py {home}" in process.command:
            name = unique(_name(process.command), found)
            if (resident := _resident(process.pid)) is not None:
                found[name] = resident
    return found


def disk(folder: Path) -> int:
    """What the files under `folder` take on the disk, in bytes."""
    return sum(_blocks(folder)) * 512


def _blocks(folder: Path) -> Iterator[int]:
    for parent, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):  # it went meanwhile
                yield (Path(parent) / name).lstat().st_blocks


def unique(name: str, taken: Mapping[str, int]) -> str:
    """`name`, or with a number after it when it is taken: the processes come in the order of their start."""
    number = 1
    while (numbered := name if number == 1 else f"{name} {number}") in taken:
        number += 1
    return numbered


def _name(command: str) -> str:
    parts = ("supervisor", "reaper", "wrangler", "host.mjs", "aws_engine", "esbuild", "workerd")
    return next((part for part in parts if part in command.replace("node_modules/wrangler/", "wrangler/")), "other")


def _resident(pid: int) -> int | None:
    """The resident memory of a process in bytes; None when it has ended."""
    statm = Path(f"/proc/{pid}/statm")
    try:
        return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (FileNotFoundError, ProcessLookupError):
        if Path("/proc/self/statm").exists():
            return None
    shown = subprocess.run(["/bin/ps", "-o", "rss=", "-p", str(pid)], capture_output=True, check=False).stdout.split()
    return int(shown[0]) * 1024 if shown else None


def main(home: Path, folders: Sequence[Path]) -> None:
    start = time.monotonic()
    while True:
        seconds = time.monotonic() - start
        for what, size in measure(home, folders).items():
            sys.stdout.write(f"{seconds:.0f},{what},{size}\n")
        sys.stdout.flush()
        time.sleep(MINUTE - (time.monotonic() - start) % MINUTE)


if __name__ == "__main__":
    main(Path(sys.argv[1]), [Path(name) for name in sys.argv[1:]])
