"""What a timeline says of itself, and its JSON."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from reservation_cli.domain.comparison import metrics
from reservation_cli.domain.lane_record import lane_as_json
from reservation_cli.domain.reservation import Target, format_time
from reservation_cli.domain.timeline import ENDED, Attempt, ExecutionStatus, Span, Timeline, scheduled_end
from reservation_cli.render.bars import moments
from support import timelines
from support.timelines import at


@pytest.mark.parametrize(
    ("status", "over"),
    [
        ("queued", False),
        ("running", False),
        ("waiting", False),
        ("paused", False),
        ("unknown", False),
        ("succeeded", True),
        ("failed", True),
        ("timed_out", True),
        ("stopped", True),
    ],
)
def test_over_or_not(status: ExecutionStatus, over: bool) -> None:
    assert replace(timelines.cloudflare_expired(), status=status).is_over is over
    assert (status in ENDED) is over


def test_spans_by_name() -> None:
    lane = timelines.cloudflare_expired()
    assert lane.span("finalize") is lane.spans[2]
    assert lane.span("nothing") is None
    assert lane.hold is lane.spans[1]
    hold = timelines.confirmed()[1].hold
    assert hold is not None
    assert hold.kind == "event"
    assert timelines.rejected()[0].hold is None


def test_due_is_the_engines_word_else_the_seats() -> None:
    lane = timelines.cloudflare_expired()
    assert lane.due == at(900_030)
    assert replace(lane, spans=lane.spans[:1]).due == at(900_018)
    assert replace(lane, spans=(), reservation=None).due is None


def test_a_wait_that_would_end_beyond_the_calendar_has_no_known_end() -> None:
    last = datetime.max.replace(tzinfo=UTC)
    assert scheduled_end(last, 900) is None
    assert scheduled_end(last - timedelta(seconds=900), 900) == last
    assert scheduled_end(at(0), None) is None
    assert scheduled_end(None, 900) is None


def test_a_service_whose_clock_is_at_the_calendars_end_can_be_followed() -> None:
    lane = replace(timelines.cloudflare_expired(), target="cloud", started=datetime.max.replace(tzinfo=UTC))
    assert lane.on_its_clock(at(10)) == at(10)


def test_a_request_at_the_calendars_end_is_drawn_without_its_acceptance() -> None:
    last = datetime.max.replace(tzinfo=UTC)
    lane = replace(timelines.cloudflare_expired(), requested_at=last, started=last)
    assert {"request sent", "accepted"} & {moment.kind for moment in moments(lane)} == {"request sent"}


def test_origin_is_the_request_else_the_start() -> None:
    lane = timelines.cloudflare_expired()
    assert lane.origin == at(0)
    assert replace(lane, requested_at=None).origin == at(4)
    made = replace(lane, requested_at=None, started=None)
    assert made.reservation is not None
    assert made.zero == ("hold", made.reservation.created_at)
    assert replace(made, reservation=None).origin is None


def mistimed(requested: float, target: Target = "cloud", accept_ms: float | None = 30.0) -> Timeline:
    """A lane that started 4 ms after T0, and whose request was sent at `requested` by this machine's clock."""
    return replace(timelines.cloudflare_expired(), target=target, requested_at=at(requested), accept_ms=accept_ms)


@pytest.mark.parametrize("requested", [0, 20, 1_000, -1_000, -30_000])
def test_a_delay_that_a_request_can_have_is_believed(requested: float) -> None:
    lane = mistimed(requested)
    assert (lane.origin, lane.implausible_delay, lane.remarks) == (at(requested), None, ())


@pytest.mark.parametrize(
    ("requested", "words"),
    [(600_004, "It started 10m before this machine sent the request"), (-599_996, "It started 10m after this machine")],
)
def test_a_clock_that_cannot_be_right_is_left_out_and_told(requested: float, words: str) -> None:
    lane = mistimed(requested)
    assert lane.origin == lane.started
    (remark,) = lane.remarks
    assert words in remark
    assert "t = 0 is when it started" in remark
    assert lane_as_json(lane)["notes"] == [remark]
    assert lane_as_json(lane)["requested_at"] == format_time(at(requested))


@pytest.mark.parametrize("minutes", [-10, 10])
def test_a_wrong_clock_changes_no_metric(minutes: int) -> None:
    assert metrics(mistimed(minutes * 60_000)) == metrics(mistimed(0))


def test_on_the_local_stack_a_late_start_is_a_late_start() -> None:
    assert mistimed(-600_000, "local").origin == at(-600_000)
    assert mistimed(600_000, "local").origin == at(4)


def test_a_slow_answer_is_no_late_start() -> None:
    assert mistimed(-60_000, accept_ms=45_000.0).origin == at(-60_000)
    assert mistimed(-60_000, accept_ms=None).origin == at(4)


def test_other_notes_stay() -> None:
    lane = replace(mistimed(600_000), notes=("Told by the Worker.",))
    assert lane.remarks[0] == "Told by the Worker."
    assert len(lane.remarks) == 2


def test_a_body_needs_both_ends() -> None:
    assert Span("step", "finalize", at(1), began=at(1)).body is None
    assert Span("step", "finalize", at(1), began=at(1), ended=at(2)).body == (at(1), at(2))


def test_scheduled_end() -> None:
    assert scheduled_end(at(30), 900) == at(900_030)
    assert scheduled_end(None, 900) is None
    assert scheduled_end(at(30), None) is None


def test_json_of_a_lane() -> None:
    lane = lane_as_json(timelines.retried()[0])
    assert lane["platform"] == "cloudflare"
    assert lane["engine"] == {"name": "wrangler dev (workerd)", "version": "4.155.0"}
    assert lane["started"] == "2026-11-23T09:00:00.004Z"
    spans = lane["spans"]
    assert isinstance(spans, list)
    assert [(span["kind"], span["name"]) for span in spans] == [
        ("step", "create-hold"),
        ("wait", "hold-window"),
        ("step", "finalize"),
    ]
    assert spans[0]["attempts"][0] == {
        "start": "2026-11-23T09:00:00.014Z",
        "end": "2026-11-23T09:00:00.019Z",
        "status": "failed",
        "error": "Error: seat store unavailable",
    }
    assert spans[0]["body"] == {"began": "2026-11-23T09:00:01.031Z", "ended": "2026-11-23T09:00:01.044Z"}
    assert spans[1]["body"] is None
    assert spans[1]["scheduled_end"] == "2026-11-23T09:00:11.047Z"
    reservation = lane["reservation"]
    assert isinstance(reservation, dict)
    assert reservation["status"] == "expired"
    assert reservation["held_until"] is None


def test_json_says_null_where_nothing_is_told() -> None:
    lane = lane_as_json(
        replace(timelines.absent("aws"), spans=(Span("step", "x", None, attempts=(Attempt(None, None, "unknown"),)),))
    )
    assert (lane["started"], lane["ended"], lane["reservation"], lane["outcome"]) == (None, None, None, None)
    assert lane["spans"] == [
        {
            "kind": "step",
            "name": "x",
            "start": None,
            "end": None,
            "scheduled_end": None,
            "status": "running",
            "body": {"began": None, "ended": None},
            "error": None,
            "attempts": [{"start": None, "end": None, "status": "unknown", "error": None}],
        }
    ]
