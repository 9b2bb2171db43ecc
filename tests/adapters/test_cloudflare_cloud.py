"""The Cloudflare client against the cloud: answers of the documented shapes, through the real HTTP client.

Nothing here sleeps: the clock of the retries is the test's.
"""

from __future__ import annotations

import json
import logging
import threading
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from reservation_cli.deploy.cloudflare_api import Account, Credentials
from reservation_cli.domain.comparison import metrics
from reservation_cli.domain.deployment import CloudflareDeployment
from reservation_cli.domain.lane_record import lane_as_json
from reservation_cli.domain.reservation import ReservationRequest, parse_time
from reservation_cli.domain.timeline import Engine, Timeline
from reservation_cli.errors import (
    ConflictError,
    NotConfiguredError,
    NotFoundError,
    PlatformError,
    ResvError,
    TimedOutError,
    UsageError,
)
from reservation_cli.follow import follow
from reservation_cli.platforms import cloudflare_http, cloudflare_logs
from reservation_cli.platforms.cloudflare import CloudflareClient
from reservation_cli.platforms.cloudflare_http import Retries
from reservation_cli.platforms.cloudflare_instance import timeline_from_instance
from reservation_cli.platforms.cloudflare_worker_status import COARSER, timeline_from_worker
from reservation_cli.platforms.pace import Pace
from reservation_cli.platforms.payloads import Lane
from reservation_cli.render.picture import picture
from support.clock import Clock, Sleeper
from support.http_server import CUT, SILENCE, Answer, Answers, serving

FIXTURES = Path(__file__).parents[1] / "fixtures" / "cloudflare"
ACCOUNT = "0123456789abcdef0123456789abcdef"
WORKFLOW = "reservation-workflow-dev"
INSTANCES = f"/client/v4/accounts/{ACCOUNT}/workflows/{WORKFLOW}/instances"
ONE = f"{INSTANCES}/r-1"
API_TOKEN = "api-token-that-nobody-may-see"
BEARER = "bearer-token-that-nobody-may-see"
LANE = Lane("cloud", "https://x.acme.workers.dev", Engine("Cloudflare Workflows"), "Cloudflare · x", "dev")
JSON = {"content-type": "application/json"}
HTML = {"content-type": "text/html"}
HELD = json.dumps(json.loads((FIXTURES / "cloud-worker-running.json").read_text()))
LIMITED: Answer = (
    429,
    {**JSON, "retry-after": "10"},
    json.dumps({"error": "Too many requests: try again in 10 s.", "code": "rate_limited"}).encode(),
)
BUSY: Answer = (429, {**HTML, "retry-after": "7"}, b"<html>")


def text(name: str) -> str:
    return (FIXTURES / f"cloud-{name}.json").read_text()


def refused(code: int, message: str) -> bytes:
    return json.dumps({"success": False, "errors": [{"code": code, "message": message}], "result": None}).encode()


@dataclass
class Cloud:
    """The server that is both the Worker and the API, and what makes clients of it."""

    server: Answers
    time: Sleeper = field(default_factory=Sleeper)
    told: list[str] = field(default_factory=list)
    open: list[CloudflareClient] = field(default_factory=list)

    @property
    def deployment(self) -> CloudflareDeployment:
        return CloudflareDeployment("dev", ACCOUNT, self.server.url, "v1", datetime.now(UTC), BEARER)

    def client(
        self, token: str = API_TOKEN, retries: Retries | None = None, pace: Pace | None = None, **environ: str
    ) -> CloudflareClient:
        client = CloudflareClient.cloud(
            self.deployment,
            {"CLOUDFLARE_API_TOKEN": token, "CLOUDFLARE_API_BASE_URL": f"{self.server.url}/client/v4", **environ},
            self.told.append,
            retries or Retries(clock=self.time.read, sleep=self.time.sleep),
            pace,
        )
        self.open.append(client)
        return client


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with serving() as server:
        made = Cloud(server)
        yield made
        for client in made.open:
            client.close()


@pytest.fixture
def client(cloud: Cloud) -> CloudflareClient:
    return cloud.client()


def raised(call: Callable[[], object], error: type[ResvError] = ResvError) -> ResvError:
    """The error of `call`, in which no secret stands, however much of it is shown."""
    with pytest.raises(error) as caught:
        call()
    shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value) + str(caught.value.hint)
    assert API_TOKEN not in shown
    assert BEARER not in shown
    assert "\n" not in caught.value.message
    return caught.value


# What the API tells of an instance


def test_an_instance_that_sleeps(cloud: Cloud, client: CloudflareClient) -> None:
    cloud.server.give("GET", ONE, text("instance-running"))
    lane = client.timeline("r-1")
    assert (lane.status, lane.outcome, lane.stage, lane.target) == ("waiting", None, "dev", "cloud")
    assert lane.hold is not None
    assert (lane.hold.status, lane.hold.end) == ("running", None)
    assert lane.due == parse_time("2026-11-23T09:15:00.371Z")
    assert cloud.server.authorizations == [f"Bearer {API_TOKEN}"]


