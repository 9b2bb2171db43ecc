"""What went on in one lane, as nested bars with their times: what traces and spans are written from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from reservation_cli.domain.comparison import metrics
from reservation_cli.domain.reservation import format_time
from reservation_cli.domain.timeline import Attempt, Span, Timeline, later
from reservation_cli.render.words import ms_between, printable

BarKind = Literal["execution", "step", "attempt", "wait", "event", "invocation", "seat"]
MomentKind = Literal["request sent", "accepted", "due", "decided"]
Detail = str | int | float | bool


@dataclass(frozen=True, slots=True)
class Bar:
    """Something that took time. `end` is that of the last look where it still goes on (`is_open`).

    `details` are plain values by name: times as RFC 3339, milliseconds as numbers.
    """

    kind: BarKind
    name: str
    start: datetime
    end: datetime
    status: str
    is_open: bool = False
    error: str | None = None
    details: Mapping[str, Detail] = field(default_factory=dict)
    children: tuple[Bar, ...] = ()

    @property
    def is_failed(self) -> bool:
        """It ended in an error. A wait that timed out did what it was to do."""
        return self.status == "failed" or (self.status == "timed_out" and self.kind not in ("wait", "event"))

    def walk(self) -> Iterator[Bar]:
        """The bar itself, and all within it."""
        yield self
        for child in self.children:
            yield from child.walk()


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that took no time; `word` says what came of it."""

    kind: MomentKind
    at: datetime
    word: str = ""


def execution(lane: Timeline) -> Bar | None:
    """The execution with its steps (and their attempts), waits and invocations; None when nothing of it has a time."""
    over = lane.ended if lane.is_over else lane.as_of
    children = [bar for span in lane.spans if (bar := _bar(span, over))]
    start = lane.started or min((bar.start for bar in children), default=None)
    if start is None:
        return None
    end = max([start, *([over] if over else [bar.end for bar in children])])
    untimed = [printable(span.name) for span in lane.spans if span.start is None and not span.attempts]
    measured = {
        name: value
        for name, value in metrics(lane).as_json().items()
        if value is not None and name not in ("polls", "cost_usd")
    }
    return Bar(
        kind="execution",
        name="reservation",
        start=start,
        end=end,
        status=lane.status,
        is_open=not lane.is_over,
        error=lane.error,
        details={**_facts(lane), **({"without_times": ", ".join(untimed)} if untimed else {}), **measured},
        children=tuple(sorted(children, key=lambda bar: (bar.start, bar.end))),
    )


def held(lane: Timeline) -> Bar | None:
    """The seat's hold as its record has it; None when there was none."""
    record = lane.reservation
    if record is None or record.created_at is None or record.status == "rejected":
        return None
    end = record.ended_at or (lane.ended if lane.is_over and lane.ended else lane.as_of)
    return Bar(
        kind="seat",
        name=f"seat {printable(record.seat)} held",
        start=record.created_at,
        end=max(record.created_at, end),
        status=record.status,
        is_open=record.ended_at is None,
        details=_told(seat=record.seat, user=record.user, expires_at=format_time(record.expires_at)),
    )


def moments(lane: Timeline) -> tuple[Moment, ...]:
    """When the request was sent and accepted, when the hold was due, when the seat decided; as far as it is known."""
    found = []
    if lane.requested_at is not None and lane.implausible_delay is None:
        found.append(Moment("request sent", lane.requested_at))
        accepted = None if lane.accept_ms is None else later(lane.requested_at, timedelta(milliseconds=lane.accept_ms))
        if accepted is not None:
            found.append(Moment("accepted", accepted))
    if lane.due is not None and _fell_due(lane):
        found.append(Moment("due", lane.due))
    record = lane.reservation
    if record is not None and record.ended_at is not None:
        found.append(Moment("decided", record.ended_at, record.status))
    return tuple(sorted(found, key=lambda moment: moment.at))


def _fell_due(lane: Timeline) -> bool:
    """Whether the hold went on, or still does, until it was due: a confirmation or a stop ends it before."""
    hold = lane.hold
    if hold is None or lane.status == "paused":
        return False
    if hold.end is None:
        return not lane.is_over
    return hold.kind == "wait" or hold.status == "timed_out"


def _bar(span: Span, over: datetime | None) -> Bar | None:
    attempts = [
        bar for number, attempt in enumerate(span.attempts, 1) if (bar := _attempt(span, number, attempt, over))
    ]
    edges = [edge for edge in (span.start, span.end, *(span.body or ())) if edge]
    edges += [edge for bar in attempts for edge in (bar.start, bar.end)]
    if not edges:
        return None
    is_open = span.end is None and span.status == "running"
    # A wait without an end lasted, or lasts, as long as its execution; a step that ended has told so by its body.
    if over is not None and (is_open or (span.end is None and span.kind != "step")):
        edges.append(over)
    return Bar(
        kind=span.kind,
        name=printable(span.name) or "unnamed",
        start=min(edges),
        end=max(edges),
        status=span.status,
        is_open=is_open,
        error=span.error,
        details=_details(span),
        children=tuple(attempts) if span.kind == "step" else (),
    )


def _attempt(span: Span, number: int, attempt: Attempt, over: datetime | None) -> Bar | None:
    if attempt.start is None:
        return None
    is_open = attempt.end is None and attempt.status == "running"
    end = attempt.end or (over if is_open and over else attempt.start)
    return Bar(
        kind="attempt",
        name=f"{printable(span.name)} attempt {number}",
        start=attempt.start,
        end=max(attempt.start, end),
        status=attempt.status,
        is_open=is_open,
        error=attempt.error,
        details={"attempt": number},
    )


def _details(span: Span) -> dict[str, Detail]:
    if span.kind == "step":
        return _told(
            attempts=len(span.attempts),
            engine_start=format_time(span.start),
            engine_end=format_time(span.end),
            body_ms=ms_between(*span.body) if span.body else None,
        )
    lateness = ms_between(span.scheduled_end, span.end) if span.scheduled_end and span.end else None
    return _told(
        due=format_time(span.scheduled_end),
        lateness_ms=lateness if lateness is not None and span.kind == "wait" else None,
    )


def _facts(lane: Timeline) -> dict[str, Detail]:
    asked = lane.request or lane.reservation
    return _told(
        platform=lane.platform,
        target=lane.target,
        stage=lane.stage,
        label=lane.label,
        ref=lane.ref,
        reservation_id=lane.reservation_id,
        endpoint=lane.endpoint,
        engine=lane.engine.name,
        engine_version=lane.engine.version,
        outcome=lane.outcome,
        seat=asked.seat if asked else None,
        user=asked.user if asked else None,
        hold_seconds=asked.hold_seconds if asked else None,
        strategy=asked.strategy if asked else None,
        notes="\n".join(lane.remarks) or None,
    )


def _told(**given: Detail | None) -> dict[str, Detail]:
    return {name: value for name, value in given.items() if value not in (None, "")}
