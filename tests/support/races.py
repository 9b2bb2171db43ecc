"""Races on a real platform: calls that meet on one reservation within milliseconds, many races in flight at once."""

from __future__ import annotations

import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Literal, get_args

from reservation_cli import settings
from reservation_cli.domain.reservation import STRATEGIES, Platform, ReservationRequest
from reservation_cli.domain.timeline import Timeline
from reservation_cli.local import stack
from reservation_cli.platforms import PlatformClient, connect
from support.aws_engine_kit import free_port
from support.calls import call, now_ms, patiently, server_errors, witnesses_of
from support.witnesses import Act, Answer, Witnesses, lost, ms, problems

#: RESV_RACE_SEED sets another; the same seed plans the same races. Who wins them is up to the machine.
SEED = int(os.environ.get("RESV_RACE_SEED", "5"))

Kind = Literal[
    "confirm against expiry",
    "confirm against cancel",
    "double confirm",
    "double reserve",
    "confirm before the hold",
    "cancel during finalize",
]
KINDS: tuple[Kind, ...] = get_args(Kind)

#: Races at once, and their calls. Each reservation keeps nine files open in workerd until it has been idle for 10 s.
AT_ONCE = 16
BATCH = 200
#: The spread of a call around the moment that it is aimed at, in ms: two thirds are nearer.
SPREAD_MS = 3.0

#: The calls without which a race of the kind is none, and how many of each.
SIDES: Mapping[Kind, Mapping[Act, int]] = {
    "confirm against expiry": {"reserve": 1, "confirm": 1},
    "confirm against cancel": {"reserve": 1, "confirm": 1, "cancel": 1},
    "double confirm": {"reserve": 1, "confirm": 3},
    "double reserve": {"reserve": 2},
    "confirm before the hold": {"reserve": 1, "confirm": 1},
    "cancel during finalize": {"reserve": 1, "cancel": 1},
}


@dataclass(frozen=True, slots=True)
class Race:
    """One race: all reservations that took part, and all answers."""

    kind: Kind
    answers: tuple[Answer, ...]

    @property
    def ids(self) -> list[str]:
        """Its reservations; the first is the one that was raced for."""
        return list(dict.fromkeys(answer.reservation_id for answer in self.answers))

    @property
    def is_decided(self) -> bool:
        """Whether each side was told what came of it."""
        decided = Counter(answer.act for answer in self.answers if answer.is_decided)
        return all(decided[act] >= count for act, count in SIDES[self.kind].items())


@dataclass(slots=True)
class Figures:
    """What came of the races of a kind.

    `decided` are those in which each side was told what came of it, `straddled` those with a call under way at the
    moment that counts. `near` has, in ms, how far from the moment aimed at each race was decided.
    """

    kind: Kind
    platform: Platform
    races: int = 0
    reservations: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    near: list[float] = field(default_factory=list)
    decided: int = 0
    straddled: int = 0
    unanswered: int = 0
    lost: int = 0
    problems: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def __str__(self) -> str:
        """The figures in a few lines."""
        told = ", ".join(f"{name} {count}" for name, count in sorted(self.answers.items()))
        ended = ", ".join(f"{name} {count}" for name, count in sorted(self.outcomes.items()))
        lines = [
            f"{self.platform}: {self.kind}: {self.races} races ({self.decided} decided), {self.reservations}"
            f" reservations in {self.seconds:.0f} s; lost {self.lost}, problems {len(self.problems)},"
            f" unanswered {self.unanswered}",
            f"  answers: {told}",
            f"  ended: {ended}",
        ]
        if self.near:
            cuts = [(name, _percentile(self.near, part)) for name, part in _PARTS]
            within = ", ".join(f"within {far} ms {sum(abs(one) <= far for one in self.near)}" for far in (1, 2, 5, 10))
            lines += [
                f"  {NEAR[self.kind]}, ms: {', '.join(f'{name} {value:+.1f}' for name, value in cuts)}",
                f"  {within} of {len(self.near)}; under way at that very moment: {self.straddled}",
            ]
        return "\n".join(lines + [f"  ! {problem}" for problem in self.problems[:20]])


