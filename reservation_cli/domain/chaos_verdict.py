"""What a chaos run says: whether each reservation kept its promises, how soon each kill was got over, the ledger."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from reservation_cli.domain import statistics
from reservation_cli.domain.benchmark import Verdict
from reservation_cli.domain.chaos import STEPS, Booking, Chaos, Judged, Kill, Phase, Step, Victim
from reservation_cli.domain.reservation import Outcome, Platform
from reservation_cli.domain.statistics import Statistics
from reservation_cli.domain.timeline import ENDED

#: So near to its end a hold is at its due time.
_AT_DUE = timedelta(milliseconds=25)
#: By so much the engines' own clocks may disagree about the end of a wait: they count whole milliseconds.
_EARLY = timedelta(milliseconds=5)
_DONE: Mapping[str, Outcome] = {"confirm": "confirmed", "cancel": "cancelled"}


@dataclass(frozen=True, slots=True)
class Aftermath:
    """What one kill did. Times are milliseconds from the kill, None where nothing was there to tell.

    `observed` is the wanted moment if at least one reservation was in it, else where most were; `caught` counts all
    that had not ended. `progress_ms`: the first step body that began or ended. `served_ms`: the hold of a reservation
    that was sent after the kill. `resumed_ms`: the longest that something had to wait that was under way or became due.
    Of two platforms the later one counts. `again` counts the step bodies that the kill made run again; `outcomes` are
    those of the reservations made for it, and `broken` how many of them are not right.
    """

    kill: Kill
    observed: Phase | None
    caught: Mapping[Phase, int]
    progress_ms: float | None
    served_ms: float | None
    resumed_ms: float | None
    again: int
    outcomes: Mapping[str, int]
    broken: int

    @property
    def recovered_ms(self) -> float | None:
        """Until all was as before: new requests are served, and what had to wait goes on."""
        return max((ms for ms in (self.served_ms, self.resumed_ms) if ms is not None), default=None)


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
    return tuple(Judged(booking, *_verdict(booking, chaos.interrupted)) for booking in chaos.bookings)


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


def still_held(bookings: Iterable[Booking]) -> int:
    """How many holds have not ended: each has to."""
    return sum(booking.stored is not None and booking.stored.status == "held" for booking in bookings)


def aftermaths(chaos: Chaos) -> tuple[Aftermath, ...]:
    """What each kill did, in their order."""
    verdicts = judged(chaos)
    return tuple(_aftermath(chaos, kill, verdicts) for kill in chaos.kills)


def recovery(found: Sequence[Aftermath], metric: str, victim: Victim | None = None) -> Statistics | None:
    """The statistics of `metric` (such as 'recovered_ms') over the kills of one process or of all; None without."""
    values = [getattr(one, metric) for one in found if victim in (None, one.kill.victim)]
    return statistics.describe([float(value) for value in values if value is not None])


def coverage(found: Sequence[Aftermath]) -> Mapping[Victim, Mapping[Phase, int]]:
    """How many kills of each process caught at least one reservation in each moment."""
    counted: dict[Victim, Counter[Phase]] = {}
    for one in found:
        counted.setdefault(one.kill.victim, Counter()).update(dict.fromkeys(one.caught, 1))
    return counted


def ledger(chaos: Chaos) -> tuple[Entry, ...]:
    """Attempts against effects, by platform and step."""
    return tuple(
        _entry(platform, step, [one for one in chaos.bookings if one.ask.platform == platform and one.stored])
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
        (0 if chaos.interrupted else still_held(chaos.bookings), "holds have not ended"),
    ]
    return tuple(f"{number} {words}" for number, words in told if number)


def waiting(chaos: Chaos, kill: Kill) -> Booking | None:
    """The reservation that this kill kept waiting longest; None when it kept nobody waiting."""
    waits = [
        (wait, one)
        for one in chaos.bookings
        if one.ask.platform in kill.platforms
        and (wait := _wait(one, kill.at, _next(chaos, kill, one.ask.platform))) is not None
    ]
    return max(waits, key=lambda pair: pair[0])[1] if waits else None


def phase(booking: Booking, at: datetime) -> Phase | None:
    """Where the reservation was at that time; None before it was sent."""
    if at < booking.sent:
        return None
    if not _any_until(booking.hold_bodies, at):
        return "before-hold"
    if booking.held is None or booking.held > at:
        return "mid-step"
    if booking.seat == "rejected" or (booking.finalized is not None and booking.finalized <= at):
        return "over"
    if _any_until(booking.final_bodies, at):
        return "mid-finalize"
    ends = [end for end in (booking.due, booking.woken) if end is not None]
    return "at-due" if ends and at >= min(ends) - _AT_DUE else "mid-wait"


def _verdict(one: Booking, interrupted: bool) -> tuple[Verdict, str | None]:
    if one.accepted is None and one.stored is None and one.status == "unknown":
        return "unfinished" if interrupted else "refused", one.refusal or "it was never accepted"
    if one.status not in ENDED:
        return "unfinished" if interrupted else "lost", one.error or f"its workflow is {one.status}"
    if one.stored is None or one.stored.status == "held":
        return "lost", "its workflow has ended, and its hold has not" if one.stored else "its seat knows nothing of it"
    wanted = 1 if one.stored.status == "rejected" else 2
    if one.stored.revision != wanted:
        return "duplicated", f"its record was written {one.stored.revision} times, not {wanted}"
    if any(number > 1 for number in one.succeeded):
        return "duplicated", "a step was done more than once"
    reason = _wrong(one)
    return ("wrong", reason) if reason else ("right", None)


def _wrong(one: Booking) -> str | None:
    if one.status != "succeeded":
        return one.error or f"its workflow {one.status}"
    says = {"its workflow": one.outcome, "its seat": one.seat, "the storage": one.stored.status if one.stored else None}
    if len(set(says.values())) > 1 or one.listed not in (None, "succeeded"):
        told = ", ".join(f"{who} says {what}" for who, what in says.items())
        return f"the readers disagree: {told}, the list says {one.listed}"
    action = one.ask.action
    if action and one.answer == "done" and one.outcome != _DONE[action]:
        return f"its {action} was answered with success, and it ended {one.outcome}"
    allowed: set[str] = {"expired"} if one.answer != "done" else set()
    if one.ask.rivals:
        allowed.add("rejected")
    if action and one.answer in ("done", "none"):
        allowed.add(_DONE[action])
    if one.outcome not in allowed:
        return f"it ended {one.outcome}, which nobody asked for"
    if one.outcome == "expired" and one.due and one.final_bodies and one.final_bodies[0] < one.due - _EARLY:
        return "it expired before its time"
    return None


def _overlap(held: Sequence[tuple[datetime, datetime]]) -> bool:
    return any(later[0] < earlier[1] for earlier, later in pairwise(sorted(held)))


def _aftermath(chaos: Chaos, kill: Kill, verdicts: Sequence[Judged]) -> Aftermath:
    near = [one for one in chaos.bookings if one.ask.platform in kill.platforms]
    phases = [(one, phase(one, kill.at)) for one in near]
    caught: Counter[Phase] = Counter(found for _, found in phases if found is not None and found != "over")
    own = [one for one in verdicts if one.booking.strike == kill.number and not one.booking.is_probe]
    mine = Counter(found for one, found in phases if found and found != "over" and one.strike == kill.number)
    observed: Phase | None = kill.wanted
    if not caught[kill.wanted]:
        observed = mine.most_common(1)[0][0] if mine else None
    by_platform = [_on(chaos, kill, platform) for platform in kill.platforms]
    return Aftermath(
        kill=kill,
        observed=observed,
        caught=dict(caught),
        progress_ms=_latest(progress for progress, _, _ in by_platform),
        served_ms=_latest(served for _, served, _ in by_platform),
        resumed_ms=_latest(resumed for _, _, resumed in by_platform),
        again=sum(_again(one, kill, _next(chaos, kill, one.ask.platform)) for one in near),
        outcomes=dict(Counter(one.booking.outcome or one.booking.status for one in own)),
        broken=sum(one.verdict not in ("right", "unfinished") for one in own),
    )


def _on(chaos: Chaos, kill: Kill, platform: Platform) -> tuple[float | None, float | None, float | None]:
    """Until the first progress, until a new request is served, and the longest wait of what was interrupted."""
    until = _next(chaos, kill, platform)
    near = [one for one in chaos.bookings if one.ask.platform == platform]
    firsts = [found for one in near if (found := _progress(one, kill.at)) is not None]
    served = [
        one.stored.created_at
        for one in near
        if one.is_probe and one.strike == kill.number and one.stored and one.stored.created_at
    ]
    waits = [wait for one in near if (wait := _wait(one, kill.at, until)) is not None]
    return (
        _ms(min(firsts) - kill.at) if firsts else None,
        _ms(min(served) - kill.at) if served else None,
        max(waits, default=None),
    )


def _wait(one: Booking, at: datetime, until: datetime | None) -> float | None:
    """For how many ms the reservation stood still that should have moved between this kill and the next one."""
    found = phase(one, at)
    if found is None or found == "over":
        return None
    ought, progress = at, _progress(one, at)
    if found in ("mid-wait", "at-due"):
        ends = [end for end in (one.due, one.woken) if end is not None]
        if not ends:
            return None
        ought = max(at, min(ends))
        progress = next((body for body in one.final_bodies if body > at), one.finalized)
    if until is not None and ought >= until:
        return None
    reached = min((moment for moment in (progress, until) if moment is not None), default=None)
    return None if reached is None else max(0.0, _ms(reached - ought))


def _progress(one: Booking, at: datetime) -> datetime | None:
    """The first step body that began or was done after that time."""
    done = [moment for moment in (one.held, one.finalized) if moment is not None]
    return min((moment for moment in (*one.hold_bodies, *one.final_bodies, *done) if moment > at), default=None)


def _again(one: Booking, kill: Kill, until: datetime | None) -> int:
    """How many of its steps were under way at the kill, and began anew between it and the next one."""
    steps = ((one.hold_bodies, one.held), (one.final_bodies, one.finalized))
    return sum(
        _any_until(bodies, kill.at)
        and (done is None or done > kill.at)
        and any(body > kill.at and (until is None or body <= until) for body in bodies)
        for bodies, done in steps
    )


def _next(chaos: Chaos, kill: Kill, platform: Platform) -> datetime | None:
    """When the platform was hit next."""
    return min((other.at for other in chaos.kills if other.at > kill.at and platform in other.platforms), default=None)


def _entry(platform: Platform, step: Step, bookings: Sequence[Booking]) -> Entry:
    ended = [one for one in bookings if one.stored and one.stored.status != "rejected"]
    taking = bookings if step == "create-hold" else ended
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
    revision = one.stored.revision if one.stored else 0
    return min(revision, 1) if step == "create-hold" else max(0, revision - 1)


def _latest(values: Iterator[float | None]) -> float | None:
    known = list(values)
    return None if None in known or not known else max(value for value in known if value is not None)


def _any_until(moments: Sequence[datetime], at: datetime) -> bool:
    return any(moment <= at for moment in moments)


def _ms(length: timedelta) -> float:
    return round(length.total_seconds() * 1000, 3)
