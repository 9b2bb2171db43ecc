"""What two timelines say beside each other: the metrics of a lane, and where lanes differ.

All but `accept_ms` come from service-side clocks, so that the lanes are measured by the same definition.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import pairwise
from typing import Literal

from reservation_cli.domain.cost import cost_usd, operations
from reservation_cli.domain.intervals import merged
from reservation_cli.domain.timeline import Timeline

Unit = Literal["ms", "count", "usd"]

FINALIZE = "finalize"
CREATE_HOLD = "create-hold"


@dataclass(frozen=True, slots=True)
class Metrics:
    """The metrics of one lane; milliseconds are floats, None where the platform does not tell (yet).

    accept_ms            client: request sent -> accepted
    first_step_ms        execution started -> first step body began
    create_hold_ms       time in the body of create-hold
    finalize_ms          time in the body of finalize
    timer_error_ms       finalize body began - (wait began + nominal hold); signed
    engine_lateness_ms   wait ended - due; signed
    resume_ms            finalize body began - wait ended, or the body of create-hold, where a signal came during it
    signal_to_resume_ms  confirmation or cancel accepted by the seat -> finalize body began
    overhead_ms          total - (wait and step bodies, overlaps counted once)
    total_ms             execution started -> ended
    """

    accept_ms: float | None = None
    first_step_ms: float | None = None
    create_hold_ms: float | None = None
    finalize_ms: float | None = None
    timer_error_ms: float | None = None
    engine_lateness_ms: float | None = None
    resume_ms: float | None = None
    signal_to_resume_ms: float | None = None
    overhead_ms: float | None = None
    total_ms: float | None = None
    operations: int | None = None
    invocations: int | None = None
    polls: int | None = None
    cost_usd: float | None = None

    def as_json(self) -> dict[str, float | int | None]:
        """Name -> value, in the order of the class."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: a metric over all lanes, and the difference of the second from the first."""

    metric: str
    label: str
    unit: Unit
    signed: bool
    values: tuple[float | None, ...]

    @property
    def difference(self) -> float | None:
        """Second lane minus first; None unless there are exactly two values."""
        if len(self.values) != 2 or self.values[0] is None or self.values[1] is None:
            return None
        return self.values[1] - self.values[0]


_ROWS: tuple[tuple[str, str, Unit, bool], ...] = (
    ("accept_ms", "accepted", "ms", False),
    ("first_step_ms", "first step", "ms", False),
    ("create_hold_ms", "create-hold body", "ms", False),
    ("finalize_ms", "finalize body", "ms", False),
    ("timer_error_ms", "timer error", "ms", True),
    ("engine_lateness_ms", "· engine lateness", "ms", True),
    ("resume_ms", "· resume", "ms", False),
    ("signal_to_resume_ms", "signal to resume", "ms", False),
    ("overhead_ms", "overhead", "ms", False),
    ("total_ms", "total", "ms", False),
    ("operations", "operations", "count", False),
    ("invocations", "invocations", "count", False),
    ("polls", "polls made", "count", False),
    ("cost_usd", "cost per million", "usd", False),
)

#: What each metric is called, in the order of the table.
LABELS: dict[str, str] = {metric: label for metric, label, _, _ in _ROWS}


def metrics(timeline: Timeline) -> Metrics:
    """Read the metrics off one lane."""
    first, final, hold = timeline.span(CREATE_HOLD), timeline.span(FINALIZE), timeline.hold
    began = final.began if final else None
    decided = timeline.reservation.ended_at if timeline.reservation else None
    woken = hold is not None and hold.kind == "event" and hold.status in ("succeeded", "failed")
    expired = hold is not None and not woken
    waited_until = _wait_end(timeline)
    # Where the engine's timer is not told, its error is not known either.
    due = timeline.due if hold and hold.scheduled_end else None
    if woken and waited_until and first and first.ended:
        # AWS's callback, made before create-hold, can be answered while that still runs: nothing can resume yet.
        waited_until = max(waited_until, first.ended)
    return Metrics(
        accept_ms=timeline.accept_ms,
        first_step_ms=_ms(timeline.started, first.began if first else None),
        create_hold_ms=_ms(*first.body) if first and first.body else None,
        finalize_ms=_ms(*final.body) if final and final.body else None,
        timer_error_ms=_ms(due, began) if expired else None,
        engine_lateness_ms=_ms(due, waited_until) if expired else None,
        resume_ms=_ms(waited_until, began),
        signal_to_resume_ms=_ms(decided, began) if woken else None,
        overhead_ms=_overhead(timeline),
        total_ms=_ms(timeline.started, timeline.ended),
        operations=operations(timeline) if timeline.spans else None,
        invocations=timeline.invocations,
        polls=timeline.polls or None,
        cost_usd=cost_usd(timeline) if timeline.is_over else None,
    )


def rows(lanes: Iterable[Metrics]) -> tuple[Row, ...]:
    """The table of the comparison: the metrics that at least one lane has."""
    by_lane = [lane.as_json() for lane in lanes]
    table = (
        Row(metric, label, unit, signed, tuple(lane[metric] for lane in by_lane))
        for metric, label, unit, signed in _ROWS
    )
    return tuple(row for row in table if any(value is not None for value in row.values))


def like_for_like(timelines: Iterable[Timeline]) -> bool:
    """Whether all lanes ran on the same kind of target with the same hold and strategy."""
    kinds = {
        (
            lane.target,
            lane.request.hold_seconds if lane.request else None,
            lane.request.strategy if lane.request else None,
        )
        for lane in timelines
    }
    return len(kinds) <= 1


def busy_intervals(timeline: Timeline) -> list[tuple[datetime, datetime]]:
    """When the wait or a step body was going on, merged and in order."""
    intervals = [span.body for span in timeline.spans if span.kind == "step" and span.body]
    hold = timeline.hold
    end = _wait_end(timeline)
    if hold and hold.start and end:
        intervals.append((hold.start, end))
    return merged(intervals)


def _wait_end(timeline: Timeline) -> datetime | None:
    """When the wait was over: of an event that did not come, not before the lease, as in Timeline.due."""
    hold, record = timeline.hold, timeline.reservation
    if hold and hold.end and hold.status == "timed_out" and record and record.expires_at:
        return max(hold.end, record.expires_at)
    return hold.end if hold else None


def _overhead(timeline: Timeline) -> float | None:
    if timeline.started is None or timeline.ended is None:
        return None
    edges = [
        timeline.started,
        *(edge for interval in busy_intervals(timeline) for edge in interval),
        timeline.ended,
    ]
    gaps = [later - earlier for earlier, later in pairwise(edges)][::2]
    return round(sum(gap.total_seconds() for gap in gaps) * 1000, 3)


def _ms(start: datetime | None, end: datetime | None) -> float | None:
    if start is None or end is None:
        return None
    return round((end - start).total_seconds() * 1000, 3)