def test_an_instance_that_waits_for_an_event(cloud: Cloud, client: CloudflareClient) -> None:
    cloud.server.give("GET", ONE, text("instance-waiting"))
    lane = client.timeline("r-1")
    assert (lane.status, lane.reservation and lane.reservation.status) == ("waiting", "held")
    assert lane.hold is not None
    assert lane.hold.kind == "event"


def test_outputs_are_json_text_in_the_cloud(cloud: Cloud, client: CloudflareClient) -> None:
    cloud.server.give("GET", ONE, text("instance-complete"))
    lane = client.timeline("r-1")
    assert (lane.status, lane.outcome, lane.notes) == ("succeeded", "confirmed", ())
    found = metrics(lane)
    assert (found.first_step_ms, found.create_hold_ms, found.finalize_ms) == (55.0, 37.0, 43.0)
    assert (found.signal_to_resume_ms, found.resume_ms, found.operations) == (112.0, 32.0, 3)


def test_an_output_cut_short_by_the_api_is_no_output(cloud: Cloud, client: CloudflareClient) -> None:
    body = json.loads(text("instance-complete"))
    for step in (body["result"], body["result"]["steps"][0], body["result"]["steps"][2]):
        step["output"] = step["output"][:40] + "…"
    cloud.server.give("GET", ONE, json.dumps(body))
    lane = client.timeline("r-1")
    assert (lane.status, lane.reservation) == ("succeeded", None)
    assert metrics(lane).create_hold_ms is None


def test_an_instance_that_failed(cloud: Cloud, client: CloudflareClient) -> None:
    cloud.server.give("GET", ONE, text("instance-errored"))
    lane = client.timeline("r-1")
    assert (lane.status, lane.error) == ("failed", "Error: Network connection lost.")
    assert [attempt.status for attempt in lane.spans[0].attempts] == ["failed", "failed"]


def test_an_instance_that_was_terminated(cloud: Cloud, client: CloudflareClient) -> None:
    cloud.server.give("GET", ONE, text("instance-terminated"))
    lane = client.timeline("r-1")
    assert (lane.status, lane.is_over) == ("stopped", True)
    assert [span.name for span in lane.spans] == ["create-hold", "hold-window"]


def test_an_instance_that_is_not_there_is_looked_for_at_the_seat(cloud: Cloud, client: CloudflareClient) -> None:
    cloud.server.give("GET", ONE, text("error-instance"), 404)
    cloud.server.give("GET", "/reservation/r-1", HELD)
    lane = client.timeline("r-1")
    assert (lane.status, lane.reservation and lane.reservation.status) == ("unknown", "held")
    assert lane.notes == ("The Workflow has no instance of this reservation.",)


def mutations(value: object) -> Iterator[object]:
    """`value` with one thing in it at a time gone, or of another type."""
    strange: tuple[object, ...] = (None, [], {}, "?", 7, -1e300, True, [None], {"a": []}, "9999-12-31T23:59:59Z")
    if isinstance(value, dict):
        for key in value:
            yield {name: each for name, each in value.items() if name != key}
            yield from ({**value, key: other} for other in strange)
            yield from ({**value, key: other} for other in mutations(value[key]))
    if isinstance(value, list):
        for index in range(len(value)):
            yield from ([*value[:index], other, *value[index + 1 :]] for other in strange)
            yield from ([*value[:index], other, *value[index + 1 :]] for other in mutations(value[index]))


@pytest.mark.parametrize("name", ["running", "waiting", "complete", "errored", "terminated"])
def test_nothing_that_is_missing_or_malformed_breaks_a_timeline(name: str) -> None:
    for body in mutations(json.loads(text(f"instance-{name}"))["result"]):
        assert isinstance(body, dict)
        lane = timeline_from_instance("r-1", body, LANE)
        picture([replace(lane, requested_at=lane.as_of)], 100)
        lane_as_json(lane), metrics(lane)


@pytest.mark.parametrize("name", ["running", "complete"])
def test_nothing_that_is_missing_or_malformed_breaks_a_coarse_timeline(name: str) -> None:
    for body in mutations(json.loads(text(f"worker-{name}"))):
        assert isinstance(body, dict)
        lane = timeline_from_worker("r-1", body, LANE)
        picture([replace(lane, requested_at=lane.as_of)], 100)
        lane_as_json(lane), metrics(lane)


