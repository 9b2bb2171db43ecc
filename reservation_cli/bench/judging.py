"""From what was collected to samples: how each reservation ended, and whether that is right. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from reservation_cli.bench.collecting import Collected
from reservation_cli.bench.sending import Sent
from reservation_cli.bench.tickets import expected
from reservation_cli.domain.benchmark import Plan, Sample, Verdict
from reservation_cli.domain.comparison import CREATE_HOLD, FINALIZE, metrics
from reservation_cli.domain.intervals import merged
from reservation_cli.domain.reservation import Outcome, Platform, Reservation
from reservation_cli.domain.timeline import Timeline


def judged(plan: Plan, one: Collected, refusal: str | None = None) -> Sample:
    """The sample of a reservation that has ended; `refusal` is what its confirmation was answered."""
    wanted = expected(plan, one.sent.ticket.group)
    verdict, why = _verdict(one, wanted)
    told = [reason for reason in (why, refusal, one.lane.error) if reason]
    return _sample(plan, one.sent, one.lane, verdict, "; ".join(told) or None)


def unended(plan: Plan, sent: Sent, verdict: Verdict, why: str | None = None) -> Sample:
    """The sample of one that has not: lost, unfinished, or refused from the beginning."""
    return _sample(plan, sent, sent.lane, verdict, why or (sent.error.message if sent.error else None))


def exemplars(samples: Sequence[Sample], lanes: dict[str, Timeline]) -> tuple[Timeline, ...]:
    """The lanes worth looking at: of each platform, the median and the worst by timer error, or by signal to resume.

    Of several holds, those of the longest, so that they can be set side by side.
    """
    longest = max((sample.hold_seconds for sample in samples), default=0)
    alike = [sample for sample in samples if sample.hold_seconds == longest and _rank(sample) >= 0]
    shown: list[Timeline] = []
    for platform in dict.fromkeys(sample.platform for sample in samples):
        ranked = sorted((sample for sample in alike if sample.platform == platform), key=_rank)
        ids = dict.fromkeys(sample.reservation_id for sample in (ranked[len(ranked) // 2 :][:1] + ranked[-1:]))
        shown += [lanes[name] for name in ids if name in lanes]
    return tuple(shown)


def double_held(collected: Iterable[Collected]) -> int:
    """How many seats, each on its platform, two reservations have held at once."""
    by_seat: dict[tuple[Platform, str], list[Reservation]] = {}
    for one in collected:
        if one.seat is not None and one.seat.status != "rejected":
            by_seat.setdefault((one.lane.platform, one.seat.seat), []).append(one.seat)
    return sum(_overlap(records) for records in by_seat.values())


def _overlap(records: Sequence[Reservation]) -> bool:
    held = [
        (record.created_at, record.ended_at if record.status != "confirmed" else None)
        for record in records
        if record.created_at is not None
    ]
    closed = [(begun, end) for begun, end in held if end is not None]
    confirmed = [begun for begun, end in held if end is None]
    latest = max((end for _, end in closed), default=None)
    later = [begun for begun in confirmed if latest is not None and begun < latest]
    return len(confirmed) > 1 or bool(later) or len(merged(closed)) < len(closed)


def _verdict(one: Collected, wanted: Outcome) -> tuple[Verdict, str | None]:
    lane = one.lane
    for name in (CREATE_HOLD, FINALIZE):
        bodies = [span for span in lane.spans if span.kind == "step" and span.name == name]
        done = [attempt for span in bodies for attempt in span.attempts if attempt.status == "succeeded"]
        if len(bodies) > 1 or len(done) > 1:
            return "duplicated", f"{name} was done more than once"
    if lane.status != "succeeded":
        return "wrong", f"its execution {lane.status}"
    if lane.outcome != wanted:
        return "wrong", f"it ended {lane.outcome or 'without an outcome'}, not {wanted}"
    if one.seat is None:
        return "wrong", one.error or "its seat knows nothing of it"
    if one.seat.outcome != lane.outcome:
        return "wrong", f"its workflow says {lane.outcome}, its seat {one.seat.status}"
    return "right", None


def _rank(sample: Sample) -> float:
    found = sample.metrics.timer_error_ms
    if found is None:
        found = sample.metrics.signal_to_resume_ms
    return -1.0 if found is None else abs(found)


def _sample(plan: Plan, sent: Sent, lane: Timeline, verdict: Verdict, error: str | None) -> Sample:
    attempts = [span.attempts for span in lane.spans if span.kind == "step"]
    return Sample(
        platform=sent.ticket.platform,
        target=sent.lane.target,
        label=sent.lane.label,
        number=sent.ticket.number,
        reservation_id=sent.lane.reservation_id,
        ref=sent.lane.ref,
        hold_seconds=sent.ticket.group,
        status=lane.status,
        expected=expected(plan, sent.ticket.group),
        outcome=lane.outcome,
        verdict=verdict,
        metrics=metrics(lane),
        sent_at=sent.lane.requested_at,
        retries=sum(max(0, len(tried) - 1) for tried in attempts),
        error=error,
    )
