"""The lanes side by side on one axis, as SVG: the same drawing, axis and labels as the terminal's picture."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len

from reservation_cli.domain.timeline import Timeline
from reservation_cli.render.axis import Axis, fit
from reservation_cli.render.canvas import CELL, Canvas, Tip
from reservation_cli.render.labels import Placed, placed
from reservation_cli.render.picture import MEANINGS, in_use, remarks, standing
from reservation_cli.render.pieces import Drawing, Mark, MarkKind, Piece, PieceKind, draw
from reservation_cli.render.words import (
    FAILED,
    PLATFORM_NAMES,
    details,
    duration,
    is_absent,
    lane_state,
    printable,
    wrapped,
)

_AXIS_HEIGHT = 36
_HEAD, _BAND, _ROW, _GAP = 30, 24, 16, 24
_THINNEST = 3.0
_LEAST_HIT = 8.0
_LETTER = 6.9
_CUT_WORDS = "idle time, cut out"


def draw_lanes(canvas: Canvas, lanes: Sequence[Timeline], top: float) -> float:
    """Draw the lanes from `top` on; gives where they end."""
    drawings = [draw(lane) for lane in lanes]
    axis = fit([interval for drawing in drawings for interval in drawing.intervals], int(canvas.width) // CELL)
    grid = Canvas(canvas.add("g", "", aria_hidden="true"), canvas.width)
    shapes = Canvas(canvas.add("g", "", aria_hidden="true"), canvas.width)
    y = top + _AXIS_HEIGHT
    bands: list[tuple[float, range]] = []
    for lane, detail, drawing, labels in zip(lanes, details(lanes), drawings, placed(drawings, axis), strict=True):
        name = f"{PLATFORM_NAMES[lane.platform]} {detail}"
        y = _head(shapes, lane, detail, y)
        bands.append((y, _extent(drawing, axis)))
        if is_absent(lane):
            shapes.text(0, y + 16, f"not on {PLATFORM_NAMES[lane.platform]}", "dim")
        else:
            _band(shapes, drawing, axis, lane.platform, y)
            canvas.tips += _tips(drawing, axis, name, y)
        y = _labels(shapes, labels, y + _BAND + 4)
        y = _remarks(shapes, lane, y) + _GAP
    y -= _GAP
    _axis(grid, axis, top, y)
    _cuts(shapes, axis, top, bands)
    return _legend(shapes, drawings, axis, y + 14)


def _head(canvas: Canvas, lane: Timeline, detail: str, y: float) -> float:
    """The lane's name, and at the right how it ended; in two lines where one is too short."""
    name, state, more = PLATFORM_NAMES[lane.platform], str(lane_state(lane)), standing(lane)
    told = f"{name}  {detail}{'' if is_absent(lane) else f'  {state}  {more}'}"
    canvas.runs(0, y + 16, [(name, f"head {lane.platform}"), (f"  {detail}", "dim")], "")
    if cell_len(told) * _LETTER + _ROW > canvas.width:
        y += _ROW
    canvas.runs(canvas.width, y + 16, [(state, "ink strong"), (f"  {more}" if more else "", "dim")], "end")
    return y + _HEAD


def _band(canvas: Canvas, drawing: Drawing, axis: Axis, hue: str, y: float) -> None:
    for piece in drawing.pieces:
        start, end = axis.place(piece.start) * CELL, axis.place(piece.end) * CELL
        _piece(canvas, piece.kind, start, end, y, hue)
    for mark in drawing.marks:
        _mark(canvas, mark.kind, axis.place(mark.at) * CELL, y)


def _piece(canvas: Canvas, kind: PieceKind, start: float, end: float, y: float, hue: str) -> None:
    """Each kind has a shape of its own, so that none is told by its colour alone."""
    middle, width = y + _BAND / 2, max(_THINNEST, end - start)
    if kind in ("gap", "wait", "open"):
        canvas.line(start, middle, end, middle, f"{kind} plain")
    elif kind == "late":
        for line in (middle - 2.5, middle + 2.5):
            canvas.line(start, line, end, line, kind)
    elif kind == "engine":
        canvas.box(start, y + 5, width, _BAND - 10, f"{kind} {hue}")
    elif kind == "failed":
        canvas.box(start, y, width, _BAND, f"{kind} bad", 1)
        for up, down in ((y, y + _BAND), (y + _BAND, y)):
            canvas.path([(start, up), (start + width, down)], "failed bad")
    else:
        canvas.box(start, y, width, _BAND, f"{kind} {hue}", 1)


def _mark(canvas: Canvas, kind: MarkKind, x: float, y: float) -> None:
    middle = y + _BAND / 2
    if kind == "accepted":
        canvas.path([(x - 5, y - 3), (x + 5, y - 3), (x, y + 5)], "mark", is_closed=True)
    elif kind == "stopped":
        canvas.box(x - 5, middle - 5, 10, 10, "mark")
    else:
        points = [(x, middle - 7), (x + 6, middle), (x, middle + 7), (x - 6, middle)]
        canvas.path(points, "hollow" if kind == "due" else "mark", is_closed=True)