@pytest.mark.parametrize("minutes", [-7, 7])
def test_a_clock_that_is_minutes_off(cloud: Cloud, client: CloudflareClient, minutes: int) -> None:
    cloud.server.give("GET", ONE, text("instance-complete"))
    lane = client.timeline("r-1")
    assert lane.started is not None
    skewed = replace(lane, requested_at=lane.started - timedelta(minutes=minutes), accept_ms=90.0)
    assert picture([skewed], 100)
    assert metrics(skewed).first_step_ms == 55.0


# The list


def test_the_list_is_read_page_after_page(cloud: Cloud, client: CloudflareClient) -> None:
    cloud.server.first("GET", INSTANCES, (200, JSON, text("list-1").encode()))
    cloud.server.give("GET", INSTANCES, text("list-2"))
    cloud.server.give("GET", f"{INSTANCES}/*", text("instance-complete"))
    assert [lane.reservation_id for lane in client.executions(3)] == ["r-4", "r-3", "r-2"]
    assert [path.partition("?")[2] for _, path, _ in cloud.server.seen[:2]] == [
        "per_page=100&direction=desc",
        "per_page=100&direction=desc&cursor=eyJwYWdlIjoyfQ%3D%3D",
    ]


def test_only_as_many_pages_as_are_asked_for(cloud: Cloud, client: CloudflareClient) -> None:
    cloud.server.give("GET", INSTANCES, text("list-1"))
    cloud.server.give("GET", f"{INSTANCES}/*", text("instance-complete"))
    assert len(client.executions(2)) == 2
    assert sorted(path.partition("?")[0] for _, path, _ in cloud.server.seen) == [
        INSTANCES,
        f"{INSTANCES}/r-3",
        f"{INSTANCES}/r-4",
    ]


def test_an_instance_that_goes_between_list_and_look_is_left_out(cloud: Cloud, client: CloudflareClient) -> None:
    cloud.server.give("GET", INSTANCES, text("list-2"))
    cloud.server.give("GET", f"{INSTANCES}/r-2", text("instance-complete"))
    cloud.server.give("GET", ONE, text("error-instance"), 404)
    cloud.server.give("GET", "/reservation/r-1", json.dumps({"error": "No.", "code": "reservation_not_found"}), 404)
    assert [lane.reservation_id for lane in client.executions(10)] == ["r-2"]


def test_a_cursor_that_leads_in_a_circle_ends_the_list(cloud: Cloud, client: CloudflareClient) -> None:
    cloud.server.give("GET", INSTANCES, text("list-1"))
    assert set(client.statuses(datetime(2026, 11, 23, tzinfo=UTC))) == {"r-4", "r-3"}
    assert len(cloud.server.seen) == 2


def test_statuses_are_told_by_the_list_alone(cloud: Cloud, client: CloudflareClient) -> None:
    cloud.server.first("GET", INSTANCES, (200, JSON, text("list-1").encode()))
    cloud.server.give("GET", INSTANCES, text("list-2"))
    since = datetime(2026, 11, 23, 9, 0, 30, tzinfo=UTC)
    assert client.statuses(since) == {"r-4": "waiting", "r-3": "running", "r-2": "succeeded"}
    assert [path.partition("?")[0] for _, path, _ in cloud.server.seen] == [INSTANCES, INSTANCES]
    assert "date_start=2026-11-23T09%3A00%3A30.000Z" in cloud.server.seen[0][1]


def test_a_status_that_nobody_knows_is_unknown(cloud: Cloud, client: CloudflareClient) -> None:
    cloud.server.give("GET", INSTANCES, text("list-2"))
    assert client.statuses(datetime(2026, 11, 23, tzinfo=UTC))["r-1"] == "unknown"


@pytest.mark.parametrize("body", ['{"success": true, "result": {}}', '{"success": true}', "[]"])
def test_a_list_that_is_none_is_told(cloud: Cloud, client: CloudflareClient, body: str) -> None:
    cloud.server.give("GET", INSTANCES, body)
    assert raised(lambda: client.executions(5), PlatformError).code == "not_understood"


# Without a token: what the Worker tells


def test_without_a_token_the_worker_tells_a_coarser_timeline(cloud: Cloud) -> None:
    cloud.server.give("GET", "/workflow/r-1", text("worker-complete"))
    lane = cloud.client(token="").timeline("r-1")
    assert (lane.status, lane.outcome, lane.notes) == ("succeeded", "confirmed", (COARSER,))
    assert (lane.started, lane.ended) == (None, None)
    assert [(span.kind, span.name, span.status) for span in lane.spans] == [
        ("step", "create-hold", "succeeded"),
        ("event", "await-confirmation", "succeeded"),
        ("step", "finalize", "succeeded"),
    ]
    assert lane.request == ReservationRequest("r-1", "A1", "user123", 900, "event")
    assert cloud.server.authorizations == [f"Bearer {BEARER}"]


