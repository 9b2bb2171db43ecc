"""The histogram of a metric for the terminal: one row a bin, all lanes on the same bins.

Two lanes share each row: the first has its upper half, the second its lower half, so that the row is full where both
are, with colour or without. One lane has the whole row; of three and more each has a column of its own.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

from rich.cells import cell_len
from rich.text import Text

from reservation_cli.domain.statistics import histogram, quantile
from reservation_cli.render.words import DIM, printable

NARROWEST, WIDEST = 54, 120
_ROWS = 16
# Where gaps can be cut out, finer bins may fit: lanes that lie far apart are drawn, not squeezed into a bin each.
_FINER = (1600, 800, 400, 200, 100, 50, 25)
_SHORTEST_GAP = 4
_SPACE = 2
# From here on edges read better in seconds.
_LONG_MS = 10_000

_EIGHTHS = " ▏▎▍▌▋▊▉█"
#: By how many halves of a cell are filled: in its upper row, then in its lower one.
_HALVES = (" ▖▄", "▘▌▙", "▀▛█")
_UPPER, _LOWER, _BOTH = "▀", "▄", "█"
_MEDIAN, _CUT = "◂", "⌇"


@dataclass(frozen=True, slots=True)
class Row:
    """A bin and what each lane has in it; a gap stands for several bins in which no lane has anything."""

    low: float
    high: float
    counts: tuple[int, ...]
    is_gap: bool = False


@dataclass(frozen=True, slots=True)
class _Lane:
    """A lane, with the text of its count for each row, and the length of its bar there as a share of the longest."""

    name: str
    style: str
    n: int
    counts: tuple[str, ...]
    lengths: tuple[float, ...]

    @property
    def counts_width(self) -> int:
        return max(map(cell_len, self.counts))


def histogram_view(
    lanes: Sequence[tuple[str, str, Sequence[float]]], width: int, title: str, unit: str = "ms", signed: bool = True
) -> list[Text]:
    """Lines of at most `width` cells (54 at least). A lane is its name, its style, and its values in `unit`.

    The bars have one scale: equal lengths are equal shares of the lanes, so equal counts where n is the same; and no
    count is too small to be seen. With `signed` the edges above zero have a sign too.
    """
    width = min(max(width, NARROWEST), WIDEST)
    heading = Text(printable(title), "bold", no_wrap=True)
    heading.truncate(width, overflow="ellipsis")
    samples = [values for _, _, values in lanes]
    if not any(samples):
        return [heading, Text("nothing measured", DIM, no_wrap=True)]
    rows = binned_rows(samples)
    labels = edge_labels(rows, unit, signed, whole=all(float(value).is_integer() for lane in samples for value in lane))
    label_width = max(map(cell_len, labels))
    drawn = _drawn(lanes, rows)
    draw = _overlaid if len(drawn) == 2 else _beside
    bars = draw(drawn, rows, width - label_width - _SPACE)
    body = [_line(label.rjust(label_width), bar) for label, bar in zip(["", *labels], bars, strict=True)]
    return [heading, *body, Text(), *_legend(drawn, rows, width)]


def _line(label: str, bar: Text) -> Text:
    line = Text.assemble(label, " " * _SPACE, bar, no_wrap=True)
    line.rstrip()
    return line


def binned_rows(samples: Sequence[Sequence[float]], most: int = _ROWS) -> list[Row]:
    """Plain bins; or finer ones with the gaps cut out, where `most` rows hold them and more of them are in use."""
    plain = _binned(samples, most)
    for bins in _FINER:
        finer = _without_gaps(_binned(samples, bins))
        gaps = sum(row.is_gap for row in finer)
        if len(finer) <= most and gaps <= max(1, len(samples) - 1) and _in_use(finer) > _in_use(plain):
            return finer
    return plain


def _binned(samples: Sequence[Sequence[float]], bins: int) -> list[Row]:
    edges, counts = histogram(samples, bins)
    return [
        Row(low, high, in_bin) for (low, high), in_bin in zip(pairwise(edges), zip(*counts, strict=True), strict=True)
    ]


def _without_gaps(rows: Sequence[Row]) -> list[Row]:
    kept: list[Row] = []
    for is_used, group in groupby(rows, key=lambda row: any(row.counts)):
        run = list(group)
        if is_used or len(run) < _SHORTEST_GAP:
            kept += run
        else:
            kept.append(Row(run[0].low, run[-1].high, run[0].counts, is_gap=True))
    return kept


def _in_use(rows: Sequence[Row]) -> int:
    return sum(any(row.counts) for row in rows)


def edge_labels(rows: Sequence[Row], unit: str, signed: bool, whole: bool) -> list[str]:
    """What each row holds: '+2 .. +4 ms', '≥ +40 ms', '⌇' for a gap; `whole` values are told one by one."""
    edges = {edge for row in rows for edge in (row.low, row.high) if math.isfinite(edge)}
    step = min(row.high - row.low for row in rows)
    # Of whole values, a bin of one unit holds one value.
    single = whole and step == 1
    scale = 1
    if unit == "ms" and max(map(abs, edges)) >= _LONG_MS:
        unit, scale = "s", 1000
    decimals = max(0, -math.floor(math.log10(step / scale) + 1e-9))
    numbers = {edge: _number(edge / scale, decimals, signed) for edge in edges}
    longest = max(map(len, numbers.values()))
    labels = []
    for row in rows:
        low, high = (numbers.get(edge, "").rjust(longest) for edge in (row.low, row.high))
        if row.is_gap:
            labels.append(_CUT)
        elif row.low == -math.inf:
            labels.append(f"< {high.strip()} {unit}")
        elif row.high == math.inf:
            labels.append(f"≥ {low.strip()} {unit}")
        else:
            labels.append(f"{low} {unit}" if single else f"{low} .. {high} {unit}")
    return labels


def _number(value: float, decimals: int, signed: bool) -> str:
    sign = "−" if value < 0 else "+" if signed and value > 0 else ""
    return f"{sign}{abs(value):,.{decimals}f}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def _drawn(lanes: Sequence[tuple[str, str, Sequence[float]]], rows: Sequence[Row]) -> list[_Lane]:
    most = max(row.counts[place] / len(lane[2]) for place, lane in enumerate(lanes) if lane[2] for row in rows)
    drawn = []
    for place, (name, style, values) in enumerate(lanes):
        median = quantile(values, 0.5) if values else math.nan
        counts = tuple(f"{row.counts[place]}{_MEDIAN if row.low <= median < row.high else ' '}" for row in rows)
        lengths = tuple(row.counts[place] / max(len(values), 1) / most for row in rows)
        drawn.append(_Lane(printable(name), style, len(values), counts, lengths))
    return drawn


def _overlaid(lanes: Sequence[_Lane], rows: Sequence[Row], width: int) -> Iterator[Text]:
    """Both lanes in each row, and their counts at its end."""
    first, second = lanes
    room = width - sum(_SPACE + lane.counts_width for lane in lanes)
    head = Text(" " * room)
    for lane, sign in zip(lanes, (_UPPER, _LOWER), strict=True):
        head.append(f"{sign} ".rjust(_SPACE + lane.counts_width), lane.style)
    yield head
    for number, row in enumerate(rows):
        if row.is_gap:
            yield _gap(width)
            continue
        upper, lower = (_length(lane.lengths[number], 2 * room) for lane in lanes)
        line = Text()
        for cell in range(0, 2 * room, 2):
            above, below = (min(max(halves - cell, 0), 2) for halves in (upper, lower))
            line.append(_HALVES[above][below], "" if above and below else first.style if above else second.style)
        for lane in lanes:
            line.append(" " * _SPACE).append_text(_count(lane, number, lane.counts_width))
        yield line


def _beside(lanes: Sequence[_Lane], rows: Sequence[Row], width: int) -> Iterator[Text]:
    """A column for each lane: its bars, and their counts."""
    column = (width - _SPACE * (len(lanes) - 1)) // len(lanes)
    counts_width = max(lane.counts_width for lane in lanes)
    room = column - 1 - counts_width
    heads = [Text(f"{number} {lane.name}", lane.style) for number, lane in enumerate(lanes, 1)]
    yield _joined(heads, column) if len(lanes) > 1 else Text()
    for number, row in enumerate(rows):
        if row.is_gap:
            yield _gap(width)
            continue
        cells = []
        for lane in lanes:
            whole, rest = divmod(_length(lane.lengths[number], 8 * room), 8)
            bar = (_EIGHTHS[8] * whole + _EIGHTHS[rest]).ljust(room + 1)
            cells.append(Text.assemble((bar[: room + 1], lane.style), _count(lane, number, counts_width)))
        yield _joined(cells, column)


def _joined(cells: Sequence[Text], column: int) -> Text:
    line = Text()
    for place, cell in enumerate(cells):
        cell.truncate(column, overflow="ellipsis", pad=True)
        line.append(" " * _SPACE if place else "").append_text(cell)
    return line


def _count(lane: _Lane, number: int, width: int) -> Text:
    return Text(lane.counts[number].rjust(width), lane.style if lane.lengths[number] else DIM)


def _gap(width: int) -> Text:
    return Text("· " * (width // 2), DIM)


def _length(share: float, longest: int) -> int:
    """A bar's length in parts of a cell: never none where there is something."""
    return max(round(share * longest), 1) if share else 0


def _legend(lanes: Sequence[_Lane], rows: Sequence[Row], width: int) -> Iterator[Text]:
    signs = [_UPPER, _LOWER] if len(lanes) == 2 else [_EIGHTHS[8]] if len(lanes) == 1 else range(1, len(lanes) + 1)
    entries = [Text(f"{sign} {lane.name}, n = {lane.n}", lane.style) for sign, lane in zip(signs, lanes, strict=True)]
    if len(lanes) == 2:
        entries.append(Text(f"{_BOTH} both"))
    entries.append(Text(f"{_MEDIAN} median", DIM))
    if any(row.is_gap for row in rows):
        entries.append(Text(f"{_CUT} nothing, cut out", DIM))
    if len({lane.n for lane in lanes if lane.n}) > 1:
        entries.append(Text("bars: shares of a lane", DIM))
    line = Text(no_wrap=True)
    for entry in entries:
        entry.truncate(width, overflow="ellipsis")
        if line and line.cell_len + 3 + entry.cell_len > width:
            yield line
            line = Text(no_wrap=True)
        line.append("   " if line else "").append_text(entry)
    yield line
