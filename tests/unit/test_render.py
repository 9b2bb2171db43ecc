"""The views around the picture: table, configuration, sentences, status, reserve, list, and the JSON of a run."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import replace

import pytest
from rich.cells import cell_len
from rich.console import Console, RenderableType

from reservation_cli.domain.comparison import Row, Unit
from reservation_cli.domain.timeline import Timeline
from reservation_cli.render import words
from reservation_cli.render.console import comparison_view, list_view, reserve_view, status_view
from reservation_cli.render.json import list_json, run_json
from reservation_cli.render.table import difference, sentences, values
from support import pictures, timelines
from support.timelines import at


def text(view: RenderableType, width: int = 80) -> str:
    file = io.StringIO()
    Console(file=file, width=width, _environ={}).print(view, crop=False)
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines())


def test_metric_table() -> None:
    assert """\
                   Cloudflare        AWS
metric                  local      local    difference
accepted              35.0 ms     8.0 ms  AWS −27.0 ms
first step            10.0 ms     7.0 ms   AWS −3.0 ms
create-hold body      13.0 ms     9.0 ms   AWS −4.0 ms
finalize body         12.0 ms     7.0 ms   AWS −5.0 ms
timer error           +6.0 ms    +9.0 ms   AWS +3.0 ms
· engine lateness     +4.0 ms    +3.0 ms   AWS −1.0 ms
· resume               2.0 ms     6.0 ms   AWS +4.0 ms
overhead              19.0 ms    21.0 ms   AWS +2.0 ms
total               900.048 s  900.040 s   AWS −8.0 ms
operations                  3          4        AWS +1
invocations                 —          2
polls made                 12         12          same
cost per million       $48.02     $36.03   AWS −$11.98
""" in text(comparison_view(timelines.expired(), 80))


@pytest.mark.parametrize(
    ("numbers", "unit", "signed", "cells"),
    [
        ((14.1, 7.0), "ms", False, ["14.1 ms", "7.0 ms"]),
        ((6.0, -3.1), "ms", True, ["+6.0 ms", "−3.1 ms"]),
        ((0.0, -0.04), "ms", True, ["±0.0 ms", "±0.0 ms"]),
        ((9_999.94, None), "ms", False, ["9\u202f999.9 ms", "—"]),
        ((20.0, 10_000.0), "ms", False, ["0.020 s", "10.000 s"]),
        ((3, 4), "count", False, ["3", "4"]),
        ((0.0000346, None), "usd", False, ["$34.60", "—"]),
    ],
)
def test_values_of_a_row_have_one_unit_and_fixed_decimals(
    numbers: tuple[float | None, ...], unit: Unit, signed: bool, cells: list[str]
) -> None:
    assert values(Row("x", "x", unit, signed, numbers)) == cells


def test_differences_name_the_second_lane() -> None:
    assert difference(Row("x", "x", "ms", False, (14.1, 7.0)), "AWS") == "AWS −7.1 ms"
    assert difference(Row("x", "x", "ms", False, (7.0, 7.01)), "AWS") == "same"
    assert difference(Row("x", "x", "ms", False, (7.0, None)), "AWS") == ""
    assert difference(Row("x", "x", "usd", False, (35.4e-6, 36.0e-6)), "AWS") == "AWS +$0.60"


def test_lanes_of_one_platform_are_told_apart() -> None:
    lane = timelines.cloudflare_expired()
    cloud = replace(lane, target="cloud")
    event = replace(lane, request=timelines.request(strategy="event"))
    short = replace(lane, request=timelines.request(hold=10))
    other = replace(lane, reservation_id="r-2")
    assert words.details([lane, timelines.aws_expired()]) == ["local", "local"]
    assert words.details([lane, cloud]) == ["local", "cloud"]
    assert words.details([lane, event]) == ["local · sleep", "local · event"]
    assert words.details([lane, short]) == ["local · 15m", "local · 10s"]
    assert words.details([lane, other]) == [f"local · {lane.reservation_id}", "local · r-2"]
    assert words.details([lane, lane]) == ["local · 1", "local · 2"]
    assert words.second_name([lane, timelines.aws_expired()]) == "AWS"
    assert words.second_name([lane, cloud]) == "cloud"
    assert words.second_name([lane, event]) == "event"


def test_comparison_begins_with_the_picture_and_names_both_configurations() -> None:
    shown = text(comparison_view(timelines.expired(), 80))
    assert shown.startswith(pictures.drawn("expired", 80))
    assert "Service-side clocks; accepted: this machine's clock; n = 1." in shown
    for fact in ("wrangler dev (workerd) 4.155.0", "http://127.0.0.1:8701", "15m, strategy sleep"):
        assert fact in shown
    assert any(line.endswith(timelines.ARN) for line in shown.splitlines())
    assert "not how fast the clouds" in shown
    assert "One run is an anecdote" in shown
    assert "Not like for like" not in shown


def test_a_live_frame_leaves_out_what_does_not_change() -> None:
    shown = text(comparison_view(timelines.mid_hold(), 80, at(47_800)))
    assert "14:12 left" in shown
    assert "first step" in shown
    assert "wrangler" not in shown
    assert len(shown.splitlines()) <= 24


def test_before_anything_is_known_there_is_no_table() -> None:
    queued = replace(timelines.absent("aws"), status="queued", requested_at=timelines.T0, as_of=at(5), polls=0)
    assert "… queued" in text(comparison_view([queued], 80, at(5)))
    assert "metric" not in text(comparison_view([timelines.absent("aws")], 80))


@pytest.mark.parametrize(
    ("lanes", "expected"),
    [
        (timelines.expired(), []),
        (
            timelines.cloud_and_local(),
            ["Not like for like: the targets differ (Cloudflare local and AWS cloud)."],
        ),
        (timelines.four(), ["Not like for like: the strategies differ (sleep and event)."]),
        (
            (
                timelines.cloudflare_expired(),
                replace(timelines.aws_expired(), request=timelines.request(hold=10)),
            ),
            ["Not like for like: the holds differ (15m and 10s)."],
        ),
    ],
)
def test_not_like_for_like_is_said(lanes: Sequence[Timeline], expected: list[str]) -> None:
    assert [line for line in sentences(lanes) if line.startswith("Not like")] == expected


def test_one_lane_is_no_comparison_and_the_cloud_is_no_local_engine() -> None:
    cloud = timelines.cloud_and_local()[1]
    assert list(sentences([cloud])) == []
    assert len(list(sentences([timelines.cloudflare_expired()]))) == 1


def test_notes_of_a_lane_are_shown_in_every_view() -> None:
    lane = replace(timelines.cloudflare_expired(), notes=("The engine was down for 4 s.",))
    for view in (comparison_view, status_view):
        assert "Cloudflare · local: The engine was down for 4 s." in text(view([lane], 80))


def test_status_lists_every_step_with_its_attempts_and_errors() -> None:
    shown = text(status_view(timelines.retried()[:1], 80))
    assert (
        """\
        at  step         status           took
     12 ms  create-hold  ✓ succeeded     13 ms  1.034 s by the engine's clock
     14 ms    attempt 1  ✗ failed         5 ms  Error: seat store unavailable
   1.031 s    attempt 2  ✓ succeeded     13 ms
   1.047 s  hold-window  ✓ succeeded  10.005 s  due at 11.047 s, +5.0 ms
  11.053 s  finalize     ✓ succeeded     11 ms  14 ms by the engine's clock"""
        in shown
    )
    assert "reservation  ○ expired" in shown
    assert "since        2026-11-23 09:00:11.059 UTC" in shown


