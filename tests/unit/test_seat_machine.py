"""The seat as a state machine keeps the invariants, whatever is called in whatever order, and the fixture is of it."""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule

from support import seat_machine
from support.seat_machine import CALLS, ENDINGS, FREE, Call, Record, Seat, called, hold

SECOND = 1_000
calls = st.sampled_from(CALLS)


class SeatLife(RuleBasedStateMachine):
    """Calls by chance on one seat, while the clock goes on. Beside the seat stands what was answered until now."""

    asked: Bundle[str] = Bundle("asked")

    @initialize()
    def begin(self) -> None:
        self.seat: Seat = FREE
        self.now = 1_000_000
        self.told: dict[str, Record] = {}

    @rule(target=asked, seconds=st.integers(1, 5))
    def hold_anew(self, seconds: int) -> Any:
        name = f"r-{len(self.told)}"
        taken = self.holder
        record = self.call("hold", name, seconds * SECOND)
        assert record is not None
        assert record.status == ("rejected" if taken else "held")
        assert record.expires_at == self.now + seconds * SECOND
        if taken:
            assert record.held_until == (taken.expires_at if taken.status == "held" else None)
        return multiple(name)

    @rule(name=asked, call=calls)
    def call_again(self, name: str, call: Call) -> None:
        before = self.as_it_stands(name)
        record = self.call(call, name, SECOND)
        if before.status == "held" and call in ENDINGS:
            assert record is not None
            assert (record.status, record.ended_at) == (ENDINGS[call], self.now)
        else:
            assert record == before

    @rule(call=calls.filter(lambda call: call != "hold"))
    def call_for_nobody(self, call: Call) -> None:
        assert self.call(call, "nobody", SECOND) is None

    @rule(ms=st.one_of(st.integers(0, 10), st.sampled_from([SECOND - 1, SECOND, SECOND + 1, 10 * SECOND])))
    def time_goes_on(self, ms: int) -> None:
        self.now += ms

    @rule()
    def time_goes_on_to_the_lease(self) -> None:
        if self.holder:
            self.now = max(self.now, self.holder.expires_at)

    @invariant()
    def one_has_it_at_most(self) -> None:
        live = [record for record in self.seat.records.values() if record.status in ("held", "confirmed")]
        assert len(live) <= 1
        assert self.seat.live == (live[0] if live else None)

    @invariant()
    def what_was_told_stays_true(self) -> None:
        for name, told in self.told.items():
            now = self.as_it_stands(name)
            assert (now.created_at, now.expires_at) == (told.created_at, told.expires_at)
            if told.status != "held":
                assert now == told

    @invariant()
    def no_confirmation_is_late(self) -> None:
        for record in self.seat.records.values():
            if record.status in ("confirmed", "cancelled"):
                assert record.ended_at is not None
                assert record.created_at <= record.ended_at < record.expires_at

    @property
    def holder(self) -> Record | None:
        """Who has the seat now: not somebody whose lease is over."""
        live = self.seat.live
        return None if live and live.status == "held" and live.expires_at <= self.now else live

    def as_it_stands(self, name: str) -> Record:
        _, record = called(self.seat, "get", name, 0, self.now)
        assert record is not None
        return record

    def call(self, call: Call, name: str, hold_ms: int) -> Record | None:
        self.seat, record = called(self.seat, call, name, hold_ms, self.now)
        if record is not None:
            self.told[name] = record
        return record


TestSeatLife = SeatLife.TestCase
# No time limit: a slow machine is no defect. No database: what is found is printed, and nothing is left behind.
TestSeatLife.settings = settings(deadline=None, database=None, stateful_step_count=40)


def test_the_fixture_is_made_of_this_machine() -> None:
    assert seat_machine.FIXTURE.read_text() == seat_machine.fixture(), (
        "make it anew: PYTHONPATH=tests .venv/bin/python -m support.seat_machine"
    )


def test_the_fixture_has_each_call_in_each_state() -> None:
    seen = {
        (*met, played.call)
        for sequence in seat_machine.sequences()
        for both, played in seat_machine.states(sequence)
        for met in (both, both[::-1])
    }
    states = {
        (None, None),
        *((status, None) for status in ("held", "lapsed", "confirmed", "cancelled", "expired")),
        ("held", "rejected"),
        ("lapsed", "rejected"),
        *((mine, "rejected") for mine in ("confirmed", "cancelled", "expired")),
        *((mine, theirs) for mine in ("cancelled", "expired") for theirs in ("held", "confirmed")),
        *((mine, "lapsed") for mine in ("cancelled", "expired", "rejected")),
    }
    assert {(*state, call) for state in states for call in CALLS} <= seen


def test_a_seat_does_not_hash_its_whole_past() -> None:
    seat, _ = hold(FREE, "a", SECOND, 0)
    other, _ = hold(FREE, "a", SECOND, 0)
    assert (seat, hash(seat)) == (other, hash(other))
    assert seat != FREE
