"""Forgets what ended long ago on Cloudflare's local engine, as the clouds do: a thousand reservations are 5,000 files.

Done once a day, before the engine starts: then nothing has the files open, and nothing is made meanwhile. What there
was no time for, the next start goes on with.

- An instance that ended is kept for RETENTION_DAYS (Lambda's default; Cloudflare's is 30), and the newest KEPT of those
  whatever a benchmark makes of them. One that has not ended is never touched.
- A reservation that expired, or was cancelled or rejected, is kept by its seat and by the directory for as long. One
  that is held or confirmed stays: a confirmed seat is somebody's for good.
- What only a question for an unknown id has left, an instance or an entry of the directory without anything in it, goes
  as soon.
- What KV was to keep for a day only, its simulator deletes when it is read; here the rest goes.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

from reservation_cli.local import engine_files
from reservation_cli.local.engine_files import ENDED

RETENTION_DAYS = 14
#: The engine loads all instances into its memory when they are listed: half a megabyte and three open files each.
KEPT = 2000
#: What is left after so many seconds waits for the next time: a stack that starts is waited for.
_SECONDS = 3.0
_DAY = 86_400.0
_HOUR = 3600.0
_MARK = "pruned"
_OVER = "status IN ('expired', 'cancelled', 'rejected') AND ended_at < ?"


class Pruned(NamedTuple):
    """How many of each were forgotten."""

    instances: int = 0
    reservations: int = 0
    entries: int = 0


def is_due(state: Path, now: float) -> bool:
    """Whether there is something to look at, and a day has passed since it was. `now` in epoch seconds."""
    mark = state / _MARK
    return (state / "v3").is_dir() and not (mark.exists() and 0 <= now - mark.stat().st_mtime < _DAY)


def prune(state: Path, worker: str, now: float) -> Pruned:
    """Forgets what is past its time. Only while no engine runs on `state`. Raises OSError.

    Only files that have not been written to for long are opened. One that is not understood is left as it is.
    """
    before = now - RETENTION_DAYS * _DAY
    # In this order: an instance that is left has its reservation left. Half of the time for each at least.
    begun = time.monotonic()
    instances, all_instances = _instances(engine_files.workflows(state, worker), now, before, begun + _SECONDS / 2)
    reservations, all_reservations = _reservations(state, worker, now, before, begun + _SECONDS)
    entries = sum(_entries(folder, now) for folder in (state / "v3" / "kv").glob("miniflare-KVNamespaceObject"))
    if all_instances and all_reservations:
        (state / _MARK).touch()
    return Pruned(instances, reservations, entries)


def _instances(folder: Path, now: float, before: float, deadline: float) -> tuple[int, bool]:
    """How many are gone, and whether there was time for all."""
    newest_first = sorted(
        ((engine_files.written(path), path) for path in engine_files.databases(folder)), key=itemgetter(0), reverse=True
    )
    gone = 0
    for index, (written, path) in enumerate(newest_first):
        if time.monotonic() > deadline:
            return gone, False
        if written >= before and (index < KEPT or written >= now - _HOUR):
            continue
        if _is_unfinished(path):
            _look_again_later(path, now)
        else:
            engine_files.remove(path)
            gone += 1
    return gone, True


def _is_unfinished(path: Path) -> bool:
    """Whether the instance in a database may still go on. Of one that was only asked for there is nothing to go on."""
    try:
        found = engine_files.instance(path)
    except (sqlite3.Error, ValueError):
        return True
    return found is not None and found.status not in ENDED


def _look_again_later(path: Path, now: float) -> None:
    """What stays is not opened again before another RETENTION_DAYS have passed."""
    os.utime(path, (now, now))


def _reservations(state: Path, worker: str, now: float, before: float, deadline: float) -> tuple[int, bool]:
    """As `_instances`, of the entries of the directory. What was only asked for is no reservation, and not counted."""
    seats, directory, instances = (
        engine_files.objects(state, worker, "Seat"),
        engine_files.objects(state, worker, "Directory"),
        engine_files.workflows(state, worker),
    )
    gone = 0
    # An entry of the directory is written once, when its reservation is asked for.
    for path in [path for path in engine_files.databases(directory) if engine_files.written(path) < before]:
        if time.monotonic() > deadline:
            return gone, False
        try:
            claimed = engine_files.claim(path)
            if claimed is None:
                engine_files.remove(path)
                continue
            reservation, seat_id = claimed
            seat = engine_files.object_path(seats, seat_id)
            stays = engine_files.object_path(instances, reservation).exists() or (
                seat.exists() and not _forget(seat, reservation, before)
            )
        except (sqlite3.Error, ValueError):
            stays = True
        if stays:
            _look_again_later(path, now)
        else:
            engine_files.remove(path)
            gone += 1
    return gone, True


def _forget(seat: Path, reservation: str, before: float) -> bool:
    """Deletes an ended reservation from its seat, and the seat with its last one. False when it is to stay."""
    with closing(engine_files.opened(seat)) as database:
        found = database.execute(
            f"SELECT {_OVER} FROM reservations WHERE reservation_id = ?",  # noqa: S608
            (before * 1000, reservation),
        ).fetchone()
    if found is None:
        return True
    if not found[0]:
        return False
    with closing(sqlite3.connect(seat, timeout=1)) as database, database:
        database.execute("DELETE FROM reservations WHERE reservation_id = ?", (reservation,))
        empty = database.execute("SELECT 1 FROM reservations LIMIT 1").fetchone() is None
    if empty:
        engine_files.remove(seat)
    return True


def _entries(folder: Path, now: float) -> int:
    return sum(_expired(path, folder.parent, now) for path in list(engine_files.databases(folder)))


def _expired(path: Path, kv: Path, now: float) -> int:
    """Deletes the entries of a KV namespace that are past their time, and their blobs; gives how many there were."""
    try:
        with closing(sqlite3.connect(path, timeout=1)) as database, database:
            blobs = [
                str(blob)
                for (blob,) in database.execute("SELECT blob_id FROM _mf_entries WHERE expiration < ?", (now * 1000,))
            ]
            for file in _blob_files(kv, blobs):
                file.unlink(missing_ok=True)
            database.execute("DELETE FROM _mf_entries WHERE expiration < ?", (now * 1000,))
    except sqlite3.Error:
        return 0
    return len(blobs)


def _blob_files(kv: Path, blobs: list[str]) -> Iterator[Path]:
    folders = [folder for folder in kv.glob("*/blobs") if folder.is_dir()]
    return (folder / blob for folder in folders for blob in blobs if "/" not in blob)
