"""The local AWS endpoint as a Lambda client sees it; every answer is checked against botocore's model of Lambda."""

from __future__ import annotations

import http.client
import json
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from aws_durable_execution_sdk_python_testing.token import CallbackToken
from botocore.exceptions import ClientError

from support.aws_engine_kit import Caller, Local, until

ARN = "arn:aws:lambda:us-east-2:000000000000:function:"
STEP = {"do": "step"}


def refused(error: pytest.ExceptionInfo[ClientError]) -> tuple[int, str, str]:
    response = error.value.response
    return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"], response["Error"]["Message"]


def raw(
    pair: Local, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
) -> tuple[int, dict[str, Any]]:
    """A request that a Lambda client would not let through."""
    connection = http.client.HTTPConnection("127.0.0.1", pair.engine_port)
    try:
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        return response.status, json.loads(response.read() or b"{}")
    finally:
        connection.close()


# Invoke


def test_an_event_starts_an_execution_that_can_be_read(caller: Caller, unique: str) -> None:
    plan = json.dumps({"plan": [STEP]})
    answer = caller.client.invoke(
        FunctionName="flow", Qualifier="live", InvocationType="Event", DurableExecutionName=unique, Payload=plan
    )
    arn = answer["DurableExecutionArn"]

    assert answer["StatusCode"] == 202
    assert answer["ExecutedVersion"] == "1"
    assert re.fullmatch(re.escape(f"{ARN}flow:1/durable-execution/{unique}/") + "[0-9a-f-]{36}", arn)
    execution = caller.end(arn)
    assert execution["Status"] == "SUCCEEDED"
    assert execution["DurableExecutionName"] == unique
    assert execution["FunctionArn"] == f"{ARN}flow:1"
    assert execution["Version"] == "1"
    assert execution["InputPayload"] == plan
    assert json.loads(execution["Result"])[0]["name"] == "step"
    assert execution["EndTimestamp"] > execution["StartTimestamp"]
    assert execution["DurableConfig"]["ExecutionTimeout"] == 2_764_800


def test_a_running_execution_tells_when_it_would_time_out(caller: Caller) -> None:
    arn = caller.start({"do": "callback"}, function="sync-flow:live")
    execution = caller.get(arn)
    assert execution["ExpectedExecutionTimeoutTimestamp"] == execution["StartTimestamp"] + timedelta(seconds=300)
    assert "EndTimestamp" not in execution
    compact = caller.client.get_durable_execution(DurableExecutionArn=arn, IncludeExecutionData=False)
    assert "InputPayload" not in compact
    assert compact["ExecutionDataIncluded"] is False
    caller.client.stop_durable_execution(DurableExecutionArn=arn)


@pytest.mark.parametrize(
    "reference",
    [
        {"FunctionName": "flow:live"},
        {"FunctionName": "flow:1"},
        {"FunctionName": "flow", "Qualifier": "live"},
        {"FunctionName": "flow:live", "Qualifier": "live"},
        {"FunctionName": f"{ARN}flow:live"},
        {"FunctionName": f"{ARN}flow", "Qualifier": "1"},
        {"FunctionName": "000000000000:function:flow:live"},
    ],
)
def test_a_function_may_be_named_in_all_of_lambdas_ways(caller: Caller, reference: dict[str, str]) -> None:
    answer = caller.client.invoke(InvocationType="Event", **reference)
    assert answer["ExecutedVersion"] == "1"
    assert caller.end(answer["DurableExecutionArn"])["Result"] == "[]"


