"""What `resv differences` tells: each line of code is there, twins stand in one row, and no code is lost."""

from __future__ import annotations

import io
import re
import shutil
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console, RenderableType

from reservation_cli import sources
from reservation_cli.domain.differences import DIFFERENCES, Difference, Side, closest, find, quoted, topics
from reservation_cli.domain.prices import PRICES
from reservation_cli.domain.quotes import Anchor, Quote, line_of, quote
from reservation_cli.domain.twins import AWS_FILE, CLOUDFLARE_FILE, TWINS, Part, Twin, side_by_side
from reservation_cli.errors import NotConfiguredError
from reservation_cli.render.code import CONTINUED, folded, highlighted
from reservation_cli.render.differences import differences_view
from reservation_cli.render.twins import twins_view

ROOT = Path(__file__).parents[2]
SIDES = [
    pytest.param(side, id=f"{difference.topic}-{platform}")
    for difference in DIFFERENCES
    for platform, side in (("cloudflare", difference.cloudflare), ("aws", difference.aws))
]
WIDTHS = (40, 72, 80, 99, 100, 119, 120, 160, 240)


def source(file: str) -> str:
    return (ROOT / file).read_text(encoding="utf-8")


def plain(view: RenderableType, width: int) -> list[str]:
    console = Console(file=io.StringIO(), width=width, color_system=None, legacy_windows=False)
    console.print(view, crop=False)
    output = console.file
    assert isinstance(output, io.StringIO)
    return output.getvalue().splitlines()


def both() -> tuple[str, str]:
    return source(CLOUDFLARE_FILE), source(AWS_FILE)


# The lines that are quoted


@pytest.mark.parametrize("side", SIDES)
def test_each_anchor_stands_once_in_its_file(side: Side) -> None:
    assert {anchor: source(anchor.file).count(anchor.text) for anchor in side.code} == dict.fromkeys(side.code, 1)


@pytest.mark.parametrize("side", SIDES)
def test_each_side_says_something_and_shows_it(side: Side) -> None:
    assert side.code
    assert side.text.endswith(".")
    assert 50 < len(side.text) <= 320


def test_each_topic_is_told_once() -> None:
    assert len(set(topics())) == len(topics())
    asked = ("sleep", "step", "state", "invocation", "local-testing", "infrastructure", "limits", "prices")
    assert {*asked, "consistency", "retries", "confirm", "teardown"} <= set(topics())


def test_a_line_that_has_moved_is_found() -> None:
    anchor = Anchor("a.ts", "step.sleep(")
    before = "const a = 1;\n  await step.sleep(name);\n"
    assert quote(before, anchor) == Quote("a.ts", 2, "await step.sleep(name);")
    assert quote("// new\n\n" + before, anchor).line == 4


@pytest.mark.parametrize("text", ["", "step.sleep(1)\nstep.sleep(2)\n"])
def test_a_line_that_is_not_there_once_is_a_bug(text: str) -> None:
    with pytest.raises(ValueError, match="not once"):
        line_of(text, "step.sleep(")


def test_a_side_whose_code_is_not_shipped_has_no_lines() -> None:
    difference = Difference("a", Side("c", (Anchor("a.ts", "one"),)), Side("a", ()))
    told = quoted(difference, lambda _file: None)
    assert (told.cloudflare.code, told.aws.code) == ((), ())


def test_lines_of_a_file_that_is_not_shipped_are_left_out() -> None:
    difference = Difference(
        "a-topic", Side("c", (Anchor("a.ts", "one"), Anchor("b.ts", "two"))), Side("a", (Anchor("b.ts", "two"),))
    )
    told = quoted(difference, {"a.ts": None, "b.ts": "two"}.get)
    assert told.title == "A topic"
    assert (told.cloudflare.code, told.aws.code) == ((Quote("b.ts", 1, "two"),),) * 2


