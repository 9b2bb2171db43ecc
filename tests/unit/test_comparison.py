"""The metrics of a lane, and the rows of a comparison."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from reservation_cli.domain.comparison import Metrics, busy_intervals, like_for_like, metrics, rows
from reservation_cli.domain.timeline import Span
from support import timelines
from support.timelines import at


def test_cloudflare_after_a_sleep() -> None:
    found = metrics(timelines.cloudflare_expired())
    assert replace(found, cost_usd=None) == Metrics(
        accept_ms=35,
        first_step_ms=10.0,
        create_hold_ms=13.0,
        finalize_ms=12.0,
        timer_error_ms=6.0,
        engine_lateness_ms=4.0,
        resume_ms=2.0,
        signal_to_resume_ms=None,
        overhead_ms=19.0,  # 4..14, 27..30, 900034..900036, 900048..900052
        total_ms=900_048.0,
        operations=3,
        invocations=None,
        polls=12,
    )
    assert found.cost_usd == pytest.approx(48.0157e-6, rel=1e-5)


def test_the_parts_of_the_timer_error_add_up() -> None:
    for lane in timelines.expired():
        found = metrics(lane)
        assert found.timer_error_ms is not None
        assert found.engine_lateness_ms is not None
        assert found.resume_ms is not None
        assert found.timer_error_ms == found.engine_lateness_ms + found.resume_ms


def test_a_wake_before_its_time_is_negative() -> None:
    lane = timelines.cloudflare_expired()
    early = replace(lane.spans[1], end=at(900_020))
    final = replace(lane.spans[2], began=at(900_021), ended=at(900_030))
    found = metrics(replace(lane, spans=(lane.spans[0], early, final)))
    assert found.engine_lateness_ms == -10.0
    assert found.timer_error_ms == -9.0


def test_overlapping_wait_and_step_count_once_on_aws() -> None:
    aws = timelines.confirmed()[1]
    # The callback's wait 9..3027 has create-hold 13..22 inside it.
    assert busy_intervals(aws) == [(at(9), at(3_027)), (at(3_035), at(3_043))]
    found = metrics(aws)
    assert found.overhead_ms == (9 - 4) + (3_035 - 3_027) + (3_049 - 3_043)
    assert found.total_ms == 3_045.0


def test_a_confirmation_is_measured_from_the_seat_to_finalize() -> None:
    cloudflare, aws = (metrics(lane) for lane in timelines.confirmed())
    assert (cloudflare.signal_to_resume_ms, aws.signal_to_resume_ms) == (15.0, 15.0)
    assert cloudflare.timer_error_ms is None
    assert cloudflare.engine_lateness_ms is None


def test_a_signal_during_create_hold_resumes_nothing_before_that_ends() -> None:
    lane = timelines.confirmed()[1]
    first, hold, final = lane.span("create-hold"), lane.hold, lane.span("finalize")
    assert first is not None
    assert first.ended is not None
    assert hold is not None
    assert final is not None
    assert final.began is not None
    early = replace(hold, end=first.ended - timedelta(milliseconds=5))
    found = metrics(replace(lane, spans=tuple(early if span is hold else span for span in lane.spans)))
    assert found.resume_ms == (final.began - first.ended) / timedelta(milliseconds=1)


def test_an_event_that_timed_out_has_a_timer_error_and_no_signal() -> None:
    lane = timelines.cloudflare_expired()
    found = metrics(
        replace(lane, spans=(lane.spans[0], timelines.event(30, 900_034, status="timed_out"), lane.spans[2]))
    )
    assert found.timer_error_ms == 6.0
    assert found.signal_to_resume_ms is None


def test_mid_hold_knows_the_beginning_only() -> None:
    found = metrics(timelines.mid_hold()[0])
    assert (found.first_step_ms, found.create_hold_ms) == (10.0, 13.0)
    assert (found.finalize_ms, found.timer_error_ms, found.total_ms, found.overhead_ms) == (None, None, None, None)


def test_rejected_has_no_wait() -> None:
    found = metrics(timelines.rejected()[0])
    assert (found.create_hold_ms, found.total_ms, found.overhead_ms) == (8.0, 22.0, 14.0)
    assert (found.timer_error_ms, found.resume_ms, found.finalize_ms) == (None, None, None)


def test_nothing_known_is_nothing_measured() -> None:
    found = metrics(timelines.absent("aws"))
    assert set(found.as_json().values()) == {None, 12}


def test_unknown_ends_are_left_out() -> None:
    lane = replace(timelines.cloudflare_expired(), spans=(Span("step", "create-hold", at(12)),))
    found = metrics(lane)
    assert (found.first_step_ms, found.create_hold_ms, found.overhead_ms) == (None, None, 900_048.0)


def test_rows_are_the_metrics_that_a_lane_has() -> None:
    table = {row.metric: row for row in rows(metrics(lane) for lane in timelines.expired())}
    assert list(table) == [
        "accept_ms",
        "first_step_ms",
        "create_hold_ms",
        "finalize_ms",
        "timer_error_ms",
        "engine_lateness_ms",
        "resume_ms",
        "overhead_ms",
        "total_ms",
        "operations",
        "invocations",
        "polls",
        "cost_usd",
    ]
    assert table["first_step_ms"].values == (10.0, 7.0)
    assert table["first_step_ms"].difference == -3.0
    assert table["invocations"].difference is None


def test_more_than_two_lanes_have_no_difference() -> None:
    assert {row.difference for row in rows(metrics(lane) for lane in timelines.four())} == {None}


def test_like_for_like() -> None:
    assert like_for_like(timelines.expired())
    assert not like_for_like(timelines.cloud_and_local())
    assert not like_for_like(timelines.four())
    cloudflare, aws = timelines.expired()
    assert not like_for_like([cloudflare, replace(aws, request=timelines.request(hold=10))])
    assert like_for_like([])


def test_a_callback_that_times_out_before_the_lease_ends_is_waited_for_until_then() -> None:
    lane = timelines.confirmed()[1]
    assert lane.reservation is not None
    lease = lane.reservation.expires_at
    assert lease == at(900_017)
    wait, create, final = lane.spans
    timed_out = replace(wait, end=at(900_012), status="timed_out")
    assert timed_out.scheduled_end == at(900_009)
    late = replace(final, start=at(900_020), began=at(900_021), ended=at(900_029), end=at(900_030))
    expired = replace(lane.reservation, status="expired", ended_at=at(900_025))
    found = metrics(
        replace(lane, spans=(timed_out, create, late), outcome="expired", reservation=expired, ended=at(900_033))
    )
    assert (found.timer_error_ms, found.engine_lateness_ms, found.resume_ms) == (4.0, 0.0, 4.0)
    assert found.overhead_ms == (9 - 4) + (21 - 17) + (33 - 29)
