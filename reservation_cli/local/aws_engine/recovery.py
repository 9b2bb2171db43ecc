"""Picking up the executions that a stopped or killed engine left behind, and forgetting those that ended long ago."""

from __future__ import annotations

import logging
import sqlite3
import threading
from datetime import timedelta

from reservation_cli.local.aws_engine.clock import MillisecondClock
from reservation_cli.local.aws_engine.execution import LocalExecution
from reservation_cli.local.aws_engine.executor import LocalExecutor
from reservation_cli.local.aws_engine.store import SqliteStore

logger = logging.getLogger(__name__)

# Lambda's default for `RetentionPeriodInDays`.
RETENTION_DAYS = 14
_HOUR = 3600.0


def recover(executor: LocalExecutor, store: SqliteStore, clock: MillisecondClock) -> int:
    """Re-arm every timer with what is left of it and invoke what was being invoked; gives how many were picked up.

    What fell due while the engine was down fires at once. Executions past their retention are forgotten.
    """
    forget(store, clock)
    unfinished = store.unfinished()
    for execution in unfinished:
        _resume(executor, execution)
    return len(unfinished)


def forget(store: SqliteStore, clock: MillisecondClock) -> int:
    """Forget the executions past their retention; gives how many there were. On a full disk they stay until later."""
    try:
        return store.prune(clock.now() - timedelta(days=RETENTION_DAYS))
    except sqlite3.OperationalError as error:
        logger.warning("what is past its retention cannot be forgotten: %s", error)
        return 0


def forget_hourly(store: SqliteStore, clock: MillisecondClock, ended: threading.Event, seconds: float = _HOUR) -> None:
    """The same every hour until `ended`: an engine may run for weeks."""
    while not ended.wait(seconds):
        forget(store, clock)


def _resume(executor: LocalExecutor, execution: LocalExecution) -> None:
    arn = execution.durable_execution_arn
    executor.arm_execution_timeout(execution)
    for callback in execution.open_callbacks():
        executor.arm_callback(execution, callback)
    executor.arm_wakeup(arn)
    if execution.invocation_due or execution.has_unseen_changes():
        executor.invoke(arn)
