"""The statistics of a benchmark: quantiles, differences, noise, shares, trends and histograms.

Latencies are skewed, have ties (whole milliseconds) and outliers, so nothing here assumes a distribution. Pure Python,
and the same for the same input: whatever is drawn at random comes from a fixed seed. Tested against numpy and scipy.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, count, groupby
from random import Random

_SEED = 4
#: Below so many values a noise floor says nothing.
#: Values that a noise floor takes, and so a winner.
FEWEST_FOR_NOISE = 8
_NOISE_QUANTILE = 0.95
#: A line through more points is drawn through so many of them: their pairs are sorted within a second.
_MOST_POINTS = 2000


@dataclass(frozen=True, slots=True)
class Interval:
    """A confidence interval, in the unit of the values; a bound is None where the data do not bound it."""

    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Quantile:
    """The value below which the share `p` (0 to 1) of a metric lies, and its confidence interval."""

    p: float
    value: float
    interval: Interval


@dataclass(frozen=True, slots=True)
class Statistics:
    """What there is to say of one metric on one lane, in the metric's own unit."""

    n: int
    mean: float
    minimum: float
    maximum: float
    p50: Quantile
    p90: Quantile
    p99: Quantile


@dataclass(frozen=True, slots=True)
class Difference:
    """A quantile of the second lane minus the same of the first, with the confidence interval of the difference."""

    value: float
    interval: Interval


@dataclass(frozen=True, slots=True)
class Line:
    """`constant + slope * x`, and the confidence interval of the slope."""

    constant: float
    slope: float
    slope_interval: Interval


def quantile(values: Sequence[float], p: float) -> float:
    """The quantile by linear interpolation between order statistics.

    Type 7 of Hyndman and Fan (1996), "Sample quantiles in statistical packages": numpy's default.
    Raises ValueError without values, or unless 0 <= p <= 1.
    """
    if not values:
        raise ValueError("No values, no quantile.")
    if not 0 <= p <= 1:
        raise ValueError("A quantile's p lies between 0 and 1.")
    ordered = sorted(values)
    rank, part = _rank(len(ordered), p)
    return _between(ordered[rank], ordered[min(rank + 1, len(ordered) - 1)], part)


def quantile_interval(values: Sequence[float], p: float, confidence: float = 0.95) -> Interval:
    """The two-sided confidence interval of a quantile: two of the values, whatever their distribution.

    How many values lie below the true quantile is binomial (n, p), which tells between which order statistics it lies
    with at least `confidence`. Conover (1999), "Practical Nonparametric Statistics", 3.2; the same bounds as
    scipy.stats.quantile_test(...).confidence_interval(), and None where that has none.
    Raises ValueError unless p and confidence are between 0 and 1.
    """
    if not (0 < p < 1 and 0 < confidence < 1):
        raise ValueError("The p and the confidence of an interval lie between 0 and 1.")
    ordered = sorted(values)
    n, tail = len(ordered), (1 - confidence) / 2
    below = _binomial_quantile(n, p, tail)
    # From the other end it is the same question with 1 - p; so both tails are summed from their small terms.
    above = _binomial_quantile(n, 1 - p, tail)
    return Interval(ordered[below - 1] if below > 0 else None, ordered[n - above] if above > 0 else None)


def describe(values: Sequence[float], confidence: float = 0.95) -> Statistics | None:
    """n, mean, extremes and p50, p90, p99 with their confidence intervals; None without values."""
    if not values:
        return None
    ordered = sorted(values)
    p50, p90, p99 = (
        Quantile(p, quantile(ordered, p), quantile_interval(ordered, p, confidence)) for p in (0.5, 0.9, 0.99)
    )
    mean = math.fsum(ordered) / len(ordered)
    return Statistics(len(ordered), mean, ordered[0], ordered[-1], p50, p90, p99)


