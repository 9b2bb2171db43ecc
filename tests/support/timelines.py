"""Timelines as the two local engines tell them: realistic in their numbers, the same in every run.

Everything is a plain function with keyword changes; times are offsets in ms from `T0`, when the request was sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from reservation_cli.domain.reservation import (
    Platform,
    Reservation,
    ReservationRequest,
    ReservationStatus,
    Strategy,
    Target,
)
from reservation_cli.domain.timeline import Attempt, Engine, ExecutionStatus, Span, SpanStatus, Timeline

T0 = datetime(2026, 11, 23, 9, 0, 0, tzinfo=UTC)
RESERVATION_ID = "r-7k2m9x4tqa"
ARN = (
    "arn:aws:lambda:us-east-2:000000000000:function:reservation-workflow-dev:1"
    f"/durable-execution/{RESERVATION_ID}/3b1f6f0e-6d5a-4f43-9c0b-3d0f4f7c9a11"
)
PLATFORM_NAMES: dict[Platform, str] = {"cloudflare": "Cloudflare", "aws": "AWS"}
ENGINES: dict[Platform, Engine] = {
    "cloudflare": Engine("wrangler dev (workerd)", "4.155.0"),
    "aws": Engine("aws-durable-execution-sdk-python-testing", "1.4.0"),
}
ENDPOINTS: dict[Platform, str] = {"cloudflare": "http://127.0.0.1:8701", "aws": "http://127.0.0.1:8702"}
REFS: dict[Platform, str] = {"cloudflare": RESERVATION_ID, "aws": ARN}


def at(ms: float) -> datetime:
    """The moment `ms` after the request was sent."""
    return T0 + timedelta(milliseconds=ms)


def request(
    seat: str = "A1", user: str = "user123", hold: int = 900, strategy: Strategy = "sleep"
) -> ReservationRequest:
    """What was asked for."""
    return ReservationRequest(RESERVATION_ID, seat, user, hold, strategy)


def reservation(
    asked: ReservationRequest,
    status: ReservationStatus,
    created: float,
    ended: float | None = None,
    held_until: datetime | None = None,
) -> Reservation:
    """The seat's record of it."""
    return Reservation(
        reservation_id=asked.reservation_id,
        seat=asked.seat,
        user=asked.user,
        hold_seconds=asked.hold_seconds,
        strategy=asked.strategy,
        status=status,
        created_at=at(created),
        expires_at=at(created + asked.hold_seconds * 1000),
        ended_at=None if ended is None else at(ended),
        held_until=held_until,
    )


def step(name: str, start: float, began: float, ended: float, end: float, attempts: Sequence[Attempt] = ()) -> Span:
    """A step that succeeded: the engine's `start` and `end` around the body's `began` and `ended`."""
    last = Attempt(at(began), at(ended), "succeeded")
    return Span(
        "step", name, at(start), at(end), "succeeded", attempts=(*attempts, last), began=at(began), ended=at(ended)
    )


def failed_attempt(start: float, end: float, error: str = "Error: seat store unavailable") -> Attempt:
    """An attempt of a step that threw."""
    return Attempt(at(start), at(end), "failed", error)


def wait(start: float, end: float | None, hold: int = 900, status: SpanStatus | None = None) -> Span:
    """The sleep of strategy `sleep`."""
    return Span(
        "wait",
        "hold-window",
        at(start),
        None if end is None else at(end),
        status or ("running" if end is None else "succeeded"),
        scheduled_end=at(start + hold * 1000),
    )


def event(start: float, end: float | None, hold: int = 900, status: SpanStatus | None = None) -> Span:
    """The wait for a confirmation of strategy `event`."""
    return replace(wait(start, end, hold, status), kind="event", name="await-confirmation")


def lane(
    platform: Platform,
    status: ExecutionStatus,
    spans: Sequence[Span],
    record: Reservation | None,
    *,
    asked: ReservationRequest | None = None,
    target: Target = "local",
    started: float | None = None,
    ended: float | None = None,
    accept: float | None = None,
    as_of: float | None = None,
    error: str | None = None,
    label: str = "",
    polls: int = 12,
    invocations: int | None = None,
) -> Timeline:
    """One lane; what is left out is as the platform's local engine has it."""
    return Timeline(
        platform=platform,
        target=target,
        ref=REFS[platform],
        reservation_id=RESERVATION_ID,
        endpoint=ENDPOINTS[platform],
        engine=ENGINES[platform],
        status=status,
        as_of=at(as_of if as_of is not None else (ended or 0) + 200),
        request=asked or request(),
        reservation=record,
        outcome=record.outcome if record else None,
        started=None if started is None else at(started),
        ended=None if ended is None else at(ended),
        spans=tuple(spans),
        error=error,
        label=label or f"{PLATFORM_NAMES[platform]} · {target}",
        requested_at=T0,
        accept_ms=accept,
        polls=polls,
        invocations=invocations,
    )


