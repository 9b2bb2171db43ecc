"""What each kill of a chaos run did: where it caught the reservations, and how soon everything was as before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import inf

from reservation_cli.domain import statistics
from reservation_cli.domain.chaos import Booking, Chaos, Judged, Kill, Phase, Victim
from reservation_cli.domain.chaos_verdict import judged
from reservation_cli.domain.reservation import Platform
from reservation_cli.domain.statistics import Statistics

#: How soon a kill was got over, in ms after it; see Aftermath.
METRICS = ("progress_ms", "served_ms", "resumed_ms", "recovered_ms")
#: So near to its end a hold is at its due time.
_AT_DUE = timedelta(milliseconds=25)


@dataclass(frozen=True, slots=True)
class Aftermath:
    """What one kill did. Times are milliseconds from the kill, None where nothing tells.

    `observed` is the wanted moment if at least one reservation was in it, else where most were; `caught` counts all
    that had not ended. `progress_ms`: the first step body that began or ended, in a process that lived on as well.
    `served_ms`: the hold of a reservation that was sent after the kill. `resumed_ms`: the longest that something had
    to wait that was under way or became due. Of two platforms the later one counts. `stuck` counts those that had to
    wait and never went on. `again` counts the step bodies that the kill made run again; `outcomes` are those of the
    reservations made for it, and `broken` how many of them are not right.
    """

    kill: Kill
    observed: Phase | None
    caught: Mapping[Phase, int]
    progress_ms: float | None
    served_ms: float | None
    resumed_ms: float | None
    stuck: int
    again: int
    outcomes: Mapping[str, int]
    broken: int

    @property
    def recovered_ms(self) -> float | None:
        """Until all was as before: new requests are served, and what had to wait goes on; None if it never was."""
        return None if self.served_ms is None or self.stuck else max(self.served_ms, self.resumed_ms or 0.0)


def aftermaths(chaos: Chaos) -> tuple[Aftermath, ...]:
    """What each kill did, in their order."""
    verdicts = judged(chaos)
    return tuple(_aftermath(chaos, kill, verdicts) for kill in chaos.kills)


def recovery(found: Sequence[Aftermath], metric: str, victim: Victim | None = None) -> Statistics | None:
    """The statistics of `metric` (one of METRICS) over the kills of one process or of all; None without any."""
    values = [getattr(one, metric) for one in found if victim in (None, one.kill.victim)]
    return statistics.describe([float(value) for value in values if value is not None])


def coverage(found: Sequence[Aftermath]) -> Mapping[Victim, Mapping[Phase, int]]:
    """How many kills of each process caught at least one reservation in each moment."""
    counted: dict[Victim, Counter[Phase]] = {}
    for one in found:
        counted.setdefault(one.kill.victim, Counter()).update(dict.fromkeys(one.caught, 1))
    return counted


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
    end = _end_of_wait(booking)
    return "at-due" if end is not None and at >= end - _AT_DUE else "mid-wait"


def _aftermath(chaos: Chaos, kill: Kill, verdicts: Sequence[Judged]) -> Aftermath:
    near = [one for one in chaos.bookings if one.ask.platform in kill.platforms]
    phases = [(one, phase(one, kill.at)) for one in near]
    caught: Counter[Phase] = Counter(found for _, found in phases if found is not None and found != "over")
    own = [one for one in verdicts if one.booking.strike == kill.number and not one.booking.is_probe]
    mine = Counter(found for one, found in phases if found and found != "over" and one.strike == kill.number)
    observed: Phase | None = kill.wanted
    if not caught[kill.wanted]:
        observed = mine.most_common(1)[0][0] if mine else None
    waits = [wait for one in near if (wait := _wait(one, kill.at, _next(chaos, kill, one.ask.platform))) is not None]
    return Aftermath(
        kill=kill,
        observed=observed,
        caught=dict(caught),
        progress_ms=_latest([_first_progress(near, kill, platform) for platform in kill.platforms]),
        served_ms=_latest([_served(near, kill, platform) for platform in kill.platforms]),
        resumed_ms=max((wait for wait in waits if wait < inf), default=None),
        stuck=sum(wait == inf for wait in waits),
        again=sum(_again(one, kill, _next(chaos, kill, one.ask.platform)) for one in near),
        outcomes=dict(Counter(one.booking.outcome or one.booking.status for one in own)),
        broken=sum(one.verdict not in ("right", "unfinished") for one in own),
    )


def _first_progress(near: Sequence[Booking], kill: Kill, platform: Platform) -> float | None:
    firsts = [found for one in near if one.ask.platform == platform and (found := _progress(one, kill.at)) is not None]
    return _ms(min(firsts) - kill.at) if firsts else None


def _served(near: Sequence[Booking], kill: Kill, platform: Platform) -> float | None:
    """Until the probes that were sent on this platform right after the kill have their hold; None if one has none."""
    probes = [one for one in near if one.ask.platform == platform and one.is_probe and one.strike == kill.number]
    held = [one.stored.created_at for one in probes if one.stored and one.stored.created_at]
    return _ms(max(held) - kill.at) if held and len(held) == len(probes) else None


def _wait(one: Booking, at: datetime, until: datetime | None) -> float | None:
    """For how many ms the reservation stood still that should have moved between this kill and the next one.

    Infinite if it never moved again; None if it had nothing to do.
    """
    found = phase(one, at)
    if found is None or found == "over":
        return None
    ought, progress = at, _progress(one, at)
    if found in ("mid-wait", "at-due"):
        end = _end_of_wait(one)
        if end is None:
            return None
        ought = max(at, end)
        progress = next((body for body in one.final_bodies if body > at), one.finalized)
    if until is not None and ought >= until:
        return None
    reached = min((moment for moment in (progress, until) if moment is not None), default=None)
    return inf if reached is None else max(0.0, _ms(reached - ought))


def _end_of_wait(one: Booking) -> datetime | None:
    """When the wait had to end: as it was due, or sooner by a signal. A sleep that ends sooner was cut short."""
    if one.ask.strategy == "sleep" or one.woken is None:
        return one.due
    return min(one.woken, one.due or one.woken)


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


def _latest(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return max(known) if known and len(known) == len(values) else None


def _any_until(moments: Sequence[datetime], at: datetime) -> bool:
    return any(moment <= at for moment in moments)


def _ms(length: timedelta) -> float:
    return round(length.total_seconds() * 1000, 3)
