"""Following an execution: successive timelines, with few requests while nothing can happen and many when it does."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime

from reservation_cli.domain.timeline import Timeline
from reservation_cli.errors import PlatformError, ResvError, TimedOutError
from reservation_cli.platforms import PlatformClient

POLLS_A_HOLD = 30
LONGEST_SECONDS = 30.0
SHORTEST_SECONDS = 0.5
EAGER_SECONDS = (0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.5)
#: Failures in a row, about 9 s: longer than the local stack needs to bring an engine back.
PATIENCE = 10
#: Longer than any platform's block for too many calls.
LONGEST_WAIT_SECONDS = 600.0


def follow(
    client: PlatformClient,
    first: Timeline,
    nudge: threading.Event,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Iterator[Timeline]:
    """Timelines of the execution `first.ref`, until it is over; the last one yielded is final.

    During a hold it asks about `POLLS_A_HOLD` times, spread evenly, and then at the moment the hold is due; setting
    `nudge` says that something has just happened (a confirmation), so that it asks at once. A platform that does not
    answer is asked again `PATIENCE` times before its error is raised, and not before the time that it asks for.
    """
    known, polls, eager, failures, expecting, asked = first, first.polls, 0, 0, False, 0.0
    while not is_settled(known):
        if nudge.wait(max(_pause(known, eager, known.on_its_clock(now()), expecting), asked)):
            nudge.clear()
            eager, expecting = 0, True
        try:
            latest = client.timeline(first.ref)
        except (PlatformError, TimedOutError) as error:
            failures += 1
            if failures > PATIENCE:
                raise
            polls += 1
            eager, asked = max(eager, 1) + 1, asked_wait(error)
            continue
        failures, asked = 0, 0.0
        polls += 1
        expecting = expecting and eager < len(EAGER_SECONDS) - 1
        eager = eager + 1 if expecting or _moving(latest, known.on_its_clock(now())) else 0
        known = replace(continued(known, latest), polls=polls)
        yield known


def is_settled(lane: Timeline) -> bool:
    """Nothing more will be learnt: it is over, or the platform knows only the reservation, which is."""
    return lane.is_over or (lane.status == "unknown" and lane.outcome is not None)


def asked_wait(error: ResvError) -> float:
    """Seconds that the platform asks to be left alone, as far as that is waited for."""
    return min(error.wait_seconds or 0.0, LONGEST_WAIT_SECONDS)


def continued(known: Timeline, latest: Timeline) -> Timeline:
    """`latest` with what an earlier timeline of the same execution knew better.

    That is what only the sender of the request knows, and an outcome that the seat has told before the workflow
    has come to it.
    """
    reservation = latest.reservation
    if known.reservation and (reservation is None or (known.reservation.outcome and not reservation.outcome)):
        reservation = known.reservation
    return replace(
        latest,
        requested_at=known.requested_at,
        accept_ms=known.accept_ms,
        reservation=reservation,
        outcome=reservation.outcome if reservation else None,
    )


def _moving(lane: Timeline, now: datetime) -> bool:
    """Whether the next change is a matter of milliseconds: no hold yet, or the hold is over."""
    return lane.status != "waiting" or lane.due is None or lane.due <= now


def _pause(lane: Timeline, eager: int, now: datetime, expecting: bool) -> float:
    """Seconds until the next question; few while something that has happened elsewhere is expected to show."""
    if expecting or _moving(lane, now):
        if eager < len(EAGER_SECONDS):
            return EAGER_SECONDS[eager]
        return float(min(2 ** (eager - len(EAGER_SECONDS)), LONGEST_SECONDS))
    due = lane.due or now
    left = (due - now).total_seconds()
    hold = lane.request.hold_seconds if lane.request else left
    even = min(max(hold / POLLS_A_HOLD, SHORTEST_SECONDS), LONGEST_SECONDS)
    # The last question before the end falls on the end itself: no answer before it could tell more.
    return left + EAGER_SECONDS[0] if left < even * 1.5 else even
