"""Many users, few seats: random calls of many threads on a real platform, recorded, and checked for linearizability.

A confirmed seat is sold for good. Once it has been asked for a while longer, another seat takes its place, so that
as many are on sale all the time.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from math import inf

from reservation_cli.domain.reservation import STRATEGIES, Platform, Reservation, ReservationRequest
from reservation_cli.platforms import PlatformClient
from support.calls import call, server_errors, witnesses_of
from support.linearizability import Operation, Verdict, check_seat
from support.seat_machine import Call, Record
from support.waiting import until
from support.witnesses import REFUSALS, Act, Answer, lost, ms, problems

HOLDS = (1, 2, 3)
#: So many calls a sold seat is asked for still.
LAST_CALLS = 8
_PATIENCE, _PATIENCE_SECONDS = 60, 1.0


@dataclass(frozen=True, slots=True)
class Plan:
    """How many users want how many seats for how long.

    `seed` is that of what each of them does; `think` is the seconds between two turns of a user, on average.
    """

    users: int
    seats: int
    seconds: float
    seed: int
    think: float = 3.0


@dataclass(slots=True)
class Figures:
    """What came of it."""

    platform: Platform
    plan: Plan
    verdicts: Mapping[str, Verdict]
    calls: int
    reservations: int
    answers: Counter[str]
    outcomes: Counter[str]
    #: The most calls on one seat that were under way at once, for each seat.
    crowds: Sequence[int]
    unanswered: int
    lost: int
    problems: list[str]
    seconds: float

    @property
    def broken(self) -> dict[str, Verdict]:
        """The seats that are not linearizable, or about which nothing was found."""
        return {seat: verdict for seat, verdict in self.verdicts.items() if not verdict.is_linearizable}

    def __str__(self) -> str:
        """The figures in a few lines."""
        told = ", ".join(f"{name} {count}" for name, count in sorted(self.answers.items()))
        ended = ", ".join(f"{name} {count}" for name, count in sorted(self.outcomes.items()))
        sizes = sorted(len(verdict.order) for verdict in self.verdicts.values()) or [0]
        crowds = sorted(self.crowds) or [0]
        lines = [
            f"{self.platform}: {self.plan.users} users, {self.plan.seats} seats on sale, {self.plan.seconds:.0f} s:"
            f" {self.calls} calls, {self.reservations} reservations of {len(self.verdicts)} seats;"
            f" not linearizable {len(self.broken)}, lost {self.lost}, problems {len(self.problems)},"
            f" unanswered {self.unanswered} ({self.seconds:.0f} s in all)",
            f"  answers: {told}",
            f"  ended: {ended}",
            f"  operations a seat: median {sizes[len(sizes) // 2]}, most {sizes[-1]}; under way on a seat at once:"
            f" median of the most {crowds[len(crowds) // 2]}, most {crowds[-1]};"
            f" states searched {sum(verdict.visited for verdict in self.verdicts.values())}",
            *(f"  ! {problem}" for problem in self.problems[:20]),
        ]
        for seat, verdict in list(self.broken.items())[:5]:
            after = ", ".join(map(str, verdict.order[-3:]))
            lines.append(f"  ! {seat}: after {after} none of {', '.join(map(str, verdict.stuck))}")
        return "\n".join(lines)


@dataclass
class Hall:
    """The seats on sale, the reservations that everybody knows of, and all that was said."""

    names: list[str]
    answers: list[Answer] = field(default_factory=list)
    known: list[ReservationRequest] = field(default_factory=list)
    sold: dict[str, int] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def record(self, answer: Answer) -> None:
        """Write the answer down; a sold seat's place is taken in time."""
        seat = answer.request.seat
        with self.lock:
            self.answers.append(answer)
            if answer.act == "reserve" and answer.record and answer.record.status == "held":
                self.known = [*self.known[-60:], answer.request]
            if answer.act == "confirm" and answer.has_won:
                self.sold.setdefault(seat, 0)
            if seat in self.sold:
                self.sold[seat] += 1
                if self.sold[seat] > LAST_CALLS and seat in self.names:
                    name, _, number = seat.rpartition("-")
                    self.names[self.names.index(seat)] = f"{name}-{int(number) + 1}"

    def seat(self, chance: random.Random) -> str:
        """A seat on sale; the first ones are wanted most."""
        with self.lock:
            return self.names[min(int(chance.expovariate(4 / len(self.names))), len(self.names) - 1)]

    def somebodys(self, chance: random.Random) -> ReservationRequest | None:
        """A reservation that somebody has made lately."""
        with self.lock:
            return chance.choice(self.known) if self.known else None


