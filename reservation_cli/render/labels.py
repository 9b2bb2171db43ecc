"""Where the names of steps and waits stand under the bars: each touches its own bar, none overlaps another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.text import Text

from reservation_cli.render.axis import Axis
from reservation_cli.render.pieces import Drawing, Label, LabelKind
from reservation_cli.render.words import DIM, FAILED, printable

_GAP = 2
_STYLES: dict[LabelKind, str] = {"step": "", "wait": DIM, "failed": FAILED}
# (rows for labels, wording) in order of preference; wording 0 is the fullest.
_PREFERENCES = ((1, 0), (1, 1), (1, 2), (2, 1), (2, 2), (2, 3), (3, 2), (3, 3))


@dataclass(frozen=True, slots=True)
class Placed:
    """A label and the column at which it begins."""

    text: str
    column: int
    kind: LabelKind


@dataclass(frozen=True, slots=True)
class _Spot:
    """A label and the columns of its bar."""

    text: str
    bar: range
    kind: LabelKind

    def preferred(self) -> int:
        width = cell_len(self.text)
        return self.bar.start + max(0, len(self.bar) - width) // 2 if self.kind == "wait" else self.bar.start

    def bounds(self, width: int) -> tuple[int, int]:
        """The first and the last column at which the label may begin."""
        size = cell_len(self.text)
        return max(0, self.bar.start - size + 1), min(self.bar.stop - 1, width - size)


def arranged(drawings: Sequence[Drawing], axis: Axis) -> list[list[Text]]:
    """The label lines of each lane, all lanes in the same wording."""
    return [[_line(row) for row in rows] for rows in placed(drawings, axis)]


def placed(drawings: Sequence[Drawing], axis: Axis) -> list[list[list[Placed]]]:
    """For each lane its lines, and for each line its labels from left to right."""
    for most_rows, wording in _PREFERENCES:
        lanes = [_rows(_spots(drawing, axis, wording), axis.width) for drawing in drawings]
        if all(rows is not None and len(rows) <= most_rows for rows in lanes):
            break
    return [[_placed(row, axis.width) for row in rows or []] for rows in lanes]


def _spots(drawing: Drawing, axis: Axis, wording: int) -> list[_Spot]:
    spots = [
        _Spot(_wording(label, wording), axis.columns(label.start, label.end), label.kind) for label in drawing.labels
    ]
    return sorted(spots, key=lambda spot: (spot.preferred(), spot.bar.stop))


def _wording(label: Label, wording: int) -> str:
    return printable(label.wordings[min(wording, len(label.wordings) - 1)])


def _rows(spots: list[_Spot], width: int) -> list[list[_Spot]] | None:
    """Each label in the first row that has room for it; None when one is wider than the axis."""
    rows: list[list[_Spot]] = []
    for spot in spots:
        for row in rows:
            if _starts([*row, spot], width) is not None:
                row.append(spot)
                break
        else:
            if _starts([spot], width) is None:
                return None
            rows.append([spot])
    return rows


def _starts(row: Sequence[_Spot], width: int) -> list[int] | None:
    """Where the labels of a row begin, as near to their preferred columns as they can; None if there is no room."""
    starts: list[int] = []
    free = 0
    for spot in row:
        first, last = spot.bounds(width)
        start = max(free, first)
        if start > last:
            return None
        starts.append(start)
        free = start + cell_len(spot.text) + _GAP
    limit = width
    for index in reversed(range(len(row))):
        size = cell_len(row[index].text)
        _, last = row[index].bounds(width)
        starts[index] = max(starts[index], min(row[index].preferred(), limit - size, last))
        limit = starts[index] - _GAP
    return starts


def _placed(row: Sequence[_Spot], width: int) -> list[Placed]:
    return [Placed(spot.text, start, spot.kind) for spot, start in zip(row, _starts(row, width) or [], strict=True)]


def _line(row: Sequence[Placed]) -> Text:
    line = Text(no_wrap=True)
    for label in row:
        line.append(" " * (label.column - line.cell_len))
        line.append(label.text, _STYLES[label.kind])
    return line
