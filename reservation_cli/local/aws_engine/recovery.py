"""Picking up the executions that a stopped or killed engine left behind."""

from __future__ import annotations

from datetime import timedelta

from reservation_cli.local.aws_engine.clock import MillisecondClock
from reservation_cli.local.aws_engine.execution import LocalExecution
from reservation_cli.local.aws_engine.executor import LocalExecutor
from reservation_cli.local.aws_engine.store import SqliteStore

# Lambda's default for `RetentionPeriodInDays`.
RETENTION_DAYS = 14


def recover(executor: LocalExecutor, store: SqliteStore, clock: MillisecondClock) -> int:
    """Re-arm every timer with what is left of it and invoke what was being invoked; gives how many were picked up.

    What fell due while the engine was down fires at once. Executions past their retention are forgotten.
    """
    store.prune(clock.now() - timedelta(days=RETENTION_DAYS))
    unfinished = store.unfinished()
    for execution in unfinished:
        _resume(executor, execution)
    return len(unfinished)


def _resume(executor: LocalExecutor, execution: LocalExecution) -> None:
    arn = execution.durable_execution_arn
    executor.arm_execution_timeout(execution)
    for callback in execution.open_callbacks():
        executor.arm_callback(execution, callback)
    executor.arm_wakeup(arn)
    if execution.invocation_due or execution.has_unseen_changes():
        executor.invoke(arn)
