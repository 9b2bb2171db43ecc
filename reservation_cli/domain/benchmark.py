"""A benchmark: many reservations on each platform in one run, what became of each, and what the numbers say.

Pure: the samples go in, the summary comes out, the same when the run is read from its file.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Literal

from reservation_cli.domain import statistics
from reservation_cli.domain.comparison import Metrics
from reservation_cli.domain.reservation import Outcome, Platform, Strategy, Target
from reservation_cli.domain.statistics import Difference, Line, Statistics
from reservation_cli.domain.timeline import ExecutionStatus, later

#: right       ended as it had to, and its seat says the same
#: wrong       ended otherwise, or its seat and its workflow disagree
#: lost        was accepted and had not ended within the time given
#: duplicated  one id, and more than one execution, or a step whose body succeeded twice
#: refused     was not accepted: it never was a reservation
#: unfinished  still going on when the run was interrupted
Verdict = Literal["right", "wrong", "lost", "duplicated", "refused", "unfinished"]

#: Metrics of which less is better and that both lanes measure alike. `accept_ms` is not among them: Cloudflare's answer
#: waits for the hold, AWS's does not.
COMPARED = (
    "timer_error_ms",
    "engine_lateness_ms",
    "resume_ms",
    "signal_to_resume_ms",
    "first_step_ms",
    "create_hold_ms",
    "finalize_ms",
    "overhead_ms",
)
#: Signed: what counts is how far it is from zero.
SIGNED = frozenset({"timer_error_ms", "engine_lateness_ms"})


@dataclass(frozen=True, slots=True)
class Plan:
    """What was asked for.

    `count` reservations on each platform and for each of `holds` (seconds), with `concurrency` requests under way at
    once over all lanes, or at `rate` a second over all lanes; several holds have a rate, at which they end as well.
    `confirm_after` is seconds after acceptance.
    """

    platforms: tuple[Platform, ...]
    count: int
    concurrency: int
    holds: tuple[int, ...]
    strategy: Strategy = "sleep"
    rate: float | None = None
    confirm_after: float | None = None
    warmup: int = 0
    herd: bool = False


@dataclass(frozen=True, slots=True)
class Sample:
    """One reservation of a benchmark.

    `number` is its place in the order of sending, `hold_seconds` the group that it belongs to (with `--herd` the hold
    of the first), `sent_at` by this machine's clock. `retries` counts the attempts of steps beyond the first.
    """

    platform: Platform
    target: Target
    label: str
    number: int
    reservation_id: str
    ref: str
    hold_seconds: int
    status: ExecutionStatus
    expected: Outcome
    outcome: Outcome | None
    verdict: Verdict
    metrics: Metrics
    sent_at: datetime | None = None
    retries: int = 0
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Bench:
    """What was measured.

    `samples` are in the order of sending, warm-ups left out. `requests` counts the HTTP requests that were made on each
    platform, `seconds` is the whole run's length, `cpu_seconds` what `resv` itself used for it. `double_held` counts
    seats that two reservations held at once.
    """

    plan: Plan
    samples: tuple[Sample, ...]
    requests: Mapping[Platform, int]
    seconds: float
    cpu_seconds: float
    interrupted: bool = False
    double_held: int = 0


@dataclass(frozen=True, slots=True)
class Summary:
    """What the samples of one platform and one hold say: counts, throughput and statistics by metric.

    `started_per_second` is over the time from the first request sent to the last one accepted; None for fewer than two.
    `noise` is the A/A noise floor of the median: by what the lane differs from itself, in ms.
    """

    platform: Platform
    target: Target
    label: str
    hold_seconds: int
    counts: Mapping[Verdict, int]
    started_per_second: float | None
    statistics: Mapping[str, Statistics]
    noise: Mapping[str, float | None]
    retries: int

    @property
    def n(self) -> int:
        """How many reservations were asked for."""
        return sum(self.counts.values())


@dataclass(frozen=True, slots=True)
class Contest:
    """One metric of two lanes with the same hold: the second's median minus the first's, of magnitudes if signed.

    `floor` is the larger noise floor of the two. `winner` is None where the difference is not above it, or its
    confidence interval has zero in it.
    """

    metric: str
    hold_seconds: int
    lanes: tuple[Platform, Platform]
    difference: Difference
    floor: float
    winner: Platform | None


@dataclass(frozen=True, slots=True)
class Drift:
    """How the timer error of one lane grows with the hold: `line` in ms, and ms per second of hold."""

    platform: Platform
    line: Line


def summaries(bench: Bench) -> tuple[Summary, ...]:
    """One for each hold and platform, in this order."""
    return tuple(_summary(samples) for samples in _groups(bench) if samples)


def contests(bench: Bench, found: Sequence[Summary]) -> tuple[Contest, ...]:
    """The compared metrics that both platforms have, by hold; `found` are the bench's summaries."""
    told = []
    for hold in bench.plan.holds:
        lanes = [summary for summary in found if summary.hold_seconds == hold]
        if len(lanes) == 2:
            told += [contest for metric in COMPARED if (contest := _contest(bench, metric, *lanes))]
    return tuple(told)


