"""Following hundreds at once, on a clock that the test moves: few calls, each inside what the platforms allow."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest

from reservation_cli.crowd import follow_crowd
from reservation_cli.domain.reservation import Platform, ReservationRequest
from reservation_cli.domain.timeline import ExecutionStatus, Timeline
from reservation_cli.errors import PlatformError
from reservation_cli.follow import PATIENCE
from reservation_cli.platforms.aws_session import HISTORIES_A_SECOND, HISTORY_BURST
from reservation_cli.platforms.cloudflare_http import API_BURST, API_PER_SECOND
from reservation_cli.platforms.pace import Pace
from support.clock import START, Clock
from support.fake_platform import FakePlatform


def crowd(clock: Clock, count: int, hold: int = 900, platform: Platform = "aws") -> tuple[FakePlatform, list[Timeline]]:
    fake = FakePlatform(platform, now=clock.now)
    requests = [ReservationRequest(f"r-{n}", f"S{n}", "user123", hold) for n in range(count)]
    return fake, [fake.reserve(request) for request in requests]


def test_five_hundred_fifteen_minute_holds_need_few_calls() -> None:
    clock = Clock()
    fake, firsts = crowd(clock, 500)
    ended = dict(follow_crowd(fake, firsts, clock, clock.now))
    assert sorted(ended) == list(range(500))
    assert {lane.outcome for lane in ended.values()} == {"expired"}
    assert fake.calls["statuses"] <= 45
    assert fake.calls["timeline"] == 500
    assert all(lane.polls <= 2 for lane in ended.values())
    assert clock.time - START < timedelta(seconds=905)


def test_each_is_told_as_it_ends() -> None:
    clock = Clock()
    fake, firsts = crowd(clock, 30, hold=60)
    late = [fake.reserve(ReservationRequest(f"late-{n}", f"L{n}", "user123", 120)) for n in range(30)]
    told = [
        (index, (clock.time - START).total_seconds())
        for index, _ in follow_crowd(fake, firsts + late, clock, clock.now)
    ]
    assert all(60 <= at < 65 for index, at in told if index < 30)
    assert all(120 <= at < 125 for index, at in told if index >= 30)


def test_what_has_ended_already_is_told_at_once() -> None:
    clock = Clock()
    fake, firsts = crowd(clock, 3, hold=10)
    ended = dict(follow_crowd(fake, firsts, clock, clock.now))
    later = [*(ended[index] for index in range(3)), fake.reserve(ReservationRequest("r-3", "S3", "user123", 10))]
    told = [index for index, _ in follow_crowd(fake, later, clock, clock.now)]
    assert told == [0, 1, 2, 3]


def test_what_the_list_does_not_tell_is_looked_up() -> None:
    clock = Clock()
    fake, firsts = crowd(clock, 25, hold=10)
    fake.unlisted = {"r-3"}
    ended = dict(follow_crowd(fake, firsts, clock, clock.now))
    assert ended[3].outcome == "expired"


def test_a_platform_that_stays_away_is_given_up() -> None:
    clock = Clock()
    fake, firsts = crowd(clock, 25)
    fake.fail = PlatformError("gone")
    with pytest.raises(PlatformError):
        list(follow_crowd(fake, firsts, clock, clock.now))
    assert fake.calls["statuses"] == PATIENCE + 1


@dataclass
class Rationed(FakePlatform):
    """A fake whose calls wait for their turn, on the test's clock; `made` is when each was made, in seconds."""

    pace: Pace | None = None
    pages: int = 1
    made: list[float] = field(default_factory=list)

    def timeline(self, ref: str) -> Timeline:
        self._take(1)
        return super().timeline(ref)

    def statuses(self, since: datetime) -> Mapping[str, ExecutionStatus]:
        self._take(self.pages)
        return super().statuses(since)

    def _take(self, calls: int) -> None:
        assert self.pace is not None
        for _ in range(calls):
            self.pace.wait()
            self.made.append((self.now() - START).total_seconds())

    def busiest(self, seconds: float) -> int:
        """The most calls in any stretch of that length."""
        return max(bisect_right(self.made, at + seconds) - index for index, at in enumerate(self.made))


@pytest.mark.parametrize(
    ("platform", "burst", "rate", "pages", "stretch", "most"),
    [
        # A list call is not a history call, but counted as one here.
        ("aws", HISTORY_BURST, HISTORIES_A_SECOND, 1, 1.0, 15),
        # A page of the list has 100 executions.
        ("cloudflare", API_BURST, API_PER_SECOND, 5, 300.0, 1200),
    ],
)
def test_five_hundred_that_end_at_once_stay_within_the_documented_rate(
    platform: Platform, burst: int, rate: float, pages: int, stretch: float, most: int
) -> None:
    clock = Clock()
    fake = Rationed(platform, now=clock.now, pages=pages)
    fake.pace = Pace(burst, rate, lambda: (clock.time - START).total_seconds(), clock.wait)
    requests = [ReservationRequest(f"r-{n}", f"S{n}", "user123", 900) for n in range(500)]
    ended = dict(follow_crowd(fake, [fake.reserve(request) for request in requests], clock, clock.now))
    assert len(ended) == 500
    assert {lane.outcome for lane in ended.values()} == {"expired"}
    assert fake.busiest(stretch) <= most
    assert len(fake.made) < 500 + 45 * pages
