"""The histogram for the terminal: each case is compared line by line with the file that somebody looked at.

After a change that is meant:  PYTHONPATH=tests python tests/unit/test_histogram.py  - then look at what changed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from statistics import NormalDist

import pytest
from rich.text import Text

from reservation_cli.render.histogram import NARROWEST, histogram_view
from support import pictures

Lane = tuple[str, str, Sequence[float]]

ORANGE, BLUE = "dark_orange", "deep_sky_blue1"


def bell(mean: float, sigma: float, n: int, *more: float, whole: bool = True) -> list[float]:
    """As regular a sample of a normal distribution as there is, and `more` values."""
    values = [NormalDist(mean, sigma).inv_cdf((index + 0.5) / n) for index in range(n)]
    return [*(float(round(value)) if whole else value for value in values), *more]


CLOUDFLARE: Lane = ("Cloudflare · local", ORANGE, bell(6, 1.6, 195, 11, 12, 13, 14, 18))
AWS: Lane = ("AWS · local", BLUE, bell(3.4, 1, 197, 8, 9, 14))
CASES: dict[str, Sequence[Lane]] = {
    "two": (CLOUDFLARE, AWS),
    "one": (AWS,),
    "four": (
        ("Cloudflare · sleep", ORANGE, CLOUDFLARE[2]),
        ("Cloudflare · event", ORANGE, bell(8, 2, 200)),
        ("AWS · sleep", BLUE, AWS[2]),
        ("AWS · event", BLUE, bell(5, 1, 200)),
    ),
    "outlier": (
        ("Cloudflare · local", ORANGE, bell(6, 2, 199, 4210, whole=False)),
        ("AWS · local", BLUE, bell(1, 1.5, 198, -312, 870, whole=False)),
    ),
    "apart": (
        ("Cloudflare · local", ORANGE, bell(12, 3, 200)),
        ("AWS · us-east-2 · reservation-workflow-dev:live", BLUE, bell(900, 40, 100)),
    ),
    "long": (
        ("Cloudflare · local", ORANGE, bell(60_600, 200, 200)),
        ("AWS · local", BLUE, bell(60_300, 90, 200)),
    ),
}
WIDTHS = (60, 80, 120)


def lines(lanes: Sequence[Lane], width: int = 80, unit: str = "ms", signed: bool = True) -> list[str]:
    return [line.plain for line in histogram_view(lanes, width, "timer error", unit, signed)]


def drawn(case: str, width: int) -> str:
    return "".join(f"{line}\n" for line in lines(CASES[case], width))


def kept(case: str, width: int) -> str:
    return (pictures.FOLDER / f"histogram-{case}-{width}.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("case", CASES)
def test_histogram_is_the_one_that_was_looked_at(case: str, width: int) -> None:
    assert drawn(case, width) == kept(case, width)


@pytest.mark.parametrize("width", [1, NARROWEST, 60, 79, 80, 100, 120, 200])
@pytest.mark.parametrize("case", CASES)
def test_no_line_is_wider_than_asked(case: str, width: int) -> None:
    most = min(max(width, NARROWEST), 120)
    assert all(line.cell_len <= most for line in histogram_view(CASES[case], width, "timer error " * 20))


@pytest.mark.parametrize("case", CASES)
def test_every_value_is_counted_in_some_row(case: str) -> None:
    total = 0
    for line in lines(CASES[case], 120)[2:]:
        if not line:
            break
        bars = re.sub(r"^.*?(ms|s) ", "", line)
        total += sum(int(count) for count in re.findall(r"\d+", bars))
    assert total == sum(len(values) for _, _, values in CASES[case])


@pytest.mark.parametrize("case", CASES)
def test_each_lane_has_one_median(case: str) -> None:
    marked = "".join(lines(CASES[case])).count("◂")
    assert marked == len(CASES[case]) + 1  # and the legend


def test_a_count_of_one_is_seen_beside_a_thousand() -> None:
    found = lines([("first", ORANGE, [1.0] * 1000), ("second", BLUE, [1.0] * 999 + [2.0])])
    row = next(line for line in found if line.startswith("+2 ms"))
    assert row == f"+2 ms  ▖{row[8:]}"
    assert row.split()[-2:] == ["0", "1"]
    alone = lines([("first", ORANGE, [1.0] * 1000 + [2.0])])
    assert any(re.match(r"\+2 ms  ▏ +1$", line) for line in alone)


def test_equal_counts_have_equal_bars_and_the_row_is_full_where_both_are() -> None:
    found = lines([("first", ORANGE, [1.0, 2.0, 2.0]), ("second", BLUE, [1.0, 3.0, 3.0])])
    bars = {line[:5]: line for line in found if line.startswith("+")}
    assert set(bars["+1 ms"][7:60].strip()) <= {"█", "▌"}
    assert bars["+2 ms"].count("▀") == bars["+3 ms"].count("▄") > 20
    assert not {"▄", "█"} & set(bars["+2 ms"])


def test_with_another_n_bars_show_shares_and_say_so() -> None:
    found = lines([("first", ORANGE, [1.0] * 100), ("second", BLUE, [1.0] * 10)])
    row = next(line for line in found if line.startswith("+1 ms"))
    assert "▀" not in row
    assert found[-1].endswith("bars: shares of a lane")
    assert "shares" not in "".join(lines(CASES["two"]))


def test_colours_only_repeat_the_signs() -> None:
    view = histogram_view(CASES["two"], 80, "timer error")
    for line in view[2:]:
        for sign, style in (("▀", ORANGE), ("▄", BLUE), ("█", "")):
            assert {_style(line, place) for place, cell in enumerate(line.plain) if cell == sign} <= {style}


def _style(line: Text, place: int) -> str:
    return next((str(span.style) for span in line.spans if span.start <= place < span.end), "")


def test_without_signs_only_negative_edges_have_one() -> None:
    found = "\n".join(lines([("first", ORANGE, [-1.0, 0.0, 1.0])], signed=False))
    assert [line.split("  ")[0] for line in found.splitlines() if " ms" in line] == ["−1 ms", " 0 ms", " 1 ms"]


def test_another_unit_is_written_as_it_is() -> None:
    found = lines([("first", ORANGE, [20_000.0, 20_001.0])], unit="polls")
    assert any(line.startswith("+20\N{NARROW NO-BREAK SPACE}000 polls") for line in found)


def test_a_lane_without_values_is_named() -> None:
    found = lines([("first", ORANGE, [5.0, 6.0]), ("second", BLUE, [])])
    assert any("▄ second, n = 0" in line for line in found)


def test_nothing_measured_is_told() -> None:
    assert lines([("first", ORANGE, []), ("second", BLUE, [])]) == ["timer error", "nothing measured"]
    assert lines([]) == ["timer error", "nothing measured"]


def test_names_are_made_safe() -> None:
    assert "\x1b" not in "".join(lines([("first\x1b[31m", ORANGE, [1.0])]))


if __name__ == "__main__":
    for case in CASES:
        for width in WIDTHS:
            (pictures.FOLDER / f"histogram-{case}-{width}.txt").write_text(drawn(case, width), encoding="utf-8")