def test_no_metric_of_a_coarser_timeline_is_a_guess() -> None:
    found = metrics(timeline_from_worker("r-1", json.loads(text("worker-complete")), LANE))
    assert (found.create_hold_ms, found.finalize_ms, found.signal_to_resume_ms) == (37.0, 43.0, 112.0)
    assert found.operations == 3
    unknown = (found.first_step_ms, found.timer_error_ms, found.engine_lateness_ms, found.resume_ms)
    assert unknown == (None, None, None, None)
    assert (found.overhead_ms, found.total_ms) == (None, None)


@pytest.mark.parametrize("others", ["body", "output", "both"])
def test_another_reservations_record_is_not_taken_for_this_ones(others: str) -> None:
    body = json.loads(text("worker-complete"))
    other = {**body["reservation"], "reservationId": "OTHER", "seatId": "Z9"}
    if others in ("body", "both"):
        body["reservation"] = other
    if others in ("output", "both"):
        body["instance"]["output"]["reservation"] = other
    lane = timeline_from_worker("r-1", body, LANE)
    told = (lane.outcome, lane.request and lane.request.seat)
    assert told == ((None, None) if others == "both" else ("confirmed", "A1"))
    assert lane.status == "succeeded"


def coarse(strategy: str, status: str, began: str, **record: str) -> Timeline:
    """The coarser timeline of a finished instance whose finalize began at `began`."""
    body = json.loads(text("worker-complete"))
    kept = {name: value for name, value in body["reservation"].items() if name != "confirmedAt"}
    body["reservation"] = {**kept, "strategy": strategy, "status": status, **record}
    at = parse_time(began)
    assert at is not None
    body["instance"]["output"]["clock"]["finalize"] = {"began": at.timestamp() * 1000, "ended": at.timestamp() * 1000}
    return timeline_from_worker("r-1", body, LANE)


@pytest.mark.parametrize(
    ("strategy", "status", "began", "expected"),
    [
        ("sleep", "expired", "2026-11-23T09:15:00.500Z", "succeeded"),
        ("event", "expired", "2026-11-23T09:15:00.500Z", "timed_out"),
        ("event", "cancelled", "2026-11-23T09:05:00.500Z", "succeeded"),
        # The event may have been missed: what woke it is not told.
        ("event", "confirmed", "2026-11-23T09:15:00.500Z", "unknown"),
    ],
)
def test_how_a_wait_ended_is_told_where_it_is_certain(strategy: str, status: str, began: str, expected: str) -> None:
    lane = coarse(strategy, status, began, **{f"{status}At": "2026-11-23T09:04:00.000Z"})
    assert lane.hold is not None
    assert lane.hold.status == expected
    found = metrics(lane)
    assert (found.timer_error_ms, found.engine_lateness_ms) == (None, None)
    assert (found.signal_to_resume_ms is None) == (expected != "succeeded" or strategy == "sleep")


def test_the_worker_says_running_where_the_workflow_waits(cloud: Cloud) -> None:
    cloud.server.give("GET", "/workflow/r-1", text("worker-running"))
    lane = cloud.client(token="").timeline("r-1")
    assert (lane.status, lane.is_over) == ("waiting", False)
    assert lane.due == parse_time("2026-11-23T09:15:00.310Z")
    assert metrics(lane).timer_error_ms is None


def test_a_coarser_lane_can_be_followed_to_its_end(cloud: Cloud) -> None:
    client = cloud.client(token="")
    cloud.server.first("GET", "/workflow/r-1", (200, JSON, text("worker-running").encode()))
    cloud.server.give("GET", "/workflow/r-1", text("worker-complete"))
    nudge = threading.Event()
    first = client.timeline("r-1")
    nudge.set()
    *_, last = follow(client, first, nudge)
    assert (last.status, last.polls) == ("succeeded", 1)


def test_without_an_instance_the_seat_alone_is_told(cloud: Cloud) -> None:
    body = json.loads(text("worker-running")) | {"instance": None}
    cloud.server.give("GET", "/workflow/r-1", json.dumps(body))
    lane = cloud.client(token="").timeline("r-1")
    assert (lane.status, lane.reservation and lane.reservation.status) == ("unknown", "held")
    assert lane.notes == ("The Workflow has no instance of this reservation.",)


def test_a_pending_hold_has_no_reservation_yet(cloud: Cloud) -> None:
    cloud.server.give("GET", "/workflow/r-1", json.dumps({"instance": {"status": "queued"}, "reservation": None}))
    lane = cloud.client(token="").timeline("r-1")
    assert (lane.status, lane.reservation, lane.spans) == ("queued", None, ())


def test_the_worker_does_not_know_it_either(cloud: Cloud) -> None:
    cloud.server.give("GET", "/workflow/r-1", json.dumps({"error": "No.", "code": "reservation_not_found"}), 404)
    raised(lambda: cloud.client(token="").timeline("r-1"), NotFoundError)


