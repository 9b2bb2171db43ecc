"""What `--fail-if` takes: `aws.timer_error_ms.p95 > 200`, `lost > 0`, `throughput < 50`.

[platform.]metric[.statistic] operator limit[unit]

Without a platform it is for every lane. A threshold is missed when its expression is true.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from typing import Literal, NoReturn

from reservation_cli.domain.comparison import Metrics
from reservation_cli.domain.reservation import PLATFORMS, InvalidInputError, Platform

Operator = Literal[">", ">=", "<", "<=", "==", "!="]

#: Metrics of one reservation: a threshold is set for a statistic of them.
METRICS: tuple[str, ...] = tuple(field.name for field in fields(Metrics))
#: What is counted once for a whole lane; throughput is in reservations a second.
COUNTS = ("lost", "duplicated", "wrong", "double_held", "refused", "throughput")
STATISTICS = ("min", "mean", "max", "n")

_OPERATORS: dict[Operator, Callable[[float, float], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
}
_MS = {"ms": 1, "s": 1000, "m": 60_000}
_EXAMPLE = "aws.timer_error_ms.p95 > 200"
_EXPRESSION = re.compile(r"(?P<left>[^<>=!]*)(?P<operator>[<>=!]+)(?P<right>[^<>=!]*)")
_LIMIT = re.compile(r"(?P<number>[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d{1,2})?)\s*(?P<unit>[a-z%$]*)")
_PERCENTILE = re.compile(r"p(?P<percent>\d{1,2}(?:\.\d{1,6})?)")
#: A dot between names; the one in p99.9 is none.
_DOT = re.compile(r"\.(?!\d)")


@dataclass(frozen=True, slots=True)
class Threshold:
    """One expression. `platform` None is every lane; `statistic` is None for what is counted once for a lane.

    `statistic` is 'p50', 'p99.9', 'min', 'mean', 'max' or 'n'; `limit` is in the metric's own unit (ms, US dollars).
    """

    text: str
    platform: Platform | None
    metric: str
    statistic: str | None
    operator: Operator
    limit: float

    @property
    def p(self) -> float | None:
        """The quantile, 0 to 1, when the statistic is a percentile: 0.999 for 'p99.9'."""
        found = _PERCENTILE.fullmatch(self.statistic or "")
        return round(float(found["percent"]) / 100, 9) if found else None


def parse_threshold(text: str) -> Threshold:
    """Read an expression. Raises InvalidInputError: what is wrong with it and what there is instead, in one line."""
    expression = _EXPRESSION.fullmatch(text.strip().lower())
    if expression is None or not expression["left"].strip():
        raise InvalidInputError(f"--fail-if takes an expression in quotes, such as '{_EXAMPLE}', not {text.strip()!r}.")
    compared = _operator(expression["operator"])
    platform, metric, statistic = _subject(expression["left"].strip())
    limit = _limit(expression["right"].strip(), metric, statistic)
    return Threshold(" ".join(text.split()), platform, metric, statistic, compared, limit)


def holds(threshold: Threshold, value: float) -> bool:
    """Whether the expression is true for a value in the metric's own unit: then the threshold is missed."""
    return _OPERATORS[threshold.operator](value, threshold.limit)


def _operator(sign: str) -> Operator:
    for known in _OPERATORS:
        if sign == known:
            return known
    raise InvalidInputError(f"--fail-if knows no {sign!r}: {', '.join(_OPERATORS)}.")


def _subject(left: str) -> tuple[Platform | None, str, str | None]:
    first, *names = (name.strip() for name in _DOT.split(left))
    platform = next((known for known in PLATFORMS if known == first), None)
    if platform is None:
        names = [first, *names]
        if len(names) > 1 and names[1] in (*METRICS, *COUNTS):
            _unknown("platform", first, PLATFORMS)
    if not names:
        raise InvalidInputError(f"--fail-if takes a metric after {left!r}, as in '{_EXAMPLE}'.")
    metric, *rest = names
    if metric not in (*METRICS, *COUNTS):
        _unknown("metric", metric, (*METRICS, *COUNTS))
    if len(rest) > 1:
        raise InvalidInputError(f"--fail-if takes [platform.]metric[.statistic], not {left!r}.")
    return platform, metric, _statistic(metric, rest[0] if rest else None)


def _statistic(metric: str, name: str | None) -> str | None:
    if metric in COUNTS:
        if name is not None:
            raise InvalidInputError(f"{metric} is one number for a lane, without a statistic: '{metric} > 0'.")
        return None
    if name is None:
        raise InvalidInputError(f"{metric} takes a statistic: {metric}.p50, .p95, .p99.9, .{', .'.join(STATISTICS)}.")
    percentile = _PERCENTILE.fullmatch(name)
    if name not in STATISTICS and not (percentile and float(percentile["percent"]) > 0):
        raise InvalidInputError(
            f"--fail-if knows no statistic {name!r}: p50, p95, p99.9 (above 0, below 100), {', '.join(STATISTICS)}."
        )
    return name


def _limit(right: str, metric: str, statistic: str | None) -> float:
    found = _LIMIT.fullmatch(right)
    if found is None:
        raise InvalidInputError(f"--fail-if compares with a number, such as 200, 200ms or 1.5s, not {right!r}.")
    number, unit = float(found["number"]), found["unit"]
    if not unit:
        return number
    if statistic == "n" or not metric.endswith("_ms"):
        subject = f"{metric}.n" if statistic == "n" else metric
        raise InvalidInputError(f"{subject} is compared with a bare number, not {right!r}.")
    if unit not in _MS:
        _unknown("unit", unit, _MS)
    return number * _MS[unit]


def _unknown(kind: str, name: str, known: Iterable[str]) -> NoReturn:
    # Only a misspelt word needs it.
    from difflib import get_close_matches

    known = tuple(known)
    close = get_close_matches(name, known, n=1)
    instead = f"did you mean {close[0]}?" if close else f"{', '.join(known)}."
    raise InvalidInputError(f"--fail-if knows no {kind} {name!r}: {instead}")
