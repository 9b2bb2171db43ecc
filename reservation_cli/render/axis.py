"""The time axis that all lanes share: one scale, with idle time cut out.

The busy intervals of all lanes become stretches; what lies between two stretches is cut and takes one column.
All stretches have the same scale, so that lengths can be compared across cuts.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from reservation_cli.domain.intervals import merged as in_order
from reservation_cli.render.words import clock

# Milliseconds; the round numbers of clocks from a second upwards.
_SECOND, _MINUTE, _HOUR, _DAY = 1e3, 60e3, 3600e3, 86400e3
_ROUND = (
    *(unit * scale for scale in (0.01, 0.1, 1.0, 10.0, 100.0) for unit in (1, 2, 5)),
    *(_SECOND * count for count in (1, 2, 5, 10, 30)),
    *(_MINUTE * count for count in (1, 2, 5, 10, 30)),
    *(_HOUR * count for count in (1, 2, 6, 12)),
    *(_DAY * count for count in (1, 5, 10, 30)),
)
_FINEST_SCALE = 0.02

_CUT = 1
_LEAST_TICK_COLUMNS, _MOST_TICKS = 8, 10
# An idle stretch is cut when it would take more than this share of the axis.
_WORTH_A_CUT = 0.25
# So much may be spent on beginning the later stretches at a round time.
_ROUNDING = 0.4


@dataclass(frozen=True, slots=True)
class Tick:
    """A labelled time (`at`, ms since t = 0) on the axis, and its column."""

    column: int
    label: str
    is_base: bool
    at: float


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of the axis without a cut. `base` is the round time that its ticks count from."""

    column: int
    width: int
    start: float
    base: float


