"""Writes SVG: shapes with classes, positions in pixels, and the details that are shown on hover and focus."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len

from reservation_cli.render.templating import clean

#: A column of the axis, which is also the most that a character of a label takes.
CELL = 8
_LINE = 16
_LETTER = 6.6
_STRONG_LETTER = 7.2
_PADDING = 9


@dataclass(frozen=True, slots=True)
class Tip:
    """Details of what lies in a box; `label` says the same in one sentence to those who don't see it.

    Without a `label` it is for the pointer only, and the same must be said elsewhere.
    """

    x: float
    y: float
    width: float
    height: float
    lines: Sequence[str]
    label: str = ""


class Canvas:
    """A group of an SVG that is `width` pixels wide."""

    def __init__(self, root: ET.Element, width: float) -> None:
        self.root = root
        self.width = width
        self.tips: list[Tip] = []

    def add(self, tag: str, classes: str, **attributes: float | str) -> ET.Element:
        """One element; `stroke_width=2` is the attribute stroke-width."""
        told = {name.replace("_", "-"): _number(value) for name, value in attributes.items()}
        return ET.SubElement(self.root, tag, {"class": classes, **told})

    def text(self, x: float, y: float, text: str, classes: str) -> None:
        """A line of text whose baseline is at `y`."""
        self.add("text", classes, x=x, y=y).text = clean(text)

    def runs(self, x: float, y: float, runs: Sequence[tuple[str, str]], classes: str) -> None:
        """A line of text in parts, each with its classes."""
        text = self.add("text", classes, x=x, y=y)
        for words, styled in runs:
            ET.SubElement(text, "tspan", {"class": styled}).text = clean(words)

    def line(self, x1: float, y1: float, x2: float, y2: float, classes: str) -> None:
        """A straight line."""
        self.add("line", classes, x1=x1, y1=y1, x2=x2, y2=y2)

    def box(self, x: float, y: float, width: float, height: float, classes: str, radius: float = 0) -> None:
        """A rectangle."""
        self.add("rect", classes, x=x, y=y, width=width, height=height, **({"rx": radius} if radius else {}))

    def path(self, points: Sequence[tuple[float, float]], classes: str, *, is_closed: bool = False) -> None:
        """A line through points."""
        told = " L".join(f"{_number(x)} {_number(y)}" for x, y in points)
        self.add("path", classes, d=f"M{told}{' Z' if is_closed else ''}")

    def finish(self) -> None:
        """Put the details on top of all that was drawn, each behind the box that shows it."""
        for tip in self.tips:
            told: dict[str, str] = {"tabindex": "0", "role": "img", "aria-label": clean(tip.label)} if tip.label else {}
            box = self.add("rect", "hit", x=tip.x, y=tip.y, width=tip.width, height=tip.height, rx=2)
            box.attrib.update(told)
            self._card(tip)

    def _card(self, tip: Tip) -> None:
        group = Canvas(self.add("g", "tip", aria_hidden="true"), self.width)
        first, *more = tip.lines
        widest = max([cell_len(first) * _STRONG_LETTER, *(cell_len(line) * _LETTER for line in more)])
        width = min(widest + 2 * _PADDING, self.width)
        x = min(max(0.0, tip.x + tip.width / 2 - width / 2), self.width - width)
        y = tip.y + tip.height + 5
        group.box(x, y, width, len(tip.lines) * _LINE + 10, "card", 5)
        for number, line in enumerate(tip.lines):
            group.text(x + _PADDING, y + 17 + number * _LINE, line, "dim" if number else "ink strong")


def document(width: float, name: str) -> ET.Element:
    """The outermost element of a picture that stands in a page."""
    return ET.Element("svg", {"class": "fig", "width": _number(width), "role": "group", "aria-label": clean(name)})


def _number(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.1f}".removesuffix(".0")
