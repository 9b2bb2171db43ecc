"""The engine's execution, with what a restart and the history need on top."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from aws_durable_execution_sdk_python.lambda_service import (
    CallbackOptions,
    ErrorObject,
    Operation,
    OperationAction,
    OperationStatus,
    OperationType,
    OperationUpdate,
)
from aws_durable_execution_sdk_python_testing.execution import Execution
from aws_durable_execution_sdk_python_testing.model import StartDurableExecutionInput


class LocalExecution(Execution):
    """An execution that also remembers heartbeats, failed invocations, and whether an invocation is due."""

    def __init__(
        self, durable_execution_arn: str, start_input: StartDurableExecutionInput, operations: list[Operation]
    ) -> None:
        super().__init__(durable_execution_arn, start_input, operations)
        self.heartbeats: dict[str, datetime] = {}
        self.invocation_errors: dict[str, ErrorObject] = {}
        # True from the start, and from the begin of each invocation, until one has ended cleanly; a crash in between
        # must invoke again.
        self.invocation_due = True

    @property
    def started(self) -> datetime:
        """When the execution started, in UTC."""
        timestamp = self.get_operation_execution_started().start_timestamp
        if timestamp is None:
            raise ValueError(f"{self.durable_execution_arn} has no start timestamp")
        return timestamp

    @property
    def ended(self) -> datetime | None:
        """When the execution ended, in UTC; None while it runs."""
        return self.get_operation_execution_started().end_timestamp

    @property
    def input_payload(self) -> str | None:
        """The JSON text that the execution was started with."""
        details = self.get_operation_execution_started().execution_details
        return details.input_payload if details is not None else None

    def callback_options(self, operation_id: str) -> CallbackOptions:
        """The timeouts that the callback was created with; zero means none."""
        for update in self.updates:
            if update.operation_id == operation_id and update.action is OperationAction.START:
                return update.callback_options or CallbackOptions()
        return CallbackOptions()

    def open_callbacks(self) -> list[Operation]:
        """The callbacks that wait for an answer."""
        return [
            operation
            for operation in self.operations
            if operation.callback_details is not None and operation.status is OperationStatus.STARTED
        ]

    def open_chained_invokes(self) -> list[OperationUpdate]:
        """The checkpoints that began the chained invokes whose targets have not ended."""
        open_ids = {
            operation.operation_id
            for operation in self.operations
            if operation.operation_type is OperationType.CHAINED_INVOKE and operation.status is OperationStatus.STARTED
        }
        return [
            update
            for update in self.updates
            if update.operation_id in open_ids and update.action is OperationAction.START
        ]

    def to_json_dict(self) -> dict[str, Any]:
        data = super().to_json_dict()
        data["Heartbeats"] = {operation_id: at.isoformat() for operation_id, at in self.heartbeats.items()}
        data["InvocationErrors"] = {
            request_id: dict(error.to_dict()) for request_id, error in self.invocation_errors.items()
        }
        data["InvocationDue"] = self.invocation_due
        return data

    @classmethod
    def from_json_dict(cls, data: dict[str, Any]) -> LocalExecution:
        execution = super().from_json_dict(data)
        if not isinstance(execution, LocalExecution):
            raise TypeError(f"expected a LocalExecution, got {type(execution).__name__}")
        execution.heartbeats = {
            operation_id: datetime.fromisoformat(at) for operation_id, at in data["Heartbeats"].items()
        }
        execution.invocation_errors = {
            request_id: ErrorObject.from_dict(error) for request_id, error in data["InvocationErrors"].items()
        }
        execution.invocation_due = data["InvocationDue"]
        return execution
