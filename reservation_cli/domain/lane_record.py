"""Timelines as JSON, the lanes of schema `resv.run/1`, in both directions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeVar

from reservation_cli.domain.comparison import metrics
from reservation_cli.domain.reading import (
    array,
    broken,
    choice,
    each,
    mapping,
    moment,
    needed,
    number,
    optional_choice,
    optional_text,
    text,
    whole,
)
from reservation_cli.domain.reservation import (
    Outcome,
    Platform,
    Reservation,
    ReservationRequest,
    ReservationStatus,
    Strategy,
    Target,
    format_time,
    is_hold,
)
from reservation_cli.domain.timeline import Attempt, Engine, ExecutionStatus, Span, SpanKind, SpanStatus, Timeline

SCHEMA = "resv.run/1"

T = TypeVar("T")


def lanes_as_json(kind: str, lanes: Sequence[Timeline]) -> dict[str, object]:
    """A run that has only lanes, each with its metrics.

    A field of the request is null where no lane tells it, and where the lanes differ in it; each lane has its own.
    """
    return {
        "schema": SCHEMA,
        "kind": kind,
        "request": _shared_request(lanes),
        "lanes": [{**lane_as_json(lane), "metrics": metrics(lane).as_json()} for lane in lanes],
    }


def lane_as_json(timeline: Timeline) -> dict[str, object]:
    """The lane of schema `resv.run/1`, without its metrics."""
    return {
        "platform": timeline.platform,
        "target": timeline.target,
        "stage": timeline.stage,
        "label": timeline.label,
        "ref": timeline.ref,
        "reservation_id": timeline.reservation_id,
        "endpoint": timeline.endpoint,
        "engine": {"name": timeline.engine.name, "version": timeline.engine.version},
        "status": timeline.status,
        "outcome": timeline.outcome,
        "requested_at": format_time(timeline.requested_at),
        "started": format_time(timeline.started),
        "ended": format_time(timeline.ended),
        "as_of": format_time(timeline.as_of),
        "error": timeline.error,
        "notes": list(timeline.remarks),
        "request": _request_as_json(timeline.request),
        "reservation": _reservation_as_json(timeline.reservation),
        "spans": [_span_as_json(span) for span in timeline.spans],
    }


def lane_from_json(told: object, where: str = "lane") -> Timeline:
    """The lane that `lane_as_json` gave, with what its metrics tell beside it."""
    body = mapping(told, where)
    engine = mapping(body.get("engine", {}), f"{where}.engine")
    measures = mapping(body.get("metrics", {}), f"{where}.metrics")
    reservation = _reservation(body.get("reservation"), f"{where}.reservation")
    lane = Timeline(
        platform=choice(needed(body, "platform", where), Platform, f"{where}.platform"),
        target=choice(needed(body, "target", where), Target, f"{where}.target"),
        ref=text(needed(body, "ref", where), f"{where}.ref"),
        reservation_id=text(needed(body, "reservation_id", where), f"{where}.reservation_id"),
        endpoint=text(body.get("endpoint", ""), f"{where}.endpoint"),
        engine=Engine(
            text(engine.get("name", "unknown"), f"{where}.engine.name"), optional_text(engine.get("version"), where)
        ),
        status=choice(needed(body, "status", where), ExecutionStatus, f"{where}.status"),
        as_of=moment(body, "as_of", where) or datetime.fromtimestamp(0, UTC),
        request=_request(body.get("request"), f"{where}.request"),
        reservation=reservation,
        outcome=optional_choice(body.get("outcome"), Outcome, f"{where}.outcome"),
        started=moment(body, "started", where),
        ended=moment(body, "ended", where),
        spans=each(body, "spans", where, _span),
        error=optional_text(body.get("error"), f"{where}.error"),
        label=text(body.get("label") or "", f"{where}.label"),
        stage=optional_text(body.get("stage"), f"{where}.stage"),
        requested_at=moment(body, "requested_at", where),
        accept_ms=number(measures.get("accept_ms"), f"{where}.metrics.accept_ms"),
        polls=whole(measures.get("polls"), f"{where}.metrics.polls") or 0,
        invocations=whole(measures.get("invocations"), f"{where}.metrics.invocations"),
    )
    notes = tuple(text(note, f"{where}.notes") for note in array(body.get("notes", []), f"{where}.notes"))
    # What the lane says of its clocks by itself is not to be said twice.
    own = set(lane.remarks)
    return replace(lane, notes=tuple(note for note in notes if note not in own))


def _span_as_json(span: Span) -> dict[str, object]:
    return {
        "kind": span.kind,
        "name": span.name,
        "start": format_time(span.start),
        "end": format_time(span.end),
        "scheduled_end": format_time(span.scheduled_end),
        "status": span.status,
        "body": {"began": format_time(span.began), "ended": format_time(span.ended)} if span.kind == "step" else None,
        "error": span.error,
        "attempts": [
            {
                "start": format_time(attempt.start),
                "end": format_time(attempt.end),
                "status": attempt.status,
                "error": attempt.error,
            }
            for attempt in span.attempts
        ],
    }


def _span(told: object, where: str) -> Span:
    span = mapping(told, where)
    body = mapping(span.get("body") or {}, f"{where}.body")
    return Span(
        kind=choice(needed(span, "kind", where), SpanKind, f"{where}.kind"),
        name=text(needed(span, "name", where), f"{where}.name"),
        start=moment(span, "start", where),
        end=moment(span, "end", where),
        status=choice(needed(span, "status", where), SpanStatus, f"{where}.status"),
        scheduled_end=moment(span, "scheduled_end", where),
        attempts=each(span, "attempts", where, _attempt),
        error=optional_text(span.get("error"), f"{where}.error"),
        began=moment(body, "began", f"{where}.body"),
        ended=moment(body, "ended", f"{where}.body"),
    )


def _attempt(told: object, where: str) -> Attempt:
    attempt = mapping(told, where)
    return Attempt(
        start=moment(attempt, "start", where),
        end=moment(attempt, "end", where),
        status=choice(needed(attempt, "status", where), SpanStatus, f"{where}.status"),
        error=optional_text(attempt.get("error"), f"{where}.error"),
    )


def _request_as_json(request: ReservationRequest | None) -> dict[str, object] | None:
    return None if request is None else _asked_as_json(request)


def _asked_as_json(asked: ReservationRequest | Reservation) -> dict[str, object]:
    """What a request and a reservation have in common."""
    return {
        "reservation_id": asked.reservation_id,
        "seat": asked.seat,
        "user": asked.user,
        "hold_seconds": asked.hold_seconds,
        "strategy": asked.strategy,
    }


def _request(told: object, where: str) -> ReservationRequest | None:
    if told is None:
        return None
    return ReservationRequest(**_asked(mapping(told, where), where))


def _asked(body: Mapping[str, Any], where: str) -> dict[str, Any]:
    """What a request and a reservation have in common."""
    hold = needed(body, "hold_seconds", where)
    if not is_hold(hold):
        raise broken(f"{where}.hold_seconds is no hold of 1 second to 30 days")
    return {
        "reservation_id": text(needed(body, "reservation_id", where), f"{where}.reservation_id"),
        "seat": text(needed(body, "seat", where), f"{where}.seat"),
        "user": text(needed(body, "user", where), f"{where}.user"),
        "hold_seconds": hold,
        "strategy": choice(needed(body, "strategy", where), Strategy, f"{where}.strategy"),
    }


def _reservation_as_json(reservation: Reservation | None) -> dict[str, object] | None:
    if reservation is None:
        return None
    return {
        **_asked_as_json(reservation),
        "status": reservation.status,
        "created_at": format_time(reservation.created_at),
        "expires_at": format_time(reservation.expires_at),
        "ended_at": format_time(reservation.ended_at),
        "held_until": format_time(reservation.held_until),
    }


def _reservation(told: object, where: str) -> Reservation | None:
    if told is None:
        return None
    body = mapping(told, where)
    return Reservation(
        **_asked(body, where),
        status=choice(needed(body, "status", where), ReservationStatus, f"{where}.status"),
        created_at=moment(body, "created_at", where),
        expires_at=moment(body, "expires_at", where),
        ended_at=moment(body, "ended_at", where),
        held_until=moment(body, "held_until", where),
    )


def _shared_request(lanes: Sequence[Timeline]) -> dict[str, object]:
    facts = [fact for lane in lanes if (fact := lane.request or lane.reservation) is not None]
    return {
        "reservation_id": _common([lane.reservation_id for lane in lanes]),
        "seat": _common([fact.seat for fact in facts]),
        "user": _common([fact.user for fact in facts]),
        "hold_seconds": _common([fact.hold_seconds for fact in facts]),
        "strategy": _common([fact.strategy for fact in facts]),
    }


def _common(values: Sequence[T]) -> T | None:
    return values[0] if len(set(values)) == 1 else None
