"""Whether a benchmark misses the thresholds that were set for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from reservation_cli.domain import statistics
from reservation_cli.domain.benchmark import Bench, Sample, measured, of, started_per_second
from reservation_cli.domain.reservation import Platform
from reservation_cli.domain.threshold import Threshold, holds


@dataclass(frozen=True, slots=True)
class Missed:
    """A threshold that one lane has missed; `value` is None when it has nothing to be judged by."""

    threshold: Threshold
    platform: Platform
    hold_seconds: int
    value: float | None


def missed(bench: Bench, thresholds: Sequence[Threshold]) -> tuple[Missed, ...]:
    """Each threshold with each lane (a platform and a hold) that misses it."""
    return tuple(found for threshold in thresholds for found in _missed(bench, threshold))


def _missed(bench: Bench, threshold: Threshold) -> Iterator[Missed]:
    platforms = [threshold.platform] if threshold.platform else bench.plan.platforms
    for platform in platforms:
        for hold in bench.plan.holds:
            value = _value(bench, of(bench, platform, hold), threshold)
            # What could not be measured is not passed off as good.
            if value is None or holds(threshold, value):
                yield Missed(threshold, platform, hold, value)


def _value(bench: Bench, samples: Sequence[Sample], threshold: Threshold) -> float | None:
    if threshold.metric == "throughput":
        return started_per_second(samples)
    if threshold.metric == "double_held":
        return bench.double_held
    if threshold.statistic is None:
        return sum(sample.verdict == threshold.metric for sample in samples)
    values = measured(samples, threshold.metric)
    if threshold.statistic == "n":
        return len(values)
    if not values:
        return None
    if threshold.p is not None:
        return statistics.quantile(values, threshold.p)
    return {"min": min(values), "max": max(values)}.get(threshold.statistic, sum(values) / len(values))