@dataclass(frozen=True, slots=True)
class Axis:
    """Where a time (ms since t = 0) lies on `width` columns; `scale` is in ms per column."""

    stretches: tuple[Stretch, ...]
    scale: float
    width: int

    @property
    def cuts(self) -> tuple[int, ...]:
        """The columns in which time was cut out."""
        return tuple(stretch.column - _CUT for stretch in self.stretches[1:])

    def column(self, at: float) -> int:
        """The column of a time; that of the cut when the time was cut out."""
        for stretch in self.stretches:
            offset = math.floor((at - stretch.start) / self.scale + 1e-6)
            if offset < 0:
                return max(0, stretch.column - _CUT)
            if offset < stretch.width:
                return stretch.column + offset
        return self.width - 1

    def place(self, at: float) -> float:
        """Where a time lies, in columns and parts of one; the middle of the cut when the time was cut out."""
        for stretch in self.stretches:
            offset = (at - stretch.start) / self.scale
            if offset < -1e-6:
                return max(0.0, stretch.column - _CUT / 2)
            if offset <= stretch.width:
                return stretch.column + offset
        return float(self.width)

    def columns(self, start: float, end: float) -> range:
        """The columns that something from `start` to `end` takes: at least one."""
        first = self.column(start)
        last = self.column(end - self.scale / 2) if end - start > self.scale / 2 else first
        return range(first, max(first, last) + 1)

    def ticks(self) -> Iterator[Tick]:
        """In each stretch a tick at a round time, and then ticks that count from it."""
        step = _round_up(self.scale * max(_LEAST_TICK_COLUMNS, self.width // _MOST_TICKS))
        for index, stretch in enumerate(self.stretches):
            end = stretch.start + stretch.width * self.scale
            yield Tick(self.column(stretch.base), _absolute(stretch.base), is_base=True, at=stretch.base)
            at = stretch.base + step
            while at < end:
                label = _relative(at) if index == 0 and stretch.base == 0 else f"+{_relative(at - stretch.base)}"
                yield Tick(self.column(at), label, is_base=False, at=at)
                at += step


def fit(intervals: Iterable[tuple[float, float]], width: int) -> Axis:
    """The axis of `width` columns on which all `intervals` are to scale and what lies between is cut if it is long."""
    merged = in_order(intervals) or [(0.0, 0.0)]
    while len(merged) > 1:
        scale = _scale(merged, width)
        gaps = [after[0] - before[1] for before, after in pairwise(merged)]
        smallest = min(range(len(gaps)), key=gaps.__getitem__)
        if gaps[smallest] > scale * width * _WORTH_A_CUT and _has_room(len(merged), width):
            break
        merged[smallest : smallest + 2] = [(merged[smallest][0], merged[smallest + 1][1])]
    reach = _scale(merged, width) * width * _ROUNDING / max(1, len(merged) - 1)
    gaps = [0.0, *(after[0] - before[1] for before, after in pairwise(merged))]
    bases = [_base(start, end, min(reach, 0.4 * gap)) for (start, end), gap in zip(merged, gaps, strict=True)]
    begun = [(min(start, base), end) for (start, end), base in zip(merged, bases, strict=True)]
    return _laid_out(begun, bases, width)


def _pad(stretches: int) -> int:
    """Columns of waiting that are left on either side of a cut."""
    return 2 if stretches <= 3 else 1


def _least(stretches: int) -> int:
    """Columns that the shortest stretch gets."""
    return 5 if stretches <= 3 else 3


def _room(stretches: int, width: int) -> int:
    return width - (stretches - 1) * (_CUT + 2 * _pad(stretches))


def _has_room(stretches: int, width: int) -> bool:
    return _room(stretches, width) >= _least(stretches) * stretches


def _scale(stretches: list[tuple[float, float]], width: int) -> float:
    """Milliseconds per column, so that all stretches fit and none has less than the least number of columns."""
    lengths = [end - start for start, end in stretches]
    room, least = _room(len(stretches), width), _least(len(stretches))
    scale = _FINEST_SCALE
    while True:
        wide = [length for length in lengths if length > scale * least]
        left = room - least * (len(lengths) - len(wide))
        needed = sum(wide) / left if wide and left > 0 else scale
        if needed <= scale * (1 + 1e-9):
            return scale
        scale = needed


def _laid_out(stretches: list[tuple[float, float]], bases: list[float], width: int) -> Axis:
    scale, pad = _scale(stretches, width), _pad(len(stretches))
    room, least = _room(len(stretches), width), _least(len(stretches))

    def columns() -> list[int]:
        return [max(least, math.ceil((end - start) / scale - 1e-6)) for start, end in stretches]

    widths = columns()
    while sum(widths) > room:
        scale *= 1.01
        widths = columns()
    laid: list[Stretch] = []
    column = 0
    last = len(stretches) - 1
    for index, ((start, _), base) in enumerate(zip(stretches, bases, strict=True)):
        before, after = (pad if index else 0), (pad if index < last else 0)
        wide = before + widths[index] + after if index < last else width - column
        laid.append(Stretch(column=column, width=wide, start=start - before * scale, base=base))
        column += wide + _CUT
    return Axis(tuple(laid), scale, width)


def _base(start: float, end: float, reach: float) -> float:
    """0 if it is in the stretch, else the roundest time at most `reach` before its start."""
    if start <= 0 <= end:
        return 0.0
    for size in reversed(_ROUND):
        candidate = math.floor(start / size + 1e-9) * size
        if candidate >= start - reach:
            return candidate
    return start


def _round_up(at_least: float) -> float:
    return next((size for size in _ROUND if size >= at_least), _ROUND[-1])


def _absolute(at: float) -> str:
    if at == 0:
        return "0"
    if abs(at) < _SECOND:
        return _relative(at)
    decimals = next(decimals for decimals in range(4) if decimals == 3 or round(at / _SECOND, decimals) * _SECOND == at)
    return clock(at, decimals if abs(at) < _MINUTE or not decimals else 3)


def _relative(ms: float) -> str:
    sign, size = ("−" if ms < 0 else ""), abs(ms)
    for unit, name in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min"), (_SECOND, "s")):
        if size >= unit:
            return f"{sign}{_plain(size / unit)} {name}"
    return f"{sign}{_plain(size)} ms"


def _plain(number: float) -> str:
    return f"{number:.3f}".rstrip("0").rstrip(".")
