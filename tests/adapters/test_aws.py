"""AWS's recorded answers, and its errors, through real boto3 against a local HTTP server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from reservation_cli.domain.comparison import metrics
from reservation_cli.domain.reservation import ReservationRequest, parse_time
from reservation_cli.domain.timeline import Engine, Timeline
from reservation_cli.errors import ConflictError, NotFoundError, PlatformError, ResvError, UsageError
from reservation_cli.platforms.aws import AwsClient
from reservation_cli.platforms.aws_history import timeline_from_history
from reservation_cli.platforms.payloads import Lane
from support.http_server import Answers, serving
from support.stacks import a_stack

FIXTURES = Path(__file__).parents[1] / "fixtures" / "aws"
LANE = Lane("local", "http://127.0.0.1:9014", Engine("engine", "1.4.0"), "AWS · local")
ARN = "arn:aws:lambda:us-east-2:000000000000:function:reservation-workflow-dev:1/durable-execution/r-1/a1b2c3"
INVOKE = "/2015-03-31/functions/reservation-workflow-dev/invocations"
SEATS = "/2015-03-31/functions/reservation-seats-dev/invocations"


def history(name: str) -> list[dict[str, Any]]:
    """A recorded history, as that of the execution r-1."""
    text = (FIXTURES / f"{name}.json").read_text()
    recorded_as = json.loads(text)["get_durable_execution"]["DurableExecutionName"]
    events: list[dict[str, Any]] = json.loads(text.replace(recorded_as, "r-1"))["history"]
    return events


def recorded(name: str) -> Timeline:
    return timeline_from_history(ARN, "r-1", history(name), LANE)


@pytest.fixture
def server() -> Iterator[Answers]:
    with serving() as answers:
        yield answers


@pytest.fixture
def client(server: Answers, tmp_path: Path) -> Iterator[AwsClient]:
    connected = AwsClient.local(a_stack(server.url, tmp_path))
    yield connected
    connected.close()


def a_history(server: Answers, name: str) -> None:
    events = [
        {**event, "EventTimestamp": (parse_time(event["EventTimestamp"]) or datetime.now(UTC)).timestamp()}
        for event in history(name)
    ]
    for event in events:
        details = event.get("WaitStartedDetails", {})
        if "ScheduledEndTimestamp" in details:
            scheduled = parse_time(details["ScheduledEndTimestamp"])
            assert scheduled is not None
            details["ScheduledEndTimestamp"] = scheduled.timestamp()
        for key in ("StartTimestamp", "EndTimestamp"):
            completed = event.get("InvocationCompletedDetails", {})
            if key in completed:
                completed[key] = datetime.fromisoformat(completed[key]).timestamp()
    server.give("GET", "*/history", json.dumps({"Events": events}))


@pytest.mark.parametrize(
    ("name", "status", "outcome", "spans"),
    [
        ("sleep-expired", "succeeded", "expired", ["create-hold", "hold-window", "finalize"]),
        ("sleep-confirmed", "succeeded", "confirmed", ["create-hold", "hold-window", "finalize"]),
        ("event-confirmed", "succeeded", "confirmed", ["await-confirmation", "create-hold", "finalize"]),
        ("event-cancelled", "succeeded", "cancelled", ["await-confirmation", "create-hold", "finalize"]),
        ("event-callback-failed", "succeeded", "cancelled", ["await-confirmation", "create-hold", "finalize"]),
        ("event-expired", "succeeded", "expired", ["await-confirmation", "create-hold", "finalize"]),
        ("running-mid-hold", "waiting", None, ["create-hold", "hold-window"]),
        ("event-running-mid-hold", "waiting", None, ["await-confirmation", "create-hold"]),
        ("rejected", "succeeded", "rejected", ["create-hold"]),
        ("failed-bad-input", "failed", None, []),
        ("failed-conflict", "failed", None, ["create-hold"]),
        ("stopped", "stopped", None, ["create-hold", "hold-window"]),
    ],
)
def test_each_recorded_history(name: str, status: str, outcome: str | None, spans: list[str]) -> None:
    lane = recorded(name)
    found = [span.name for span in lane.spans if span.kind != "invocation"]
    assert (lane.status, lane.outcome, found) == (status, outcome, spans)


def test_metrics_of_an_expired_hold() -> None:
    lane = recorded("sleep-expired")
    found = metrics(lane)
    first, final, hold = lane.span("create-hold"), lane.span("finalize"), lane.hold
    assert first is not None
    assert final is not None
    assert hold is not None
    assert hold.scheduled_end is not None
    assert lane.started is not None
    assert first.began is not None
    assert final.began is not None
    assert found.first_step_ms == round((first.began - lane.started).total_seconds() * 1000, 3)
    assert found.timer_error_ms == round((final.began - hold.scheduled_end).total_seconds() * 1000, 3)
    assert found.engine_lateness_ms is not None
    assert found.resume_ms is not None
    assert found.timer_error_ms == round(found.engine_lateness_ms + found.resume_ms, 3)
    assert (found.operations, found.invocations) == (4, 2)


def test_a_callback_that_overlaps_the_first_step_is_counted_once() -> None:
    found = metrics(recorded("event-confirmed"))
    assert found.overhead_ms is not None
    assert found.total_ms is not None
    assert 0 <= found.overhead_ms < found.total_ms
    assert found.signal_to_resume_ms is not None
    assert found.timer_error_ms is None


def test_failures_say_why() -> None:
    assert "seatId" in (recorded("failed-bad-input").error or "")
    step = recorded("failed-conflict").span("create-hold")
    assert step is not None
    assert (step.status, [attempt.status for attempt in step.attempts]) == ("failed", ["failed"])
    assert "ReservationConflict" in (step.error or "")


def test_a_step_between_two_attempts_is_running() -> None:
    events: list[dict[str, Any]] = [
        {"EventType": "StepStarted", "Id": "1", "Name": "create-hold", "EventTimestamp": "2026-11-23T09:00:00Z"},
        {
            "EventType": "StepFailed",
            "Id": "1",
            "Name": "create-hold",
            "EventTimestamp": "2026-11-23T09:00:00.100Z",
            "StepFailedDetails": {
                "Error": {"Payload": {"ErrorType": "Error", "ErrorMessage": "boom"}},
                "RetryDetails": {"CurrentAttempt": 1, "NextAttemptDelaySeconds": 1},
            },
        },
    ]
    lane = timeline_from_history(ARN, "r-1", events, LANE)
    (step,) = lane.spans
    assert (lane.status, step.status, step.end) == ("running", "running", None)
    assert [(attempt.status, attempt.error) for attempt in step.attempts] == [("failed", "Error: boom")]


@pytest.mark.parametrize(
    "events",
    [[], [{}], [{"EventType": 7}, {"EventType": "WaitStarted"}], [{"EventType": "StepSucceeded", "Id": None}]],
)
def test_what_is_malformed_is_unknown_not_guessed(events: list[dict[str, Any]]) -> None:
    lane = timeline_from_history(ARN, "r-1", events, LANE)
    assert (lane.outcome, lane.started, lane.is_over) == (None, None, False)


def other_records(events: list[dict[str, Any]], *kinds: str) -> list[dict[str, Any]]:
    """`events` where the payloads of those kinds have another reservation's record."""
    return [
        json.loads(json.dumps(event).replace("r-1", "OTHER")) if event["EventType"] in kinds else event
        for event in events
    ]


