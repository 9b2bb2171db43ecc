"""One seat as a pure state machine: what `hold`, `confirm`, `cancel`, `expire` and `get` do, and what the lease does.

It is the model of both implementations, cf-workflow/src/seat.ts and aws-durable/src/seats.ts. Times are epoch
milliseconds. Each function takes the seat and the clock that the call reads, and gives the seat as it then is and the
record of the reservation: None when the seat has none of that id.

`PYTHONPATH=tests .venv/bin/python -m support.seat_machine` writes tests/fixtures/seat-machine.json: sequences of calls
with the record that each must answer, which the tests of both halves play against the real seats.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, get_args

from reservation_cli.domain.reservation import Outcome, ReservationStatus

Call = Literal["hold", "confirm", "cancel", "expire", "get"]
CALLS: tuple[Call, ...] = get_args(Call)
ENDINGS: Mapping[Call, Outcome] = {"confirm": "confirmed", "cancel": "cancelled", "expire": "expired"}

FIXTURE = Path(__file__).parents[1] / "fixtures" / "seat-machine.json"
SEED = 1


@dataclass(frozen=True, slots=True)
class Record:
    """A reservation as the seat records it.

    `ended_at` is None while it is held, and for a hold whose lease ran out: that has ended at `expires_at`, and when
    it is noticed, and so written down, is up to who looks.
    """

    reservation_id: str
    status: ReservationStatus
    created_at: int
    expires_at: int
    ended_at: int | None = None
    held_until: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Seat:
    """All reservations that the seat has had, by id, and which of them has it now."""

    records: Mapping[str, Record] = field(default_factory=dict)
    holder: str | None = None

    @property
    def live(self) -> Record | None:
        """The reservation that holds the seat or has it confirmed, as it was last written down."""
        return self.records[self.holder] if self.holder else None

    def __eq__(self, other: object) -> bool:
        """Whether both have the same reservations."""
        return isinstance(other, Seat) and (self.holder, self.records) == (other.holder, other.records)

    def __hash__(self) -> int:
        """Of the holder alone: a checker hashes seats with hundreds of reservations all the time."""
        return hash(self.holder)

    def _with(self, record: Record) -> Seat:
        is_live = record.status in ("held", "confirmed")
        holder = record.reservation_id if is_live else None if self.holder == record.reservation_id else self.holder
        return Seat({**self.records, record.reservation_id: record}, holder)


FREE = Seat()


def settled(seat: Seat, now: int) -> Seat:
    """The seat at `now`: a hold past its lease has expired."""
    live = seat.live
    if live is not None and live.status == "held" and live.expires_at <= now:
        return seat._with(replace(live, status="expired"))
    return seat


def hold(seat: Seat, reservation_id: str, hold_ms: int, now: int) -> tuple[Seat, Record]:
    """Hold the seat, or reject the reservation when another one has it; repeated, it gives what is recorded."""
    seat = settled(seat, now)
    existing = seat.records.get(reservation_id)
    if existing is not None:
        return seat, existing
    live = seat.live
    record = Record(reservation_id, "held", now, now + hold_ms)
    if live is not None:
        until = live.expires_at if live.status == "held" else None
        record = replace(record, status="rejected", ended_at=now, held_until=until)
    return seat._with(record), record


def end(seat: Seat, reservation_id: str, outcome: Outcome, now: int) -> tuple[Seat, Record | None]:
    """End the reservation if it is held; the first end stays."""
    seat = settled(seat, now)
    record = seat.records.get(reservation_id)
    if record is None or record.status != "held":
        return seat, record
    record = replace(record, status=outcome, ended_at=now)
    return seat._with(record), record


def get(seat: Seat, reservation_id: str, now: int) -> tuple[Seat, Record | None]:
    """The reservation at `now`."""
    seat = settled(seat, now)
    return seat, seat.records.get(reservation_id)


def called(seat: Seat, call: Call, reservation_id: str, hold_ms: int, now: int) -> tuple[Seat, Record | None]:
    """The call of that name; `hold_ms` is of use to `hold` alone."""
    if call == "hold":
        return hold(seat, reservation_id, hold_ms, now)
    if call == "get":
        return get(seat, reservation_id, now)
    return end(seat, reservation_id, ENDINGS[call], now)


@dataclass(frozen=True, slots=True)
class Played:
    """One call of a sequence: `at` is milliseconds since its beginning, `record` what it must answer."""

    at: int
    call: Call
    reservation_id: str
    record: Record | None


#: Two reservations want the seat, each for a time of its own: whole seconds, so that both platforms can wait them.
HOLDS: Mapping[str, int] = {"a": 1_000, "b": 2_000}
#: How far the clock goes on between two calls: not at all, to just before a lease, to its very end, past it.
STEPS: tuple[int, ...] = (0, 1, 999, 1_000, 1_001, 3_000)
LENGTH = 12

#: The state of each reservation (None: it was never asked for), and the call that comes then.
States = tuple[str | None, ...]
Case = tuple[States, Call, str]


def play(chance: random.Random, length: int = LENGTH) -> list[Played]:
    """A sequence of calls by chance."""
    seat, now, made = FREE, 0, list[Played]()
    for _ in range(length):
        now += chance.choice(STEPS)
        call, reservation_id = chance.choice(CALLS), chance.choice(tuple(HOLDS))
        seat, record = called(seat, call, reservation_id, HOLDS[reservation_id], now)
        made.append(Played(now, call, reservation_id, record))
    return made


def states(sequence: Sequence[Played]) -> Iterator[tuple[States, Played]]:
    """Each call with the states of all reservations that it meets.

    A hold past its lease that nobody has touched yet is a state of its own: `lapsed`.
    """
    seat = FREE
    for played in sequence:
        records = [seat.records.get(name) for name in HOLDS]
        yield tuple(_state(record, played.at) if record else None for record in records), played
        hold_ms = HOLDS[played.reservation_id]
        seat, _ = called(seat, played.call, played.reservation_id, hold_ms, played.at)


def _state(record: Record, now: int) -> str:
    return "lapsed" if record.status == "held" and record.expires_at <= now else record.status


def sequences(seed: int = SEED, candidates: int = 4_000) -> list[list[Played]]:
    """A few sequences by chance that have in them every case that is in any of the `candidates`."""
    chance = random.Random(seed)
    played = [play(chance) for _ in range(candidates)]
    cases: list[set[Case]] = [
        {(met, call.call, call.reservation_id) for met, call in states(sequence)} for sequence in played
    ]
    missing, kept = set[Case]().union(*cases), list[list[Played]]()
    while missing:
        best = max(range(candidates), key=lambda index: len(cases[index] & missing))
        missing -= cases[best]
        kept.append(played[best])
    return kept


def as_json(played: Played) -> dict[str, object]:
    """The call as the fixture has it: `expect` is null for an unknown reservation; times since the beginning."""
    record, wanted = played.record, None
    if record is not None:
        wanted = {
            "status": record.status,
            "createdAt": record.created_at,
            "expiresAt": record.expires_at,
            "endedAt": record.ended_at,
            "heldUntil": record.held_until,
        }
    hold_seconds = {"holdSeconds": HOLDS[played.reservation_id] // 1_000} if played.call == "hold" else {}
    return {"at": played.at, "call": played.call, "id": played.reservation_id, **hold_seconds, "expect": wanted}


def fixture() -> str:
    """The text of the fixture: a call a line."""
    about = (
        "Calls on one seat and the record each must answer; times are ms since the sequence began. Null: no such"
        " reservation, no such time. An expired reservation without endedAt lapsed: it ends at expiresAt or, where"
        " it was noticed later, then. Made by: PYTHONPATH=tests .venv/bin/python -m support.seat_machine"
    )
    every = ",\n".join(
        "[\n" + ",\n".join(json.dumps(as_json(call)) for call in sequence) + "\n]" for sequence in sequences()
    )
    return f'{{\n"about": {json.dumps(about)},\n"sequences": [\n{every}\n]\n}}\n'


if __name__ == "__main__":
    FIXTURE.write_text(fixture())
