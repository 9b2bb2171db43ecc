"""A Workflows instance, as Cloudflare's REST API describes it, as a Timeline.

Shape: `GET /accounts/{account}/workflows/{workflow}/instances/{id}`; the local explorer API answers alike. What is
missing or of an unknown kind becomes None or `unknown`, never a guess.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime

from reservation_cli.domain.reservation import Reservation, parse_time
from reservation_cli.domain.timeline import (
    Attempt,
    ExecutionStatus,
    Span,
    SpanKind,
    SpanStatus,
    Timeline,
    scheduled_end,
)
from reservation_cli.platforms.payloads import (
    Lane,
    as_list,
    clock_of,
    decoded,
    error_text,
    newest_reservation,
    request_from_input,
    reservation_id,
)

_STATUS: dict[str, ExecutionStatus] = {
    "queued": "queued",
    "running": "running",
    "waiting": "waiting",
    "paused": "paused",
    "waitingForPause": "paused",
    "rollingBack": "running",
    "complete": "succeeded",
    "errored": "failed",
    "terminated": "stopped",
}
_KIND: dict[str, SpanKind] = {"step": "step", "sleep": "wait", "waitForEvent": "event"}
_COUNTER = re.compile(r"-\d+$")


def timeline_from_instance(instance_id: str, body: Mapping[str, object], lane: Lane) -> Timeline:
    """`body` is the `result` of the REST answer."""
    given = decoded(body.get("params"))
    request = request_from_input(instance_id, given)
    hold_seconds = request.hold_seconds if request else None
    steps = [step for step in as_list(body.get("steps")) if str(step.get("type")) in _KIND]
    spans = tuple(_span(step, hold_seconds) for step in steps)
    reservation = _reservation(reservation_id(instance_id, given), decoded(body.get("output")), steps)
    return Timeline(
        platform="cloudflare",
        target=lane.target,
        ref=instance_id,
        reservation_id=instance_id,
        endpoint=lane.endpoint,
        engine=lane.engine,
        label=lane.label,
        stage=lane.stage,
        status=_status(body.get("status"), spans),
        as_of=datetime.now(UTC),
        request=request,
        reservation=reservation,
        outcome=reservation.outcome if reservation else None,
        started=parse_time(body.get("start")) or parse_time(body.get("queued")),
        ended=parse_time(body.get("end")),
        spans=spans,
        error=error_text(body.get("error")),
    )


def execution_status(status: object) -> ExecutionStatus:
    """Our word for the status of an instance as Cloudflare writes it."""
    return _STATUS.get(status, "unknown") if isinstance(status, str) else "unknown"


def _status(status: object, spans: tuple[Span, ...]) -> ExecutionStatus:
    known = execution_status(status)
    asleep = bool(spans) and spans[-1].kind in ("wait", "event") and spans[-1].status == "running"
    # Both the cloud and the local engine have been seen to say `running` during sleeps and waits.
    return "waiting" if known == "running" and asleep else known


def _span(step: Mapping[str, object], hold_seconds: int | None) -> Span:
    kind = _KIND[str(step["type"])]
    name = _COUNTER.sub("", str(step.get("name") or "unnamed"))
    start, end = parse_time(step.get("start")), parse_time(step.get("end"))
    error = error_text(step.get("error"))
    if kind == "step":
        attempts = tuple(_attempt(attempt) for attempt in as_list(step.get("attempts")))
        began, ended = clock_of(decoded(step.get("output")))
        failed = attempts[-1].error if attempts and step.get("success") is False else None
        return Span(kind, name, start, end, _step_status(step, attempts), None, attempts, error or failed, began, ended)
    # `end` can be set while a sleep is still going on; only `finished` tells.
    over = step.get("finished") is True
    return Span(
        kind=kind,
        name=name,
        start=start,
        end=end if over else None,
        status=_wait_status(kind, over, step.get("error")),
        scheduled_end=scheduled_end(start, hold_seconds),
        error=None if kind == "event" and over else error,
    )


def _step_status(step: Mapping[str, object], attempts: tuple[Attempt, ...]) -> SpanStatus:
    if step.get("success") is True:
        return "succeeded"
    ended = step.get("end") is not None and step.get("success") is False
    return "failed" if ended and (not attempts or attempts[-1].status == "failed") else "running"


def _wait_status(kind: SpanKind, over: bool, error: object) -> SpanStatus:
    if not over:
        return "running"
    if kind == "event" and error:
        return "timed_out"
    return "failed" if error else "succeeded"


def _attempt(attempt: Mapping[str, object]) -> Attempt:
    success = attempt.get("success")
    status: SpanStatus = "succeeded" if success is True else "failed" if success is False else "running"
    return Attempt(
        start=parse_time(attempt.get("start")),
        end=parse_time(attempt.get("end")),
        status=status,
        error=error_text(attempt.get("error")),
    )


def _reservation(name: str, output: object, steps: list[Mapping[str, object]]) -> Reservation | None:
    outputs = [output, *(decoded(step.get("output")) for step in reversed(steps))]
    return newest_reservation(name, outputs)
