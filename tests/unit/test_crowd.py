"""Following hundreds at once, on a clock that the test moves: few calls, each inside what the platforms allow."""

from __future__ import annotations

from datetime import timedelta

import pytest

from reservation_cli.crowd import follow_crowd
from reservation_cli.domain.reservation import Platform, ReservationRequest
from reservation_cli.domain.timeline import Timeline
from reservation_cli.errors import PlatformError
from reservation_cli.follow import PATIENCE
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
