"""What ended long ago on Cloudflare's local engine is forgotten, and nothing else is; and its files are read aright."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import pytest

from reservation_cli import settings
from reservation_cli.domain.reservation import ReservationRequest, new_reservation_id
from reservation_cli.errors import NotFoundError
from reservation_cli.local import engine_files, prune, stack
from reservation_cli.platforms import connect
from support import engine_disk
from support.engine_disk import WORKER
from support.waiting import until

NOW = 1_795_893_000.0
DAY = 86_400.0
OLD, RECENT = NOW - 15 * DAY, NOW - 13 * DAY


def run(state: Path, now: float = NOW) -> prune.Pruned:
    return prune.prune(state, WORKER, now)


def rows(seat: Path) -> set[str]:
    with closing(sqlite3.connect(seat)) as database:
        return {name for (name,) in database.execute("SELECT reservation_id FROM reservations")}


@pytest.mark.parametrize("status", sorted(engine_disk.STATUS))
def test_only_instances_that_have_ended_are_forgotten_and_only_old_ones(tmp_path: Path, status: str) -> None:
    old = engine_disk.instance(tmp_path, "old", status, written=OLD)
    recent = engine_disk.instance(tmp_path, "recent", status, written=RECENT)
    ended = status in ("complete", "errored", "terminated")
    assert run(tmp_path).instances == ended
    assert (old.exists(), recent.exists()) == (not ended, True)


def test_an_instance_is_gone_with_all_its_files(tmp_path: Path) -> None:
    path = engine_disk.instance(tmp_path, "old", "complete", written=OLD)
    for ending in ("-wal", "-shm"):
        file = path.with_name(path.name + ending)
        file.touch()
        os.utime(file, (OLD, OLD))
    run(tmp_path)
    assert [file.name for file in path.parent.iterdir()] == ["metadata.sqlite"]


def test_what_a_question_for_no_instance_left_is_removed(tmp_path: Path) -> None:
    old, new = engine_disk.ghost(tmp_path, "old", written=OLD), engine_disk.ghost(tmp_path, "new", written=NOW)
    run(tmp_path)
    assert (old.exists(), new.exists()) == (False, True)


@pytest.mark.parametrize("table", [False, True])
def test_what_a_question_for_no_reservation_left_is_removed(tmp_path: Path, table: bool) -> None:
    old = engine_disk.ghost_entry(tmp_path, "old", written=OLD, table=table)
    recent = engine_disk.ghost_entry(tmp_path, "recent", written=RECENT, table=table)
    seat, entry = engine_disk.reservation(tmp_path, "r-1", "A1", "held", written=OLD, ended=None)
    assert run(tmp_path).reservations == 0
    assert [path.exists() for path in (old, recent, seat, entry)] == [False, True, True, True]


def test_so_many_are_kept_at_most_but_for_the_unfinished_and_the_last_hours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prune, "KEPT", 3)
    moments = {f"r{hours}": NOW - hours * 3600 for hours in range(8)}
    paths = {
        name: engine_disk.instance(tmp_path, name, "running" if name == "r5" else "complete", written=moment)
        for name, moment in moments.items()
    }
    run(tmp_path)
    assert {name for name, path in paths.items() if path.exists()} == {"r0", "r1", "r2", "r5"}


@pytest.mark.parametrize(
    ("status", "ended", "forgotten"),
    [
        ("expired", OLD, True),
        ("cancelled", OLD, True),
        ("rejected", OLD, True),
        ("expired", RECENT, False),
        ("confirmed", OLD, False),
        ("held", None, False),
    ],
)
def test_only_a_reservation_that_ended_without_its_seat_is_forgotten(
    tmp_path: Path, status: str, ended: float | None, forgotten: bool
) -> None:
    seat, entry = engine_disk.reservation(tmp_path, "r-1", "A1", status, written=OLD, ended=ended)
    assert run(tmp_path).reservations == forgotten
    assert (seat.exists(), entry.exists()) == (not forgotten, not forgotten)
    assert forgotten or rows(seat) == {"r-1"}


@pytest.mark.parametrize("seat_id", ["A1", "row 7/Ä", "席-1"])
def test_a_seat_keeps_its_other_reservations(tmp_path: Path, seat_id: str) -> None:
    engine_disk.reservation(tmp_path, "gone-1", seat_id, "expired", written=OLD, ended=OLD)
    engine_disk.reservation(tmp_path, "gone-2", seat_id, "rejected", written=OLD, ended=OLD)
    engine_disk.reservation(tmp_path, "recent", seat_id, "cancelled", written=RECENT, ended=RECENT)
    seat, entry = engine_disk.reservation(tmp_path, "kept", seat_id, "confirmed", written=NOW, ended=OLD)
    assert run(tmp_path).reservations == 2
    assert rows(seat) == {"recent", "kept"}
    assert entry.exists()


@pytest.mark.parametrize("status", ["running", "waiting", "paused", "queued"])
def test_a_reservation_stays_while_its_workflow_has_not_ended(tmp_path: Path, status: str) -> None:
    """As of a stack that was off for weeks: the seat's lease is over, and the workflow has still to say so."""
    engine_disk.instance(tmp_path, "r-1", status, written=OLD, due=OLD)
    seat, entry = engine_disk.reservation(tmp_path, "r-1", "A1", "expired", written=OLD, ended=OLD)
    assert run(tmp_path) == prune.Pruned()
    assert rows(seat) == {"r-1"}
    assert entry.exists()


