"""Costs against sums worked by hand from the vendors' price pages; all figures in US dollars for a million."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from reservation_cli.domain.cost import (
    CostLine,
    Shape,
    bill,
    cost_usd,
    expected,
    lines,
    operations,
    shape_of,
)
from reservation_cli.domain.prices import PRICES, PRICES_AS_OF, read_prices
from reservation_cli.domain.reservation import InvalidInputError, Outcome, Platform, Strategy
from reservation_cli.domain.timeline import Span, Timeline
from support import timelines
from support.timelines import at


def million(found: Sequence[CostLine]) -> dict[str, float]:
    """What each line costs for a million executions, by the name of its price."""
    return {line.price.partition(".")[2]: line.cost_usd * 1e6 for line in found}


def total(what: Timeline | Shape) -> float:
    return sum(million(lines(what)).values())


def test_cloudflare_bills_steps_sleeps_and_waits_but_no_retries() -> None:
    assert operations(timelines.cloudflare_expired()) == 3
    assert operations(timelines.retried()[0]) == 3


def test_aws_bills_the_start_and_each_retry_too() -> None:
    aws = timelines.aws_expired()
    assert operations(aws) == 4
    first = replace(aws.spans[0], attempts=(timelines.failed_attempt(5, 9), *aws.spans[0].attempts))
    assert operations(replace(aws, spans=(first, *aws.spans[1:]))) == 5


def test_invocations_are_no_operations() -> None:
    aws = timelines.aws_expired()
    invocation = replace(aws.spans[0], kind="invocation", name="invocation")
    assert operations(replace(aws, spans=(*aws.spans, invocation))) == 4


def test_cloudflare_expired_by_hand() -> None:
    days = 900.048 / 86_400 + 7
    by_hand = {
        "steps": 24.00,  # create-hold, hold-window, finalize: 3 x $8
        "requests": 0.60,  # POST /reserve, the instance: 2 x $0.30
        "cpu": 0.18,  # 3 ms each for the request, the instance's start, and its start and wake: 9 x $0.02
        "state": 1.1 * days / 30 * 0.20,  # 1.1 kB for the run and 7 days: $0.0514
        "object_requests": 0.75,  # claim, waitForHold | claim, hold | expire: 5 x $0.15
        "object_duration": 0.16,  # 5 x 20 ms x 0.128 GB = 0.0128 GB-s, x $12.50
        "rows_written": 5.00,  # claim 1; hold 1 and two index entries; expire 1: 5 x $1
        "rows_read": 0.01,  # 10 x $0.001
        "object_storage": 2.46,  # 12.3 GB for a month, x $0.20
        "kv_writes": 10.00,  # after each of two steps: 2 x $5
        "kv_storage": 0.26 / 30 * 0.50,  # 0.26 GB for a day: $0.0043
        "log_events": 4.80,  # 1 request, 5 calls, 2 runs: 8 x $0.60
    }
    assert million(lines(timelines.cloudflare_expired())) == pytest.approx(by_hand)
    assert total(timelines.cloudflare_expired()) == pytest.approx(48.0157, abs=1e-4)


def test_aws_expired_by_hand() -> None:
    days = 900.040 / 86_400 + 14
    by_hand = {
        "operations": 32.00,  # the start, create-hold, hold-window, finalize: 4 x $8
        "requests": 0.40,  # 2 x $0.20
        "compute": 0.66667,  # 2 x 100 ms x 0.25 GB = 0.05 GB-s, x $13.3334
        "written": 0.275,  # 1.1 GB x $0.25
        "retained": 1.1 * days / 30 * 0.15,  # 1.1 kB for the run and 14 days: $0.0771
        "writes": 1.875,  # claim, place | expire: 3 x $0.625
        "reads": 0.25,  # the seat | the entry: 2 x $0.125
        "table_storage": 0.0875,  # 0.35 GB for a month, x $0.25
        "log_data": 0.40,  # 2 x 0.4 kB, x $0.50 a GB
    }
    assert million(lines(timelines.aws_expired())) == pytest.approx(by_hand)
    assert total(timelines.aws_expired()) == pytest.approx(36.0312, abs=1e-4)