@pytest.mark.parametrize(
    ("reference", "refusal"),
    [
        (
            {"FunctionName": "flow"},
            (
                400,
                "InvalidParameterValueException",
                "You cannot invoke a durable function using an unqualified ARN.",
            ),
        ),
        (
            {"FunctionName": "flow:live", "Qualifier": "1"},
            (
                400,
                "InvalidParameterValueException",
                "The derived qualifier from the function name does not match the specified qualifier.",
            ),
        ),
        (
            {"FunctionName": "none:live"},
            (404, "ResourceNotFoundException", f"Function not found: {ARN}none:live"),
        ),
        ({"FunctionName": "flow:stale"}, (404, "ResourceNotFoundException", f"Function not found: {ARN}flow:stale")),
        ({"FunctionName": "flow:7"}, (404, "ResourceNotFoundException", f"Function not found: {ARN}flow:7")),
        (
            {"FunctionName": "arn:aws:lambda:us-east-1:000000000000:function:flow:live"},
            (
                404,
                "ResourceNotFoundException",
                "Function not found: arn:aws:lambda:us-east-1:000000000000:function:flow:live",
            ),
        ),
        (
            {"FunctionName": "111111111111:function:flow", "Qualifier": "live"},
            (404, "ResourceNotFoundException", "Function not found: 111111111111:function:flow"),
        ),
    ],
)
def test_a_wrong_reference_is_refused(caller: Caller, reference: dict[str, str], refusal: tuple[int, str, str]) -> None:
    with pytest.raises(ClientError) as error:
        caller.client.invoke(InvocationType="Event", **reference)
    assert refused(error) == refusal


def test_the_same_name_and_payload_give_the_same_execution(caller: Caller, unique: str) -> None:
    first = caller.start({"do": "callback"}, name=unique)
    assert caller.start({"do": "callback"}, name=unique) == first
    with pytest.raises(ClientError) as error:
        caller.start(STEP, name=unique)
    assert refused(error)[:2] == (409, "DurableExecutionAlreadyStartedException")
    caller.client.stop_durable_execution(DurableExecutionArn=first)
    assert caller.start({"do": "callback"}, name=unique) == first


def test_many_calls_with_one_name_start_one_execution(caller: Caller, unique: str) -> None:
    with ThreadPoolExecutor(16) as pool:
        arns = set(pool.map(lambda _: caller.start({"do": "step", "name": unique}, name=unique), range(16)))
    assert len(arns) == 1


def test_a_synchronous_call_gives_the_result(caller: Caller) -> None:
    answer = caller.client.invoke(FunctionName="sync-flow:live", Payload=json.dumps({"plan": [STEP]}))
    assert answer["StatusCode"] == 200
    assert "FunctionError" not in answer
    assert json.loads(answer["Payload"].read())[0]["name"] == "step"
    assert caller.status(answer["DurableExecutionArn"]) == "SUCCEEDED"


def test_a_synchronous_call_reports_a_failure(caller: Caller) -> None:
    plan = {"plan": [{"do": "fail", "message": "no seat"}]}
    answer = caller.client.invoke(FunctionName="sync-flow:live", Payload=json.dumps(plan))
    assert answer["StatusCode"] == 200
    assert answer["FunctionError"] == "Unhandled"
    assert "no seat" in json.loads(answer["Payload"].read())["errorMessage"]
    execution = caller.get(answer["DurableExecutionArn"])
    assert execution["Status"] == "FAILED"
    assert "no seat" in execution["Error"]["ErrorMessage"]


def test_a_long_function_cannot_be_called_synchronously(caller: Caller) -> None:
    with pytest.raises(ClientError) as error:
        caller.client.invoke(FunctionName="flow:live", Payload=b"{}")
    assert refused(error) == (
        400,
        "InvalidParameterValueException",
        "You cannot synchronously invoke a durable function with an executionTimeout greater than 15 minutes.",
    )


def test_a_dry_run_starts_nothing(caller: Caller, unique: str) -> None:
    answer = caller.client.invoke(FunctionName="flow:live", InvocationType="DryRun", DurableExecutionName=unique)
    assert answer["StatusCode"] == 204
    page = caller.client.list_durable_executions_by_function(FunctionName="flow", DurableExecutionName=unique)
    assert page["DurableExecutions"] == []


@pytest.mark.parametrize(
    ("payload", "refusal"),
    [
        (b"{", (400, "InvalidRequestContentException")),
        (b"\xff", (400, "InvalidRequestContentException")),
        (b'"' + b"x" * 1024 * 1024 + b'"', (413, "RequestTooLargeException")),
    ],
)
def test_a_wrong_payload_is_refused(caller: Caller, payload: bytes, refusal: tuple[int, str]) -> None:
    with pytest.raises(ClientError) as error:
        caller.client.invoke(FunctionName="flow:live", InvocationType="Event", Payload=payload)
    assert refused(error)[:2] == refusal