@pytest.mark.parametrize("body", ["{}", "[]", "null", "<html>"])
def test_what_the_worker_would_not_say(cloud: Cloud, body: str) -> None:
    cloud.server.give("GET", "/workflow/r-1", body)
    assert raised(lambda: cloud.client(token="").timeline("r-1"), PlatformError).code == "not_understood"


def test_without_a_token_nothing_is_listed(cloud: Cloud) -> None:
    client = cloud.client(token="")
    for call in (lambda: client.executions(5), lambda: client.statuses(datetime.now(UTC))):
        error = raised(call, NotConfiguredError)
        assert (error.code, error.exit_code) == ("credentials", 6)
        assert "CLOUDFLARE_API_TOKEN" in error.message
    assert cloud.server.seen == []


# Tokens


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (401, refused(1000, "Invalid API Token")),
        (401, refused(10000, "Authentication error")),
        (403, refused(9109, "Invalid access token")),
        (403, b"<html>"),
    ],
)
def test_a_token_that_is_refused_is_an_error_not_a_fallback(
    cloud: Cloud, client: CloudflareClient, status: int, body: bytes
) -> None:
    cloud.server.give("GET", ONE, body, status)
    cloud.server.give("GET", INSTANCES, body, status)
    cloud.server.give("GET", "/workflow/r-1", text("worker-complete"))
    for call in (lambda: client.timeline("r-1"), lambda: client.statuses(datetime.now(UTC))):
        error = raised(call)
        if body != b"<html>":
            assert (error.exit_code, error.code) == (6, "credentials")
            assert "may have expired" in str(error.hint)
    assert {path.partition("?")[0] for _, path, _ in cloud.server.seen} == {ONE, INSTANCES}
    assert len(cloud.server.seen) == 2


@pytest.mark.parametrize("token", [f"{API_TOKEN}\nx", f"{API_TOKEN}é", f"{API_TOKEN} x", f"{API_TOKEN}\x00"])
def test_a_token_that_cannot_be_sent_is_not_quoted(cloud: Cloud, token: str) -> None:
    assert raised(lambda: cloud.client(token=token), NotConfiguredError).code == "credentials"


def test_white_space_around_a_token_is_no_part_of_it(cloud: Cloud) -> None:
    cloud.server.give("GET", ONE, text("instance-running"))
    cloud.client(token=f" {API_TOKEN}\n").timeline("r-1")
    assert cloud.server.authorizations == [f"Bearer {API_TOKEN}"]


def test_no_secret_is_seen_in_a_repr_or_in_a_log(
    cloud: Cloud, client: CloudflareClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    cloud.server.first("GET", ONE, CUT, (500, HTML, b"<html>"))
    cloud.server.give("GET", ONE, text("instance-running"))
    cloud.server.give("POST", "/confirm/r-1", json.dumps({"error": "No.", "code": "unauthorized"}), 401)
    lane = client.timeline("r-1")
    raised(lambda: client.confirm("r-1"))
    shown = f"{client!r} {client.worker!r} {client.instances!r} {cloud.deployment!r} {lane!r} {caplog.text}"
    assert API_TOKEN not in shown
    assert BEARER not in shown


# The Worker


def test_a_reservation_sends_the_token_of_the_deployment(cloud: Cloud, client: CloudflareClient) -> None:
    cloud.server.give("POST", "/reserve", HELD, 201)
    lane = client.reserve(ReservationRequest("r-1", "A1", "user123"))
    assert (lane.stage, lane.reservation and lane.reservation.status) == ("dev", "held")
    assert cloud.server.authorizations == [f"Bearer {BEARER}"]


def test_a_worker_that_does_not_know_the_token(cloud: Cloud, client: CloudflareClient) -> None:
    cloud.server.give("POST", "/reserve", json.dumps({"error": "No.", "code": "unauthorized"}), 401)
    error = raised(lambda: client.reserve(ReservationRequest("r-1", "A1")), NotConfiguredError)
    assert (error.code, error.exit_code) == ("unauthorized", 6)
    assert "does not accept this machine's token" in error.message
    assert error.hint == "Deploy again from here: `resv deploy cloudflare`"


def test_the_fields_of_a_bad_request_are_told(cloud: Cloud, client: CloudflareClient) -> None:
    fields = {"seatId": "must have 1 to 64 characters", "strategy": 'must be "sleep" or "event"'}
    body = {"error": "Invalid reservation request: …", "code": "invalid_request", "fields": fields}
    cloud.server.give("POST", "/reserve", json.dumps(body), 400)
    error = raised(lambda: client.reserve(ReservationRequest("r-1", "A1")), UsageError)
    assert "seatId must have 1 to 64 characters; strategy must be" in error.message


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (HTML, b"<!DOCTYPE html><h1>There is nothing here yet</h1>"),
        ({"content-type": "text/plain; charset=UTF-8"}, b"error code: 1042"),
        (JSON, b'{"title": "Error 1042", "status": 404, "error_code": 1042}'),
    ],
)
def test_a_worker_that_is_gone(cloud: Cloud, headers: dict[str, str], body: bytes) -> None:
    for method, path in (("GET", "/workflow/r-1"), ("POST", "/confirm/r-1"), ("POST", "/reserve")):
        cloud.server.prepared[method, path] = (404, headers, body)
    client = cloud.client(token="")
    for call in (
        lambda: client.timeline("r-1"),
        lambda: client.confirm("r-1"),
        lambda: client.reserve(ReservationRequest("r-1", "A1")),
    ):
        error = raised(call, NotConfiguredError)
        assert error.code == "worker_not_deployed"
        assert "may have been torn down" in error.message
    assert len(cloud.server.seen) == 3


