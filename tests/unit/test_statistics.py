"""The statistics against numpy and scipy on the same data, and against what they promise."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from random import Random

import numpy as np
import pytest
from scipy import stats

from reservation_cli.domain.statistics import (
    Interval,
    describe,
    difference,
    histogram,
    line,
    noise_floor,
    quantile,
    quantile_interval,
    share_limit,
)


def _data() -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for n in (1, 2, 5, 50, 1000):
        random = Random(n)
        found[f"normal-{n}"] = [random.gauss(6, 2) for _ in range(n)]
        found[f"heavy-{n}"] = [random.lognormvariate(1, 2) for _ in range(n)]
        found[f"whole-ms-{n}"] = [float(round(random.gauss(6, 2))) for _ in range(n)]
        found[f"negative-{n}"] = [-random.expovariate(0.1) for _ in range(n)]
    found["ties-50"] = [5.0] * 50
    return found


DATA = _data()
SHARES = (0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99)
SEEDS = range(3)


@pytest.mark.parametrize("name", DATA)
def test_quantiles_are_numpys(name: str) -> None:
    for p in (0.0, *SHARES, 1.0):
        assert quantile(DATA[name], p) == pytest.approx(float(np.quantile(DATA[name], p)), rel=1e-12)


@pytest.mark.parametrize("p", [-0.1, 1.1, math.nan])
def test_a_quantile_outside_of_0_to_1_is_refused(p: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        quantile([1.0], p)


def test_no_values_have_no_quantile() -> None:
    with pytest.raises(ValueError, match="No values"):
        quantile([], 0.5)
    assert describe([]) is None
    assert quantile_interval([], 0.5) == Interval(None, None)


def _scipys_interval(values: Sequence[float], p: float, confidence: float) -> Interval:
    bounds = stats.quantile_test(values, p=p).confidence_interval(confidence)
    low, high = (float(bound) if math.isfinite(bound) else None for bound in (bounds.low, bounds.high))
    return Interval(low, high)


@pytest.mark.parametrize("name", DATA)
def test_quantile_intervals_are_scipys(name: str) -> None:
    for p in SHARES:
        for confidence in (0.9, 0.95, 0.99):
            expected = _scipys_interval(DATA[name], p, confidence)
            assert quantile_interval(DATA[name], p, confidence) == expected, (p, confidence)


def test_quantile_intervals_are_scipys_for_any_number_of_values() -> None:
    for n in [*range(1, 80), 365, 999, 10_000]:
        values = list(range(n))
        for p in (0.5, 0.9, 0.99):
            assert quantile_interval(values, p) == _scipys_interval(values, p, 0.95), (n, p)


@pytest.mark.parametrize(("p", "confidence"), [(0.0, 0.95), (1.0, 0.95), (0.5, 0.0), (0.5, 1.0)])
def test_an_interval_without_sense_is_refused(p: float, confidence: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        quantile_interval([1.0, 2.0], p, confidence)


def test_how_many_values_it_takes_to_bound_a_quantile() -> None:
    """The known least n: 6 for the median at 95 %, and 368 for an upper bound of the p99 in a two-sided interval."""
    assert quantile_interval(range(5), 0.5) == Interval(None, None)
    assert quantile_interval(range(6), 0.5) == Interval(0, 5)
    assert quantile_interval(range(367), 0.99).high is None
    assert quantile_interval(range(368), 0.99).high == 367


@pytest.mark.parametrize(("p", "n"), [(0.5, 20), (0.5, 200), (0.9, 60), (0.99, 400)])
def test_quantile_intervals_cover_what_they_promise(p: float, n: int) -> None:
    """1000 samples of a skewed distribution: at least 95 % of the intervals hold the true quantile."""
    random = Random(f"{p} {n}")
    truth = -math.log(1 - p)
    covered = 0
    for _ in range(1000):
        interval = quantile_interval([random.expovariate(1) for _ in range(n)], p)
        covered += (interval.low is None or interval.low <= truth) and (interval.high is None or truth <= interval.high)
    assert covered / 1000 >= 0.95


@pytest.mark.parametrize("name", DATA)
def test_a_description_is_numpys(name: str) -> None:
    values = DATA[name]
    told = describe(values)
    assert told is not None
    assert told.n == len(values)
    assert told.mean == pytest.approx(float(np.mean(values)), rel=1e-12)
    assert (told.minimum, told.maximum) == (min(values), max(values))
    for found in (told.p50, told.p90, told.p99):
        assert found.value == pytest.approx(float(np.quantile(values, found.p)), rel=1e-12)
        assert found.interval == _scipys_interval(values, found.p, 0.95)


def test_the_order_of_the_values_is_left_alone() -> None:
    values = [3.0, 1.0, 2.0]
    describe(values)
    quantile(values, 0.5)
    assert values == [3.0, 1.0, 2.0]


@pytest.mark.parametrize("p", [0.5, 0.9])
@pytest.mark.parametrize(("n", "m"), [(30, 30), (31, 200), (1000, 50)])
def test_a_difference_is_the_one_that_resampling_finds(p: float, n: int, m: int) -> None:
    """The bootstrap draws order statistics, not values; scipy draws the values. Within the noise of the resampling."""
    random = Random(n * m)
    first, second = ([random.lognormvariate(1, 0.5) for _ in range(size)] for size in (n, m))
    expected = stats.bootstrap(
        (second, first),
        lambda ours, theirs, axis: np.quantile(ours, p, axis=axis) - np.quantile(theirs, p, axis=axis),
        n_resamples=10_000,
        method="percentile",
        rng=np.random.default_rng(1),
    )
    found = difference(first, second, p, resamples=10_000)
    assert found is not None
    assert found.value == pytest.approx(float(np.quantile(second, p) - np.quantile(first, p)))
    low, high = expected.confidence_interval
    noise = 0.05 * (high - low)
    assert found.interval.low == pytest.approx(float(low), abs=noise)
    assert found.interval.high == pytest.approx(float(high), abs=noise)


def test_a_difference_is_the_same_for_the_same_seed() -> None:
    first, second = DATA["normal-50"], DATA["heavy-50"]
    assert difference(first, second) == difference(first, second)
    assert difference(first, second, seed=1) != difference(first, second, seed=2)


def test_a_difference_does_not_ask_for_an_order() -> None:
    first, second = DATA["normal-50"], DATA["heavy-50"]
    assert difference(first, second) == difference(first[::-1], sorted(second))


def test_one_value_on_a_side_makes_no_difference() -> None:
    assert difference([1.0], [1.0, 2.0]) is None
    assert difference([1.0, 2.0], []) is None


def test_lanes_without_spread_differ_for_certain() -> None:
    found = difference([1.0] * 8, [3.0] * 8)
    assert found is not None
    assert (found.value, found.interval) == (2.0, Interval(2.0, 2.0))


def test_intervals_of_differences_cover_about_what_they_promise() -> None:
    """Of 200 pairs of equal lanes with n = 100, about 95 % have zero in the interval: what the floor is measured by."""
    random = Random(7)
    covered = 0
    for _ in range(200):
        first, second = ([random.expovariate(1) for _ in range(100)] for _ in range(2))
        found = difference(first, second, resamples=400)
        assert found is not None
        assert found.interval.low is not None
        assert found.interval.high is not None
        covered += found.interval.low <= 0 <= found.interval.high
    assert 0.92 <= covered / 200 <= 0.98


def test_below_eight_values_there_is_no_noise_floor() -> None:
    assert noise_floor([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]) is None
    assert noise_floor([5.0] * 8) == 0.0


def test_chance_is_in_the_noise_floor() -> None:
    """In an order that hides drift and interleaving, the floor is the 95th percentile of random halves."""
    generator = np.random.default_rng(3)
    values = generator.normal(size=201)
    differences = []
    for _ in range(4000):
        mixed = generator.permutation(values)
        differences.append(abs(np.median(mixed[:100]) - np.median(mixed[100:])))
    found = noise_floor(_balanced(sorted(values.tolist())))
    assert found == pytest.approx(float(np.quantile(differences, 0.95)), rel=0.08)


def _balanced(ordered: list[float]) -> list[float]:
    """An order in which both halves, and even and odd places, have about the same median."""
    return [*ordered[::4], *ordered[1::4], *ordered[2::4], *ordered[3::4]]


def test_drift_is_in_the_noise_floor() -> None:
    steady, drifting = [6.0] * 50, [6.0 + index / 10 for index in range(50)]
    assert noise_floor(steady) == 0.0
    assert noise_floor(drifting) == pytest.approx(2.5)
    assert (noise_floor(drifting) or 0) > (noise_floor(_balanced(drifting)) or 0)


def test_what_every_second_one_suffers_is_in_the_noise_floor() -> None:
    assert noise_floor([1.0, 9.0] * 20) == 8.0


def test_a_noise_floor_is_the_same_for_the_same_seed() -> None:
    values = _balanced(sorted(DATA["normal-50"]))
    assert noise_floor(values) == noise_floor(values)


@pytest.mark.parametrize("name", ["normal-50", "heavy-50", "whole-ms-50", "negative-1000"])
def test_a_noise_floor_of_another_quantile_and_of_odd_numbers(name: str) -> None:
    values = DATA[name][1:]
    even_and_odd = abs(float(np.quantile(values[::2], 0.9) - np.quantile(values[1::2], 0.9)))
    found = noise_floor(values, p=0.9)
    assert found is not None
    assert found >= even_and_odd - 1e-9
    assert found <= max(values) - min(values)


@pytest.mark.parametrize(("count", "n"), [(0, 1), (0, 200), (1, 200), (3, 1000), (50, 100), (199, 200), (900, 1000)])
@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.99])
def test_share_limits_are_scipys(count: int, n: int, confidence: float) -> None:
    expected = float(stats.beta.ppf(confidence, count + 1, n - count))
    assert share_limit(count, n, confidence) == pytest.approx(expected, rel=1e-9)
    exact = stats.binomtest(count, n, alternative="less").proportion_ci(confidence, method="exact")
    assert share_limit(count, n, confidence) == pytest.approx(float(exact.high), rel=1e-9)


def test_share_limits_at_the_ends() -> None:
    assert share_limit(0, 200) == pytest.approx(1 - 0.05 ** (1 / 200))
    assert share_limit(7, 7) == 1.0
    assert share_limit(0, 0) is None
    with pytest.raises(ValueError, match="3 of 2"):
        share_limit(3, 2)
    with pytest.raises(ValueError, match="-1 of 2"):
        share_limit(-1, 2)


def _sweep(each: int, seed: int, whole: bool = True) -> list[tuple[float, float]]:
    """Timer errors at three holds, in seconds and ms, with outliers."""
    random = Random(seed)
    points = []
    for hold in (1.0, 10.0, 60.0):
        for _ in range(each):
            error = 5 + 0.05 * hold + random.gauss(0, 2) + random.choice([0] * 19 + [200])
            points.append((hold, float(round(error)) if whole else error))
    random.shuffle(points)
    return points


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("each", [1, 2, 17, 100])
def test_lines_are_scipys(each: int, whole: bool, seed: int) -> None:
    _is_scipys(_sweep(each, seed, whole))


@pytest.mark.parametrize("seed", SEEDS)
def test_lines_through_as_many_x_as_points_are_scipys(seed: int) -> None:
    random = Random(seed)
    _is_scipys([(random.uniform(0, 10), random.gauss(0, 1)) for _ in range(60)])
    _is_scipys([(float(random.randint(-3, 3)), float(random.randint(-2, 2))) for _ in range(60)])


def _is_scipys(points: list[tuple[float, float]], confidence: float = 0.95) -> None:
    expected = stats.theilslopes([y for _, y in points], [x for x, _ in points], confidence)
    found = line(points, confidence)
    assert found is not None
    assert found.slope == pytest.approx(float(expected.slope), abs=1e-12)
    assert found.constant == pytest.approx(float(expected.intercept), abs=1e-12)
    assert found.slope_interval.low == pytest.approx(float(expected.low_slope), abs=1e-12)
    assert found.slope_interval.high == pytest.approx(float(expected.high_slope), abs=1e-12)


def test_a_line_takes_three_points_at_two_x() -> None:
    assert line([]) is None
    assert line([(1.0, 5.0), (2.0, 6.0)]) is None
    assert line([(1.0, 5.0), (1.0, 6.0), (1.0, 7.0)]) is None
    assert line([(1.0, 5.0), (1.0, 7.0), (2.0, 8.0)]) is not None


def test_a_line_through_equal_y_is_flat_and_not_bounded() -> None:
    """Sen's variance is below zero there; scipy gives nan."""
    found = line([(1.0, 5.0), (1.0, 5.0), (2.0, 5.0), (2.0, 5.0)])
    assert found is not None
    assert (found.constant, found.slope) == (5.0, 0.0)
    assert found.slope_interval == Interval(None, None)


