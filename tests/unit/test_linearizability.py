"""The checker takes what a seat can have answered, and finds what it can't: by hand, by chance, and against mutants."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count, permutations
from math import inf

import pytest

from support.linearizability import Moment, Operation, check_seat, step
from support.seat_machine import FREE, Call, Record, Seat, called

SeatCall = Callable[[Seat, Call, str, int, int], tuple[Seat, Record | None]]


def held(name: str, at: int, until: int) -> Record:
    return Record(name, "held", at, until)


def op(call: Call, name: str, invoked: float, answered: float, told: Record | None, hold_ms: int = 100) -> Operation:
    return Operation(invoked, answered, call, name, told, hold_ms)


A, B = held("a", 10, 110), held("b", 115, 215)
CONFIRMED = replace(A, status="confirmed", ended_at=60)
CANCELLED = replace(A, status="cancelled", ended_at=60)
EXPIRED = replace(A, status="expired", ended_at=112)
REJECTED = Record("b", "rejected", 50, 150, ended_at=50, held_until=110)
HOLD = op("hold", "a", 5, 15, A)

RIGHT = {
    "nothing": [],
    "a hold that expires, and the next": [HOLD, op("get", "a", 111, 120, EXPIRED), op("hold", "b", 112, 121, B)],
    "a hold that lapses unseen": [HOLD, op("hold", "b", 112, 120, B)],
    "seen held at the very end, answered late": [HOLD, op("get", "a", 109, 130, A)],
    "seen held by a call that was sent first and answered last": [
        HOLD,
        op("get", "a", 100, 140, A),
        op("get", "a", 105, 120, EXPIRED),
    ],
    "confirmed in time, answered late": [
        HOLD,
        op("confirm", "a", 100, 140, replace(CONFIRMED, ended_at=109)),
        op("get", "a", 141, 150, replace(CONFIRMED, ended_at=109)),
    ],
    "a confirmation twice": [HOLD, op("confirm", "a", 55, 80, CONFIRMED), op("confirm", "a", 58, 90, CONFIRMED)],
    "cancelled, refused to confirm, free again": [
        HOLD,
        op("cancel", "a", 59, 70, CANCELLED),
        op("confirm", "a", 62, 75, CANCELLED),
        op("hold", "b", 80, 90, held("b", 85, 185)),
    ],
    "rejected while it is held": [HOLD, op("hold", "b", 49, 55, REJECTED), op("get", "b", 300, 310, REJECTED)],
    "rejected by a look before the lease and a stamp after it": [
        HOLD,
        op("hold", "b", 109, 125, replace(REJECTED, created_at=111, expires_at=211, ended_at=111)),
    ],
    "a confirmation without an answer that was carried out": [
        HOLD,
        op("confirm", "a", 55, inf, CONFIRMED),
        op("get", "a", 70, 80, CONFIRMED),
    ],
    "not found before it was held, sent and answered while it was": [
        HOLD,
        op("get", "a", 4, 9, None),
        op("confirm", "a", 8, 30, None),
    ],
    "not found after the lease of the one before, by who holds it then": [
        HOLD,
        op("get", "b", 113, 118, None),
        op("hold", "b", 108, 120, held("b", 111, 211)),
    ],
    "a cancellation without an answer that was not": [
        HOLD,
        op("cancel", "a", 55, inf, EXPIRED),
        op("get", "a", 70, 80, A),
        op("get", "a", 120, 130, EXPIRED),
    ],
}

WRONG = {
    "two at once": [HOLD, op("hold", "b", 20, 30, held("b", 25, 125))],
    "held again before the lease is over": [HOLD, op("hold", "b", 90, 120, held("b", 109, 209))],
    "a confirmed seat given away": [HOLD, op("confirm", "a", 59, 65, CONFIRMED), op("hold", "b", 114, 120, B)],
    "a confirmation lost to the expiry": [
        HOLD,
        op("confirm", "a", 59, 65, CONFIRMED),
        op("get", "a", 111, 120, EXPIRED),
    ],
    "confirmed and cancelled": [HOLD, op("confirm", "a", 59, 70, CONFIRMED), op("cancel", "a", 59, 70, CANCELLED)],
    "a confirmation stamped when the lease was over": [
        HOLD,
        op("confirm", "a", 105, 120, replace(CONFIRMED, ended_at=110)),
    ],
    "a confirmation stamped before it was sent": [HOLD, op("confirm", "a", 61, 70, CONFIRMED)],
    "expired before its time": [HOLD, op("get", "a", 100, 109, EXPIRED)],
    "expired before its time by its own record": [HOLD, op("get", "a", 100, 130, replace(EXPIRED, ended_at=109))],
    "too late, told before it was": [HOLD, op("confirm", "a", 50, 60, replace(EXPIRED, ended_at=58))],
    "held past the lease": [HOLD, op("get", "a", 111, 120, A)],
    "held again after it was seen expired": [HOLD, op("get", "a", 105, 115, EXPIRED), op("get", "a", 116, 120, A)],
    "held again after somebody saw it expired, both in time": [
        HOLD,
        op("get", "a", 100, 111, EXPIRED),
        op("hold", "b", 105, 112, held("b", 110, 210)),
        op("confirm", "a", 112, 120, CONFIRMED),
    ],
    "a stale answer": [HOLD, op("confirm", "a", 59, 65, CONFIRMED), op("get", "a", 66, 70, A)],
    "rejected though it is free": [op("hold", "b", 49, 55, REJECTED)],
    "rejected until another time": [HOLD, op("hold", "b", 49, 55, replace(REJECTED, held_until=120))],
    "rejected until a time though it is confirmed": [
        HOLD,
        op("confirm", "a", 40, 45, replace(CONFIRMED, ended_at=42)),
        op("hold", "b", 49, 55, REJECTED),
    ],
    "rejected long after the lease": [
        HOLD,
        op("hold", "b", 120, 125, replace(REJECTED, created_at=121, expires_at=221, ended_at=121)),
    ],
    "another expiresAt than before": [HOLD, op("get", "a", 50, 60, replace(A, expires_at=111))],
    "not the hold that was asked for": [op("hold", "a", 5, 15, replace(A, expires_at=111))],
    "not found after it was seen": [HOLD, op("get", "a", 16, 20, None)],
    "not found to be confirmed after it has lapsed": [HOLD, op("confirm", "a", 120, 130, None)],
    "not found after it kept another one out": [
        op("hold", "a", 5, 99, A),
        op("hold", "b", 49, 55, REJECTED),
        op("get", "a", 56, 60, None),
    ],
    "a hold in an answer that came before it": [op("hold", "a", 5, 15, A), op("get", "a", 1, 4, A)],
}


@pytest.mark.parametrize("history", RIGHT.values(), ids=RIGHT)
def test_what_a_seat_can_have_answered(history: list[Operation]) -> None:
    verdict = check_seat(history)
    assert verdict.is_linearizable, verdict.stuck
    assert sorted(map(id, verdict.order)) == sorted(map(id, history))


@pytest.mark.parametrize("history", WRONG.values(), ids=WRONG)
def test_what_no_seat_can_have_answered(history: list[Operation]) -> None:
    verdict = check_seat(history)
    assert verdict.is_linearizable is False
    assert verdict.stuck


def test_a_search_that_is_given_up_decides_nothing() -> None:
    assert check_seat(RIGHT["a confirmation twice"], budget=1).is_linearizable is None


def test_histories_by_chance_are_linearizable() -> None:
    for seed in range(300):
        history = by_chance(random.Random(seed), called)
        verdict = check_seat(history)
        assert verdict.is_linearizable, (seed, verdict)


def test_the_search_finds_what_trying_all_orders_finds() -> None:
    found = []
    for seed in range(400):
        chance = random.Random(seed)
        history = by_chance(chance, MUTANTS["a stale answer"] if seed % 2 else called, calls=6)
        assert check_seat(history).is_linearizable == any(in_order(order) for order in permutations(history)), seed
        found.append(check_seat(history).is_linearizable)
    assert {True, False} == set(found)


def in_order(history: Sequence[Operation]) -> bool:
    moments = [Moment()]
    for index, one in enumerate(history):
        if any(later.answered < one.invoked for later in history[index + 1 :]):
            return False
        moments = [after for moment in moments for after in step(moment, one)]
    return bool(moments)


# Seats that are wrong in one thing each.


def late_confirmation(seat: Seat, call: Call, name: str, hold_ms: int, now: int) -> tuple[Seat, Record | None]:
    live = seat.live
    if call == "confirm" and live and live.reservation_id == name and live.status == "held":
        record = replace(live, status="confirmed", ended_at=now)
        return Seat({**seat.records, name: record}, name), record
    return called(seat, call, name, hold_ms, now)


def cancel_wins(seat: Seat, call: Call, name: str, hold_ms: int, now: int) -> tuple[Seat, Record | None]:
    live = seat.live
    if call == "cancel" and live and live.reservation_id == name and live.status == "confirmed":
        record = replace(live, status="cancelled", ended_at=now)
        return Seat({**seat.records, name: record}), record
    return called(seat, call, name, hold_ms, now)


def confirmed_lapses(seat: Seat, call: Call, name: str, hold_ms: int, now: int) -> tuple[Seat, Record | None]:
    live = seat.live
    if live and live.status == "confirmed" and live.expires_at <= now:
        lapsed = replace(live, status="expired", ended_at=now)
        seat = Seat({**seat.records, live.reservation_id: lapsed})
    return called(seat, call, name, hold_ms, now)


def expires_early(seat: Seat, call: Call, name: str, hold_ms: int, now: int) -> tuple[Seat, Record | None]:
    live = seat.live
    early = bool(live and live.status == "held" and now < live.expires_at <= now + 3)
    return called(seat, call, name, hold_ms, live.expires_at if live and early else now)


def double_hold(seat: Seat, call: Call, name: str, hold_ms: int, now: int) -> tuple[Seat, Record | None]:
    live = seat.live
    if call == "hold" and name not in seat.records and live and live.expires_at - now < hold_ms / 4:
        return called(Seat(seat.records), call, name, hold_ms, now)
    return called(seat, call, name, hold_ms, now)


def rejects_free(seat: Seat, call: Call, name: str, hold_ms: int, now: int) -> tuple[Seat, Record | None]:
    if call == "hold" and len(seat.records) % 4 == 3 and seat.live is None:
        record = Record(name, "rejected", now, now + hold_ms, now)
        return Seat({**seat.records, name: record}), record
    return called(seat, call, name, hold_ms, now)


def stamped_anew(seat: Seat, call: Call, name: str, hold_ms: int, now: int) -> tuple[Seat, Record | None]:
    seat, record = called(seat, call, name, hold_ms, now)
    if call == "confirm" and record and record.status == "confirmed":
        record = replace(record, ended_at=now)
        seat = Seat({**seat.records, name: record}, name)
    return seat, record


@dataclass
class Stale:
    """Every third answer is that of the seat as it was before."""

    before: Seat = FREE
    calls: int = 0

    def __call__(self, seat: Seat, call: Call, name: str, hold_ms: int, now: int) -> tuple[Seat, Record | None]:
        after, record = called(seat, call, name, hold_ms, now)
        self.calls += 1
        if call == "get" and self.calls % 3 == 0:
            record = self.before.records.get(name, record)
        self.before = seat
        return after, record


MUTANTS: dict[str, SeatCall] = {
    "a late confirmation": late_confirmation,
    "a confirmation lost to a cancel": cancel_wins,
    "a confirmation lost to the expiry": confirmed_lapses,
    "an early expiry": expires_early,
    "two at once": double_hold,
    "a free seat refused": rejects_free,
    "a confirmation stamped anew": stamped_anew,
    "a stale answer": Stale(),
}


@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=MUTANTS)
def test_mutants_are_found(mutant: SeatCall) -> None:
    verdicts = [check_seat(by_chance(random.Random(seed), mutant)).is_linearizable for seed in range(100)]
    assert verdicts.count(False) >= 5


def by_chance(chance: random.Random, seat_call: SeatCall, calls: int = 40) -> list[Operation]:
    """What four callers of one seat were told: each call takes effect between its sending and its answer."""
    sent = [0.0] * 4
    planned: list[tuple[float, float, float]] = []
    for _ in range(calls):
        client = chance.randrange(len(sent))
        invoked = sent[client] + chance.expovariate(1 / 4)
        point = invoked + chance.expovariate(1 / 3)
        sent[client] = point + chance.expovariate(1 / 3)
        planned.append((point, invoked, sent[client]))
    return list(_carried_out(chance, seat_call, sorted(planned)))


def _carried_out(
    chance: random.Random, seat_call: SeatCall, planned: Sequence[tuple[float, float, float]]
) -> Iterator[Operation]:
    seat, noticed, names = FREE, dict[str, int](), count()
    for point, invoked, answered in planned:
        asked = list(seat.records)
        call: Call = chance.choice(("hold", "get", "get", "confirm", "cancel")) if asked else "hold"
        name = f"r{next(names)}" if call == "hold" else asked[-1 - min(int(chance.expovariate(0.8)), len(asked) - 1)]
        hold_ms = chance.choice((5, 15, 40))
        # The clock is read on the way, and is of no use before the seat was last written to.
        look = int(chance.uniform(invoked, point)) if call == "get" else int(point)
        seat, record = seat_call(seat, call, name, hold_ms, max(look, int(invoked)))
        if record and record.status == "expired":
            at = noticed.setdefault(
                name, max(int(point), record.expires_at) if record.ended_at is None else record.ended_at
            )
            record = replace(record, ended_at=at)
        yield Operation(invoked, answered, call, name, record, hold_ms)