def test_figures_that_change_are_dated_and_come_from_the_table_of_prices() -> None:
    assert [difference.topic for difference in DIFFERENCES if difference.as_of] == ["limits", "prices"]
    prices = find("prices")
    assert prices is not None
    assert prices.as_of == PRICES.as_of
    assert f"steps ${PRICES['cloudflare.steps'].each * 1e6:.2f}" in prices.cloudflare.text
    assert f"operations ${PRICES['aws.operations'].each * 1e6:.2f}" in prices.aws.text
    assert f"${PRICES['aws.compute'].usd:.10f} a GB-second" in prices.aws.text


# Topics


@pytest.mark.parametrize("name", ["local-testing", "Local testing", "LOCAL_TESTING"])
def test_a_topic_has_its_name_in_several_ways(name: str) -> None:
    found = find(name)
    assert found is not None
    assert found.topic == "local-testing"


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("slep", "sleep"),
        ("test", "local-testing"),
        ("pricing", "prices"),
        ("infra", "infrastructure"),
        ("sleep syntax", "sleep"),
        ("banana", None),
        ("", None),
    ],
)
def test_what_was_probably_meant(typed: str, meant: str | None) -> None:
    assert find(typed) is None
    assert closest(typed) == meant


# In a checkout and in an installation


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The package as the wheel has it; `sources` finds it there."""
    wheel: dict[str, Any] = tomllib.loads(source("pyproject.toml"))["tool"]["hatch"]["build"]["targets"]["wheel"]
    package = tmp_path / "reservation_cli"
    shutil.copytree(ROOT / "reservation_cli", package, ignore=shutil.ignore_patterns("__pycache__"))
    for origin, target in wheel["force-include"].items():
        copy: Callable[[Path, Path], object] = shutil.copytree if (ROOT / origin).is_dir() else shutil.copy
        (tmp_path / target).parent.mkdir(parents=True, exist_ok=True)
        copy(ROOT / origin, tmp_path / target)
    monkeypatch.setattr(sources, "PACKAGE", package)
    return package


@pytest.mark.usefixtures("installed")
def test_an_installation_shows_the_same_but_for_tests() -> None:
    told = [quoted(difference, sources.read_if_shipped) for difference in DIFFERENCES]
    in_checkout = [quoted(difference, source) for difference in DIFFERENCES]
    for here, there in zip(told, in_checkout, strict=True):
        for side, whole in ((here.cloudflare, there.cloudflare), (here.aws, there.aws)):
            assert side.code == tuple(quote for quote in whole.code if "/test/" not in quote.file)
            assert side.code
    assert (sources.read(CLOUDFLARE_FILE), sources.read(AWS_FILE)) == both()


def test_an_installation_that_lacks_a_file_is_told(installed: Path) -> None:
    (installed / "_halves" / CLOUDFLARE_FILE).unlink()
    with pytest.raises(NotConfiguredError, match=f"lacks {CLOUDFLARE_FILE}") as error:
        sources.read_if_shipped(CLOUDFLARE_FILE)
    assert "Install it again" in str(error.value.hint)


# The two files side by side


def test_all_of_both_files_is_there_in_order() -> None:
    blocks = side_by_side(*both())
    for text, parts in zip(
        both(), ([block.cloudflare for block in blocks], [block.aws for block in blocks]), strict=True
    ):
        assert [line for part in parts for line in part.lines] == text.splitlines()
        assert [part.line for part in parts] == [1 + sum(len(p.lines) for p in parts[:n]) for n in range(len(parts))]


def test_blocks_begin_at_twins() -> None:
    first, second, third = side_by_side("a\nb\nb2\nc", "x\ny\nz\nz2", (Twin("b\n", "y"), Twin("c", "z\n", "Title")))
    assert (first.title, first.cloudflare.lines, first.aws.lines) == ("Imports", ("a",), ("x",))
    assert second.title is None
    assert (second.cloudflare, second.aws) == (Part(CLOUDFLARE_FILE, 2, ("b", "b2")), Part(AWS_FILE, 2, ("y",)))
    assert (third.title, third.cloudflare.lines, third.aws.lines) == ("Title", ("c",), ("z", "z2"))


@pytest.mark.parametrize("twins", [(Twin("c", "y"), Twin("b", "z")), (Twin("a", "y"),), (Twin("b", "y"),) * 2])
def test_twins_that_do_not_follow_one_another_are_a_bug(twins: tuple[Twin, ...]) -> None:
    with pytest.raises(ValueError, match="not after line"):
        side_by_side("a\nb\nc", "x\ny\nz", twins)


@pytest.mark.parametrize("width", [100, 120, 160, 240])
def test_twins_stand_in_one_row(width: int) -> None:
    left, right = both()
    rows = plain(twins_view(side_by_side(left, right), width), width)
    numbers = {
        (int(found[1]), int(found[2])) for row in rows if (found := re.match(r" *(\d+)  .*│ +(\d+)(?:  |$)", row))
    }
    assert {(line_of(left, twin.cloudflare), line_of(right, twin.aws)) for twin in TWINS} <= numbers
    assert (1, 1) in numbers


@pytest.mark.parametrize("width", WIDTHS)
def test_no_line_of_code_is_lost(width: int) -> None:
    rows = plain(twins_view(side_by_side(*both()), width), width)
    shown = "".join(rows) if width < 100 else _columns(rows, (width - 3) // 2)
    squeezed = re.sub(r"[\s\d]|" + CONTINUED.strip(), "", shown)
    for line in (line for text in both() for line in text.splitlines()):
        assert re.sub(r"[\s\d]", "", line) in squeezed


def _columns(rows: list[str], column: int) -> str:
    return "".join(row[:column] for row in rows) + "".join(row[column + 3 :] for row in rows)


@pytest.mark.parametrize("width", WIDTHS)
def test_no_row_is_wider_than_asked(width: int) -> None:
    told = [quoted(difference, source) for difference in DIFFERENCES]
    for view in (differences_view(told, width), twins_view(side_by_side(*both()), width)):
        rows = plain(view, 400)
        assert max(map(len, rows)) <= width
        assert [row for row in rows if row != row.rstrip()] == []


def test_each_section_has_both_files_where_they_stand_below_each_other() -> None:
    rows = plain(twins_view(side_by_side(*both()), 80), 80)
    titles = [row for row in rows if row.endswith("─")]
    assert [title.split(" ─")[0] for title in titles] == ["Imports", *(twin.title for twin in TWINS if twin.title)]
    assert rows.count(f"Cloudflare · {CLOUDFLARE_FILE}") == rows.count(f"AWS · {AWS_FILE}") == len(titles)


# Highlighting and folding


def test_code_is_highlighted_by_what_it_is() -> None:
    for text, file in (("await x;", "a.ts"), ("a: 1", "a.yaml"), ("return 1", "a.py"), ('"a": 1,', "a.jsonc")):
        (line,) = highlighted(text, file)
        assert line.plain == text
        assert any(span.style for span in line.spans), file


def test_a_comment_over_several_lines_is_one() -> None:
    first, second, third = highlighted("/* a\nconst b\n*/ const c = 1;", "a.ts")
    assert {str(span.style) for span in second.spans} == {str(span.style) for span in first.spans}
    assert len(third.spans) > len(second.spans)


@pytest.mark.parametrize("line", ["", "    const a = f(b, c) + d;", "x" * 100, "  " + "长" * 40, "a " * 60])
@pytest.mark.parametrize("width", [10, 24, 60])
def test_a_folded_line_is_whole_and_says_that_it_goes_on(line: str, width: int) -> None:
    (text,) = highlighted(line, "a.txt") or highlighted(" ", "a.txt")
    first, *more = folded(text, width)
    assert all(piece.cell_len <= width for piece in (first, *more))
    assert all(piece.plain.lstrip().startswith(CONTINUED) for piece in more)
    assert first.plain + "".join(piece.plain.partition(CONTINUED)[2] for piece in more) == text.plain


def test_a_line_is_folded_at_a_blank_else_at_a_sign_else_anywhere() -> None:
    def pieces(line: str) -> list[str]:
        (text,) = highlighted(line, "a.txt")
        return [piece.plain for piece in folded(text, 12)]

    assert pieces("one two three four") == ["one two ", "↳ three four"]
    assert pieces("object.method(value)") == ["object.", "↳ method(", "↳ value)"]
    assert pieces("abcdefghijklmnop") == ["abcdefghijkl", "↳ mnop"]