def test_a_host_that_does_not_exist(cloud: Cloud) -> None:
    gone = replace(cloud.deployment, url="https://resv.invalid", stage="staging")
    client = CloudflareClient.cloud(gone, {}, retries=Retries(tries=1))
    error = raised(lambda: client.confirm("r-1"), PlatformError)
    client.close()
    assert error.code == "unreachable"
    assert "resv up" not in str(error.hint)
    assert "resv deploy cloudflare --stage staging" in str(error.hint)


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (500, b"<html>Error 1101</html>", "cloudflare_failed"),
        (429, b"error code: 1027", "throttled"),
        (302, b"", "not_understood"),
    ],
)
def test_a_page_of_cloudflares_in_the_workers_place(
    cloud: Cloud, client: CloudflareClient, status: int, body: bytes, code: str
) -> None:
    cloud.server.prepared["POST", "/cancel/r-1"] = (status, HTML, body)
    assert raised(lambda: client.cancel("r-1"), PlatformError).code == code


# Asking again


@pytest.mark.parametrize("trouble", [CUT, BUSY, (500, HTML, b""), (503, HTML, b"<html>"), (520, HTML, b"")])
def test_a_read_is_asked_again(cloud: Cloud, client: CloudflareClient, trouble: Answer) -> None:
    cloud.server.first("GET", ONE, trouble, trouble)
    cloud.server.give("GET", ONE, text("instance-running"))
    assert client.timeline("r-1").status == "waiting"
    assert len(cloud.server.seen) == 3
    assert len(cloud.time.slept) == 2


def test_a_connection_cut_in_the_middle_of_the_body(cloud: Cloud, client: CloudflareClient) -> None:
    whole = text("instance-running").encode()
    cloud.server.first("GET", ONE, (200, {**JSON, "content-length": str(len(whole))}, whole[:100]))
    cloud.server.give("GET", ONE, whole)
    assert client.timeline("r-1").status == "waiting"


def test_json_that_ends_too_early_is_told(cloud: Cloud, client: CloudflareClient) -> None:
    cloud.server.give("GET", ONE, text("instance-running")[:100])
    error = raised(lambda: client.timeline("r-1"), PlatformError)
    assert (error.code, error.exit_code, len(cloud.server.seen)) == ("not_understood", 5, 1)


def test_a_retry_after_is_honoured(cloud: Cloud, client: CloudflareClient) -> None:
    cloud.server.first("GET", ONE, BUSY)
    cloud.server.give("GET", ONE, text("instance-running"))
    client.timeline("r-1")
    assert cloud.time.slept == [7.0]
    assert cloud.told == ["Cloudflare asks for patience; trying again in 7 s…"]


def test_back_off_doubles_and_is_spread(cloud: Cloud, client: CloudflareClient) -> None:
    cloud.server.give("GET", ONE, "<html>", 503)
    raised(lambda: client.timeline("r-1"))
    for most, slept in zip((0.3, 0.6, 1.2), cloud.time.slept, strict=True):
        assert most / 2 <= slept <= most
    assert cloud.told == []


@pytest.mark.parametrize(
    ("trouble", "code", "exit_code"),
    [
        (BUSY, "throttled", 5),
        ((503, HTML, b"<html>"), "platform", 5),
        ((500, JSON, refused(10013, "An unknown error has occurred")), "cloudflare_failed", 5),
        (CUT, "unreachable", 5),
    ],
)
def test_trouble_without_end_is_told_after_four_tries(
    cloud: Cloud, client: CloudflareClient, trouble: Answer, code: str, exit_code: int
) -> None:
    cloud.server.prepared["GET", ONE] = trouble
    error = raised(lambda: client.timeline("r-1"))
    assert (error.code, error.exit_code, len(cloud.server.seen)) == (code, exit_code, 4)
    assert "resv up" not in str(error.hint)


