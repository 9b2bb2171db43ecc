"""What Cloudflare's local engine keeps on disk, read from its SQLite files: to wake and to prune without asking it.

Asking costs it dear: each listing loads every instance that there ever was, which then stays in its memory, with three
open files, until its process ends. The files are those of wrangler 4 (miniflare 4, workerd), which cf-workflow's lock
file pins. What is not understood becomes None, and whoever reads does the safe thing.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

FILES = (".sqlite", ".sqlite-wal", ".sqlite-shm")
#: The engine's own numbers, by their names in its API.
_STATUS = ("queued", "running", "paused", "errored", "terminated", "complete", "waitingForPause", "waiting")
ENDED = frozenset({"errored", "terminated", "complete"})
#: Kinds of rows in `states`: a sleep begins, a wait for an event begins; an attempt of a step begins.
_WAITS = (8, 14)
_ATTEMPT = 10
#: V8's serialization: a length of one byte; the property `id`, a short ASCII string.
_SHORT = 127
_ID = re.compile(rb'"\x02id"([\x01-\x7f])')
#: The same of a small whole number, which comes doubled.
_NUMBER = re.compile(rb"\xff\x0fI([\x00-\x7f])")


class Instance(NamedTuple):
    """A workflow instance. `status` is as the API writes it; times are epoch seconds.

    `due` is when its wait ends, 0 when it does not wait: then it has something to do at once. `written` is when
    anything of it was last written.
    """

    path: Path
    id: str
    status: str
    due: float
    written: float


def workflows(state: Path, workflow: str) -> Path:
    """The folder of a workflow's instances, a database each."""
    return state / "v3" / "workflows" / f"miniflare-workflows-{workflow}"


def objects(state: Path, worker: str, class_name: str) -> Path:
    """The folder of a class of Durable Objects, a database each."""
    return state / "v3" / "do" / f"{worker}-{class_name}"


def databases(folder: Path) -> Iterator[Path]:
    """The databases in a folder, without the one that the engine keeps about the folder."""
    return (path for path in folder.glob("*.sqlite") if path.name != "metadata.sqlite")


def instance(path: Path) -> Instance | None:
    """The instance in a database; None when there is none in it, as after a question for one that never was.

    Raises sqlite3.Error or ValueError when it cannot be read or understood.
    """
    with closing(opened(path)) as database:
        if not database.execute("SELECT 1 FROM sqlite_master WHERE name = '_cf_KV'").fetchone():
            return None
        values = dict(
            database.execute("SELECT key, value FROM _cf_KV WHERE key IN ('INSTANCE_METADATA', 'ENGINE_STATUS')")
        )
        if "INSTANCE_METADATA" not in values:
            return None
        return Instance(
            path,
            _instance_id(values["INSTANCE_METADATA"]),
            _status(values.get("ENGINE_STATUS")),
            _due(database),
            written(path),
        )


def is_in_step(path: Path) -> bool:
    """Whether the body of a step is under way in the instance of a database; False when there is none yet.

    Raises sqlite3.Error when it cannot be read.
    """
    if not path.exists():
        return False
    with closing(opened(path)) as database:
        if not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'states'").fetchone():
            return False
        last = database.execute("SELECT event FROM states ORDER BY id DESC LIMIT 1").fetchone()
        return last is not None and last[0] == _ATTEMPT


def opened(path: Path) -> sqlite3.Connection:
    """A database for reading, also while the engine writes to it."""
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=1)


def written(path: Path) -> float:
    """When a database was last written to, in epoch seconds."""
    log = path.with_name(f"{path.name}-wal")
    return max(path.stat().st_mtime, log.stat().st_mtime if log.exists() else 0.0)


def object_path(folder: Path, name: str) -> Path:
    """Where the object of a name is: workerd names the file by two HMACs of the name, keyed by the folder's own."""
    key = hashlib.sha256(folder.name.encode()).digest()
    base = hmac.digest(key, name.encode(), "sha256")[:16]
    return folder / f"{(base + hmac.digest(key, base, 'sha256')[:16]).hex()}.sqlite"


def remove(path: Path) -> None:
    """Delete a database. Only while no engine has it open."""
    for ending in FILES:
        path.with_suffix(ending).unlink(missing_ok=True)


def claim(path: Path) -> tuple[str, str] | None:
    """The reservation of an entry of the directory, and its seat; None when nobody has claimed it.

    Such a one is left by a question for an id that never was. Raises as `instance` does.
    """
    with closing(opened(path)) as database:
        if not database.execute("SELECT 1 FROM sqlite_master WHERE name = '_cf_KV'").fetchone():
            return None
        row = database.execute("SELECT value FROM _cf_KV WHERE key = 'request'").fetchone()
    if row is None:
        return None
    return _text(row[0], b"reservationId"), _text(row[0], b"seatId")


def _text(value: bytes, name: bytes) -> str:
    """A text property in V8's serialization: in Latin-1, or after a byte to align it in UTF-16."""
    _, found, rest = value.partition(b'"' + bytes([len(name)]) + name)
    kind, length, body = rest[:1], rest[1:2], rest[2:]
    if kind == b"\0":
        kind, length, body = rest[1:2], rest[2:3], rest[3:]
    size = length[0] if length else 0
    if not found or kind not in (b'"', b"c") or len(body) < size or size > _SHORT:
        raise ValueError(f"no text called {name.decode()}")
    return body[:size].decode("latin-1" if kind == b'"' else "utf-16-le")


def _instance_id(metadata: bytes) -> str:
    for found in _ID.finditer(metadata):
        text = metadata[found.end() : found.end() + found[1][0]]
        if len(text) == found[1][0]:
            return text.decode("ascii")
    raise ValueError("an instance without an id")


def _status(value: bytes | None) -> str:
    if value is None:  # not yet begun
        return "queued"
    found = _NUMBER.fullmatch(value)
    if found is None or found[1][0] // 2 >= len(_STATUS):
        raise ValueError(f"a status that is none: {value!r}")
    return _STATUS[found[1][0] // 2]


def _due(database: sqlite3.Connection) -> float:
    """When the wait that is on ends: it is the last thing told, and its end stands in the queue of timers.

    Beside it may stand the time limit, ten minutes, of a step that a kill ended: the sooner one counts, since to wake
    early does no harm.
    """
    last = database.execute("SELECT event FROM states ORDER BY id DESC LIMIT 1").fetchone()
    if last is None or last[0] not in _WAITS:
        return 0.0
    (due,) = database.execute(
        "SELECT min(target_timestamp) FROM priority_queue AS added WHERE action = 1 AND NOT EXISTS"
        " (SELECT 1 FROM priority_queue WHERE action = 0 AND (hash, entryType) = (added.hash, added.entryType))"
    ).fetchone()
    return 0.0 if due is None else due / 1000