def test_a_line_through_many_points_is_nearly_the_whole_one_and_its_interval_not_narrower() -> None:
    points = _sweep(1000, 1, whole=False)
    expected = stats.theilslopes([y for _, y in points], [x for x, _ in points])
    width = float(expected.high_slope - expected.low_slope)
    found = line(points)
    assert found is not None
    assert found.slope_interval.low is not None
    assert found.slope_interval.high is not None
    assert found.slope == pytest.approx(float(expected.slope), abs=0.05 * width)
    assert width <= found.slope_interval.high - found.slope_interval.low <= 1.3 * width
    assert found == line(points[::-1])


def _lanes() -> dict[str, list[list[float]]]:
    random = Random(4)
    lanes: dict[str, list[list[float]]] = {
        name: [values, DATA["normal-50"], []] for name, values in DATA.items() if values
    }
    for number in range(40):
        decimals = random.choice([0, 1, 3, 9])
        lanes[f"mixed-{number}"] = [
            [
                round(
                    random.choice([random.gauss(5, 3), random.lognormvariate(1, 2), -random.expovariate(0.01)]),
                    decimals,
                )
                for _ in range(random.choice([0, 1, 2, 30]))
            ]
            for _ in range(random.choice([1, 2, 4]))
        ] + [[1.0]]
    return lanes


