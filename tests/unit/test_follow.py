"""How often a hold is asked about, on a clock that the test moves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from reservation_cli.crowd import follow_crowd
from reservation_cli.domain.reservation import ReservationRequest, Strategy
from reservation_cli.domain.timeline import ExecutionStatus, Timeline
from reservation_cli.errors import PlatformError
from reservation_cli.follow import LONGEST_WAIT_SECONDS, PATIENCE, follow
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


class Blocked(FakePlatform):
    """A platform that says how long it wants to be left alone, and blocks whoever asks before that."""

    until: datetime | None = None

    def timeline(self, ref: str) -> Timeline:
        self._blocked()
        return super().timeline(ref)

    def statuses(self, since: datetime) -> Mapping[str, ExecutionStatus]:
        self._blocked()
        return super().statuses(since)

    def _blocked(self) -> None:
        if self.until is None:
            self.until = self.now() + timedelta(seconds=300)
        if self.now() < self.until:
            self.calls["blocked"] = self.calls.get("blocked", 0) + 1
            error = PlatformError("Too many requests.", code="throttled")
            error.wait_seconds = (self.until - self.now()).total_seconds()
            raise error


@pytest.mark.parametrize("hold", [1, 900])
def test_a_wait_that_is_asked_for_is_waited_for(hold: int) -> None:
    clock = Clock()
    platform = Blocked("cloudflare", now=clock.now)
    first = platform.reserve(ReservationRequest("r-1", "A1", "user123", hold))
    assert list(follow(platform, first, clock, clock.now))[-1].outcome == "expired"
    assert platform.calls["blocked"] == 1
    assert clock.time - START < timedelta(seconds=max(hold, 300) + 5)


def test_a_crowd_waits_as_well() -> None:
    clock = Clock()
    platform = Blocked("cloudflare", now=clock.now)
    firsts = [platform.reserve(ReservationRequest(f"r-{n}", f"S{n}", "user123", 10)) for n in range(25)]
    assert len(list(follow_crowd(platform, firsts, clock, clock.now))) == 25
    assert platform.calls["blocked"] == 1
    assert clock.time - START < timedelta(seconds=305)


def test_a_wait_without_measure_is_cut_short() -> None:
    clock = Clock()
    platform, first = reserved(clock, 10)
    platform.fail = PlatformError("Come back next year.")
    platform.fail.wait_seconds = 3e7
    with pytest.raises(PlatformError):
        list(follow(platform, first, clock, clock.now))
    assert clock.time - START < timedelta(seconds=(PATIENCE + 1) * LONGEST_WAIT_SECONDS)
