"""The durable store: one SQLite file, one row per execution, live executions in memory."""

from __future__ import annotations

import json
import logging
import sqlite3
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Lock

from aws_durable_execution_sdk_python_testing.execution import Execution
from aws_durable_execution_sdk_python_testing.stores.base import BaseExecutionStore

from reservation_cli.local.aws_engine.execution import LocalExecution

logger = logging.getLogger(__name__)

_SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS executions (
  id INTEGER PRIMARY KEY,
  arn TEXT NOT NULL UNIQUE,
  function TEXT NOT NULL,
  version TEXT NOT NULL,
  name TEXT NOT NULL,
  status TEXT NOT NULL,
  started INTEGER NOT NULL,
  ended INTEGER,
  data TEXT NOT NULL,
  UNIQUE (function, name)
);
CREATE INDEX IF NOT EXISTS executions_by_start ON executions (function, started, id);
CREATE INDEX IF NOT EXISTS executions_by_end ON executions (ended);
"""
_UPSERT = """
INSERT INTO executions (arn, function, version, name, status, started, ended, data) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (arn) DO UPDATE SET status = excluded.status, ended = excluded.ended, data = excluded.data
"""
_RECENTLY_ENDED = 128
#: Seconds until a write that found no room on the disk is tried again.
_ROOM_SECONDS = 0.5


class StoreError(Exception):
    """The data folder cannot be used; the message says why."""


class NoRoomError(Exception):
    """Nothing can be written at the moment, as on a full disk; the message says why."""


@dataclass(frozen=True, slots=True)
class Summary:
    """One line of a list of executions."""

    arn: str
    function: str
    version: str
    name: str
    status: str
    started: datetime
    ended: datetime | None


@dataclass(frozen=True, slots=True)
class Query:
    """Which executions to list. Newest first unless `oldest_first`; `marker` is the end of the page before."""

    function: str
    version: str | None
    name: str | None
    statuses: frozenset[str]
    started_after: datetime | None
    started_before: datetime | None
    oldest_first: bool
    limit: int
    marker: tuple[int, int] | None


def _millis(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def _moment(millis: int) -> datetime:
    return datetime.fromtimestamp(millis / 1000, UTC)


class SqliteStore(BaseExecutionStore):
    """Keeps unfinished executions as live objects and writes each through to SQLite.

    `update` returns after the commit: what it was told survives a kill of the process. `save` is for bookkeeping that a
    restart can do without; it is written by `flush`, which the lane calls after each of its tasks, so that a task that
    saves several times writes once. A commit in WAL mode with synchronous=NORMAL is one write without fsync (about
    50 us), which is why commits are not grouped.

    What is told to `update` has already happened in memory. When it cannot be written, as on a full disk, `update`
    waits until it can be; whatever would follow waits with it, and goes on by itself.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._lock = Lock()
        self._closed = Event()
        self._waiting: dict[str, str] = {}
        self._live: dict[str, LocalExecution] = {}
        self._recent: OrderedDict[str, LocalExecution] = OrderedDict()
        self._unsaved: dict[str, LocalExecution] = {}
        self._connection = sqlite3.connect(
            folder / "executions.sqlite3", timeout=2, isolation_level=None, check_same_thread=False
        )
        try:
            # Two engines on one folder would both fire every timer: the first one keeps the file to itself.
            self._connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = NORMAL")
            (version,) = self._connection.execute("PRAGMA user_version").fetchone()
            if version not in (0, _SCHEMA_VERSION):
                raise StoreError(f"{folder} was written by another version of the engine (schema {version})")
            self._connection.executescript(_SCHEMA)
            if version != _SCHEMA_VERSION:  # a write, for which there may be no room
                self._connection.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")
        except sqlite3.DatabaseError as error:
            raise StoreError(f"{folder} cannot be opened: {error}") from error

    @property
    def running(self) -> int:
        """How many executions have not ended."""
        return len(self._live)

    def is_live(self, arn: str) -> bool:
        """Whether the execution runs, or has ended but not yet on disk."""
        return arn in self._live

    @property
    def no_room(self) -> str | None:
        """Why nothing can be written at the moment; None while everything can."""
        return next(iter(self._waiting.copy().values()), None)

    def save(self, execution: Execution) -> None:
        self._unsaved[execution.durable_execution_arn] = _local(execution)

    def update(self, execution: Execution) -> None:
        execution = _local(execution)
        arn = execution.durable_execution_arn
        while True:
            try:
                self.write(execution)
            except sqlite3.OperationalError as error:
                if not self._waiting:
                    logger.error("%s cannot be written, everything waits: %s", self._folder, error)  # noqa: TRY400 - the reason is enough
                self._waiting[arn] = str(error)
                if self._closed.wait(_ROOM_SECONDS):
                    raise
            else:
                break
        if self._waiting.pop(arn, None) is not None and not self._waiting:
            logger.warning("%s can be written again", self._folder)

    def write(self, execution: LocalExecution) -> None:
        """As `update`, but raises sqlite3.Error at once; nothing is changed then, and a new execution is not there."""
        arn = execution.durable_execution_arn
        ended = execution.ended
        row = (
            arn,
            execution.start_input.function_name,
            execution.executed_version(),
            execution.start_input.execution_name,
            execution.current_status().value,
            _millis(execution.started),
            None if ended is None else _millis(ended),
            json.dumps(execution.to_json_dict(), separators=(",", ":")),
        )
        with self._lock:
            self._connection.execute(_UPSERT, row)
            self._unsaved.pop(arn, None)
            if execution.is_complete:
                self._live.pop(arn, None)
                self._remember(execution)
            else:
                self._live[arn] = execution

    def flush(self, arn: str) -> None:
        """Write what `save` was given for this execution."""
        execution = self._unsaved.get(arn)
        if execution is not None:
            self.update(execution)

    def load(self, execution_arn: str) -> LocalExecution:
        # Without the lock: this is asked several times in every task, and a lookup in a dict is atomic.
        live = self._live.get(execution_arn)
        if live is not None:
            return live
        with self._lock:
            execution = self._live.get(execution_arn) or self._recent.get(execution_arn)
            if execution is not None:
                return execution
            row = self._connection.execute("SELECT data FROM executions WHERE arn = ?", (execution_arn,)).fetchone()
            if row is None:
                raise KeyError(execution_arn)
            execution = LocalExecution.from_json_dict(json.loads(row[0]))
            self._remember(execution)
            return execution

    def find(self, function: str, name: str) -> LocalExecution | None:
        """The execution of that name, running or not."""
        with self._lock:
            row = self._connection.execute(
                "SELECT arn FROM executions WHERE function = ? AND name = ?", (function, name)
            ).fetchone()
        return None if row is None else self.load(row[0])

    def summaries(self, query: Query) -> tuple[list[Summary], tuple[int, int] | None]:
        """One page of executions, and the marker of the next page if there is one."""
        conditions = ["function = ?"]
        parameters: list[str | int] = [query.function]
        for condition, value in (
            ("version = ?", query.version),
            ("name = ?", query.name),
            ("started > ?", None if query.started_after is None else _millis(query.started_after)),
            ("started < ?", None if query.started_before is None else _millis(query.started_before)),
        ):
            if value is not None:
                conditions.append(condition)
                parameters.append(value)
        if query.statuses:
            conditions.append(f"status IN ({', '.join('?' * len(query.statuses))})")
            parameters.extend(sorted(query.statuses))
        if query.marker is not None:
            conditions.append(f"(started, id) {'>' if query.oldest_first else '<'} (?, ?)")
            parameters.extend(query.marker)
        order = "ASC" if query.oldest_first else "DESC"
        with self._lock:
            rows = self._connection.execute(
                "SELECT arn, function, version, name, status, started, ended, id FROM executions"  # noqa: S608 - only constants are joined
                f" WHERE {' AND '.join(conditions)} ORDER BY started {order}, id {order} LIMIT ?",
                (*parameters, query.limit + 1),
            ).fetchall()
        page = [
            Summary(arn, function, version, name, status, _moment(started), None if ended is None else _moment(ended))
            for arn, function, version, name, status, started, ended, _ in rows[: query.limit]
        ]
        last = rows[query.limit - 1] if len(rows) > query.limit else None
        return page, None if last is None else (last[5], last[7])

    def unfinished(self) -> list[LocalExecution]:
        """Every execution that has not ended, read from disk and live from now on."""
        with self._lock:
            rows = self._connection.execute("SELECT data FROM executions WHERE ended IS NULL ORDER BY id").fetchall()
            executions = [LocalExecution.from_json_dict(json.loads(data)) for (data,) in rows]
            self._live.update({execution.durable_execution_arn: execution for execution in executions})
        return executions

    def list_all(self) -> list[Execution]:
        with self._lock:
            arns = [arn for (arn,) in self._connection.execute("SELECT arn FROM executions ORDER BY id")]
        return [self.load(arn) for arn in arns]

    def prune(self, ended_before: datetime) -> int:
        """Forget the executions that ended before that moment; gives how many there were."""
        with self._lock:
            return self._connection.execute("DELETE FROM executions WHERE ended < ?", (_millis(ended_before),)).rowcount

    def close(self) -> None:
        """Release the file. Call it last: nothing can be read or written afterwards."""
        self._closed.set()
        with self._lock:
            self._connection.close()

    def _remember(self, execution: LocalExecution) -> None:
        self._recent[execution.durable_execution_arn] = execution
        if len(self._recent) > _RECENTLY_ENDED:
            self._recent.popitem(last=False)


def _local(execution: Execution) -> LocalExecution:
    if not isinstance(execution, LocalExecution):
        raise TypeError(f"expected a LocalExecution, got {type(execution).__name__}")
    return execution