def test_what_stays_is_not_opened_again_for_as_long(tmp_path: Path) -> None:
    _, entry = engine_disk.reservation(tmp_path, "r-1", "A1", "confirmed", written=OLD, ended=OLD)
    run(tmp_path)
    assert engine_files.written(entry) == NOW


def test_entries_of_kv_past_their_time_go(tmp_path: Path) -> None:
    over = engine_disk.kv_entry(tmp_path, "over", NOW - 1)
    kept = [engine_disk.kv_entry(tmp_path, "later", NOW + 1), engine_disk.kv_entry(tmp_path, "for good", None)]
    assert run(tmp_path).entries == 1
    assert [blob.exists() for blob in (over, *kept)] == [False, True, True]
    assert run(tmp_path).entries == 0


@pytest.mark.parametrize("content", [b"", b"no database", b"SQLite format 3\0" + b"\0" * 100])
def test_what_is_not_understood_is_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    files = [
        engine_disk.instance(tmp_path, "old", "complete", written=OLD),
        *engine_disk.reservation(tmp_path, "r-1", "A1", "expired", written=OLD, ended=OLD),
    ]
    for file in files[:2]:
        file.write_bytes(content)
        os.utime(file, (OLD, OLD))
    run(tmp_path)
    assert [file.read_bytes() for file in files[1:2]] == [content]
    assert content == b"" or files[0].read_bytes() == content, "an empty one has no instance in it"


def test_once_a_day(tmp_path: Path) -> None:
    now = time.time()
    assert not prune.is_due(tmp_path, now), "there is nothing yet"
    engine_disk.instance(tmp_path, "r-1", "complete", written=now)
    assert prune.is_due(tmp_path, now)
    prune.prune(tmp_path, WORKER, now)
    assert not prune.is_due(tmp_path, now + 0.9 * DAY)
    assert prune.is_due(tmp_path, now + 1.1 * DAY)
    assert prune.is_due(tmp_path, now - DAY), "a clock that was set back does not put it off"


def many(state: Path, count: int = 40) -> tuple[Path, Path]:
    """So many old instances and reservations of others; the folders of both."""
    for number in range(count):
        engine_disk.instance(state, f"i{number}", "complete", written=OLD)
        engine_disk.reservation(state, f"r{number}", f"A{number}", "expired", written=OLD, ended=OLD)
    return engine_files.workflows(state, WORKER), engine_files.objects(state, WORKER, "Directory")


