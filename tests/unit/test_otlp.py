"""Spans on an OTLP endpoint: a real HTTP server takes what the official exporter sends, and decodes it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
from google.protobuf.json_format import MessageToDict  # type: ignore[import-untyped]
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from reservation_cli import exports
from reservation_cli.domain.run import Run
from reservation_cli.errors import NotConfiguredError, PlatformError, UsageError
from support import benches, timelines
from support.exports import every, invoked, odd, of
from support.http_server import CUT, SILENCE, Answers, serving
from support.timelines import T0

#: The exporter asks again for as long as it is given.
IMPATIENT = {"OTEL_EXPORTER_OTLP_TIMEOUT": "0.2"}
PROTOBUF = "application/x-protobuf"


@dataclass(frozen=True)
class Seen:
    """A span as the endpoint got it: times in ms since T0, everything else by name."""

    name: str
    parent: str | None
    trace: str
    start: float
    end: float
    status: str
    told: dict[str, object]
    events: dict[str, float]
    resource: dict[str, object]


@pytest.fixture
def collector() -> Iterator[Answers]:
    with serving() as answers:
        answers.give("POST", "/v1/traces", b"", content_type=PROTOBUF)
        yield answers


def sent(collector: Answers, run: Run, **environ: str) -> list[Seen]:
    """Send the run and decode what has come."""
    exports.write(run, [collector.url], environ)
    (request,) = collector.seen
    return decoded(request[2])


def decoded(body: bytes) -> list[Seen]:
    found = []
    for resource_spans in ExportTraceServiceRequest.FromString(body).resource_spans:
        resource = _values(MessageToDict(resource_spans.resource).get("attributes", []))
        spans = [span for scope in resource_spans.scope_spans for span in scope.spans]
        names = {span.span_id: span.name for span in spans}
        for span in spans:
            found.append(
                Seen(
                    name=span.name,
                    parent=names.get(span.parent_span_id),
                    trace=span.trace_id.hex(),
                    start=_ms(span.start_time_unix_nano),
                    end=_ms(span.end_time_unix_nano),
                    status={0: "unset", 1: "ok", 2: "error"}[span.status.code],
                    told=_values(MessageToDict(span).get("attributes", [])),
                    events={event.name: _ms(event.time_unix_nano) for event in span.events},
                    resource=resource,
                )
            )
    return found


def _values(attributes: list[dict[str, dict[str, object]]]) -> dict[str, object]:
    return {str(attribute["key"]): next(iter(attribute["value"].values())) for attribute in attributes}


def _ms(nanoseconds: int) -> float:
    return (nanoseconds - int(T0.timestamp()) * 10**9) / 1e6


def test_a_trace_for_each_lane_at_the_platforms_own_times(collector: Answers) -> None:
    spans = sent(collector, benches.compared())
    assert len({span.trace for span in spans}) == 2
    cloudflare = [span for span in spans if span.resource["resv.platform"] == "cloudflare"]
    assert sorted((span.name, span.parent, span.start, span.end, span.status) for span in cloudflare) == [
        ("create-hold", "reservation", 12, 29, "ok"),
        ("create-hold attempt 1", "create-hold", 14, 27, "ok"),
        ("finalize", "reservation", 900_035, 900_050, "ok"),
        ("finalize attempt 1", "finalize", 900_036, 900_048, "ok"),
        ("hold-window", "reservation", 30, 900_034, "ok"),
        ("reservation", None, 4, 900_052, "ok"),
    ]
    root = next(span for span in cloudflare if span.parent is None)
    assert root.events == {"request sent": 0, "accepted": 35, "due": 900_030, "decided": 900_041}
    assert root.told["resv.outcome"] == "expired"
    assert root.told["resv.timer_error_ms"] == 6.0
    assert root.told["resv.hold_seconds"] == "900"
    assert root.resource["service.name"] == "resv"
    assert root.resource["telemetry.sdk.language"] == "python"
    assert root.resource["resv.run.id"] == benches.compared().id


def test_only_a_lane_in_a_cloud_is_said_to_be_in_one(collector: Answers) -> None:
    spans = sent(collector, of(timelines.cloudflare_expired(), invoked()))
    local, cloud = ({span.resource["resv.target"]: span for span in spans}[target] for target in ("local", "cloud"))
    assert not [name for name in local.resource if name.startswith(("cloud.", "faas."))]
    assert {name: value for name, value in cloud.resource.items() if name.startswith(("cloud.", "faas.", "depl"))} == {
        "cloud.provider": "aws",
        "cloud.platform": "aws_lambda",
        "cloud.region": "us-east-2",
        "cloud.account.id": "000000000000",
        "cloud.resource_id": "arn:aws:lambda:us-east-2:000000000000:function:reservation-workflow-dev:1",
        "faas.name": "reservation-workflow-dev",
        "faas.version": "1",
        "deployment.environment.name": "prod",
    }
    assert [(span.start, span.end) for span in spans if span.name == "invocation"] == [(400, 490), (901_300, 901_440)]


def test_failures_are_errors_with_their_text(collector: Answers) -> None:
    spans = sent(collector, of(timelines.failed()[0]))
    assert {span.status for span in spans} == {"error"}
    last = next(span for span in spans if span.name == "create-hold attempt 6")
    assert last.events == {"exception": 31_059}


def test_a_retried_step_is_right_in_the_end(collector: Answers) -> None:
    status = {span.name: span.status for span in sent(collector, of(timelines.retried()[0]))}
    assert status["create-hold attempt 1"] == "error"
    assert status["create-hold attempt 2"] == "ok"
    assert status["create-hold"] == "ok"


def test_what_goes_on_ends_at_the_last_look_and_says_so(collector: Answers) -> None:
    spans = {span.name: span for span in sent(collector, of(timelines.mid_hold()[0]))}
    assert spans["hold-window"].end == 47_600
    assert spans["hold-window"].told["resv.still_going_on"] is True
    assert (spans["hold-window"].status, spans["reservation"].status) == ("unset", "unset")


def test_every_lane_can_be_sent(collector: Answers) -> None:
    spans = sent(collector, of(*every()))
    assert len({span.trace for span in spans}) == len(every()) - 1, "all but the absent one"
    assert all(span.start <= span.end for span in spans)


def test_a_run_that_is_sent_twice_is_the_same_trace(collector: Answers) -> None:
    exports.write(benches.compared(), [collector.url])
    exports.write(benches.compared(), [collector.url])
    first, second = (body for _, _, body in collector.seen)
    assert decoded(first) == decoded(second)
    other = of(timelines.cloudflare_expired(), replace(timelines.aws_expired(), ref="other"))
    exports.write(other, [collector.url])
    assert len({span.trace for span in decoded(first) + decoded(collector.seen[2][2])}) == 3


def test_of_a_benchmark_the_lanes_that_it_keeps(collector: Answers) -> None:
    spans = sent(collector, benches.run())
    assert {span.resource["resv.run.kind"] for span in spans} == {"bench"}
    assert len({span.trace for span in spans}) == 2


def test_headers_and_compression_come_from_the_environment(collector: Answers) -> None:
    exports.write(
        benches.compared(),
        [collector.url],
        {"OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20abc", "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip"},
    )
    assert collector.authorizations == ["Bearer abc"]
    assert collector.seen[0][2].startswith(b"\x1f\x8b")


def test_what_is_written_is_told_without_keys(collector: Answers) -> None:
    collector.give("POST", "/otlp/v1/traces", b"", content_type=PROTOBUF)
    host = collector.url.removeprefix("http://")
    written = exports.write(of(odd()), [f"http://user:secret@{host}/otlp/?key=secret#secret"])
    assert written == [f"6 spans to http://{host}/otlp/v1/traces"]
    assert collector.seen[0][1] == "/otlp/v1/traces?key=secret"


def refusal(collector: Answers, **environ: str) -> PlatformError:
    with pytest.raises(PlatformError) as caught:
        exports.write(benches.compared(), [collector.url], {**IMPATIENT, **environ})
    return caught.value


@pytest.mark.parametrize(
    ("status", "body", "kind", "told", "hint"),
    [
        (
            401,
            Status(message="no such key.").SerializeToString(),
            PROTOBUF,
            "HTTP 401 Unauthorized: no such key",
            "HEADERS",
        ),
        (404, b"<h1>?</h1>", "text/html", "HTTP 404 Not Found", "/v1/traces beneath it"),
        (400, b"not for us", "text/plain", "HTTP 400 Bad Request: not for us", "Is a collector listening"),
        (503, b"", "text/plain", "HTTP 503 Service Unavailable", "Is a collector listening"),
        (302, b"", "text/plain", "HTTP 302 Found", "Is a collector listening"),
        (200, b"\xff\xff", PROTOBUF, "HTTP 200 with an answer that is not OTLP's", "Is a collector listening"),
    ],
)
def test_what_the_endpoint_says_against_them_is_told(
    collector: Answers, status: int, body: bytes, kind: str, told: str, hint: str
) -> None:
    collector.give("POST", "/v1/traces", body, status, content_type=kind)
    error = refusal(collector)
    assert error.message == f"{collector.url}/v1/traces did not take the spans: {told}."
    assert hint in str(error.hint)


def test_spans_that_were_rejected_are_counted(collector: Answers) -> None:
    partial = ExportTracePartialSuccess(rejected_spans=3, error_message="too old.")
    body = ExportTraceServiceResponse(partial_success=partial).SerializeToString()
    collector.give("POST", "/v1/traces", body, content_type=PROTOBUF)
    assert refusal(collector).message.endswith(": 3 of 12 were rejected: too old.")


def test_an_answer_that_does_not_come(collector: Answers) -> None:
    collector.first("POST", "/v1/traces", *[SILENCE] * 9)
    assert refusal(collector).message.endswith(": no answer within 0.2 s.")


def test_a_connection_that_is_cut(collector: Answers) -> None:
    collector.first("POST", "/v1/traces", *[CUT] * 9)
    assert refusal(collector).message.endswith(": the connection was cut.")


def test_an_endpoint_that_does_not_listen(capfd: pytest.CaptureFixture[str]) -> None:
    with serving() as gone:
        url = gone.url
    with pytest.raises(PlatformError, match="did not take the spans: Connection refused") as caught:
        exports.write(benches.compared(), [url], IMPATIENT)
    assert caught.value.exit_code == 5
    assert capfd.readouterr() == ("", ""), "what the SDK logs is told once, by us"


def test_grpcs_port_is_told() -> None:
    with pytest.raises(PlatformError) as caught:
        exports.write(benches.compared(), ["http://127.0.0.2:4317"], IMPATIENT)
    assert caught.value.hint == "4317 is gRPC's port as a rule; OTLP over HTTP listens on 4318."


@pytest.mark.parametrize("value", ["soon", "0", "-1", "inf"])
def test_a_timeout_that_is_none(collector: Answers, value: str) -> None:
    with pytest.raises(NotConfiguredError, match="OTEL_EXPORTER_OTLP_TIMEOUT is no number of seconds"):
        exports.write(benches.compared(), [collector.url], {"OTEL_EXPORTER_OTLP_TIMEOUT": value})


def test_nothing_that_could_be_sent(collector: Answers) -> None:
    with pytest.raises(UsageError, match="has no spans to send"):
        exports.write(of(timelines.absent("aws")), [collector.url])
    with pytest.raises(NotConfiguredError, match="OTEL_SDK_DISABLED is set"):
        exports.write(benches.compared(), [collector.url], {"OTEL_SDK_DISABLED": "true"})


def test_a_proxy_of_the_environment_is_used_and_spared(collector: Answers) -> None:
    collector.give("POST", "*", b"", content_type=PROTOBUF)
    exports.write(benches.compared(), ["http://collector.example"], {"HTTP_PROXY": collector.url})
    assert collector.seen[0][1] == "http://collector.example/v1/traces"
    exports.write(benches.compared(), [collector.url], {"http_proxy": "http://127.0.0.1:9", "NO_PROXY": "127.0.0.1"})
    assert collector.seen[1][1] == "/v1/traces"
