"""What differs between the two programming models, for the terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from itertools import zip_longest

from rich.console import Group, RenderableType
from rich.text import Text

from reservation_cli.domain.differences import Quoted, QuotedSide
from reservation_cli.domain.reservation import PLATFORMS, Platform
from reservation_cli.render.code import folded, highlighted
from reservation_cli.render.words import DIM, LANE_STYLES, PLATFORM_NAMES

#: From here on the platforms stand side by side.
TWO_COLUMNS = 120
SEPARATOR = " │ "

_ENGINES: dict[Platform, str] = {
    "cloudflare": "Cloudflare Workflows",
    "aws": "AWS Lambda durable functions",
}
_FOOT = (
    "By the vendors' documentation of autumn 2026; limits and prices as dated. The code is this project's own.",
    "Both workflow files whole: resv differences --code",
)
_INDENT = 14
_NARROWEST = 40


def differences_view(differences: Sequence[Quoted], width: int) -> RenderableType:
    """Each topic: what holds on either platform, and the code that shows it. Side by side where there is room."""
    width = max(width, _NARROWEST)
    lines = _in_columns(differences, width) if width >= TWO_COLUMNS else _stacked(differences, width)
    foot = (part for sentence in _FOOT for part in textwrap.wrap(sentence, width))
    return Group(*lines, Text(), *(Text(part, DIM) for part in foot))


def platform_heading(platform: Platform, text: str) -> Text:
    """`text` in the platform's colour."""
    return Text(text, f"bold {LANE_STYLES[platform]}")


def rule(title: str, width: int, detail: str = "") -> Text:
    """A heading that a line across the screen follows."""
    line = Text.assemble((title, "bold"), (f" · {detail}" if detail else "", DIM), " ")
    return line.append("─" * max(width - line.cell_len, 0), DIM)


def beside(lefts: Sequence[Text], rights: Sequence[Text], column: int) -> Iterator[Text]:
    """Lines next to each other, the left ones filled up to `column` cells."""
    for left, right in zip_longest(lefts, rights, fillvalue=Text()):
        line = Text.assemble(left, " " * (column - left.cell_len), (SEPARATOR, DIM), right)
        line.rstrip()
        yield line


def _stacked(differences: Sequence[Quoted], width: int) -> Iterator[Text]:
    for number, difference in enumerate(differences):
        if number:
            yield Text()
        yield rule(difference.title, width, _detail(difference))
        for platform, side in _sides(difference):
            room = width - _INDENT
            first, *rest = (*_text(side, room), *_code(side, room))
            name = platform_heading(platform, PLATFORM_NAMES[platform].ljust(_INDENT - 2))
            yield Text.assemble("  ", name, first)
            yield from (Text.assemble(" " * _INDENT, line) for line in rest)


def _in_columns(differences: Sequence[Quoted], width: int) -> Iterator[Text]:
    column = (width - len(SEPARATOR)) // 2
    cloudflare, aws = (platform_heading(platform, _ENGINES[platform]) for platform in PLATFORMS)
    yield from beside([cloudflare], [aws], column)
    for difference in differences:
        yield rule(difference.title, width, _detail(difference))
        for part in (_text, _code):
            yield from beside(part(difference.cloudflare, column), part(difference.aws, column), column)


def _text(side: QuotedSide, width: int) -> list[Text]:
    return [Text(part) for part in textwrap.wrap(side.text, width, break_on_hyphens=False)]


def _code(side: QuotedSide, width: int) -> list[Text]:
    lines: list[Text] = []
    for quote in side.code:
        lines += folded(Text(f"{quote.file}:{quote.line}", DIM), width)
        (code,) = highlighted(quote.text, quote.file)
        lines += [Text.assemble("  ", piece) for piece in folded(code, width - 2)]
    for line in lines:
        line.rstrip()
    return lines


def _sides(difference: Quoted) -> list[tuple[Platform, QuotedSide]]:
    return [("cloudflare", difference.cloudflare), ("aws", difference.aws)]


def _detail(difference: Quoted) -> str:
    return f"as of {difference.as_of}" if difference.as_of else ""