@pytest.mark.parametrize("name", ["with space", "x" * 65, "umlaut-%C3%A4"])
def test_a_wrong_execution_name_is_refused(pair: Local, name: str) -> None:
    headers = {"X-Amz-Invocation-Type": "Event", "X-Amz-Durable-Execution-Name": name}
    status, answer = raw(pair, "POST", "/2015-03-31/functions/flow%3Alive/invocations", b"{}", headers)
    assert status == 400
    assert name in answer["message"]


def test_a_plain_function_is_passed_to_the_host(caller: Caller) -> None:
    answer = caller.client.invoke(FunctionName="echo:live", Payload=b'{"a": 1}')
    assert answer["StatusCode"] == 200
    assert answer["ExecutedVersion"] == "1"
    assert "DurableExecutionArn" not in answer
    assert json.loads(answer["Payload"].read()) == {
        "event": {"a": 1},
        "function": "echo",
        "version": "1",
        "tenant": None,
    }

    unqualified = caller.client.invoke(FunctionName="echo")
    assert json.loads(unqualified["Payload"].read())["version"] == "$LATEST"

    failed = caller.client.invoke(FunctionName="echo", Payload=b'{"fail": true}')
    assert failed["FunctionError"] == "Unhandled"
    assert json.loads(failed["Payload"].read())["errorMessage"] == "the plain function failed"

    assert caller.client.invoke(FunctionName="echo", InvocationType="Event")["StatusCode"] == 202


# History


def test_the_history_tells_every_event_with_its_details(caller: Caller) -> None:
    arn = caller.start(STEP, {"do": "wait", "seconds": 1}, {"do": "child"})
    caller.end(arn)
    events = caller.events(arn)

    assert [event["EventType"] for event in events] == [
        "ExecutionStarted",
        "StepStarted",
        "StepSucceeded",
        "WaitStarted",
        "InvocationCompleted",
        "WaitSucceeded",
        "ContextStarted",
        "StepStarted",
        "StepSucceeded",
        "ContextSucceeded",
        "InvocationCompleted",
        "ExecutionSucceeded",
    ]
    assert [event["EventId"] for event in events] == list(range(1, 13))
    assert all(event["EventTimestamp"].microsecond % 1000 == 0 for event in events)
    wait = events[3]["WaitStartedDetails"]
    assert wait["ScheduledEndTimestamp"] - events[3]["EventTimestamp"] == timedelta(seconds=wait["Duration"])
    invocation = events[4]["InvocationCompletedDetails"]
    assert invocation["StartTimestamp"] < invocation["EndTimestamp"]
    assert "Error" not in invocation
    assert events[2]["StepSucceededDetails"]["RetryDetails"] == {"CurrentAttempt": 1}
    assert events[7]["ParentId"] == events[6]["Id"]


def test_the_history_is_paged_in_both_directions(caller: Caller) -> None:
    arn = caller.start(*[{"do": "step", "name": f"s{number}"} for number in range(5)])
    caller.end(arn)
    everything = [event["EventId"] for event in caller.events(arn)]
    for reverse in (False, True):
        seen: list[int] = []
        marker: dict[str, str] = {}
        while True:
            page = caller.client.get_durable_execution_history(
                DurableExecutionArn=arn, MaxItems=4, ReverseOrder=reverse, **marker
            )
            assert len(page["Events"]) <= 4
            seen += [event["EventId"] for event in page["Events"]]
            if "NextMarker" not in page:
                break
            marker = {"Marker": page["NextMarker"]}
        assert seen == (everything[::-1] if reverse else everything)


def test_the_history_leaves_data_out_when_asked(caller: Caller) -> None:
    arn = caller.start({"do": "step", "data": "secret"})
    caller.end(arn)
    without = caller.client.get_durable_execution_history(DurableExecutionArn=arn, IncludeExecutionData=False)
    assert "secret" not in str(without["Events"])
    assert "secret" in str(caller.events(arn))


def test_a_retried_step_tells_its_attempts(caller: Caller, unique: str) -> None:
    arn = caller.start({"do": "step", "name": unique, "failures": 1})
    caller.end(arn)
    (failed,) = caller.events(arn, "StepFailed")
    assert failed["StepFailedDetails"]["RetryDetails"] == {"CurrentAttempt": 1, "NextAttemptDelaySeconds": 1}
    assert failed["StepFailedDetails"]["Error"]["Payload"]["ErrorMessage"] == "attempt 1 failed"
    (succeeded,) = caller.events(arn, "StepSucceeded")
    assert succeeded["StepSucceededDetails"]["RetryDetails"] == {"CurrentAttempt": 2}