def left(folder: Path) -> int:
    return len(list(engine_files.databases(folder)))


def test_what_there_was_no_time_for_is_due_still(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = many(tmp_path)
    monkeypatch.setattr(prune, "time", Clock(step=0.2))
    counts = [40, 40]
    while any(counts):
        assert prune.is_due(tmp_path, time.time()), counts
        run(tmp_path)
        before, counts = counts, [left(folder) for folder in folders]
        assert all(now < was for was, now in zip(before, counts, strict=True) if was), "neither waits for the other"
    run(tmp_path)
    assert not prune.is_due(tmp_path, time.time())


class Clock:
    """Stands for `time`: each look at it takes `step` seconds."""

    def __init__(self, step: float) -> None:
        self._now, self._step = 0.0, step

    def monotonic(self) -> float:
        self._now += self._step
        return self._now


def test_when_an_instance_is_due(tmp_path: Path) -> None:
    def due(name: str, **fields: object) -> float:
        found = engine_files.instance(engine_disk.instance(tmp_path, name, "running", written=NOW, **fields))  # type: ignore[arg-type]
        assert found is not None
        assert (found.id, found.status) == (name, "running")
        return found.due

    assert due("asleep", due=NOW + 7) == NOW + 7
    assert due("in-a-step", events=(0, 1, 26, 5, 10)) == 0
    assert due("after-its-sleep", events=(0, 1, 26, 5, 10, 11, 6, 8, 9, 5, 10)) == 0
    assert due("just-begun", events=()) == 0


@pytest.mark.stack
@pytest.mark.parametrize("strategy", ["sleep", "event"])
def test_the_files_of_the_real_engine_are_read_aright(
    stack_environ: Mapping[str, str], tmp_path: Path, request: pytest.FixtureRequest, strategy: str
) -> None:
    """What cf-workflow's lock file pins: its files are as they are taken to be."""
    loaded = settings.load(stack_environ, tmp_path)
    up = stack.ensure(loaded, print)
    state = loaded.home / "cloudflare"
    name, seat = new_reservation_id(), f"Ä{new_reservation_id()}"
    client = connect(loaded, "cloudflare", None, print)
    request.addfinalizer(client.close)
    client.reserve(ReservationRequest(name, seat, "user123", 600, "sleep" if strategy == "sleep" else "event"))

    path = engine_files.object_path(engine_files.workflows(state, up.workflow), name)

    def waiting() -> engine_files.Instance | None:
        found = engine_files.instance(path)
        return found if found is not None and found.due else None

    found = until(waiting, "an instance that waits")
    held = client.reservation(name)
    assert (found.id, found.status) == (name, "running" if strategy == "sleep" else found.status)
    assert found.status in ("running", "waiting")
    assert held.expires_at is not None
    assert abs(found.due - held.expires_at.timestamp()) < 60
    with pytest.raises(NotFoundError):
        client.reservation(f"never-{name}")
    directory = engine_files.objects(state, up.workflow, "Directory")
    asked = engine_files.object_path(directory, f"never-{name}")
    until(asked.exists, "what a question leaves")
    assert engine_files.claim(asked) is None
    assert engine_files.claim(engine_files.object_path(directory, name)) == (name, seat)
    seat_path = engine_files.object_path(engine_files.objects(state, up.workflow, "Seat"), seat)
    with closing(engine_files.opened(seat_path)) as database:
        columns = "reservation_id, status, ended_at"
        assert database.execute(f"SELECT {columns} FROM reservations").fetchall() == [(name, "held", None)]

    client.cancel(name)
    if strategy == "event":
        until(lambda: (now := engine_files.instance(path)) and now.status == "complete", "the instance's end")
    with closing(engine_files.opened(seat_path)) as database:
        (status, ended) = database.execute("SELECT status, ended_at FROM reservations").fetchone()
    assert status == "cancelled"
    assert abs(ended / 1000 - time.time()) < 60
