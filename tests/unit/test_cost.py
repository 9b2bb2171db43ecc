"""Costs against sums worked by hand from the vendors' price pages; all figures in US dollars for a million."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from reservation_cli.domain.cost import (
    AWS_RETENTION_DAYS,
    KV_DAYS,
    MEMORY_MB,
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


#: A million each, on Cloudflare and on AWS.
EXPECTED = {
    ("expired", "sleep"): (48.0157, 36.0312),
    ("expired", "event"): (48.0157, 36.0312),
    # Cloudflare: + 0.30 + 0.06 + 0.45 + 0.096 + 1.00 + 0.006 + 2.40; AWS: + 0.20 + 0.3333 + 0.625 + 3 x 0.125 + 0.20
    ("confirmed", "sleep"): (52.3277, 37.7645),
    ("confirmed", "event"): (52.3277, 37.8895),  # AWS: one read more, for the callback
    ("cancelled", "event"): (51.3277, 37.8895),  # Cloudflare: a row less
    # 8 + 0.60 + 0.12 + 0.0397 + 0.60 + 0.128 + 3 + 0.008 + 2.46 + 5 + 0.0043 + 3.60;
    # 16 + 0.20 + 0.3333 + 0.2125 + 0.0595 + 1.25 + 0.25 + 0.0875 + 0.20
    ("rejected", "sleep"): (23.5600, 18.5928),
    ("rejected", "event"): (23.5600, 26.5928),  # AWS: the callback is made first
}


@pytest.mark.parametrize(("how", "sums"), EXPECTED.items())
def test_each_way_it_can_end(how: tuple[Outcome, Strategy], sums: tuple[float, float]) -> None:
    outcome, strategy = how
    found = [total(expected(platform, 900, strategy, outcome)) for platform in ("cloudflare", "aws")]
    assert found == pytest.approx(sums, abs=2e-4)


def test_confirmed_on_cloudflare_by_hand() -> None:
    found = million(lines(timelines.confirmed()[0]))
    plain = million(lines(expected("cloudflare", 900, "event", "expired")))
    more = {name: round(found[name] - plain[name], 3) for name in found}
    assert {name: usd for name, usd in more.items() if usd} == {
        "requests": 0.30,  # POST /confirm
        "cpu": 0.06,  # its 3 ms
        "object_requests": 0.45,  # get, waitForHold, confirm
        "object_duration": 0.096,  # 3 x 20 ms x 0.128 GB x $12.50
        "rows_written": 1.00,  # a confirmed seat stays in the index of the live ones
        "rows_read": 0.006,  # 3 x 2 rows
        "log_events": 2.40,  # 1 request, 3 calls
    }


def test_confirmed_on_aws_by_hand() -> None:
    found = million(lines(timelines.confirmed()[1]))
    assert found["operations"] == pytest.approx(32.00)  # the start, await-confirmation, create-hold, finalize
    assert found["requests"] == pytest.approx(0.60)  # 2 invocations, the seats function
    assert found["compute"] == pytest.approx(1.00, rel=1e-4)  # 3 x 100 ms x 0.25 GB x $13.3334
    assert found["writes"] == pytest.approx(4 * 0.625)  # claim, place | confirm | finalize in vain
    assert found["reads"] == pytest.approx(6 * 0.125)  # seat | entry, entry for the callback | entry, entry, seat
    assert found["log_data"] == pytest.approx(0.60)


def test_rejected_on_both_by_hand() -> None:
    cloudflare = million(lines(timelines.rejected()[0]))
    assert cloudflare["steps"] == pytest.approx(8.00)  # create-hold alone
    assert cloudflare["kv_writes"] == pytest.approx(5.00)
    assert cloudflare["object_requests"] == pytest.approx(4 * 0.15)  # claim, waitForHold | claim, hold
    assert cloudflare["rows_written"] == pytest.approx(3.00)  # the claim; a row and its key, in no index of live ones
    assert cloudflare["log_events"] == pytest.approx(6 * 0.60)  # 1 request, 4 calls, 1 run
    aws = million(lines(expected("aws", 900, "sleep", "rejected")))
    assert aws["operations"] == pytest.approx(16.00)  # the start, create-hold
    assert (aws["writes"], aws["reads"]) == pytest.approx((2 * 0.625, 2 * 0.125))  # entry twice | seat twice


def test_a_retry_costs_calls_on_cloudflare_and_an_operation_on_aws() -> None:
    retried = million(lines(timelines.retried()[0]))
    assert retried["steps"] == pytest.approx(24.00)
    assert retried["object_requests"] == pytest.approx(7 * 0.15)  # claim and hold once more
    assert retried["kv_writes"] == pytest.approx(10.00)  # the attempt that failed has written none
    aws = timelines.aws_expired()
    first = replace(aws.spans[0], attempts=(timelines.failed_attempt(5, 9), *aws.spans[0].attempts))
    again = million(lines(replace(aws, spans=(first, *aws.spans[1:]))))
    assert again["operations"] == pytest.approx(40.00)
    assert (again["writes"], again["reads"]) == pytest.approx((5 * 0.625, 3 * 0.125))


def test_a_run_so_far_has_no_finalize() -> None:
    cloudflare, aws = (million(lines(lane)) for lane in timelines.mid_hold())
    assert (cloudflare["steps"], cloudflare["kv_writes"], cloudflare["rows_written"]) == pytest.approx((16, 5, 4))
    assert (aws["operations"], aws["requests"]) == pytest.approx((24.00, 0.20))


def test_nothing_known_costs_what_asking_for_it_does() -> None:
    found = shape_of(timelines.absent("cloudflare"))
    assert (found.operations, found.hold_attempts, found.run_seconds) == (0, 0, 0.0)
    assert million(lines(found))["requests"] == pytest.approx(0.60)


@pytest.mark.parametrize("platform", ["cloudflare", "aws"])
@pytest.mark.parametrize("strategy", ["sleep", "event"])
@pytest.mark.parametrize("outcome", ["expired", "confirmed", "cancelled", "rejected"])
def test_a_longer_hold_costs_its_state_alone(platform: Platform, strategy: Strategy, outcome: Outcome) -> None:
    short, month = (million(lines(expected(platform, hold, strategy, outcome))) for hold in (1, 30 * 86_400))
    kept = "state" if platform == "cloudflare" else "retained"
    assert {name for name in short if month[name] != pytest.approx(short[name])} <= {kept}
    if outcome != "rejected":
        # 1.1 GB for 30 days, at $0.20 and $0.15
        assert month[kept] - short[kept] == pytest.approx(0.22 if platform == "cloudflare" else 0.165, rel=1e-4)


def test_what_the_timeline_tells_is_recorded_and_the_rest_assumed() -> None:
    def recorded(found: Sequence[CostLine]) -> set[str]:
        return {line.item for line in found if line.basis == "recorded"}

    assert recorded(lines(timelines.cloudflare_expired())) == {"steps"}
    assert recorded(lines(timelines.aws_expired())) == {"operations", "requests"}
    assert recorded(lines(replace(timelines.aws_expired(), invocations=None))) == {"operations"}
    assert recorded(lines(expected("aws", 900, "sleep", "expired"))) == set()
    assert all(line.ground for lane in timelines.expired() for line in lines(lane))


def invoked(start: float, end: float | None) -> Span:
    return Span("invocation", "invocation", at(start), None if end is None else at(end), "succeeded")


def test_invocations_of_the_cloud_are_billed_as_they_took() -> None:
    lane = timelines.cloud_and_local()[1]
    took = replace(lane, spans=(*lane.spans, invoked(60, 480.2), invoked(901_200, 901_450)))
    compute = next(line for line in lines(took) if line.item == "compute")
    assert compute.basis == "recorded"
    assert compute.quantity == pytest.approx((421 + 250) / 1000 * 0.25)  # 420.2 ms are billed as 421
    confirmed = next(line for line in lines(replace(took, outcome="confirmed")) if line.item == "compute")
    assert confirmed.basis == "assumed"
    assert confirmed.quantity == pytest.approx((671 + 100) / 1000 * 0.25)


@pytest.mark.parametrize("change", [{"target": "local"}, {"invocations": 3}])
def test_invocations_of_a_local_engine_or_not_all_told_are_assumed(change: dict[str, object]) -> None:
    lane = timelines.cloud_and_local()[1]
    took = replace(lane, spans=(*lane.spans, invoked(60, 480), invoked(901_200, 901_450)))
    assert shape_of(replace(took, **change)).billed_ms is None  # type: ignore[arg-type]
    assert shape_of(replace(lane, spans=(*lane.spans, invoked(60, None), invoked(1, 2)))).billed_ms is None


def test_unknown_invocations_are_one_and_one_more_after_the_hold() -> None:
    aws = timelines.aws_expired()
    assert shape_of(replace(aws, invocations=None)).invocations == 2
    assert shape_of(replace(aws, invocations=None, spans=aws.spans[:2])).invocations == 1


def test_memory_is_paid_by_the_second() -> None:
    shape = expected("aws", 900, "sleep", "expired")
    assert million(lines(shape, memory_mb=512))["compute"] == pytest.approx(2 * 0.66667)
    assert million(lines(shape, memory_mb=128))["compute"] == pytest.approx(0.33333, rel=1e-4)


def test_the_cost_is_the_sum_of_the_lines() -> None:
    for lane in (*timelines.expired(), *timelines.confirmed(), *timelines.four()):
        assert cost_usd(lane) == sum(line.cost_usd for line in lines(lane))


def test_a_bill_without_allowances_is_the_lines_times_the_count() -> None:
    found = lines(timelines.cloudflare_expired())
    assert sum(line.cost_usd for line in bill(found, 5_000_000)) == pytest.approx(5 * 48.0157, abs=1e-3)
    assert {line.included for line in bill(found, 5_000_000)} == {0.0}


def billed(platform: Platform, count: int) -> dict[str, float]:
    found = lines(expected(platform, 900, "sleep", "expired"))
    return {line.line.price.partition(".")[2]: line.cost_usd for line in bill(found, count, allowances=True)}


def test_allowances_of_a_million_by_hand() -> None:
    cloudflare, aws = billed("cloudflare", 1_000_000), billed("aws", 1_000_000)
    assert {name: round(usd, 3) for name, usd in cloudflare.items() if usd} == {
        "steps": 20.00,  # 3M - 500k, x $8
        "object_requests": 0.60,  # 5M - 1M, x $0.15
        "object_storage": 1.46,  # 12.3 - 5 GB, x $0.20
        "kv_writes": 5.00,  # 2M - 1M, x $5
        "plan": 5.00,
    }
    assert {name: round(usd, 3) for name, usd in aws.items() if usd} == {
        "operations": 32.00,  # no allowance
        "requests": 0.20,  # 2M - 1M
        "written": 0.275,
        "retained": 0.077,
        "writes": 1.875,  # on demand there is none
        "reads": 0.25,
    }


def test_allowances_end_where_they_end() -> None:
    # 500,000 steps are 166,666.67 executions of three.
    assert billed("cloudflare", 166_666)["steps"] == 0
    assert billed("cloudflare", 166_667)["steps"] == pytest.approx(8e-6)
    assert billed("aws", 500_000)["requests"] == 0
    assert billed("aws", 500_001)["requests"] == pytest.approx(4e-7)


def test_each_price_has_a_source_and_a_date() -> None:
    assert PRICES.as_of == PRICES_AS_OF
    for name, price in PRICES.table.items():
        assert price.source.startswith(("https://developers.cloudflare.com/", "https://aws.amazon.com/")), name
        assert price.usd > 0
        assert price.per in (1, 100_000, 1_000_000)
        assert price.included >= 0


def test_own_prices_take_the_place_of_the_lists() -> None:
    mine = read_prices('as_of = "2027-01"\n[cloudflare]\nsteps = 0.40\n[aws]\noperations = 6')
    assert (mine.as_of, mine["cloudflare.steps"].each, mine["aws.operations"].each) == ("2027-01", 4e-6, 6e-6)
    assert mine["cloudflare.requests"] == PRICES["cloudflare.requests"]
    assert million(lines(timelines.aws_expired(), mine))["operations"] == pytest.approx(24.00)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("steps", "It is no TOML"),
        ("[aws]\noperations = 6", "when the prices were agreed"),
        ('as_of = ""', "when the prices were agreed"),
        ("as_of = 2027", "when the prices were agreed"),
        ('as_of = "2027-01"\n[aws]\nstep = 6', "There is no price aws.step"),
        ('as_of = "2027-01"\naws = 6', "There is no price aws;"),
        ('as_of = "2027-01"\n[aws]\noperations = "6"', "aws.operations is no price"),
        ('as_of = "2027-01"\n[aws]\noperations = -1', "aws.operations is no price"),
        ('as_of = "2027-01"\n[aws]\noperations = nan', "aws.operations is no price"),
        ('as_of = "2027-01"\n[aws]\noperations = true', "aws.operations is no price"),
    ],
)
def test_prices_that_are_none_are_told(text: str, told: str) -> None:
    with pytest.raises(InvalidInputError, match=told):
        read_prices(text)


def test_what_is_counted_is_what_is_deployed() -> None:
    root = Path(__file__).parents[2]
    template = (root / "infra/template.yaml").read_text()
    assert f"MemorySize: {MEMORY_MB}\n" in template
    assert "Architectures: [arm64]\n" in template
    assert f"RetentionPeriodInDays: {AWS_RETENTION_DAYS}\n" in template
    assert "BillingMode: PAY_PER_REQUEST\n" in template
    assert f"KEPT_SECONDS = {KV_DAYS * 24} * 60 * 60;" in (root / "cf-workflow/src/audit.ts").read_text()
    assert '"observability": { "enabled": true }' in (root / "cf-workflow/wrangler.jsonc").read_text()
