"""The histogram of a metric as SVG: all lanes over each other on the same bins, as shares of each lane."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from rich.cells import cell_len

from reservation_cli.domain.reservation import Platform
from reservation_cli.domain.statistics import quantile
from reservation_cli.render.bench import ms
from reservation_cli.render.canvas import Canvas, Tip
from reservation_cli.render.histogram import Row, binned_rows, edge_labels
from reservation_cli.render.words import PLATFORM_NAMES

_BINS = 24
_HEIGHT = 190
_LEFT = 44
_LETTER = 7.4
_ROW = 20


@dataclass(frozen=True, slots=True)
class Histogram:
    """The values of a metric by platform, in ms, on common bins."""

    title: str
    signed: bool
    lanes: tuple[tuple[Platform, tuple[float, ...]], ...]

    @property
    def rows(self) -> list[Row]:
        """The bins, none without values."""
        samples = [values for _, values in self.lanes]
        return binned_rows(samples, _BINS) if any(samples) else []

    @property
    def labels(self) -> list[str]:
        """What each bin holds, in words."""
        whole = all(float(value).is_integer() for _, values in self.lanes for value in values)
        return edge_labels(self.rows, "ms", self.signed, whole)

    def share(self, row: Row, place: int) -> float:
        """The part of the lane's values that the bin has."""
        return row.counts[place] / max(1, len(self.lanes[place][1]))


def draw_histogram(canvas: Canvas, histogram: Histogram, top: float) -> float:
    """Draw it from `top` on; gives where it ends."""
    if not histogram.rows:
        canvas.text(0, top + 16, f"{histogram.title}: nothing measured", "dim")
        return top + 24
    return _Plot(canvas, histogram, top).drawn()