def test_a_polled_condition_keeps_its_state(caller: Caller) -> None:
    arn = caller.start({"do": "poll", "target": 2})
    assert json.loads(caller.end(arn)["Result"]) == [2]
    states = [event["StepSucceededDetails"]["Result"]["Payload"] for event in caller.events(arn, "StepSucceeded")]
    assert states == ["1", "2"]


def test_a_crashed_invocation_is_told_and_repeated(pair: Local, caller: Caller, unique: str) -> None:
    arn = caller.start({"do": "step", "name": unique, "crashes": 1})
    until(lambda: pair.runs(unique) or None, "the step that crashes the host")
    pair.kill_host()
    pair.start_host()
    assert caller.end(arn)["Status"] == "SUCCEEDED"
    crashed, completed = (event["InvocationCompletedDetails"] for event in caller.events(arn, "InvocationCompleted"))
    assert crashed["Error"]["Payload"]["ErrorType"] == "Runtime.ExitError"
    assert "Error" not in completed


# Callbacks


def test_a_callback_succeeds(caller: Caller) -> None:
    arn = caller.start({"do": "callback", "timeout": 60, "heartbeat": 30})
    started = caller.event(arn, "CallbackStarted")["CallbackStartedDetails"]
    assert (started["Timeout"], started["HeartbeatTimeout"]) == (60, 30)
    callback_id = started["CallbackId"]
    caller.client.send_durable_execution_callback_heartbeat(CallbackId=callback_id)
    caller.client.send_durable_execution_callback_success(CallbackId=callback_id, Result=b'{"action":"confirm"}')
    assert json.loads(caller.end(arn)["Result"]) == ['{"action":"confirm"}']
    (succeeded,) = caller.events(arn, "CallbackSucceeded")
    assert succeeded["CallbackSucceededDetails"]["Result"]["Payload"] == '{"action":"confirm"}'


def test_a_callback_fails(caller: Caller) -> None:
    arn = caller.start({"do": "callback"})
    error = {"ErrorType": "Refused", "ErrorMessage": "no money"}
    caller.client.send_durable_execution_callback_failure(
        CallbackId=caller.callback_id(arn),
        Error=error,
    )
    assert caller.end(arn)["Status"] == "FAILED"
    (failed,) = caller.events(arn, "CallbackFailed")
    assert failed["CallbackFailedDetails"]["Error"]["Payload"] == error


@pytest.mark.parametrize(
    ("timeouts", "kind"), [({"timeout": 1}, "Callback.Timeout"), ({"heartbeat": 1}, "Callback.Heartbeat")]
)
def test_a_callback_times_out(caller: Caller, timeouts: dict[str, int], kind: str) -> None:
    arn = caller.start({"do": "callback", **timeouts})
    assert caller.end(arn)["Status"] == "FAILED"
    (timed_out,) = caller.events(arn, "CallbackTimedOut")
    assert timed_out["CallbackTimedOutDetails"]["Error"]["Payload"]["ErrorType"] == kind


def test_a_closed_callback_is_refused(caller: Caller) -> None:
    arn = caller.start({"do": "callback"})
    callback_id = caller.callback_id(arn)
    caller.client.send_durable_execution_callback_success(CallbackId=callback_id)
    assert json.loads(caller.end(arn)["Result"]) == [None]
    for call in (
        caller.client.send_durable_execution_callback_success,
        caller.client.send_durable_execution_callback_failure,
        caller.client.send_durable_execution_callback_heartbeat,
    ):
        with pytest.raises(ClientError) as error:
            call(CallbackId=callback_id)
        assert refused(error)[:2] == (400, "CallbackTimeoutException")


def test_a_callback_of_a_stopped_execution_is_closed(caller: Caller) -> None:
    arn = caller.start({"do": "callback"})
    callback_id = caller.callback_id(arn)
    caller.client.stop_durable_execution(DurableExecutionArn=arn)
    with pytest.raises(ClientError) as error:
        caller.client.send_durable_execution_callback_success(CallbackId=callback_id)
    assert refused(error)[:2] == (400, "CallbackTimeoutException")