def cloudflare_expired() -> Timeline:
    """Cloudflare after a 15-minute sleep: 14 ms to the first body, timer error +6 ms."""
    spans = [
        step("create-hold", 12, 14, 27, 29),
        wait(30, 900_034),
        step("finalize", 900_035, 900_036, 900_048, 900_050),
    ]
    record = reservation(request(), "expired", 18, 900_041)
    return lane("cloudflare", "succeeded", spans, record, started=4, ended=900_052, accept=35)


def aws_expired() -> Timeline:
    """AWS after a 15-minute wait: its checkpoints come after the bodies, timer error +9 ms."""
    spans = [
        step("create-hold", 21, 11, 20, 21),
        wait(23, 900_026),
        step("finalize", 900_041, 900_032, 900_039, 900_041),
    ]
    record = reservation(request(), "expired", 15, 900_036)
    return lane("aws", "succeeded", spans, record, started=4, ended=900_044, accept=8, invocations=2)


def expired() -> tuple[Timeline, Timeline]:
    """The standard case: both lanes slept 15 minutes and expired."""
    return cloudflare_expired(), aws_expired()


def confirmed() -> tuple[Timeline, Timeline]:
    """Strategy `event`, confirmed after 3 s; on AWS the callback is created before create-hold."""
    asked = request(strategy="event")
    cloudflare = lane(
        "cloudflare",
        "succeeded",
        [
            step("create-hold", 12, 14, 26, 28),
            event(29, 3_044, status="succeeded"),
            step("finalize", 3_046, 3_047, 3_056, 3_058),
        ],
        reservation(asked, "confirmed", 18, 3_032),
        asked=asked,
        started=4,
        ended=3_060,
        accept=34,
    )
    aws = lane(
        "aws",
        "succeeded",
        [
            event(9, 3_027, status="succeeded"),
            step("create-hold", 24, 13, 22, 24),
            step("finalize", 3_046, 3_035, 3_043, 3_046),
        ],
        reservation(asked, "confirmed", 17, 3_020),
        asked=asked,
        started=4,
        ended=3_049,
        accept=8,
        invocations=2,
    )
    return cloudflare, aws


def retried() -> tuple[Timeline, Timeline]:
    """On Cloudflare create-hold fails once and is tried again after a second."""
    spans = [
        step("create-hold", 12, 1_031, 1_044, 1_046, [failed_attempt(14, 19)]),
        wait(1_047, 11_052, hold=10),
        step("finalize", 11_053, 11_054, 11_065, 11_067),
    ]
    asked = request(hold=10)
    record = reservation(asked, "expired", 1_036, 11_059)
    cloudflare = lane("cloudflare", "succeeded", spans, record, asked=asked, started=4, ended=11_069, accept=1_050)
    return cloudflare, _aws_ten_seconds()


def _aws_ten_seconds() -> Timeline:
    asked = request(hold=10)
    spans = [
        step("create-hold", 21, 11, 20, 21),
        wait(23, 10_034, 10),
        step("finalize", 10_052, 10_043, 10_050, 10_052),
    ]
    record = reservation(asked, "expired", 15, 10_047)
    return lane("aws", "succeeded", spans, record, asked=asked, started=4, ended=10_055, accept=8, invocations=2)


def rejected() -> tuple[Timeline, Timeline]:
    """The seat is taken on Cloudflare until a known time; on AWS it was free, and the hold is 10 s."""
    asked = request(hold=10)
    record = reservation(asked, "rejected", 18, 18, held_until=at(450_000))
    cloudflare = lane(
        "cloudflare",
        "succeeded",
        [step("create-hold", 12, 14, 22, 24)],
        record,
        asked=asked,
        started=4,
        ended=26,
        accept=33,
    )
    return cloudflare, _aws_ten_seconds()


def mid_hold() -> tuple[Timeline, Timeline]:
    """Both lanes in the middle of the 15 minutes."""
    cloudflare, aws = expired()
    return _held(cloudflare), _held(aws)


