"""The picture as a whole: each case is compared line by line with the file that somebody looked at."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace

import pytest
from rich.console import Console

from reservation_cli.domain.timeline import Attempt, Span, Timeline
from reservation_cli.render.picture import NARROWEST, picture
from support import pictures, timelines
from support.timelines import at


def plain(lanes: Sequence[Timeline], width: int = 80) -> str:
    return "\n".join(line.plain for line in picture(lanes, width))


@pytest.mark.parametrize("width", pictures.WIDTHS)
@pytest.mark.parametrize("case", pictures.CASES)
def test_picture_is_the_one_that_was_looked_at(case: str, width: int) -> None:
    assert pictures.drawn(case, width) == pictures.path(case, width).read_text(encoding="utf-8")


@pytest.mark.parametrize("width", [NARROWEST, 60, 79, 80, 100, 133, 160, 200, 400])
@pytest.mark.parametrize("case", pictures.CASES)
def test_no_line_is_wider_than_asked(case: str, width: int) -> None:
    lanes, now = pictures.CASES[case]
    assert all(line.cell_len <= width for line in picture(lanes, width, now))


def test_narrower_than_the_narrowest_is_drawn_at_the_narrowest() -> None:
    assert [line.plain for line in picture(timelines.expired(), 1)] == [
        line.plain for line in picture(timelines.expired(), NARROWEST)
    ]


def test_lanes_end_in_one_column() -> None:
    lines = [line for line in plain(timelines.failed()).splitlines() if line.startswith(("Cloudflare", "AWS"))]
    assert len({max(line.find("✗ failed"), line.find("○ expired")) for line in lines}) == 1


def test_equal_lengths_are_drawn_equally_long_on_both_sides_of_a_cut() -> None:
    spans = [
        timelines.step("create-hold", 10, 10, 30, 30),
        timelines.wait(31, 900_031),
        timelines.step("finalize", 900_032, 900_032, 900_052, 900_052),
    ]
    lane = replace(timelines.cloudflare_expired(), spans=tuple(spans), accept_ms=None)
    bars = next(line for line in plain([lane], 160).splitlines() if line.startswith("Cloudflare"))
    before, after = bars.split("⌇")
    assert abs(before.count("█") - after.count("█")) <= 1


def test_a_hold_as_short_as_its_steps_is_not_cut() -> None:
    spans = [
        timelines.step("create-hold", 12, 14, 512, 514),
        timelines.wait(515, 1_519, 1),
        timelines.step("finalize", 1_520, 1_521, 6_900, 6_902),
    ]
    assert "⌇" not in plain([replace(timelines.cloudflare_expired(), spans=tuple(spans), ended=at(6_904))])


def test_a_failed_attempt_shows_without_colour_and_says_why() -> None:
    text = plain(timelines.retried())
    assert "✗ create-hold, attempt 1: Error: seat store unavailable" in text
    assert "✗ failed attempt" in text


def test_different_errors_are_told_one_by_one() -> None:
    attempts = tuple(
        timelines.failed_attempt(at, at + 5, error)
        for at, error in ((14, "Error: a"), (1_020, "Error: a"), (3_030, "Error: b"))
    )
    span = Span("step", "create-hold", at(12), at(3_036), "failed", attempts=attempts)
    text = plain([timelines.lane("cloudflare", "failed", [span], None, started=4, ended=3_040, error="Error: b")])
    assert "✗ create-hold, attempts 1-2: Error: a" in text
    assert "✗ create-hold, attempt 3: Error: b" in text
    assert text.count("Error: b") == 1


def test_a_running_step_has_no_end_yet() -> None:
    running = Span("step", "create-hold", at(12), attempts=(Attempt(at(12), None, "running"),))
    text = plain([timelines.lane("cloudflare", "running", [running], None, started=4, as_of=40)])
    assert "create-hold running" in text
    assert "▒ step running" in text
    assert "● running" in text


def test_a_long_queue_is_cut_out() -> None:
    lane = timelines.cloudflare_expired()
    late = replace(lane, requested_at=at(-1_200_000), accept_ms=30.0)
    text = plain([late])
    assert "20:00" in text
    assert text.splitlines()[3].count("⌇") == 3


def test_a_clock_behind_ours_is_drawn_before_zero() -> None:
    text = plain([replace(timelines.cloudflare_expired(), requested_at=at(20), accept_ms=None)])
    bars = next(line for line in text.splitlines() if line.startswith("Cloudflare"))
    assert "█" in bars
    assert "├" in text or "┼" in text


@pytest.mark.parametrize(
    ("requested", "words"),
    [
        ((True, True), "t = 0 when the request was sent"),
        ((False, False), "t = 0 when the execution started"),
        ((True, False), "t = 0 when the request was sent (AWS: when the execution started)"),
    ],
)
def test_heading_says_what_zero_is(requested: tuple[bool, bool], words: str) -> None:
    lanes = [
        lane if known else replace(lane, requested_at=None)
        for lane, known in zip(timelines.expired(), requested, strict=True)
    ]
    assert words in " ".join(plain(lanes, 160).splitlines()[:2])


def test_nothing_started_is_a_picture_too() -> None:
    assert "nothing has started" in plain([timelines.absent("cloudflare"), timelines.absent("aws")])
    assert plain([])


@pytest.mark.parametrize("seat", ["座席-い12", "🎫 12", "[bold]A1[/bold]", "Ä\u0301"])
def test_seats_keep_their_text_and_the_alignment(seat: str) -> None:
    asked = timelines.request(seat)
    lanes = [replace(lane, request=asked) for lane in timelines.expired()]
    assert f"seat {seat} · user123" in plain(lanes, 160)
    assert plain(lanes, 160).splitlines()[1:] == plain(timelines.expired(), 160).splitlines()[1:]
    assert all(line.cell_len <= 80 for line in picture(lanes, 80))


def test_errors_of_others_reach_the_terminal_as_text_only() -> None:
    lane = replace(timelines.stopped()[0], error="[red]boom[/red]\x1b[2J\x07\r\n\u202eevil \ud800")
    lines = [line for line in plain([lane]).splitlines() if "boom" in line]
    assert lines == ["            ✗ [red]boom[/red]\ufffd[2J\ufffd evil \ufffd"]


def test_long_errors_take_three_lines_at_most() -> None:
    lane = replace(timelines.stopped()[0], error="座席 " * 200)
    lines = [line for line in picture([lane], 80) if "座席" in line.plain]
    assert len(lines) == 3
    assert lines[-1].plain.endswith("…")
    assert all(line.cell_len <= 80 for line in lines)


def drawn_with_colour(lanes: Sequence[Timeline], *, no_color: bool) -> str:
    file = io.StringIO()
    console = Console(
        file=file, width=80, color_system="truecolor", force_terminal=True, no_color=no_color, _environ={}
    )
    for line in picture(lanes, 80):
        console.print(line)
    return file.getvalue()


def test_lanes_failures_and_outcomes_have_their_colours() -> None:
    styles = {
        text.plain[span.start : span.end].strip(): str(span.style)
        for lanes in (timelines.failed(), timelines.confirmed())
        for text in picture(lanes, 80)
        for span in text.spans
    }
    assert styles["Cloudflare"] == "bold dark_orange"
    assert styles["AWS"] == "bold deep_sky_blue1"
    assert styles["✓ confirmed"] == "green"
    assert styles["✗ failed"] == "red"
    assert styles["local"] == "dim"
    assert "\x1b[38;5;208m" in drawn_with_colour(timelines.failed(), no_color=False)


def test_no_color_leaves_no_colour_and_loses_nothing() -> None:
    coloured = drawn_with_colour(timelines.failed(), no_color=True)
    assert "\x1b[3" not in coloured.replace("\x1b[39m", "")
    file = io.StringIO()
    for line in picture(timelines.failed(), 80):
        Console(file=file, width=80, _environ={}).print(line)
    assert "\x1b" not in file.getvalue()
    assert file.getvalue() == pictures.drawn("failed", 80)