@pytest.mark.parametrize(
    ("callback_id", "refusal"),
    [
        ("abcd", (400, "InvalidParameterValueException")),
        (
            CallbackToken(f"{ARN}flow:1/durable-execution/nobody/nothing", "1").to_str(),
            (404, "ResourceNotFoundException"),
        ),
    ],
)
def test_a_wrong_callback_id_is_refused(caller: Caller, callback_id: str, refusal: tuple[int, str]) -> None:
    with pytest.raises(ClientError) as error:
        caller.client.send_durable_execution_callback_heartbeat(CallbackId=callback_id)
    assert refused(error)[:2] == refusal


@pytest.mark.parametrize("operation", ["callback", "stop"])
@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"ErrorMessage": {"a": 1}, "StackTrace": "x"}', "ErrorMessage must be a string"),
        (b'{"ErrorType": 7}', "ErrorType must be a string"),
        (b'{"ErrorData": []}', "ErrorData must be a string"),
        (b'{"StackTrace": "x"}', "StackTrace must be a list of strings"),
        (b'{"StackTrace": ["x", null]}', "StackTrace must be a list of strings"),
        (b'["x"]', "The request body must be a JSON object"),
        (json.dumps({"ErrorData": "x" * 1024 * 1024}).encode(), "The error is larger than 1048576 bytes"),
    ],
    ids=lambda value: value[:30].decode() if isinstance(value, bytes) else "",
)
def test_an_error_of_another_shape_is_refused_and_changes_nothing(
    pair: Local, caller: Caller, operation: str, body: bytes, message: str
) -> None:
    arn = caller.start({"do": "callback"})
    callback_id = caller.callback_id(arn)
    path = {
        "callback": f"/2025-12-01/durable-execution-callbacks/{quote(callback_id, safe='')}/fail",
        "stop": f"/2025-12-01/durable-executions/{quote(arn, safe='')}/stop",
    }[operation]
    status, answer = raw(pair, "POST", path, body)
    assert (status, answer) == (400, {"Type": "User", "message": message})
    nothing = {"ErrorType": None, "ErrorMessage": "enough", "ErrorData": None, "StackTrace": ["at x"]}
    assert raw(pair, "POST", path, json.dumps(nothing).encode())[0] == 200
    caller.end(arn)
    ending = "CallbackFailed" if operation == "callback" else "ExecutionStopped"
    (event,) = caller.events(arn, ending)
    assert event[f"{ending}Details"]["Error"]["Payload"] == {"ErrorMessage": "enough", "StackTrace": ["at x"]}


# Stop, time out, list


def test_a_stop_keeps_its_error(caller: Caller) -> None:
    arn = caller.start({"do": "wait", "seconds": 600})
    caller.event(arn, "WaitStarted")
    error = {"ErrorType": "Operator", "ErrorMessage": "not needed", "ErrorData": "ticket 7"}
    stopped = caller.client.stop_durable_execution(DurableExecutionArn=arn, Error=error)
    execution = caller.get(arn)
    assert execution["Status"] == "STOPPED"
    assert execution["Error"] == error
    assert execution["EndTimestamp"] == stopped["StopTimestamp"]
    (event,) = caller.events(arn, "ExecutionStopped")
    assert event["ExecutionStoppedDetails"]["Error"]["Payload"] == error
    again = caller.client.stop_durable_execution(DurableExecutionArn=arn)
    assert again["StopTimestamp"] == stopped["StopTimestamp"]


def test_an_execution_times_out(caller: Caller) -> None:
    arn = caller.start({"do": "wait", "seconds": 600}, function="brief:live")
    execution = caller.end(arn)
    assert execution["Status"] == "TIMED_OUT"
    assert execution["EndTimestamp"] - execution["StartTimestamp"] >= timedelta(seconds=2)
    assert caller.events(arn)[-1]["EventType"] == "ExecutionTimedOut"


