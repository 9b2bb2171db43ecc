"""The handler host: the process that runs the functions' code, spoken to with Lambda's own Invoke."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPMessage
from typing import Any
from urllib.parse import quote, urlsplit
from uuid import uuid4

from aws_durable_execution_sdk_python.execution import DurableExecutionInvocationInput, InitialExecutionState
from aws_durable_execution_sdk_python.lambda_service import ErrorObject
from aws_durable_execution_sdk_python_testing.checkpoint.processor import DEFAULT_MAX_INVOCATION_PAGE_BYTES
from aws_durable_execution_sdk_python_testing.exceptions import ResourceNotFoundException
from aws_durable_execution_sdk_python_testing.execution import Execution, OperationPaginatorState
from aws_durable_execution_sdk_python_testing.invoker import (
    INVOCATION_MARKER_HEADER,
    INVOCATION_MARKER_VALUE,
    Invoker,
    InvokeResponse,
)

# Lambda's longest function timeout, plus the time an answer may take on its way.
_ANSWER_SECONDS = 900 + 60
_RETRY_SECONDS = (0.02, 0.05, 0.1)
_RETRY_SECONDS_AFTERWARDS = 0.2


class HostUnavailableError(Exception):
    """Nothing listens at the host's address; no code has run."""


class HostLostError(Exception):
    """The host took the request and died, or broke the connection, before it answered."""


class InvocationAbandonedError(Exception):
    """The execution ended while its invocation was waiting for the host."""


class InvocationFailedError(Exception):
    """The handler's process crashed, or the handler failed outside the durable protocol."""

    def __init__(self, error: ErrorObject, request_id: str, *, crashed: bool) -> None:
        super().__init__(error.message or error.type or "the invocation failed")
        self.error = error
        self.request_id = request_id
        self.crashed = crashed


@dataclass(frozen=True, slots=True)
class HostReply:
    """An HTTP answer of the host."""

    status: int
    headers: HTTPMessage
    body: bytes

    @property
    def request_id(self) -> str:
        return self.headers.get("x-amzn-requestid") or str(uuid4())

    @property
    def function_error(self) -> str | None:
        return self.headers.get("x-amz-function-error")