def test_status_of_a_held_seat_counts_down() -> None:
    shown = text(status_view(timelines.mid_hold(), 80, at(50_018)))
    assert "held until   2026-11-23 09:15:00 UTC (14:10 left)" in shown
    assert "execution    ● waiting" in shown


@pytest.mark.parametrize(
    ("lanes", "facts"),
    [
        (timelines.rejected(), ["seat taken   until 2026-11-23 09:07:30 UTC"]),
        (timelines.stopped(), ["execution    ■ stopped", "error        ✗ Terminated by user"]),
        ((timelines.absent("aws"),), ["execution  — not on AWS"]),
        (timelines.paused(), ["execution    ‖ paused", "held until   2026-11-23 09:15:00 UTC\n"]),
        (timelines.untold(), ["finalize     ? unknown"]),
    ],
)
def test_status_facts(lanes: Sequence[Timeline], facts: list[str]) -> None:
    shown = text(status_view(lanes, 80)) + "\n"
    assert [fact for fact in facts if fact not in shown] == []


def test_reserve_says_until_when_and_how_to_come_back() -> None:
    shown = text(reserve_view(timelines.mid_hold(), 80))
    assert "reservation  ● held until 2026-11-23 09:15:00 UTC" in shown
    assert "accepted     in 35 ms" in shown
    assert f"ref          {timelines.RESERVATION_ID}" in shown


def test_reserve_of_a_taken_seat() -> None:
    lanes = timelines.rejected()
    assert "✗ rejected: seat A1 is taken until 2026-11-23 09:07:30 UTC" in text(reserve_view(lanes, 80))
    record = lanes[0].reservation
    assert record is not None
    confirmed = replace(lanes[0], reservation=replace(record, held_until=None))
    assert "✗ rejected: seat A1 is taken for good" in text(reserve_view([confirmed], 80))


