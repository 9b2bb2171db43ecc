"""Answers that no vendor documents, given over HTTP to the real clients; and what may come of them.

A client may raise an error of ours, or tell less than the answer did. It may not break, and what it tells of an
execution (status, outcome, times) must stand in the answer: that is looked up here in another way than the clients do.
"""

from __future__ import annotations

import io
import json
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from reservation_cli.deploy.cloudflare_api import Account, Credentials
from reservation_cli.doctor import cloudflare as cloudflare_doctor
from reservation_cli.domain.deployment import CloudflareDeployment
from reservation_cli.domain.reservation import Reservation, ReservationRequest, parse_time
from reservation_cli.domain.timeline import Timeline
from reservation_cli.errors import ResvError
from reservation_cli.local.stack import Stack
from reservation_cli.logs import LogLine
from reservation_cli.output import json_text
from reservation_cli.platforms import PlatformClient, cloudflare_logs
from reservation_cli.platforms.aws import AwsClient
from reservation_cli.platforms.aws_logs import CloudLogs
from reservation_cli.platforms.cloudflare import CloudflareClient
from reservation_cli.platforms.cloudflare_http import Retries
from reservation_cli.platforms.pace import Pace
from reservation_cli.render.console import status_view
from reservation_cli.render.json import run_json
from reservation_cli.render.terminal import PlainConsole
from support import aws_cloud, schemas
from support.bad_input import bodies, is_tame, wire
from support.http_server import Answers, serving

