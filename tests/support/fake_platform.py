"""A platform in memory: the same promises as the real ones, kept by one lock. Holds run in real time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from reservation_cli.domain.reservation import (
    Platform,
    Reservation,
    ReservationRequest,
    ReservationStatus,
    Target,
    whole_ms,
)
from reservation_cli.domain.timeline import Attempt, Engine, ExecutionStatus, Span, Timeline
from reservation_cli.errors import ConflictError, NotFoundError, ResvError
from reservation_cli.platforms import NAMES

STEP = timedelta(milliseconds=5)


@dataclass
class FakePlatform:
    """`fail` (set by a test) is raised by every call. `calls` counts them by name. `asked` are the timelines' refs.
    `fail_from_second` is raised by all timelines but the first.

    `unlisted` ids have no status.
    """

    platform: Platform
    target: Target = "local"
    stage: str | None = None
    lists: bool = True
    now: Callable[[], datetime] = lambda: whole_ms(datetime.now(UTC))
    fail: ResvError | None = None
    fail_from_second: ResvError | None = None
    known: dict[str, ReservationRequest] = field(default_factory=dict)
    reservations: dict[str, Reservation] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    unlisted: set[str] = field(default_factory=set)
    calls: dict[str, int] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)

    @property
    def label(self) -> str:
        return f"{NAMES[self.platform]} · {self.stage or self.target}"

    @property
    def requests(self) -> int:
        return sum(self.calls.values())

    def reserve(self, request: ReservationRequest) -> Timeline:
        with self._called("reserve"):
            known = self.known.setdefault(request.reservation_id, request)
            if known != request:
                raise ConflictError("That id is used with other input.", code="reservation_conflict")
            if request.reservation_id not in self.reservations:
                self.reservations[request.reservation_id] = self._hold(request)
            lane = self._timeline(request.reservation_id)
            return replace(lane, requested_at=self.now() - STEP, accept_ms=5.0)

    def start(self, request: ReservationRequest) -> Timeline:
        return self.reserve(request)

    def confirm(self, ref: str) -> Reservation:
        return self._decide("confirmed", ref)

    def cancel(self, ref: str) -> Reservation:
        return self._decide("cancelled", ref)

    def timeline(self, ref: str) -> Timeline:
        with self._called("timeline"):
            self.asked.append(ref)
            if self.fail_from_second is not None and len(self.asked) > 1:
                raise self.fail_from_second
            self._find(ref)
            return self._timeline(self._name(ref))

    def reservation(self, ref: str) -> Reservation:
        with self._called("reservation"):
            return self._find(ref)

    def executions(self, limit: int) -> Sequence[Timeline]:
        with self._called("executions"):
            return [self._timeline(name) for name in list(reversed(self.known))[:limit]]

    def statuses(self, since: datetime) -> Mapping[str, ExecutionStatus]:
        with self._called("statuses"):
            lanes = [self._timeline(name) for name in self.known if name not in self.unlisted]
            return {lane.reservation_id: lane.status for lane in lanes if lane.started and lane.started >= since}

    def close(self) -> None:
        pass

    def _called(self, name: str) -> threading.RLock:
        self.calls[name] = self.calls.get(name, 0) + 1
        if self.fail is not None:
            raise self.fail
        return self.lock

    def _name(self, ref: str) -> str:
        return ref.split("/")[-2] if ref.startswith("arn:") else ref

    def _ref(self, name: str) -> str:
        if self.platform == "cloudflare":
            return name
        function = "arn:aws:lambda:us-east-2:000000000000:function:reservation-workflow-dev:1"
        return f"{function}/durable-execution/{name}/00000000-0000-0000-0000-000000000000"

    def _hold(self, request: ReservationRequest) -> Reservation:
        now = self.now()
        live = [
            other
            for other in map(self._settled, list(self.reservations))
            if other.seat == request.seat and other.status in ("held", "confirmed")
        ]
        reservation = Reservation(
            request.reservation_id,
            request.seat,
            request.user,
            request.hold_seconds,
            request.strategy,
            "held",
            now,
            now + timedelta(seconds=request.hold_seconds),
        )
        if not live:
            return reservation
        until = live[0].expires_at if live[0].status == "held" else None
        return replace(reservation, status="rejected", ended_at=now, held_until=until)

    def _settled(self, name: str) -> Reservation:
        known = self.reservations[name]
        if known.status == "held" and known.expires_at is not None and known.expires_at <= self.now():
            known = replace(known, status="expired", ended_at=known.expires_at)
            self.reservations[name] = known
        return known

    def _find(self, ref: str) -> Reservation:
        name = self._name(ref)
        if name not in self.reservations:
            raise NotFoundError(f"There is no reservation {name} on {self.platform}.")
        return self._settled(name)

    def _decide(self, wanted: ReservationStatus, ref: str) -> Reservation:
        with self._called("decide"):
            known = self._find(ref)
            if known.status == wanted:
                return known
            if known.status != "held":
                code = "too_late" if known.status == "expired" else "rejected"
                raise ConflictError(f"Seat {known.seat} is {known.status}.", code=code)
            known = replace(known, status=wanted, ended_at=self.now())
            self.reservations[known.reservation_id] = known
            return known

    def _timeline(self, name: str) -> Timeline:
        now, request, seat = self.now(), self.known[name], self._settled(name)
        began = seat.created_at or now
        started = began - STEP
        create = Span("step", "create-hold", began, began + STEP, "succeeded", None, (), None, began, began + STEP)
        create = replace(create, attempts=(Attempt(began, began + STEP, "succeeded"),))
        lane = Timeline(
            platform=self.platform,
            target=self.target,
            ref=self._ref(name),
            reservation_id=name,
            endpoint="http://127.0.0.1:1",
            engine=Engine("fake", "1"),
            label=self.label,
            stage=self.stage,
            status="succeeded",
            as_of=now,
            request=request,
            reservation=seat,
            outcome=seat.outcome,
            started=started,
            ended=began + 2 * STEP,
            spans=(create,),
        )
        if seat.status == "rejected":
            return lane
        opened, due = began + STEP, began + STEP + timedelta(seconds=request.hold_seconds)
        woken = request.strategy == "event" and seat.status in ("confirmed", "cancelled") and seat.ended_at
        over = (seat.ended_at or due) if woken else due
        if now < over:
            kind, label = ("event", "await-confirmation") if request.strategy == "event" else ("wait", "hold-window")
            hold = Span(kind, label, opened, None, "running", due)  # type: ignore[arg-type]  # a pair of literals
            return replace(lane, status="waiting", ended=None, spans=(create, hold))
        if request.strategy == "event":
            hold = Span("event", "await-confirmation", opened, over, "succeeded" if woken else "timed_out", due)
        else:
            hold = Span("wait", "hold-window", opened, over, "succeeded", due)
        final = Span("step", "finalize", over, over + STEP, "succeeded", None, (), None, over, over + STEP)
        return replace(lane, ended=over + 2 * STEP, spans=(create, hold, final))
