"""The history of an execution, told from the checkpoints that the engine keeps.

The engine tells it too, but loses the details of invocations, of retries and of callback timeouts, and ignores
`IncludeExecutionData`. The shapes are those of `Event` in botocore's model of Lambda.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from typing import Any

from aws_durable_execution_sdk_python.lambda_service import (
    ChainedInvokeOptions,
    ErrorObject,
    Operation,
    OperationAction,
    OperationStatus,
    OperationType,
    OperationUpdate,
)

from reservation_cli.local.aws_engine.execution import LocalExecution
from reservation_cli.local.aws_engine.functions import version_of

Event = dict[str, Any]


class _Rank(IntEnum):
    """The order of events of the same millisecond."""

    EXECUTION_STARTED = 0
    CHECKPOINT = 1
    COMPLETION = 2
    INVOCATION = 3
    EXECUTION_ENDED = 4


_EXECUTION_ENDS = {
    OperationStatus.SUCCEEDED: "ExecutionSucceeded",
    OperationStatus.FAILED: "ExecutionFailed",
    OperationStatus.TIMED_OUT: "ExecutionTimedOut",
    OperationStatus.STOPPED: "ExecutionStopped",
}
_COMPLETIONS = {
    OperationStatus.SUCCEEDED: "Succeeded",
    OperationStatus.FAILED: "Failed",
    OperationStatus.TIMED_OUT: "TimedOut",
    OperationStatus.STOPPED: "Stopped",
    OperationStatus.CANCELLED: "Cancelled",
}


@dataclass
class _Teller:
    include_data: bool
    events: list[tuple[datetime, _Rank, Event]] = field(default_factory=list)

    def tell(
        self, at: datetime, rank: _Rank, kind: str, details: dict[str, Any], operation: Operation | None = None
    ) -> None:
        event: Event = {"EventType": kind, "EventTimestamp": at}
        if operation is not None:
            optional = {"SubType": operation.sub_type, "Name": operation.name, "ParentId": operation.parent_id}
            event["Id"] = operation.operation_id
            event.update({key: value for key, value in optional.items() if value is not None})
        event[f"{kind}Details"] = details
        self.events.append((at, rank, event))

    def data(self, payload: str | None) -> dict[str, Any]:
        """An `EventInput` or `EventResult`."""
        return self._maybe(payload)

    def error(self, error: ErrorObject | None) -> dict[str, Any]:
        """An `EventError`."""
        return self._maybe(None if error is None else dict(error.to_dict()))

    def _maybe(self, payload: object) -> dict[str, Any]:
        shown = {"Payload": payload} if self.include_data and payload is not None else {}
        return {**shown, "Truncated": not self.include_data}


def history(execution: LocalExecution, *, include_data: bool) -> list[Event]:
    """Every event so far, oldest first, numbered from 1; timestamps are datetimes in UTC."""
    teller = _Teller(include_data)
    _tell_execution(teller, execution)
    _tell_checkpoints(teller, execution)
    _tell_completions(teller, execution)
    for completion in execution.invocation_completions:
        details: dict[str, Any] = completion.to_dict()
        error = execution.invocation_errors.get(completion.request_id)
        if error is not None:
            details["Error"] = teller.error(error)
        teller.tell(completion.end_timestamp, _Rank.INVOCATION, "InvocationCompleted", details)
    teller.events.sort(key=lambda entry: entry[:2])
    return [{**event, "EventId": number} for number, (_, _, event) in enumerate(teller.events, 1)]


def _tell_execution(teller: _Teller, execution: LocalExecution) -> None:
    operation = execution.get_operation_execution_started()
    teller.tell(
        execution.started,
        _Rank.EXECUTION_STARTED,
        "ExecutionStarted",
        {
            "Input": teller.data(execution.input_payload),
            "ExecutionTimeout": execution.start_input.execution_timeout_seconds,
        },
        operation,
    )
    if execution.ended is None:
        return
    kind = _EXECUTION_ENDS[operation.status]
    result = execution.result
    details = (
        {"Result": teller.data(result.result if result else None)}
        if kind == "ExecutionSucceeded"
        else {"Error": teller.error(result.error if result else None)}
    )
    teller.tell(execution.ended, _Rank.EXECUTION_ENDED, kind, details, operation)


def _tell_checkpoints(teller: _Teller, execution: LocalExecution) -> None:
    operations = {operation.operation_id: operation for operation in execution.operations}
    attempts: dict[str, int] = {}
    for update, at in zip(execution.updates, execution.update_timestamps, strict=True):
        operation = operations.get(update.operation_id)
        if operation is None or update.operation_type is OperationType.EXECUTION:
            continue
        told = _checkpoint(teller, execution, operation, update, attempts.get(update.operation_id, 0) + 1)
        if told is not None:
            teller.tell(at, _Rank.CHECKPOINT, *told, operation)
        if update.action is OperationAction.RETRY:
            attempts[update.operation_id] = attempts.get(update.operation_id, 0) + 1


def _checkpoint(
    teller: _Teller, execution: LocalExecution, operation: Operation, update: OperationUpdate, attempt: int
) -> tuple[str, dict[str, Any]] | None:
    match update.operation_type, update.action:
        case OperationType.STEP, OperationAction.START:
            return "StepStarted", {}
        case OperationType.STEP, OperationAction.RETRY | OperationAction.SUCCEED | OperationAction.FAIL:
            retry: dict[str, Any] = {"CurrentAttempt": attempt}
            if update.action is OperationAction.RETRY and update.step_options is not None:
                retry["NextAttemptDelaySeconds"] = update.step_options.next_attempt_delay_seconds
            # A wait-for-condition that goes on is a retry without an error, and a success in the history.
            if update.action is OperationAction.FAIL or update.error is not None:
                return "StepFailed", {"Error": teller.error(update.error), "RetryDetails": retry}
            return "StepSucceeded", {"Result": teller.data(update.payload), "RetryDetails": retry}
        case OperationType.CONTEXT, OperationAction.START:
            return "ContextStarted", {}
        case OperationType.CONTEXT, OperationAction.SUCCEED:
            return "ContextSucceeded", {"Result": teller.data(update.payload)}
        case OperationType.CONTEXT, OperationAction.FAIL:
            return "ContextFailed", {"Error": teller.error(update.error)}
        case OperationType.WAIT, OperationAction.START:
            due = operation.wait_details.scheduled_end_timestamp if operation.wait_details else None
            seconds = update.wait_options.wait_seconds if update.wait_options else 0
            return "WaitStarted", {"Duration": seconds, "ScheduledEndTimestamp": due}
        case OperationType.CALLBACK, OperationAction.START if operation.callback_details is not None:
            options = execution.callback_options(operation.operation_id)
            timeouts = {"Timeout": options.timeout_seconds, "HeartbeatTimeout": options.heartbeat_timeout_seconds}
            return "CallbackStarted", {
                "CallbackId": operation.callback_details.callback_id,
                **{name: seconds for name, seconds in timeouts.items() if seconds > 0},
            }
        case OperationType.CHAINED_INVOKE, OperationAction.START if update.chained_invoke_options is not None:
            return "ChainedInvokeStarted", _chained_invoke(teller, execution, update, update.chained_invoke_options)
    return None


def _chained_invoke(
    teller: _Teller, execution: LocalExecution, update: OperationUpdate, options: ChainedInvokeOptions
) -> dict[str, Any]:
    child = execution.chained_invoke_children.get(update.operation_id)
    _, _, qualifier = options.function_name.rpartition("function:")[2].partition(":")
    return {
        "FunctionName": options.function_name,
        "Input": teller.data(update.payload),
        "ExecutedVersion": version_of(qualifier) or "$LATEST",
        **({"TenantId": options.tenant_id} if options.tenant_id is not None else {}),
        **({"DurableExecutionArn": child} if child is not None else {}),
    }


def _tell_completions(teller: _Teller, execution: LocalExecution) -> None:
    """What ended by a timer or from outside, and so without a checkpoint of its own."""
    for operation in execution.operations:
        at, ending = operation.end_timestamp, _COMPLETIONS.get(operation.status)
        if at is None or ending is None:
            continue
        match operation.operation_type:
            case OperationType.WAIT:
                details = _wait_end(operation)
                teller.tell(at, _Rank.COMPLETION, f"Wait{ending}", details, operation)
            case OperationType.CALLBACK:
                callback = operation.callback_details
                outcome = (callback.result, callback.error) if callback else (None, None)
                details = _outcome(teller, operation.status, *outcome)
                teller.tell(at, _Rank.COMPLETION, f"Callback{ending}", details, operation)
            case OperationType.CHAINED_INVOKE:
                chained = operation.chained_invoke_details
                outcome = (chained.result, chained.error) if chained else (None, None)
                details = _outcome(teller, operation.status, *outcome)
                teller.tell(at, _Rank.COMPLETION, f"ChainedInvoke{ending}", details, operation)


def _wait_end(operation: Operation) -> dict[str, Any]:
    due = operation.wait_details.scheduled_end_timestamp if operation.wait_details else None
    if operation.status is OperationStatus.CANCELLED or due is None or operation.start_timestamp is None:
        return {}
    return {"Duration": round((due - operation.start_timestamp).total_seconds())}


def _outcome(teller: _Teller, status: OperationStatus, result: str | None, error: ErrorObject | None) -> dict[str, Any]:
    if status is OperationStatus.SUCCEEDED:
        return {"Result": teller.data(result)}
    return {"Error": teller.error(error)}
