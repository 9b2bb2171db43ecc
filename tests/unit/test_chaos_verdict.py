"""What a chaos run says of each reservation: each broken promise is found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from reservation_cli.domain.benchmark import Verdict
from reservation_cli.domain.chaos import Booking, Stored
from reservation_cli.domain.chaos_verdict import broken, double_held, judged, ledger, still_held
from support.chaos import acting, at, booking, chaos, ended, rival

Change = Callable[[Booking], Booking]


def stamped(one: Booking, **times: Any) -> Booking:
    """The same with other times in its record."""
    if one.stored is None:
        raise ValueError("It has no record.")
    return replace(one, stored=replace(one.stored, **times))


RIGHT: dict[str, Change] = {
    "expired": lambda one: one,
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
    "the list has forgotten it": ("wrong", lambda one: replace(one, listed=None)),
    "its wait was cut short": ("wrong", lambda one: replace(one, final_bodies=(at(1.9),))),
    "it expired before its lease ended": ("wrong", lambda one: stamped(replace(one, due=None), ended_at=at(2.0))),
    "it expired long after it": ("wrong", lambda one: stamped(one, ended_at=at(63))),
    "its workflow ended long after it": ("wrong", lambda one: replace(one, finalized=at(63))),
    "it was confirmed after its lease": (
        "wrong",
        lambda one: stamped(acting(ended(one, "confirmed"), "confirm", "done"), ended_at=at(2.005)),
    ),
    "it was cancelled after its lease": (
        "wrong",
        lambda one: stamped(acting(ended(one, "cancelled"), "cancel", "done"), ended_at=at(30)),
    ),
    "its confirmation was refused within its lease": (
        "wrong",
        lambda one: replace(acting(one, "confirm", "refused"), answered=at(1.5)),
    ),
    "its record was made again after its step": ("duplicated", lambda one: stamped(one, created_at=at(0.5))),
    "its record lacks a time": ("wrong", lambda one: stamped(one, created_at=None)),
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


def test_who_is_rejected_found_the_seat_taken() -> None:
    first, late = booking("a", seat="S"), ended(rival(booking("b", seat="S", sent=1.0)), "rejected")

    def verdicts(*bookings: Booking, interrupted: bool = False) -> list[Verdict]:
        return [found.verdict for found in judged(chaos(bookings, interrupted=interrupted))]

    assert verdicts(first, late) == ["right", "right"]
    assert verdicts(ended(rival(first), "rejected"), late) == ["wrong", "wrong"], "nobody had it"
    assert verdicts(booking("a", seat="T"), late)[1] == "wrong"
    assert verdicts(booking("a", seat="S", platform="cloudflare"), late)[1] == "wrong"
    # A hold that has lapsed takes the seat from nobody, whether or not its workflow has ended it.
    much_later = ended(rival(booking("b", seat="S", sent=9.0)), "rejected")
    assert verdicts(stamped(first, ended_at=at(12)), much_later)[1] == "wrong"
    assert verdicts(acting(ended(first, "confirmed"), "confirm", "done"), much_later) == ["right", "right"]
    assert verdicts(acting(ended(first, "cancelled"), "cancel", "done"), much_later)[1] == "wrong"
    # Of an interrupted run it may not be known who had it.
    assert verdicts(late, interrupted=True) == ["right"]


def test_what_an_interrupted_run_did_not_wait_for_is_unfinished() -> None:
    going = replace(ended(booking(), "held", revision=1), status="waiting", outcome=None)
    unknown = replace(booking("u"), accepted=None, stored=None, status="unknown", outcome=None)
    run = chaos([going, unknown], interrupted=True)
    assert [found.verdict for found in judged(run)] == ["unfinished", "unfinished"]
    assert broken(run) == ()
    assert [entry.wanted for entry in ledger(run)] == [0] * 4
    # It had been waited for in vain before somebody lost patience.
    late = replace(run, seconds=100.0)
    assert [found.verdict for found in judged(late)] == ["lost", "refused"]
    assert broken(late) == ("1 reservations were lost", "1 reservations were never accepted")


def test_a_stack_that_did_not_come_back_is_a_broken_promise() -> None:
    run = replace(chaos([booking()]), failed="The local stack has no process host.")
    assert broken(run) == ("the stack did not come back (The local stack has no process host.)",)


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
    run = chaos([ended(first, "held", revision=1), after])
    assert still_held(run) == 1
    assert still_held(replace(run, interrupted=True)) == 0


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


@pytest.mark.parametrize(
    ("one", "effects"),
    [
        (replace(booking(), stored=None), (0, 0)),
        (stamped(booking(), created_at=at(0.5)), (2, 1)),
        (ended(booking(), "expired", revision=1), (1, 0)),
    ],
    ids=["no record", "made again after its step", "never ended"],
)
def test_the_ledger_does_not_come_out_even(one: Booking, effects: tuple[int, int]) -> None:
    create, end = [entry for entry in ledger(chaos([one])) if entry.platform == "aws"]
    assert (create.wanted, end.wanted) == (1, 1)
    assert (create.effects, end.effects) == effects
