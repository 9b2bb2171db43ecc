"""The parts of the local AWS engine on their own."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from aws_durable_execution_sdk_python.lambda_service import (
    CallbackOptions,
    ErrorObject,
    Operation,
    OperationAction,
    OperationStatus,
    OperationType,
    OperationUpdate,
    WaitDetails,
)
from aws_durable_execution_sdk_python_testing.model import StartDurableExecutionInput
from aws_durable_execution_sdk_python_testing.threads import DaemonThreadPool

from reservation_cli.local.aws_engine.clock import MillisecondClock, WallClockScheduler
from reservation_cli.local.aws_engine.errors import ApiError
from reservation_cli.local.aws_engine.execution import LocalExecution
from reservation_cli.local.aws_engine.executor import LocalExecutor
from reservation_cli.local.aws_engine.functions import Function, Functions
from reservation_cli.local.aws_engine.history import history
from reservation_cli.local.aws_engine.host import (
    HandlerHost,
    HostLostError,
    HostUnavailableError,
    InvocationAbandonedError,
)
from reservation_cli.local.aws_engine.lanes import PooledLane
from reservation_cli.local.aws_engine.recovery import forget_hourly, recover
from reservation_cli.local.aws_engine.store import Query, SqliteStore, StoreError
from reservation_cli.local.aws_engine.wire import parse_moment, rfc3339
from support.aws_engine_kit import free_port, until

FUNCTIONS = Functions("us-east-2", [Function("flow", 60), Function("own-*", 60)])
T0 = datetime(2026, 11, 23, 9, 0, 0, 123_000, UTC)


def start_input(name: str = "r-1", function: str = "flow", payload: str = "{}") -> StartDurableExecutionInput:
    return StartDurableExecutionInput("000000000000", function, "1", name, 60, 14, f"id-{name}", input=payload)


def execution(name: str = "r-1", started: datetime = T0) -> LocalExecution:
    made = LocalExecution(f"arn:{name}", start_input(name), [])
    made.start(now=started)
    return made


@contextmanager
def opened(folder: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(folder)
    try:
        yield store
    finally:
        store.close()


class FailingDisk:
    """A store's connection whose writes with those numbers, from 1, find the disk full."""

    def __init__(self, store: SqliteStore, failing: set[int]) -> None:
        self.writes = 0
        self._failing = failing
        self._connection = store._connection
        vars(store)["_connection"] = self

    def execute(self, statement: str, *parameters: Any) -> Any:
        if not statement.lstrip().startswith("SELECT"):
            self.writes += 1
            if self.writes in self._failing:
                raise sqlite3.OperationalError("database or disk is full")
        return self._connection.execute(statement, *parameters)

    def close(self) -> None:
        self._connection.close()


@contextmanager
def answering(port: int, *answers: tuple[int, bytes]) -> Iterator[list[bytes]]:
    """A host that gives those answers, the last one for good; status 0 breaks the connection."""
    seen: list[bytes] = []

    def answer(body: bytes) -> tuple[int, bytes]:
        seen.append(body)
        return answers[min(len(seen), len(answers)) - 1]

    with serving(port, lambda _, body: answer(body)):
        yield seen


