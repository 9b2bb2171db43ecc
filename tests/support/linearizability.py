"""Whether what the callers of a seat were told can have come from one seat that answers one call after the other.

The search is that of Wing and Gong with Lowe's memory of where it has been, as in porcupine: take, of the calls that
no finished call came before, one whose answer is right in the present state; go back when there is none. The state is
the seat of `support.seat_machine`.

The lease makes it a question of time as well. The calls' times and those that the seat records are one machine's
clock, in epoch milliseconds. A call reads the clock once, between its sending and its answer, and not later than it
takes effect; it finds a hold lapsed if, and only if, that reading is at or past `expires_at`. Where the answer tells
the reading (`created_at`, `ended_at`), it is that one; else any that fits. So a hold that a call saw lapse has lapsed
for all calls after it, which must not have been answered before `expires_at`; and one that was sent past `expires_at`
can't see it held. Nothing but the lease ends a hold by itself: a workflow that expires it early is a violation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import floor, inf

from support.seat_machine import FREE, Call, Record, Seat, called


@dataclass(frozen=True, slots=True)
class Operation:
    """A call on a seat: sent and answered when, in epoch ms, and the record it was told; None when it found none.

    One without an answer has `answered` infinite, and is told how the reservation ended: it may have been carried out
    at any time since, or never, which is the same as after all others.
    """

    invoked: float
    answered: float
    call: Call
    reservation_id: str
    told: Record | None
    hold_ms: int = 0


@dataclass(frozen=True, slots=True)
class Verdict:
    """`order` is a right order of the operations, or the longest beginning of one, with what is `stuck` after it.

    `is_linearizable` is None when the search was given up after `visited` states.
    """

    is_linearizable: bool | None
    order: tuple[Operation, ...]
    stuck: tuple[Operation, ...]
    visited: int


@dataclass(frozen=True, slots=True)
class Moment:
    """A seat, and the latest clock that a change of it was made by: all that comes is later."""

    seat: Seat = FREE
    since: int = 0


def check_seat(history: Iterable[Operation], budget: int = 1_000_000) -> Verdict:
    """Whether the calls on one seat, free at the beginning, are linearizable."""
    return linearize(sorted(history, key=lambda one: one.invoked), Moment(), step, is_idle, budget)


def step(moment: Moment, one: Operation) -> Iterator[Moment]:
    """The moment after the call, if the seat can have answered it so."""
    if one.told is None:
        # To find nothing takes no look at the clock, and may not even take one at the seat.
        if one.reservation_id not in moment.seat.records:
            yield moment
        return
    told = _lapsed(one.told)
    sent = floor(one.invoked)
    stamps = (told.created_at, told.ended_at)
    live = moment.seat.live
    lease = (live.expires_at,) if live else ()
    # In this order: a reading that lets no hold lapse leaves open all that one that does would, and more.
    looks = sorted({sent, *(time for time in (*stamps, *lease) if time is not None and sent <= time <= one.answered)})
    for look in looks:
        seat, record = called(moment.seat, one.call, one.reservation_id, one.hold_ms, look)
        is_new = one.reservation_id not in moment.seat.records
        if is_new and record and record.status == told.status == "rejected":
            # AWS looks at the seat, and then reads the clock for the record.
            if record.held_until != told.held_until or not sent <= told.created_at <= one.answered:
                continue
            seat, record = Seat({**seat.records, one.reservation_id: told}, seat.holder), told
        if record != told:
            continue
        # Who changes the seat has read it as it is, and reads the clock after that.
        has_changed = seat.live != moment.seat.live
        if has_changed and look < moment.since:
            continue
        since = look if has_changed else moment.since
        if since <= one.answered:
            yield Moment(seat, since)
            return


def is_idle(before: Moment, after: Moment) -> bool:
    """Whether a call changed nothing for others: it did at most reject a reservation, and all know that."""
    return before.seat.live == after.seat.live and before.since == after.since


def linearize(
    operations: Sequence[Operation],
    initial: Moment,
    step: Callable[[Moment, Operation], Iterator[Moment]],
    is_idle: Callable[[Moment, Moment], bool],
    budget: int,
) -> Verdict:
    """Search for an order of `operations` (by the time they were sent) that respects time and `step`.

    `step` gives the states that an operation may lead to: none when its answer is wrong. States are hashable.
    `is_idle` tells whether an operation that leads from one state to another stands in no other's way.
    """
    everything = (1 << len(operations)) - 1
    been: set[tuple[int, Moment]] = {(0, initial)}
    path: list[tuple[int, Iterator[tuple[int, Moment]]]] = [(-1, _next(operations, 0, initial, step, is_idle))]
    done, longest = 0, list[int]()
    while done != everything and len(been) <= budget:
        found = next((way for way in path[-1][1] if (done | 1 << way[0], way[1]) not in been), None)
        if found is None:
            index, _ = path.pop()
            if not path:
                break
            done &= ~(1 << index)
            continue
        index, state = found
        done |= 1 << index
        been.add((done, state))
        path.append((index, _next(operations, done, state, step, is_idle)))
        if len(path) - 1 > len(longest):
            longest = [taken for taken, _ in path[1:]]
    taken = sum(1 << index for index in longest)
    stuck = () if done == everything else tuple(operations[index] for index in _enabled(operations, taken))
    verdict = True if done == everything else None if path else False
    return Verdict(verdict, tuple(operations[index] for index in longest), stuck, len(been))


def _next(
    operations: Sequence[Operation],
    done: int,
    state: Moment,
    step: Callable[[Moment, Operation], Iterator[Moment]],
    is_idle: Callable[[Moment, Moment], bool],
) -> Iterator[tuple[int, Moment]]:
    """The operations that may come next, each with the state it leads to.

    One that is idle is taken at once, and no other way is tried: or the search would try them in every order.
    """
    ways = [(index, after) for index in _enabled(operations, done) for after in step(state, operations[index])]
    idle = next((way for way in ways if is_idle(state, way[1])), None)
    # What was written first, by its own clock, is most likely to have come first.
    yield from [idle] if idle else sorted(ways, key=lambda way: way[1].since)


def _enabled(operations: Sequence[Operation], done: int) -> list[int]:
    """Those that are not `done` and were sent before any of these was answered; who was answered first comes first."""
    found, earliest = list[int](), inf
    first = (~done & (done + 1)).bit_length() - 1
    for index in range(first, len(operations)):
        if operations[index].invoked > earliest:
            break
        if not done >> index & 1:
            found.append(index)
            earliest = min(earliest, operations[index].answered)
    may = [index for index in found if operations[index].invoked <= earliest]
    return sorted(may, key=lambda index: operations[index].answered)


def _lapsed(told: Record) -> Record:
    """An expiry as the machine has it: when it was noticed is nobody's business, if only it was not too early."""
    if told.status == "expired" and told.ended_at is not None and told.ended_at >= told.expires_at:
        return replace(told, ended_at=None)
    return told
