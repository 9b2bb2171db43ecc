"""Ends process groups; run as a process, those of a supervisor that was killed without a chance to do so itself.

That process reads lines `+GROUP` and `-GROUP` from stdin, which only the supervisor holds open, and when that ends,
ends the groups that are left. It is started with `python -I -S`: it must be small, and there when needed.
"""

from __future__ import annotations

import os
import signal
import sys
import time

EXIT_SECONDS = 5.0


def signal_group(group: int, number: int) -> bool:
    """Sends a signal (0: none) to a process group. Whether the group was there to be sent it."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):  # macOS: not permitted, when only uncollected dead remain
        return False
    return True


def end_groups(groups: set[int], seconds: float = EXIT_SECONDS) -> None:
    """Ends process groups: TERM, then KILL for what remains after so many seconds. Returns when they are gone."""
    for group in groups:
        signal_group(group, signal.SIGTERM)
    left = _outlast(groups, seconds)
    for group in left:
        signal_group(group, signal.SIGKILL)
    _outlast(left, 1.0)  # orphans wait for init to collect them, which in a container may never happen


def _outlast(groups: set[int], seconds: float) -> set[int]:
    deadline = time.monotonic() + seconds
    left = groups
    while (left := {group for group in left if signal_group(group, 0)}) and time.monotonic() < deadline:
        time.sleep(0.02)
    return left


def main() -> None:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    groups: set[int] = set()
    for line in sys.stdin:
        group = int(line[1:])
        if line.startswith("+"):
            groups.add(group)
        else:
            groups.discard(group)
    end_groups(groups)


if __name__ == "__main__":
    main()