class _Plot:
    """Holds the scales, which each part below needs."""

    def __init__(self, canvas: Canvas, histogram: Histogram, top: float) -> None:
        self.canvas = canvas
        self.shapes = Canvas(canvas.add("g", "", aria_hidden="true"), canvas.width)
        self.histogram = histogram
        self.rows = histogram.rows
        self.top = top + _ROW * len(histogram.lanes) + 18
        self.bottom = self.top + _HEIGHT
        self.bin = (canvas.width - _LEFT) / len(self.rows)
        most = max(histogram.share(row, place) for row in self.rows for place in range(len(histogram.lanes)))
        self.step = next(step for step in _steps() if most <= 4 * step)
        self.scale = _HEIGHT / (self.step * math.ceil(most / self.step - 1e-9))

    def drawn(self) -> float:
        self._grid()
        for place in range(len(self.histogram.lanes)):
            self._lane(place)
        for place in range(len(self.histogram.lanes)):
            self._legend(place)
        self._edges()
        self.canvas.tips += self._tips()
        return self.bottom + 44

    def x(self, value: float) -> float:
        """Where a value lies; of an open bin, or of one that was cut out, its middle."""
        for number, row in enumerate(self.rows):
            if row.low <= value < row.high:
                is_plain = math.isfinite(row.low) and math.isfinite(row.high) and not row.is_gap
                part = (value - row.low) / (row.high - row.low) if is_plain else 0.5
                return _LEFT + (number + part) * self.bin
        return self.canvas.width

    def y(self, share: float) -> float:
        return self.bottom - share * self.scale

    def _grid(self) -> None:
        level = 0.0
        while self.y(level) >= self.top - 0.5:
            y = self.y(level)
            self.shapes.line(_LEFT, y, self.canvas.width, y, "grid" if level else "rule")
            self.shapes.text(_LEFT - 8, y + 4, f"{level:.3%}".rstrip("%").rstrip("0").rstrip(".") + " %", "dim end")
            level += self.step

    def _lane(self, place: int) -> None:
        platform, values = self.histogram.lanes[place]
        if not values:
            return
        outline = [(float(_LEFT), self.bottom)]
        for number, row in enumerate(self.rows):
            share = self.histogram.share(row, place)
            # No count is too small to be seen.
            y = min(self.y(share), self.bottom - 2) if share else self.bottom
            outline += [(_LEFT + number * self.bin, y), (_LEFT + (number + 1) * self.bin, y)]
        outline.append((self.canvas.width, self.bottom))
        second = " second" if place else ""
        self.shapes.path(outline, f"area {platform}", is_closed=True)
        self.shapes.path(outline, f"outline {platform}{second}")

    def _legend(self, place: int) -> None:
        """The lane's line in the legend, and its median as a line from there down."""
        platform, values = self.histogram.lanes[place]
        y = self.top - 18 - _ROW * (len(self.histogram.lanes) - place - 1)
        second = " second" if place else ""
        self.shapes.line(0, y - 4, 24, y - 4, f"outline {platform}{second}")
        told = f"n = {len(values)}"
        if values:
            median = quantile(values, 0.5)
            told = f"median {ms(median, self.histogram.signed)} ms, {told}"
            x = self.x(median)
            self.shapes.line(x, self.top - 8, x, self.bottom, f"outline {platform}{second}")
            self.shapes.path([(x - 5, self.top - 13), (x + 5, self.top - 13), (x, self.top - 5)], platform)
        name = (PLATFORM_NAMES[platform], f"strong {platform}")
        self.shapes.runs(32, y, [name, (f"  {told}", "dim")], "")

    def _edges(self) -> None:
        """The edges of the bins, as many as there is room for; where bins were cut out, a break."""
        free = 0.0
        y = self.bottom + 18
        for number, row in enumerate(self.rows):
            x = _LEFT + number * self.bin
            if row.is_gap:
                self._gap(x)
                continue
            edge = row.low if math.isfinite(row.low) else row.high
            words = self._edge(edge) if math.isfinite(row.low) else f"< {self._edge(edge)}"
            if row.high == math.inf:
                words = f"≥ {words}"
            half = cell_len(words) * _LETTER / 2
            at = x if math.isfinite(row.low) and math.isfinite(row.high) else x + self.bin / 2
            is_last = at + half > self.canvas.width - _LETTER
            if is_last:
                at = self.canvas.width - half
            if at - half >= free:
                self.shapes.line(x, self.bottom, x, self.bottom + 5, "rule")
                hue = "ink" if edge == 0 else "dim"
                # What must not reach over the edge ends there, however wide its letters are.
                where = (self.canvas.width, f"end {hue}") if is_last else (at, f"middle {hue}")
                self.shapes.text(where[0], y, words, where[1])
                free = at + half + 14
        words = f"{self.histogram.title}, ms" + ("; 0 is on time" if self.histogram.signed else "")
        self.shapes.text((_LEFT + self.canvas.width) / 2, y + 18, words, "middle dim")

    def _edge(self, edge: float) -> str:
        step = min(row.high - row.low for row in self.rows)
        decimals = max(0, -math.floor(math.log10(step) + 1e-9))
        sign = "+" if self.histogram.signed and edge > 0 else ""
        return f"{sign}{edge:,.{decimals}f}".replace(",", "\N{NARROW NO-BREAK SPACE}").replace("-", "−")

    def _gap(self, x: float) -> None:
        middle = x + self.bin / 2
        self.shapes.box(middle - 4, self.bottom - 8, 8, 16, "surface")
        for edge in (middle - 4, middle + 4):
            self.shapes.line(edge + 2.5, self.bottom - 8, edge - 2.5, self.bottom + 8, "rule")

    def _tips(self) -> Iterator[Tip]:
        for number, (row, label) in enumerate(zip(self.rows, self.histogram.labels, strict=True)):
            if any(row.counts):
                lines = [label]
                for place, (platform, values) in enumerate(self.histogram.lanes):
                    share = self.histogram.share(row, place)
                    lines.append(f"{PLATFORM_NAMES[platform]} {row.counts[place]} of {len(values)} ({share:.1%})")
                yield Tip(_LEFT + number * self.bin, self.top, self.bin, _HEIGHT, lines)


def _steps() -> Iterator[float]:
    power = 0.0001
    while True:
        yield from (power, 2 * power, 5 * power)
        power *= 10