NEAR: Mapping[Kind, str] = {
    "confirm against expiry": "decided (confirmedAt or expiredAt) - expiresAt",
    "confirm against cancel": "between the two sendings",
    "double confirm": "between the first and the last sending",
    "double reserve": "between the first and the last sending",
    "confirm before the hold": "confirm was sent - createdAt",
    "cancel during finalize": "cancel was sent - finalize began",
}
_PARTS = (("p1", 0.01), ("p10", 0.1), ("p50", 0.5), ("p90", 0.9), ("p99", 0.99))


def _percentile(values: Sequence[float], part: float) -> float:
    return sorted(values)[min(int(part * len(values)), len(values) - 1)]


class Arena:
    """A platform on which races are run; `seed` plans them."""

    def __init__(self, client: PlatformClient, seed: int = SEED) -> None:
        self._client = client
        self._errors = server_errors(client)
        self._seed = seed
        self._run = f"{int(time.time()):x}"
        self._races = ThreadPoolExecutor(AT_ONCE)
        self._calls = ThreadPoolExecutor(2 * AT_ONCE)
        self._lock = threading.Lock()
        #: So many ms before the moment that counts a call is sent. It goes up with each confirmation that was too late
        #: and down with each that was not, so that as many come too late as don't.
        self._lead = 5.0
        #: From a lease's end to its finalize, and from the sending of a reserve to its hold, in ms.
        self._lateness = 10.0
        self._hold_ms = 60.0

    def close(self) -> None:
        """End the threads."""
        self._races.shutdown(cancel_futures=True)
        self._calls.shutdown(cancel_futures=True)

    def run(self, kind: Kind, count: int) -> Figures:
        """Run `count` races of that kind, and look at every reservation through every reader."""
        figures = Figures(kind, self._client.platform)
        self.go_on(figures, count)
        return figures

    def go_on(self, figures: Figures, count: int, watch: Callable[[Figures], object] = lambda _figures: None) -> None:
        """Run so many races more; `watch` is told how far it is now and then."""
        kind, begun, before = figures.kind, time.monotonic(), figures.seconds
        until_now = figures.races
        for first in range(until_now, until_now + count, BATCH):
            since = datetime.now(UTC) - timedelta(seconds=1)
            numbers = range(first, min(first + BATCH, until_now + count))
            races = list(self._races.map(lambda number: self._race(kind, number), numbers))
            ends = self._ends([name for race in races for name in race.ids], since)
            for race in races:
                self._count(figures, race, {name: ends[name] for name in race.ids})
            figures.problems += self._errors
            self._errors.clear()
            figures.seconds = before + time.monotonic() - begun
            watch(figures)

    def _race(self, kind: Kind, number: int) -> Race:
        chance = random.Random(f"{self._seed} {kind} {number}")
        name = f"{self._run}-{kind.replace(' ', '-')}-{number}"
        # Or those that begin together would be due together, and wait for each other.
        time.sleep(chance.random() / 2)
        request = ReservationRequest(name, name, "first", chance.choice((1, 1, 2)), chance.choice(STRATEGIES))
        return Race(kind, tuple(_WAYS[kind](self, request, chance)))

    def now(self, act: Act, request: ReservationRequest) -> Answer:
        """Make the call."""
        answer = call(self._client, act, request)
        if act == "reserve" and answer.record:
            with self._lock:
                self._hold_ms += (ms(answer.record.created_at) - answer.sent - self._hold_ms) / 4
        return answer

    def at(self, moment: float, act: Act, request: ReservationRequest) -> Future[Answer]:
        """Make the call so that the platform gets to it at `moment` (epoch ms), as far as can be foreseen."""

        def in_time() -> Answer:
            time.sleep(max(0.0, moment - self._lead - now_ms()) / 1000)
            return self.now(act, request)

        return self._calls.submit(in_time)

    def learn(self, confirm: Answer) -> None:
        """Aim the next ones by how this confirmation at the end of a lease went."""
        with self._lock:
            step = max(0.5, self._lead * 0.04)
            if confirm.has_won:
                self._lead = max(0.0, self._lead - step)
            elif confirm.refusal == "too_late":
                self._lead += step

    def expects_hold(self) -> float:
        """How long after its reserve is sent a hold will be made, as far as can be foreseen; ms."""
        return self._hold_ms

    def expects_finalize(self, due: float) -> float:
        """When the finalize of a hold that is due at `due` will begin, as far as can be foreseen; epoch ms."""
        return due + self._lateness

    def _ends(self, names: Sequence[str], since: datetime) -> dict[str, Witnesses]:
        """What every reader says of each once all have ended, `list` with its outcomes included."""
        found = witnesses_of(self._client, names, since, seconds=120)
        newest = {lane.reservation_id: lane for lane in patiently(lambda: self._client.executions(min(50, len(names))))}
        for name, end in found.items():
            if end.lane and name in newest and newest[name].outcome != end.lane.outcome:
                found[name] = replace(end, lane=None)
        lanes = [end.lane for end in found.values() if end.lane and end.lane.outcome == "expired"]
        if lanes:
            self._lateness = median(_finalize_ms(lane) - ms(lane.due) for lane in lanes)
        return found

    def _count(self, figures: Figures, race: Race, ends: Mapping[str, Witnesses]) -> None:
        figures.races += 1
        figures.reservations += len(ends)
        figures.answers.update(answer.told for answer in race.answers)
        figures.outcomes.update(end.seat.status if end.seat else "unknown" for end in ends.values())
        figures.decided += race.is_decided
        figures.unanswered += sum(answer.is_open for answer in race.answers)
        figures.lost += lost(race.answers, ends)
        figures.problems += problems(race.answers, ends)
        figures.problems += _rules(race, ends)
        measured = _nearness(race, ends[race.ids[0]])
        if measured is not None:
            near, is_under_way = measured
            figures.near.append(near)
            figures.straddled += is_under_way