_FIXTURES = Path(__file__).parents[1] / "fixtures"
_NAME = "r-1"
_REQUEST = ReservationRequest(_NAME, "A1", "user123", 900)
_ACCOUNT = "0123456789abcdef0123456789abcdef"
_LOCAL_ARN = "arn:aws:lambda:us-east-2:000000000000:function:reservation-workflow-dev:1/durable-execution/r-1/a1b2c3"
_CLOUD_ARN = aws_cloud.ARN.replace("r-cloud-1", _NAME)
_SINCE = datetime(2026, 11, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Answer:
    """To which question, and what is answered: `length` is what Content-Length says beside the truth."""

    question: str
    body: bytes
    status: int = 200
    kind: str = "application/json"
    length: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Vendors:
    """The server, the clients that ask it, and the questions by name: `cloudflare.timeline`, `aws-local.start`, ..."""

    server: Answers
    clients: Mapping[str, PlatformClient]
    questions: dict[str, Callable[[], object]]

    def ask(self, answer: Answer) -> str:
        """Ask, get that answer to every request, and judge what comes of it. Gives what came, in a word."""
        headers = {"content-type": answer.kind, **answer.headers}
        if answer.length:
            headers["content-length"] = str(max(0, len(answer.body) + answer.length))
        given = (answer.status, headers, answer.body)
        self.server.prepared = {("GET", "*"): given, ("POST", "*"): given}
        self.server.seen.clear()
        told: object = None
        refused: ResvError | None = None
        try:
            told = self.questions[answer.question]()
        except ResvError as error:
            refused = error
        assert len(self.server.seen) < 50, "it went on asking"
        if refused is not None:
            # 1 is the exit code of a bug.
            assert refused.exit_code != 1, refused
            assert refused.message.strip(), refused
            return type(refused).__name__
        if not told:
            return "nothing"
        _judge(told, answer)
        return "told"


@contextmanager
def vendors() -> Iterator[Vendors]:
    """A server that is Cloudflare and AWS, local and in the cloud."""
    with serving() as server, tempfile.TemporaryDirectory() as folder:
        patient = Retries(tries=2, sleep=lambda _seconds: None)
        pace = Pace(10**9, 1e9)
        deployment = CloudflareDeployment("dev", _ACCOUNT, server.url, "v1", _SINCE, "bearer-token")
        environ = {"CLOUDFLARE_API_TOKEN": "api-token", "CLOUDFLARE_API_BASE_URL": server.url}
        keys = aws_cloud.keys(server.url)
        clients: dict[str, PlatformClient] = {
            "cloudflare": CloudflareClient.cloud(deployment, environ, retries=patient, pace=pace),
            "worker": CloudflareClient.cloud(deployment, {}, retries=patient, pace=pace),
            "cloudflare-local": CloudflareClient.local(_stack(server.url, folder)),
            "aws": AwsClient.cloud(aws_cloud.DEPLOYMENT, keys, aws_cloud.ONCE, pace),
            "aws-local": AwsClient.local(_stack(server.url, folder)),
        }
        questions = {
            f"{name}.{asked}": call for name, client in clients.items() for asked, call in _questions(name, client)
        }
        account = Account.of(Credentials("api-token", _ACCOUNT, "test"), environ, patient)
        logs = CloudLogs.of(aws_cloud.DEPLOYMENT, keys, aws_cloud.ONCE)
        questions |= {
            "cloudflare.logs": lambda: list(cloudflare_logs.past(deployment, environ, _SINCE, None, 10)),
            "aws.logs": lambda: list(logs.past(10)),
            "cloudflare.accounts": account.accounts,
            "cloudflare.find": partial(account.find, "/workflows/x"),
            "cloudflare.namespace": partial(account.namespace, "x"),
            "cloudflare.secrets": partial(account.secrets, "x"),
            "cloudflare.subdomain": account.subdomain,
            "cloudflare.token": account.token_status,
            "cloudflare.doctor": partial(cloudflare_doctor._problem, server.url, {}),
        }
        yield Vendors(server, clients, questions)
        for client in clients.values():
            client.close()
        account.client.close()
        logs.close()


def _questions(name: str, client: PlatformClient) -> Iterator[tuple[str, Callable[[], object]]]:
    arn = {"aws": _CLOUD_ARN, "aws-local": _LOCAL_ARN}.get(name, _NAME)
    yield "timeline", partial(client.timeline, arn)
    yield "reservation", partial(client.reservation, _NAME)
    yield "confirm", partial(client.confirm, arn)
    yield "start", partial(client.start, _REQUEST)
    if client.lists:
        yield "executions", partial(client.executions, 3)
        yield "statuses", partial(client.statuses, _SINCE)
    if client.platform == "aws":
        yield "by-name", partial(client.timeline, _NAME)


def _stack(url: str, folder: str) -> Stack:
    engines = {"cloudflare": "wrangler 4", "aws": "engine 1", "node": "24"}
    names = ("reservation-workflow-dev", "live", "reservation-seats-dev")
    return Stack(
        1, _SINCE, url, names[0], url, "", "us-east-2", "0" * 12, *names, engines=engines, log_dir=Path(folder)
    )


def answers(names: Sequence[str]) -> st.SearchStrategy[Answer]:
    """A wrong answer to one of the questions, mostly made of a right one."""
    return st.sampled_from(sorted(names)).flatmap(_answers)


@st.composite
def _answers(draw: st.DrawFn, question: str) -> Answer:
    body = draw(bodies(right(question)))
    status = draw(st.sampled_from((200,) * 8 + (201, 204, 301, 400, 403, 404, 409, 410, 429, 500, 502, 503)))
    kind = draw(
        st.sampled_from(("application/json",) * 4 + ("text/html; charset=utf-8", "application/x-amz-json-1.1", "", "x"))
    )
    length = draw(st.sampled_from((0,) * 12 + (-3, 7)))
    odd = draw(st.sampled_from(({},) * 6 + tuple(_ODD_HEADERS)))
    arn = {"x-amz-durable-execution-arn": _CLOUD_ARN} if draw(st.booleans()) else {}
    return Answer(question, body, status, kind, length, {**arn, **odd})


_ODD_HEADERS: tuple[dict[str, str], ...] = (
    {"retry-after": "0"},
    {"retry-after": "9" * 500},
    {"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"},
    {"content-encoding": "gzip"},
    {"location": "//"},
    {"x-amzn-errortype": "ResourceNotFoundException:http://x"},
    {"x-amzn-errortype": ""},
    {"x-amz-function-error": "Unhandled"},
    {"x-amz-durable-execution-arn": "arn:not-one"},
)


def right(question: str) -> list[Any]:
    """Right answers to a question."""
    return _right()[question.partition(".")[2] + (".aws" if question.startswith("aws") else "")]


@cache
def _right() -> Mapping[str, list[Any]]:
    def read(pattern: str) -> list[Any]:
        paths = sorted(_FIXTURES.glob(pattern))
        assert paths, pattern
        # All as of the one reservation that is asked for: another's record is not told.
        return [json.loads(_RECORDED.sub(rf"\g<1>{_NAME}", path.read_text())) for path in paths]

    record = {
        "reservationId": _NAME,
        "seatId": "A1",
        "userId": "user123",
        "holdSeconds": 900,
        "strategy": "sleep",
        "status": "held",
        "createdAt": "2026-11-23T09:00:00.000Z",
        "expiresAt": "2026-11-23T09:15:00.000Z",
    }
    reserved = [{"reservation": record, "statusUrl": "http://x/workflow/r-1"}]
    refused = [
        *read("cloudflare/post-reserve-409-seat-taken.json"),
        {"error": "The hold is over.", "code": "too_late", "reservation": record},
        {"error": "Bad.", "code": "invalid_request", "fields": {"seatId": "must be a string"}},
    ]
    instances = read("cloudflare/*instance-*.json")
    # The Worker tells of an instance without a token.
    told = read("cloudflare/cloud-worker-*.json")
    errors = read("cloudflare/cloud-error-*.json")
    histories = [
        *read("aws/cloud-history-*.json"),
        *({"Events": _on_the_wire(body["history"])} for body in read("aws/[!c]*.json")),
    ]
    listed = read("aws/cloud-list-*.json")
    seat = [{"ok": True, "reservation": record}, {"ok": False, "code": "too_late", "error": "It is over."}]
    aws_error = [{"__type": "ResourceNotFoundException", "Message": "no"}, {"message": "Denied", "Type": "User"}]
    results: list[Any] = [[{"id": _ACCOUNT, "name": "Acme"}], {}]
    envelope = [{"success": True, "errors": [], "result": each} for each in results]
    return {
        "timeline": instances + told,
        "reservation": reserved + refused,
        "confirm": reserved + refused,
        "start": [*reserved, *refused, {"reservationId": _NAME, "statusUrl": ""}],
        "executions": read("cloudflare/*list*.json"),
        "statuses": read("cloudflare/*list*.json"),
        "logs": read("cloudflare/cloud-telemetry.json"),
        **dict.fromkeys(("accounts", "find", "namespace", "secrets", "token"), envelope + errors),
        "subdomain": [{"success": True, "errors": [], "result": {"subdomain": "acme"}}],
        "doctor": [{"service": "reservation-workflow", "endpoints": ["GET /"]}],
        "timeline.aws": histories + aws_error,
        "by-name.aws": histories + listed,
        "reservation.aws": seat + aws_error,
        "confirm.aws": seat + aws_error,
        "start.aws": [*seat, *aws_error],
        "executions.aws": listed + histories,
        "statuses.aws": listed,
        "logs.aws": read("aws/cloud-log-events.json"),
    }


#: The id in a record, which may stand in a text within the document.
_RECORDED = re.compile(r'(reservationId\\?": ?\\?")[^"\\]+')


def _on_the_wire(value: Any) -> Any:
    """A recorded history, whose times were written as text, with epoch seconds as on the wire."""
    if isinstance(value, list):
        return [_on_the_wire(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        name: moment.timestamp()
        if name.endswith("Timestamp") and isinstance(item, str) and (moment := parse_time(item))
        else _on_the_wire(item)
        for name, item in value.items()
    }


def _judge(told: object, answer: Answer) -> None:
    """AssertionError when what was told can't be shown, or does not stand in the answer."""
    if isinstance(told, Timeline):
        _show([told])
        if answer.question.startswith("aws") and answer.question.endswith(".start"):
            assert (told.reservation, told.outcome, told.spans) == (None, None, ())  # it has no body
        else:
            _compare(told, answer)
    elif isinstance(told, Reservation):
        assert told.reservation_id == _NAME, told
        assert told.status in _words(_document(answer)), told
    elif isinstance(told, list | tuple):
        lanes = [item for item in told if isinstance(item, Timeline)]
        if lanes:
            _show(lanes)
            for lane in lanes:
                _compare(lane, answer)
        for line in told:
            if isinstance(line, LogLine):
                assert isinstance(line.text, str)
    elif isinstance(told, Mapping) and answer.question.endswith(".statuses"):
        words = _words(_document(answer))
        for name, status in told.items():
            assert name in words, told
            assert status == "unknown" or words & _SAID[status], told


def _show(lanes: Sequence[Timeline]) -> None:
    document = run_json(lanes)
    text = json_text(document)
    schemas.assert_valid(json.loads(text), "run")
    file = io.StringIO()
    PlainConsole(file=file, width=100, _environ={}).print(status_view(lanes, 100), crop=False)
    assert is_tame(file.getvalue())
    assert is_tame(text)


#: By which words of a vendor a status is told; ours are of documented meaning.
_SAID: Mapping[str, frozenset[str]] = {
    "queued": frozenset({"queued"}),
    "running": frozenset({"running", "rollingBack", "RUNNING", "PAUSING", "ExecutionStarted", "ExecutionResumed"}),
    "waiting": frozenset({"running", "waiting", "ExecutionStarted", "ExecutionResumed"}),
    "paused": frozenset({"paused", "waitingForPause", "PAUSED", "ExecutionPaused"}),
    "succeeded": frozenset({"complete", "SUCCEEDED", "ExecutionSucceeded"}),
    "failed": frozenset({"errored", "FAILED", "ExecutionFailed"}),
    "timed_out": frozenset({"TIMED_OUT", "ExecutionTimedOut"}),
    "stopped": frozenset({"terminated", "STOPPED", "ExecutionStopped"}),
}


def _compare(lane: Timeline, answer: Answer) -> None:
    document = _document(answer)
    words, moments = _words(document), _moments(document)
    is_start = answer.question.endswith(".start")
    if lane.platform == "aws":
        _compare_history(lane, document)
    elif not is_start and lane.status != "unknown":
        assert words & _SAID[lane.status], lane.status
        result = document.get("result") or document.get("instance") if isinstance(document, dict) else None
        if answer.question.endswith(".timeline") and isinstance(result, dict):
            assert str(result.get("status")) in _SAID[lane.status], lane.status
    if lane.outcome is not None:
        assert lane.outcome in words, lane.outcome
        assert lane.reservation is not None
        assert lane.reservation.outcome == lane.outcome
    if lane.reservation is not None:
        assert lane.reservation.reservation_id in {lane.reservation_id, *_asked(document)}, lane.reservation
    for moment in _told_times(lane):
        assert moment in moments, moment


def _compare_history(lane: Timeline, document: Any) -> None:
    """The last word of an execution's history on how it is going is the status that is told."""
    events = document.get("Events") if isinstance(document, dict) else None
    told = [event.get("EventType") for event in events or [] if isinstance(event, dict)]
    kinds = [kind for kind in told if isinstance(kind, str)]
    endings = [kind for kind in kinds if kind in set().union(*(_SAID[end] for end in ("succeeded", *_OTHER_ENDS)))]
    if endings:
        assert endings[-1] in _SAID[lane.status], (endings, lane.status)
    else:
        assert lane.status not in ("succeeded", *_OTHER_ENDS), lane.status


_OTHER_ENDS = ("failed", "timed_out", "stopped")


def _told_times(lane: Timeline) -> Iterator[datetime]:
    for span in lane.spans:
        yield from filter(None, (span.start, span.end, span.began, span.ended))
        for attempt in span.attempts:
            yield from filter(None, (attempt.start, attempt.end))
    yield from filter(None, (lane.started, lane.ended))
    if lane.reservation:
        yield from filter(None, (lane.reservation.created_at, lane.reservation.expires_at, lane.reservation.ended_at))


def _asked(document: Any) -> Iterator[str]:
    """The ids in the inputs of executions: which reservation each is for."""
    if isinstance(document, dict):
        for name, value in document.items():
            if name in ("params", "Payload"):
                try:
                    given = json.loads(value) if isinstance(value, str) else value
                except ValueError:
                    continue
                asked = given.get("reservationId") if isinstance(given, dict) else None
                yield from [asked] if isinstance(asked, str) else []
            else:
                yield from _asked(value)
    elif isinstance(document, list):
        for value in document:
            yield from _asked(value)


def _document(answer: Answer) -> Any:
    """The answer's JSON as far as there is one."""
    length = max(0, len(answer.body) + answer.length)
    return json.loads(answer.body[:length])


def _values(document: Any) -> Iterator[Any]:
    """All keys and simple values, also of JSON that stands in a text."""
    if isinstance(document, dict):
        yield from document
        for value in document.values():
            yield from _values(value)
    elif isinstance(document, list):
        for value in document:
            yield from _values(value)
    else:
        yield document
        if isinstance(document, str) and document[:1] in ("{", "["):
            try:
                inner = json.loads(document)
            except ValueError:
                return
            yield from _values(inner)


def _words(document: Any) -> set[str]:
    return {value for value in _values(document) if isinstance(value, str)}


def _moments(document: Any) -> set[datetime]:
    """Every value that can be read as a time, in whole milliseconds: numbers as seconds, and as milliseconds."""
    found: set[datetime | None] = set()
    for value in _values(document):
        found.add(parse_time(value))
        if isinstance(value, int | float) and not isinstance(value, bool):
            try:
                found.add(parse_time(datetime.fromtimestamp(value, UTC)))
            except (ValueError, OverflowError, OSError):
                continue
        elif isinstance(value, str):
            # botocore reads a number in a text as seconds, too.
            try:
                found.add(parse_time(datetime.fromtimestamp(float(value), UTC)))
            except (ValueError, OverflowError, OSError):
                continue
    moments = {moment for moment in found if moment is not None}
    # Read twice, a fraction of a second may be rounded.
    near = [moment for moment in moments if 1 < moment.year < 9999]
    return moments | {moment + timedelta(milliseconds=ms) for moment in near for ms in (-1, 1)}


__all__ = ["Answer", "Vendors", "answers", "right", "vendors", "wire"]
