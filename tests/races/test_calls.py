"""A call is recorded as what it was: told by the platform, left without an answer, or failed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from reservation_cli.domain.reservation import ReservationRequest
from reservation_cli.domain.timeline import Engine
from reservation_cli.platforms.aws import AwsClient
from reservation_cli.platforms.cloudflare import CloudflareClient
from reservation_cli.platforms.payloads import Lane
from support.calls import call, server_errors
from support.http_server import CUT, Answers, serving
from support.stacks import a_stack

REQUEST = ReservationRequest("r-1", "A1")
CONFIRMED = {
    "reservationId": "r-1",
    "seatId": "A1",
    "userId": "user123",
    "holdSeconds": 900,
    "strategy": "sleep",
    "status": "confirmed",
    "createdAt": "2026-11-23T09:00:00.000Z",
    "expiresAt": "2026-11-23T09:15:00.000Z",
    "confirmedAt": "2026-11-23T09:05:00.000Z",
}
RECORD = json.dumps({"ok": True, "reservation": CONFIRMED})
ARN = "arn:aws:lambda:us-east-2:000000000000:function:reservation-workflow-dev:1/durable-execution/r-1/a1b2c3"
INVOKE = "/2015-03-31/functions/reservation-workflow-dev/invocations"
SEATS = "/2015-03-31/functions/reservation-seats-dev/invocations"

Connect = Callable[[str], CloudflareClient | AwsClient]


@pytest.fixture
def server() -> Iterator[Answers]:
    with serving() as answers:
        yield answers


@pytest.fixture
def cloudflare() -> Iterator[Connect]:
    made: list[CloudflareClient] = []

    def connect(url: str) -> CloudflareClient:
        lane = Lane("local", url, Engine("wrangler"), "Cloudflare · local")
        made.append(CloudflareClient(httpx.Client(base_url=url), None, lane, "local"))
        return made[-1]

    yield connect
    for client in made:
        client.close()


@pytest.fixture
def aws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connect]:
    monkeypatch.setattr("botocore.retryhandler.delay_exponential", lambda *_args, **_named: 0)
    made: list[AwsClient] = []

    def connect(url: str) -> AwsClient:
        made.append(AwsClient.local(a_stack(url, tmp_path)))
        return made[-1]

    yield connect
    for client in made:
        client.close()


@pytest.mark.parametrize(
    ("status", "body", "refusal"),
    [
        (500, '{"error": "The service failed.", "code": "internal_error"}', "internal_error"),
        (500, '{"error": "Something else."}', "platform"),
        (503, "Your worker restarted mid-request.", "not_understood"),
        (200, "<html>", "not_understood"),
    ],
)
def test_a_failure_of_the_worker(cloudflare: Connect, server: Answers, status: int, body: str, refusal: str) -> None:
    client = cloudflare(server.url)
    errors = server_errors(client)
    server.give("POST", "/confirm/r-1", body, status)
    answer = call(client, "confirm", REQUEST)
    assert (answer.refusal, answer.is_failure, answer.is_open, answer.is_decided) == (refusal, True, False, False)
    assert errors == ([f"POST /confirm/r-1 was answered with HTTP {status}"] if status >= 500 else [])


def test_an_error_of_the_engine_is_told_for_each_try(aws: Connect, server: Answers) -> None:
    client = aws(server.url)
    errors = server_errors(client)
    server.give("POST", SEATS, '{"Message": "Sorry."}', 500, x_amzn_errortype="ServiceException")
    answer = call(client, "confirm", REQUEST)
    assert (answer.refusal, answer.is_failure) == ("ServiceException", True)
    assert errors == ["Invoke was answered with HTTP 500: ServiceException: Sorry."] * 3


def test_an_error_that_was_got_over_is_told(aws: Connect, server: Answers) -> None:
    client = aws(server.url)
    errors = server_errors(client)
    server.first("POST", SEATS, (502, {}, b""))
    server.give("POST", SEATS, RECORD)
    assert call(client, "confirm", REQUEST).told == "confirm confirmed"
    assert [error.partition(": ")[0] for error in errors] == ["Invoke was answered with HTTP 502"]


def test_an_error_behind_an_accepted_reserve_is_told(aws: Connect, server: Answers) -> None:
    client = aws(server.url)
    errors = server_errors(client)
    server.give("POST", INVOKE, "", 202, x_amz_durable_execution_arn=ARN)
    server.give("GET", "*/history", '{"Message": "Sorry."}', 500, x_amzn_errortype="ServiceException")
    answer = call(client, "reserve", REQUEST)
    assert (answer.told, answer.is_decided) == ("reserve accepted", False)
    assert set(errors) == {"GetDurableExecutionHistory was answered with HTTP 500: ServiceException: Sorry."}


def test_a_handler_that_failed(aws: Connect, server: Answers) -> None:
    server.give("POST", SEATS, '{"errorMessage": "No table."}', x_amz_function_error="Unhandled")
    answer = call(aws(server.url), "read", REQUEST)
    assert (answer.refusal, answer.is_failure) == ("platform", True)
    assert "No table." in answer.message


@pytest.mark.parametrize("platform", ["cloudflare", "aws"])
def test_no_answer_says_nothing(platform: str, request: pytest.FixtureRequest, server: Answers) -> None:
    connect: Connect = request.getfixturevalue(platform)
    server.prepared[("POST", "*")] = CUT
    with serving() as gone:
        nobody = gone.url
    for url in (server.url, nobody):
        client = connect(url)
        errors = server_errors(client)
        answer = call(client, "confirm", REQUEST)
        assert (answer.refusal, answer.is_open, answer.is_failure) == ("unreachable", True, False)
        assert errors == []


def test_what_the_platform_tells(cloudflare: Connect, aws: Connect, server: Answers) -> None:
    server.give("POST", "/confirm/r-1", '{"error": "No.", "code": "too_late"}', 410)
    server.give("POST", SEATS, RECORD)
    server.give("GET", "/reservation/r-1", '{"error": "No.", "code": "reservation_not_found"}', 404)
    asked = [
        call(cloudflare(server.url), "confirm", REQUEST),
        call(aws(server.url), "confirm", REQUEST),
        call(cloudflare(server.url), "read", REQUEST),
    ]
    assert [answer.told for answer in asked] == ["confirm too_late", "confirm confirmed", "read not_found"]
    assert all(answer.is_decided for answer in asked)
