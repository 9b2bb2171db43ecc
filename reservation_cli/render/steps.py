"""Every step of a lane as rows of a table: when it began, how it stands, how long it took, and its attempts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from reservation_cli.domain.timeline import Attempt, Span, Timeline
from reservation_cli.render.words import UNKNOWN, State, duration, ms_between, printable, span_state


@dataclass(frozen=True, slots=True)
class StepRow:
    """A step, a wait or an invocation, or (`is_attempt`) one attempt of the step before; all of it printable.

    `at` is since the lane's t = 0, as on the picture's axis.
    """

    at: str
    name: str
    state: State
    took: str
    remark: str
    is_attempt: bool = False


def step_rows(lane: Timeline) -> Iterator[StepRow]:
    """Every span in the order of its start, with its attempts if there was more to it than one that succeeded."""
    for span in sorted(lane.spans, key=lambda span: _began(span) or lane.as_of):
        took = _ms(*span.body) if span.body else _ms(span.start, span.end)
        yield StepRow(
            at=_at(lane, _began(span)),
            name=printable(span.name),
            state=span_state(span.status),
            took=UNKNOWN if took is None else duration(took),
            remark=_remark(lane, span),
        )
        if len(span.attempts) > 1 or any(attempt.error for attempt in span.attempts):
            for number, attempt in enumerate(span.attempts, 1):
                yield _attempt(lane, number, attempt)


def _attempt(lane: Timeline, number: int, attempt: Attempt) -> StepRow:
    took = _ms(attempt.start, attempt.end)
    return StepRow(
        at=_at(lane, attempt.start),
        name=f"attempt {number}",
        state=span_state(attempt.status),
        took=UNKNOWN if took is None else duration(took),
        remark=printable(attempt.error or ""),
        is_attempt=True,
    )


def _remark(lane: Timeline, span: Span) -> str:
    if span.kind == "step":
        whole = _ms(span.start, span.end)
        told = f"{duration(whole)} by the engine's clock" if span.body and whole else ""
        no_attempts = span.error if span.error and not any(attempt.error for attempt in span.attempts) else ""
        return "; ".join(part for part in (told, printable(no_attempts)) if part)
    if span.scheduled_end is None or span.kind == "invocation":
        return printable(span.error or "")
    due = f"due at {_at(lane, span.scheduled_end)}"
    late = _ms(span.scheduled_end, span.end)
    return due if late is None or late < 0 else f"{due}, {late:+.1f} ms"


def _began(span: Span) -> datetime | None:
    moments = [span.start, span.began, *(attempt.start for attempt in span.attempts)]
    return min((moment for moment in moments if moment), default=None)


def _at(lane: Timeline, moment: datetime | None) -> str:
    if moment is None or lane.origin is None:
        return UNKNOWN
    return duration(ms_between(lane.origin, moment))


def _ms(start: datetime | None, end: datetime | None) -> float | None:
    return ms_between(start, end) if start and end else None