def test_another_reservations_record_is_not_taken_for_this_ones() -> None:
    events = history("sleep-confirmed")
    lane = timeline_from_history(ARN, "r-1", other_records(events, "ExecutionSucceeded"), LANE)
    assert (lane.status, lane.outcome) == ("succeeded", "confirmed"), "finalize has told it, too"
    assert lane.reservation is not None
    assert lane.reservation.reservation_id == "r-1"
    lane = timeline_from_history(ARN, "r-1", other_records(events, "ExecutionSucceeded", "StepSucceeded"), LANE)
    assert (lane.status, lane.reservation, lane.outcome) == ("succeeded", None, None)


def test_an_execution_of_another_name_has_the_reservation_that_its_input_asks_for() -> None:
    """Invoked by hand, with an id in the payload and no DurableExecutionName."""
    started, *rest = other_records(history("sleep-confirmed"), "StepSucceeded", "ExecutionSucceeded")
    payload = json.dumps({"reservationId": "OTHER", "seatId": "E1"})
    started = {**started, "ExecutionStartedDetails": {"Input": {"Payload": payload}}}
    lane = timeline_from_history(ARN, "r-1", [started, *rest], LANE)
    assert (lane.status, lane.outcome) == ("succeeded", "confirmed")


@pytest.mark.parametrize("details", [{"Duration": 900}, {}])
def test_a_wait_that_would_end_beyond_the_calendar_has_no_known_end(details: dict[str, int]) -> None:
    payload = json.dumps({"seatId": "A1", "holdSeconds": 900})
    late = "9999-12-31T23:59:59Z"
    events: list[dict[str, Any]] = [
        {
            "EventType": "ExecutionStarted",
            "EventTimestamp": late,
            "ExecutionStartedDetails": {"Input": {"Payload": payload}},
        },
        {
            "EventType": "WaitStarted",
            "Id": "2",
            "Name": "hold-window",
            "EventTimestamp": late,
            "WaitStartedDetails": details,
        },
    ]
    hold = timeline_from_history(ARN, "r-1", events, LANE).hold
    assert hold is not None
    assert (hold.start, hold.scheduled_end) == (parse_time(late), None)


