"""The picture: the lanes of one reservation side by side on one axis, as lines of text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import groupby

from rich.cells import cell_len
from rich.text import Text

from reservation_cli.domain.reservation import format_duration
from reservation_cli.domain.timeline import Timeline, Zero
from reservation_cli.render.axis import Axis, fit
from reservation_cli.render.labels import arranged
from reservation_cli.render.pieces import Drawing, MarkKind, PieceKind, draw
from reservation_cli.render.words import (
    DIM,
    FAILED,
    LANE_STYLES,
    PLATFORM_NAMES,
    WARNING,
    asked,
    details,
    duration,
    is_absent,
    joined,
    lane_state,
    left,
    ms_between,
    printable,
    utc,
    wrapped,
)

NARROWEST, WIDEST = 54, 180
_LEAST_AXIS = 12
_GAP = 2

_CUT = "⌇"
_FAILED = "✗"
_SIGNS: dict[PieceKind | MarkKind, str] = {
    "body": "█",
    "engine": "░",
    "running": "▒",
    "failed": "▓",
    "wait": "─",
    "open": "┄",
    "late": "═",
    "gap": "·",
}
_MARKS: dict[PieceKind | MarkKind, str] = {"accepted": "▾", "due": "◇", "decided": "◆", "stopped": "■"}
MEANINGS: dict[PieceKind | MarkKind, str] = {
    "body": "step body",
    "running": "step running",
    "engine": "rest of the step",
    "failed": "failed attempt",
    "wait": "waiting",
    "open": "still waiting",
    "late": "past due",
    "gap": "overhead",
    "accepted": "accepted",
    "due": "due",
    "decided": "decided",
    "stopped": "stopped",
}

_ZERO: dict[Zero, str] = {
    "request": "when the request was sent",
    "start": "when the execution started",
    "hold": "when the hold was made",
}


def picture(lanes: Sequence[Timeline], width: int, now: datetime | None = None) -> list[Text]:
    """The lanes as lines of at most `width` cells (54 at least); with `now`, as they stand in a live view."""
    width = min(max(width, NARROWEST), WIDEST)
    drawings = [draw(lane, now) for lane in lanes]
    names = [(PLATFORM_NAMES[lane.platform], detail) for lane, detail in zip(lanes, details(lanes), strict=True)]
    endings = [("", "") if is_absent(lane) else (str(lane_state(lane)), standing(lane, now)) for lane in lanes]
    margin = _widest(names) + _GAP
    axis = fit(
        [interval for drawing in drawings for interval in drawing.intervals],
        max(_LEAST_AXIS, width - margin - _widest(endings) - _GAP),
    )
    labels = arranged(drawings, axis)
    lines = [*heading(lanes, width, zero_words(lanes)), Text(), *_axis_lines(axis, margin)]
    for lane, drawing, name, ending, label_lines in zip(lanes, drawings, names, endings, labels, strict=True):
        if lane is not lanes[0]:
            lines.append(Text())
        style = LANE_STYLES[lane.platform]
        bars = Text(f"not on {name[0]}", DIM) if is_absent(lane) else _bars(drawing, axis, style)
        lines.append(_row(margin, axis, Text(name[0], f"bold {style}"), bars, Text(ending[0], lane_state(lane).style)))
        first, *more = label_lines or [Text()]
        lines.append(_row(margin, axis, Text(name[1], DIM), first, Text(ending[1], DIM)))
        lines += [_row(margin, axis, Text(), line, Text()) for line in more]
        lines += _remarks(lane, margin, width)
    return [*lines, *_legend(drawings, axis, margin, width)]


def _widest(pairs: Sequence[tuple[str, str]]) -> int:
    return max((cell_len(part) for pair in pairs for part in pair), default=0)


def _row(margin: int, axis: Axis, name: Text, middle: Text, ending: Text) -> Text:
    row = Text(no_wrap=True)
    row.append_text(name)
    row.append(" " * (margin - name.cell_len))
    row.append_text(middle)
    row.append(" " * (axis.width - middle.cell_len + _GAP))
    row.append_text(ending)
    row.rstrip()
    return row


def heading(lanes: Sequence[Timeline], width: int, *more: str) -> Iterator[Text]:
    """What all lanes are about, in as many lines as it takes; `more` comes after it."""
    facts = asked(lanes)
    parts: list[tuple[str, str]] = []
    if facts:
        parts.append((f"seat {joined([printable(fact.seat) for fact in facts])}", "bold"))
        parts.append((joined([printable(fact.user) for fact in facts]), ""))
        parts.append((f"hold {joined([format_duration(fact.hold_seconds) for fact in facts])}", ""))
        parts.append((f"strategy {joined([fact.strategy for fact in facts])}", ""))
    parts += [(part, DIM) for part in more]
    line = Text(no_wrap=True)
    for part, style in parts:
        if line.cell_len and line.cell_len + 3 + cell_len(part) > width:
            yield line
            line = Text(no_wrap=True)
        if line.cell_len:
            line.append(" · ", DIM)
        line.append(part, style)
        line.truncate(width, overflow="ellipsis")
    yield line


def zero_words(lanes: Sequence[Timeline]) -> str:
    """What t = 0 is, and on which lane it is something else."""
    names: dict[Zero, list[str]] = {}
    for lane in lanes:
        if lane.zero is not None:
            names.setdefault(lane.zero[0], []).append(PLATFORM_NAMES[lane.platform])
    if not names:
        return "nothing has started"
    first, *others = (kind for kind in _ZERO if kind in names)
    told = f"t = 0 {_ZERO[first]}"
    more = "; ".join(f"{joined(names[kind])}: {_ZERO[kind]}" for kind in others)
    return f"{told} ({more})" if more else told


def _axis_lines(axis: Axis, margin: int) -> Iterator[Text]:
    labels, ruler = Text(" " * margin, no_wrap=True), Text(" " * margin, DIM, no_wrap=True)
    signs = ["─"] * axis.width
    for cut in axis.cuts:
        signs[cut] = _CUT
    ticks = sorted(axis.ticks(), key=lambda tick: (not tick.is_base, tick.column))
    placed: list[tuple[int, str]] = []
    for tick in ticks:
        first, end = tick.column, tick.column + cell_len(tick.label)
        signs[first] = "├" if first == 0 else "┼"
        if end <= axis.width and all(end + 1 < at or first > at + cell_len(label) for at, label in placed):
            placed.append((first, tick.label))
    for column, label in sorted(placed):
        labels.append(" " * (margin + column - labels.cell_len))
        labels.append(label)
    ruler.append("".join(signs))
    yield labels
    yield ruler


def _bars(drawing: Drawing, axis: Axis, style: str) -> Text:
    signs, styles = [" "] * axis.width, [""] * axis.width
    alone: set[int] = set()
    for piece in drawing.pieces:
        columns = axis.columns(piece.start, piece.end)
        for column in columns:
            signs[column] = _SIGNS[piece.kind]
            styles[column] = _piece_style(piece.kind, style)
        if piece.kind == "failed":
            signs[columns[-1]] = _FAILED
        if len(columns) == 1 and piece.kind in ("body", "failed", "running"):
            alone.add(columns[0])
    for cut in axis.cuts:
        if signs[cut] != " ":
            signs[cut], styles[cut] = _CUT, DIM
    for mark in drawing.marks:
        column = axis.column(mark.at)
        if column not in alone and (signs[column] != _FAILED):
            signs[column], styles[column] = _MARKS[mark.kind], "bold" if mark.kind == "decided" else ""
    text = Text(no_wrap=True)
    for (used, _), group in groupby(zip(styles, signs, strict=True), key=lambda cell: (cell[0], None)):
        text.append("".join(sign for _, sign in group), used)
    return text


def _piece_style(kind: PieceKind, lane_style: str) -> str:
    if kind in ("gap", "wait", "open"):
        return DIM
    if kind == "late":
        return WARNING
    return FAILED if kind == "failed" else lane_style


def standing(lane: Timeline, now: datetime | None = None) -> str:
    """Under the word at the end of a lane: when it ended, what the seat says, or how long the hold still lasts."""
    if lane.status in ("failed", "timed_out", "stopped", "paused"):
        return f"seat {lane.reservation.status}" if lane.reservation else ""
    if lane.is_over:
        return f"at {duration(ms_between(lane.origin, lane.ended))}" if lane.origin and lane.ended else ""
    hold = lane.hold
    if hold is None or hold.end is not None or hold.scheduled_end is None:
        return ""
    return left(ms_between(now or lane.as_of, hold.scheduled_end))


def _remarks(lane: Timeline, margin: int, width: int) -> Iterator[Text]:
    """Lines under a lane: its errors, who has the seat, and what the platform did not tell."""
    for text, style in remarks(lane):
        for line in wrapped(printable(text), width - margin, 3):
            yield Text(" " * margin + line, style, no_wrap=True)


def remarks(lane: Timeline) -> Iterator[tuple[str, str]]:
    """What stands under a lane, a sentence and its style each."""
    told: list[str] = []
    for span in lane.spans:
        failures = [
            (number, attempt.error or "no reason told")
            for number, attempt in enumerate(span.attempts, 1)
            if attempt.status in ("failed", "timed_out")
        ]
        for error, group in groupby(failures, key=lambda failure: failure[1]):
            numbers = [number for number, _ in group]
            attempts = f"attempts {numbers[0]}-{numbers[-1]}" if len(numbers) > 1 else f"attempt {numbers[0]}"
            yield f"{_FAILED} {span.name}, {attempts}: {error}", FAILED
            told.append(error)
        if span.status == "failed" and span.error and span.error not in told:
            yield f"{_FAILED} {span.name}: {span.error}", FAILED
            told.append(span.error)
        if span.start is None and span.body is None and not any(attempt.start for attempt in span.attempts):
            yield f"? {span.name}: the times are not told", WARNING
    if lane.error and lane.error not in told:
        yield f"{_FAILED} {lane.error}", FAILED
    if lane.reservation and lane.reservation.status == "rejected":
        until = lane.reservation.held_until
        free = f"until {utc(until)}" if until else "for good: it is confirmed"
        yield f"Seat {lane.reservation.seat} is taken {free}.", WARNING


def in_use(drawings: Sequence[Drawing]) -> list[PieceKind | MarkKind]:
    """The kinds of pieces and of marks that are to be seen, in the order of the legend."""
    used = {piece.kind for drawing in drawings for piece in drawing.pieces if piece.end > piece.start or piece.is_busy}
    marked = {mark.kind for drawing in drawings for mark in drawing.marks}
    return [*(kind for kind in _SIGNS if kind in used), *(kind for kind in _MARKS if kind in marked)]


def _legend(drawings: Sequence[Drawing], axis: Axis, margin: int, width: int) -> Iterator[Text]:
    """What the signs mean, those only that are in the picture."""
    signs = {**_SIGNS, **_MARKS, "failed": _FAILED}
    entries = [f"{signs[kind]} {MEANINGS[kind]}" for kind in in_use(drawings)]
    if axis.cuts:
        entries.append(f"{_CUT} idle time, cut out")
    if not entries:
        return
    line = ""
    yield Text()
    for entry in entries:
        if line and margin + cell_len(line) + 3 + cell_len(entry) > width:
            yield Text(" " * margin + line, DIM, no_wrap=True)
            line = ""
        line = f"{line}   {entry}" if line else entry
    yield Text(" " * margin + line, DIM, no_wrap=True)