def drifts(bench: Bench) -> tuple[Drift, ...]:
    """The constant and the proportional part of the timer error, for each platform; none unless holds differ."""
    if len(bench.plan.holds) < 2:
        return ()
    found = []
    for platform in bench.plan.platforms:
        points = [
            (float(sample.hold_seconds), sample.metrics.timer_error_ms)
            for sample in bench.samples
            if sample.platform == platform and sample.metrics.timer_error_ms is not None
        ]
        line = statistics.line(points)
        if line is not None:
            found.append(Drift(platform, line))
    return tuple(found)


def counts(bench: Bench) -> Counter[Verdict]:
    """How many reservations got each verdict, over all lanes."""
    return Counter(sample.verdict for sample in bench.samples)


def measured(samples: Sequence[Sample], metric: str) -> list[float]:
    """The values of a metric in the order of sending, of those that have one and ended right."""
    values = (getattr(sample.metrics, metric) for sample in samples if sample.verdict == "right")
    return [float(value) for value in values if value is not None]


def of(bench: Bench, platform: Platform | None = None, hold: int | None = None) -> list[Sample]:
    """The samples of a platform and a hold; all of them unless told."""
    return [
        sample
        for sample in bench.samples
        if platform in (None, sample.platform) and hold in (None, sample.hold_seconds)
    ]


def started_per_second(samples: Sequence[Sample]) -> float | None:
    """Requests accepted a second, from the first one sent to the last one accepted; None for fewer than two."""
    sent = [
        (sample.sent_at, accepted)
        for sample in samples
        if sample.sent_at is not None
        and sample.metrics.accept_ms is not None
        and (accepted := later(sample.sent_at, timedelta(milliseconds=sample.metrics.accept_ms)))
    ]
    if len(sent) < 2:
        return None
    seconds = (max(accepted for _, accepted in sent) - min(begun for begun, _ in sent)).total_seconds()
    return len(sent) / seconds if seconds > 0 else None


def behind(bench: Bench) -> float | None:
    """Requests sent a second where that is less than 95 % of the rate that was asked for; None where it was kept."""
    # Of several holds each is sent over a time of its own.
    lanes = of(bench, hold=max(bench.plan.holds))
    sent = [sample.sent_at for sample in lanes if sample.sent_at is not None]
    if bench.plan.rate is None or len(sent) < 2:
        return None
    seconds = (max(sent) - min(sent)).total_seconds()
    reached = (len(sent) - 1) * len(bench.plan.holds) / seconds if seconds > 0 else bench.plan.rate
    return reached if reached < 0.95 * bench.plan.rate else None


def _groups(bench: Bench) -> Iterator[list[Sample]]:
    for hold in bench.plan.holds:
        for platform in bench.plan.platforms:
            yield of(bench, platform, hold)


def _summary(samples: Sequence[Sample]) -> Summary:
    first = samples[0]
    values = {field.name: measured(samples, field.name) for field in fields(Metrics)}
    described = {metric: statistics.describe(found) for metric, found in values.items()}
    return Summary(
        platform=first.platform,
        target=first.target,
        label=first.label,
        hold_seconds=first.hold_seconds,
        counts=Counter(sample.verdict for sample in samples),
        started_per_second=started_per_second(samples),
        statistics={metric: found for metric, found in described.items() if found is not None},
        noise={metric: statistics.noise_floor(_magnitudes(metric, values[metric])) for metric in COMPARED},
        retries=sum(sample.retries for sample in samples),
    )


def _contest(bench: Bench, metric: str, first: Summary, second: Summary) -> Contest | None:
    ours, theirs = (
        _magnitudes(metric, measured(of(bench, lane.platform, lane.hold_seconds), metric)) for lane in (first, second)
    )
    floors = (first.noise[metric], second.noise[metric])
    difference = statistics.difference(ours, theirs)
    # Too few values have no noise floor, and without one no winner is named.
    if difference is None or floors[0] is None or floors[1] is None:
        return None
    floor = max(floors[0], floors[1])
    low, high = difference.interval.low, difference.interval.high
    certain = low is not None and high is not None and (low > 0 or high < 0)
    winner = None
    if certain and abs(difference.value) > floor:
        winner = first.platform if difference.value > 0 else second.platform
    return Contest(metric, first.hold_seconds, (first.platform, second.platform), difference, floor, winner)


def _magnitudes(metric: str, values: Sequence[float]) -> list[float]:
    return [abs(value) for value in values] if metric in SIGNED else list(values)
