"""What a chaos run says: each broken promise is found, and each time after a kill is the one that it says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from reservation_cli.domain.benchmark import Verdict
from reservation_cli.domain.chaos import Booking, Phase, Stored
from reservation_cli.domain.chaos_verdict import (
    aftermaths,
    broken,
    double_held,
    judged,
    ledger,
    phase,
    recovery,
    still_held,
    waiting,
)
from support.chaos import acting, at, booking, chaos, ended, kill

Change = Callable[[Booking], Booking]


def rival(one: Booking) -> Booking:
    return replace(one, ask=replace(one.ask, rivals=True))


RIGHT: dict[str, Change] = {
    "expired": lambda one: one,
    "a rival that was rejected": lambda one: ended(rival(one), "rejected"),
    "confirmed in time": lambda one: acting(ended(one, "confirmed"), "confirm", "done"),
    "cancelled in time": lambda one: acting(ended(one, "cancelled"), "cancel", "done"),
    "confirmed too late": lambda one: acting(one, "confirm", "refused"),
    "a confirmation without an answer that counted": lambda one: acting(ended(one, "confirmed"), "confirm", "none"),
    "a confirmation without an answer that did not": lambda one: acting(one, "confirm", "none"),
    "a step that ran again": lambda one: replace(one, hold_bodies=(at(0.005), at(0.5)), held=at(0.6)),
    "no answer to its request": lambda one: replace(one, accepted=None, refusal="cannot be reached"),
}

WRONG: dict[str, tuple[Verdict, Change]] = {
    "its workflow never ended": ("lost", lambda one: replace(one, status="running", outcome=None)),
    "its hold never ended": ("lost", lambda one: ended(one, "held", revision=1)),
    "no seat knows it": ("lost", lambda one: replace(one, stored=None, seat=None)),
    "nobody accepted it": (
        "refused",
        lambda one: replace(one, accepted=None, stored=None, status="unknown", outcome=None),
    ),
    "its record was written again": ("duplicated", lambda one: ended(one, "expired", revision=3)),
    "a rejected one was written again": ("duplicated", lambda one: ended(rival(one), "rejected", revision=2)),
    "a step was done twice": ("duplicated", lambda one: replace(one, succeeded=(1, 2))),
    "its workflow failed": ("wrong", lambda one: replace(one, status="failed")),
    "its seat says otherwise": ("wrong", lambda one: replace(one, seat="confirmed")),
    "the storage says otherwise": ("wrong", lambda one: replace(one, stored=Stored("cancelled", 2, at(0), at(1)))),
    "the list says otherwise": ("wrong", lambda one: replace(one, listed="running")),
    "an answered confirmation was lost": ("wrong", lambda one: acting(one, "confirm", "done")),
    "it was told too late and confirmed": ("wrong", lambda one: acting(ended(one, "confirmed"), "confirm", "refused")),
    "nobody confirmed it": ("wrong", lambda one: ended(one, "confirmed")),
    "it was rejected without a rival": ("wrong", lambda one: ended(one, "rejected")),
    "it expired early": ("wrong", lambda one: replace(one, final_bodies=(at(1.9),))),
}


@pytest.mark.parametrize("change", RIGHT.values(), ids=RIGHT)
def test_what_keeps_its_promises_is_right(change: Change) -> None:
    (found,) = judged(chaos([change(booking())]))
    assert (found.verdict, found.reason) == ("right", None)


@pytest.mark.parametrize(("verdict", "change"), WRONG.values(), ids=WRONG)
def test_what_breaks_one_is_found(verdict: Verdict, change: Change) -> None:
    run = chaos([change(booking())])
    (found,) = judged(run)
    assert found.verdict == verdict
    assert found.reason
    assert broken(run)


def test_what_an_interrupted_run_did_not_wait_for_is_unfinished() -> None:
    run = chaos([replace(ended(booking(), "held", revision=1), status="waiting", outcome=None)], interrupted=True)
    assert [found.verdict for found in judged(run)] == ["unfinished"]
    assert broken(run) == ()


def test_a_seat_is_held_twice_only_at_once_and_on_one_platform() -> None:
    first = booking("a", seat="S")
    after = booking("b", seat="S", sent=2.1)
    assert double_held([first, after]) == 0
    during = booking("c", seat="S", sent=1.0)
    assert double_held([first, during]) == 1
    assert double_held([first, booking("c", seat="S", sent=1.0, platform="cloudflare")]) == 0
    assert double_held([first, ended(rival(during), "rejected")]) == 0
    # A confirmed seat is taken for good.
    assert double_held([ended(first, "confirmed"), after]) == 1
    assert still_held([ended(first, "held", revision=1), after]) == 1


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


def test_of_two_platforms_the_later_one_counts() -> None:
    probes = [
        booking("p", sent=3.0, platform="aws", is_probe=True),
        booking("p", sent=4.0, platform="cloudflare", is_probe=True),
    ]
    (found,) = aftermaths(chaos(probes, [kill(1.0, "supervisor")]))
    assert (found.progress_ms, found.served_ms) == (3005, 3005)


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


def test_the_ledger_sets_attempts_against_effects() -> None:
    run = chaos(
        [
            booking("once"),
            booking("again", hold_bodies=(at(0.005), at(0.5)), held=at(0.6)),
            acting(ended(booking("confirmed"), "confirmed"), "confirm", "done"),
            ended(rival(booking("rejected")), "rejected"),
            ended(booking("twice"), "expired", revision=3),
        ]
    )
    create, end = [entry for entry in ledger(run) if entry.platform == "aws"]
    assert (create.reservations, create.attempts, create.again, create.effects, create.wanted) == (5, 6, 1, 5, 5)
    assert (end.reservations, end.attempts, end.again, end.effects, end.wanted) == (4, 5, 0, 5, 4)


def test_outcomes_are_those_of_what_was_made_for_the_kill() -> None:
    mine = [booking("a"), ended(rival(booking("b")), "rejected"), replace(booking("c"), succeeded=(2, 1))]
    others = [booking("d", strike=7), booking("e", is_probe=True)]
    (found,) = aftermaths(chaos([*mine, *others], [kill(0.5)]))
    assert (found.outcomes, found.broken) == ({"expired": 2, "rejected": 1}, 1)


def test_times_are_milliseconds() -> None:
    probe = booking("p", sent=1.0004, is_probe=True)
    (found,) = aftermaths(chaos([probe], [replace(kill(1.0), at=at(1.0) + timedelta(microseconds=400))]))
    assert found.served_ms == 5.0