def _held(lane: Timeline) -> Timeline:
    return replace(
        lane,
        status="waiting",
        outcome=None,
        ended=None,
        as_of=at(47_600),
        spans=(lane.spans[0], replace(lane.spans[1], end=None, status="running")),
        reservation=lane.reservation and replace(lane.reservation, status="held", ended_at=None),
        invocations=lane.invocations and 1,
    )


def absent(platform: Platform) -> Timeline:
    """A lane that the platform knows nothing of."""
    return replace(lane(platform, "unknown", [], None), requested_at=None)


def failed() -> tuple[Timeline, Timeline]:
    """On Cloudflare create-hold failed six times (1, 2, 4, 8, 16 s apart) and with it the execution."""
    starts = (14, 1_022, 3_030, 7_038, 15_046, 31_054)
    attempts = tuple(failed_attempt(start, start + 5, "Error: D1_ERROR: seat store unavailable") for start in starts)
    span = Span("step", "create-hold", at(12), at(31_061), "failed", attempts=attempts, error=attempts[-1].error)
    cloudflare = lane(
        "cloudflare", "failed", [span], None, started=4, ended=31_063, accept=2_003, error=attempts[-1].error
    )
    return cloudflare, aws_expired()


def four() -> tuple[Timeline, ...]:
    """`--strategy both` with a confirmation after 3 s: the sleeping lanes notice it only when they wake."""
    asleep = [
        replace(
            timeline,
            request=request(hold=10),
            spans=(
                timeline.spans[0],
                wait(_since(timeline.spans[1].start), end, 10),
                _shifted(timeline.spans[2], -890_000),
            ),
            reservation=reservation(request(hold=10), "confirmed", 18, confirmed_at),
            outcome="confirmed",
            ended=timeline.ended and timeline.ended - timedelta(seconds=890),
        )
        for timeline, end, confirmed_at in zip(expired(), (10_034, 10_026), (3_030, 3_021), strict=True)
    ]
    awake = [
        replace(timeline, request=request(hold=10, strategy="event"), ref=f"{timeline.ref}-e")
        for timeline in confirmed()
    ]
    return (*asleep, *awake)


def cloud_and_local() -> tuple[Timeline, Timeline]:
    """Very different scales: AWS in the cloud starts cold (420 ms) and wakes 900 ms late; Cloudflare is local."""
    asked = request()
    aws = lane(
        "aws",
        "succeeded",
        [
            step("create-hold", 470, 420, 452, 470),
            wait(480, 901_140),
            step("finalize", 901_420, 901_380, 901_398, 901_420),
        ],
        reservation(asked, "expired", 430, 901_388),
        target="cloud",
        label="AWS · us-east-2 · reservation-workflow-dev:live",
        started=60,
        ended=901_450,
        accept=180,
        invocations=2,
    )
    return cloudflare_expired(), aws


def stopped() -> tuple[Timeline, Timeline]:
    """Cloudflare's execution was stopped after four minutes; the seat keeps its hold until the lease ends."""
    cloudflare, aws = expired()
    halted = replace(
        cloudflare,
        status="stopped",
        outcome=None,
        ended=at(252_300),
        spans=(cloudflare.spans[0], replace(cloudflare.spans[1], end=None, status="cancelled")),
        reservation=reservation(request(), "held", 18),
        error="Terminated by user",
    )
    return halted, aws


def paused() -> tuple[Timeline, Timeline]:
    """Cloudflare's execution is paused: nobody knows when its sleep will end."""
    cloudflare, aws = mid_hold()
    return replace(cloudflare, status="paused"), aws


def untold() -> tuple[Timeline, Timeline]:
    """Cloudflare knows of a finalize without its times, and nobody knows when the request was sent."""
    cloudflare, aws = expired()
    silent = Span("step", "finalize", None, status="unknown")
    return (
        replace(cloudflare, requested_at=None, accept_ms=None, spans=(*cloudflare.spans[:2], silent)),
        replace(aws, requested_at=None, accept_ms=None),
    )


def _since(moment: datetime | None) -> float:
    assert moment is not None
    return (moment - T0).total_seconds() * 1000


def _shifted(span: Span, ms: float) -> Span:
    def moved(moment: datetime | None) -> datetime | None:
        return moment and moment + timedelta(milliseconds=ms)

    return replace(
        span,
        start=moved(span.start),
        end=moved(span.end),
        began=moved(span.began),
        ended=moved(span.ended),
        attempts=tuple(
            replace(attempt, start=moved(attempt.start), end=moved(attempt.end)) for attempt in span.attempts
        ),
    )
