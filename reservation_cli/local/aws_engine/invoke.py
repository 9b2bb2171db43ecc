"""The caller's Invoke: it starts durable executions, and passes plain functions straight to the handler host."""

from __future__ import annotations

import json
import logging
import re
import sqlite3
from threading import Lock, Thread
from uuid import uuid4

from aws_durable_execution_sdk_python_testing.child_dispatcher import is_valid_tenant_id
from aws_durable_execution_sdk_python_testing.execution import ExecutionStatus
from aws_durable_execution_sdk_python_testing.model import StartDurableExecutionInput

from reservation_cli.domain import json_text
from reservation_cli.local.aws_engine.errors import ApiError, invalid_parameter, not_stored
from reservation_cli.local.aws_engine.execution import LocalExecution
from reservation_cli.local.aws_engine.executor import LocalExecutor
from reservation_cli.local.aws_engine.functions import ACCOUNT_ID, Functions, Target
from reservation_cli.local.aws_engine.host import HandlerHost, HostLostError, HostReply, HostUnavailableError
from reservation_cli.local.aws_engine.recovery import RETENTION_DAYS
from reservation_cli.local.aws_engine.store import SqliteStore
from reservation_cli.local.aws_engine.wire import Request, Response

logger = logging.getLogger(__name__)

_ASYNC_PAYLOAD_LIMIT = 1024 * 1024
_SYNC_PAYLOAD_LIMIT = 6 * 1024 * 1024
_LONGEST_SYNC_TIMEOUT_SECONDS = 15 * 60
_EXECUTION_NAME = re.compile(r"[a-zA-Z0-9-_]{1,64}")
# A caller of a plain function waits for an answer: shorter than a client's usual read timeout of 60 seconds.
_PLAIN_PATIENCE_SECONDS = 10.0