@pytest.mark.parametrize("bins", [4, 16, 400])
@pytest.mark.parametrize(("name", "lanes"), _lanes().items())
def test_histograms_count_every_value_where_numpy_does(name: str, lanes: list[list[float]], bins: int) -> None:
    edges, counts = histogram(lanes, bins)
    assert len(edges) - 1 <= bins
    assert all(before < after for before, after in pairwise(edges))
    assert [sum(lane) for lane in counts] == [len(lane) for lane in lanes]
    finite = [edge if math.isfinite(edge) else math.copysign(1e9, edge) for edge in edges]
    for values, lane in zip(lanes, counts, strict=True):
        assert lane == np.histogram(values, finite)[0].tolist()


@pytest.mark.parametrize(("name", "lanes"), _lanes().items())
def test_histograms_have_round_edges_of_one_step(name: str, lanes: list[list[float]]) -> None:
    edges = [edge for edge in histogram(lanes, 16)[0] if math.isfinite(edge)]
    step = edges[1] - edges[0]
    mantissa = step / 10 ** math.floor(math.log10(step) + 1e-9)
    assert min(abs(mantissa - factor) for factor in (1, 2, 5)) < 1e-6
    for edge in edges:
        assert edge / step == pytest.approx(round(edge / step), abs=1e-6)


