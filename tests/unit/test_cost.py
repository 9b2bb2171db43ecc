"""Costs against sums worked by hand from the vendors' price pages."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from reservation_cli.domain.cost import cost_usd, operations
from support import timelines


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


def test_cloudflare_by_hand() -> None:
    # 3 steps 24.00, 1 request 0.30, 10 ms CPU 0.20, 2 KV writes 10.00, 6 Durable Object requests 0.90: $ a million
    assert cost_usd(timelines.cloudflare_expired()) * 1e6 == pytest.approx(24.00 + 0.30 + 0.20 + 10.00 + 0.90)


def test_aws_by_hand() -> None:
    lane = replace(timelines.aws_expired(), ended=timelines.aws_expired().started)
    # 4 operations 32.00, 2 kB written 0.50 and kept for 14 days 0.14, 2 requests 0.40,
    # 2 x 100 ms at 256 MB 0.6667, 3 writes 1.875 and 3 reads 0.375: $ a million
    by_hand = 32.00 + 0.50 + 0.14 + 0.40 + 0.66667 + 1.875 + 0.375
    assert cost_usd(lane) * 1e6 == pytest.approx(by_hand, rel=1e-6)


def test_a_long_run_is_retained_longer() -> None:
    lane = timelines.aws_expired()
    assert lane.ended is not None
    month = replace(lane, ended=lane.ended + timedelta(days=30))
    assert (cost_usd(month) - cost_usd(lane)) * 1e6 == pytest.approx(0.30)


def test_unknown_invocations_count_as_one() -> None:
    lane = timelines.aws_expired()
    difference = cost_usd(lane) - cost_usd(replace(lane, invocations=None))
    assert difference * 1e6 == pytest.approx(0.20 + 0.333335)
