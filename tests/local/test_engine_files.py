"""What is read from the files of Cloudflare's engine: when a sleeping instance is due, and whether one is in a step."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from reservation_cli.local import engine_files
from support import engine_disk

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


@pytest.mark.parametrize(
    ("events", "is_in_step"),
    [
        ((0, 1, 26), False),
        ((0, 1, 26, 5), False),
        ((0, 1, 26, 5, 10), True),
        ((0, 1, 26, 5, 10, 11), False),
        ((0, 1, 26, 5, 10, 11, 6, 8), False),
        ((0, 1, 26, 5, 10, 11, 6, 8, 9, 5, 10), True),
        ((), False),
    ],
)
def test_an_instance_is_in_a_step_while_an_attempt_is_under_way(
    tmp_path: Path, events: tuple[int, ...], is_in_step: bool
) -> None:
    path = engine_disk.instance(tmp_path, "r-1", "running", written=1.0, events=events)
    assert path == engine_files.object_path(engine_files.workflows(tmp_path, engine_disk.WORKER), "r-1")
    assert engine_files.is_in_step(path) is is_in_step


def test_what_is_just_being_made_is_in_no_step(tmp_path: Path) -> None:
    assert not engine_files.is_in_step(tmp_path / "none.sqlite")
    (tmp_path / "empty.sqlite").touch()
    assert not engine_files.is_in_step(tmp_path / "empty.sqlite")