def _finalize_ms(lane: Timeline) -> int:
    span = lane.span("finalize")
    return ms(span.body[0]) if span and span.body else ms(lane.due)


# The races. Each makes its calls and gives all answers; the first is about the reservation that is raced for.


def _confirm_at_expiry(arena: Arena, request: ReservationRequest, chance: random.Random) -> Iterator[Answer]:
    """A confirmation comes at the end of the lease; to one seat in five, so does somebody who wants to hold it."""
    first = arena.now("reserve", request)
    yield first
    if first.record is None:
        return
    due = ms(first.record.expires_at)
    calls = [arena.at(due + chance.gauss(0, SPREAD_MS), "confirm", request)]
    if chance.random() < 0.2:
        rival = ReservationRequest(f"{request.reservation_id}-rival", request.seat, "rival", 1, request.strategy)
        calls.append(arena.at(due + chance.gauss(0, SPREAD_MS), "reserve", rival))
    arena.learn(calls[0].result())
    yield from (call.result() for call in calls)


def _confirm_and_cancel(arena: Arena, request: ReservationRequest, chance: random.Random) -> Iterator[Answer]:
    yield arena.now("reserve", request)
    yield from _at_once(arena, ("confirm", "cancel"), request, chance)


def _confirm_twice(arena: Arena, request: ReservationRequest, chance: random.Random) -> Iterator[Answer]:
    yield arena.now("reserve", request)
    yield from _at_once(arena, ("confirm", "confirm", "confirm"), request, chance)


def _reserve_twice(arena: Arena, request: ReservationRequest, chance: random.Random) -> Iterator[Answer]:
    """The same request twice at once; one time in three, another one with the same id as well."""
    asked = [request, request]
    if chance.random() < 1 / 3:
        asked.append(ReservationRequest(request.reservation_id, request.seat, "other", request.hold_seconds))
    moment = now_ms() + 30
    calls = [arena.at(moment + chance.gauss(0, SPREAD_MS), "reserve", one) for one in asked]
    yield from (call.result() for call in calls)


def _confirm_early(arena: Arena, request: ReservationRequest, chance: random.Random) -> Iterator[Answer]:
    """A confirmation comes while the hold is made, or just after."""
    moment = now_ms() + 30
    reserve = arena.at(moment, "reserve", request)
    confirm = arena.at(moment + chance.uniform(0, 1.2) * arena.expects_hold(), "confirm", request)
    yield reserve.result()
    yield confirm.result()


def _cancel_late(arena: Arena, request: ReservationRequest, chance: random.Random) -> Iterator[Answer]:
    """A cancellation comes while the workflow finalizes: at the end of the hold, or because it was confirmed."""
    first = arena.now("reserve", request)
    yield first
    if first.record is None:
        return
    if request.strategy == "sleep":
        moment = arena.expects_finalize(ms(first.record.expires_at))
    else:
        confirmed = arena.now("confirm", request)
        yield confirmed
        moment = confirmed.answered
    yield arena.at(moment + chance.uniform(-2, 15), "cancel", request).result()


