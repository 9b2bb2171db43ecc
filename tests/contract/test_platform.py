"""What every platform promises: one suite over the fakes and over both engines of the real local stack."""

from __future__ import annotations

import os
import secrets
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest

from reservation_cli import settings
from reservation_cli.crowd import follow_crowd
from reservation_cli.domain.deployment import AwsDeployment, CloudflareDeployment, Deployment
from reservation_cli.domain.reservation import Platform, ReservationRequest, Strategy, new_reservation_id
from reservation_cli.domain.timeline import Timeline
from reservation_cli.errors import ConflictError, NotFoundError, TimedOutError
from reservation_cli.follow import follow
from reservation_cli.lanes import together
from reservation_cli.local import stack
from reservation_cli.platforms import PlatformClient, connect
from support import cloud_front
from support.fake_platform import FakePlatform


@pytest.fixture(
    params=[
        "fake cloudflare",
        "fake aws",
        pytest.param("stack cloudflare", marks=pytest.mark.stack),
        pytest.param("stack aws", marks=pytest.mark.stack),
        pytest.param("cloud cloudflare", marks=pytest.mark.stack),
        pytest.param("cloud aws", marks=pytest.mark.stack),
    ]
)
def client(request: pytest.FixtureRequest) -> Iterator[PlatformClient]:
    kind, _, platform = request.param.partition(" ")
    if kind == "fake":
        yield FakePlatform(platform)
        return
    environ: Mapping[str, str] = request.getfixturevalue("stack_environ")
    if kind == "cloud":
        with as_in_the_cloud(platform, environ) as in_cloud:
            yield in_cloud
        return
    connected = connect(settings.load(environ), platform, None, print)
    yield connected
    connected.close()


@contextmanager
def as_in_the_cloud(platform: Platform, environ: Mapping[str, str]) -> Iterator[PlatformClient]:
    """The client of a cloud, with both real engines of the local stack behind the clouds' own interfaces."""
    engines = stack.ensure(settings.load(environ), print)
    now = datetime.now(UTC)
    with cloud_front.serving(engines.cloudflare_url) as api:
        credentials = {
            "CLOUDFLARE_API_BASE_URL": api,
            "CLOUDFLARE_API_TOKEN": cloud_front.TOKEN,
            "AWS_ENDPOINT_URL_LAMBDA": engines.aws_endpoint_url,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }
        place: Deployment
        if platform == "aws":
            place = AwsDeployment("dev", engines.region, engines.account, "api", "1", now)
        else:
            place = CloudflareDeployment("dev", cloud_front.ACCOUNT, engines.cloudflare_url, "1", now)
        connected = connect(settings.load({**environ, **credentials}), platform, place, print)
        try:
            yield connected
        finally:
            connected.close()


def a_request(seat: str | None = None, hold: int = 60, strategy: Strategy = "sleep") -> ReservationRequest:
    return ReservationRequest(new_reservation_id(), seat or f"S{secrets.token_hex(4)}", "user123", hold, strategy)


def end_of(client: PlatformClient, lane: Timeline) -> Timeline:
    something_happened = threading.Event()
    something_happened.set()
    return [lane, *follow(client, lane, something_happened)][-1]


def names(lane: Timeline) -> list[str]:
    return [span.name for span in lane.spans if span.kind != "invocation"]


def test_a_reservation_is_held_and_found_at_once(client: PlatformClient) -> None:
    request = a_request()
    lane = client.reserve(request)
    assert lane.reservation is not None
    assert (lane.reservation.status, lane.reservation.seat) == ("held", request.seat)
    assert lane.request == request
    assert lane.accept_ms is not None
    assert lane.accept_ms > 0
    again = client.timeline(request.reservation_id)
    assert again.ref == lane.ref
    assert again.request == request
    assert client.reservation(request.reservation_id).status == "held"


def test_the_hold_expires_by_itself(client: PlatformClient) -> None:
    lane = end_of(client, client.reserve(a_request(hold=1)))
    assert (lane.status, lane.outcome) == ("succeeded", "expired")
    assert names(lane) == ["create-hold", "hold-window", "finalize"]
    create, wait, final = (lane.span(name) for name in names(lane))
    assert create is not None
    assert wait is not None
    assert final is not None
    assert create.body is not None
    assert final.body is not None
    assert wait.start is not None
    assert wait.scheduled_end is not None
    assert round((wait.scheduled_end - wait.start).total_seconds(), 2) == 1
    assert create.body[1] <= wait.scheduled_end <= final.body[0]
    assert client.reservation(lane.reservation_id).status == "expired"


def test_an_event_wakes_the_workflow_before_its_time(client: PlatformClient) -> None:
    lane = client.reserve(a_request(hold=600, strategy="event"))
    assert client.confirm(lane.ref).status == "confirmed"
    ended = end_of(client, lane)
    assert (ended.status, ended.outcome) == ("succeeded", "confirmed")
    assert set(names(ended)) == {"create-hold", "await-confirmation", "finalize"}
    assert ended.hold is not None
    assert ended.hold.status == "succeeded"


