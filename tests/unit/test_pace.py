"""The pace: never more than the rate allows, in the order of asking, and no wait while there is room."""

from __future__ import annotations

import threading

import pytest

from reservation_cli.platforms.pace import Pace
from support.clock import Sleeper


def test_a_burst_is_free_and_then_calls_are_spaced() -> None:
    clock = Sleeper(1000.0)
    pace = Pace(3, 2.0, clock.read, clock.sleep)
    assert [pace.wait() for _ in range(5)] == [0, 0, 0, 0.5, 0.5]


def test_a_rest_fills_the_bucket_and_no_further() -> None:
    clock = Sleeper(1000.0)
    pace = Pace(3, 2.0, clock.read, clock.sleep)
    for _ in range(3):
        pace.wait()
    clock.now += 1.0
    assert [pace.wait() for _ in range(3)] == [0, 0, 0.5]
    clock.now += 3600.0
    assert [pace.wait() for _ in range(4)] == [0, 0, 0, 0.5]


@pytest.mark.parametrize(("burst", "rate", "window", "most"), [(200, 3.0, 300.0, 1200), (12, 12.0, 1.0, 24)])
def test_no_window_has_more_calls_than_the_limit(burst: int, rate: float, window: float, most: int) -> None:
    clock = Sleeper(1000.0)
    pace = Pace(burst, rate, clock.read, clock.sleep)
    times = []
    for number in range(3000):
        pace.wait()
        times.append(clock.now)
        clock.now += 0.4 if number % 500 < 100 else 0.0
    busiest = max(sum(start <= at < start + window for at in times) for start in times[::25])
    assert busiest <= most


def test_who_waits_is_told_how_long() -> None:
    clock = Sleeper(1000.0)
    pace = Pace(1, 0.25, clock.read, clock.sleep)
    told: list[float] = []
    pace.wait(told.append)
    pace.wait(told.append)
    assert told == [4.0]


def test_threads_share_one_rate() -> None:
    slept: list[float] = []
    pace = Pace(10, 10.0, lambda: 0.0, slept.append)
    threads = [threading.Thread(target=lambda: [pace.wait() for _ in range(5)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(slept) == pytest.approx([n / 10 for n in range(1, 31)])