def _at_once(arena: Arena, acts: Iterable[Act], request: ReservationRequest, chance: random.Random) -> Iterator[Answer]:
    moment = now_ms() + 30
    calls = [arena.at(moment + chance.gauss(0, SPREAD_MS), act, request) for act in acts]
    yield from (call.result() for call in calls)


_WAYS: Mapping[Kind, Callable[[Arena, ReservationRequest, random.Random], Iterator[Answer]]] = {
    "confirm against expiry": _confirm_at_expiry,
    "confirm against cancel": _confirm_and_cancel,
    "double confirm": _confirm_twice,
    "double reserve": _reserve_twice,
    "confirm before the hold": _confirm_early,
    "cancel during finalize": _cancel_late,
}


def _rules(race: Race, ends: Mapping[str, Witnesses]) -> Iterator[str]:
    """What must hold beyond the invariants: how many callers may win."""
    name = race.ids[0]
    won = [answer for answer in race.answers if answer.has_won]
    # Who was left without an answer may have won.
    all_told = not any(answer.is_open for answer in race.answers)
    seat = ends[name].seat
    winners = int(seat is not None and seat.status != "expired")
    if race.kind == "confirm against cancel" and (len(won) > winners or (len(won) < winners and all_told)):
        yield f"{name}: {len(won)} of confirm and cancel were answered with success"
    if race.kind == "double confirm" and seat and seat.status == "confirmed" and not won and all_told:
        yield f"{name}: confirmed, and nobody was told"
    if race.kind == "double reserve":
        refs = {answer.ref for answer in race.answers if answer.ref}
        if len(refs) > 1 or (not refs and all_told):
            yield f"{name}: {len(refs)} executions"
        users = {answer.request.user for answer in race.answers if answer.record}
        if seat and users - {seat.user}:
            yield f"{name}: made for {seat.user}, and told to {sorted(users)}"


def _nearness(race: Race, end: Witnesses) -> tuple[float, bool] | None:
    """How near the race was, in ms, and whether a call was under way at the moment that counts."""
    later = [answer for answer in race.answers if answer.act in ("confirm", "cancel")]
    sent = sorted(answer.sent for answer in (race.answers if race.kind == "double reserve" else later))
    if race.kind == "confirm against expiry":
        if end.seat is None or end.seat.ended_at is None or not later:
            return None
        due = ms(end.seat.expires_at)
        return ms(end.seat.ended_at) - due, any(answer.sent <= due <= answer.answered for answer in later)
    if race.kind == "confirm before the hold":
        if end.seat is None or not later:
            return None
        held = ms(end.seat.created_at)
        return later[0].sent - held, later[0].sent <= held <= later[0].answered
    if race.kind == "cancel during finalize":
        span = end.lane.span("finalize") if end.lane else None
        cancel = next((answer for answer in later if answer.act == "cancel"), None)
        if cancel is None or span is None or span.body is None:
            return None
        began, ended = (ms(time) for time in span.body)
        return cancel.sent - began, cancel.sent <= ended + 1 and began <= cancel.answered
    if len(sent) < 2:
        return None
    firsts = min(answer.answered for answer in race.answers if answer.sent in sent)
    return sent[-1] - sent[0], sent[-1] <= firsts


@contextmanager
def own_stack(folder: Path) -> Iterator[Mapping[str, str]]:
    """The environment of a local stack of one's own in `folder`, stopped in the end."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "CLOUDFLARE_", "RESV_"))}
    environ = {
        **kept,
        "RESV_HOME": str(folder),
        "RESV_CLOUDFLARE_PORT": str(free_port()),
        "RESV_AWS_PORT": str(free_port()),
    }
    stack.ensure(settings.load(environ, folder), print)
    try:
        yield environ
    finally:
        stack.stop(folder, print)


@contextmanager
def arena(environ: Mapping[str, str], platform: Platform, seed: int = SEED) -> Iterator[Arena]:
    """An arena on the local stack of `environ`."""
    client = connect(settings.load(environ), platform, None, print)
    made = Arena(client, seed)
    try:
        yield made
    finally:
        made.close()
        client.close()