def difference(
    first: Sequence[float],
    second: Sequence[float],
    p: float = 0.5,
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = _SEED,
) -> Difference | None:
    """Second minus first of the quantile `p`; None when either has fewer than 2 values: one value has no spread.

    The interval is the percentile bootstrap's: Efron and Tibshirani (1993), "An Introduction to the Bootstrap", 13.
    It is deterministic by `seed`.
    """
    if min(len(first), len(second)) < 2:
        return None
    random = Random(seed)  # noqa: S311 - statistics, no secret
    ours, theirs = sorted(first), sorted(second)
    drawn = [_resampled(theirs, p, random) - _resampled(ours, p, random) for _ in range(resamples)]
    tail = (1 - confidence) / 2
    interval = Interval(quantile(drawn, tail), quantile(drawn, 1 - tail))
    return Difference(quantile(theirs, p) - quantile(ours, p), interval)


def noise_floor(
    values_in_order: Sequence[float], p: float = 0.5, resamples: int = 1000, seed: int = _SEED
) -> float | None:
    """A/A: by how much a lane differs from itself in the quantile `p`; None below 8 values.

    `values_in_order` are in the order in which they were measured. The largest of three differences between two halves
    of the lane: first and second half (drift), even and odd (two interleaved lanes that are the same), and what 95 % of
    random halves stay below (chance). A half has half the values, so this is more than two whole lanes would differ by
    chance alone (by a factor of about 1.4): it errs on the side of naming no winner.
    """
    values = list(values_in_order)
    if len(values) < FEWEST_FOR_NOISE:
        return None
    middle = len(values) // 2
    drift = abs(quantile(values[:middle], p) - quantile(values[middle:], p))
    interleaved = abs(quantile(values[::2], p) - quantile(values[1::2], p))
    chance = quantile(list(_random_halves(sorted(values), p, resamples, seed)), _NOISE_QUANTILE)
    return max(drift, interleaved, chance)


def share_limit(count: int, n: int, confidence: float = 0.95) -> float | None:
    """What share there may be at most when `count` of `n` were seen (0 of 200: 1.5 %); None for n = 0.

    The one-sided upper bound of Clopper and Pearson (1934): the share for which so few are seen in 1 - `confidence` of
    all cases. Raises ValueError unless 0 <= count <= n.
    """
    if not 0 <= count <= n:
        raise ValueError(f"{count} of {n} is no share.")
    if n == 0:
        return None
    if count == n:
        return 1.0
    low, high = 0.0, 1.0
    for _ in range(60):
        share = (low + high) / 2
        if math.fsum(_binomial(n, share, count)) > 1 - confidence:
            low = share
        else:
            high = share
    return high


def line(points: Sequence[tuple[float, float]], confidence: float = 0.95) -> Line | None:
    """The robust line through points (x, y); None unless there are 3 points, at 2 different x.

    Theil-Sen: the median slope of all pairs with different x. The constant is median(y) - slope * median(x); the
    interval is Sen's (1968), "Estimates of the regression coefficient based on Kendall's tau", with his correction for
    ties; both as in scipy.stats.theilslopes. Its bounds are None where every y is the same.
    Of more than 2000 points, 2000 are taken: in the order of x, then y, and evenly spaced, so that each x keeps its
    share and its distribution. The interval is then that of 2000 points, wider than that of all.
    """
    if len(points) < 3 or len({x for x, _ in points}) < 2:
        return None
    kept = _thinned(sorted(points), _MOST_POINTS)
    groups = [(x, [y for _, y in group]) for x, group in groupby(kept, key=lambda point: point[0])]
    slopes = sorted(
        (after - before) / (right - left)
        for (left, befores), (right, afters) in combinations(groups, 2)
        for before in befores
        for after in afters
    )
    slope = quantile(slopes, 0.5)
    constant = quantile([y for _, y in points], 0.5) - slope * quantile([x for x, _ in points], 0.5)
    return Line(constant, slope, _slope_interval(kept, slopes, confidence))