def test_the_list_filters_orders_and_pages(caller: Caller) -> None:
    began = datetime.now(UTC) - timedelta(milliseconds=1)
    ended, stopped, running = (caller.start({"do": "callback"}, function="brief:live") for _ in range(3))
    caller.client.send_durable_execution_callback_success(CallbackId=caller.callback_id(ended))
    caller.end(ended)
    caller.client.stop_durable_execution(DurableExecutionArn=stopped)

    def arns(**filters: Any) -> list[str]:
        pages = caller.client.get_paginator("list_durable_executions_by_function").paginate(
            FunctionName="brief", StartedAfter=began, PaginationConfig={"PageSize": 2}, **filters
        )
        return [item["DurableExecutionArn"] for page in pages for item in page["DurableExecutions"]]

    assert arns() == [running, stopped, ended]
    assert arns(ReverseOrder=True) == [ended, stopped, running]
    assert arns(Statuses=["SUCCEEDED", "STOPPED"]) == [stopped, ended]
    assert arns(Qualifier="live") == [running, stopped, ended]
    assert arns(Qualifier="$LATEST") == []
    assert arns(DurableExecutionName=running.split("/")[2]) == [running]
    assert arns(StartedBefore=began) == []
    with pytest.raises(ClientError) as error:
        arns(Qualifier="stale")
    assert refused(error)[:2] == (404, "ResourceNotFoundException")
    with pytest.raises(ClientError) as error:
        arns(Statuses=["SLEEPING"])
    assert refused(error)[:2] == (400, "InvalidParameterValueException")
    caller.client.stop_durable_execution(DurableExecutionArn=running)


def test_an_unknown_execution_is_not_found(caller: Caller) -> None:
    arn = f"{ARN}flow:1/durable-execution/nobody/00000000-0000-0000-0000-000000000000"
    for call in (
        caller.client.get_durable_execution,
        caller.client.get_durable_execution_history,
        caller.client.stop_durable_execution,
    ):
        with pytest.raises(ClientError) as error:
            call(DurableExecutionArn=arn)
        assert refused(error)[:2] == (404, "ResourceNotFoundException")


# The endpoint itself


def test_many_starts_at_once_all_end(caller: Caller) -> None:
    with ThreadPoolExecutor(32) as pool:
        arns = list(pool.map(lambda _: caller.start(STEP), range(60)))
        ends = list(pool.map(lambda arn: caller.end(arn)["Status"], arns))
    assert ends == ["SUCCEEDED"] * 60


def test_health_tells_what_runs_and_who_asked_last(pair: Local, caller: Caller) -> None:
    arn = caller.start({"do": "callback"})
    caller.event(arn, "CallbackStarted")
    status, before = raw(pair, "GET", "/health")
    assert status == 200
    assert before["ok"] is True
    assert before["engine"] == "aws-durable-execution-sdk-python-testing"
    assert before["version"] == "1.4.0"
    assert before["running"] >= 1
    asked = datetime.fromisoformat(before["last_request"])
    assert raw(pair, "GET", "/health")[1]["last_request"] == before["last_request"]
    # The SDK's own question, here without a valid token.
    assert raw(pair, "GET", f"/2025-12-01/durable-executions/{arn.replace('/', '%2F')}/state")[0] == 400
    assert raw(pair, "GET", "/health")[1]["last_request"] == before["last_request"]
    caller.client.stop_durable_execution(DurableExecutionArn=arn)
    after = raw(pair, "GET", "/health")[1]
    assert after["running"] < before["running"]
    assert datetime.fromisoformat(after["last_request"]) > asked


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "127.0.0.1.evil.example"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_strangers_are_refused(pair: Local, headers: dict[str, str]) -> None:
    assert raw(pair, "GET", "/health", headers=headers)[0] == 403


def test_localhost_and_the_own_origin_are_welcome(pair: Local) -> None:
    assert raw(pair, "GET", "/health", headers={"Host": f"localhost:{pair.engine_port}"})[0] == 200
    assert raw(pair, "GET", "/health", headers={"Origin": f"http://127.0.0.1:{pair.engine_port}"})[0] == 200


def test_a_connection_is_kept_over_refusals(pair: Local) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", pair.engine_port)
    connection.connect()
    used = connection.sock
    for method, path, status in [
        ("POST", "/nothing/here", 404),
        ("POST", "/2015-03-31/functions/nothing/invocations", 404),
        ("GET", "/health", 200),
    ]:
        connection.request(method, path, b'{"some": "body"}')
        response = connection.getresponse()
        response.read()
        assert response.status == status
        assert connection.sock is used
    connection.close()
