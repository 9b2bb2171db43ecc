"""The AWS client against cloud-shaped answers, through real botocore and a local HTTP server.

`cloud-*.json` are made by hand, after the API's reference and botocore's model of Lambda and CloudWatch Logs: no cloud
was asked for them. Times in them are epoch seconds, as on the wire.
"""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from botocore.config import Config

from reservation_cli import store
from reservation_cli.cli import main
from reservation_cli.domain.comparison import metrics
from reservation_cli.domain.reservation import ReservationRequest
from reservation_cli.domain.timeline import Engine, Timeline
from reservation_cli.errors import NotConfiguredError, NotFoundError, PlatformError, UsageError
from reservation_cli.follow import follow
from reservation_cli.platforms.aws import AwsClient
from reservation_cli.platforms.aws_history import timeline_from_history
from reservation_cli.platforms.aws_logs import CloudLogs, Scope, scope_of
from reservation_cli.platforms.aws_session import HISTORIES_A_SECOND, HISTORY_BURST, Aws
from reservation_cli.platforms.pace import Pace
from reservation_cli.platforms.payloads import Lane
from reservation_cli.store import KnownLane
from support.aws_cloud import (
    ARN,
    DEPLOYMENT,
    HISTORY,
    INVOKE,
    KEY_ID,
    LABEL,
    LIST,
    ONCE,
    SEATS,
    bare,
    fixture,
    give_pages,
    keys,
)
from support.clock import Clock, Sleeper
from support.http_server import Answers, serving

T0 = datetime(2026, 11, 25, 10, tzinfo=UTC)
LANE = Lane("cloud", "https://lambda.us-east-2.amazonaws.com", Engine("AWS Lambda durable functions"), LABEL, "dev")
FIRST_ID, SECOND_ID = "5f9c1c2e-6a53-4c0e-9d3a-0d9f3f6b1a11", "a1d0b7c4-2f0e-4a86-8a63-4a8a1b7f2c22"


@pytest.fixture(scope="module")
def everywhere() -> Iterator[tuple[Answers, AwsClient]]:
    """One server and one client: to make a client takes a quarter of a second."""
    with serving() as answers:
        client = AwsClient.cloud(DEPLOYMENT, keys(answers.url), ONCE, Pace(1000, 1000))
        yield answers, client
        client.close()


@pytest.fixture
def server(everywhere: tuple[Answers, AwsClient]) -> Answers:
    answers = everywhere[0]
    for kept in (answers.prepared, answers.before, answers.seen, answers.authorizations):
        kept.clear()
    return answers


@pytest.fixture
def client(everywhere: tuple[Answers, AwsClient], server: Answers) -> AwsClient:
    del server
    return everywhere[1]


def queries(server: Answers) -> list[dict[str, list[str]]]:
    return [parse_qs(urlsplit(path).query) for _, path, _ in server.seen]


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def one_page(name: str) -> dict[str, Any]:
    """A history's events so far, with no further page."""
    return {"Events": fixture(name)["Events"]}


def the_lane(client: AwsClient, server: Answers, *pages: object) -> Timeline:
    give_pages(server, "GET", HISTORY, *pages)
    return client.timeline(ARN)


# --- Credentials and where calls go


def test_the_keys_of_the_mapping_are_used(client: AwsClient, server: Answers) -> None:
    the_lane(client, server, fixture("cloud-history-expired-2"))
    (authorization,) = server.authorizations
    assert authorization is not None
    assert f"Credential={KEY_ID}/" in authorization
    assert "/us-east-2/lambda/aws4_request" in authorization