class User(threading.Thread):
    """Reserves, and then confirms, cancels or lets it run out; looks at others' reservations, and meddles with them."""

    def __init__(self, client: PlatformClient, hall: Hall, plan: Plan, number: int, stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self._client, self._hall, self._stop_ = client, hall, stop
        self._name = f"u{number}"
        self._chance = random.Random(f"{plan.seed} {number}")
        self._stamp = hall.names[0].partition("-")[0]
        self._think = plan.think
        self._made = 0
        self.error: BaseException | None = None

    def run(self) -> None:
        """Until it is to stop; see threading.Thread."""
        try:
            while not self._stop_.wait(self._chance.expovariate(1 / self._think)):
                self._turn()
        except BaseException as error:  # noqa: BLE001 - raised by whoever joins
            self.error = error

    def _turn(self) -> None:
        chance = self._chance
        other = self._hall.somebodys(chance)
        if other and chance.random() < 0.25:
            self._call(chance.choice(("read", "read", "confirm", "cancel")), other)
            return
        request = self._request(self._hall.seat(chance))
        answer = self._call("reserve", request)
        for _ in range(_PATIENCE):
            # Accepted, without a hold: nobody goes on before it is known, or the platform would fall ever more behind.
            if answer.record is None and not self._stop_.wait(_PATIENCE_SECONDS):
                answer = self._call("read", request)
        if answer.record is None:
            return
        if answer.record.status == "rejected":
            if answer.record.held_until and chance.random() < 0.3:
                # Whoever was told when the seat frees comes at that very moment.
                self._wait_until(ms(answer.record.held_until) + chance.gauss(-4, 6))
                self._call("reserve", self._request(request.seat))
            return
        if answer.record.status != "held":
            return
        due = ms(answer.record.expires_at)
        what = chance.random()
        if what < 0.25:
            self._wait_until(due + chance.gauss(-4, 6))
            self._call(chance.choice(("confirm", "cancel", "read")), request)
        elif what < 0.75:
            self._stop_.wait(chance.uniform(0, request.hold_seconds * 0.8))
            self._call(chance.choice(("confirm", "cancel", "cancel", "cancel", "cancel")), request)
        if chance.random() < 0.3:
            self._call(chance.choice(("read", "cancel", "confirm")), request)

    def _request(self, seat: str) -> ReservationRequest:
        self._made += 1
        chance = self._chance
        name = f"{self._stamp}-{self._name}-{self._made}"
        return ReservationRequest(name, seat, self._name, chance.choice(HOLDS), chance.choice(STRATEGIES))

    def _wait_until(self, moment: float) -> None:
        self._stop_.wait(max(0.0, moment / 1000 - time.time()))

    def _call(self, act: Act, request: ReservationRequest) -> Answer:
        answer = call(self._client, act, request)
        self._hall.record(answer)
        return answer


def run(client: PlatformClient, plan: Plan) -> Figures:
    """Let the users loose, and look at what they were told and at what every reader says in the end."""
    begun, since = time.monotonic(), datetime.now(UTC) - timedelta(seconds=1)
    stamp, errors = f"c{int(time.time()):x}", server_errors(client)
    hall, stop = Hall([f"{stamp}-s{number}-0" for number in range(plan.seats)]), threading.Event()
    users = [User(client, hall, plan, number, stop) for number in range(plan.users)]
    for user in users:
        user.start()
    until(lambda: time.monotonic() - begun > plan.seconds, "the end of the sale", seconds=plan.seconds + 10)
    stop.set()
    for user in users:
        user.join()
        if user.error:
            raise user.error

    names = list(dict.fromkeys(answer.reservation_id for answer in hall.answers))
    ends = witnesses_of(client, names, since, seconds=600)
    by_seat: dict[str, list[Answer]] = {}
    by_reservation: dict[str, list[Answer]] = {}
    for answer in hall.answers:
        by_seat.setdefault(answer.request.seat, []).append(answer)
        by_reservation.setdefault(answer.reservation_id, []).append(answer)
    records = {name: end.seat for name, end in ends.items() if end.seat}
    found = [
        problem
        for answers in by_seat.values()
        for problem in problems(answers, {answer.reservation_id: ends[answer.reservation_id] for answer in answers})
    ]
    return Figures(
        platform=client.platform,
        plan=plan,
        verdicts={seat: check_seat(history(answers, records)) for seat, answers in by_seat.items()},
        calls=len(hall.answers),
        reservations=len(by_reservation),
        answers=Counter(one.told for one in hall.answers),
        outcomes=Counter(end.seat.status if end.seat else "unknown" for end in ends.values()),
        crowds=[_crowd(answers) for answers in by_seat.values()],
        unanswered=sum(one.is_open for one in hall.answers),
        lost=sum(lost(answers, ends) for answers in by_reservation.values()),
        problems=found + errors,
        seconds=time.monotonic() - begun,
    )


def history(answers: Sequence[Answer], records: Mapping[str, Reservation]) -> list[Operation]:
    """The operations on a seat, from what callers were told and how each reservation ended.

    `reserve` is two: the hold, made by the workflow meanwhile, and the look at it that its answer comes from. A
    refusal names how the reservation ended, and what has ended has one record. Whoever did not find a reservation asked
    before its hold; a rejection is left out there: on AWS it is seen only some time after the look at the seat.
    After all of them comes a look at each reservation as it ended.
    """
    made: list[Operation] = []
    # A hold that somebody was told of had been made by then.
    told_by: dict[str, float] = {}
    for one in answers:
        if one.record:
            told_by[one.reservation_id] = min(one.answered, told_by.get(one.reservation_id, inf))
    for one in answers:
        final = records.get(one.reservation_id)
        if final is None:
            continue
        end, told = _record(final), _record(one.record) if one.record else None
        asked = Operation(one.sent, one.answered, "get", one.reservation_id, told)
        if one.act == "reserve":
            held = replace(end, status="held", ended_at=None)
            hold = end if end.status == "rejected" else held
            answered = told_by.get(one.reservation_id, inf)
            made.append(
                replace(asked, call="hold", told=hold, answered=answered, hold_ms=one.request.hold_seconds * 1000)
            )
        if one.act in ("confirm", "cancel"):
            act: Call = "confirm" if one.act == "confirm" else "cancel"
            if told is None and one.refusal and one.refusal in REFUSALS:
                outcome = REFUSALS[one.refusal]
                told = end if end.status == outcome else replace(end, status=outcome)
            elif told is None and one.refusal != "not_found":
                asked, told = replace(asked, answered=inf), end
            asked = replace(asked, call=act, told=told)
        if told is not None or (one.refusal == "not_found" and end.status != "rejected"):
            made.append(asked)
    over = max((one.answered for one in answers), default=0.0)
    names = dict.fromkeys(one.reservation_id for one in answers)
    return made + [Operation(over, inf, "get", name, _record(records[name])) for name in names if name in records]


def _record(found: Reservation) -> Record:
    ended = None if found.ended_at is None else ms(found.ended_at)
    until_ = None if found.held_until is None else ms(found.held_until)
    return Record(found.reservation_id, found.status, ms(found.created_at), ms(found.expires_at), ended, until_)


def _crowd(answers: Iterable[Answer]) -> int:
    """The most calls that were under way at once."""
    edges = sorted(edge for one in answers for edge in ((one.sent, 1), (one.answered, -1)))
    under_way = most = 0
    for _, change in edges:
        under_way += change
        most = max(most, under_way)
    return most
