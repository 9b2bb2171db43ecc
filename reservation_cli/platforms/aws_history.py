"""A durable execution's history, as GetDurableExecutionHistory tells it, as a Timeline.

Events are paired by `Id`; shapes are botocore's model of Lambda 2015-03-31. StepStarted and StepSucceeded often share
a timestamp (one checkpoint carries both), so a step's true duration is that of the clock read inside its body.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

from reservation_cli.domain.reservation import ReservationRequest, parse_time
from reservation_cli.domain.timeline import Attempt, ExecutionStatus, Span, SpanStatus, Timeline, scheduled_end
from reservation_cli.platforms.payloads import (
    Lane,
    clock_of,
    decoded,
    error_text,
    newest_reservation,
    request_from_input,
)

_ENDINGS: dict[str, ExecutionStatus] = {
    "ExecutionSucceeded": "succeeded",
    "ExecutionFailed": "failed",
    "ExecutionTimedOut": "timed_out",
    "ExecutionStopped": "stopped",
}
_ENDS: dict[str, SpanStatus] = {
    "Succeeded": "succeeded",
    "Failed": "failed",
    "TimedOut": "timed_out",
    "Cancelled": "cancelled",
}

Event = Mapping[str, object]


def timeline_from_history(arn: str, name: str, events: Iterable[Event], lane: Lane) -> Timeline:
    """`events` oldest first, with execution data; `name` is the execution's name."""
    ordered = list(events)
    first = next((event for event in ordered if event.get("EventType") == "ExecutionStarted"), {})
    last = next((event for event in reversed(ordered) if event.get("EventType") in _ENDINGS), None)
    request = request_from_input(name, decoded(_payload(first, "ExecutionStartedDetails", "Input")))
    spans = _spans(ordered, request)
    results = [decoded(_payload(event, f"{event.get('EventType')}Details", "Result")) for event in reversed(ordered)]
    reservation = newest_reservation(results)
    return Timeline(
        platform="aws",
        target=lane.target,
        ref=arn,
        reservation_id=name,
        endpoint=lane.endpoint,
        engine=lane.engine,
        label=lane.label,
        stage=lane.stage,
        status=_ENDINGS[str(last["EventType"])] if last else _running(spans),
        as_of=datetime.now(UTC),
        request=request,
        reservation=reservation,
        outcome=reservation.outcome if reservation else None,
        started=parse_time(first.get("EventTimestamp")),
        ended=parse_time(last.get("EventTimestamp")) if last else None,
        spans=spans,
        error=_error(last) if last else None,
        invocations=sum(span.kind == "invocation" for span in spans),
    )


def _running(spans: tuple[Span, ...]) -> ExecutionStatus:
    open_spans = [span for span in spans if span.status == "running"]
    stepping = any(span.kind == "step" for span in open_spans)
    # `await-confirmation` is created before create-hold runs: only a hold that exists is being waited out.
    held = any(span.kind == "step" and span.status == "succeeded" for span in spans)
    return "waiting" if open_spans and held and not stepping else "running"


def _spans(events: list[Event], request: ReservationRequest | None) -> tuple[Span, ...]:
    groups: dict[str, list[Event]] = {}
    spans: list[Span] = []
    for event in events:
        kind = str(event.get("EventType"))
        if kind == "InvocationCompleted":
            spans.append(_invocation(event))
        elif kind.startswith(("Step", "Wait", "Callback")):
            groups.setdefault(str(event.get("Id")), []).append(event)
    for group in groups.values():
        kind = str(group[0].get("EventType"))
        spans.append(_step(group) if kind.startswith("Step") else _wait(group, request))
    return tuple(sorted(spans, key=_order))


def _order(span: Span) -> datetime:
    return span.began or span.start or span.end or datetime.max.replace(tzinfo=UTC)


def _step(group: list[Event]) -> Span:
    attempts: list[Attempt] = []
    opened: datetime | None = None
    status: SpanStatus = "running"
    began = ended = end = None
    for event in group:
        kind, at = str(event.get("EventType")), parse_time(event.get("EventTimestamp"))
        if kind == "StepStarted":
            opened = at
        elif kind == "StepSucceeded":
            began, ended = clock_of(decoded(_payload(event, "StepSucceededDetails", "Result")))
            attempts.append(Attempt(began or opened, ended or at, "succeeded"))
            status, end, opened = "succeeded", at, None
        elif kind == "StepFailed":
            attempts.append(Attempt(opened, at, "failed", _error(event)))
            final = not _details(event, "StepFailedDetails", "RetryDetails").get("NextAttemptDelaySeconds")
            status, end, opened = ("failed", at, None) if final else ("running", None, None)
    if opened is not None:
        attempts.append(Attempt(opened, None, "running"))
    return Span(
        kind="step",
        name=_name(group),
        start=parse_time(group[0].get("EventTimestamp")),
        end=end,
        status=status,
        attempts=tuple(attempts),
        error=attempts[-1].error if attempts and status == "failed" else None,
        began=began,
        ended=ended,
    )


def _wait(group: list[Event], request: ReservationRequest | None) -> Span:
    first, last = group[0], group[-1]
    start = parse_time(first.get("EventTimestamp"))
    prefix = "Wait" if str(first.get("EventType")).startswith("Wait") else "Callback"
    status = _ENDS.get(str(last.get("EventType")).removeprefix(prefix), "running")
    return Span(
        kind="wait" if prefix == "Wait" else "event",
        name=_name(group),
        start=start,
        end=parse_time(last.get("EventTimestamp")) if status != "running" else None,
        status=status,
        scheduled_end=_due(first, start, request),
        error=_error(last) if status == "failed" else None,
    )


def _due(started: Event, start: datetime | None, request: ReservationRequest | None) -> datetime | None:
    wait = _details(started, "WaitStartedDetails")
    if scheduled := parse_time(wait.get("ScheduledEndTimestamp")):
        return scheduled
    timeout = _details(started, "CallbackStartedDetails").get("Timeout") or wait.get("Duration")
    if start and isinstance(timeout, int):
        return start + timedelta(seconds=timeout)
    return scheduled_end(start, request.hold_seconds if request else None)


def _invocation(event: Event) -> Span:
    details = _details(event, "InvocationCompletedDetails")
    error = _error(event)
    return Span(
        kind="invocation",
        name="invocation",
        start=parse_time(details.get("StartTimestamp")),
        end=parse_time(details.get("EndTimestamp")) or parse_time(event.get("EventTimestamp")),
        status="failed" if error else "succeeded",
        error=error,
    )


def _name(group: list[Event]) -> str:
    return str(group[0].get("Name") or "unnamed")


def _details(event: Event, *path: str) -> Mapping[str, object]:
    found: object = event
    for key in path:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _payload(event: Event, *path: str) -> object:
    return _details(event, *path).get("Payload")


def _error(event: Event) -> str | None:
    return error_text(_payload(event, f"{event.get('EventType')}Details", "Error"))
