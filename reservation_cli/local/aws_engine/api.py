"""The durable-execution operations of the Lambda API. Member names and defaults are those of botocore's model."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

from aws_durable_execution_sdk_python.lambda_service import ErrorObject
from aws_durable_execution_sdk_python_testing.model import CheckpointDurableExecutionRequest

from reservation_cli.local.aws_engine.errors import ApiError, invalid_parameter
from reservation_cli.local.aws_engine.execution import LocalExecution
from reservation_cli.local.aws_engine.executor import LocalExecutor
from reservation_cli.local.aws_engine.functions import Functions
from reservation_cli.local.aws_engine.history import history
from reservation_cli.local.aws_engine.invoke import InvokeApi
from reservation_cli.local.aws_engine.recovery import RETENTION_DAYS
from reservation_cli.local.aws_engine.store import Query, SqliteStore
from reservation_cli.local.aws_engine.wire import (
    Request,
    Response,
    is_number,
    json_response,
    parse_moment,
    without_nulls,
)

_STATUSES = frozenset(("RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "STOPPED", "DELETING", "PAUSING", "PAUSED"))
_ARN = re.compile(
    r"arn:([a-zA-Z0-9-]+):lambda:([a-zA-Z0-9-]+):(\d{12}):function:([a-zA-Z0-9_-]+):"
    r"(\$LATEST(?:\.PUBLISHED)?|[0-9]+)/durable-execution/([a-zA-Z0-9_-]+)/([a-zA-Z0-9_-]+)"
)
#: Of `BinaryOperationPayload` in botocore's model. For an `ErrorObject` none is documented: here it is the same.
_OUTCOME_LIMIT = 1024 * 1024
_ERROR_TEXTS = ("ErrorMessage", "ErrorType", "ErrorData")


class Api:
    """Routes a request to its operation."""

    def __init__(self, functions: Functions, executor: LocalExecutor, store: SqliteStore, invoke: InvokeApi) -> None:
        self._functions = functions
        self._executor = executor
        self._store = store
        self._invoke = invoke

    def handle(self, request: Request) -> Response:
        """Answer one request. Raises `ApiError`."""
        match request.method, *request.segments:
            case "POST", "2015-03-31", "functions", function, "invocations":
                return self._invoke.handle(function, request)
            case "GET", "2025-12-01", "functions", function, "durable-executions":
                return self._list(function, request)
            case "GET", "2025-12-01", "durable-executions", arn:
                return self._get(arn, request)
            case "GET", "2025-12-01", "durable-executions", arn, "history":
                return self._history(arn, request)
            case "GET", "2025-12-01", "durable-executions", arn, "state":
                return self._state(arn, request)
            case "POST", "2025-12-01", "durable-executions", arn, "checkpoint":
                return self._checkpoint(arn, request)
            case "POST", "2025-12-01", "durable-executions", arn, "stop":
                return self._stop(arn, request)
            case "POST", "2025-12-01", "durable-execution-callbacks", callback_id, "succeed":
                return self._succeed_callback(callback_id, request)
            case "POST", "2025-12-01", "durable-execution-callbacks", callback_id, "fail":
                self._executor.fail_callback(callback_id, _error(request))
                return json_response({})
            case "POST", "2025-12-01", "durable-execution-callbacks", callback_id, "heartbeat":
                self._executor.beat_callback(callback_id)
                return json_response({})
        raise ApiError(
            404, "UnknownOperationException", f"This endpoint has no {request.method} /{'/'.join(request.segments)}"
        )

    def _find(self, arn: str) -> LocalExecution:
        if _ARN.fullmatch(arn) is None:
            raise invalid_parameter(f"Invalid durable execution ARN: {arn}")
        return self._executor.find(arn)

    def _get(self, arn: str, request: Request) -> Response:
        execution = self._find(arn)
        return self._executor.look(execution, lambda: self._description(execution, request))

    def _description(self, execution: LocalExecution, request: Request) -> Response:
        include_data = request.flag("IncludeExecutionData", default=True)
        timeout = execution.start_input.execution_timeout_seconds
        document: dict[str, Any] = {
            "DurableExecutionArn": execution.durable_execution_arn,
            "DurableExecutionName": execution.start_input.execution_name,
            "FunctionArn": execution.function_arn(self._functions.region),
            "StartTimestamp": execution.started,
            "Status": execution.current_status().value,
            "Version": execution.executed_version(),
            "ExecutionDataIncluded": include_data,
            "DurableConfig": {"RetentionPeriodInDays": RETENTION_DAYS, "ExecutionTimeout": timeout},
        }
        if execution.ended is None:
            document["ExpectedExecutionTimeoutTimestamp"] = execution.started + timedelta(seconds=timeout)
        else:
            document["EndTimestamp"] = execution.ended
        if include_data:
            document["InputPayload"] = execution.input_payload
            outcome = execution.result
            if outcome is not None and outcome.result is not None:
                document["Result"] = outcome.result
            if outcome is not None and outcome.error is not None:
                document["Error"] = outcome.error.to_dict()
        return json_response(document)

    def _history(self, arn: str, request: Request) -> Response:
        execution = self._find(arn)
        include_data = request.flag("IncludeExecutionData", default=True)
        events = self._executor.look(execution, lambda: history(execution, include_data=include_data))
        marker, size = request.parameter("Marker"), request.page_size()
        if marker is not None and not is_number(marker):
            raise invalid_parameter(f"Invalid marker: {marker}")
        # The marker is the id of the last event of the page before: events are only ever added behind it.
        if request.flag("ReverseOrder", default=False):
            events = [event for event in reversed(events) if marker is None or event["EventId"] < int(marker)]
        else:
            events = [event for event in events if marker is None or event["EventId"] > int(marker)]
        document: dict[str, Any] = {"Events": events[:size]}
        if len(events) > size:
            document["NextMarker"] = str(events[size - 1]["EventId"])
        return json_response(document)

    def _find_for_handler(self, arn: str) -> None:
        """As `_find`, for the operations that Lambda's model gives no ResourceNotFoundException."""
        try:
            self._find(arn)
        except ApiError as error:
            raise invalid_parameter(error.message) from error

    def _state(self, arn: str, request: Request) -> Response:
        self._find_for_handler(arn)
        state = self._executor.get_execution_state(
            arn, request.parameter("CheckpointToken"), request.parameter("Marker"), request.page_size()
        )
        return json_response(without_nulls(state.to_dict()))

    def _checkpoint(self, arn: str, request: Request) -> Response:
        self._find_for_handler(arn)
        try:
            checkpoint = CheckpointDurableExecutionRequest.from_dict(request.json_object(), arn)
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            raise invalid_parameter(f"Malformed checkpoint: {error!r}") from error
        response = self._executor.checkpoint_execution(
            arn, checkpoint.checkpoint_token, checkpoint.updates, checkpoint.client_token
        )
        return json_response(without_nulls(response.to_dict()))

    def _stop(self, arn: str, request: Request) -> Response:
        self._find(arn)
        error = _error(request)
        stopped = self._executor.stop_execution(arn, error if error.to_dict() else None)
        return json_response(stopped.to_dict())

    def _succeed_callback(self, callback_id: str, request: Request) -> Response:
        if len(request.body) > _OUTCOME_LIMIT:
            raise invalid_parameter(f"The callback's result is larger than {_OUTCOME_LIMIT} bytes")
        try:
            request.body.decode()
        except ValueError as error:
            raise invalid_parameter("The callback's result is not UTF-8 text") from error
        self._executor.succeed_callback(callback_id, request.body)
        return json_response({})

    def _list(self, reference: str, request: Request) -> Response:
        target = self._functions.resolve(reference, request.parameter("Qualifier"))
        statuses = frozenset(request.query.get("Statuses", []))
        if not statuses <= _STATUSES:
            raise invalid_parameter(f"Unknown status: {', '.join(sorted(statuses - _STATUSES))}")
        page, marker = self._store.summaries(
            Query(
                function=target.function.name,
                version=target.version,
                name=request.parameter("DurableExecutionName"),
                statuses=statuses,
                started_after=_moment(request, "StartedAfter"),
                started_before=_moment(request, "StartedBefore"),
                oldest_first=request.flag("ReverseOrder", default=False),
                limit=request.page_size(),
                marker=_list_marker(request.parameter("Marker")),
            )
        )
        executions = [
            {
                "DurableExecutionArn": summary.arn,
                "DurableExecutionName": summary.name,
                "FunctionArn": self._functions.arn(summary.function, summary.version),
                "Status": summary.status,
                "StartTimestamp": summary.started,
                **({} if summary.ended is None else {"EndTimestamp": summary.ended}),
            }
            for summary in page
        ]
        document: dict[str, Any] = {"DurableExecutions": executions}
        if marker is not None:
            document["NextMarker"] = f"{marker[0]}.{marker[1]}"
        return json_response(document)


def _error(request: Request) -> ErrorObject:
    """The body as an `ErrorObject`: it is the error itself, not a member of it. Members that are null are not there."""
    if len(request.body) > _OUTCOME_LIMIT:
        raise invalid_parameter(f"The error is larger than {_OUTCOME_LIMIT} bytes")
    members = {name: value for name, value in request.json_object().items() if value is not None}
    for name in _ERROR_TEXTS:
        if not isinstance(members.get(name, ""), str):
            raise invalid_parameter(f"{name} must be a string")
    trace = members.get("StackTrace", [])
    if not isinstance(trace, list) or not all(isinstance(entry, str) for entry in trace):
        raise invalid_parameter("StackTrace must be a list of strings")
    return ErrorObject.from_dict(members)


def _moment(request: Request, name: str) -> datetime | None:
    value = request.parameter(name)
    return None if value is None else parse_moment(value)


def _list_marker(marker: str | None) -> tuple[int, int] | None:
    if marker is None:
        return None
    started, _, row = marker.partition(".")
    if not is_number(started) or not is_number(row):
        raise invalid_parameter(f"Invalid marker: {marker}")
    return int(started), int(row)
