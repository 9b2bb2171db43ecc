"""A durable execution's history, as GetDurableExecutionHistory tells it, as a Timeline.

Events are paired by `Id`; shapes are botocore's model of Lambda 2015-03-31. StepStarted and StepSucceeded often share
a timestamp (one checkpoint carries both), so a step's true duration is that of the clock read inside its body.

A pause is in the history once it holds (ExecutionPaused, ExecutionResumed); that one is asked for (PAUSING) is told
by GetDurableExecution only, which a poll does without: until the next checkpoint the execution does run. What the
cloud has cut off (`Truncated`), and kinds of event that are not known here, are unknown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from reservation_cli.domain.reservation import ReservationRequest, parse_time
from reservation_cli.domain.timeline import Attempt, ExecutionStatus, Span, SpanStatus, Timeline, scheduled_end
from reservation_cli.platforms.payloads import (
    Lane,
    clock_of,
    decoded,
    error_text,
    newest_reservation,
    request_from_input,
    reservation_id,
)

_ENDINGS: dict[str, ExecutionStatus] = {
    "ExecutionSucceeded": "succeeded",
    "ExecutionFailed": "failed",
    "ExecutionTimedOut": "timed_out",
    "ExecutionStopped": "stopped",
}
_GOING_ON = frozenset({"ExecutionStarted", "ExecutionResumed"})
_ENDS: dict[str, SpanStatus] = {
    "Started": "running",
    "Succeeded": "succeeded",
    "Failed": "failed",
    "TimedOut": "timed_out",
    "Cancelled": "cancelled",
}
_LONGEST_SECONDS = 366 * 86_400

Event = Mapping[str, object]


def timeline_from_history(arn: str, name: str, events: Iterable[Event], lane: Lane) -> Timeline:
    """`events` oldest first, with execution data; `name` is the execution's name."""
    ordered = [event for event in events if isinstance(event, Mapping)]
    first: Event = next((event for event in ordered if _kind(event) == "ExecutionStarted"), {})
    last = next((event for event in reversed(ordered) if _kind(event) in _ENDINGS), None)
    given = decoded(_payload(first, "Input"))
    request = request_from_input(name, given)
    spans = _spans(ordered, request)
    # The payload of a callback comes from outside: what it says of a reservation counts for nothing.
    told = [event for event in reversed(ordered) if _kind(event) in ("StepSucceeded", "ExecutionSucceeded")]
    reservation = newest_reservation(
        reservation_id(name, given), [decoded(_payload(event, "Result")) for event in told]
    )
    error = _error(last) if last else None
    return Timeline(
        platform="aws",
        target=lane.target,
        ref=arn,
        reservation_id=name,
        endpoint=lane.endpoint,
        engine=lane.engine,
        label=lane.label,
        stage=lane.stage,
        status=_ENDINGS[_kind(last)] if last else _unended(ordered, spans),
        as_of=datetime.now(UTC),
        request=request,
        reservation=reservation,
        outcome=reservation.outcome if reservation else None,
        started=parse_time(first.get("EventTimestamp")),
        ended=parse_time(last.get("EventTimestamp")) if last else None,
        spans=spans,
        error=error,
        invocations=sum(span.kind == "invocation" for span in spans),
        notes=_notes([error, *(span.error for span in spans)]),
    )


def request_ids(events: Iterable[Event]) -> tuple[str, ...]:
    """The RequestIds of the invocations that have ended, by which Lambda marks their lines in the logs."""
    found = (_details(event, "InvocationCompletedDetails").get("RequestId") for event in events)
    return tuple(found for found in found if isinstance(found, str))


def _notes(errors: Iterable[str | None]) -> tuple[str, ...]:
    """What is known of the errors: cause and fix, each once."""
    told = [error for error in errors if error]
    if not told:
        return ()
    from reservation_cli.platforms.aws_errors import explain  # deferred: 1 ms, and errors are few

    known = [trouble for error in told if (trouble := explain(error))]
    return tuple(dict.fromkeys(f"{trouble.cause} {trouble.fix}" for trouble in known))


def _unended(events: Sequence[Event], spans: tuple[Span, ...]) -> ExecutionStatus:
    if not events:
        return "queued"
    about = [kind for event in events if (kind := _kind(event)).startswith("Execution")]
    if about and about[-1] == "ExecutionPaused":
        return "paused"
    goes_on = about[-1] in _GOING_ON if about else bool(spans)
    return _running(spans) if goes_on else "unknown"


def _running(spans: tuple[Span, ...]) -> ExecutionStatus:
    open_spans = [span for span in spans if span.status == "running"]
    stepping = any(span.kind == "step" for span in open_spans)
    # `await-confirmation` is created before create-hold runs: only a hold that exists is being waited out.
    held = any(span.kind == "step" and span.status == "succeeded" for span in spans)
    return "waiting" if open_spans and held and not stepping else "running"