def histogram(samples: Sequence[Sequence[float]], bins: int) -> tuple[list[float], list[list[int]]]:
    """Common edges for all lanes and, for each lane, how many of its values lie between each two of them.

    There are at most `bins` bins (or 4) and one edge more than bins; bin i holds edges[i] <= value < edges[i + 1],
    and no value is left out. The inner edges are multiples of one step of 1, 2 or 5 times a power of ten; whole numbers
    get whole steps. Where a long tail would make the step coarser, its bin is open: the last edge is `inf` (and the
    first one `-inf` for a tail to the left), and the edge next to it says from where. A tail is what lies beyond three
    interquartile ranges from the quartiles of its lane (Tukey's "far out") and has less than about 5 % of its values.
    Without values: no edges, and no counts.
    """
    pooled = [value for lane in samples for value in lane]
    if not pooled:
        return [], [[] for _ in samples]
    edges = _edges(pooled, [_body(sorted(lane)) for lane in samples if lane], max(bins, 4))
    counts = []
    for lane in samples:
        placed = Counter(bisect_right(edges, value) - 1 for value in lane)
        counts.append([placed[index] for index in range(len(edges) - 1)])
    return edges, counts


def _rank(n: int, p: float) -> tuple[int, float]:
    """The order statistic (from 0) at or below the quantile, and the part of the way to the next one."""
    place = (n - 1) * p
    return math.floor(place), place - math.floor(place)


def _between(low: float, high: float, part: float) -> float:
    return low + (high - low) * part


def _binomial(n: int, p: float, most: int) -> Iterator[float]:
    """The probabilities of 0 to `most` hits among n, for 0 < p < 1; by logarithms, as the powers underflow."""
    hit, miss, whole = math.log(p), math.log1p(-p), math.lgamma(n + 1)
    for k in range(most + 1):
        ways = whole - math.lgamma(k + 1) - math.lgamma(n - k + 1)
        yield math.exp(ways + k * hit + (n - k) * miss)


def _binomial_quantile(n: int, p: float, tail: float) -> int:
    """The fewest hits among n that are not exceeded with a probability of at least `tail`."""
    total = 0.0
    for hits, probability in enumerate(_binomial(n, p, n)):
        total += probability
        if total >= tail:
            return hits
    return n


def _resampled(ordered: Sequence[float], p: float, random: Random) -> float:
    """The quantile of a bootstrap resample, without drawing its n values.

    A resample's values are ordered[int(n * u)] for n uniform u; only the k-th smallest u matters (and the next),
    and how it is distributed is known: Beta(k, n - k + 1). Devroye (1986), "Non-Uniform Random Variate
    Generation", V.2.
    """
    n = len(ordered)
    rank, part = _rank(n, p)
    at = random.betavariate(rank + 1, n - rank)
    value = ordered[min(int(n * at), n - 1)]
    if part == 0:
        return value
    after = at + (1 - at) * random.betavariate(1, n - rank - 1)
    return _between(value, ordered[min(int(n * after), n - 1)], part)


def _random_halves(ordered: Sequence[float], p: float, resamples: int, seed: int) -> Iterator[float]:
    """How far the quantile of a random half is from that of the other half.

    A half is a number of n bits, one for each value in ascending order: so its k-th value is found by counting bits.
    """
    random = Random(seed)  # noqa: S311 - statistics, no secret
    n = len(ordered)
    everyone = (1 << n) - 1
    for _ in range(resamples):
        half = random.getrandbits(n)
        while half.bit_count() != n // 2:
            half = random.getrandbits(n)
        yield abs(_quantile_of(half, ordered, p) - _quantile_of(half ^ everyone, ordered, p))


def _quantile_of(chosen: int, ordered: Sequence[float], p: float) -> float:
    rank, part = _rank(chosen.bit_count(), p)
    value = ordered[_place(chosen, len(ordered), rank)]
    return value if part == 0 else _between(value, ordered[_place(chosen, len(ordered), rank + 1)], part)


