"""The local AWS endpoint on a full disk: it loses nothing, says so, and goes on by itself once there is room."""

from __future__ import annotations

import json
from collections.abc import Iterator
from urllib.request import urlopen

import pytest
from botocore.exceptions import ClientError

from support.aws_engine_kit import Caller, Local, local, until


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Local]:
    with local(tmp_path_factory.mktemp("engine"), module="support.aws_engine_disk") as running:
        yield running


def waiting(caller: Caller, name: str) -> str:
    """An execution that sleeps for a second, and then has a step to do."""
    arn = caller.start({"do": "wait", "seconds": 1}, {"do": "step", "name": name})
    caller.event(arn, "InvocationCompleted")
    return arn


def health(pair: Local) -> dict[str, object]:
    with urlopen(f"{pair.url}/health") as response:
        answer: dict[str, object] = json.load(response)
    return answer


def test_what_falls_due_on_a_full_disk_goes_on_once_there_is_room(pair: Local, caller: Caller, unique: str) -> None:
    arn = waiting(caller, unique)
    pair.fill_disk()
    caller.event(arn, "WaitSucceeded")
    assert caller.status(arn) == "RUNNING"
    assert health(pair)["ok"] is True
    pair.free_disk()
    assert caller.end(arn)["Status"] == "SUCCEEDED"
    assert pair.runs(unique) == 1


def test_what_is_asked_for_on_a_full_disk_is_refused_and_changes_nothing(
    pair: Local, caller: Caller, unique: str
) -> None:
    arn = caller.start({"do": "callback"})
    callback_id = caller.callback_id(arn)
    caller.event(arn, "InvocationCompleted")
    before = health(pair)["running"]
    pair.fill_disk()
    for ask in (
        lambda: caller.start({"do": "step"}, name=unique),
        lambda: caller.client.send_durable_execution_callback_success(CallbackId=callback_id, Result=b"yes"),
        lambda: caller.client.send_durable_execution_callback_failure(CallbackId=callback_id),
        lambda: caller.client.send_durable_execution_callback_heartbeat(CallbackId=callback_id),
        lambda: caller.client.stop_durable_execution(DurableExecutionArn=arn),
    ):
        with pytest.raises(ClientError, match="cannot store it") as error:
            ask()
        assert error.value.response["Error"]["Code"] == "ServiceException"
        assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500
    listed = caller.client.list_durable_executions_by_function(FunctionName="flow", DurableExecutionName=unique)
    assert listed["DurableExecutions"] == []
    assert health(pair)["running"] == before
    assert caller.status(arn) == "RUNNING"
    pair.free_disk()
    caller.client.send_durable_execution_callback_success(CallbackId=callback_id, Result=b"yes")
    assert json.loads(caller.end(arn)["Result"]) == ["yes"]
    assert caller.end(caller.start({"do": "step"}, name=unique))["Status"] == "SUCCEEDED"


def test_a_handler_at_work_goes_on_once_there_is_room(pair: Local, caller: Caller, unique: str) -> None:
    arn = caller.start({"do": "step", "name": unique, "until": f"{unique}.go"}, {"do": "step"})
    until(lambda: pair.runs(unique) or None, "the step")
    pair.fill_disk()
    pair.touch(f"{unique}.go")
    with pytest.raises(ClientError):
        caller.start()
    pair.free_disk()
    assert caller.end(arn)["Status"] == "SUCCEEDED"


def test_an_engine_that_starts_on_a_full_disk_goes_on_once_there_is_room(
    pair: Local, caller: Caller, unique: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    arn = waiting(caller, unique)
    pair.kill_engine()
    with monkeypatch.context() as full:
        full.setenv("RESV_TEST_FULL_DISK", "1")
        pair.start_engine()
    caller.event(arn, "WaitSucceeded")
    assert pair.runs(unique) == 0
    pair.free_disk()
    assert caller.end(arn)["Status"] == "SUCCEEDED"
    assert pair.runs(unique) == 1