def test_the_block_of_five_minutes_is_not_waited_for(cloud: Cloud, client: CloudflareClient) -> None:
    blocked = refused(10429, "Rate limit exceeded")
    cloud.server.prepared["GET", ONE] = (429, {**JSON, "retry-after": "300"}, blocked)
    error = raised(lambda: client.timeline("r-1"), PlatformError)
    assert (error.code, len(cloud.server.seen), cloud.time.slept) == ("throttled", 1, [])
    assert "300 s" in str(error.hint)
    assert error.wait_seconds == 300


@pytest.mark.parametrize("token", [API_TOKEN, ""])
def test_who_follows_waits_for_as_long_as_a_block_lasts(cloud: Cloud, token: str) -> None:
    kind, path = ("instance", ONE) if token else ("worker", "/workflow/r-1")
    client, clock = cloud.client(token), Clock()
    cloud.server.give("GET", path, text(f"{kind}-running"))
    first = client.timeline("r-1")
    cloud.server.first("GET", path, (429, {**HTML, "retry-after": "300"}, b"error code: 1015"))
    cloud.server.give("GET", path, text(f"{kind}-complete"))
    begun = clock.now()
    *_, last = follow(client, first, clock, clock.now)
    assert last.is_over
    assert len(cloud.server.seen) == 3
    assert 300 <= (clock.now() - begun).total_seconds() < 300 + 40


def test_the_workers_own_limit_is_waited_for(cloud: Cloud, client: CloudflareClient) -> None:
    cloud.server.first("POST", "/confirm/r-1", LIMITED, LIMITED)
    cloud.server.give("POST", "/confirm/r-1", HELD)
    client.confirm("r-1")
    assert len(cloud.time.slept) == 2
    assert all(seconds >= 10 for seconds in cloud.time.slept)
    assert cloud.told == ["Cloudflare asks for patience; trying again in 10 s…"] * 2


def test_the_workers_own_limit_without_end_is_told(cloud: Cloud, client: CloudflareClient) -> None:
    cloud.server.prepared["POST", "/confirm/r-1"] = LIMITED
    error = raised(lambda: client.confirm("r-1"), PlatformError)
    assert (error.code, error.exit_code, error.wait_seconds) == ("throttled", 5, 10)
    assert "try again in 10 s" in error.message
    assert cloud.time.slept == [10, 10, 10]


def test_no_answer_in_time(cloud: Cloud) -> None:
    client = cloud.client(retries=Retries(tries=2, each=0.05, clock=cloud.time.read, sleep=cloud.time.sleep))
    cloud.server.prepared["GET", ONE] = SILENCE
    error = raised(lambda: client.timeline("r-1"), TimedOutError)
    assert (error.exit_code, len(cloud.server.seen)) == (7, 2)


@pytest.mark.parametrize("trouble", [CUT, BUSY, (502, HTML, b""), (503, HTML, b""), (504, HTML, b"")])
def test_a_post_is_sent_again_as_it_was(cloud: Cloud, client: CloudflareClient, trouble: Answer) -> None:
    request = ReservationRequest("r-1", "A1", "user123")
    cloud.server.first("POST", "/reserve", trouble)
    cloud.server.give("POST", "/reserve", HELD, 200)
    cloud.server.first("POST", "/confirm/r-1", trouble)
    cloud.server.give("POST", "/confirm/r-1", HELD)
    client.reserve(request)
    client.confirm("r-1")
    sent = [json.loads(body) for _, path, body in cloud.server.seen if path == "/reserve"]
    assert sent == [request.payload(), request.payload()]
    assert len(cloud.server.seen) == 4
    assert set(cloud.server.authorizations) == {f"Bearer {BEARER}"}


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (409, "already_cancelled", ConflictError),
        (410, "too_late", ConflictError),
        (404, "reservation_not_found", NotFoundError),
        (400, "invalid_request", PlatformError),
        (500, "internal_error", PlatformError),
    ],
)
def test_a_decision_of_the_worker_stands(
    cloud: Cloud, client: CloudflareClient, status: int, code: str, error: type[ResvError]
) -> None:
    cloud.server.give("POST", "/confirm/r-1", json.dumps({"error": "No.", "code": code}), status)
    raised(lambda: client.confirm("r-1"), error)
    assert len(cloud.server.seen) == 1


