"""The spans of a run, made with OpenTelemetry's SDK.

One trace a lane: the execution is its root; steps (with their attempts), waits and invocations are its children, at the
platform's own times. Ids are made from the run and the lane: a run that is sent twice is one trace, and not two.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.sdk.version import __version__ as sdk_version
from opentelemetry.trace import Status, StatusCode, Tracer, set_span_in_context

from reservation_cli import __version__
from reservation_cli.domain.arn import parse_arn
from reservation_cli.domain.reservation import format_time
from reservation_cli.domain.run import Run
from reservation_cli.domain.timeline import Timeline
from reservation_cli.errors import UsageError
from reservation_cli.render.bars import Bar, execution, moments

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def spans_of(run: Run) -> Iterator[ReadableSpan]:
    """The spans of all lanes that have started; a span comes after those within it."""
    for number, lane in enumerate(run.lanes):
        root = execution(lane)
        if root is None:
            continue
        kept = InMemorySpanExporter()
        # What the environment says of sampling and resources is meant for programs that run, not for this record.
        provider = TracerProvider(
            sampler=ALWAYS_ON,
            resource=Resource(_resource(run, lane)),
            shutdown_on_exit=False,
            id_generator=_Ids(f"{run.id}/{number}/{lane.platform}/{lane.ref}"),
        )
        provider.add_span_processor(SimpleSpanProcessor(kept))
        _record(provider.get_tracer("resv", __version__), root, lane, Context())
        provider.shutdown()
        yield from kept.get_finished_spans()


class _Ids(IdGenerator):
    """Ids that are the same whenever the same run is sent."""

    def __init__(self, seed: str) -> None:
        self._seed = seed
        self._made = 0

    def generate_trace_id(self) -> int:
        return self._id("trace", 16)

    def generate_span_id(self) -> int:
        self._made += 1
        return self._id(f"span {self._made}", 8)

    def _id(self, of: str, size: int) -> int:
        # No id is 0.
        return int.from_bytes(hashlib.sha256(f"{self._seed}/{of}".encode(errors="replace")).digest()[:size]) or 1


def _record(tracer: Tracer, bar: Bar, lane: Timeline, within: Context) -> None:
    attributes = {f"resv.{name}": value for name, value in bar.details.items()}
    attributes |= {"resv.kind": bar.kind, "resv.status": bar.status}
    if bar.is_open:
        attributes["resv.still_going_on"] = True
    span = tracer.start_span(bar.name, within, attributes=attributes, start_time=_ns(bar.start))
    if bar.kind == "execution":
        for moment in moments(lane):
            span.add_event(moment.kind, {"resv.outcome": moment.word} if moment.word else {}, _ns(moment.at))
    if bar.error:
        # Semantic conventions, "Exceptions"; the engines tell no type apart from the text.
        span.add_event("exception", {"exception.message": bar.error}, _ns(bar.end))
    if bar.is_failed:
        span.set_status(Status(StatusCode.ERROR, bar.error or bar.status))
    elif bar.status == "succeeded":
        span.set_status(Status(StatusCode.OK))
    for child in bar.children:
        _record(tracer, child, lane, set_span_in_context(span, within))
    span.end(_ns(bar.end))


def _resource(run: Run, lane: Timeline) -> dict[str, str]:
    """Who tells it, and of which lane. A local lane runs in no cloud, and says so."""
    told = {
        "service.name": "resv",
        "service.version": __version__,
        "telemetry.sdk.language": "python",
        "telemetry.sdk.name": "opentelemetry",
        "telemetry.sdk.version": sdk_version,
        "resv.run.id": run.id,
        "resv.run.kind": run.kind,
        "resv.run.recorded_at": format_time(run.recorded_at) or "",
        "resv.platform": lane.platform,
        "resv.target": lane.target,
        "deployment.environment.name": lane.stage or "",
    }
    if lane.target == "cloud":
        told["cloud.provider"] = lane.platform
        if lane.platform == "aws":
            told |= _lambda(lane.ref)
    return {name: value for name, value in told.items() if value}


def _lambda(ref: str) -> dict[str, str]:
    """The function that ran, by the semantic conventions for AWS Lambda."""
    with suppress(UsageError):
        arn = parse_arn(ref)
        return {
            "cloud.platform": "aws_lambda",
            "cloud.region": arn.region,
            "cloud.account.id": arn.account,
            "cloud.resource_id": ref.partition("/durable-execution/")[0],
            "faas.name": arn.function,
            "faas.version": arn.version,
        }
    return {}


def _ns(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1000
