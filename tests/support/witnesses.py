"""What callers were told and what every reader says at the end, held against the invariants of a reservation. Pure.

Times of calls are epoch milliseconds of this machine, which on the local stack is the services' clock as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from math import floor, inf
from typing import Literal

from reservation_cli.domain.reservation import Outcome, Reservation, ReservationRequest
from reservation_cli.domain.timeline import ExecutionStatus, Timeline

Act = Literal["reserve", "confirm", "cancel", "read"]

#: What a refusal says about how the reservation ended.
REFUSALS: Mapping[str, Outcome] = {
    "too_late": "expired",
    "already_confirmed": "confirmed",
    "already_cancelled": "cancelled",
    "rejected": "rejected",
}
#: All refusals that a platform may give. Nobody kills a process here: any other, a server error first, is a defect.
GIVEN = frozenset({*REFUSALS, "not_found", "reservation_conflict"})
#: No answer: no connection, one that broke off, or too long a wait. It says nothing about the reservation.
OPEN = frozenset({"unreachable", "timed_out"})
WON: Mapping[Act, Outcome] = {"confirm": "confirmed", "cancel": "cancelled"}


@dataclass(frozen=True, slots=True)
class Answer:
    """One call and its answer: a record, or the code of the error that it was refused with.

    `ref` is the execution that `reserve` was told of, `message` the error's.
    """

    act: Act
    request: ReservationRequest
    sent: float
    answered: float
    record: Reservation | None = None
    refusal: str | None = None
    ref: str | None = None
    message: str = ""

    @property
    def reservation_id(self) -> str:
        """Which reservation it was about."""
        return self.request.reservation_id

    @property
    def is_open(self) -> bool:
        """Whether nobody said what came of it."""
        return self.refusal in OPEN

    @property
    def is_failure(self) -> bool:
        """Whether it was answered with an error that no platform may give."""
        return self.refusal is not None and self.refusal not in GIVEN | OPEN

    @property
    def is_decided(self) -> bool:
        """Whether its reservation answered: with its record, or with a refusal."""
        return self.record is not None or self.refusal in GIVEN

    @property
    def told(self) -> str:
        """The call and what it was told in two words: "confirm too_late"; "accepted" is a reserve without its hold."""
        return f"{self.act} {self.record.status if self.record else self.refusal or 'accepted'}"

    @property
    def has_won(self) -> bool:
        """Whether a confirmation or a cancellation was answered with success."""
        return self.act in WON and self.record is not None


@dataclass(frozen=True, slots=True)
class Witnesses:
    """What the readers say of one reservation in the end; None where a reader knows nothing of it.

    `seat` is the seat's record, `lane` the timeline with the workflow's output, `listed` the list's status.
    """

    seat: Reservation | None
    lane: Timeline | None
    listed: ExecutionStatus | None


def ms(time: datetime | None) -> int:
    """Epoch milliseconds; -1 for none."""
    return -1 if time is None else round(time.timestamp() * 1000)


def problems(answers: Sequence[Answer], ends: Mapping[str, Witnesses]) -> list[str]:
    """All that is wrong with the reservations of one race: nothing, if the invariants hold."""
    found = []
    for reservation_id, end in ends.items():
        mine = [answer for answer in answers if answer.reservation_id == reservation_id]
        reasons = [
            f"{one.act} was refused for {one.refusal}" + (f": {one.message}" if one.message else "")
            for one in mine
            if one.is_failure
        ]
        # Unless nobody was told that there is one.
        is_made = any(one.act == "reserve" and not (one.is_open or one.is_failure) for one in mine)
        if is_made or end.seat or end.lane:
            reasons += [*_of_readers(end), *(_of_answers(mine, end.seat) if end.seat else ())]
        found += [f"{reservation_id}: {reason}" for reason in reasons]
    return found + [f"{first} and {then} had the seat at once" for first, then in overlaps(_records(ends))]


def lost(answers: Sequence[Answer], ends: Mapping[str, Witnesses]) -> int:
    """How many confirmations that were answered with success some reader knows nothing of."""
    return sum(
        answer.act == "confirm" and answer.has_won and _outcomes(ends[answer.reservation_id]) != {"confirmed"}
        for answer in answers
    )


def overlaps(records: Iterable[Reservation]) -> Iterator[tuple[str, str]]:
    """The pairs of reservations that had one seat at the same time."""
    by_seat: dict[str, list[Reservation]] = {}
    for record in records:
        if record.status != "rejected":
            by_seat.setdefault(record.seat, []).append(record)
    for on_seat in by_seat.values():
        on_seat.sort(key=lambda record: ms(record.created_at))
        for before, after in pairwise(on_seat):
            # One that was never ended, or confirmed for good, leaves the seat to nobody.
            is_gone = before.status in ("expired", "cancelled") and ms(before.ended_at) <= ms(after.created_at)
            if not is_gone:
                yield before.reservation_id, after.reservation_id


def _records(ends: Mapping[str, Witnesses]) -> list[Reservation]:
    return [end.seat for end in ends.values() if end.seat]


def _outcomes(end: Witnesses) -> set[str | None]:
    return {end.seat.status if end.seat else None, end.lane.outcome if end.lane else None}


def _of_readers(end: Witnesses) -> Iterator[str]:
    seat, lane = end.seat, end.lane
    if seat is None or lane is None:
        yield f"unknown to {'its seat' if seat is None else 'status'}"
        return
    if seat.status == "held":
        yield "held for ever"
    if lane.outcome != seat.status:
        yield f"its workflow says {lane.outcome}, its seat {seat.status}"
    elif lane.reservation != seat:
        yield f"its workflow's record is not its seat's: {lane.reservation}, {seat}"
    if lane.status != "succeeded" or end.listed != "succeeded":
        yield f"its execution {lane.status}, and {end.listed} in the list"
    if seat.status in ("confirmed", "cancelled") and ms(seat.ended_at) >= ms(seat.expires_at):
        yield f"{seat.status} {ms(seat.ended_at) - ms(seat.expires_at)} ms past its lease"
    if seat.status == "expired" and ms(seat.ended_at) < ms(seat.expires_at):
        yield f"expired {ms(seat.expires_at) - ms(seat.ended_at)} ms before its time"


def _of_answers(answers: Sequence[Answer], seat: Reservation) -> Iterator[str]:
    # A reserve may have been told "accepted" only: whoever was told more has seen the hold.
    known = min((one.answered for one in answers if one.record or one.refusal in REFUSALS), default=inf)
    for answer in answers:
        record, code = answer.record, answer.refusal
        if record is not None:
            if (record.created_at, record.expires_at) != (seat.created_at, seat.expires_at):
                yield f"{answer.act} was told of another hold: {record}"
            if record.status != "held" and record != seat:
                yield f"{answer.act} was told {record.status}, and in the end it is {seat.status}"
            if answer.act in WON and record.status != WON[answer.act]:
                yield f"{answer.act} was answered with success, and {record.status}"
        elif code == "not_found":
            if answer.sent > known:
                yield f"{answer.act} did not find it {answer.sent - known:.0f} ms after somebody was told of it"
        elif code == "reservation_conflict":
            if all(other.request == answer.request for other in answers):
                yield f"{answer.act} was refused as made with other input, and there was none"
        elif code is None or code not in REFUSALS:
            continue  # accepted, without the hold; or nothing was said of the reservation
        elif REFUSALS[code] != seat.status:
            yield f"{answer.act} was refused as {code}, and in the end it is {seat.status}"
        elif code == "too_late" and answer.answered < ms(seat.expires_at):
            yield f"{answer.act} was too late {ms(seat.expires_at) - answer.answered:.1f} ms before its time"
    if seat.status in WON.values() and not any(_can_have_ended(answer, seat) for answer in answers):
        yield f"{seat.status} at a time at which nobody asked for it"


def _can_have_ended(answer: Answer, seat: Reservation) -> bool:
    answered = inf if answer.is_open else answer.answered
    return WON.get(answer.act) == seat.status and floor(answer.sent) <= ms(seat.ended_at) <= answered
