"""Source code in the terminal: highlighted, and folded where it is too long."""

from __future__ import annotations

from rich.cells import cell_len
from rich.syntax import Syntax
from rich.text import Text

from reservation_cli.render.words import DIM

#: Begins what continues a line that was too long.
CONTINUED = "↳ "

_LEXERS = {"ts": "typescript", "py": "python", "yaml": "yaml", "json": "json", "jsonc": "json"}
#: The terminal's own colours, so that it reads on a dark and on a light ground.
_THEME = "ansi_dark"


def highlighted(source: str, file: str) -> list[Text]:
    """The lines of `source`, coloured by what the ending of `file` says it is."""
    lexer = _LEXERS.get(file.rpartition(".")[2], "text")
    text = Syntax(source, lexer, theme=_THEME).highlight(source)
    lines = list(text.split("\n", allow_blank=True))
    return lines[: len(source.splitlines())]


def folded(line: Text, width: int) -> list[Text]:
    """The line in pieces of `width` cells; all of it is kept."""
    plain = line.plain
    indent = " " * min(len(plain) - len(plain.lstrip()), width // 3)
    pieces: list[Text] = []
    prefix = Text()
    while prefix.cell_len + line.cell_len > width:
        cut = _cut(line.plain, width - prefix.cell_len)
        pieces.append(Text.assemble(prefix, line[:cut]))
        line = line[cut:]
        prefix = Text(indent + CONTINUED, DIM)
    return [*pieces, Text.assemble(prefix, line)]


def _cut(text: str, room: int) -> int:
    """How many characters go into `room` cells: up to a blank or a sign rather than within a word."""
    most, used = 0, 0
    for character in text:
        used += cell_len(character)
        if used > room:
            break
        most += 1
    for signs, earliest in ((" ", room // 2), ("(,./", room // 2), (" (,./", room // 4)):
        last = max(text.rfind(sign, earliest, most) for sign in signs)
        if last >= 0:
            return last + 1
    return max(most, 1)