def _tips(drawing: Drawing, axis: Axis, lane: str, y: float) -> list[Tip]:
    """What each piece and each mark is; those that come later lie on top, as they are painted."""
    tips = []
    for piece in drawing.pieces:
        if piece.end > piece.start or piece.is_busy:
            start, end = axis.place(piece.start) * CELL, axis.place(piece.end) * CELL
            tips.append(_tip(start, end, y, lane, *_of_piece(piece)))
    for mark in drawing.marks:
        at = axis.place(mark.at) * CELL
        tips.append(_tip(at, at, y, lane, *_of_mark(mark)))
    return tips


def _tip(start: float, end: float, y: float, lane: str, *lines: str) -> Tip:
    width = max(end - start, _LEAST_HIT)
    return Tip((start + end - width) / 2, y - 2, width, _BAND + 4, lines, f"{lane}: {', '.join(lines)}")


def _of_piece(piece: Piece) -> list[str]:
    meaning = MEANINGS[piece.kind]
    took = f"{duration(piece.end - piece.start)}, from {duration(piece.start)} to {duration(piece.end)}"
    errors = wrapped(printable(piece.error), 44, 3) if piece.error else []
    return [f"{printable(piece.name)} · {meaning}" if piece.name else meaning, took, *errors]


def _of_mark(mark: Mark) -> list[str]:
    return [MEANINGS[mark.kind], f"at {duration(mark.at)}"]


def _labels(canvas: Canvas, lines: Sequence[Sequence[Placed]], y: float) -> float:
    styles = {"step": "ink", "wait": "dim", "failed": "bad"}
    for line in lines:
        y += _ROW
        for label in line:
            canvas.text(label.column * CELL, y, label.text, styles[label.kind])
    return y + 4


def _remarks(canvas: Canvas, lane: Timeline, y: float) -> float:
    for text, style in remarks(lane):
        for line in wrapped(printable(text), int(canvas.width / 7), 3):
            y += _ROW
            canvas.text(0, y, line, "bad" if style == FAILED else "warned")
    return y


def _axis(canvas: Canvas, axis: Axis, top: float, bottom: float) -> None:
    """Round times with lines through all lanes; those that a stretch begins with come first."""
    y = top + 22
    taken: list[tuple[float, float]] = []
    for tick in sorted(axis.ticks(), key=lambda tick: (not tick.is_base, tick.at)):
        x = axis.place(tick.at) * CELL
        end = x + cell_len(tick.label) * _LETTER
        canvas.line(x, y - 4, x, bottom, "grid")
        if end <= canvas.width and all(end + 8 < first or x > last + 8 for first, last in taken):
            taken.append((x, end))
            canvas.line(x, y - 4, x, y + 4, "rule")
            canvas.text(x, y - 9, tick.label, "ink strong" if tick.is_base else "dim")
    canvas.line(0, y, canvas.width, y, "rule")


def _cuts(canvas: Canvas, axis: Axis, top: float, bands: Sequence[tuple[float, range]]) -> None:
    """On the axis, and on the lanes that go on behind them."""
    for column in axis.cuts:
        _cut(canvas, column * CELL, top + 12, 20)
        for y, columns in bands:
            if column in columns:
                _cut(canvas, column * CELL, y - 1, _BAND + 2)


def _extent(drawing: Drawing, axis: Axis) -> range:
    """The columns of a lane from its first piece to its last."""
    if not drawing.pieces:
        return range(0)
    return axis.columns(min(piece.start for piece in drawing.pieces), max(piece.end for piece in drawing.pieces))


def _cut(canvas: Canvas, x: float, y: float, height: float) -> None:
    """Time that is cut out: the lane is interrupted between two slanted lines."""
    lean, middle, half = 2.5, y + height / 2, min(8.0, height / 2)
    canvas.box(x + 1, y, CELL - 2, height, "surface")
    for edge in (x + 1, x + CELL - 1):
        canvas.line(edge + lean, middle - half, edge - lean, middle + half, "rule")


def _legend(canvas: Canvas, drawings: Sequence[Drawing], axis: Axis, y: float) -> float:
    """What the shapes mean, those only that are in the picture."""
    entries: list[tuple[PieceKind | MarkKind | None, str]] = [(kind, MEANINGS[kind]) for kind in in_use(drawings)]
    if axis.cuts:
        entries.append((None, _CUT_WORDS))
    x = 0.0
    for kind, words in entries:
        width = 30 + cell_len(words) * _LETTER
        if x and x + width > canvas.width:
            x, y = 0.0, y + 30
        _sample(canvas, kind, x, y)
        canvas.text(x + 30, y + 16, words, "dim")
        x += width + 14
    return y + 26 if entries else y


def _sample(canvas: Canvas, kind: PieceKind | MarkKind | None, x: float, y: float) -> None:
    if kind is None:
        canvas.line(x, y + 12, x + 24, y + 12, "wait plain")
        _cut(canvas, x + 8, y + 4, 16)
    elif kind == "accepted" or kind == "due" or kind == "decided" or kind == "stopped":
        _mark(canvas, kind, x + 12, y + 10 if kind == "accepted" else y)
    else:
        _piece(canvas, kind, x + 1, x + 23, y, "plain")
