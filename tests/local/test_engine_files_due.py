"""When a sleeping instance is due, with what a killed step leaves in the engine's queue of timers."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from reservation_cli.local import engine_files

SLEEP_BEGINS, ADDED, REMOVED = 8, 1, 0


def test_the_time_limit_of_a_step_that_a_kill_ended_does_not_hide_the_end_of_the_sleep(tmp_path: Path) -> None:
    file = tmp_path / "instance.sqlite"
    with closing(sqlite3.connect(file)) as database:
        database.execute("CREATE TABLE _cf_KV (key TEXT, value BLOB)")
        database.execute("CREATE TABLE states (id INTEGER PRIMARY KEY, event INTEGER)")
        database.execute(
            "CREATE TABLE priority_queue (target_timestamp INTEGER, action INTEGER, hash TEXT, entryType TEXT)"
        )
        database.execute("INSERT INTO _cf_KV VALUES ('INSTANCE_METADATA', ?)", (b'"\x02id"\x03r-1',))
        database.execute("INSERT INTO states (event) VALUES (?)", (SLEEP_BEGINS,))
        timers = [
            (700_000, ADDED, "killed attempt", "timeout"),
            (650_000, ADDED, "last attempt", "timeout"),
            (650_000, REMOVED, "last attempt", "timeout"),
            (102_000, ADDED, "hold-window", "sleep"),
        ]
        database.executemany("INSERT INTO priority_queue VALUES (?, ?, ?, ?)", timers)
        database.commit()
    found = engine_files.instance(file)
    assert found is not None
    assert (found.id, found.due) == ("r-1", 102.0)
