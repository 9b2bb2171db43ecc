"""The SVG of a run: valid XML that needs nothing else, and says what the terminal's picture says."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from dataclasses import fields, replace

import pytest

from reservation_cli.domain.run import Run
from reservation_cli.domain.timeline import Timeline
from reservation_cli.render import svg
from reservation_cli.render.axis import fit
from reservation_cli.render.pieces import draw
from reservation_cli.render.svg_histogram import Histogram
from reservation_cli.render.templating import DARK, LIGHT, Palette
from support import benches, timelines
from support.exports import ODD, every, odd, of

NAMESPACE = "{http://www.w3.org/2000/svg}"
CONTROL = "a\x00b\x1b[31m\ufffe\ud800<script>alert(1)</script>&amp;"


def parsed(run: Run) -> ET.Element:
    return ET.fromstring(svg.render(run))


def texts(root: ET.Element) -> list[str]:
    """Each line of text that is drawn, details included."""
    return ["".join(text.itertext()) for text in root.iter(f"{NAMESPACE}text")]


def labels(root: ET.Element) -> list[str]:
    """What is told of each part of a lane."""
    return [label for part in root.iter() if (label := part.get("aria-label")) and part.get("tabindex") == "0"]


def of_class(root: ET.Element, *names: str) -> Iterator[ET.Element]:
    return (part for part in root.iter() if set(names) <= set(part.get("class", "").split()))


@pytest.mark.parametrize("lane", every(), ids=lambda lane: f"{lane.platform}-{lane.status}")
def test_every_lane_is_valid_and_lies_within_the_picture(lane: Timeline) -> None:
    root = parsed(of(lane))
    width = float(root.get("viewBox", "").split()[2])
    for part in root.iter():
        for name in ("x", "x1", "x2", "width"):
            if (value := part.get(name)) and value != "100%":
                assert -10 <= float(value) <= width
        assert float(part.get("height", "0")) >= 0


def test_it_stands_alone() -> None:
    for run in (benches.compared(), benches.run()):
        text = svg.render(run)
        assert text.startswith('<?xml version="1.0" encoding="UTF-8"?>\n<svg')
        assert re.findall(r"https?://[^\s\"<]+", text) == ["http://www.w3.org/2000/svg"]
        assert not re.search(r"<(script|image|foreignObject|use|a)\b|href|url\(|@import|@font-face|var\(", text)


def test_title_answer_and_what_it_does_not_prove() -> None:
    root = parsed(benches.compared())
    assert root.findtext(f"{NAMESPACE}title", "").startswith("One reservation, two engines: seat A1 · user123")
    assert root.findtext(f"{NAMESPACE}desc") == (
        "Both expired; timer error +6.0 ms on Cloudflare and +9.0 ms on AWS, measured once."
    )
    assert "Local engines show how the programming models behave, not how fast the clouds are." in texts(root)


def test_it_says_what_the_terminal_says() -> None:
    shown = texts(parsed(benches.compared()))
    for words in (
        "Cloudflare  local",
        "○ expired  at 15:00.052",
        "create-hold 13 ms",
        "hold-window 15:00.004",
        "15:00",
    ):
        assert words in shown
    for meaning in ("step body", "rest of the step", "waiting", "past due", "accepted", "idle time, cut out"):
        assert meaning in shown
    assert "failed attempt" not in shown, "what is not in the picture is not in the legend"


def test_details_of_each_part_can_be_reached_by_keyboard() -> None:
    told = labels(parsed(benches.compared()))
    assert "Cloudflare local: create-hold · step body, 13 ms, from 14 ms to 27 ms" in told
    assert "Cloudflare local: hold-window · past due, 4 ms, from 15:00.030 to 15:00.034" in told
    assert "AWS local: accepted, at 8 ms" in told


def test_lengths_are_to_scale() -> None:
    root = parsed(of(timelines.cloudflare_expired()))
    body, final = (float(part.get("width", "0")) for part in of_class(root, "body", "cloudflare"))
    axis = fit(draw(timelines.cloudflare_expired()).intervals, 912 // 8)
    assert body == pytest.approx(13 / axis.scale * 8, abs=0.1)
    assert final / body == pytest.approx(12 / 13, abs=0.01)


def test_a_failed_attempt_has_its_own_shape_and_reason() -> None:
    root = parsed(of(*timelines.retried()))
    (box,) = (
        part for part in of_class(root, "failed", "bad") if part.tag.endswith("rect") and part.get("width") != "22"
    )
    assert float(box.get("width", "0")) >= 3
    assert any(
        "create-hold · failed attempt, 5 ms" in label and "seat store unavailable" in label for label in labels(root)
    )
    assert "✗ create-hold, attempt 1: Error: seat store unavailable" in texts(root)


def test_a_cut_interrupts_only_lanes_that_go_on() -> None:
    failed, expired = timelines.failed()
    alone = len(list(of_class(parsed(of(expired)), "rule")))
    together = parsed(of(failed, expired))
    assert len(list(of_class(together, "rule"))) > alone
    assert "✗ failed" in texts(together)


def test_absent_lanes_say_so() -> None:
    shown = texts(parsed(of(timelines.cloudflare_expired(), timelines.absent("aws"))))
    assert "not on AWS" in shown
    assert "— absent" in shown


def test_what_is_named_by_others_is_text() -> None:
    lane = odd()
    root = parsed(of(lane))
    assert any(ODD in text for text in texts(root))
    hostile = replace(lane, error=CONTROL, spans=tuple(replace(span, name=CONTROL) for span in lane.spans))
    root = parsed(of(hostile))
    assert {part.tag.removeprefix(NAMESPACE) for part in root.iter()} == {
        "svg", "title", "desc", "style", "rect", "g", "text", "tspan", "line", "path",
    }  # fmt: skip
    assert any("<script>alert(1)</script>" in text for text in texts(root))


def test_of_a_benchmark_the_histogram_lies_under_the_lanes() -> None:
    root = parsed(benches.run())
    shown = texts(root)
    assert "Timer error" in shown
    assert any(text.startswith("Cloudflare  median +") and text.endswith("n = 200") for text in shown)
    assert len(list(of_class(root, "area"))) == 2
    (second,) = (part for part in of_class(root, "outline", "second", "aws") if part.get("d", "").count("L") > 2)
    assert second.tag == f"{NAMESPACE}path", "the second lane's line is dashed: it is told apart without colour"


def test_each_hold_of_a_sweep_has_its_histogram() -> None:
    shown = texts(parsed(benches.run(benches.bench(40, (1, 10)))))
    assert "Timer error, hold 1s" in shown
    assert "Timer error, hold 10s" in shown


@pytest.mark.parametrize(
    "values",
    [
        ([5.0], []),
        ([1.0, 2.0, 3.0], [900.0, 901.0, 903.0]),
        ([-3.0, 0.0, 4210.5], [0.5, 0.5]),
        ([60_000.0, 61_000.0], [60_500.0]),
        ([], []),
    ],
)
@pytest.mark.parametrize("width", [328, 912])
def test_a_histogram_of_any_values_counts_all_of_them(
    values: tuple[Sequence[float], Sequence[float]], width: int
) -> None:
    histogram = Histogram("Timer error", True, (("cloudflare", tuple(values[0])), ("aws", tuple(values[1]))))
    root = ET.fromstring(svg.histogram_figure(histogram, width))
    for place, lane in enumerate(values):
        assert sum(row.counts[place] for row in histogram.rows) == len(lane)
    told = ["".join(text.itertext()) for text in root.iter("text")]
    assert ("Timer error: nothing measured" in told) is not any(values)


def luminance(colour: str) -> float:
    channels = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """The contrast ratio of WCAG 2.2."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", [LIGHT, DARK], ids=["light", "dark"])
def test_text_of_every_colour_can_be_read(scheme: Palette) -> None:
    for field in fields(scheme):
        if field.name not in ("surface", "grid"):
            assert contrast(getattr(scheme, field.name), scheme.surface) >= 4.5, field.name


def test_both_schemes_are_in_the_style() -> None:
    style = parsed(benches.compared()).findtext(f"{NAMESPACE}style", "")
    light, dark = style.split("@media screen and (prefers-color-scheme: dark)")
    assert LIGHT.aws in light
    assert DARK.aws in dark
    assert LIGHT.aws not in dark
