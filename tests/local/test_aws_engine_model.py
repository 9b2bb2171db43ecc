"""Every operation of the local AWS endpoint, answered and refused, against botocore's model of Lambda.

The client of these tests, and that inside the handlers, check the raw JSON of each answer: nothing missing, nothing
more, the types, enums, patterns and bounds of the model, and of an error the status, the members and the exceptions
that the operation has. See `support.aws_model`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from aws_durable_execution_sdk_python_testing.token import CallbackToken
from botocore.exceptions import ClientError
from botocore.model import StringShape

from support.aws_engine_kit import Caller, Local, local, until
from support.aws_model import ModelError, check_answer

ARN = "arn:aws:lambda:us-east-2:000000000000:function:flow:1/durable-execution/nobody/nothing"
STEP = {"do": "step"}
MODEL = botocore.session.get_session().get_service_model("lambda")
OPERATIONS = {
    "Invoke",
    "GetDurableExecution",
    "GetDurableExecutionHistory",
    "ListDurableExecutionsByFunction",
    "StopDurableExecution",
    "SendDurableExecutionCallbackSuccess",
    "SendDurableExecutionCallbackFailure",
    "SendDurableExecutionCallbackHeartbeat",
}
# Nothing pauses an execution here, and a wait ends with its execution.
NEVER_HERE = {"ExecutionPaused", "ExecutionResumed", "WaitCancelled"}


def _event_types() -> list[str]:
    shape = MODEL.shape_for("EventType")
    assert isinstance(shape, StringShape)
    return shape.enum


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Local]:
    with local(tmp_path_factory.mktemp("engine")) as running:
        yield running


@pytest.fixture(scope="module")
def seen() -> set[str]:
    return set()


@pytest.fixture(scope="module")
def caller(pair: Local, seen: set[str]) -> Caller:
    # What the service is asked must not be stopped by the client.
    return Caller(pair.client(seen, parameter_validation=False))


def chained(*plan: dict[str, Any], function: str = "many-a:live") -> dict[str, Any]:
    return {"do": "invoke", "function": function, "input": {"plan": plan}}


@pytest.fixture(scope="module")
def executions(pair: Local, caller: Caller) -> list[str]:
    """Executions of every kind and end, all over but the last one."""
    client = caller.client
    ended = [
        caller.start(STEP, {"do": "step", "name": "fails", "failures": 1}, {"do": "wait", "seconds": 1}),
        caller.start({"do": "child"}, {"do": "poll", "target": 2}, {"do": "wait", "seconds": 1, "name": "named"}),
        caller.start(chained(STEP), {"do": "invoke", "function": "echo", "input": "x", "tenant": "t 1"}),
        caller.start(chained({"do": "fail"})),
        caller.start(chained({"do": "callback"}, function="brief:live")),
        caller.start({"do": "callback", "timeout": 1}),
        caller.start({"do": "callback", "heartbeat": 1}),
        caller.start({"do": "child", "error": "the child fails"}),
        caller.start({"do": "fail"}),
        caller.start({"do": "callback"}, function="brief:live"),
        # More than fits into one invocation: the handler then asks for the rest of its state.
        caller.start(
            *[{"do": "step", "name": f"large-{number}", "data": "x", "times": 700_000} for number in range(9)],
            {"do": "wait", "seconds": 1},
        ),
    ]
    succeeding, failing, stopping, stopped_child = (
        caller.start({"do": "callback", "timeout": 600, "heartbeat": 300}),
        caller.start({"do": "callback"}),
        caller.start({"do": "callback"}),
        caller.start(chained({"do": "callback"})),
    )
    client.send_durable_execution_callback_heartbeat(CallbackId=caller.callback_id(succeeding))
    client.send_durable_execution_callback_success(CallbackId=caller.callback_id(succeeding), Result=b"yes")
    error = {"ErrorType": "Refused", "ErrorMessage": "no", "ErrorData": "7", "StackTrace": ["here"]}
    client.send_durable_execution_callback_failure(CallbackId=caller.callback_id(failing), Error=error)
    caller.callback_id(stopping)
    client.stop_durable_execution(DurableExecutionArn=stopping, Error=error)
    child = until(
        lambda: caller.event(stopped_child, "ChainedInvokeStarted")["ChainedInvokeStartedDetails"].get(
            "DurableExecutionArn"
        ),
        "the child",
    )
    client.stop_durable_execution(DurableExecutionArn=child)
    ended += [succeeding, failing, stopping, stopped_child, child]
    for arn in ended:
        caller.end(arn, seconds=180)
    return [*ended, caller.start({"do": "callback"})]


def test_every_event_of_the_model_is_told(caller: Caller, executions: list[str]) -> None:
    told = {event["EventType"] for arn in executions for event in caller.events(arn)}
    assert told == set(_event_types()) - NEVER_HERE


@pytest.mark.parametrize("include", [True, False])
@pytest.mark.parametrize("reverse", [True, False])
def test_every_execution_is_answered_with_and_without_its_data(
    caller: Caller, executions: list[str], include: bool, reverse: bool
) -> None:
    for arn in executions:
        caller.client.get_durable_execution(DurableExecutionArn=arn, IncludeExecutionData=include)
        page = caller.client.get_durable_execution_history(
            DurableExecutionArn=arn, IncludeExecutionData=include, ReverseOrder=reverse, MaxItems=3
        )
        assert len(page["Events"]) <= 3


def test_executions_of_every_status_are_listed(caller: Caller, executions: list[str]) -> None:
    statuses = set()
    for function in ("flow", "brief", "many-a"):
        for page in caller.client.get_paginator("list_durable_executions_by_function").paginate(
            FunctionName=function, PaginationConfig={"PageSize": 2}
        ):
            statuses |= {execution["Status"] for execution in page["DurableExecutions"]}
    assert statuses == {"RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "STOPPED"}


def test_every_kind_of_invocation_is_answered(caller: Caller) -> None:
    invoke = caller.client.invoke
    assert invoke(FunctionName="flow:live", InvocationType="DryRun")["StatusCode"] == 204
    assert invoke(FunctionName="flow:live", InvocationType="Event")["StatusCode"] == 202
    assert invoke(FunctionName="sync-flow:live", Payload=b"{}")["StatusCode"] == 200
    failed = invoke(FunctionName="sync-flow:live", Payload=json.dumps({"plan": [{"do": "fail"}]}))
    assert (failed["StatusCode"], failed["FunctionError"]) == (200, "Unhandled")
    assert invoke(FunctionName="echo")["StatusCode"] == 200
    assert invoke(FunctionName="echo", InvocationType="Event")["StatusCode"] == 202


def test_the_handlers_are_answered_as_modelled(pair: Local, executions: list[str]) -> None:
    assert executions
    answers = set(pair.host_answers())
    assert {"CheckpointDurableExecution", "GetDurableExecutionState"} <= answers
    assert not {answer for answer in answers if " answers " in answer}


UNKNOWN_CALLBACK = CallbackToken(ARN, "1").to_str()
ARN_OPERATIONS = (
    "get_durable_execution",
    "get_durable_execution_history",
    "get_durable_execution_state",
    "checkpoint_durable_execution",
    "stop_durable_execution",
)
CALLBACK_OPERATIONS = (
    "send_durable_execution_callback_success",
    "send_durable_execution_callback_failure",
    "send_durable_execution_callback_heartbeat",
)
HANDLER_OPERATIONS = ("get_durable_execution_state", "checkpoint_durable_execution")
INVALID, MISSING = "InvalidParameterValueException", "ResourceNotFoundException"


@pytest.mark.parametrize(
    ("operation", "asked", "code"),
    [
        *[(operation, {"DurableExecutionArn": "nonsense"}, INVALID) for operation in ARN_OPERATIONS],
        # The model has no ResourceNotFoundException for the operations that only a handler calls.
        *[
            (operation, {"DurableExecutionArn": ARN}, INVALID if operation in HANDLER_OPERATIONS else MISSING)
            for operation in ARN_OPERATIONS
        ],
        *[(operation, {"CallbackId": "nonsense"}, INVALID) for operation in CALLBACK_OPERATIONS],
        *[(operation, {"CallbackId": UNKNOWN_CALLBACK}, MISSING) for operation in CALLBACK_OPERATIONS],
        ("get_durable_execution_history", {"MaxItems": 1001}, INVALID),
        ("get_durable_execution_history", {"MaxItems": -1}, INVALID),
        ("get_durable_execution_history", {"Marker": "nonsense"}, INVALID),
        ("get_durable_execution_state", {}, INVALID),
        ("checkpoint_durable_execution", {}, INVALID),
        ("checkpoint_durable_execution", {"Updates": [{"Id": "1"}]}, INVALID),
        ("checkpoint_durable_execution", {"Updates": [{"Id": "1", "Type": "STEP", "Action": "JUMP"}]}, INVALID),
        ("list_durable_executions_by_function", {"FunctionName": "nobody"}, MISSING),
        ("list_durable_executions_by_function", {"FunctionName": "a b"}, INVALID),
        ("list_durable_executions_by_function", {"FunctionName": "flow", "Statuses": ["GONE"]}, INVALID),
        ("list_durable_executions_by_function", {"FunctionName": "flow", "Marker": "x"}, INVALID),
        ("list_durable_executions_by_function", {"FunctionName": "flow", "MaxItems": 5000}, INVALID),
        ("invoke", {"FunctionName": "nobody:live"}, MISSING),
        ("invoke", {"FunctionName": "flow:stale"}, MISSING),
        ("invoke", {"FunctionName": "flow"}, INVALID),
        ("invoke", {"FunctionName": "flow:live"}, INVALID),
        ("invoke", {"FunctionName": "a b"}, INVALID),
        ("invoke", {"FunctionName": "x" * 300}, INVALID),
        ("invoke", {"FunctionName": "flow:live", "InvocationType": "Later"}, INVALID),
        ("invoke", {"FunctionName": "flow:live", "InvocationType": "Event", "DurableExecutionName": "a b"}, INVALID),
        ("invoke", {"FunctionName": "flow:live", "InvocationType": "Event", "TenantId": "\u00a7"}, INVALID),
        ("invoke", {"FunctionName": "echo", "Payload": b"{"}, "InvalidRequestContentException"),
        (
            "invoke",
            {"FunctionName": "flow:live", "InvocationType": "Event", "Payload": b'"%s"' % (b"x" * 1_048_576)},
            "RequestTooLargeException",
        ),
    ],
)  # fmt: skip
def test_every_refusal_is_one_of_the_operations_exceptions(
    caller: Caller, executions: list[str], operation: str, asked: dict[str, Any], code: str
) -> None:
    defaults = {"DurableExecutionArn": executions[-1], "CheckpointToken": "bm9uc2Vuc2U="}
    shape = MODEL.operation_model(caller.client.meta.method_to_api_mapping[operation]).input_shape
    assert shape is not None
    with pytest.raises(ClientError) as error:
        getattr(caller.client, operation)(
            **{name: value for name, value in defaults.items() if name in shape.members} | asked
        )
    assert error.value.response["Error"]["Code"] == code


def test_a_name_that_is_taken_and_a_closed_callback_are_refused(caller: Caller, executions: list[str]) -> None:
    event = {"FunctionName": "flow:live", "InvocationType": "Event", "DurableExecutionName": "taken"}
    caller.client.invoke(**event)
    with pytest.raises(ClientError, match="DurableExecutionAlreadyStartedException"):
        caller.client.invoke(**event, Payload=b'{"plan": []}')
    callback_id = caller.event(executions[6], "CallbackStarted")["CallbackStartedDetails"]["CallbackId"]
    for operation in CALLBACK_OPERATIONS:
        with pytest.raises(ClientError, match="CallbackTimeoutException"):
            getattr(caller.client, operation)(CallbackId=callback_id)
    too_large = {"CallbackId": caller.callback_id(executions[-1]), "Result": b"x" * 1_048_577}
    with pytest.raises(ClientError, match=INVALID):
        caller.client.send_durable_execution_callback_success(**too_large)


def test_a_host_that_is_away_is_a_service_exception(tmp_path: Path) -> None:
    alone = Local(tmp_path)
    try:
        alone.start_engine()
        with pytest.raises(ClientError, match="ServiceException"):
            alone.client().invoke(FunctionName="echo")
    finally:
        alone.down()


def test_all_operations_were_seen(seen: set[str], executions: list[str]) -> None:
    assert executions
    assert {answer for answer in seen if " " not in answer} == OPERATIONS


# The check itself


@pytest.mark.parametrize(
    ("operation", "status", "body", "code", "message"),
    [
        ("GetDurableExecutionHistory", 200, {}, None, "no Events"),
        ("GetDurableExecutionHistory", 200, {"Events": {}}, None, "Events that is no list"),
        ("GetDurableExecutionHistory", 200, {"Events": [{"EventType": "Jumped"}]}, None, "none of ExecutionStarted"),
        ("GetDurableExecutionHistory", 200, {"Events": [{"EventId": "1"}]}, None, "no integer"),
        ("GetDurableExecutionHistory", 200, {"Events": [{"EventId": 0}]}, None, "EventId of 0"),
        ("GetDurableExecutionHistory", 200, {"Events": [{"Id": None}]}, None, "no text"),
        ("GetDurableExecutionHistory", 200, {"Events": [], "More": 1}, None, "More, which"),
        ("StopDurableExecution", 200, {"StopTimestamp": "2026-11-28"}, None, "no timestamp"),
        ("StopDurableExecution", 202, {"StopTimestamp": 1}, None, "not 200"),
        ("StopDurableExecution", 404, {"Type": "User", "Message": "x"}, "NoSuchException", "does not have"),
        ("StopDurableExecution", 400, {"Type": "User", "Message": "x"}, MISSING, "which is 404"),
        ("StopDurableExecution", 404, {"Type": "User", "message": "x"}, MISSING, "without Message"),
        ("StopDurableExecution", 404, {"Message": "x"}, MISSING, "of type None"),
    ],
)
def test_a_wrong_answer_is_seen(operation: str, status: int, body: object, code: str | None, message: str) -> None:
    headers = {"Content-Type": "application/json", "x-amzn-RequestId": "1"}
    if code is not None:
        headers["x-amzn-errortype"] = code
    answer = {"status_code": status, "headers": headers, "body": json.dumps(body).encode()}
    with pytest.raises(ModelError, match=message):
        check_answer(MODEL.operation_model(operation), answer)
