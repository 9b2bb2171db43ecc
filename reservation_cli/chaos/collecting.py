"""What became of the reservations, asked of all who know of them: workflow, list, seat, and the storage itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

from reservation_cli.chaos.bodies import Body
from reservation_cli.chaos.callers import Call
from reservation_cli.chaos.ground import Clients, Ground, Key
from reservation_cli.domain.chaos import PATIENCE_SECONDS, Booking, Step, Stored
from reservation_cli.domain.reservation import Platform, Reservation
from reservation_cli.domain.timeline import ExecutionStatus, Span, Timeline
from reservation_cli.errors import NotFoundError, ResvError

T = TypeVar("T")
_AT_ONCE = 4
_AGAIN_SECONDS = 0.2
#: By so much a list may be asked from before the first request.
_BEFORE = timedelta(seconds=5)

Listed = Mapping[Key, ExecutionStatus]


def listed(clients: Clients, since: datetime) -> Listed:
    """The status of all executions since then, by platform and reservation id. Raises what `statuses` raises."""
    return {
        (platform, name): status
        for platform, client in clients.items()
        for name, status in client.statuses(since - _BEFORE).items()
    }


def bookings(ground: Ground, calls: Sequence[Call], since: datetime) -> Iterator[tuple[Booking, Timeline | None]]:
    """All of `calls` as they are found now, in the same order, each with its timeline.

    The storage is read before any seat is asked, which would settle what has lapsed. Raises what the storage and the
    list raise, after asking for PATIENCE_SECONDS: an engine may be on its way back.
    """
    stored, known = _patiently(ground.stored), _patiently(partial(listed, ground.clients, since))
    bodies = by_step(ground.bodies())
    asked = [call for call in calls if call.sent is not None]
    for call, (lane, seat) in zip(asked, _looks(ground.clients, asked), strict=True):
        found = booking(call, lane, stored.get(key(call)), bodies)
        seen = seat.status if isinstance(seat, Reservation) else None
        yield replace(found, seat=seen, listed=known.get(key(call))), lane if isinstance(lane, Timeline) else None


def booking(
    call: Call,
    lane: Timeline | ResvError,
    stored: Stored | None,
    bodies: Mapping[tuple[str, Step], Sequence[datetime]],
) -> Booking:
    """One reservation by its caller, its timeline (or why there is none), its record, and the bodies as logged."""
    if call.sent is None:
        raise ValueError("It was never sent.")
    known = lane if isinstance(lane, Timeline) else None
    first, last, wait = (known.span("create-hold"), known.span("finalize"), known.hold) if known else (None, None, None)
    name = call.ask.reservation_id
    return Booking(
        strike=call.strike,
        ask=call.ask,
        ref=call.ref,
        sent=call.sent,
        accepted=call.accepted,
        refusal=call.refusal,
        status=known.status if known else "unknown",
        listed=None,
        outcome=known.outcome if known else None,
        seat=None,
        stored=stored,
        answer=call.answer,
        answered=call.answered,
        calls=call.calls,
        hold_bodies=_bodies(first, bodies.get((name, "create-hold"), ()), stored.created_at if stored else None),
        held=first.end if first else None,
        due=known.due if known and wait else None,
        woken=wait.end if wait else None,
        final_bodies=_bodies(last, bodies.get((name, "finalize"), ())),
        finalized=last.end if last else None,
        succeeded=tuple(_successes(span) for span in (first, last) if span),
        is_probe=call.is_probe,
        error=known.error if known else lane.message if isinstance(lane, ResvError) else None,
    )


def by_step(bodies: Iterable[Body]) -> dict[tuple[str, Step], list[datetime]]:
    """When bodies began, by reservation id and step."""
    found: dict[tuple[str, Step], list[datetime]] = {}
    for body in bodies:
        found.setdefault((body.reservation_id, body.step), []).append(body.began)
    return found


def key(call: Call) -> tuple[Platform, str]:
    """What names the reservation of a call over both platforms."""
    return call.ask.platform, call.ask.reservation_id


def _bodies(span: Span | None, logged: Sequence[datetime], wrote: datetime | None = None) -> tuple[datetime, ...]:
    """When each body began: as it was logged, or else as the engine counts attempts.

    An engine that was killed may have forgotten a body that had changed the record already, at the time `wrote`.
    """
    if logged:
        return tuple(sorted(logged))
    if span is None:
        return ()
    starts = sorted(attempt.start for attempt in span.attempts if attempt.start is not None)
    if not starts and span.began:
        starts = [span.began]
    return (wrote, *starts) if wrote and starts and wrote < starts[0] else tuple(starts)


def _successes(span: Span) -> int:
    return sum(attempt.status == "succeeded" for attempt in span.attempts)


def _looks(clients: Clients, calls: Sequence[Call]) -> Iterator[tuple[Timeline | ResvError, Reservation | ResvError]]:
    def look(call: Call) -> tuple[Timeline | ResvError, Reservation | ResvError]:
        client = clients[call.ask.platform]
        return _tried(partial(client.timeline, call.ref)), _tried(partial(client.reservation, call.ask.reservation_id))

    pool = ThreadPoolExecutor(_AT_ONCE)
    try:
        yield from pool.map(look, calls)
    finally:
        # Whoever interrupts this does not want to wait for the rest.
        pool.shutdown(wait=False, cancel_futures=True)


def _patiently(ask: Callable[[], T]) -> T:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return ask()
        except ResvError:
            if time.monotonic() > deadline:
                raise
            time.sleep(_AGAIN_SECONDS)


def _tried(ask: Callable[[], T]) -> T | ResvError:
    """The answer; an error only if it comes twice, but for that there is nothing."""
    try:
        return ask()
    except NotFoundError as error:
        return error
    except ResvError:
        try:
            return ask()
        except ResvError as error:
            return error