class HandlerHost(Invoker):
    """Invokes handlers at `url` (http://host:port).

    Waits `patience` seconds for a host that is being restarted; `still_running` tells whether the execution with that
    ARN is worth waiting for.
    """

    def __init__(
        self, url: str, *, patience: float = 60.0, still_running: Callable[[str], bool] = lambda _: True
    ) -> None:
        address = urlsplit(url)
        if address.scheme != "http" or address.hostname is None or address.port is None:
            raise ValueError(f"not a host URL of the form http://127.0.0.1:PORT: {url}")
        self._hostname = address.hostname
        self._port = address.port
        self._patience = patience
        self._still_running = still_running

    def call(
        self,
        identifier: str,
        payload: bytes,
        headers: dict[str, str],
        *,
        patience: float | None = None,
        wanted: Callable[[], bool] = lambda: True,
    ) -> HostReply:
        """Invoke the function `identifier` (`name` or `name:version`) once.

        Raises `HostUnavailableError` when nothing listens for `patience` seconds, `InvocationAbandonedError` when
        `wanted` turns false meanwhile, `HostLostError` when the answer never comes, `TimeoutError` when it comes late.
        """
        deadline = time.monotonic() + (self._patience if patience is None else patience)
        attempt = 0
        while True:
            try:
                reply = self._call_once(identifier, payload, headers)
                if reply.status != 503:
                    return reply
            except HostUnavailableError:
                if time.monotonic() >= deadline:
                    raise
            if time.monotonic() >= deadline:
                raise HostUnavailableError("the handler host is not ready")
            time.sleep(_RETRY_SECONDS[attempt] if attempt < len(_RETRY_SECONDS) else _RETRY_SECONDS_AFTERWARDS)
            attempt += 1
            if not wanted():
                raise InvocationAbandonedError(identifier)

    def _call_once(self, identifier: str, payload: bytes, headers: dict[str, str]) -> HostReply:
        # A fresh connection each time: on a kept one, a reset could mean an idle timeout as well as a crash.
        connection = HTTPConnection(self._hostname, self._port, timeout=_ANSWER_SECONDS)
        try:
            try:
                connection.connect()
            except OSError as error:
                raise HostUnavailableError(f"the handler host does not listen: {error}") from error
            try:
                connection.request(
                    "POST", f"/2015-03-31/functions/{quote(identifier, safe='')}/invocations", payload, headers
                )
                response = connection.getresponse()
                return HostReply(response.status, response.headers, response.read())
            except TimeoutError:
                raise
            except (OSError, HTTPException) as error:
                raise HostLostError(str(error) or type(error).__name__) from error
        finally:
            connection.close()

    def create_invocation_input(self, execution: Execution) -> DurableExecutionInvocationInput:
        operations, marker = OperationPaginatorState.pin(execution).page(None, DEFAULT_MAX_INVOCATION_PAGE_BYTES)
        return DurableExecutionInvocationInput(
            durable_execution_arn=execution.durable_execution_arn,
            checkpoint_token=execution.get_new_checkpoint_token(),
            initial_execution_state=InitialExecutionState(operations=operations, next_marker=marker or ""),
            updated_operation_ids=list(execution.updated_operation_ids),
        )

    def invoke(
        self,
        function_name: str,
        input: DurableExecutionInvocationInput,  # the engine's name for it
        endpoint_url: str | None = None,
        tenant_id: str | None = None,
        account_id: str | None = None,
        region_name: str | None = None,
    ) -> InvokeResponse:
        """Run the handler once with the state of a durable execution.

        Raises `InvocationFailedError` for a crash or an error outside the protocol, the engine's
        `InvalidInvocationOutputError` for an output that is none, and what `call` raises except `HostLostError`.
        """
        headers = {"Content-Type": "application/json", INVOCATION_MARKER_HEADER: INVOCATION_MARKER_VALUE}
        if tenant_id is not None:
            headers["X-Amz-Tenant-Id"] = tenant_id
        arn = input.durable_execution_arn
        try:
            reply = self.call(
                function_name,
                json.dumps(input.to_json_dict()).encode(),
                headers,
                wanted=lambda: self._still_running(arn),
            )
        except HostLostError as error:
            request_id = str(uuid4())
            raise InvocationFailedError(
                _error_object("Runtime.ExitError", f"RequestId: {request_id} Error: Runtime exited without an answer"),
                request_id,
                crashed=True,
            ) from error
        if reply.status == 404:
            raise ResourceNotFoundException(f"Function not found: {function_name}")
        if reply.status != 200:
            refusal = _error_object("HostError", f"the handler host answered {reply.status}: {_text(reply.body)}")
            raise InvocationFailedError(refusal, reply.request_id, crashed=False)
        if reply.function_error is not None:
            reported = reported_error(reply.body)
            raise InvocationFailedError(reported, reply.request_id, crashed=reported.type == "Runtime.ExitError")
        return InvokeResponse.from_payload(reply.body, reply.request_id)

    def update_endpoint(self, endpoint_url: str, region_name: str) -> None:
        """The host's address is fixed for the life of the engine."""

    def inherit_endpoint(self, child_execution_arn: str, parent_execution_arn: str) -> None:
        """There is one host for every execution."""


def _error_object(kind: str, message: str) -> ErrorObject:
    return ErrorObject(message=message, type=kind, data=None, stack_trace=None)


def _text(body: bytes) -> str:
    return body[:500].decode(errors="replace")


def reported_error(body: bytes) -> ErrorObject:
    """The error of a runtime's error document: {errorType, errorMessage, trace or stackTrace}."""
    try:
        document: Any = json.loads(body)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        return _error_object("Unhandled", _text(body))
    trace = document.get("trace") or document.get("stackTrace")
    return ErrorObject(
        message=str(document.get("errorMessage") or ""),
        type=str(document.get("errorType") or "Unhandled"),
        data=None,
        stack_trace=[str(line) for line in trace] if isinstance(trace, list) else None,
    )
