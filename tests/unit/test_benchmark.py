"""Benchmarks without a platform: the order of sending, verdicts, summaries, contests and thresholds."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest

from reservation_cli.bench import judging
from reservation_cli.bench.collecting import Collected
from reservation_cli.bench.sending import Sent
from reservation_cli.bench.tickets import Ticket, tickets, warmups
from reservation_cli.domain import benchmark
from reservation_cli.domain.benchmark import Bench, Contest, Plan, Sample, Verdict
from reservation_cli.domain.reservation import Platform
from reservation_cli.domain.threshold import parse_threshold
from reservation_cli.domain.timeline import Attempt, Timeline
from reservation_cli.domain.verdict import missed
from support import benches, timelines

BOTH: tuple[Platform, Platform] = ("cloudflare", "aws")
PLAN = Plan(platforms=BOTH, count=20, concurrency=4, holds=(5,), warmup=3)


def test_platforms_and_holds_alternate_and_take_turns_at_being_first() -> None:
    made = sorted(tickets(replace(PLAN, holds=(1, 10), rate=5.0)), key=lambda ticket: ticket.not_before + ticket.group)
    firsts = [made[index].platform for index in range(0, 80, 2)]
    assert {platform: firsts.count(platform) for platform in BOTH} == {"cloudflare": 20, "aws": 20}
    for platform in BOTH:
        for hold in (1, 10):
            places = [place for place, ticket in enumerate(made) if (ticket.platform, ticket.group) == (platform, hold)]
            assert max(after - before for before, after in pairwise(places)) <= 5
    assert len({ticket.request.seat for ticket in made}) == 80
    assert len({ticket.request.reservation_id for ticket in made}) == 80


def test_a_request_sent_at_the_calendars_end_counts_for_no_rate() -> None:
    """As in an edited run: when it was accepted cannot be said."""
    samples = list(benches.bench(4).samples)
    known = benchmark.started_per_second(samples[1:])
    samples[0] = replace(samples[0], sent_at=datetime.max.replace(tzinfo=UTC))
    assert known is not None
    assert benchmark.started_per_second(samples) == known


def test_an_arrival_rate_spaces_the_sending() -> None:
    assert [ticket.not_before for ticket in tickets(replace(PLAN, rate=10.0))][:4] == pytest.approx([0, 0.1, 0.2, 0.3])


def test_the_holds_of_a_sweep_end_in_turns_at_the_rate() -> None:
    made = tickets(replace(PLAN, holds=(1, 10, 60), rate=5.0))
    assert [ticket.number for ticket in made] == list(range(120))
    sent = [ticket.not_before for ticket in made]
    assert sent == sorted(sent)
    ends = sorted(ticket.not_before + ticket.request.hold_seconds for ticket in made)
    assert ends == pytest.approx([60 + place / 5 for place in range(120)])


def test_a_herds_holds_end_together() -> None:
    made = tickets(replace(PLAN, holds=(30,), herd=True))
    assert {ticket.not_before + ticket.request.hold_seconds for ticket in made} == {30.0}
    assert {ticket.group for ticket in made} == {30}


def test_warm_ups_are_short_and_few() -> None:
    assert {ticket.request.hold_seconds for ticket in warmups(PLAN)} == {1}
    assert len(warmups(PLAN)) == 6


def collected(lane: Timeline, group: int = 900) -> Collected:
    assert lane.request is not None
    ticket = Ticket(0, lane.platform, lane.request, group)
    return Collected(Sent(ticket, lane, 0.0), lane, lane.reservation)


def verdict(one: Collected, plan: Plan = PLAN) -> Verdict:
    return judging.judged(replace(plan, holds=(900,)), one).verdict


def test_what_ended_as_it_had_to_is_right() -> None:
    for lane in timelines.expired():
        assert verdict(collected(lane)) == "right"


def test_another_outcome_is_wrong() -> None:
    lane = timelines.confirmed()[0]
    assert verdict(collected(lane)) == "wrong"
    assert verdict(collected(lane), replace(PLAN, confirm_after=3.0)) == "right"


def test_a_seat_that_disagrees_or_knows_nothing_is_wrong() -> None:
    one = collected(timelines.expired()[0])
    assert one.seat is not None
    assert verdict(replace(one, seat=replace(one.seat, status="cancelled"))) == "wrong"
    assert verdict(replace(one, seat=None)) == "wrong"


def test_an_execution_that_failed_is_wrong() -> None:
    assert verdict(collected(timelines.failed()[0])) == "wrong"


def test_a_step_that_was_done_twice_is_duplicated() -> None:
    lane = timelines.expired()[0]
    step = lane.spans[0]
    twice = replace(step, attempts=(Attempt(step.start, step.end, "succeeded"),) * 2)
    assert verdict(collected(replace(lane, spans=(twice, *lane.spans[1:])))) == "duplicated"
    assert verdict(collected(replace(lane, spans=(*lane.spans, step)))) == "duplicated"


def test_retries_are_counted_and_no_fault() -> None:
    samples = [judging.judged(replace(PLAN, holds=(10,)), collected(lane, 10)) for lane in timelines.retried()]
    assert any(sample.retries > 0 and sample.verdict == "right" for sample in samples)


def test_a_seat_that_two_held_at_once_is_seen() -> None:
    one = collected(timelines.expired()[0])
    assert one.seat is not None
    assert one.seat.created_at is not None
    later = replace(one.seat, created_at=one.seat.created_at + timedelta(seconds=1))
    after = replace(one.seat, created_at=one.seat.ended_at, ended_at=None, status="confirmed")
    assert judging.double_held([one, replace(one, seat=later)]) == 1
    assert judging.double_held([one, replace(one, seat=after)]) == 0
    assert judging.double_held([one, replace(one, seat=replace(later, status="confirmed", ended_at=None))]) == 1
    assert judging.double_held([one]) == 0


def test_a_summary_counts_and_describes_each_lane() -> None:
    bench = benches.bench(200)
    first, second = benchmark.summaries(bench)
    assert (first.platform, first.n, first.counts["right"]) == ("cloudflare", 200, 200)
    values = [sample.metrics.timer_error_ms for sample in bench.samples if sample.platform == "cloudflare"]
    found = first.statistics["timer_error_ms"]
    assert found.p99.value == pytest.approx(np.percentile([value for value in values if value is not None], 99))
    assert second.started_per_second == pytest.approx(25, rel=0.05)


def contests(bench: Bench) -> tuple[Contest, ...]:
    return benchmark.contests(bench, benchmark.summaries(bench))


def test_a_winner_is_named_above_the_noise_only() -> None:
    by_metric = {contest.metric: contest for contest in contests(benches.bench(200))}
    assert by_metric["timer_error_ms"].winner == "cloudflare"
    assert by_metric["timer_error_ms"].difference.value > by_metric["timer_error_ms"].floor
    assert by_metric["finalize_ms"].winner is None  # both drawn from the same distribution
    assert "accept_ms" not in by_metric


def test_a_lane_against_itself_has_no_winner() -> None:
    bench = benches.bench(200)
    same = [sample for sample in bench.samples if sample.platform == "cloudflare"]
    twins = tuple(replace(sample, platform="aws" if index % 2 else "cloudflare") for index, sample in enumerate(same))
    assert [contest.winner for contest in contests(replace(bench, samples=twins))] == [None] * 7


def test_few_values_name_no_winner() -> None:
    assert contests(benches.bench(5)) == ()


def test_a_sweep_finds_the_proportional_part() -> None:
    drifts = benchmark.drifts(benches.bench(60, holds=(1, 10, 60)))
    assert [drift.platform for drift in drifts] == ["cloudflare", "aws"]
    for drift in drifts:
        low, high = drift.line.slope_interval.low, drift.line.slope_interval.high
        assert low is not None
        assert high is not None
        assert low <= 0.01 <= high  # what benches.py puts in, in ms per second
    assert benchmark.drifts(benches.bench(10)) == ()


def of_verdict(sample: Sample, verdict: Verdict) -> Sample:
    return replace(sample, verdict=verdict)


@pytest.mark.parametrize(
    ("text", "platforms"),
    [
        ("timer_error_ms.p50 > 8", ["aws"]),
        ("timer_error_ms.p50 > 1", ["cloudflare", "aws"]),
        ("cloudflare.timer_error_ms.p50 > 8", []),
        ("lost > 0", ["cloudflare"]),
        ("throughput < 1000", ["cloudflare", "aws"]),
        ("double_held > 0", []),
        ("signal_to_resume_ms.p50 > 0", ["cloudflare", "aws"]),
        ("timer_error_ms.max < 1", []),
        ("timer_error_ms.n != 99", ["aws"]),
    ],
)
def test_thresholds(text: str, platforms: list[str]) -> None:
    samples = benches.bench(100).samples
    bench: Bench = replace(benches.bench(100), samples=(of_verdict(samples[0], "lost"), *samples[1:]))
    assert [found.platform for found in missed(bench, [parse_threshold(text)])] == platforms


def test_a_rate_that_was_not_kept_is_told() -> None:
    bench = benches.bench(20)  # one each 20 ms
    assert benchmark.behind(replace(bench, plan=replace(bench.plan, rate=50.0))) is None
    assert benchmark.behind(replace(bench, plan=replace(bench.plan, rate=80.0))) == pytest.approx(50)
    assert benchmark.behind(bench) is None
