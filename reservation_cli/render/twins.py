"""The two workflow files next to each other, for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from reservation_cli.domain.reservation import Platform
from reservation_cli.domain.twins import Block, Part
from reservation_cli.render.code import folded, highlighted
from reservation_cli.render.differences import SEPARATOR, beside, platform_heading, rule
from reservation_cli.render.words import DIM, PLATFORM_NAMES

#: From here on the files stand side by side.
TWO_COLUMNS = 100

_NARROWEST = 40


def twins_view(blocks: Sequence[Block], width: int) -> RenderableType:
    """Both files whole, with line numbers: what corresponds in one row, or one below the other by sections."""
    width = max(width, _NARROWEST)
    lefts, rights = _Code([block.cloudflare for block in blocks]), _Code([block.aws for block in blocks])
    return Group(*(_in_columns if width >= TWO_COLUMNS else _stacked)(blocks, lefts, rights, width))


class _Code:
    """The lines of one file, highlighted as a whole: a comment or a string may run over several of them."""

    def __init__(self, parts: Sequence[Part]) -> None:
        lines = [line for part in parts for line in part.lines]
        self.file = parts[0].file
        self._lines = highlighted("\n".join(lines), self.file)
        self._digits = len(str(len(lines)))

    def rows(self, part: Part, width: int) -> list[list[Text]]:
        """Each line of the part with its number, and below it what of it did not fit into `width` cells."""
        rows = []
        for number, line in enumerate(self._lines[part.line - 1 : part.line - 1 + len(part.lines)], part.line):
            first, *more = folded(line, width - self._digits - 2)
            margin = " " * (self._digits + 2)
            row = [
                Text.assemble((f"{number:>{self._digits}}  ", DIM), first),
                *(Text.assemble(margin, piece) for piece in more),
            ]
            for text in row:
                text.rstrip()
            rows.append(row)
        return rows


def _in_columns(blocks: Sequence[Block], lefts: _Code, rights: _Code, width: int) -> Iterator[Text]:
    column = (width - len(SEPARATOR)) // 2
    yield from beside([_heading("cloudflare", lefts)], [_heading("aws", rights)], column)
    for block in blocks:
        if block.title:
            yield rule(block.title, width)
        left, right = lefts.rows(block.cloudflare, column), rights.rows(block.aws, column)
        for number in range(max(len(left), len(right))):
            yield from beside(_row(left, number), _row(right, number), column)


def _row(rows: Sequence[list[Text]], number: int) -> list[Text]:
    return rows[number] if number < len(rows) else []


def _stacked(blocks: Sequence[Block], lefts: _Code, rights: _Code, width: int) -> Iterator[Text]:
    for number, section in enumerate(_sections(blocks)):
        if number:
            yield Text()
        yield rule(section[0].title or "", width)
        yield _heading("cloudflare", lefts)
        for block in section:
            yield from (line for row in lefts.rows(block.cloudflare, width) for line in row)
        yield _heading("aws", rights)
        for block in section:
            yield from (line for row in rights.rows(block.aws, width) for line in row)


def _sections(blocks: Sequence[Block]) -> list[list[Block]]:
    sections: list[list[Block]] = []
    for block in blocks:
        if block.title or not sections:
            sections.append([])
        sections[-1].append(block)
    return sections


def _heading(platform: Platform, code: _Code) -> Text:
    return platform_heading(platform, f"{PLATFORM_NAMES[platform]} · {code.file}")