def test_list_narrow_and_wide() -> None:
    rows = [*timelines.expired(), *timelines.mid_hold()]
    assert text(list_view(rows, 80)).splitlines()[:2] == [
        "id            on                seat  user     status     started, UTC    hold",
        "r-7k2m9x4tqa  Cloudflare local  A1    user123  ○ expired  11-23 09:00:00  15m",
    ]
    assert text(list_view(rows, 120), 120).splitlines()[:2] == [
        "id            platform    target  seat  user     status       outcome    started                  hold",
        "r-7k2m9x4tqa  Cloudflare  local   A1    user123  ✓ succeeded  ○ expired  2026-11-23 09:00:00 UTC  15m",
    ]
    assert text(list_view([], 80)) == "No reservations."


def test_list_keeps_wide_characters_in_their_columns() -> None:
    asked = timelines.request("座席の名前はとても長い", "🎫🎫")
    shown = text(list_view([replace(timelines.cloudflare_expired(), request=asked), timelines.aws_expired()], 80))
    columns = {cell_len(line[: line.index("○")]) for line in shown.splitlines()[1:]}
    assert len(columns) == 1
    assert "…" in shown


@pytest.mark.parametrize("width", [60, 80, 160, 200])
@pytest.mark.parametrize("case", pictures.CASES)
def test_views_fit_and_carry_no_control_characters(case: str, width: int) -> None:
    lanes, now = pictures.CASES[case]
    hostile = [
        replace(lane, error="[red]x\x1b[31m\x00", ref=f"{lane.ref}\x1b", notes=("[bold]n\x07",)) for lane in lanes
    ]
    for view in (
        status_view(hostile, width, now),
        reserve_view(hostile, width),
        list_view(hostile, width),
        *([comparison_view(hostile, width, now)] if width >= 80 else []),
    ):
        shown = text(view, width)
        # A ref is one line however long, so that it can be copied: the terminal wraps it.
        assert max(cell_len(line) for line in shown.splitlines() if not line.startswith("  ref ")) <= width
        assert not any(character < " " and character != "\n" for character in shown)


def test_json_of_a_run() -> None:
    run = json.loads(json.dumps(run_json(timelines.expired())))
    assert run["schema"] == "resv.run/1"
    assert run["request"] == {
        "reservation_id": timelines.RESERVATION_ID,
        "seat": "A1",
        "user": "user123",
        "hold_seconds": 900,
        "strategy": "sleep",
    }
    assert [(lane["platform"], lane["outcome"]) for lane in run["lanes"]] == [
        ("cloudflare", "expired"),
        ("aws", "expired"),
    ]
    assert run["lanes"][0]["metrics"]["timer_error_ms"] == 6.0
    assert run["lanes"][0]["metrics"]["invocations"] is None
    assert run["lanes"][0]["metrics"]["signal_to_resume_ms"] is None
    assert run["lanes"][1]["spans"][1]["scheduled_end"] == "2026-11-23T09:15:00.023Z"


def test_json_says_null_where_lanes_differ_or_nothing_is_told() -> None:
    assert run_json(timelines.four())["request"] == {
        "reservation_id": timelines.RESERVATION_ID,
        "seat": "A1",
        "user": "user123",
        "hold_seconds": 10,
        "strategy": None,
    }
    unknown = replace(timelines.absent("aws"), request=None)
    assert run_json([unknown])["request"] == {
        "reservation_id": timelines.RESERVATION_ID,
        "seat": None,
        "user": None,
        "hold_seconds": None,
        "strategy": None,
    }


def test_json_of_a_list() -> None:
    listed = json.loads(json.dumps(list_json(timelines.expired())))
    assert [lane["platform"] for lane in listed["reservations"]] == ["cloudflare", "aws"]


@pytest.mark.parametrize(
    ("ms", "shown"),
    [
        (0.0, "<1 ms"),
        (13.4, "13 ms"),
        (-20.0, "−20 ms"),
        (3_045.0, "3.045 s"),
        (59_999.9, "1:00.000"),
        (900_050.0, "15:00.050"),
        (3_600_000.0, "1:00:00.000"),
        (2_592_000_040.0, "30d 0:00:00.040"),
    ],
)
def test_durations(ms: float, shown: str) -> None:
    assert words.duration(ms) == shown


@pytest.mark.parametrize(
    ("ms", "shown"),
    [
        (852_400.0, "14:12 left"),
        (7_900.0, "7 s left"),
        (86_399_000.0, "23:59:59 left"),
        (2_588_400_000.0, "29d 23h left"),
        (0.0, "0 s left"),
        (-40.0, "due"),
        (-400.0, "0.4 s late"),
    ],
)
def test_countdowns(ms: float, shown: str) -> None:
    assert words.left(ms) == shown


def test_wrapping_counts_cells() -> None:
    assert words.wrapped("one two three", 7, 3) == ["one two", "three"]
    assert words.wrapped("座席座席座席", 5, 9) == ["座席", "座席", "座席"]
    assert words.wrapped("a b c d", 1, 2) == ["a", "…"]