class InvokeApi:
    """`POST /2015-03-31/functions/{FunctionName}/invocations`."""

    def __init__(self, functions: Functions, executor: LocalExecutor, store: SqliteStore, host: HandlerHost) -> None:
        self._functions = functions
        self._executor = executor
        self._store = store
        self._host = host
        self._starting = Lock()

    def handle(self, reference: str, request: Request) -> Response:
        """Answer one Invoke. Raises `ApiError`."""
        target = self._functions.resolve(reference, request.parameter("Qualifier"))
        kind = request.headers.get("X-Amz-Invocation-Type") or "RequestResponse"
        if kind not in ("Event", "RequestResponse", "DryRun"):
            raise invalid_parameter(f"Unknown InvocationType: {kind}")
        if target.function.durable and target.version is None:
            raise invalid_parameter("You cannot invoke a durable function using an unqualified ARN.")
        tenant = request.headers.get("X-Amz-Tenant-Id")
        if tenant is not None and not is_valid_tenant_id(tenant):
            raise invalid_parameter(
                f"1 validation error detected: Value '{tenant}' at 'tenantId' failed to satisfy constraint: "
                "Member must satisfy regular expression pattern: [a-zA-Z0-9\\._:\\/=+\\-@ ]+"
            )
        payload = _checked_payload(request.body, kind)
        if kind == "DryRun":
            return Response(204)
        if target.function.durable:
            return self._invoke_durable(target, kind, payload, request)
        return self._invoke_plain(target, kind, payload, request)

    def _invoke_durable(self, target: Target, kind: str, payload: str, request: Request) -> Response:
        timeout, version = target.function.execution_timeout, target.version
        if timeout is None or version is None:
            raise ValueError(f"{target.function.name} is not a qualified durable function")
        if kind == "RequestResponse" and timeout > _LONGEST_SYNC_TIMEOUT_SECONDS:
            raise invalid_parameter(
                "You cannot synchronously invoke a durable function with an executionTimeout greater than 15 minutes."
            )
        name = request.headers.get("X-Amz-Durable-Execution-Name") or str(uuid4())
        if _EXECUTION_NAME.fullmatch(name) is None:
            raise invalid_parameter(
                f"1 validation error detected: Value '{name}' at 'durableExecutionName' failed to satisfy constraint: "
                "Member must satisfy regular expression pattern: [a-zA-Z0-9-_]+ with at most 64 characters"
            )
        start = StartDurableExecutionInput(
            account_id=ACCOUNT_ID,
            function_name=target.function.name,
            function_qualifier=version,
            execution_name=name,
            execution_timeout_seconds=timeout,
            execution_retention_period_days=RETENTION_DAYS,
            invocation_id=str(uuid4()),
            tenant_id=request.headers.get("X-Amz-Tenant-Id"),
            input=payload,
        )
        arn = self._start(start)
        headers = {"X-Amz-Durable-Execution-Arn": arn, "X-Amz-Executed-Version": version}
        if kind == "Event":
            return Response(202, b"", headers)
        return _outcome(self._executor.wait_for_end(arn), headers)

    def _start(self, start: StartDurableExecutionInput) -> str:
        with self._starting:
            existing = self._store.find(start.function_name, start.execution_name)
            if existing is None:
                try:
                    arn = self._executor.start_execution(start).execution_arn
                except sqlite3.Error as error:
                    raise not_stored(error) from error
                if arn is None:
                    raise ValueError("the engine started an execution without an ARN")
                return arn
        if existing.start_input.input != start.input:
            raise ApiError(
                409,
                "DurableExecutionAlreadyStartedException",
                f"Durable execution already started with another payload: {start.execution_name}",
            )
        return existing.durable_execution_arn

    def _invoke_plain(self, target: Target, kind: str, payload: str, request: Request) -> Response:
        version = target.version or "$LATEST"
        identifier = target.identifier
        headers = {"Content-Type": "application/json"}
        client_context = request.headers.get("X-Amz-Client-Context")
        if client_context is not None:
            headers["X-Amz-Client-Context"] = client_context
        tenant = request.headers.get("X-Amz-Tenant-Id")
        if tenant is not None:
            headers["X-Amz-Tenant-Id"] = tenant

        def call(patience: float | None) -> HostReply:
            return self._host.call(identifier, payload.encode(), headers, patience=patience)

        executed = {"X-Amz-Executed-Version": version}
        if kind == "Event":

            def run() -> None:
                try:
                    call(None)
                except (HostUnavailableError, HostLostError, TimeoutError):
                    logger.exception("the asynchronous invocation of %s failed", identifier)

            Thread(target=run, name="plain-event", daemon=True).start()
            return Response(202, b"", executed)
        try:
            reply = call(_PLAIN_PATIENCE_SECONDS)
        except HostUnavailableError as error:
            raise ApiError(500, "ServiceException", f"The handler host does not answer: {error}") from error
        except (HostLostError, TimeoutError):
            document = {"errorType": "Runtime.ExitError", "errorMessage": "Runtime exited without an answer"}
            return _function_error(document, executed)
        if reply.status != 200:
            code = reply.headers.get("x-amzn-errortype") or "ServiceException"
            raise ApiError(reply.status, code, f"The handler host refused {identifier}")
        if reply.function_error is not None:
            executed["X-Amz-Function-Error"] = reply.function_error
        return Response(200, reply.body, {**executed, "Content-Type": "application/json"})


def _checked_payload(body: bytes, kind: str) -> str:
    limit = _ASYNC_PAYLOAD_LIMIT if kind == "Event" else _SYNC_PAYLOAD_LIMIT
    if len(body) > limit:
        raise ApiError(
            413,
            "RequestTooLargeException",
            f"{len(body)} byte payload is too large for the {kind} invocation type (limit {limit} bytes)",
        )
    try:
        payload = body.decode() or "{}"
        json_text.loads(payload)
    except ValueError as error:
        raise ApiError(
            400, "InvalidRequestContentException", f"Could not parse request body into json: {error}"
        ) from error
    return payload


def _outcome(execution: LocalExecution, headers: dict[str, str]) -> Response:
    result = execution.result
    if execution.current_status() is ExecutionStatus.SUCCEEDED:
        body = (result.result if result else None) or "null"
        return Response(200, body.encode(), {**headers, "Content-Type": "application/json"})
    error = result.error if result else None
    status = execution.current_status().value
    document: dict[str, object] = {
        "errorType": (error.type if error else None) or status,
        "errorMessage": (error.message if error else None) or f"The durable execution ended as {status}",
    }
    if error is not None and error.stack_trace:
        document["stackTrace"] = error.stack_trace
    return _function_error(document, headers)


def _function_error(document: dict[str, object] | dict[str, str], headers: dict[str, str]) -> Response:
    return Response(
        200,
        json.dumps(document).encode(),
        {**headers, "Content-Type": "application/json", "X-Amz-Function-Error": "Unhandled"},
    )
