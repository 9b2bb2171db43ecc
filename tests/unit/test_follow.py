"""How often a hold is asked about, on a clock that the test moves."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from reservation_cli.domain.reservation import ReservationRequest, Strategy
from reservation_cli.domain.timeline import Timeline
from reservation_cli.errors import PlatformError
from reservation_cli.follow import PATIENCE, follow
from support.clock import START, Clock
from support.fake_platform import FakePlatform


def reserved(clock: Clock, hold: int, strategy: Strategy = "sleep") -> tuple[FakePlatform, Timeline]:
    platform = FakePlatform("aws", now=clock.now)
    return platform, platform.reserve(ReservationRequest("r-1", "A1", "user123", hold, strategy))


@pytest.mark.parametrize("hold", [1, 5, 10, 60, 900])
def test_a_hold_is_followed_with_few_requests_and_noticed_at_once(hold: int) -> None:
    clock = Clock()
    platform, first = reserved(clock, hold)
    frames = list(follow(platform, first, clock, clock.now))
    assert frames[-1].outcome == "expired"
    assert frames[-1].polls == platform.calls["timeline"] <= 45
    assert frames[-1].ended is not None
    assert clock.time - frames[-1].ended < timedelta(seconds=1)


def test_a_confirmation_by_somebody_else_is_noticed_within_a_thirtieth_of_the_hold() -> None:
    clock = Clock()
    platform, first = reserved(clock, 900, "event")
    frames = follow(platform, first, clock, clock.now)
    next(frames)
    platform.confirm("r-1")
    last = list(frames)[-1]
    assert last.outcome == "confirmed"
    assert clock.time - START <= timedelta(seconds=61)


def test_a_nudge_is_followed_at_once() -> None:
    clock = Clock()
    platform, first = reserved(clock, 900, "event")
    clock.nudge_at = START + timedelta(seconds=3)
    platform.confirm("r-1")
    last = list(follow(platform, first, clock, clock.now))[-1]
    assert last.is_over
    assert clock.time == START + timedelta(seconds=3)


def test_the_sender_s_clock_is_kept() -> None:
    clock = Clock()
    platform, first = reserved(clock, 1)
    last = list(follow(platform, first, clock, clock.now))[-1]
    assert (last.requested_at, last.accept_ms) == (first.requested_at, first.accept_ms)


def test_an_outcome_that_the_seat_told_first_is_not_taken_back() -> None:
    clock = Clock()
    platform, first = reserved(clock, 900)
    confirmed = platform.confirm("r-1")
    assert first.reservation is not None
    platform.reservations["r-1"] = first.reservation  # the workflow has not come to it yet
    known = replace(first, reservation=confirmed, outcome="confirmed")
    assert next(follow(platform, known, clock, clock.now)).outcome == "confirmed"


def test_a_platform_that_stays_away_is_given_up() -> None:
    clock = Clock()
    platform, first = reserved(clock, 10)
    platform.fail = PlatformError("gone")
    with pytest.raises(PlatformError):
        list(follow(platform, first, clock, clock.now))
    assert platform.calls["timeline"] == PATIENCE + 1


def test_a_platform_that_comes_back_is_followed_on() -> None:
    clock = Clock()
    platform, first = reserved(clock, 10)
    frames = follow(platform, first, clock, clock.now)
    next(frames)
    platform.fail = PlatformError("gone for a moment")

    waits = clock.wait

    def wait(timeout: float | None = None) -> bool:
        if platform.calls["timeline"] > 4:
            platform.fail = None
        return waits(timeout)

    clock.wait = wait  # type: ignore[method-assign]  # the test's own clock
    assert list(frames)[-1].outcome == "expired"
