"""A chaos run: reservations on the local stack while its processes are killed, and what became of each.

Pure: what was seen goes in, and what it says comes out (`chaos_verdict`), the same when the run is read from its file.
All times are aware UTC datetimes of this machine, on which the engines run as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

from reservation_cli.domain.benchmark import Verdict
from reservation_cli.domain.reservation import Outcome, Platform, ReservationStatus, Strategy
from reservation_cli.domain.timeline import ExecutionStatus

#: What is killed. workerd: one of the two processes of Cloudflare's engine, the one in front or the Worker's.
Victim = Literal["supervisor", "wrangler", "workerd", "engine", "host"]
#: When: on the way to the hold; in create-hold; while the hold runs; as it ends; in finalize.
Moment = Literal["before-hold", "mid-step", "mid-wait", "at-due", "mid-finalize"]
#: Where one reservation was at a moment; `over` had ended.
Phase = Literal["before-hold", "mid-step", "mid-wait", "at-due", "mid-finalize", "over"]
Action = Literal["confirm", "cancel"]
#: How a confirmation or a cancel was answered: as asked, refused, or (for as long as it was asked) not at all.
Answer = Literal["done", "refused", "none"]
#: A step of the workflow, by its name.
Step = Literal["create-hold", "finalize"]

VICTIMS: tuple[Victim, ...] = get_args(Victim)
MOMENTS: tuple[Moment, ...] = get_args(Moment)
STEPS: tuple[Step, ...] = get_args(Step)

#: The moments that last for milliseconds.
WITHIN: frozenset[Moment] = frozenset({"mid-step", "mid-finalize"})

#: So long after its hold's end one that has not ended is lost, and so long a request is repeated; in seconds.
PATIENCE_SECONDS = 60.0

#: Whose engine stands still without it.
HIT: Mapping[Victim, tuple[Platform, ...]] = {
    "supervisor": ("cloudflare", "aws"),
    "wrangler": ("cloudflare",),
    "workerd": ("cloudflare",),
    "engine": ("aws",),
    "host": ("aws",),
}


@dataclass(frozen=True, slots=True)
class Plan:
    """What was asked for. `strategies` are drawn from for each reservation.

    `seed` repeats all that is drawn; when exactly a kill comes, and what it meets, is up to the machine.
    """

    kills: int
    seed: int
    hold_seconds: int
    platforms: tuple[Platform, ...]
    strategies: tuple[Strategy, ...]
    victims: tuple[Victim, ...] = VICTIMS
    moments: tuple[Moment, ...] = MOMENTS


@dataclass(frozen=True, slots=True)
class Ask:
    """One reservation to be made. `action` comes when the share `after` of the hold has passed.

    `rivals` says that somebody else may have the seat: then it may be rejected.
    """

    reservation_id: str
    platform: Platform
    seat: str
    hold_seconds: int
    strategy: Strategy
    rivals: bool = False
    action: Action | None = None
    after: float = 0.0


@dataclass(frozen=True, slots=True)
class Strike:
    """One kill to be made: at the place `where` (0 to 1) within the moment, counted by the lane of `platform`.

    `asks` are sent before it, at once or, if `is_spread`, so that always some are in the same step; `probes` right
    after it, and again until they are accepted.
    """

    number: int
    victim: Victim
    moment: Moment
    where: float
    platform: Platform
    asks: tuple[Ask, ...]
    probes: tuple[Ask, ...]
    is_spread: bool = False


@dataclass(frozen=True, slots=True)
class Stored:
    """A reservation's record as it lies in the seat's own storage; `revision` counts the writes that changed it."""

    status: ReservationStatus
    revision: int
    created_at: datetime | None
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class Kill:
    """One kill that was made: process `pid` was killed at `at`, and `platforms` stood still without it."""

    number: int
    victim: Victim
    wanted: Moment
    platforms: tuple[Platform, ...]
    pid: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Booking:
    """One reservation as it was found at the end, by everyone who knows of it.

    `strike` is the number of the kill that it was made for. `accepted` is None when no request was answered with an
    acceptance. `calls` counts the confirmations or cancels sent, the last of which was answered at `answered`.
    `hold_bodies` and `final_bodies` tell when each body of create-hold and of finalize began, those that were killed
    as well; `held` and `finalized` when the step was done, by the engine; `due` when the wait was due and `woken` when
    it ended; `succeeded` how often each step was done. `listed` is its status in the platform's list, `outcome` what
    the workflow returned, `seat` what its seat answers, `stored` what lies in the storage.
    """

    strike: int
    ask: Ask
    ref: str
    sent: datetime
    accepted: datetime | None
    refusal: str | None
    status: ExecutionStatus
    listed: ExecutionStatus | None
    outcome: Outcome | None
    seat: ReservationStatus | None
    stored: Stored | None
    answer: Answer | None = None
    answered: datetime | None = None
    calls: int = 0
    hold_bodies: tuple[datetime, ...] = ()
    held: datetime | None = None
    due: datetime | None = None
    woken: datetime | None = None
    final_bodies: tuple[datetime, ...] = ()
    finalized: datetime | None = None
    succeeded: tuple[int, ...] = ()
    is_probe: bool = False
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Chaos:
    """What a run has come to: the kills that were made, and all reservations in the order of sending.

    `load` is the machine's load average (of a minute), as it was on average at the kills: others slow an engine down.
    `failed` says why it could not go on: a process that did not come back after a kill.
    """

    plan: Plan
    begun: datetime
    seconds: float
    kills: tuple[Kill, ...]
    bookings: tuple[Booking, ...]
    interrupted: bool = False
    load: float | None = None
    failed: str | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """What is to be said of one reservation."""

    booking: Booking
    verdict: Verdict
    reason: str | None = None