def _place(chosen: int, n: int, rank: int) -> int:
    """Where the bit is that has `rank` set bits below it."""
    return bisect_left(range(n), rank + 1, key=lambda last: (chosen & ((2 << last) - 1)).bit_count())


def _thinned(points: Sequence[tuple[float, float]], most: int) -> Sequence[tuple[float, float]]:
    if len(points) <= most:
        return points
    return [points[int((index + 0.5) * len(points) / most)] for index in range(most)]


def _slope_interval(points: Sequence[tuple[float, float]], slopes: Sequence[float], confidence: float) -> Interval:
    # 4 ms to import, and only a sweep needs it.
    from statistics import NormalDist

    variance = _spread(len(points)) - sum(
        _spread(times) for axis in zip(*points, strict=True) for times in Counter(axis).values()
    )
    if variance < 0:
        return Interval(None, None)
    reach = NormalDist().inv_cdf((1 + confidence) / 2) * math.sqrt(variance / 18)
    low = max(round((len(slopes) - reach) / 2) - 1, 0)
    high = min(round((len(slopes) + reach) / 2), len(slopes) - 1)
    return Interval(slopes[low], slopes[high])


def _spread(n: int) -> int:
    return n * (n - 1) * (2 * n + 5)


def _body(ordered: Sequence[float]) -> tuple[float, float]:
    """The first and the last of a lane's values that are no tail."""
    low, high = quantile(ordered, 0.25), quantile(ordered, 0.75)
    reach = 3 * (high - low)
    # Rounded towards the middle: of any number of values, the last one alone can be a tail.
    most = len(ordered) - 1
    inner = int(0.95 * most)
    first = min(bisect_left(ordered, low - reach), most - inner)
    last = max(bisect_right(ordered, high + reach) - 1, inner)
    return ordered[first], ordered[last]


def _edges(pooled: Sequence[float], bodies: Sequence[tuple[float, float]], bins: int) -> list[float]:
    least, most = min(pooled), max(pooled)
    low, high = min(low for low, _ in bodies), max(high for _, high in bodies)
    left, right = low > least, high < most
    whole = all(float(value).is_integer() for value in pooled)
    step = _step(least, most, bins, whole)
    finer = _step(low, high, bins - left - right, whole)
    if finer < step:
        step = finer
    else:
        left = right = False
        low, high = least, most
    first, last = _index(low, step), _index(high, step)
    # Rows to spare go to the tails, as far as there are values.
    places = {_index(value, step) for value in pooled}
    spare = bins - left - right - (last - first + 1)
    last = max(place for place in places if place <= last + spare * right)
    spare = bins - left - right - (last - first + 1)
    first = min(place for place in places if place >= first - spare * left)
    edges = [_multiple(step, index) for index in range(first, last + 2)]
    return [*([-math.inf] if least < edges[0] else []), *edges, *([math.inf] if most >= edges[-1] else [])]


def _step(low: float, high: float, bins: int, whole: bool) -> float:
    """The finest step of 1, 2 or 5 times a power of ten with which `bins` bins hold all from low to high."""
    if high == low:
        return 1.0
    power = math.floor(math.log10((high - low) / bins)) - 1
    steps = (factor * 10.0**power for power in count(power) for factor in (1, 2, 5))
    return next(step for step in steps if (step >= 1 or not whole) and _index(high, step) - _index(low, step) < bins)


def _index(value: float, step: float) -> int:
    """Between which multiples of `step` a value lies: the number of the lower one."""
    index = math.floor(value / step)
    if value < _multiple(step, index):
        return index - 1
    return index + 1 if value >= _multiple(step, index + 1) else index


def _multiple(step: float, factor: int) -> float:
    """`step` times `factor` without the dust of binary fractions: 3 * 0.1 is 0.3."""
    return round(step * factor, max(0, -math.floor(math.log10(step))))
