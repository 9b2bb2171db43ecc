"""Thresholds: what is read, when one is missed, and what a mistake is answered with."""

from __future__ import annotations

import pytest

from reservation_cli.domain.reservation import InvalidInputError, Platform
from reservation_cli.domain.threshold import COUNTS, METRICS, Operator, Threshold, holds, parse_threshold


@pytest.mark.parametrize(
    ("text", "platform", "metric", "statistic", "operator", "limit"),
    [
        ("aws.timer_error_ms.p95 > 200", "aws", "timer_error_ms", "p95", ">", 200),
        ("cloudflare.first_step_ms.max>=1.5s", "cloudflare", "first_step_ms", "max", ">=", 1500),
        ("timer_error_ms.p99.9 > 200ms", None, "timer_error_ms", "p99.9", ">", 200),
        ("timer_error_ms.min < -5 ms", None, "timer_error_ms", "min", "<", -5),
        ("total_ms.p50 > 15m", None, "total_ms", "p50", ">", 900_000),
        ("aws.timer_error_ms.n != 200", "aws", "timer_error_ms", "n", "!=", 200),
        ("operations.mean > 7.5", None, "operations", "mean", ">", 7.5),
        ("cost_usd.mean > 1e-5", None, "cost_usd", "mean", ">", 1e-5),
        ("lost > 0", None, "lost", None, ">", 0),
        ("aws.double_held != 0", "aws", "double_held", None, "!=", 0),
        ("throughput <= .5", None, "throughput", None, "<=", 0.5),
        ("  AWS . Timer_Error_ms . P95   ==  +200 ", "aws", "timer_error_ms", "p95", "==", 200),
    ],
)
def test_an_expression_is_read(
    text: str, platform: Platform | None, metric: str, statistic: str | None, operator: Operator, limit: float
) -> None:
    expected = Threshold(" ".join(text.split()), platform, metric, statistic, operator, limit)
    assert parse_threshold(text) == expected


def test_all_metrics_of_a_lane_and_all_counts_can_be_limited() -> None:
    assert {"timer_error_ms", "accept_ms", "operations", "invocations", "polls", "cost_usd"} <= set(METRICS)
    for metric in METRICS:
        assert parse_threshold(f"{metric}.p90 > 1").metric == metric
    for count in COUNTS:
        assert parse_threshold(f"{count} > 1").metric == count


@pytest.mark.parametrize(
    ("statistic", "p"),
    [("p50", 0.5), ("p95", 0.95), ("p99", 0.99), ("p99.9", 0.999), ("p0.1", 0.001), ("max", None), ("n", None)],
)
def test_a_percentile_knows_its_quantile(statistic: str, p: float | None) -> None:
    assert parse_threshold(f"timer_error_ms.{statistic} > 1").p == p


def test_a_count_has_no_quantile() -> None:
    assert parse_threshold("lost > 0").p is None


@pytest.mark.parametrize(
    ("operator", "missed"),
    [
        (">", [False, False, True]),
        (">=", [False, True, True]),
        ("<", [True, False, False]),
        ("<=", [True, True, False]),
        ("==", [False, True, False]),
        ("!=", [True, False, True]),
    ],
)
def test_a_threshold_is_missed_when_its_expression_is_true(operator: str, missed: list[bool]) -> None:
    threshold = parse_threshold(f"timer_error_ms.p95 {operator} 0.2s")
    assert [holds(threshold, value) for value in (199.9, 200.0, 200.1)] == missed


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("aws.timer_eror_ms.p95 > 200", "--fail-if knows no metric 'timer_eror_ms': did you mean timer_error_ms?"),
        ("timer_error.p95 > 200", "--fail-if knows no metric 'timer_error': did you mean timer_error_ms?"),
        ("losst > 0", "--fail-if knows no metric 'losst': did you mean lost?"),
        ("asw.lost > 0", "--fail-if knows no platform 'asw': did you mean aws?"),
        ("azure.timer_error_ms.p95 > 0", "--fail-if knows no platform 'azure': cloudflare, aws."),
        ("aws > 200", "--fail-if takes a metric after 'aws', as in 'aws.timer_error_ms.p95 > 200'."),
        (
            "timer_error_ms > 200",
            "timer_error_ms takes a statistic: timer_error_ms.p50, .p95, .p99.9, .min, .mean, .max, .n.",
        ),
        (
            "timer_error_ms.median > 200",
            "--fail-if knows no statistic 'median': p50, p95, p99.9 (above 0, below 100), min, mean, max, n.",
        ),
        (
            "timer_error_ms.p100 > 200",
            "--fail-if knows no statistic 'p100': p50, p95, p99.9 (above 0, below 100), min, mean, max, n.",
        ),
        (
            "timer_error_ms.p0 > 200",
            "--fail-if knows no statistic 'p0': p50, p95, p99.9 (above 0, below 100), min, mean, max, n.",
        ),
        ("lost.p95 > 0", "lost is one number for a lane, without a statistic: 'lost > 0'."),
        ("aws.lost.p95.max > 0", "--fail-if takes [platform.]metric[.statistic], not 'aws.lost.p95.max'."),
        ("timer_error_ms.p95 = 200", "--fail-if knows no '=': >, >=, <, <=, ==, !=."),
        ("timer_error_ms.p95 => 200", "--fail-if knows no '=>': >, >=, <, <=, ==, !=."),
        ("timer_error_ms.p95 >", "--fail-if compares with a number, such as 200, 200ms or 1.5s, not ''."),
        ("timer_error_ms.p95 > fast", "--fail-if compares with a number, such as 200, 200ms or 1.5s, not 'fast'."),
        ("timer_error_ms.p95 > 1e", "--fail-if knows no unit 'e': ms, s, m."),
        ("timer_error_ms.p95 > nan", "--fail-if compares with a number, such as 200, 200ms or 1.5s, not 'nan'."),
        ("timer_error_ms.p95 > 3 min", "--fail-if knows no unit 'min': ms, s, m."),
        ("timer_error_ms.n < 200ms", "timer_error_ms.n is compared with a bare number, not '200ms'."),
        ("throughput < 50s", "throughput is compared with a bare number, not '50s'."),
    ],
)
def test_a_mistake_is_told_in_one_line(text: str, told: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        parse_threshold(text)
    assert str(refused.value) == told


@pytest.mark.parametrize("text", ["", "aws.timer_error_ms.p95", "> 200", "1 < timer_error_ms.p95 < 2", "a\nb"])
def test_what_is_no_expression_is_told_how_one_looks(text: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        parse_threshold(text)
    told = str(refused.value)
    assert told.startswith("--fail-if takes an expression in quotes, such as 'aws.timer_error_ms.p95 > 200', not ")
    assert "\n" not in told
