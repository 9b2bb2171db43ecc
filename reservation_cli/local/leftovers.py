"""children.json: which process groups a stack has, so that the next one can end what an earlier one left behind."""

from __future__ import annotations

import json
from pathlib import Path

from reservation_cli.local.processes import Process, table
from reservation_cli.local.reaper import end_groups

NAME = "children.json"
#: Somebody waits for the next stack, and all that was acknowledged is on disk: wrangler takes seconds to end itself.
_EXIT_SECONDS = 0.3


def record(home: Path, groups: set[int]) -> None:
    """Writes down the groups by their leaders, with what tells these from later processes of the same number."""
    leaders = [process for process in table() if process.pid in groups]
    rows = [{"pid": leader.pid, "started": leader.started, "command": leader.command} for leader in leaders]
    path = home / NAME
    beside = path.with_suffix(".new")
    beside.write_text(json.dumps(rows))
    beside.replace(path)


def sweep(home: Path) -> int:
    """Ends the recorded groups that still exist, and gives how many. Only while no supervisor lives."""
    try:
        rows = json.loads((home / NAME).read_text())
        recorded = {int(row["pid"]): (row["started"], row["command"]) for row in rows}
    except (FileNotFoundError, NotADirectoryError, ValueError, TypeError, KeyError):
        return 0
    living = table() if recorded else []
    leaders = {process.pid: process for process in living}
    groups = {
        process.group
        for process in living
        if process.group in recorded and _is_same(leaders.get(process.group), recorded[process.group])
    }
    end_groups(groups, _EXIT_SECONDS)
    (home / NAME).unlink()
    return len(groups)


def _is_same(leader: Process | None, recorded: tuple[str, str]) -> bool:
    """While a group has members its number is not given out again: without its leader it is the recorded one."""
    return leader is None or (leader.started, leader.command) == recorded
