"""Chained invokes (`context.invoke`): from a durable function to another function of this endpoint.

A durable target becomes an execution of its own, whose end completes the caller's operation; a plain one is invoked
once.
"""

from __future__ import annotations

import json
from typing import Any
from uuid import NAMESPACE_URL, uuid4, uuid5

from aws_durable_execution_sdk_python.lambda_service import ErrorObject
from aws_durable_execution_sdk_python_testing.child_dispatcher import (
    CHAINED_INVOKE_UTF8_DECODING_MESSAGE,
    ChainedInvokeRequest,
    ChildOutcome,
    DispatchResult,
    FunctionTarget,
    KnownOutcome,
    RunInvocation,
    StartChild,
    result_outcome,
)
from aws_durable_execution_sdk_python_testing.model import StartDurableExecutionInput

from reservation_cli.local.aws_engine.errors import ApiError, invalid_parameter
from reservation_cli.local.aws_engine.functions import Functions, Target
from reservation_cli.local.aws_engine.host import HandlerHost, HostLostError, HostUnavailableError, reported_error
from reservation_cli.local.aws_engine.recovery import RETENTION_DAYS


class LocalChildDispatcher:
    """The engine's `ChildDispatcher` for the functions of this endpoint."""

    def __init__(self, functions: Functions, host: HandlerHost) -> None:
        self._functions = functions
        self._host = host

    def preflight(self, target: FunctionTarget) -> ChildOutcome | None:
        """How the invoke fails before it starts; None when the target is there."""
        try:
            self._resolve(target.name, target.qualifier)
        except ApiError as error:
            return _refused(error)
        return None

    def dispatch(self, request: ChainedInvokeRequest) -> DispatchResult:
        """Start what `request` names. Called again for the same request only after a crash in between."""
        try:
            target = self._resolve(request.function_name, request.qualifier)
        except ApiError as error:
            return KnownOutcome(_refused(error))
        timeout, version = target.function.execution_timeout, target.version
        if timeout is None or version is None:
            return RunInvocation(lambda: self._invoke(target, request))
        return StartChild(
            StartDurableExecutionInput(
                account_id=request.account_id,
                function_name=target.function.name,
                function_qualifier=version,
                # The same again after a crash, so that the child is not started twice.
                execution_name=str(uuid5(NAMESPACE_URL, f"{request.parent_execution_arn}/{request.operation_id}")),
                execution_timeout_seconds=timeout,
                execution_retention_period_days=RETENTION_DAYS,
                invocation_id=str(uuid4()),
                tenant_id=request.tenant_id,
                input=request.payload,
            )
        )

    def _resolve(self, name: str, qualifier: str | None) -> Target:
        target = self._functions.resolve(name, qualifier)
        if target.function.durable and target.version is None:
            raise invalid_parameter("You cannot invoke a durable function using an unqualified ARN.")
        return target

    def _invoke(self, target: Target, request: ChainedInvokeRequest) -> ChildOutcome:
        try:
            reply = self._host.call(
                target.identifier, (request.payload or "{}").encode(), _headers(request), patience=None
            )
        except (HostUnavailableError, HostLostError, TimeoutError) as error:
            return ChildOutcome(error=ErrorObject(str(error), "Runtime.ExitError", None, None))
        if reply.status != 200:
            code = reply.headers.get("x-amzn-errortype") or "ServiceException"
            return ChildOutcome(error=ErrorObject(_message(reply.body), code, None, None))
        if reply.function_error is not None:
            return ChildOutcome(error=reported_error(reply.body))
        try:
            return result_outcome(reply.body.decode() or None)
        except UnicodeDecodeError:
            return ChildOutcome(error=ErrorObject.from_message(CHAINED_INVOKE_UTF8_DECODING_MESSAGE))


def _refused(error: ApiError) -> ChildOutcome:
    return ChildOutcome(error=ErrorObject(error.message, error.code, None, None))


def _headers(request: ChainedInvokeRequest) -> dict[str, str]:
    tenant = {} if request.tenant_id is None else {"X-Amz-Tenant-Id": request.tenant_id}
    return {"Content-Type": "application/json", **tenant}


def _message(body: bytes) -> str:
    try:
        document: Any = json.loads(body)
        return str(document["Message"])
    except (ValueError, TypeError, KeyError):
        return body[:500].decode(errors="replace")
