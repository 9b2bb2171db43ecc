"""A timeline: what happened in one execution, in the same terms on both platforms.

All times are aware UTC datetimes of the service's own clock; only `requested_at` and `accept_ms` come from the client.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from reservation_cli.domain.reservation import (
    Outcome,
    Platform,
    Reservation,
    ReservationRequest,
    Target,
    format_duration,
)

SpanKind = Literal["step", "wait", "event", "invocation"]
SpanStatus = Literal["running", "succeeded", "failed", "timed_out", "cancelled", "unknown"]
ExecutionStatus = Literal[
    "queued", "running", "waiting", "paused", "succeeded", "failed", "timed_out", "stopped", "unknown"
]

#: Clocks that are less far apart are drawn as they are.
CLOCKS_AGREE = timedelta(seconds=1)
#: What an accepted execution may take to start.
LATEST_START = timedelta(seconds=30)
#: What can be t = 0 of a lane: the request was sent, the execution started, the hold was made.
Zero = Literal["request", "start", "hold"]

ENDED: frozenset[ExecutionStatus] = frozenset({"succeeded", "failed", "timed_out", "stopped"})


@dataclass(frozen=True, slots=True)
class Attempt:
    """One run of a step's body. Where the body read a clock, `start` and `end` are that clock's."""

    start: datetime | None
    end: datetime | None
    status: SpanStatus
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """A step, a wait, the wait for an event, or one invocation of the function.

    `start` and `end` are the engine's times; `began` and `ended` are the clock read inside the step's body
    (None for other kinds, and while it is not known). `scheduled_end` is when a wait is due.
    """

    kind: SpanKind
    name: str
    start: datetime | None
    end: datetime | None = None
    status: SpanStatus = "running"
    scheduled_end: datetime | None = None
    attempts: tuple[Attempt, ...] = ()
    error: str | None = None
    began: datetime | None = None
    ended: datetime | None = None

    @property
    def body(self) -> tuple[datetime, datetime] | None:
        """When the step's body ran, by its own clock."""
        return (self.began, self.ended) if self.began and self.ended else None


@dataclass(frozen=True, slots=True)
class Engine:
    """What ran the workflow."""

    name: str
    version: str | None = None


@dataclass(frozen=True, slots=True)
class Timeline:
    """One execution as a platform tells it at one moment (`as_of`): a lane of the picture.

    `stage` is that of the deployment, None on the local stack. `polls` counts the requests made to learn it. `notes`
    are sentences that the reader must see beside it.
    """

    platform: Platform
    target: Target
    ref: str
    reservation_id: str
    endpoint: str
    engine: Engine
    status: ExecutionStatus
    as_of: datetime
    request: ReservationRequest | None = None
    reservation: Reservation | None = None
    outcome: Outcome | None = None
    started: datetime | None = None
    ended: datetime | None = None
    spans: tuple[Span, ...] = ()
    error: str | None = None
    label: str = ""
    stage: str | None = None
    requested_at: datetime | None = None
    accept_ms: float | None = None
    polls: int = 0
    invocations: int | None = None
    notes: tuple[str, ...] = field(default=())

    @property
    def is_over(self) -> bool:
        """Nothing more will happen in this execution."""
        return self.status in ENDED

    def span(self, name: str) -> Span | None:
        """The first span of that name."""
        return next((span for span in self.spans if span.name == name), None)

    @property
    def hold(self) -> Span | None:
        """The idle stretch: `hold-window` or `await-confirmation`."""
        return next((span for span in self.spans if span.kind in ("wait", "event")), None)

    @property
    def due(self) -> datetime | None:
        """When the hold ends unless somebody confirms or cancels; None while that is not known.

        AWS's callback, made before create-hold, times out before the lease ends, and then the rest is waited for.
        """
        lease = self.reservation.expires_at if self.reservation else None
        timer = self.hold.scheduled_end if self.hold else None
        if timer and lease and self.hold and self.hold.kind == "event":
            return max(timer, lease)
        return timer or lease

    @property
    def zero(self) -> tuple[Zero, datetime] | None:
        """t = 0 of this lane, and what it is: the request's sending, unless that is not known or cannot be right."""
        if self.requested_at is not None and self.implausible_delay is None:
            return "request", self.requested_at
        if self.started is not None:
            return "start", self.started
        created = self.reservation.created_at if self.reservation else None
        return ("hold", created) if created else None

    @property
    def origin(self) -> datetime | None:
        """t = 0 of this lane."""
        return self.zero[1] if self.zero else None

    @property
    def implausible_delay(self) -> timedelta | None:
        """From the request, by this machine's clock, to the start, by the service's, where that fits no request.

        An execution cannot start before its request is sent, nor, as a rule, long after that is accepted. On the local
        stack both clocks are one, and a late start is a late start.
        """
        if self.requested_at is None or self.started is None:
            return None
        delay = self.started - self.requested_at
        latest = timedelta(milliseconds=self.accept_ms or 0) + LATEST_START
        return delay if delay < -CLOCKS_AGREE or (self.target == "cloud" and delay > latest) else None

    def on_its_clock(self, moment: datetime) -> datetime:
        """`moment` of this machine's clock as the service's clock had it, as far as that is known."""
        return later(moment, self.implausible_delay or timedelta()) or moment

    @property
    def remarks(self) -> tuple[str, ...]:
        """`notes`, and why t = 0 is not when the request was sent."""
        delay = self.implausible_delay
        if delay is None:
            return self.notes
        apart, early = format_duration(abs(delay.total_seconds())), delay < timedelta()
        when, why = ("before", "it had been made before") if early else ("after", "it had to wait")
        return (
            *self.notes,
            f"It started {apart} {when} this machine sent the request: {why}, or the clocks differ."
            " t = 0 is when it started; durations are the platform's own.",
        )


def scheduled_end(start: datetime | None, seconds: float | None) -> datetime | None:
    """When a wait of so many seconds that began at `start` is due; None also beyond the year 9999."""
    return later(start, timedelta(seconds=seconds)) if start and seconds is not None else None


def later(moment: datetime, by: timedelta) -> datetime | None:
    """`moment` moved by `by`; None where the calendar ends, to which a vendor's time may come close."""
    try:
        return moment + by
    except OverflowError:
        return None
