"""Functions under a pattern, and functions that invoke each other, on the local AWS endpoint."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from support.aws_engine_kit import Caller, Local, until

STEP = {"do": "step"}


def chained(function: str, *plan: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"do": "invoke", "function": function, "input": {"plan": plan}, **more}


# Patterns


def test_a_pattern_serves_every_name_that_it_stands_for(caller: Caller) -> None:
    for name in ("many-1", "many-more"):
        arn = caller.start({"do": "function"}, function=f"{name}:live")
        assert json.loads(caller.end(arn)["Result"]) == [name]
        page = caller.client.list_durable_executions_by_function(FunctionName=name, Qualifier="live")
        assert [execution["DurableExecutionArn"] for execution in page["DurableExecutions"]] == [arn]


def test_a_name_that_no_pattern_stands_for_is_not_found(caller: Caller) -> None:
    with pytest.raises(ClientError, match="Function not found"):
        caller.start(function="many:live")


# Chained invokes


def test_a_durable_target_is_an_execution_of_its_own(caller: Caller) -> None:
    arn = caller.start(chained("many-a:live", STEP, {"do": "wait", "seconds": 1}, name="child"))
    ended = caller.end(arn)
    assert ended["Status"] == "SUCCEEDED"
    (started,) = caller.events(arn, "ChainedInvokeStarted")
    details = started["ChainedInvokeStartedDetails"]
    child = caller.get(details["DurableExecutionArn"])
    assert started["Name"] == "child"
    assert details["FunctionName"] == "many-a:live"
    assert details["ExecutedVersion"] == "1"
    assert child["InputPayload"] == details["Input"]["Payload"]
    (succeeded,) = caller.events(arn, "ChainedInvokeSucceeded")
    assert succeeded["ChainedInvokeSucceededDetails"]["Result"]["Payload"] == child["Result"]
    assert json.loads(ended["Result"]) == [json.loads(child["Result"])]


def test_a_plain_target_is_invoked_once_for_the_tenant(caller: Caller) -> None:
    arn = caller.start({"do": "invoke", "function": "echo", "input": "hello", "tenant": "t-1"})
    answer = {"event": "hello", "function": "echo", "version": "$LATEST", "tenant": "t-1"}
    assert json.loads(caller.end(arn)["Result"]) == [answer]
    details = caller.event(arn, "ChainedInvokeStarted")["ChainedInvokeStartedDetails"]
    assert (details["TenantId"], details["ExecutedVersion"]) == ("t-1", "$LATEST")
    assert "DurableExecutionArn" not in details


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ({"do": "invoke", "function": "echo", "input": {"fail": True}}, "the plain function failed"),
        (chained("many-a:live", {"do": "fail", "message": "no seat"}), "no seat"),
        (chained("brief:live", {"do": "callback"}), "timed out after 2 seconds"),
        (chained("many-a"), "unqualified ARN"),
        (chained("nobody:live"), "Function not found: arn:aws:lambda:us-east-2:000000000000:function:nobody:live"),
        (chained("many-a:stale"), "Function not found"),
    ],
)
def test_a_target_that_fails_fails_the_caller(caller: Caller, target: dict[str, Any], message: str) -> None:
    execution = caller.end(caller.start(target))
    assert execution["Status"] == "FAILED"
    assert message in execution["Error"]["ErrorMessage"]


def test_a_stopped_target_is_told_to_the_caller(caller: Caller) -> None:
    arn = caller.start(chained("many-a:live", {"do": "callback"}))
    child = until(
        lambda: caller.event(arn, "ChainedInvokeStarted")["ChainedInvokeStartedDetails"].get("DurableExecutionArn"),
        "the child",
    )
    caller.client.stop_durable_execution(DurableExecutionArn=child, Error={"ErrorMessage": "enough"})
    assert caller.end(arn)["Status"] == "FAILED"
    (stopped,) = caller.events(arn, "ChainedInvokeStopped")
    assert stopped["ChainedInvokeStoppedDetails"]["Error"]["Payload"] == {"ErrorMessage": "enough"}


def test_chained_invokes_survive_a_kill_of_the_engine(pair: Local, caller: Caller, unique: str) -> None:
    waiting = caller.start(chained("many-a:live", {"do": "callback"}))
    running = caller.start(chained("many-b:live", {"do": "step", "name": unique, "until": f"{unique}.go"}))
    child = until(
        lambda: caller.event(waiting, "ChainedInvokeStarted")["ChainedInvokeStartedDetails"].get("DurableExecutionArn"),
        "the child",
    )
    callback_id = caller.callback_id(child)
    until(lambda: pair.runs(unique) or None, "the child's step")
    pair.kill_engine()
    pair.start_engine()
    caller.client.send_durable_execution_callback_success(CallbackId=callback_id, Result=b"yes")
    pair.touch(f"{unique}.go")
    assert json.loads(caller.end(waiting)["Result"]) == [["yes"]]
    assert caller.end(running)["Status"] == "SUCCEEDED"
    children = caller.client.list_durable_executions_by_function(FunctionName="many-b")["DurableExecutions"]
    assert len(children) == 1