def test_reserve_invokes_by_name_and_reads_the_hold(client: AwsClient, server: Answers) -> None:
    server.give("POST", INVOKE, "", 202, X_Amz_Durable_Execution_Arn=ARN)
    a_history(server, "running-mid-hold")
    request = ReservationRequest("r-1", "A1", "user123")
    lane = client.reserve(request)
    assert (lane.ref, lane.polls) == (ARN, 1)
    assert lane.reservation is not None
    assert lane.reservation.status == "held"
    method, path, body = server.seen[0]
    assert (method, path, json.loads(body)) == ("POST", f"{INVOKE}?Qualifier=live", request.payload())


def test_a_function_without_durable_config_is_recognised(client: AwsClient, server: Answers) -> None:
    server.give("POST", INVOKE, "", 202)
    with pytest.raises(PlatformError) as caught:
        client.reserve(ReservationRequest("r-1", "A1"))
    assert "DurableConfig" in (caught.value.hint or "")


def test_confirm_asks_the_seats_function(client: AwsClient, server: Answers) -> None:
    record = json.loads(json.loads((FIXTURES / "sleep-confirmed.json").read_text())["get_durable_execution"]["Result"])
    server.give("POST", SEATS, json.dumps({"ok": True, "reservation": record["reservation"]}))
    name = record["reservation"]["reservationId"]
    assert client.confirm(name).status == "confirmed"
    assert json.loads(server.seen[0][2]) == {"action": "confirm", "reservationId": name}


def test_what_is_told_of_another_reservation_is_no_answer(client: AwsClient, server: Answers) -> None:
    record = json.loads(json.loads((FIXTURES / "sleep-confirmed.json").read_text())["get_durable_execution"]["Result"])
    server.give("POST", SEATS, json.dumps({"ok": True, "reservation": record["reservation"]}))
    with pytest.raises(PlatformError, match="cannot be read"):
        client.confirm("r-1")


def test_confirm_by_an_arn_needs_that_very_execution(client: AwsClient, server: Answers) -> None:
    server.give("GET", "*", json.dumps({"Message": "No."}), 404, x_amzn_errortype="ResourceNotFoundException")
    with pytest.raises(NotFoundError):
        client.confirm(ARN)
    assert [method for method, _, _ in server.seen] == ["GET"]