def test_the_local_stack_is_asked_once(cloud: Cloud) -> None:
    from reservation_cli.local.stack import Stack

    stack = Stack(
        pid=1,
        started_at=datetime.now(UTC),
        cloudflare_url=cloud.server.url,
        workflow=WORKFLOW,
        aws_endpoint_url="",
        dynamodb_url="",
        region="us-east-2",
        account="0" * 12,
        function="f",
        qualifier="live",
        seats_function="s",
        engines={"cloudflare": "wrangler dev (workerd) 4.155.0"},
        log_dir=Path(),
    )
    client = CloudflareClient.local(stack)
    cloud.open.append(client)
    cloud.server.give("GET", f"/cdn-cgi/local/explorer/api/workflows/{WORKFLOW}/instances/r-1", "{}", 503)
    cloud.server.prepared["POST", "/confirm/r-1"] = CUT
    raised(lambda: client.timeline("r-1"), PlatformError)
    assert "resv up" in str(raised(lambda: client.confirm("r-1"), PlatformError).hint)
    assert len(cloud.server.seen) == 2


# The pace


def test_the_api_is_paced_and_the_worker_is_not(cloud: Cloud) -> None:
    client = cloud.client(pace=Pace(2, 0.5, cloud.time.read, cloud.time.sleep))
    cloud.server.give("GET", ONE, text("instance-running"))
    cloud.server.give("GET", "/reservation/r-1", HELD)
    for _ in range(5):
        client.reservation("r-1")
    assert cloud.time.slept == []
    for _ in range(5):
        client.timeline("r-1")
    assert cloud.time.slept == [2.0, 2.0, 2.0]
    assert cloud.told == ["Going on slowly: Cloudflare allows 1,200 API calls in 5 minutes…"]


def test_each_try_keeps_to_the_pace(cloud: Cloud) -> None:
    client = cloud.client(
        pace=Pace(1, 1.0, cloud.time.read, cloud.time.sleep),
        retries=Retries(pause=0.0, clock=cloud.time.read, sleep=cloud.time.sleep),
    )
    cloud.server.first("GET", ONE, CUT, CUT)
    cloud.server.give("GET", ONE, text("instance-running"))
    client.timeline("r-1")
    assert [seconds for seconds in cloud.time.slept if seconds] == [1.0, 1.0]


def test_all_clients_of_a_process_share_one_pace(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reservations, logs, plans: Cloudflare's limit is for a user, and not for a client."""
    monkeypatch.setattr(cloudflare_http, "Pace", lambda *_: Pace(2, 0.5, cloud.time.read, cloud.time.sleep))
    cloud.server.give("GET", ONE, text("instance-running"))
    cloud.server.give("POST", "/client/v4/accounts/*/telemetry/query", text("telemetry"))
    cloud.server.give("GET", "/client/v4/accounts", '{"result": []}')
    environ = {"CLOUDFLARE_API_TOKEN": API_TOKEN, "CLOUDFLARE_API_BASE_URL": f"{cloud.server.url}/client/v4"}
    since = datetime(2026, 11, 23, tzinfo=UTC)
    for _ in range(2):
        cloud.client().timeline("r-1")
        list(cloudflare_logs.past(cloud.deployment, environ, since, None, 100))
        with Account.of(Credentials(API_TOKEN, ACCOUNT, "test"), environ) as account:
            account.accounts()
    assert cloud.time.slept == [2.0] * 4


@pytest.mark.parametrize("token", [API_TOKEN, ""])
def test_a_hold_of_fifteen_minutes_takes_few_requests(cloud: Cloud, token: str) -> None:
    kind, path = ("instance", ONE) if token else ("worker", "/workflow/r-1")
    client, clock = cloud.client(token), Clock()
    cloud.server.give("GET", path, text(f"{kind}-running"))
    first = client.timeline("r-1")
    assert first.due is not None
    last = first
    for lane in follow(client, first, clock, clock.now):
        last = lane
        if clock.now() >= first.due:
            cloud.server.give("GET", path, text(f"{kind}-complete"))
    assert last.is_over
    assert 15 < len(cloud.server.seen) < 45


def test_following_five_hundred_stays_inside_the_rate(cloud: Cloud) -> None:
    """500 followed through a hold of 15 minutes: 5 pages every 30 s, then each one's own steps."""
    pace = Pace(200, 3.0, cloud.time.read, cloud.time.sleep)
    called: list[float] = []
    for look in range(31):
        cloud.time.now = max(cloud.time.now, look * 30.0)
        for _ in range(5 if look < 30 else 505):
            pace.wait()
            called.append(cloud.time.now)
    assert max(sum(start <= at < start + 300 for at in called) for start in called) <= 1200
    assert called[-1] - 900 < 120


def test_threads_may_share_a_client(cloud: Cloud, client: CloudflareClient) -> None:
    listed = json.loads(text("list-2"))
    listed["result"] = [{**listed["result"][0], "id": f"r-{number}"} for number in range(40)]
    cloud.server.give("GET", INSTANCES, json.dumps(listed))
    cloud.server.give("GET", f"{INSTANCES}/*", text("instance-complete"))
    assert [lane.reservation_id for lane in client.executions(100)] == [f"r-{number}" for number in range(40)]