def _spans(events: Sequence[Event], request: ReservationRequest | None) -> tuple[Span, ...]:
    groups: dict[str, list[Event]] = {}
    spans: list[Span] = []
    for event in events:
        kind = _kind(event)
        if kind == "InvocationCompleted":
            spans.append(_invocation(event))
        elif kind.startswith(("Step", "Wait", "Callback")):
            groups.setdefault(str(event.get("Id") or event.get("Name")), []).append(event)
    for group in groups.values():
        spans.append(_step(group) if _kind(group[0]).startswith("Step") else _wait(group, request))
    return tuple(sorted(spans, key=_order))


def _order(span: Span) -> datetime:
    return span.began or span.start or span.end or datetime.max.replace(tzinfo=UTC)


def _step(group: Sequence[Event]) -> Span:
    attempts: list[Attempt] = []
    opened: datetime | None = None
    status: SpanStatus = "running"
    began = ended = end = None
    for event in group:
        kind, at = _kind(event), parse_time(event.get("EventTimestamp"))
        if kind == "StepStarted":
            status, opened = "running", at
        elif kind == "StepSucceeded":
            began, ended = clock_of(decoded(_payload(event, "Result")))
            attempts.append(Attempt(began or opened, ended or at, "succeeded"))
            status, end, opened = "succeeded", at, None
        elif kind == "StepFailed":
            attempts.append(Attempt(opened, at, "failed", _error(event)))
            final = not _details(event, "StepFailedDetails", "RetryDetails").get("NextAttemptDelaySeconds")
            status, end, opened = ("failed", at, None) if final else ("running", None, None)
        else:
            status, opened = "unknown", None
    if opened is not None:
        attempts.append(Attempt(opened, None, "running"))
    return Span(
        kind="step",
        name=_name(group),
        start=_opening(group),
        end=end,
        status=status,
        attempts=tuple(attempts),
        error=attempts[-1].error if attempts and status == "failed" else None,
        began=began,
        ended=ended,
    )


def _wait(group: Sequence[Event], request: ReservationRequest | None) -> Span:
    first, last, start = group[0], group[-1], _opening(group)
    prefix = "Wait" if _kind(first).startswith("Wait") else "Callback"
    status = _ENDS.get(_kind(last).removeprefix(prefix), "unknown")
    return Span(
        kind="wait" if prefix == "Wait" else "event",
        name=_name(group),
        start=start,
        end=parse_time(last.get("EventTimestamp")) if status not in ("running", "unknown") else None,
        status=status,
        scheduled_end=_due(first, start, request),
        error=_error(last) if status == "failed" else None,
    )


def _opening(group: Sequence[Event]) -> datetime | None:
    """When it began; None when that event is missing: no other moment stands in for it."""
    started = next((event for event in group if _kind(event).endswith("Started")), None)
    return parse_time(started.get("EventTimestamp")) if started else None


def _due(started: Event, start: datetime | None, request: ReservationRequest | None) -> datetime | None:
    wait = _details(started, "WaitStartedDetails")
    if scheduled := parse_time(wait.get("ScheduledEndTimestamp")):
        return scheduled
    timeout = _details(started, "CallbackStartedDetails").get("Timeout") or wait.get("Duration")
    if start and isinstance(timeout, int) and 0 < timeout <= _LONGEST_SECONDS:
        return scheduled_end(start, timeout)
    return scheduled_end(start, request.hold_seconds if request else None)


def _invocation(event: Event) -> Span:
    details = _details(event, "InvocationCompletedDetails")
    return Span(
        kind="invocation",
        name="invocation",
        start=parse_time(details.get("StartTimestamp")),
        end=parse_time(details.get("EndTimestamp")) or parse_time(event.get("EventTimestamp")),
        status="failed" if _details(details, "Error") else "succeeded",
        error=_error(event),
    )


def _kind(event: Event) -> str:
    kind = event.get("EventType")
    return kind if isinstance(kind, str) else ""


def _name(group: Sequence[Event]) -> str:
    name = group[0].get("Name")
    return name if isinstance(name, str) and name else "unnamed"


def _details(event: Event, *path: str) -> Mapping[str, object]:
    found: object = event
    for key in path:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _payload(event: Event, member: str) -> object:
    """The `Payload` of an event's Input or Result; None when it has been cut off: half of it is no value."""
    given = _details(event, f"{_kind(event)}Details", member)
    return None if given.get("Truncated") else given.get("Payload")


def _error(event: Event) -> str | None:
    """The text of an event's Error, as far as it is told."""
    given = _details(event, f"{_kind(event)}Details", "Error")
    text = error_text(given.get("Payload"))
    if given.get("Truncated"):
        return f"{text} …" if text else "The error's text has been left out."
    return text
