"""Lines of this project's own code, found by what stands in them, so that a number never goes stale."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Anchor:
    """A line of a file: the one in which `text` stands, which it does nowhere else in it.

    `file` is a path from the top of a checkout, with slashes.
    """

    file: str
    text: str


@dataclass(frozen=True, slots=True)
class Quote:
    """A line as it stands in its file. `line` counts from 1; `text` is without indentation."""

    file: str
    line: int
    text: str


def line_of(source: str, text: str) -> int:
    """The number, from 1, of the one line of `source` in which `text` stands. Raises ValueError unless it is one."""
    if source.count(text) != 1:
        raise ValueError(f"{text!r} stands in it {source.count(text)} times, not once.")
    return source[: source.index(text)].count("\n") + 1


def quote(source: str, anchor: Anchor) -> Quote:
    """The anchor's line in `source`, the text of its file. Raises ValueError as `line_of` does."""
    number = line_of(source, anchor.text)
    return Quote(anchor.file, number, source.splitlines()[number - 1].strip())
