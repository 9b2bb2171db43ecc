"""Cloudflare's recorded answers through the real HTTP client."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from reservation_cli.domain.comparison import metrics
from reservation_cli.domain.reservation import ReservationRequest, parse_time
from reservation_cli.domain.timeline import Engine, Timeline
from reservation_cli.errors import ConflictError, NotFoundError, PlatformError, UsageError
from reservation_cli.platforms.cloudflare import CloudflareClient
from reservation_cli.platforms.cloudflare_instance import timeline_from_instance
from reservation_cli.platforms.payloads import Lane
from support.http_server import Answers, serving

FIXTURES = Path(__file__).parents[1] / "fixtures" / "cloudflare"
LANE = Lane("local", "http://127.0.0.1:8787", Engine("wrangler", "4.155.0"), "Cloudflare · local")
HELD = {
    "reservationId": "r-1",
    "seatId": "A1",
    "userId": "user123",
    "holdSeconds": 900,
    "strategy": "sleep",
    "status": "held",
    "createdAt": "2026-11-23T09:00:00.000Z",
    "expiresAt": "2026-11-23T09:15:00.000Z",
}


def recorded(name: str, instance_id: str = "r-1") -> Timeline:
    body = json.loads((FIXTURES / f"instance-{name}.json").read_text())
    return timeline_from_instance(instance_id, body["result"], LANE)


@pytest.fixture
def server() -> Iterator[Answers]:
    with serving() as answers:
        yield answers


@pytest.fixture
def client(server: Answers) -> Iterator[CloudflareClient]:
    with httpx.Client(base_url=server.url) as worker, httpx.Client(base_url=f"{server.url}/instances") as instances:
        yield CloudflareClient(worker, instances, LANE, "local")


@pytest.mark.parametrize(
    ("name", "status", "outcome", "spans"),
    [
        ("sleep-expired", "succeeded", "expired", ["create-hold", "hold-window", "finalize"]),
        ("sleep-confirmed", "succeeded", "confirmed", ["create-hold", "hold-window", "finalize"]),
        ("event-confirmed", "succeeded", "confirmed", ["create-hold", "await-confirmation", "finalize"]),
        ("event-cancelled", "succeeded", "cancelled", ["create-hold", "await-confirmation", "finalize"]),
        ("event-timed-out", "succeeded", "expired", ["create-hold", "await-confirmation", "finalize"]),
        ("rejected", "succeeded", "rejected", ["create-hold"]),
        ("sleeping", "waiting", None, ["create-hold", "hold-window"]),
        ("awaiting-event", "waiting", None, ["create-hold", "await-confirmation"]),
        ("errored-bad-input", "failed", None, []),
        ("sleep-resumed-after-restart", "succeeded", "expired", ["create-hold", "hold-window", "finalize"]),
    ],
)
def test_each_recorded_instance(name: str, status: str, outcome: str | None, spans: list[str]) -> None:
    lane = recorded(name)
    assert (lane.status, lane.outcome, [span.name for span in lane.spans]) == (status, outcome, spans)


def test_metrics_of_a_confirmed_event() -> None:
    lane = recorded("event-confirmed")
    assert lane.hold is not None
    assert lane.hold.scheduled_end == parse_time("2026-11-23T09:09:51.588Z")
    found = metrics(lane)
    assert found.first_step_ms == 5.0
    assert found.create_hold_ms == 7.0
    assert found.finalize_ms == 3.0
    assert found.signal_to_resume_ms == 12.0
    assert found.resume_ms == 4.0
    assert found.timer_error_ms is None
    assert found.total_ms == 113.0
    assert found.overhead_ms == 11.0
    assert found.operations == 3
    assert found.invocations is None


def test_a_wait_that_timed_out_has_a_timer_error() -> None:
    lane = recorded("event-timed-out")
    assert lane.hold is not None
    assert (lane.hold.status, lane.hold.error) == ("timed_out", None)
    assert metrics(lane).timer_error_ms is not None
    assert metrics(lane).signal_to_resume_ms is None


def test_failed_attempts_are_kept() -> None:
    create = recorded("retried").span("create-hold")
    assert create is not None
    assert [(attempt.status, attempt.error) for attempt in create.attempts] == [
        ("failed", "Error: boom 1"),
        ("succeeded", None),
    ]
    assert create.status == "succeeded"


def test_an_instance_that_failed_says_why() -> None:
    assert recorded("errored-bad-input").error == (
        "Error: InvalidRequest: Invalid reservation request: seatId must have 1 to 64 characters."
    )


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"status": 7, "steps": "none", "params": [], "output": 1},
        {"status": "hovering", "steps": [None, {"type": "teleport"}, {"type": "step", "name": 3, "attempts": {}}]},
        {"status": "running", "start": "yesterday", "steps": [{"type": "sleep", "start": 9e99, "finished": "yes"}]},
    ],
)
def test_what_is_malformed_is_unknown_not_guessed(body: dict[str, object]) -> None:
    lane = timeline_from_instance("r-1", body, LANE)
    assert lane.status in ("unknown", "waiting")
    assert lane.outcome is None
    assert lane.started is None


def confirmed(reservation_id: str) -> dict[str, object]:
    return {"reservation": {**HELD, "reservationId": reservation_id, "status": "confirmed"}}


def test_another_reservations_record_is_not_taken_for_this_ones() -> None:
    body: dict[str, object] = {"status": "complete", "output": confirmed("OTHER")}
    lane = timeline_from_instance("r-1", body, LANE)
    assert (lane.status, lane.reservation, lane.outcome) == ("succeeded", None, None)
    body["steps"] = [{"type": "step", "name": "finalize-1", "success": True, "output": confirmed("r-1")}]
    assert timeline_from_instance("r-1", body, LANE).outcome == "confirmed", "finalize has told it, too"


def test_a_wait_that_would_end_beyond_the_calendar_has_no_known_end() -> None:
    late = "9999-12-31T23:59:59Z"
    body = {
        "status": "running",
        "params": {"seatId": "A1", "holdSeconds": 900},
        "steps": [{"type": "sleep", "name": "hold-window-1", "start": late, "finished": False}],
    }
    hold = timeline_from_instance("r-1", body, LANE).hold
    assert hold is not None
    assert (hold.start, hold.scheduled_end) == (parse_time(late), None)


def test_reserve_sends_the_whole_request(client: CloudflareClient, server: Answers) -> None:
    server.give("POST", "/reserve", json.dumps({"reservation": HELD, "statusUrl": "…"}), 201)
    request = ReservationRequest("r-1", "A1", "user123")
    lane = client.reserve(request)
    assert json.loads(server.seen[0][2]) == request.payload()
    assert lane.reservation is not None
    assert (lane.reservation.status, lane.outcome, lane.ref) == ("held", None, "r-1")


def test_a_pending_hold_is_no_error(client: CloudflareClient, server: Answers) -> None:
    server.give("POST", "/reserve", json.dumps({"reservationId": "r-1", "statusUrl": "…"}), 202)
    assert client.reserve(ReservationRequest("r-1", "A1")).reservation is None


def test_a_taken_seat_is_a_lane_not_an_error(client: CloudflareClient, server: Answers) -> None:
    body = (FIXTURES / "post-reserve-409-seat-taken.json").read_text()
    server.give("POST", "/reserve", body, 409)
    lane = client.reserve(ReservationRequest("late-comer", "D1"))
    assert lane.outcome == "rejected"
    assert lane.reservation is not None
    assert lane.reservation.held_until is not None


def test_what_is_told_of_another_reservation_is_no_answer(client: CloudflareClient, server: Answers) -> None:
    server.give("GET", "/reservation/r-2", json.dumps({"reservation": HELD}))
    server.give("POST", "/confirm/r-2", json.dumps({"reservation": HELD}))
    for ask in (client.reservation, client.confirm):
        with pytest.raises(PlatformError, match="not the JSON"):
            ask("r-2")


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (409, "reservation_conflict", ConflictError),
        (410, "too_late", ConflictError),
        (404, "reservation_not_found", NotFoundError),
        (500, "internal_error", PlatformError),
        (400, "invalid_request", PlatformError),
    ],
)
def test_errors_keep_their_code(
    client: CloudflareClient, server: Answers, status: int, code: str, error: type[Exception]
) -> None:
    server.give("POST", "/confirm/r-1", json.dumps({"error": "No.", "code": code}), status)
    with pytest.raises(error):
        client.confirm("r-1")


@pytest.mark.parametrize("body", ["<html>", "[]", "null", '{"success": true}', b"\xff\xfe"])
def test_what_is_not_the_documented_json_is_told(client: CloudflareClient, server: Answers, body: str | bytes) -> None:
    server.give("GET", "/instances/r-1", body)
    with pytest.raises(PlatformError, match="not the JSON"):
        client.timeline("r-1")


def test_an_unknown_instance_is_looked_for_at_the_worker(client: CloudflareClient, server: Answers) -> None:
    server.give("GET", "/instances/r-1", (FIXTURES / "instance-not-found-404.json").read_text(), 404)
    server.give("GET", "/reservation/r-1", json.dumps({"error": "No.", "code": "reservation_not_found"}), 404)
    with pytest.raises(NotFoundError):
        client.timeline("r-1")
    server.give("GET", "/reservation/r-1", json.dumps({"reservation": HELD}))
    lane = client.timeline("r-1")
    assert (lane.status, lane.reservation and lane.reservation.status) == ("unknown", "held")
    assert lane.notes


def test_the_list_passes_over_ghosts(client: CloudflareClient, server: Answers) -> None:
    server.give("GET", "/instances", (FIXTURES / "list.json").read_text())
    expired = (FIXTURES / "instance-sleep-expired.json").read_text()
    for item in json.loads((FIXTURES / "list.json").read_text())["result"]:
        if "status" in item:
            server.give("GET", f"/instances/{item['id']}", expired)
    assert [lane.reservation_id for lane in client.executions(3)] == [
        "6f508089-2222-4451-adc1-08a1e90c6876",
        "direct-bad",
        "direct-1",
    ]


def test_an_id_that_no_reservation_can_have_is_not_asked_for(client: CloudflareClient, server: Answers) -> None:
    with pytest.raises(UsageError):
        client.timeline("../../etc")
    assert server.seen == []


def test_a_server_that_is_gone(client: CloudflareClient) -> None:
    client.worker.base_url = "http://127.0.0.1:9"
    with pytest.raises(PlatformError, match="cannot be reached"):
        client.reservation("r-1")