def test_nothing_of_the_process_environment_is_needed_or_used(server: Answers) -> None:
    script = (
        "import sys, json\n"
        "from reservation_cli.platforms.aws_session import Aws\n"
        "aws = Aws.of(json.loads(sys.argv[1]))\n"
        "api = aws.client('lambda', 'us-east-2')\n"
        "print(aws.credentials().access_key, api.meta.endpoint_url, api.meta.config.retries)\n"
    )
    misleading = {
        "AWS_PROFILE": "nobody",
        "AWS_ACCESS_KEY_ID": "AKIAWRONG",
        "AWS_SECRET_ACCESS_KEY": "wrong",
        "AWS_CONFIG_FILE": "/nowhere",
        "AWS_REGION": "eu-west-1",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    command = [sys.executable, "-c", script, json.dumps(keys(server.url))]
    told = subprocess.run(command, env=misleading, capture_output=True, text=True, check=True, timeout=60).stdout
    assert told.startswith(f"{KEY_ID} {server.url} ")


def test_a_profile_of_a_file_that_the_mapping_names(server: Answers, tmp_path: Path) -> None:
    config, credentials = tmp_path / "config", tmp_path / "credentials"
    config.write_text("[profile work]\nregion = eu-west-1\n")
    credentials.write_text("[work]\naws_access_key_id = AKIAFROMTHEFILE\naws_secret_access_key = s\n")
    environ = bare(AWS_PROFILE="work", AWS_CONFIG_FILE=str(config), AWS_SHARED_CREDENTIALS_FILE=str(credentials))
    client = AwsClient.cloud(DEPLOYMENT, {**environ, "AWS_ENDPOINT_URL": server.url}, ONCE)
    the_lane(client, server, fixture("cloud-history-expired-2"))
    assert "Credential=AKIAFROMTHEFILE/" in str(server.authorizations[0])
    client.close()


def test_keys_win_over_a_profile(server: Answers, tmp_path: Path) -> None:
    credentials = tmp_path / "credentials"
    credentials.write_text("[work]\naws_access_key_id = AKIAFROMTHEFILE\naws_secret_access_key = s\n")
    environ = keys(server.url, AWS_PROFILE="work") | {"AWS_SHARED_CREDENTIALS_FILE": str(credentials)}
    found = Aws.of(environ).credentials()
    assert found is not None
    assert found.access_key == KEY_ID


def test_the_role_of_a_machine_in_the_cloud(server: Answers) -> None:
    server.give("GET", "/latest/meta-data/iam/security-credentials/", "the-role", content_type="text/plain")
    role = {
        "Code": "Success",
        "AccessKeyId": "ASIAOFTHEROLE",
        "SecretAccessKey": "s",
        "Token": "t",
        "Expiration": "2099-01-01T00:00:00Z",
    }
    server.give("GET", "/latest/meta-data/iam/security-credentials/the-role", json.dumps(role))
    environ = {**bare(AWS_EC2_METADATA_SERVICE_ENDPOINT=server.url), "AWS_EC2_METADATA_DISABLED": "false"}
    found = Aws.of(environ).credentials()
    assert found is not None
    assert found.access_key == "ASIAOFTHEROLE"
    assert Aws.of({**environ, "AWS_EC2_METADATA_DISABLED": "true"}).credentials() is None


def test_without_credentials_no_call_is_made(server: Answers) -> None:
    for make in (AwsClient.cloud, CloudLogs.of):
        with pytest.raises(NotConfiguredError) as caught:
            make(DEPLOYMENT, bare(AWS_ENDPOINT_URL=server.url))
        assert (caught.value.exit_code, caught.value.code) == (6, "credentials")
        assert caught.value.message == f"{LABEL}: there are no AWS credentials."
        assert "aws configure" in (caught.value.hint or "")
    assert server.seen == []


def test_the_lane_names_the_endpoint(server: Answers) -> None:
    environ = keys("")
    there = AwsClient.cloud(DEPLOYMENT, environ, ONCE)
    assert there.lane == LANE
    there.close()
    elsewhere = AwsClient.cloud(DEPLOYMENT, {**environ, "AWS_ENDPOINT_URL_LAMBDA": server.url}, ONCE)
    assert elsewhere.lane.endpoint == server.url
    elsewhere.close()
    logs = CloudLogs.of(DEPLOYMENT, {**environ, "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS": server.url}, ONCE)
    assert logs.api.meta.endpoint_url == server.url
    logs.close()


@pytest.mark.parametrize(
    ("wrong", "part"),
    [
        (ARN.replace("us-east-2", "eu-west-1"), "region eu-west-1"),
        (ARN.replace("123456789012", "000000000000"), "account 000000000000"),
        (ARN.replace("workflow-dev", "workflow-prod"), "function reservation-workflow-prod"),
    ],
)
def test_an_arn_from_elsewhere_is_refused_before_any_call(
    client: AwsClient, server: Answers, wrong: str, part: str
) -> None:
    for call in (client.timeline, client.confirm, client.reservation, client.history):
        with pytest.raises(UsageError, match=part):
            call(wrong)
    assert server.seen == []


# --- List and look-up


def test_the_list_is_of_all_versions_and_all_pages(client: AwsClient, server: Answers) -> None:
    give_pages(server, "GET", LIST, fixture("cloud-list-1"), fixture("cloud-list-2"))
    for number in range(1, 10):
        server.give("GET", f"*r-cloud-{number}%2F*/history", json.dumps(one_page("cloud-history-expired-1")))
    lanes = client.executions(8)
    assert [lane.reservation_id for lane in lanes] == [f"r-cloud-{number}" for number in range(9, 1, -1)]
    asked = [query for query in queries(server) if "IncludeExecutionData" not in query]
    assert asked == [{"MaxItems": ["8"]}, {"MaxItems": ["8"], "Marker": ["AAMA-bGlzdC1wYWdlLTI"]}]


def test_a_short_list_needs_one_page(client: AwsClient, server: Answers) -> None:
    give_pages(server, "GET", LIST, fixture("cloud-list-1"))
    server.give("GET", HISTORY, json.dumps(fixture("cloud-history-paused")))
    assert [lane.reservation_id for lane in client.executions(2)] == ["r-cloud-9", "r-cloud-8"]
    assert len(server.seen) == 3
    assert client.executions(0) == []
    assert len(server.seen) == 3


def test_what_is_deleted_while_it_is_listed_is_left_out(client: AwsClient, server: Answers) -> None:
    give_pages(server, "GET", LIST, fixture("cloud-list-1"))
    gone = json.dumps({"Message": "Durable execution not found."})
    server.give("GET", "*r-cloud-8%2F*/history", gone, 404, x_amzn_errortype="ResourceNotFoundException")
    server.give("GET", HISTORY, json.dumps(one_page("cloud-history-expired-1")))
    assert [lane.reservation_id for lane in client.executions(3)] == ["r-cloud-9", "r-cloud-7"]


def test_a_name_is_looked_up_to_the_letter_and_on_later_pages(client: AwsClient, server: Answers) -> None:
    give_pages(server, "GET", LIST, fixture("cloud-list-1"), fixture("cloud-list-2"))
    server.give("GET", HISTORY, json.dumps(one_page("cloud-history-expired-1")))
    assert ":function:reservation-workflow-dev:2/" in client.timeline("r-cloud-3").ref
    first, second, history = queries(server)
    assert (first["DurableExecutionName"], second["Marker"]) == (["r-cloud-3"], ["AAMA-bGlzdC1wYWdlLTI"])
    assert "Qualifier" not in first
    assert "Marker" not in history
    give_pages(server, "GET", LIST, fixture("cloud-list-2"))
    with pytest.raises(NotFoundError):
        client.timeline("r-cloud")


def test_the_newest_of_a_name_is_taken(client: AwsClient, server: Answers) -> None:
    newer, older = fixture("cloud-list-2")["DurableExecutions"][:2]
    older = {**older, "DurableExecutionName": newer["DurableExecutionName"]}
    give_pages(server, "GET", LIST, {"DurableExecutions": [newer, older]})
    server.give("GET", HISTORY, json.dumps(one_page("cloud-history-expired-1")))
    assert client.timeline("r-cloud-5").ref == newer["DurableExecutionArn"]
    assert client.statuses(T0)["r-cloud-5"] == "succeeded"


def test_the_status_of_hundreds_by_list_calls_alone(client: AwsClient, server: Answers) -> None:
    give_pages(server, "GET", LIST, fixture("cloud-list-1"), fixture("cloud-list-2"))
    assert client.statuses(T0) == {
        "r-cloud-9": "running",
        "r-cloud-8": "paused",
        "r-cloud-7": "running",
        "r-cloud-6": "unknown",
        "r-cloud-5": "succeeded",
        "r-cloud-4": "failed",
        "r-cloud-3": "timed_out",
        "r-cloud-2": "stopped",
        "r-cloud-1": "unknown",
    }
    first, second = queries(server)
    assert first == {"MaxItems": ["1000"], "StartedAfter": ["2026-11-25T10:00:00Z"]}
    assert second == {**first, "Marker": ["AAMA-bGlzdC1wYWdlLTI"]}


def test_entries_of_another_shape_are_passed_over(client: AwsClient, server: Answers) -> None:
    entries = [None, {}, {"DurableExecutionName": "r-1", "Status": "RUNNING"}]
    give_pages(server, "GET", LIST, {"DurableExecutions": entries, "NextMarker": ""})
    assert client.statuses(T0) == {}
    assert client.executions(5) == []


# --- Pace


def test_histories_keep_to_the_pace_over_pages_and_threads(server: Answers) -> None:
    watch = Sleeper()
    pace = Pace(4, 10, lambda: watch.now, watch.sleep)
    client = AwsClient.cloud(DEPLOYMENT, keys(server.url), ONCE, pace)
    give_pages(server, "GET", LIST, fixture("cloud-list-1"), fixture("cloud-list-2"))
    server.give("GET", HISTORY, json.dumps(one_page("cloud-history-expired-1")))
    assert len(client.executions(9)) == 9
    give_pages(server, "GET", HISTORY, fixture("cloud-history-expired-1"), fixture("cloud-history-expired-2"))
    client.timeline(ARN)
    # Eleven histories: four at once, then one each tenth of a second. The two pages of the list cost nothing.
    assert watch.now >= 0.7 - 1e-9
    client.close()


def test_repetitions_keep_to_the_pace(server: Answers) -> None:
    watch = Sleeper()
    pace = Pace(1, 10, lambda: watch.now, watch.sleep)
    thrice = Config(retries={"mode": "standard", "total_max_attempts": 3})
    client = AwsClient.cloud(DEPLOYMENT, keys(server.url), thrice, pace)
    server.give("GET", HISTORY, json.dumps({"message": "slow down"}), 429, x_amzn_errortype="TooManyRequestsException")
    with pytest.raises(PlatformError) as caught:
        client.timeline(ARN)
    assert caught.value.code == "throttled"
    assert len(server.seen) == 3
    assert watch.now == pytest.approx(0.2)
    client.close()


def test_the_pace_is_within_what_aws_allows() -> None:
    watch = Sleeper()
    like_it = Pace(HISTORY_BURST, HISTORIES_A_SECOND, lambda: watch.now, watch.sleep)
    times = []
    for _ in range(100):
        like_it.wait()
        times.append(watch.now)
    assert max(sum(start <= moment < start + 1 for moment in times) for start in times) <= 15


# --- Histories


def test_a_history_in_pages(client: AwsClient, server: Answers) -> None:
    lane = the_lane(client, server, fixture("cloud-history-expired-1"), fixture("cloud-history-expired-2"))
    assert (lane.status, lane.outcome, lane.target, lane.stage) == ("succeeded", "expired", "cloud", "dev")
    assert lane.request == ReservationRequest("r-cloud-1", "A1", "user123")
    assert [span.name for span in lane.spans if span.kind != "invocation"] == ["create-hold", "hold-window", "finalize"]
    assert (lane.started, lane.ended) == (at(0.041), at(901.83))
    found = metrics(lane)
    assert (found.first_step_ms, found.timer_error_ms, found.invocations) == (820.0, 697.0, 2)
    assert queries(server)[1]["Marker"] == ["AAMA-EFRSURBSGhtcng1"]
    assert lane.notes == ()


def test_markers_that_lead_round_in_a_circle_are_not_followed_for_ever(client: AwsClient, server: Answers) -> None:
    first, last = fixture("cloud-history-expired-1"), fixture("cloud-history-expired-2")
    circle = [{**first, "NextMarker": marker} for marker in ("A", "B", "C", "A")]
    with pytest.raises(PlatformError, match="cannot be read"):
        the_lane(client, server, *circle, last)
    assert [query.get("Marker") for query in queries(server)] == [None, ["A"], ["B"], ["C"]]
    give_pages(server, "GET", LIST, *({"DurableExecutions": [], "NextMarker": marker} for marker in "ABAB"), {})
    with pytest.raises(PlatformError, match="cannot be read"):
        client.statuses(T0)


def test_a_refused_checkpoint_is_explained_beside_the_picture(client: AwsClient, server: Answers) -> None:
    lane = the_lane(client, server, fixture("cloud-history-checkpoint-denied"))
    assert (lane.status, lane.outcome) == ("failed", None)
    assert (lane.error or "").startswith("CheckpointUnrecoverableExecutionError: Checkpoint failed: ")
    (invocation,) = lane.spans
    assert (invocation.kind, invocation.status) == ("invocation", "failed")
    (note,) = lane.notes
    assert "lambda:CheckpointDurableExecution" in note
    assert "AWSLambdaBasicDurableExecutionRolePolicy" in note


@pytest.mark.parametrize(
    ("kind", "message", "words"),
    [
        ("Error", "Unexpected payload provided to start the durable execution.\nCheck your", "without DurableConfig"),
        ("NonDeterministicExecutionError", "Non-deterministic execution detected: x", "code has changed"),
        ("CheckpointUnrecoverableInvocationError", "Checkpoint failed: x", "checkpoint was refused"),
    ],
)
def test_what_is_known_of_errors_inside_an_execution(
    client: AwsClient, server: Answers, kind: str, message: str, words: str
) -> None:
    pages = fixture("cloud-history-checkpoint-denied")
    # An invocation that failed and is tried again: the execution itself still runs.
    pages["Events"] = pages["Events"][:2]
    pages["Events"][1]["InvocationCompletedDetails"]["Error"]["Payload"] = {"ErrorType": kind, "ErrorMessage": message}
    lane = the_lane(client, server, pages)
    assert (lane.status, lane.error) == ("running", None)
    assert [words in note for note in lane.notes] == [True]


def test_what_is_cut_off_is_unknown_and_what_is_new_is_passed_over(client: AwsClient, server: Answers) -> None:
    lane = the_lane(client, server, fixture("cloud-history-timed-out"))
    assert (lane.status, lane.outcome, lane.request) == ("timed_out", None, None)
    assert lane.error == "ExecutionTimedOut: Execution timed out after 60 sec …"
    assert lane.ended == at(60.05)
    statuses = {span.name: span.status for span in lane.spans}
    assert statuses == {"create-hold": "unknown", "hold-window": "running", "invocation": "failed"}
    (failed,) = [span for span in lane.spans if span.kind == "invocation"]
    assert failed.error == "The error's text has been left out."


def test_a_pause_is_in_the_history_until_it_ends(client: AwsClient, server: Answers) -> None:
    paused = fixture("cloud-history-paused")
    lane = the_lane(client, server, paused)
    assert (lane.status, lane.outcome, lane.is_over) == ("paused", None, False)
    resumed = {"EventType": "ExecutionResumed", "EventId": 7, "EventTimestamp": 1795600980.0}
    again = {"Events": [*paused["Events"], resumed]}
    assert the_lane(client, server, again).status == "waiting"
    over = {"Events": [*paused["Events"], *fixture("cloud-history-expired-2")["Events"]]}
    assert the_lane(client, server, over).status == "succeeded"


def test_an_execution_that_has_only_been_accepted(client: AwsClient, server: Answers) -> None:
    lane = the_lane(client, server, {"Events": []})
    assert (lane.status, lane.started, lane.spans) == ("queued", None, ())


def test_an_end_of_a_kind_that_is_not_known_is_unknown(client: AwsClient, server: Answers) -> None:
    page = one_page("cloud-history-expired-1")
    page["Events"].append({"EventType": "ExecutionEvicted", "EventId": 6, "EventTimestamp": 1795600900.0})
    lane = the_lane(client, server, page)
    assert (lane.status, lane.is_over, lane.ended) == ("unknown", False, None)


def test_the_payload_of_a_callback_says_nothing_of_the_reservation(client: AwsClient, server: Answers) -> None:
    page = one_page("cloud-history-expired-1")
    forged = json.dumps({"reservation": {"reservationId": "r-cloud-1", "seatId": "A1", "status": "confirmed"}})
    details = {"Result": {"Payload": forged, "Truncated": False}}
    event = {"EventType": "CallbackSucceeded", "EventId": 6, "Id": "x", "EventTimestamp": 1795600900.0}
    page["Events"].append({**event, "CallbackSucceededDetails": details})
    lane = the_lane(client, server, page)
    assert lane.reservation is not None
    assert lane.reservation.status == "held"


def test_a_missing_beginning_is_not_made_up(client: AwsClient, server: Answers) -> None:
    page = fixture("cloud-history-expired-2")
    lane = the_lane(client, server, page)
    hold = lane.span("hold-window")
    assert hold is not None
    assert (hold.start, hold.end, hold.scheduled_end) == (None, at(901.103), None)
    assert (lane.started, lane.status) == (None, "succeeded")
    assert metrics(lane).timer_error_ms is None


def test_a_bad_time_on_the_wire_is_an_error_of_ours(client: AwsClient, server: Answers) -> None:
    page = fixture("cloud-history-expired-2")
    page["Events"][0]["EventTimestamp"] = "soon"
    with pytest.raises(PlatformError) as caught:
        the_lane(client, server, page)
    assert caught.value.code == "not_understood"


#: To which no hold can be added.
LATE = "9999-12-31T23:59:59Z"


def places(value: object, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every value inside `value`."""
    inside: list[tuple[Any, object]] = []
    if isinstance(value, dict):
        inside = list(value.items())
    elif isinstance(value, list):
        inside = list(enumerate(value))
    for key, under in inside:
        yield (*path, key)
        yield from places(under, (*path, key))


@pytest.mark.parametrize("name", ["cloud-history-expired-1", "cloud-history-expired-2", "cloud-history-timed-out"])
def test_no_single_wrong_value_breaks_or_bends_a_timeline(name: str) -> None:
    events = fixture(name)["Events"]
    right = timeline_from_history(ARN, "r-cloud-1", events, LANE)
    for path in places(events):
        for wrong in (None, 7, -1.5, True, "", "half {", [], [None], {}, {"Payload": 3}, 10**30, LATE):
            bent = copy.deepcopy(events)
            holder = bent
            for key in path[:-1]:
                holder = holder[key]
            holder[path[-1]] = wrong
            lane = timeline_from_history(ARN, "r-cloud-1", bent, LANE)
            assert lane.status in {right.status, "running", "waiting", "unknown", "paused"}, (path, wrong)
            assert lane.outcome in {right.outcome, None}, (path, wrong)
            metrics(lane)


@pytest.mark.parametrize("ahead", [0, -300, 300])
def test_following_a_hold_of_15_minutes_takes_few_requests(client: AwsClient, server: Answers, ahead: int) -> None:
    """`ahead`: seconds that this machine's clock is ahead of AWS's, as far as AWS lets a signature pass."""
    clock = Clock()
    clock.time = at(1 + ahead)
    give_pages(server, "GET", HISTORY, one_page("cloud-history-expired-1"))
    server.give("POST", INVOKE, "", 202, X_Amz_Durable_Execution_Arn=ARN)
    latest = replace(client.reserve(ReservationRequest("r-cloud-1", "A1", "user123")), requested_at=clock.time)
    events = [*fixture("cloud-history-expired-1")["Events"], *fixture("cloud-history-expired-2")["Events"]]
    for lane in follow(client, latest, clock, clock.now):
        latest = lane
        if clock.time - timedelta(seconds=ahead) > at(901.8):
            server.give("GET", HISTORY, json.dumps({"Events": events}))
    assert latest.outcome == "expired"
    assert len(server.seen) <= 40


# --- Reserve, confirm, cancel


def test_reserve_and_confirm(client: AwsClient, server: Answers) -> None:
    server.give("POST", INVOKE, "", 202, X_Amz_Durable_Execution_Arn=ARN)
    give_pages(server, "GET", HISTORY, one_page("cloud-history-expired-1"))
    lane = client.reserve(ReservationRequest("r-cloud-1", "A1", "user123"))
    assert (lane.ref, lane.polls, lane.reservation and lane.reservation.status) == (ARN, 1, "held")
    method, path, _ = server.seen[0]
    assert (method, path) == ("POST", f"{INVOKE}?Qualifier=live")
    record = {"reservationId": "r-cloud-1", "seatId": "A1", "status": "confirmed"}
    server.give("POST", SEATS, json.dumps({"ok": True, "reservation": record}))
    assert client.confirm("r-cloud-1").status == "confirmed"
    assert client.cancel("r-cloud-1").status == "confirmed"


@pytest.mark.parametrize(
    ("status", "kind", "why", "said"),
    [
        (403, "AccessDeniedException", "not authorized to perform: lambda:GetDurableExecutionHistory", "may not do"),
        (403, "ExpiredTokenException", "The security token included in the request is expired", "have expired"),
        (404, "ResourceNotFoundException", "No such execution.", "No such execution"),
        (429, "TooManyRequestsException", "Rate exceeded", "throttles"),
        (500, "ServiceException", "Sorry.", "failed inside"),
    ],
)
def test_what_has_been_accepted_is_not_lost_when_it_cannot_be_looked_at(
    client: AwsClient, server: Answers, status: int, kind: str, why: str, said: str
) -> None:
    server.give("POST", INVOKE, "", 202, X_Amz_Durable_Execution_Arn=ARN)
    server.give("GET", HISTORY, json.dumps({"Message": why}), status, x_amzn_errortype=kind)
    request = ReservationRequest("r-cloud-1", "A1", "user123")
    lane = client.reserve(request)
    assert (lane.ref, lane.status, lane.request, lane.reservation) == (ARN, "running", request, None)
    assert lane.accept_ms is not None
    assert "Its hold could not be looked at" in lane.notes[0]
    assert said in lane.notes[0]


def test_a_reservation_that_cannot_be_looked_at_is_remembered(
    client: AwsClient, server: Answers, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.give("POST", INVOKE, "", 202, X_Amz_Durable_Execution_Arn=ARN)
    server.give("GET", HISTORY, json.dumps({"Message": "Rate exceeded"}), 429, x_amzn_errortype="Throttling")
    command = ("reserve", "--seat", "A1", "--id", "r-cloud-1", "--on", "aws")
    home = tmp_path / "home"
    code = main(command, {"RESV_HOME": str(home)}, connect=lambda *_: client)
    out, err = capsys.readouterr()
    assert (code, err) == (0, "")
    assert "Its hold could not be looked at" in out
    assert store.known_lanes(home, store.last(home)) == {"aws": KnownLane(ARN, "dev")}


def test_another_account_starts_nothing(client: AwsClient, server: Answers) -> None:
    denied = "User: arn:aws:iam::222222222222:user/x is not authorized to perform: lambda:InvokeFunction"
    server.give("POST", INVOKE, json.dumps({"Message": denied}), 403, x_amzn_errortype="AccessDeniedException")
    with pytest.raises(PlatformError) as caught:
        client.reserve(ReservationRequest("r-cloud-1", "A1", "user123"))
    assert caught.value.code == "access_denied"
    ((_, path, _),) = server.seen
    assert unquote(path) == (
        "/2015-03-31/functions/arn:aws:lambda:us-east-2:123456789012:function:reservation-workflow-dev"
        "/invocations?Qualifier=live"
    )


@pytest.mark.parametrize(
    ("region", "begins"),
    [
        ("us-east-2", "arn:aws:lambda:"),
        ("cn-north-1", "arn:aws-cn:lambda:"),
        ("us-gov-west-1", "arn:aws-us-gov:lambda:"),
        ("eusc-de-east-1", "arn:aws-eusc:lambda:"),
    ],
)
def test_functions_are_named_in_their_partition(region: str, begins: str) -> None:
    assert replace(DEPLOYMENT, region=region).functions_arn == f"{begins}{region}:123456789012:function:"


def test_the_seats_function_fails(client: AwsClient, server: Answers) -> None:
    told = {"errorType": "AccessDeniedException", "errorMessage": "not authorized to perform: dynamodb:GetItem"}
    server.give("POST", SEATS, json.dumps(told), X_Amz_Function_Error="Unhandled")
    with pytest.raises(PlatformError) as caught:
        client.reservation("r-cloud-1")
    assert "dynamodb:GetItem" in caught.value.message
    assert "resv logs aws" in (caught.value.hint or "")


# --- Logs


class Group:
    """CloudWatch Logs over the server: events that `FilterLogEvents` finds by time, in pages of three."""

    def __init__(self, server: Answers, events: Mapping[str, list[dict[str, Any]]]) -> None:
        self.server = server
        self.events = events
        self.asked: list[dict[str, Any]] = []
        server.find = self.find  # type: ignore[method-assign]  # the one thing here that looks at a request's body

    def find(self, method: str, path: str) -> tuple[int, Mapping[str, str], bytes]:
        del method, path
        asked = json.loads(self.server.seen[-1][2])
        self.asked.append(asked)
        group = asked["logGroupName"]
        if group not in self.events:
            body = {"__type": "ResourceNotFoundException", "message": "The specified log group does not exist."}
            return 400, {"content-type": "application/x-amz-json-1.1"}, json.dumps(body).encode()
        matching = [
            event
            for event in sorted(self.events[group], key=lambda event: int(event["timestamp"]))
            if asked["startTime"] <= event["timestamp"] <= asked.get("endTime", 10**15)
        ]
        start = int(asked.get("nextToken", 0))
        answer: dict[str, Any] = {"events": matching[start : start + 3], "searchedLogStreams": []}
        if len(matching) > start + 3:
            answer["nextToken"] = str(start + 3)
        return 200, {"content-type": "application/x-amz-json-1.1"}, json.dumps(answer).encode()


WORKFLOW, SEATS_LOG = "/aws/lambda/reservation-workflow-dev", "/aws/lambda/reservation-seats-dev"


def an_event(number: int, seconds: float, message: str) -> dict[str, Any]:
    return {"eventId": f"e{number}", "timestamp": int(at(seconds).timestamp() * 1000), "message": f"{message}\n"}


@pytest.fixture(scope="module")
def cloudwatch() -> Iterator[tuple[Answers, CloudLogs]]:
    with serving() as answers:
        read = CloudLogs.of(DEPLOYMENT, keys(answers.url), ONCE)
        yield answers, read
        read.close()


@pytest.fixture
def logs(cloudwatch: tuple[Answers, CloudLogs]) -> tuple[Answers, CloudLogs]:
    answers, read = cloudwatch
    answers.prepared.clear()
    answers.seen.clear()
    vars(answers).pop("find", None)
    return answers, CloudLogs(read.api, read.groups, read.label)


def texts(lines: Iterator[Any]) -> list[tuple[str, str]]:
    return [(line.log, line.text) for line in lines]


def test_the_newest_lines_of_both_logs_in_their_order(logs: tuple[Answers, CloudLogs]) -> None:
    server, read = logs
    group = Group(
        server,
        {
            WORKFLOW: [an_event(number, number, f"w{number}") for number in range(1, 8)],
            SEATS_LOG: [an_event(20, 6.5, "s1"), an_event(21, -4_000, "s0")],
        },
    )
    now = at(30)
    assert texts(read.past(3, now=now)) == [
        ("seats", "s0"),
        ("aws", "w5"),
        ("aws", "w6"),
        ("seats", "s1"),
        ("aws", "w7"),
    ]
    spans = {(now.timestamp() * 1000 - asked["startTime"]) / 60_000 for asked in group.asked}
    assert spans == {10, 60, 24 * 60, 14 * 24 * 60}


def test_no_lines_wanted(logs: tuple[Answers, CloudLogs]) -> None:
    server, read = logs
    Group(server, {WORKFLOW: [an_event(1, 1, "w")], SEATS_LOG: []})
    assert texts(read.past(0, now=at(30))) == []


def test_nothing_has_been_logged_yet(logs: tuple[Answers, CloudLogs]) -> None:
    server, read = logs
    group = Group(server, {})
    with pytest.raises(NotFoundError, match="nothing has been logged yet"):
        list(read.past(10))
    group.events = {SEATS_LOG: [an_event(1, 1, "seat")]}
    assert texts(read.past(10, now=at(30))) == [("seats", "seat")]


def test_what_may_not_be_read_is_named(logs: tuple[Answers, CloudLogs]) -> None:
    server, read = logs
    message = (
        "User: arn:aws:iam::123456789012:user/dev is not authorized to perform: logs:FilterLogEvents on resource:"
        f" arn:aws:logs:us-east-2:123456789012:log-group:{WORKFLOW}:log-stream: because no identity-based policy"
    )
    server.give("POST", "/", json.dumps({"__type": "AccessDeniedException", "message": message}), 400)
    with pytest.raises(PlatformError) as caught:
        list(read.past(10))
    assert caught.value.code == "access_denied"
    assert "logs:FilterLogEvents" in caught.value.message
    assert WORKFLOW in (caught.value.hint or "")


def test_following_shows_each_line_once_the_late_ones_too(logs: tuple[Answers, CloudLogs]) -> None:
    server, read = logs
    group = Group(server, {WORKFLOW: [], SEATS_LOG: []})
    begun = datetime.now(UTC).timestamp() - T0.timestamp()
    workflow, seats = group.events[WORKFLOW], group.events[SEATS_LOG]
    workflow += [an_event(number, begun + number / 10, f"w{number}") for number in range(5)]
    assert len(texts(read.past(2))) == 2
    looks = []

    def meanwhile(seconds: float) -> None:
        looks.append(seconds)
        if len(looks) == 1:
            seats.append(an_event(30, begun + 20, "new"))
        if len(looks) == 2:
            workflow.append(an_event(31, begun + 3, "late"))
            server.find = lambda method, path: (503, {}, b"")  # type: ignore[method-assign]
        if len(looks) == 3:
            server.find = group.find  # type: ignore[method-assign]
        if len(looks) == 4:
            workflow.append(an_event(32, begun + 30, "newest"))

    read.sleep = meanwhile
    assert texts(islice(read.follow(), 3)) == [("seats", "new"), ("aws", "late"), ("aws", "newest")]
    assert set(looks) == {2.0}


def test_following_ends_when_it_fails_for_long(logs: tuple[Answers, CloudLogs]) -> None:
    server, read = logs
    server.give("POST", "/", "", 503)
    looks: list[float] = []
    read.sleep = looks.append
    with pytest.raises(PlatformError):
        next(read.follow())
    assert len(looks) == 10


def test_a_log_that_does_not_exist_yet_is_waited_for(logs: tuple[Answers, CloudLogs]) -> None:
    server, read = logs
    group = Group(server, {})
    begun = datetime.now(UTC).timestamp() - T0.timestamp()
    read.sleep = lambda _seconds: setattr(group, "events", {SEATS_LOG: [an_event(1, begun, "the first")]})
    assert texts(islice(read.follow(), 1)) == [("seats", "the first")]


def test_the_lines_about_one_execution(client: AwsClient, server: Answers, logs: tuple[Answers, CloudLogs]) -> None:
    give_pages(server, "GET", HISTORY, one_page("cloud-history-expired-1"))
    scope = scope_of(client, ARN)
    assert scope == Scope(("r-cloud-1", FIRST_ID), at(0.041))
    assert scope.pattern == f'?"r-cloud-1" ?"{FIRST_ID}"'
    log_server, read = logs
    group = Group(log_server, {WORKFLOW: fixture("cloud-log-events")["events"], SEATS_LOG: []})
    found = texts(read.past(100, scope))
    assert [text.split()[0] for _, text in found[:1]] == ["START"]
    assert len(found) == 5
    assert found[2][1].endswith("seat store unavailable\n    at Seats.hold (file:///var/task/handler.mjs:1:1)")
    assert {asked["filterPattern"] for asked in group.asked} == {scope.pattern}
    assert {asked["startTime"] for asked in group.asked} == {int(at(0.041).timestamp() * 1000) - 60_000}


def test_an_invocation_that_ends_while_its_execution_is_followed(
    client: AwsClient, server: Answers, logs: tuple[Answers, CloudLogs]
) -> None:
    first, second = fixture("cloud-history-expired-1"), fixture("cloud-history-expired-2")
    whole = {"Events": [*first["Events"], *second["Events"]]}
    give_pages(server, "GET", HISTORY, {"Events": first["Events"]}, {"Events": first["Events"]}, whole)
    log_server, read = logs
    begun = datetime.now(UTC).timestamp() - T0.timestamp()
    Group(log_server, {WORKFLOW: [an_event(1, begun, f"START RequestId: {SECOND_ID} Version: 3")], SEATS_LOG: []})
    read.sleep = lambda _seconds: None
    assert texts(read.past(10, scope_of(client, ARN))) == []
    assert len(texts(islice(read.follow(lambda: scope_of(client, ARN)), 1))) == 1


def test_too_many_words_for_a_pattern_are_looked_for_here(logs: tuple[Answers, CloudLogs]) -> None:
    server, read = logs
    words = tuple(f"{number:036d}" for number in range(40))
    group = Group(server, {WORKFLOW: [an_event(1, 1, f"it is {words[39]}"), an_event(2, 2, "other")], SEATS_LOG: []})
    assert texts(read.past(10, Scope(words, T0))) == [("aws", f"it is {words[39]}")]
    assert all("filterPattern" not in asked for asked in group.asked)
    assert len(Scope(words[:25]).pattern) <= 1024


@pytest.mark.parametrize(
    ("text", "belongs"),
    [
        ("a r-1 b", True),
        ("r-1", True),
        ("/r-1/", True),
        ('"r-1"', True),
        ("r-12", False),
        ("r-1-b", False),
        ("", False),
    ],
)
def test_a_word_is_a_whole_word(text: str, belongs: bool) -> None:
    assert Scope(("r-1",)).has(text) is belongs
    assert Scope().has(text)


def test_events_without_what_is_needed_are_passed_over(logs: tuple[Answers, CloudLogs]) -> None:
    server, read = logs
    events = [
        {"message": "no time"},
        {"timestamp": 1},
        {},
        an_event(1, 1, "whole"),
        {"timestamp": 5, "message": "no id"},
        None,
    ]
    server.give("POST", "/", json.dumps({"events": events}))
    assert ("aws", "whole") in texts(read.past(10, now=at(30)))


def test_log_pages_that_lead_round_in_a_circle_are_an_error(logs: tuple[Answers, CloudLogs]) -> None:
    server, read = logs
    for token in ("A", "B", "A"):
        server.give("POST", "/", json.dumps({"events": [], "nextToken": token}))
    with pytest.raises(PlatformError, match="cannot be read"):
        list(read.past(10, now=at(30)))


def test_arns_are_sent_as_they_are(client: AwsClient, server: Answers) -> None:
    the_lane(client, server, fixture("cloud-history-expired-2"))
    assert unquote(server.seen[0][1].partition("?")[0]) == f"/2025-12-01/durable-executions/{ARN}/history"


def test_an_environment_that_points_at_the_local_stack_is_not_taken_for_aws(server: Answers) -> None:
    from_resv_env = {"AWS_ENDPOINT_URL_LAMBDA": server.url, "AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "x"}
    with pytest.raises(NotConfiguredError, match="points at the local stack"):
        AwsClient.cloud(DEPLOYMENT, from_resv_env)
    assert server.seen == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AWS_ENDPOINT_URL", "localhost:4566"),
        ("AWS_ENDPOINT_URL", "http://user:geheim@not a host"),
        ("AWS_METADATA_SERVICE_TIMEOUT", "abc"),
    ],
)
def test_a_setting_that_cannot_be_used_is_told(name: str, value: str) -> None:
    with pytest.raises(NotConfiguredError, match="A setting of AWS cannot be used") as caught:
        AwsClient.cloud(DEPLOYMENT, {**keys("http://127.0.0.1:9"), name: value})
    assert "geheim" not in caught.value.message


@pytest.mark.parametrize(
    "setting",
    [
        {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "no-address"},
        {"AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/r", "AWS_WEB_IDENTITY_TOKEN_FILE": "/dev/null/token"},
    ],
)
def test_a_setting_that_botocore_takes_from_the_process_is_told_as_well(setting: Mapping[str, str]) -> None:
    script = (
        "import os\n"
        "from reservation_cli.errors import NotConfiguredError\n"
        "from reservation_cli.platforms.aws_session import Aws\n"
        "try:\n"
        "    Aws.of(os.environ).credentials()\n"
        "except NotConfiguredError as error:\n"
        "    print(error.code)\n"
    )
    environ = bare(PYTHONPATH=str(Path(__file__).parents[2]), **setting)
    command = [sys.executable, "-c", script]
    told = subprocess.run(command, env=environ, capture_output=True, text=True, check=True, timeout=60).stdout
    assert told == "aws_setting\n"


def test_an_endpoint_s_password_is_not_told() -> None:
    client = AwsClient.cloud(DEPLOYMENT, keys("http://user:geheim@127.0.0.1:9"), ONCE)
    assert client.lane.endpoint == "http://127.0.0.1:9"
    with pytest.raises(PlatformError) as caught:
        client.timeline(ARN)
    assert "geheim" not in f"{caught.value} {caught.value.hint} {client.lane}"
    client.close()