def test_whole_milliseconds_get_whole_bins() -> None:
    edges, counts = histogram([[1.0, 2.0, 2.0, 3.0]], 16)
    assert (edges, counts) == ([1.0, 2.0, 3.0, 4.0], [[1, 2, 1]])


def test_one_far_value_does_not_flatten_the_others() -> None:
    body = [float(value) for value in range(10)]
    edges, counts = histogram([[*body, 5000.0], body], 16)
    assert edges == [*(float(edge) for edge in range(11)), math.inf]
    assert counts == [[1] * 10 + [1], [1] * 10 + [0]]


def test_far_values_on_both_sides_have_their_bins() -> None:
    body = [float(value) for value in range(10)] * 10
    edges, counts = histogram([[-5000.0, *body, 5000.0]], 16)
    assert (edges[0], edges[1], edges[-2], edges[-1]) == (-math.inf, 0.0, 10.0, math.inf)
    assert (counts[0][0], counts[0][-1]) == (1, 1)


def test_a_tail_that_fits_is_not_cut() -> None:
    edges, _ = histogram([[1.0] * 50 + [9.0]], 16)
    assert edges[-1] == 10.0


def test_a_second_mode_is_no_tail() -> None:
    edges, _ = histogram([[5.0] * 90 + [500.0] * 10], 16)
    assert edges[-1] > 500
    assert math.isfinite(edges[-1])


def test_a_lane_of_few_is_not_the_tail_of_a_lane_of_many() -> None:
    many, few = [5.0 + index / 1000 for index in range(1000)], [80.0, 81.0, 82.0]
    edges, counts = histogram([many, few], 16)
    assert math.isfinite(edges[-1])
    assert sum(counts[1]) == 3


def test_one_value_has_one_bin_and_none_has_none() -> None:
    assert histogram([[5.5]], 16) == ([5.0, 6.0], [[1]])
    assert histogram([[], []], 16) == ([], [[], []])
