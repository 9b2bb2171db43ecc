"""How many files the local engines may have open: their start raises the limit, and the doctor tells it.

Cloudflare's local engine has the SQLite files (.sqlite, -wal, -shm) of each object open: of the seat, the directory
entry and the workflow instance while a reservation is dealt with and for ten seconds after, and those of the instance
until the engine's process ends. Past the limit it fails with SQLITE_CANTOPEN.
"""

from __future__ import annotations

import resource

#: What is asked for where the hard limit allows it, and what macOS gives where it says "unlimited" (its OPEN_MAX).
MOST = 65_536
_OPEN_MAX = 10_240

#: Open files of a reservation while it is dealt with, and of one that is waited for or has ended.
BUSY_FILES = 9
KEPT_FILES = 3
#: Seconds for which the files of the seat and of the directory entry stay open.
BUSY_SECONDS = 10
#: Open files of the engine without any reservation: 71 were counted.
BASE_FILES = 100


def raise_open_files() -> int:
    """Raises this process's soft limit of open files, which its children inherit; gives the limit as it is then."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for most in (MOST, _OPEN_MAX):
        wanted = most if hard == resource.RLIM_INFINITY else min(most, hard)
        if soft == resource.RLIM_INFINITY or soft >= wanted:
            break
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        except (OSError, ValueError):  # macOS, past what its kernel gives a process
            continue
        return wanted
    return MOST if soft == resource.RLIM_INFINITY else soft


def at_once(limit: int) -> int:
    """How many reservations may begin within ten seconds under a limit of open files."""
    return max(limit - BASE_FILES, 0) // BUSY_FILES


def needed(total: int, busy: int) -> int:
    """Open files for `total` reservations, of which `busy` are dealt with at once."""
    return BASE_FILES + KEPT_FILES * total + (BUSY_FILES - KEPT_FILES) * busy