def test_a_wait_for_an_event_times_out(client: PlatformClient) -> None:
    lane = end_of(client, client.reserve(a_request(hold=1, strategy="event")))
    assert (lane.outcome, lane.hold and lane.hold.status) == ("expired", "timed_out")


def test_a_confirmation_holds_over_the_expiry(client: PlatformClient) -> None:
    lane = client.reserve(a_request(hold=2))
    assert client.confirm(lane.reservation_id).status == "confirmed"
    assert client.confirm(lane.reservation_id).status == "confirmed"
    with pytest.raises(ConflictError):
        client.cancel(lane.reservation_id)
    assert end_of(client, lane).outcome == "confirmed"


def test_a_cancelled_seat_is_free_again(client: PlatformClient) -> None:
    first = a_request(strategy="event")
    client.reserve(first)
    assert client.cancel(first.reservation_id).status == "cancelled"
    second = client.reserve(a_request(seat=first.seat))
    assert second.reservation is not None
    assert second.reservation.status == "held"
    assert client.reservation(first.reservation_id).status == "cancelled"


def test_a_taken_seat_is_refused_with_the_time_it_frees(client: PlatformClient) -> None:
    first = client.reserve(a_request())
    assert first.reservation is not None
    second = client.reserve(a_request(seat=first.reservation.seat))
    assert second.outcome == "rejected"
    assert second.reservation is not None
    assert second.reservation.held_until == first.reservation.expires_at
    ended = end_of(client, second)
    assert (ended.status, names(ended)[-1]) in {("succeeded", "create-hold"), ("succeeded", "await-confirmation")}
    assert ended.span("finalize") is None


def test_too_late_is_told(client: PlatformClient) -> None:
    lane = end_of(client, client.reserve(a_request(hold=1)))
    with pytest.raises(ConflictError) as caught:
        client.confirm(lane.ref)
    assert caught.value.code == "too_late"


def test_the_same_request_twice_is_one_reservation(client: PlatformClient) -> None:
    request = a_request()
    first = client.reserve(request)
    assert client.reserve(request).ref == first.ref
    other = ReservationRequest(request.reservation_id, request.seat, "somebody else", request.hold_seconds)
    with pytest.raises(ConflictError) as caught:
        client.reserve(other)
    assert caught.value.code == "reservation_conflict"


def test_an_unknown_reservation_is_not_found(client: PlatformClient) -> None:
    for call in (client.timeline, client.reservation, client.confirm, client.cancel):
        with pytest.raises(NotFoundError):
            call("r-nobody")


def test_the_list_has_the_newest_first(client: PlatformClient) -> None:
    made = [client.reserve(a_request()).reservation_id for _ in range(3)]
    found = [lane.reservation_id for lane in client.executions(3)]
    assert found == made[::-1]


def test_statuses_are_told_by_the_list_alone(client: PlatformClient) -> None:
    before = datetime.now(UTC) - timedelta(seconds=1)
    ended = end_of(client, client.reserve(a_request(hold=1))).reservation_id
    going = client.reserve(a_request()).reservation_id
    told = client.statuses(before)
    assert told[ended] == "succeeded"
    assert told[going] in ("running", "waiting")
    assert client.statuses(datetime.now(UTC) + timedelta(hours=1)) == {}


def test_a_crowd_is_followed_to_its_end(client: PlatformClient) -> None:
    firsts = [client.reserve(a_request(hold=2)) for _ in range(25)]
    ended = dict(follow_crowd(client, firsts, threading.Event()))
    assert sorted(ended) == list(range(25))
    assert {lane.outcome for lane in ended.values()} == {"expired"}


def reserved(client: PlatformClient, request: ReservationRequest) -> Timeline:
    """Asks again, for the same, when there was no answer in time: hundreds at once are much for two busy cores."""
    deadline = datetime.now(UTC) + timedelta(seconds=120)
    while True:
        try:
            return client.reserve(request)
        except TimedOutError:
            if datetime.now(UTC) > deadline:
                raise


def test_hundreds_at_once_get_one_seat_once(client: PlatformClient) -> None:
    seat = f"S{secrets.token_hex(4)}"
    # The engines behind the clouds' clients are the same, and histories are rationed there.
    many = 200 if client.target == "local" else 50
    lanes = together([lambda: reserved(client, a_request(seat=seat)) for _ in range(many)])
    assert [lane for lane in lanes if not isinstance(lane, Timeline)] == []
    outcomes = [client.reservation(lane.ref).status for lane in lanes if isinstance(lane, Timeline)]
    assert sorted(outcomes) == ["held", *["rejected"] * (many - 1)]