@contextmanager
def serving(port: int, answer: Callable[[str, bytes], tuple[int, bytes]]) -> Iterator[None]:
    """A host that gives what `answer` makes of a path and a body; status 0 breaks the connection."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            status, body = answer(self.path, self.rfile.read(int(self.headers["Content-Length"])))
            if status == 0:
                return
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        request_queue_size = 256

    server = Server(("127.0.0.1", port), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def scheduler() -> Iterator[WallClockScheduler]:
    with WallClockScheduler() as running:
        yield running
    # The engine leaves its loop open, which is all the same to a process that ends.
    running._loop.close()


# Store


def test_the_store_keeps_everything_over_a_restart(tmp_path: Path) -> None:
    kept = execution()
    kept.heartbeats["op"] = T0
    kept.invocation_errors["request"] = ErrorObject("gone", "Runtime.ExitError", None, None)
    kept.record_invocation_completion(T0, T0 + timedelta(milliseconds=7), "request")
    kept.invocation_due = False
    with opened(tmp_path) as store:
        store.update(kept)
    with opened(tmp_path) as store:
        (read,) = store.unfinished()
        assert read.to_json_dict() == kept.to_json_dict()
        assert read.started == T0
        assert store.running == 1
        assert store.load("arn:r-1") is read


def test_what_is_only_saved_is_written_by_the_flush(tmp_path: Path) -> None:
    changed = execution()
    with opened(tmp_path) as store:
        store.update(changed)
        changed.invocation_due = False
        store.save(changed)
        store.flush("arn:r-1")
    with opened(tmp_path) as store:
        assert store.unfinished()[0].invocation_due is False


def test_the_store_finds_by_name_whether_it_runs_or_not(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        running, ended = execution("running"), execution("ended")
        ended.complete_success("1", now=T0 + timedelta(seconds=1))
        store.update(running)
        store.update(ended)
        assert store.find("flow", "running") is running
        found = store.find("flow", "ended")
        assert found is not None
        assert found.is_complete
        assert store.find("flow", "nobody") is None
        assert store.find("other", "running") is None
        assert store.running == 1


def test_an_unknown_arn_is_a_key_error(tmp_path: Path) -> None:
    with opened(tmp_path) as store, pytest.raises(KeyError):
        store.load("arn:nobody")


def test_the_oldest_ended_executions_are_forgotten(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        for days in (1, 20):
            ended = execution(f"d{days}", T0 - timedelta(days=days))
            ended.complete_success(None, now=T0 - timedelta(days=days))
            store.update(ended)
        store.update(execution("running", T0 - timedelta(days=30)))
    with opened(tmp_path) as store:
        assert store.prune(T0 - timedelta(days=14)) == 1
        assert [kept.start_input.execution_name for kept in store.list_all() if isinstance(kept, LocalExecution)] == [
            "d1",
            "running",
        ]


def test_a_running_engine_forgets_as_well(tmp_path: Path) -> None:
    clock = MillisecondClock()
    with opened(tmp_path) as store:
        for days in (1, 20):
            moment = clock.now() - timedelta(days=days)
            ended = execution(f"d{days}", moment)
            ended.complete_success(None, now=moment)
            store.update(ended)
        over = threading.Event()
        thread = threading.Thread(target=forget_hourly, args=(store, clock, over, 0.001))
        thread.start()
        until(lambda: len(store.list_all()) == 1, "what is past its retention")
        over.set()
        thread.join()
        assert store.find("flow", "d1") is not None


def test_what_cannot_be_forgotten_now_is_forgotten_later(tmp_path: Path) -> None:
    clock = MillisecondClock()
    with opened(tmp_path) as store:
        ended = execution("d20", clock.now() - timedelta(days=20))
        ended.complete_success(None, now=clock.now() - timedelta(days=20))
        store.update(ended)
        disk = FailingDisk(store, {1, 2})
        over = threading.Event()
        thread = threading.Thread(target=forget_hourly, args=(store, clock, over, 0.001))
        thread.start()
        until(lambda: store.list_all() == [] or None, "what is past its retention")
        over.set()
        thread.join()
        assert disk.writes >= 3


def test_a_new_execution_that_cannot_be_stored_is_not_there(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        FailingDisk(store, {1})
        with pytest.raises(sqlite3.OperationalError, match="full"):
            store.write(execution())
        assert (store.running, store.list_all(), store.find("flow", "r-1")) == (0, [], None)


@pytest.mark.parametrize("failing", [2, 3], ids=["before the handler", "at the end"])
def test_an_execution_ends_whichever_of_its_writes_fails(
    tmp_path: Path, scheduler: WallClockScheduler, monkeypatch: pytest.MonkeyPatch, failing: int
) -> None:
    monkeypatch.setattr("reservation_cli.local.aws_engine.store._ROOM_SECONDS", 0.01)
    port = free_port()
    with opened(tmp_path) as store, answering(port, (200, json.dumps({"Status": "SUCCEEDED"}).encode())) as seen:
        disk = FailingDisk(store, {failing, failing + 1})
        host = HandlerHost(f"http://127.0.0.1:{port}")
        executor = LocalExecutor(store, scheduler, host, MillisecondClock(), FUNCTIONS)
        arn = executor.start_execution(start_input()).execution_arn
        assert arn is not None
        assert executor.wait_for_end(arn).is_complete
        executor.shutdown()
        assert (store.running, store.no_room, len(seen)) == (0, None, 1)
        assert disk.writes >= failing + 2
    with opened(tmp_path) as store:
        assert store.unfinished() == []


def test_a_page_ends_where_the_next_begins_even_within_a_millisecond(tmp_path: Path) -> None:
    def page(oldest_first: bool, marker: tuple[int, int] | None) -> tuple[list[str], tuple[int, int] | None]:
        query = Query("flow", None, None, frozenset(), None, None, oldest_first, 2, marker)
        summaries, following = store.summaries(query)
        return [summary.name for summary in summaries], following

    with opened(tmp_path) as store:
        for number in range(5):
            store.update(execution(f"r-{number}"))
        for oldest_first, order in ((True, [0, 1, 2, 3, 4]), (False, [4, 3, 2, 1, 0])):
            names, marker = page(oldest_first, None)
            while marker is not None:
                more, marker = page(oldest_first, marker)
                names += more
            assert names == [f"r-{number}" for number in order]


def test_a_folder_of_another_schema_is_refused(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        store._connection.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreError, match="schema 99"):
        SqliteStore(tmp_path)


# History


def test_events_of_one_millisecond_keep_their_order() -> None:
    told = execution()
    told.updates = [
        OperationUpdate("s", OperationType.STEP, OperationAction.START),
        OperationUpdate("s", OperationType.STEP, OperationAction.SUCCEED, payload="1"),
    ]
    told.update_timestamps = [T0, T0]
    told.operations.append(Operation("s", OperationType.STEP, OperationStatus.SUCCEEDED))
    told.record_invocation_completion(T0, T0, "request")
    told.complete_success("1", now=T0)
    kinds = [event["EventType"] for event in history(told, include_data=True)]
    assert kinds == ["ExecutionStarted", "StepStarted", "StepSucceeded", "InvocationCompleted", "ExecutionSucceeded"]


def test_callback_timeouts_come_from_the_checkpoint() -> None:
    made = execution()
    made.updates = [
        OperationUpdate(
            "c", OperationType.CALLBACK, OperationAction.START, callback_options=CallbackOptions(timeout_seconds=5)
        )
    ]
    assert made.callback_options("c").timeout_seconds == 5
    assert made.callback_options("other") == CallbackOptions()


# Functions


def test_a_reference_resolves_to_a_version() -> None:
    functions = Functions("us-east-2", [Function("flow", 60)])
    assert functions.resolve("flow", None).version is None
    assert functions.resolve("flow:live", None).version == "1"
    assert functions.resolve("flow", "$LATEST").version == "$LATEST"


@pytest.mark.parametrize("reference", ["", "with space", "a/b", "flow:", "x" * 257])
def test_a_malformed_reference_is_refused(reference: str) -> None:
    with pytest.raises(ApiError) as error:
        Functions("us-east-2", [Function("flow", 60)]).resolve(reference, None)
    assert error.value.status == 400


# Host


def test_a_call_waits_for_a_host_that_is_not_ready() -> None:
    port = free_port()
    with answering(port, (503, b""), (200, b"7")) as seen:
        reply = HandlerHost(f"http://127.0.0.1:{port}").call("flow:1", b"{}", {})
    assert reply.body == b"7"
    assert len(seen) == 2


def test_a_call_gives_up_when_its_patience_ends() -> None:
    host = HandlerHost(f"http://127.0.0.1:{free_port()}", patience=0)
    with pytest.raises(HostUnavailableError):
        host.call("flow:1", b"{}", {})


def test_a_call_that_is_not_wanted_any_more_ends() -> None:
    host = HandlerHost(f"http://127.0.0.1:{free_port()}")
    with pytest.raises(InvocationAbandonedError):
        host.call("flow:1", b"{}", {}, wanted=lambda: False)


def test_a_broken_connection_is_a_lost_host() -> None:
    port = free_port()
    with answering(port, (0, b"")), pytest.raises(HostLostError):
        HandlerHost(f"http://127.0.0.1:{port}").call("flow:1", b"{}", {})


@pytest.mark.parametrize("url", ["127.0.0.1:80", "https://127.0.0.1:80", "http://127.0.0.1"])
def test_a_wrong_host_url_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="not a host URL"):
        HandlerHost(url)


def test_an_absent_host_costs_no_attempt_however_long(tmp_path: Path, scheduler: WallClockScheduler) -> None:
    port = free_port()
    with opened(tmp_path) as store:
        clock = MillisecondClock()
        executor = LocalExecutor(
            store, scheduler, HandlerHost(f"http://127.0.0.1:{port}", patience=0), clock, FUNCTIONS
        )
        arn = executor.start_execution(start_input()).execution_arn
        assert arn is not None
        first = until(lambda: executor.find(arn).current_invocation_id or None, "the first try")
        until(lambda: executor.find(arn).current_invocation_id != first or None, "another try")
        assert executor.find(arn).consecutive_failed_invocation_attempts == 0
        with answering(port, (200, json.dumps({"Status": "SUCCEEDED", "Result": "7"}).encode())):
            ended = executor.wait_for_end(arn)
        executor.shutdown()
        assert ended.result is not None
        assert ended.result.result == "7"
        assert ended.ended is not None


def test_recovery_leaves_alone_what_waits_for_nothing_new(tmp_path: Path, scheduler: WallClockScheduler) -> None:
    idle = execution(started=datetime.now(UTC))
    idle.invocation_due = False
    with opened(tmp_path) as store:
        store.update(idle)
    port = free_port()
    with opened(tmp_path) as store, answering(port, (200, b"{}")) as seen:
        clock = MillisecondClock()
        executor = LocalExecutor(store, scheduler, HandlerHost(f"http://127.0.0.1:{port}"), clock, FUNCTIONS)
        assert recover(executor, store, clock) == 1
        executor.shutdown()
        assert store.load("arn:r-1").current_invocation_id == ""
        assert seen == []


def test_handlers_that_never_answer_hold_up_no_other_function(tmp_path: Path, scheduler: WallClockScheduler) -> None:
    port, free, hanging = free_port(), threading.Event(), set[str]()

    def answer(path: str, _: bytes) -> tuple[int, bytes]:
        if "own-" in path:
            hanging.add(path)
            free.wait(60)
        return 200, json.dumps({"Status": "SUCCEEDED"}).encode()

    with opened(tmp_path) as store, serving(port, answer):
        host = HandlerHost(f"http://127.0.0.1:{port}")
        executor = LocalExecutor(store, scheduler, host, MillisecondClock(), FUNCTIONS)
        own = [executor.start_execution(start_input(f"r-{n}", f"own-{n}")).execution_arn for n in range(100)]
        try:
            until(lambda: len(hanging) >= 64 or None, "all threads of the function that hangs")
            arn = executor.start_execution(start_input("other", "flow")).execution_arn
            assert arn is not None
            until(lambda: executor.find(arn).is_complete or None, "the end of the other function's execution")
            assert store.running == 100
        finally:
            free.set()
        until(lambda: store.running == 0 or None, "the end of all")
        executor.shutdown()
        assert all(arn and executor.find(arn).is_complete for arn in own)


def test_a_function_that_the_host_has_not_costs_no_attempt(
    tmp_path: Path, scheduler: WallClockScheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reservation_cli.local.aws_engine.executor._MISSING_RETRY_SECONDS", 0.01)
    port = free_port()
    answers = [(404, b"")] * 7 + [(200, json.dumps({"Status": "SUCCEEDED", "Result": "7"}).encode())]
    with opened(tmp_path) as store, answering(port, *answers) as seen:
        host = HandlerHost(f"http://127.0.0.1:{port}")
        executor = LocalExecutor(store, scheduler, host, MillisecondClock(), FUNCTIONS)
        arn = executor.start_execution(start_input()).execution_arn
        assert arn is not None
        ended = executor.wait_for_end(arn)
        executor.shutdown()
    assert ended.result is not None
    assert ended.result.result == "7"
    assert len(seen) == 8


def test_an_execution_of_a_function_that_is_not_served_waits_for_a_restart_that_serves_it(
    tmp_path: Path, scheduler: WallClockScheduler
) -> None:
    port = free_port()
    due = execution(started=datetime.now(UTC))
    waited = WaitDetails(datetime.now(UTC) - timedelta(seconds=1))
    due.operations.append(
        Operation("w", OperationType.WAIT, OperationStatus.STARTED, start_timestamp=T0, wait_details=waited)
    )
    due.invocation_due = False
    arn = due.durable_execution_arn
    with opened(tmp_path) as store, answering(port, (200, json.dumps({"Status": "SUCCEEDED"}).encode())) as seen:
        store.update(due)

        def executor(functions: Functions) -> LocalExecutor:
            clock = MillisecondClock()
            made = LocalExecutor(store, scheduler, HandlerHost(f"http://127.0.0.1:{port}"), clock, functions)
            recover(made, store, clock)
            return made

        without = executor(Functions("us-east-2", [Function("other", 60)]))
        until(lambda: store.load(arn).operations[1].status is OperationStatus.SUCCEEDED or None, "the end of the wait")
        without.shutdown()
        assert (store.running, seen) == (1, [])
        served = executor(FUNCTIONS)
        assert served.wait_for_end(arn).is_complete
        served.shutdown()
        assert len(seen) == 1


def test_a_history_is_told_between_checkpoints_not_in_the_middle_of_one(
    tmp_path: Path, scheduler: WallClockScheduler
) -> None:
    told = execution(started=datetime.now(UTC))
    arn = told.durable_execution_arn
    begun, asked = threading.Event(), threading.Event()

    def checkpoint() -> None:
        told.updates.append(OperationUpdate("s", OperationType.STEP, OperationAction.START))
        begun.set()
        assert asked.wait(60)
        told.operations.append(Operation("s", OperationType.STEP, OperationStatus.STARTED))
        told.update_timestamps.append(told.started)

    with opened(tmp_path) as store:
        store.update(told)
        host = HandlerHost(f"http://127.0.0.1:{free_port()}")
        executor = LocalExecutor(store, scheduler, host, MillisecondClock(), FUNCTIONS)
        lane = PooledLane(DaemonThreadPool(max_workers=1), lambda: None)
        executor._registry.get_or_create(arn)._lane = lane
        checkpointed = lane.submit(checkpoint)
        assert begun.wait(60)
        with ThreadPoolExecutor(1) as pool:
            looked = pool.submit(executor.look, told, lambda: history(told, include_data=True))
            until(lambda: looked.done() or len(lane._tasks) == 1 or None, "the look on the lane")
            asked.set()
            kinds = [event["EventType"] for event in looked.result(60)]
        checkpointed.result(60)
        executor.shutdown()
    assert kinds == ["ExecutionStarted", "StepStarted"]


def test_a_look_at_what_waits_for_room_does_not_wait(
    tmp_path: Path, scheduler: WallClockScheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reservation_cli.local.aws_engine.executor._STALL_SECONDS", 0.01)
    made = execution(started=datetime.now(UTC))
    arn = made.durable_execution_arn
    begun, queued = threading.Event(), threading.Event()

    def update() -> None:
        begun.set()
        assert queued.wait(60)
        store.update(made)

    store = SqliteStore(tmp_path)
    store.update(made)
    host = HandlerHost(f"http://127.0.0.1:{free_port()}")
    executor = LocalExecutor(store, scheduler, host, MillisecondClock(), FUNCTIONS)
    lane = PooledLane(DaemonThreadPool(max_workers=1), lambda: None)
    executor._registry.get_or_create(arn)._lane = lane
    FailingDisk(store, set(range(10_000)))
    waiting = lane.submit(update)
    assert begun.wait(60)
    with ThreadPoolExecutor(1) as pool:
        looked = pool.submit(executor.look, made, lambda: made.current_status().value)
        until(lambda: len(lane._tasks) == 1 or None, "the look on the lane")
        queued.set()
        assert looked.result(60) == "RUNNING"
    with pytest.raises(ApiError, match="cannot store it"):
        executor.stop_execution(arn)
    assert not waiting.done()
    store.close()
    assert isinstance(waiting.exception(60), sqlite3.OperationalError)
    executor.shutdown()


def test_a_wait_that_ends_when_an_invocation_does_wakes_the_execution(
    tmp_path: Path, scheduler: WallClockScheduler
) -> None:
    due = execution(started=datetime.now(UTC))
    arn = due.durable_execution_arn
    waited = WaitDetails(datetime.now(UTC) - timedelta(seconds=1))
    due.operations.append(
        Operation("w", OperationType.WAIT, OperationStatus.STARTED, start_timestamp=T0, wait_details=waited)
    )
    port = free_port()
    free = threading.Event()
    with opened(tmp_path) as store, answering(port, (200, json.dumps({"Status": "SUCCEEDED"}).encode())):
        store.update(due)
        host = HandlerHost(f"http://127.0.0.1:{port}")
        executor = LocalExecutor(store, scheduler, host, MillisecondClock(), FUNCTIONS)
        lane = PooledLane(DaemonThreadPool(max_workers=1), lambda: None)
        worker = executor._registry.get_or_create(arn)
        worker._lane = lane
        lane.submit(lambda: free.wait(60))
        executor.arm_wakeup(arn)
        until(lambda: len(lane._tasks) == 1, "the wake-up on the lane")
        # What the end of an invocation does, right behind the wake-up, while the scheduler has no time.
        last = lane.submit(lambda: executor._schedule_earliest_pending(arn))
        scheduler._loop.call_soon_threadsafe(lambda: last.exception(60))
        free.set()
        try:
            until(lambda: executor.find(arn).is_complete or None, "the end of the execution")
        finally:
            executor.shutdown()


# Clock, lanes, wire


def test_the_clock_tells_whole_milliseconds() -> None:
    clock = MillisecondClock()
    assert clock.now().microsecond % 1000 == 0
    assert clock.arm(datetime.now(UTC) - timedelta(hours=1)) == 0


def test_a_timer_never_ends_early(scheduler: WallClockScheduler) -> None:
    due = time.time() + 0.05
    assert scheduler.call_later(time.time, delay=0.05).result(10) >= due


def test_a_lane_runs_its_tasks_one_by_one_and_in_order() -> None:
    done: list[object] = []
    lane = PooledLane(DaemonThreadPool(max_workers=4), lambda: done.append("flushed"))
    futures = [lane.submit(partial(done.append, number)) for number in range(50)]
    for future in futures:
        future.result(10)
    assert done == [entry for number in range(50) for entry in (number, "flushed")]
    lane.stop()
    with pytest.raises(RuntimeError):
        lane.submit(lambda: None)


def test_a_failing_task_tells_its_caller_and_leaves_the_lane_usable() -> None:
    lane = PooledLane(DaemonThreadPool(max_workers=1), lambda: None)
    with pytest.raises(ZeroDivisionError):
        lane.submit(lambda: 1 // 0).result(10)
    assert lane.submit(lambda: 7).result(10) == 7


@pytest.mark.parametrize(
    "text", ["2026-11-23T09:00:00.123Z", "2026-11-23T09:00:00.123", "2026-11-23T10:00:00.123+01:00", "1795424400.123"]
)
def test_timestamps_are_read_in_every_form_that_clients_send(text: str) -> None:
    assert parse_moment(text) == T0
    assert rfc3339(parse_moment(text)) == "2026-11-23T09:00:00.123Z"


def test_a_wrong_timestamp_is_refused() -> None:
    with pytest.raises(ApiError):
        parse_moment("yesterday")
