"""What a timeline says of itself, and its JSON."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reservation_cli.domain.timeline import ENDED, Attempt, ExecutionStatus, Span, as_json, scheduled_end
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


def test_origin_is_the_request_else_the_start() -> None:
    lane = timelines.cloudflare_expired()
    assert lane.origin == at(0)
    assert replace(lane, requested_at=None).origin == at(4)
    assert replace(lane, requested_at=None, started=None).origin is None


def test_a_body_needs_both_ends() -> None:
    assert Span("step", "finalize", at(1), began=at(1)).body is None
    assert Span("step", "finalize", at(1), began=at(1), ended=at(2)).body == (at(1), at(2))


def test_scheduled_end() -> None:
    assert scheduled_end(at(30), 900) == at(900_030)
    assert scheduled_end(None, 900) is None
    assert scheduled_end(at(30), None) is None


def test_json_of_a_lane() -> None:
    lane = as_json(timelines.retried()[0])
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
    lane = as_json(
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
