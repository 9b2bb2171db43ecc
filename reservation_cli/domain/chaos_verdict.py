"""What a chaos run says: whether each reservation kept its promises, and the ledger of attempts and effects."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from reservation_cli.domain.benchmark import Verdict
from reservation_cli.domain.chaos import PATIENCE_SECONDS, STEPS, Booking, Chaos, Judged, Step, Stored
from reservation_cli.domain.reservation import Outcome, Platform
from reservation_cli.domain.timeline import ENDED

_PATIENCE = timedelta(seconds=PATIENCE_SECONDS)
#: By so much the engines' own clocks may disagree about the end of a wait or a step: they count whole milliseconds.
_EARLY = timedelta(milliseconds=5)
#: So much may lie between a look at the seat that finds it taken and the time in the record of the rejection.
_LOOK = timedelta(seconds=1)
_DONE: Mapping[str, Outcome] = {"confirm": "confirmed", "cancel": "cancelled"}

Seats = Mapping[tuple[Platform, str], Sequence[Booking]]


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the ledger: one step of one platform.

    `attempts` are the step's bodies that began and, of the end, the confirmations and cancels as well; `again` those
    beyond the first body of each reservation. `effects` are the changes of records in the seats' storage, `wanted` is
    how many there have to be: one for each reservation that took the step.
    """

    platform: Platform
    step: Step
    reservations: int
    attempts: int
    again: int
    effects: int
    wanted: int


def judged(chaos: Chaos) -> tuple[Judged, ...]:
    """Each reservation, in the order of sending."""
    seats = _by_seat(chaos.bookings)
    return tuple(Judged(booking, *_verdict(booking, chaos, seats)) for booking in chaos.bookings)


def double_held(bookings: Iterable[Booking]) -> int:
    """How many seats, each on its platform, two reservations have held at once, by the records in the storage."""
    by_seat: dict[tuple[Platform, str], list[tuple[datetime, datetime]]] = {}
    for booking in bookings:
        stored = booking.stored
        if stored is None or stored.status == "rejected" or stored.created_at is None:
            continue
        # A confirmed seat is taken for good, and one that is still held for now.
        over = stored.ended_at if stored.status in ("expired", "cancelled") else None
        end = over or datetime.max.replace(tzinfo=stored.created_at.tzinfo)
        by_seat.setdefault((booking.ask.platform, booking.ask.seat), []).append((stored.created_at, end))
    return sum(_overlap(held) for held in by_seat.values())


def still_held(chaos: Chaos) -> int:
    """How many holds have not ended: each has to, in a run that was not interrupted."""
    held = (booking.stored is not None and booking.stored.status == "held" for booking in chaos.bookings)
    return 0 if chaos.interrupted else sum(held)


def ledger(chaos: Chaos) -> tuple[Entry, ...]:
    """Attempts against effects, by platform and step, of all that was accepted and not interrupted."""
    counted = [one.booking for one in judged(chaos) if one.verdict not in ("refused", "unfinished")]
    return tuple(
        _entry(platform, step, [one for one in counted if one.ask.platform == platform])
        for platform in chaos.plan.platforms
        for step in STEPS
    )


def counts(chaos: Chaos) -> Counter[Verdict]:
    """How many reservations got each verdict."""
    return Counter(one.verdict for one in judged(chaos))


def broken(chaos: Chaos) -> tuple[str, ...]:
    """The promises that were not kept, each in words; none of a good run."""
    count = counts(chaos)
    told = [
        (count["lost"], "reservations were lost"),
        (count["duplicated"], "reservations were changed more than once by one step"),
        (count["wrong"], "reservations ended wrong"),
        (count["refused"], "reservations were never accepted"),
        (double_held(chaos.bookings), "seats were held twice at once"),
        (still_held(chaos), "holds have not ended"),
    ]
    failed = [f"the stack did not come back ({chaos.failed})"] if chaos.failed else []
    return (*failed, *(f"{number} {words}" for number, words in told if number))


def _verdict(one: Booking, chaos: Chaos, seats: Seats) -> tuple[Verdict, str | None]:
    over = chaos.begun + timedelta(seconds=chaos.seconds)
    if one.accepted is None and one.stored is None and one.status == "unknown":
        is_early = chaos.interrupted and over < one.sent + _PATIENCE
        return "unfinished" if is_early else "refused", one.refusal or "it was never accepted"
    if one.status not in ENDED:
        due = one.due or one.sent + timedelta(seconds=one.ask.hold_seconds)
        is_early = chaos.interrupted and over < due + _PATIENCE
        return "unfinished" if is_early else "lost", one.error or f"its workflow is {one.status}"
    if one.stored is None or one.stored.status == "held":
        return "lost", "its workflow has ended, and its hold has not" if one.stored else "its seat knows nothing of it"
    wanted = 1 if one.stored.status == "rejected" else 2
    if one.stored.revision != wanted:
        return "duplicated", f"its record was written {one.stored.revision} times, not {wanted}"
    if _is_made_again(one):
        return "duplicated", "its record was made again after create-hold was done"
    if any(number > 1 for number in one.succeeded):
        return "duplicated", "a step was done more than once"
    reason = _against_the_readers(one, one.stored) or _against_the_answers(one) or _against_the_lease(one, one.stored)
    if reason is None and one.stored.status == "rejected" and not (chaos.interrupted or chaos.failed):
        reason = _against_the_holder(one, one.stored, seats)
    return ("wrong", reason) if reason else ("right", None)


