"""The judge of races takes what can be, and finds each kind of what must not be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from reservation_cli.domain.reservation import Reservation, ReservationRequest
from support import timelines
from support.contention import history
from support.linearizability import check_seat
from support.races import Race
from support.witnesses import Act, Answer, Witnesses, lost, ms, overlaps, problems

T = datetime(2026, 11, 28, 12, tzinfo=UTC)
REQUEST = ReservationRequest("r-1", "A1", "first", 2)
HELD = Reservation("r-1", "A1", "first", 2, "sleep", "held", T, T + timedelta(seconds=2))
CONFIRMED = replace(HELD, status="confirmed", ended_at=T + timedelta(milliseconds=1_990))
EXPIRED = replace(HELD, status="expired", ended_at=T + timedelta(milliseconds=2_004))

Case = tuple[list[Answer], dict[str, Witnesses]]


def at(milliseconds: float) -> float:
    return ms(T) + milliseconds


RESERVED = Answer("reserve", REQUEST, at(-10), at(5), HELD, ref="r-1")
ACCEPTED = replace(RESERVED, answered=at(2), record=None)
READ = Answer("read", REQUEST, at(6), at(9), HELD)
CONFIRM = Answer("confirm", REQUEST, at(1_988), at(1_995), CONFIRMED)
TOO_LATE = Answer("confirm", REQUEST, at(1_998), at(2_008), refusal="too_late")


def told_by_all(record: Reservation) -> Witnesses:
    lane = replace(timelines.cloudflare_expired(), reservation=record, outcome=record.outcome, status="succeeded")
    return Witnesses(record, lane, "succeeded")


def won() -> Case:
    return [RESERVED, CONFIRM], {"r-1": told_by_all(CONFIRMED)}


def late() -> Case:
    return [RESERVED, TOO_LATE], {"r-1": told_by_all(EXPIRED)}


def unanswered() -> Case:
    """A confirmation without an answer was carried out all the same."""
    return [RESERVED, replace(CONFIRM, record=None, refusal="unreachable")], {"r-1": told_by_all(CONFIRMED)}


def never_made() -> Case:
    return [replace(RESERVED, record=None, refusal="timed_out")], {"r-1": Witnesses(None, None, None)}


def found_later() -> Case:
    """Accepted without its hold, looked for before it was made, and found then."""
    early = Answer("read", REQUEST, at(-1), at(3), refusal="not_found")
    return [ACCEPTED, early, replace(early, act="confirm"), READ], {"r-1": told_by_all(EXPIRED)}


@pytest.mark.parametrize("case", [won, late, unanswered, never_made, found_later])
def test_what_can_be(case: Callable[[], Case]) -> None:
    answers, ends = case()
    assert problems(answers, ends) == []
    assert lost(answers, ends) == 0
    records = {name: end.seat for name, end in ends.items() if end.seat}
    assert check_seat(history(answers, records)).is_linearizable


def without_list(case: Case) -> Case:
    return case[0], {"r-1": replace(case[1]["r-1"], listed="running")}


def without_seat(case: Case) -> Case:
    return case[0], {"r-1": replace(case[1]["r-1"], seat=None)}


def vanished(act: Act) -> Case:
    return [ACCEPTED, READ, Answer(act, REQUEST, at(20), at(25), refusal="not_found")], late()[1]


def ended(case: Case, record: Reservation) -> Case:
    return case[0], {"r-1": told_by_all(record)}


def answered(case: Case, *answers: Answer) -> Case:
    return [*case[0], *answers], case[1]


WRONG: dict[str, tuple[Case, str]] = {
    "the list disagrees": (without_list(won()), "in the list"),
    "the seat knows nothing": (without_seat(won()), "unknown to its seat"),
    "nobody knows of it": (([RESERVED], {"r-1": Witnesses(None, None, None)}), "unknown to its seat"),
    "held for ever": (ended(([RESERVED], {}), HELD), "held for ever"),
    "the workflow says otherwise": (
        (won()[0], {"r-1": Witnesses(CONFIRMED, told_by_all(EXPIRED).lane, "succeeded")}),
        "its workflow says expired",
    ),
    "the workflow has another time": (
        (
            late()[0],
            {"r-1": Witnesses(replace(EXPIRED, ended_at=T + timedelta(seconds=3)), late()[1]["r-1"].lane, "succeeded")},
        ),
        "record is not its seat's",
    ),
    "a lost confirmation": (ended(won(), EXPIRED), "was told confirmed"),
    "confirmed past the lease": (
        ended(([RESERVED], {}), replace(CONFIRMED, ended_at=T + timedelta(seconds=2))),
        "past its lease",
    ),
    "expired early": (ended(([RESERVED], {}), replace(EXPIRED, ended_at=T + timedelta(seconds=1))), "before its time"),
    "too late, told too early": (
        answered(late(), replace(TOO_LATE, sent=at(1_900), answered=at(1_950))),
        "was too late 50.0 ms before",
    ),
    "refused for another reason": (answered(late(), replace(TOO_LATE, refusal="already_confirmed")), "refused as"),
    "confirmed by nobody": (([RESERVED], won()[1]), "nobody asked for it"),
    "another hold": (
        answered(won(), replace(RESERVED, record=replace(HELD, created_at=T + timedelta(seconds=1)))),
        "another hold",
    ),
    "not found after it was made": (answered(won(), replace(TOO_LATE, refusal="not_found")), "did not find it"),
    "not read after somebody had read it": (vanished("read"), "read did not find it 11 ms after"),
    "not to be confirmed after somebody had read it": (vanished("confirm"), "confirm did not find it 11 ms after"),
    "not found after it had been too late for it": (
        answered(
            ended(([ACCEPTED, TOO_LATE], {}), EXPIRED), Answer("read", REQUEST, at(2_010), at(2_015), None, "not_found")
        ),
        "read did not find it 2 ms after",
    ),
    "a refusal that is none of its": (answered(won(), replace(TOO_LATE, refusal="usage")), "was refused for usage"),
    "an error of the Worker": (
        answered(won(), replace(TOO_LATE, refusal="internal_error", message="Cloudflare refused (500): Sorry.")),
        "confirm was refused for internal_error: Cloudflare refused (500): Sorry.",
    ),
    "an error of the engine": (
        answered(late(), replace(TOO_LATE, refusal="ServiceException")),
        "confirm was refused for ServiceException",
    ),
    "an answer that is none": (
        answered(late(), replace(READ, record=None, refusal="not_understood")),
        "read was refused for not_understood",
    ),
    "a failure of the platform's": (
        answered(late(), replace(READ, record=None, refusal="platform")),
        "read was refused for platform",
    ),
    "an error in the place of a reservation": (
        ([replace(RESERVED, record=None, refusal="internal_error")], {"r-1": Witnesses(None, None, None)}),
        "reserve was refused for internal_error",
    ),
    "a conflict with nobody": (
        answered(won(), Answer("reserve", REQUEST, at(0), at(9), refusal="reservation_conflict")),
        "with other input",
    ),
}


@pytest.mark.parametrize(("case", "reason"), WRONG.values(), ids=WRONG)
def test_what_must_not_be(case: Case, reason: str) -> None:
    found = problems(*case)
    assert any(reason in problem for problem in found), found


def test_a_lost_confirmation_is_counted() -> None:
    answers, ends = ended(won(), EXPIRED)
    assert lost(answers, ends) == 1
    assert lost(won()[0], {"r-1": Witnesses(CONFIRMED, told_by_all(EXPIRED).lane, "succeeded")}) == 1
    assert check_seat(history(answers, {"r-1": EXPIRED})).is_linearizable is False


@pytest.mark.parametrize("act", ["read", "confirm", "cancel"])
def test_what_was_found_and_then_not_is_no_seats_answer(act: Act) -> None:
    answers, ends = vanished(act)
    assert check_seat(history(answers[:2], {"r-1": EXPIRED})).is_linearizable
    assert check_seat(history(answers, {"r-1": EXPIRED})).is_linearizable is False
    assert lost(answers, ends) == 0


def test_a_race_is_decided_when_each_side_was_told() -> None:
    lost_call = replace(CONFIRM, record=None, refusal="timed_out")
    assert Race("confirm against expiry", (RESERVED, CONFIRM)).is_decided
    assert Race("confirm against expiry", (RESERVED, TOO_LATE)).is_decided
    assert not Race("confirm against expiry", (RESERVED,)).is_decided
    assert not Race("confirm against expiry", (RESERVED, lost_call)).is_decided
    assert not Race("confirm before the hold", (ACCEPTED, CONFIRM)).is_decided
    assert not Race("confirm against cancel", (RESERVED, CONFIRM)).is_decided
    assert not Race("double confirm", (RESERVED, CONFIRM, CONFIRM, lost_call)).is_decided


def test_two_at_once_on_a_seat() -> None:
    rival = replace(HELD, reservation_id="r-2", created_at=T + timedelta(milliseconds=2_004))
    assert list(overlaps([rival, EXPIRED])) == []
    assert list(overlaps([rival, CONFIRMED])) == [("r-1", "r-2")]
    assert list(overlaps([replace(rival, created_at=T + timedelta(milliseconds=2_003)), EXPIRED])) == [("r-1", "r-2")]
    assert list(overlaps([replace(rival, status="rejected"), CONFIRMED])) == []
    assert list(overlaps([replace(rival, seat="A2"), CONFIRMED])) == []
