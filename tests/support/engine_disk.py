"""The files that Cloudflare's local engine leaves, made by hand: so far as they are read by `local.engine_files`."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from reservation_cli.local import engine_files

WORKER = "reservation-workflow-dev"
STATUS = {"queued": None, "running": 1, "paused": 2, "errored": 3, "terminated": 4, "complete": 5, "waiting": 7}


def text(value: str) -> bytes:
    """A string in V8's serialization."""
    if value.isascii():
        return b'"' + bytes([len(value)]) + value.encode()
    wide = value.encode("utf-16-le")
    return b"c" + bytes([len(wide)]) + wide


def instance(
    state: Path, name: str, status: str, *, written: float, due: float | None = None, events: Sequence[int] = (0, 1, 26)
) -> Path:
    """A workflow instance; with `due` it sleeps until then."""
    path = _database(engine_files.workflows(state, WORKER), name)
    metadata = (
        b"\xff\x0fo" + text("accountId") + b"I\0" + text("instance") + b"o" + text("id") + text(name) + b"{\x01{\x02"
    )
    number = STATUS[status]
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE _cf_KV (key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID")
        database.execute("CREATE TABLE states (id INTEGER PRIMARY KEY, event INTEGER NOT NULL)")
        database.execute(
            "CREATE TABLE priority_queue"
            " (id INTEGER PRIMARY KEY, target_timestamp INTEGER, action INTEGER, entryType INTEGER, hash TEXT)"
        )
        database.execute("INSERT INTO _cf_KV VALUES ('INSTANCE_METADATA', ?)", (metadata,))
        if number is not None:
            database.execute("INSERT INTO _cf_KV VALUES ('ENGINE_STATUS', ?)", (b"\xff\x0fI" + bytes([2 * number]),))
        for event in (*events, *([8] if due is not None else [])):
            database.execute("INSERT INTO states (event) VALUES (?)", (event,))
        # The timeout of a step that is done, and the timer of the sleep.
        timers = [(1, 1, "step"), (1, 0, "step")] + ([(round(due * 1000), 1, "sleep")] if due is not None else [])
        for target, action, key in timers:
            database.execute(
                "INSERT INTO priority_queue (target_timestamp, action, entryType, hash) VALUES (?, ?, 2, ?)",
                (target, action, key),
            )
    return _aged(path, written)


def ghost(state: Path, name: str, *, written: float) -> Path:
    """What a question for an instance leaves that there is not."""
    path = _database(engine_files.workflows(state, WORKER), name)
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE states (id INTEGER PRIMARY KEY, event INTEGER NOT NULL)")
    return _aged(path, written)


def reservation(
    state: Path, name: str, seat: str, status: str, *, written: float, ended: float | None
) -> tuple[Path, Path]:
    """A reservation in its seat, and its entry in the directory; gives the two files."""
    seats = _database(engine_files.objects(state, WORKER, "Seat"), seat)
    with closing(sqlite3.connect(seats)) as database, database:
        database.execute(
            "CREATE TABLE IF NOT EXISTS reservations"
            " (reservation_id TEXT PRIMARY KEY, status TEXT, ended_at INTEGER, expires_at INTEGER)"
        )
        milliseconds = None if ended is None else round(ended * 1000)
        database.execute("INSERT INTO reservations VALUES (?, ?, ?, 0)", (name, status, milliseconds))
    entry = _database(engine_files.objects(state, WORKER, "Directory"), name)
    request = b"\xff\x0fo" + text("reservationId") + text(name)
    request += text("seatId") + text(seat) + b"{\x02"
    with closing(sqlite3.connect(entry)) as database, database:
        database.execute("CREATE TABLE _cf_KV (key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID")
        database.execute("INSERT INTO _cf_KV VALUES ('request', ?)", (request,))
    return _aged(seats, written), _aged(entry, written)


def ghost_entry(state: Path, name: str, *, written: float, table: bool = False) -> Path:
    """What a question for a reservation that never was leaves in the directory, perhaps with a `table` for values."""
    path = _database(engine_files.objects(state, WORKER, "Directory"), name)
    with closing(sqlite3.connect(path)) as database, database:
        kind = "_cf_KV (key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID" if table else "_cf_METADATA (key INTEGER)"
        database.execute(f"CREATE TABLE {kind}")
    return _aged(path, written)


def kv_entry(state: Path, key: str, expiration: float | None) -> Path:
    """An entry of KV; gives the file of its value."""
    folder = state / "v3" / "kv"
    blob = folder / "RESERVATIONS_KV" / "blobs" / f"blob-{key}"
    blob.parent.mkdir(parents=True, exist_ok=True)
    blob.write_text("{}")
    path = _database(folder / "miniflare-KVNamespaceObject", "RESERVATIONS_KV")
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE IF NOT EXISTS _mf_entries (key TEXT, blob_id TEXT, expiration INTEGER)")
        moment = None if expiration is None else round(expiration * 1000)
        database.execute("INSERT INTO _mf_entries VALUES (?, ?, ?)", (key, blob.name, moment))
    return blob


def _database(folder: Path, name: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "metadata.sqlite").touch()
    return engine_files.object_path(folder, name)


def _aged(path: Path, written: float) -> Path:
    os.utime(path, (written, written))
    return path
