"""What a chaos run says of each kill: where it caught the reservations, and each time after it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from reservation_cli.domain.chaos import Phase, Stored
from reservation_cli.domain.chaos_aftermath import aftermaths, phase, recovery, waiting
from reservation_cli.domain.reservation import PLATFORMS
from support.chaos import at, booking, chaos, ended, kill, rival


@pytest.mark.parametrize(
    ("seconds", "found"),
    [
        (-0.1, None),
        (0.004, "before-hold"),
        (0.005, "mid-step"),
        (0.009, "mid-step"),
        (0.010, "mid-wait"),
        (1.9, "mid-wait"),
        (1.99, "at-due"),
        (2.014, "at-due"),
        (2.015, "mid-finalize"),
        (2.03, "over"),
    ],
)
def test_the_phase_of_a_reservation(seconds: float, found: Phase | None) -> None:
    assert phase(booking(), at(seconds)) == found


def test_a_kill_mid_step_is_recovered_from_when_the_step_runs_again() -> None:
    again = booking("again", hold_bodies=(at(0.005), at(0.505)), held=at(0.6))
    probe = booking("probe", sent=0.3, hold_bodies=(at(0.4),), held=at(0.41), is_probe=True)
    probe = replace(probe, stored=Stored("expired", 2, at(0.407), at(3)))
    (found,) = aftermaths(chaos([again, probe], [kill(0.007, wanted="mid-step")]))
    assert found.observed == "mid-step"
    assert found.caught == {"mid-step": 1}
    assert found.progress_ms == 393, "the probe's body was the first to begin"
    assert found.served_ms == 400
    assert found.resumed_ms == 498
    assert found.recovered_ms == 498
    assert found.again == 1


def test_a_wait_that_becomes_due_after_the_kill_counts_from_its_due_time() -> None:
    late = booking("late", final_bodies=(at(2.31),), finalized=at(2.4))
    (found,) = aftermaths(chaos([late], [kill(1.0)]))
    assert (found.observed, found.resumed_ms) == ("mid-wait", 300)
    (found,) = aftermaths(chaos([late], [kill(2.11, wanted="at-due")]))
    assert (found.observed, found.resumed_ms) == ("at-due", 200)


def test_what_becomes_due_after_the_next_kill_is_that_ones_matter() -> None:
    late = booking("late", final_bodies=(at(2.31),), finalized=at(2.4))
    first, second = aftermaths(chaos([late], [kill(0.5), kill(1.5, number=1)]))
    assert first.resumed_ms is None
    assert second.resumed_ms == 300
    # A timer that was lost at the first is told by the first, though it was the second that woke it.
    lost = booking("lost", final_bodies=(at(9.0),), finalized=at(9.1))
    first, second = aftermaths(chaos([lost], [kill(0.5), kill(8.01, number=1)]))
    assert first.resumed_ms == 6000
    assert second.resumed_ms == pytest.approx(990)


def test_a_kill_of_one_platform_is_no_matter_of_the_other() -> None:
    other = booking("other", platform="cloudflare", final_bodies=(at(5),), finalized=at(5.1))
    (found,) = aftermaths(chaos([other], [kill(1.0, "engine")]))
    assert (found.observed, found.progress_ms, found.recovered_ms, found.caught) == (None, None, None, {})
    (found,) = aftermaths(chaos([other], [kill(1.0, "wrangler")]))
    assert found.resumed_ms == 2990
    assert found.recovered_ms is None, "nobody was served"


def test_of_two_platforms_the_later_one_counts() -> None:
    probes = [
        booking("p", sent=3.0, platform="aws", is_probe=True),
        booking("p", sent=4.0, platform="cloudflare", is_probe=True),
    ]
    (found,) = aftermaths(chaos(probes, [kill(1.0, "supervisor")]))
    assert (found.progress_ms, found.served_ms) == (3005, 3005)


def test_a_platform_with_nothing_to_resume_hides_no_wait_of_the_other() -> None:
    late = booking("late", final_bodies=(at(9),), finalized=at(9.1))
    probes = [booking("p", sent=1.1, platform=platform, is_probe=True) for platform in PLATFORMS]
    (found,) = aftermaths(chaos([late, *probes], [kill(1.0, "supervisor")]))
    assert (found.served_ms, found.resumed_ms, found.recovered_ms) == (105, 6990, 6990)


def test_what_was_never_served_or_never_went_on_is_not_recovered_from() -> None:
    served = booking("p", sent=1.1, is_probe=True)
    unserved = replace(served, accepted=None, stored=None, status="unknown", outcome=None, held=None, hold_bodies=())
    stuck = replace(booking("stuck"), final_bodies=(), finalized=None)
    for bookings, told in (([unserved], (None, 0, None)), ([served, stuck], (105, 1, None)), ([served], (105, 0, 105))):
        (found,) = aftermaths(chaos(bookings, [kill(1.0)]))
        assert (found.served_ms, found.stuck, found.recovered_ms) == told
    assert recovery(aftermaths(chaos([served, stuck], [kill(1.0)])), "recovered_ms") is None


def test_percentiles_are_by_process() -> None:
    kills = [kill(10.0 * number, "host", number=number) for number in range(3)]
    probes = [
        booking(f"p{number}", sent=10.0 * number + delay, is_probe=True, strike=number)
        for number, delay in enumerate((0.095, 0.195, 0.295))
    ]
    found = aftermaths(chaos(probes, kills))
    statistics = recovery(found, "served_ms", "host")
    assert statistics is not None
    assert (statistics.n, statistics.p50.value, statistics.maximum) == (3, 200, 300)
    assert recovery(found, "served_ms", "wrangler") is None


def test_the_reservation_that_waited_longest() -> None:
    soon, late = booking("soon"), booking("late", final_bodies=(at(5),), finalized=at(5.1))
    one = kill(1.0)
    found = waiting(chaos([soon, late], [one]), one)
    assert found is not None
    assert found.ask.reservation_id == "late-aws"
    assert waiting(chaos([], [one]), one) is None


def test_outcomes_are_those_of_what_was_made_for_the_kill() -> None:
    mine = [booking("a"), ended(rival(booking("b", seat="a")), "rejected"), replace(booking("c"), succeeded=(2, 1))]
    others = [booking("d", strike=7), booking("e", is_probe=True)]
    (found,) = aftermaths(chaos([*mine, *others], [kill(0.5)]))
    assert (found.outcomes, found.broken) == ({"expired": 2, "rejected": 1}, 1)


def test_times_are_milliseconds() -> None:
    probe = booking("p", sent=1.0004, is_probe=True)
    (found,) = aftermaths(chaos([probe], [replace(kill(1.0), at=at(1.0) + timedelta(microseconds=400))]))
    assert found.served_ms == 5.0
