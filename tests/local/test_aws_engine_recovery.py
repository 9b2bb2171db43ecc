"""What the local AWS endpoint keeps through a kill, and how it starts and ends."""

from __future__ import annotations

import contextlib
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from support.aws_engine_kit import Caller, Local, free_port, start_engine, until


@pytest.fixture(scope="module")
def survivors(pair: Local, caller: Caller) -> dict[str, str]:
    """Executions in every state in which a kill of the engine can find one, after that kill and a restart."""
    wait = {"do": "wait", "seconds": 1}
    beating = caller.start({"do": "callback", "heartbeat": 3})
    caller.client.send_durable_execution_callback_heartbeat(CallbackId=caller.callback_id(beating))
    arns = {
        "heartbeat": beating,
        "overdue wait": caller.start({"do": "step", "name": "before"}, wait, {"do": "step", "name": "after"}),
        "wait": caller.start({"do": "wait", "seconds": 5}),
        "step retry": caller.start({"do": "step", "name": "retried", "failures": 1, "delay": 2}),
        "callback timeout": caller.start({"do": "callback", "timeout": 2}),
        "execution timeout": caller.start({"do": "callback"}, function="brief:live"),
        "invocation": caller.start({"do": "step", "name": "blocked", "until": "go"}),
        "callback": caller.start({"do": "callback", "timeout": 600}, {"do": "step", "name": "answered"}),
        "stopped": caller.start({"do": "callback"}),
        "named": caller.start({"do": "callback"}, name="kept-name"),
    }
    for name in ("overdue wait", "wait"):
        caller.event(arns[name], "WaitStarted")
    caller.event(arns["step retry"], "StepFailed")
    for name in ("callback timeout", "execution timeout", "callback", "stopped", "named"):
        caller.callback_id(arns[name])
    until(lambda: pair.runs("blocked") or None, "the step that blocks")
    due = caller.event(arns["overdue wait"], "WaitStarted")["WaitStartedDetails"]["ScheduledEndTimestamp"]
    caller.client.stop_durable_execution(DurableExecutionArn=arns["stopped"], Error={"ErrorMessage": "enough"})
    callback_id = caller.callback_id(arns["callback"])
    caller.client.send_durable_execution_callback_success(CallbackId=callback_id, Result=b"yes")
    pair.kill_engine()
    until(lambda: datetime.now(UTC) > due or None, "the wait is due while nobody is there")
    pair.start_engine()
    return arns


def test_an_overdue_wait_ends_at_once_and_no_step_runs_twice(
    pair: Local, caller: Caller, survivors: dict[str, str]
) -> None:
    assert caller.end(survivors["overdue wait"])["Status"] == "SUCCEEDED"
    assert (pair.runs("before"), pair.runs("after")) == (1, 1)


def test_a_wait_keeps_its_end(caller: Caller, survivors: dict[str, str]) -> None:
    execution = caller.end(survivors["wait"])
    started = caller.event(survivors["wait"], "WaitStarted")["WaitStartedDetails"]
    ended = caller.event(survivors["wait"], "WaitSucceeded")["EventTimestamp"]
    assert execution["Status"] == "SUCCEEDED"
    assert ended >= started["ScheduledEndTimestamp"]


def test_a_step_retry_still_happens(pair: Local, caller: Caller, survivors: dict[str, str]) -> None:
    assert caller.end(survivors["step retry"])["Status"] == "SUCCEEDED"
    assert pair.runs("retried") == 2


@pytest.mark.parametrize(
    ("name", "kind"), [("callback timeout", "Callback.Timeout"), ("heartbeat", "Callback.Heartbeat")]
)
def test_a_callback_still_times_out(caller: Caller, survivors: dict[str, str], name: str, kind: str) -> None:
    caller.end(survivors[name])
    (timed_out,) = caller.events(survivors[name], "CallbackTimedOut")
    assert timed_out["CallbackTimedOutDetails"]["Error"]["Payload"]["ErrorType"] == kind


def test_a_heartbeat_counts_from_the_last_one(caller: Caller, survivors: dict[str, str]) -> None:
    caller.end(survivors["heartbeat"])
    started = caller.event(survivors["heartbeat"], "CallbackStarted")["EventTimestamp"]
    timed_out = caller.event(survivors["heartbeat"], "CallbackTimedOut")["EventTimestamp"]
    assert timed_out > started + timedelta(seconds=3)


def test_an_execution_still_times_out(caller: Caller, survivors: dict[str, str]) -> None:
    execution = caller.end(survivors["execution timeout"])
    assert execution["Status"] == "TIMED_OUT"
    assert execution["EndTimestamp"] - execution["StartTimestamp"] >= timedelta(seconds=2)


def test_an_interrupted_invocation_is_repeated(pair: Local, caller: Caller, survivors: dict[str, str]) -> None:
    until(lambda: pair.runs("blocked") == 2 or None, "the second run of the step")
    assert caller.status(survivors["invocation"]) == "RUNNING"
    pair.touch("go")
    assert caller.end(survivors["invocation"])["Status"] == "SUCCEEDED"


def test_an_acknowledged_callback_is_not_lost(caller: Caller, survivors: dict[str, str]) -> None:
    execution = caller.end(survivors["callback"])
    assert json.loads(execution["Result"])[0] == "yes"