def test_a_long_history_is_read_page_by_page(client: AwsClient, server: Answers) -> None:
    first = {"Events": [], "NextMarker": "more"}
    server.give("GET", "*/history", json.dumps(first))

    def second(method: str, path: str) -> None:
        del method, path
        a_history(server, "sleep-expired")

    server.after_each = second
    assert client.timeline(ARN).outcome == "expired"
    assert "Marker=more" in server.seen[1][1]


def test_a_profile_meant_for_the_cloud_does_not_matter(
    server: Answers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nonexistent")
    AwsClient.local(a_stack(server.url, tmp_path)).close()


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("too_late", ConflictError),
        ("already_cancelled", ConflictError),
        ("reservation_not_found", NotFoundError),
        ("what", PlatformError),
    ],
)
def test_refusals_of_the_seats_function(client: AwsClient, server: Answers, code: str, error: type[ResvError]) -> None:
    server.give("POST", SEATS, json.dumps({"ok": False, "code": code, "error": "No."}))
    with pytest.raises(error):
        client.confirm("r-1")


@pytest.mark.parametrize("body", ["", "[]", "{", '"text"', b"\xff"])
def test_nonsense_from_the_seats_function_is_told(client: AwsClient, server: Answers, body: str | bytes) -> None:
    server.give("POST", SEATS, body)
    with pytest.raises(PlatformError):
        client.confirm("r-1")


@pytest.mark.parametrize(
    ("kind", "status", "error"),
    [
        ("ResourceNotFoundException", 404, NotFoundError),
        ("DurableExecutionAlreadyStartedException", 409, ConflictError),
        ("InvalidParameterValueException", 400, PlatformError),
        ("ServiceException", 500, PlatformError),
    ],
)
def test_errors_of_the_api(client: AwsClient, server: Answers, kind: str, status: int, error: type[ResvError]) -> None:
    server.give("POST", INVOKE, json.dumps({"Message": "No."}), status, x_amzn_errortype=kind)
    with pytest.raises(error):
        client.reserve(ReservationRequest("r-1", "A1"))


@pytest.mark.parametrize(
    ("wrong", "part"),
    [
        (ARN.replace("us-east-2", "eu-west-1"), "region eu-west-1"),
        (ARN.replace("000000000000", "123456789012"), "account 123456789012"),
        (ARN.replace("reservation-workflow-dev", "other"), "function other"),
        (ARN.partition("/")[0], "not the ARN of a durable execution"),
    ],
)
def test_an_arn_from_elsewhere_is_refused_before_any_call(
    client: AwsClient, server: Answers, wrong: str, part: str
) -> None:
    for call in (client.timeline, client.confirm, client.reservation):
        with pytest.raises(UsageError, match=part):
            call(wrong)
    assert server.seen == []


def test_a_name_is_looked_up(client: AwsClient, server: Answers) -> None:
    server.give("GET", "*/durable-executions", json.dumps({"DurableExecutions": []}))
    with pytest.raises(NotFoundError):
        client.timeline("r-1")
    item = {
        "DurableExecutionArn": ARN,
        "DurableExecutionName": "r-1",
        "FunctionArn": ARN.partition("/")[0],
        "Status": "RUNNING",
        "StartTimestamp": 1795425733.041,
    }
    server.give("GET", "*/durable-executions", json.dumps({"DurableExecutions": [item]}))
    a_history(server, "sleep-expired")
    assert client.timeline("r-1").ref == ARN


def test_a_server_that_is_gone(client: AwsClient, server: Answers) -> None:
    server.give("GET", "*/history", "<html>", 200)
    with pytest.raises(PlatformError):
        client.timeline(ARN)


def test_a_page_that_leads_to_itself_is_not_followed_for_ever(client: AwsClient, server: Answers) -> None:
    server.give("GET", "*/history", json.dumps({"Events": [], "NextMarker": "again"}))
    server.give("GET", "*/durable-executions", json.dumps({"DurableExecutions": [], "NextMarker": "again"}))
    for ask in (lambda: client.timeline(ARN), lambda: client.statuses(datetime.now(UTC))):
        server.seen.clear()
        with pytest.raises(PlatformError, match="cannot be read"):
            ask()
        assert len(server.seen) == 2
