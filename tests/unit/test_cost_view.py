"""How costs are drawn: each case is compared whole with the file that somebody looked at.

After a change that is meant:  PYTHONPATH=tests python tests/unit/test_cost_view.py  - then look at what changed.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console

from reservation_cli.domain.cost import Shape, expected, lines
from reservation_cli.domain.costing import Terms, changes, costing, parse_count
from reservation_cli.domain.prices import read_prices
from reservation_cli.domain.reservation import InvalidInputError
from reservation_cli.domain.timeline import Timeline
from reservation_cli.render.cost import cost_view, difference, money, quantity, unit_price
from support import pictures, timelines

EXPIRED = (expected("cloudflare", 900, "sleep", "expired"), expected("aws", 900, "sleep", "expired"))
CASES: dict[str, tuple[Sequence[Timeline | Shape], Terms, bool]] = {
    "expected": (EXPIRED, Terms(), False),
    "recorded": (timelines.confirmed(), Terms(), False),
    "details": (timelines.expired(), Terms(), True),
    "allowances": (EXPIRED, Terms(count=200_000, allowances=True), False),
    "alone": (timelines.mid_hold()[1:], Terms(memory_mb=512), False),
    "four": (timelines.four(), Terms(), False),
}
WIDTHS = (60, 80, 120)


def drawn(case: str, width: int) -> str:
    found, terms, details = CASES[case]
    file = io.StringIO()
    view = cost_view([costing(each, terms) for each in found], terms, width, details)
    Console(file=file, width=width, _environ={}).print(view, crop=False)
    return "".join(f"{line.rstrip()}\n" for line in file.getvalue().splitlines())


def path(case: str, width: int) -> Path:
    return pictures.FOLDER / f"cost-{case}-{width}.txt"


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("case", CASES)
def test_costs_are_drawn_as_they_were_looked_at(case: str, width: int) -> None:
    assert drawn(case, width) == path(case, width).read_text(encoding="utf-8")


@pytest.mark.parametrize("width", [48, *WIDTHS, 200])
@pytest.mark.parametrize("case", CASES)
def test_no_line_is_wider_than_the_terminal_and_none_is_cut(case: str, width: int) -> None:
    text = drawn(case, width)
    assert max(map(cell_len, text.splitlines())) <= width
    if width >= 80:
        assert "…" not in text


def test_quantities_prices_and_money_have_the_digits_they_need() -> None:
    found = {line.price: line for shape in EXPIRED for line in lines(shape)}
    assert [quantity(found[name]) for name in ("aws.operations", "cloudflare.cpu", "aws.compute", "aws.written")] == [
        "4",
        "9 ms",
        "0.05 GB-s",
        "1.1 kB",
    ]
    assert quantity(found["cloudflare.object_storage"]) == "12.3 kB·mo"
    assert quantity(found["cloudflare.kv_storage"]) == "<0.01 kB·mo"
    assert [unit_price(found[name]) for name in ("aws.operations", "aws.reads", "aws.compute", "aws.retained")] == [
        "$8.00/M",
        "$0.125/M",
        "$13.333/M",
        "$0.15/GB·mo",
    ]
    assert [money(usd) for usd in (0, 0.004, 0.005, 1234.5)] == ["$0.00", "<$0.01", "$0.01", "$1,234.50"]


def test_the_difference_names_the_second_and_its_share() -> None:
    cloudflare, aws = (costing(shape, Terms()) for shape in EXPIRED)
    assert difference(cloudflare, aws) == "AWS −$11.98 (25% less)"
    assert difference(aws, cloudflare) == "Cloudflare +$11.98 (33% more)"
    assert difference(aws, aws) == "AWS: the same"


def test_what_would_change_it_is_in_dollars_of_the_total() -> None:
    cloudflare, aws = (costing(shape, Terms()) for shape in EXPIRED)
    assert [(change.what.split(" ")[0], round(change.usd, 2)) for change in changes(cloudflare, Terms())] == [
        ("no", -10.00),
        ("no", -4.80),
        ("a", 0.22),
    ]
    # The HTTP API 1 x $1.00; 0.05 GB-s more x $13.3334; 1.1 GB for a month x $0.15
    assert [round(change.usd, 3) for change in changes(aws, Terms())] == [1.00, 0.667, 0.165]


def test_what_is_included_anyway_changes_nothing() -> None:
    terms = Terms(count=1_000, allowances=True)
    assert changes(costing(EXPIRED[0], terms), terms) == ()


def test_own_prices_are_told() -> None:
    terms = replace(Terms(), prices=read_prices('as_of = "2027-01"\n[cloudflare]\nsteps = 0'))
    file = io.StringIO()
    Console(file=file, width=80, _environ={}).print(cost_view([costing(EXPIRED[0], terms)], terms, 80, True))
    assert "List prices and your own of 2027-01" in file.getvalue()
    assert "your prices" in file.getvalue()


@pytest.mark.parametrize(
    ("text", "count"),
    [("1", 1), ("20000", 20_000), ("500k", 500_000), ("1.5M", 1_500_000), (" 2B ", 2 * 10**9), ("1_000", 1000)],
)
def test_counts(text: str, count: int) -> None:
    assert parse_count(text) == count


@pytest.mark.parametrize("text", ["", "0", "-1", "5m", "1.5", "1e6", "0.0001k", "1001B", "many", "٣"])
def test_what_is_no_count_is_told(text: str) -> None:
    with pytest.raises(InvalidInputError, match="no number of reservations"):
        parse_count(text)


def redraw() -> None:
    for case in CASES:
        for width in WIDTHS:
            path(case, width).write_text(drawn(case, width), encoding="utf-8")


if __name__ == "__main__":
    redraw()