def test_what_had_ended_can_still_be_read(caller: Caller, survivors: dict[str, str]) -> None:
    execution = caller.get(survivors["stopped"])
    assert execution["Status"] == "STOPPED"
    assert execution["Error"] == {"ErrorMessage": "enough"}
    assert caller.events(survivors["stopped"])[-1]["EventType"] == "ExecutionStopped"


def test_a_name_stays_taken(caller: Caller, survivors: dict[str, str]) -> None:
    assert caller.start({"do": "callback"}, name="kept-name") == survivors["named"]
    with pytest.raises(ClientError, match="DurableExecutionAlreadyStartedException"):
        caller.start({"do": "step"}, name="kept-name")


def test_a_host_that_is_away_at_wakeup_costs_nothing(pair: Local, caller: Caller) -> None:
    arn = caller.start({"do": "wait", "seconds": 1}, {"do": "step", "name": "woken"})
    caller.event(arn, "InvocationCompleted")
    pair.kill_host()
    caller.event(arn, "WaitSucceeded")
    pair.start_host()
    assert caller.end(arn)["Status"] == "SUCCEEDED"
    invocations = [event["InvocationCompletedDetails"] for event in caller.events(arn, "InvocationCompleted")]
    assert [invocation.get("Error") for invocation in invocations] == [None, None]


def test_an_execution_stopped_while_its_host_is_away_never_runs(pair: Local, caller: Caller) -> None:
    pair.kill_host()
    arn = caller.start({"do": "step", "name": "unwanted"})
    later = caller.start({"do": "step", "name": "wanted"})
    caller.client.stop_durable_execution(DurableExecutionArn=arn)
    pair.start_host()
    assert caller.end(later)["Status"] == "SUCCEEDED"
    assert caller.status(arn) == "STOPPED"
    assert pair.runs("unwanted") == 0


def test_a_later_invocation_that_both_were_killed_in_is_repeated(pair: Local, caller: Caller) -> None:
    arn = caller.start({"do": "wait", "seconds": 1}, {"do": "step", "name": "late", "until": "late-go"})
    # The engine knows that the step has begun: the handler has seen all that there was.
    caller.event(arn, "StepStarted")
    until(lambda: pair.runs("late") or None, "the step")
    pair.kill_host()
    pair.kill_engine()
    pair.start_engine()
    pair.start_host()
    until(lambda: pair.runs("late") == 2 or None, "the second run of the step")
    pair.touch("late-go")
    assert caller.end(arn)["Status"] == "SUCCEEDED"


def test_a_handler_that_always_crashes_fails_the_execution(pair: Local, caller: Caller) -> None:
    arn = caller.start({"do": "step", "name": "doomed", "crashes": 99})
    while caller.status(arn) == "RUNNING":
        assert pair.host is not None
        if pair.host.poll() is not None:
            pair.start_host()
    execution = caller.get(arn)
    assert execution["Status"] == "FAILED"
    assert execution["Error"]["ErrorType"] == "Runtime.ExitError"
    assert len(caller.events(arn, "InvocationCompleted")) == 5
    pair.start_host()


def test_no_acknowledged_start_is_lost_in_a_kill(pair: Local, caller: Caller) -> None:
    acknowledged: list[str] = []

    def start_until_the_end() -> None:
        with contextlib.suppress(BotoCoreError):
            while True:
                acknowledged.append(caller.start({"do": "step", "name": "many"}))

    with ThreadPoolExecutor(8) as pool:
        for _ in range(8):
            pool.submit(start_until_the_end)
        until(lambda: len(acknowledged) >= 50 or None, "fifty starts")
        pair.kill_engine()
    pair.start_engine()
    assert [caller.end(arn, 60)["Status"] for arn in acknowledged] == ["SUCCEEDED"] * len(acknowledged)


def arguments(folder: Path, port: int = 0) -> list[str]:
    return ["--port", str(port), "--host-url", f"http://127.0.0.1:{free_port()}", "--data", str(folder)]


def test_it_ends_with_sigterm(tmp_path: Path) -> None:
    with start_engine(*arguments(tmp_path)) as engine:
        assert engine.stdout is not None
        assert json.loads(engine.stdout.readline())["ready"] is True
        engine.terminate()
        assert engine.wait(10) == 0


def test_it_ends_with_its_parent(tmp_path: Path) -> None:
    with start_engine(*arguments(tmp_path), "--exit-with-parent") as engine:
        assert engine.stdout is not None
        assert engine.stdin is not None
        assert json.loads(engine.stdout.readline())["ready"] is True
        engine.stdin.close()
        assert engine.wait(10) == 0


def test_a_taken_port_is_refused(tmp_path: Path, pair: Local) -> None:
    with start_engine(*arguments(tmp_path, pair.engine_port)) as engine:
        _, errors = engine.communicate(timeout=10)
    assert engine.returncode == 1
    assert str(pair.engine_port) in errors


def test_a_folder_in_use_is_refused(pair: Local) -> None:
    with start_engine(*arguments(pair.folder / "data")) as engine:
        _, errors = engine.communicate(timeout=10)
    assert engine.returncode == 1
    assert str(pair.folder / "data") in errors


@pytest.mark.parametrize("function", ["flow=0", "flow=soon", "flow=31622401"])
def test_a_wrong_execution_timeout_is_refused(tmp_path: Path, function: str) -> None:
    with start_engine(*arguments(tmp_path), "--function", function) as engine:
        _, errors = engine.communicate(timeout=10)
    assert engine.returncode == 2
    assert "31622400" in errors