def _against_the_readers(one: Booking, stored: Stored) -> str | None:
    if one.status != "succeeded":
        return one.error or f"its workflow {one.status}"
    says = {"its workflow": one.outcome, "its seat": one.seat, "the storage": stored.status}
    if len(set(says.values())) > 1 or one.listed != "succeeded":
        told = ", ".join(f"{who} says {what}" for who, what in says.items())
        return f"the readers disagree: {told}, the list says {one.listed}"
    return None


def _against_the_answers(one: Booking) -> str | None:
    action = one.ask.action
    if action and one.answer == "done" and one.outcome != _DONE[action]:
        return f"its {action} was answered with success, and it ended {one.outcome}"
    allowed: set[str] = {"expired"} if one.answer != "done" else set()
    if one.ask.rivals:
        allowed.add("rejected")
    if action and one.answer in ("done", "none"):
        allowed.add(_DONE[action])
    return None if one.outcome in allowed else f"it ended {one.outcome}, which nobody asked for"


def _against_the_lease(one: Booking, stored: Stored) -> str | None:
    """A seat is confirmed or cancelled within its lease only, and expires after it, and not long after it."""
    if stored.created_at is None or (stored.status != "rejected" and stored.ended_at is None):
        return "its record lacks a time"
    end = _lease_end(one, stored.created_at)
    if stored.status in ("confirmed", "cancelled") and stored.ended_at and stored.ended_at >= end:
        return f"it was {stored.status} {_seconds(stored.ended_at - end)} after its lease had ended"
    if stored.status == "expired" and stored.ended_at:
        if stored.ended_at < end:
            return f"it expired {_seconds(end - stored.ended_at)} before its lease ended"
        if one.due and one.final_bodies and one.final_bodies[0] < one.due - _EARLY:
            return "its workflow ended the hold before it was due"
        late = max(stored.ended_at, one.finalized or stored.ended_at)
        if late > end + _PATIENCE:
            return f"it expired {_seconds(late - end)} after its lease had ended"
        if one.answer == "refused" and one.answered and one.answered < end:
            return f"its {one.ask.action} was refused {_seconds(end - one.answered)} before its lease ended"
    return None


def _against_the_holder(one: Booking, stored: Stored, seats: Seats) -> str | None:
    others = [other for other in seats[one.ask.platform, one.ask.seat] if other is not one]
    if stored.created_at is None or any(_had_the_seat(other, stored.created_at) for other in others):
        return None
    return "it was rejected while nobody had the seat"


def _had_the_seat(one: Booking, at: datetime) -> bool:
    stored = one.stored
    if stored is None or stored.status == "rejected" or stored.created_at is None or stored.created_at > at:
        return False
    if stored.status == "confirmed":
        return True
    end = stored.ended_at if stored.status == "cancelled" else _lease_end(one, stored.created_at)
    return end is None or at < end + _LOOK


def _lease_end(one: Booking, created_at: datetime) -> datetime:
    return created_at + timedelta(seconds=one.ask.hold_seconds)


def _is_made_again(one: Booking) -> bool:
    """Whether its record is younger than the end of the step that made it."""
    made = one.stored.created_at if one.stored else None
    return made is not None and one.held is not None and made > one.held + _EARLY


def _by_seat(bookings: Iterable[Booking]) -> Seats:
    found: dict[tuple[Platform, str], list[Booking]] = {}
    for one in bookings:
        found.setdefault((one.ask.platform, one.ask.seat), []).append(one)
    return found


def _overlap(held: Sequence[tuple[datetime, datetime]]) -> bool:
    return any(later[0] < earlier[1] for earlier, later in pairwise(sorted(held)))


def _entry(platform: Platform, step: Step, bookings: Sequence[Booking]) -> Entry:
    taking = bookings if step == "create-hold" else [one for one in bookings if not _is_rejected(one)]
    bodies = [one.hold_bodies if step == "create-hold" else one.final_bodies for one in taking]
    calls = 0 if step == "create-hold" else sum(one.calls for one in taking)
    return Entry(
        platform=platform,
        step=step,
        reservations=len(taking),
        attempts=sum(map(len, bodies)) + calls,
        again=sum(max(0, len(found) - 1) for found in bodies),
        effects=sum(_effects(one, step) for one in taking),
        wanted=len(taking),
    )


def _effects(one: Booking, step: Step) -> int:
    """How often the record was changed by that step: a rejected one is made, and never changed."""
    if one.stored is None:
        return 0
    if step == "finalize":
        return max(0, one.stored.revision - 1)
    return (one.stored.revision if _is_rejected(one) else 1) + _is_made_again(one)


def _is_rejected(one: Booking) -> bool:
    return (one.stored.status if one.stored else one.outcome) == "rejected"


def _seconds(length: timedelta) -> str:
    return f"{length.total_seconds():.3f} s"
