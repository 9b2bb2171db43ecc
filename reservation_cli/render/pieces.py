"""What there is to draw in one lane: pieces and marks, in milliseconds since the lane's t = 0.

No columns and no signs yet; `axis` places the pieces and `picture` paints them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise
from typing import Literal

from reservation_cli.domain.comparison import FINALIZE
from reservation_cli.domain.timeline import Attempt, Span, Timeline
from reservation_cli.render.words import duration, ms_between

PieceKind = Literal["gap", "wait", "open", "late", "engine", "running", "body", "failed"]
LabelKind = Literal["step", "wait", "failed"]
MarkKind = Literal["accepted", "decided", "due", "stopped"]

# Latency is drawn to scale; what takes longer than this (a full queue, an engine that was down) is waiting.
LONGEST_LATENCY_MS = 10_000.0


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a lane in which one thing went on. `name` is that of its step or wait; a gap has none."""

    kind: PieceKind
    start: float
    end: float
    name: str = ""
    error: str | None = None

    @property
    def is_busy(self) -> bool:
        """Something went on that is drawn to scale; waiting may be cut out."""
        if self.kind in ("wait", "open"):
            return False
        return self.kind not in ("gap", "late") or self.end - self.start <= LONGEST_LATENCY_MS


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment in a lane."""

    kind: MarkKind
    at: float


@dataclass(frozen=True, slots=True)
class Label:
    """What a piece is called, from the fullest to the shortest wording, and where that piece lies."""

    start: float
    end: float
    wordings: tuple[str, ...]
    kind: LabelKind


@dataclass(frozen=True, slots=True)
class Drawing:
    """One lane, ready to be placed. Pieces come in the order in which they are painted: bodies last.

    `expected` is the room to keep after a moment that is due: as long as the lane took to get to its wait.
    """

    pieces: tuple[Piece, ...] = ()
    marks: tuple[Mark, ...] = ()
    labels: tuple[Label, ...] = ()
    expected: float = 0.0

    @property
    def intervals(self) -> list[tuple[float, float]]:
        """What must not be cut out: busy pieces, and the moments at which the others begin and end."""
        intervals = [(mark.at, mark.at + (self.expected if mark.kind == "due" else 0)) for mark in self.marks]
        for piece in self.pieces:
            intervals += [(piece.start, piece.end)] if piece.is_busy else [(at, at) for at in (piece.start, piece.end)]
        return intervals


def draw(lane: Timeline, now: datetime | None = None) -> Drawing:
    """The drawing of a lane as it stood at `now`, or at the lane's own `as_of`."""
    origin = lane.origin
    if origin is None:
        return Drawing()
    # Where the engine's own end is not told, the last step body's is the latest that is known.
    known_end = lane.ended or max((span.ended for span in lane.spans if span.ended), default=None)
    lane_end = known_end if lane.is_over else (now or lane.as_of)
    return _Draughtsman(lane, origin, lane_end).drawing()


class _Draughtsman:
    """Holds the lane's t = 0 and end, which each rule below needs."""

    def __init__(self, lane: Timeline, origin: datetime, lane_end: datetime | None) -> None:
        self.lane = lane
        self.origin = origin
        self.end = self.at(lane_end) if lane_end else None

    def at(self, moment: datetime) -> float:
        return ms_between(self.origin, moment)

    def drawing(self) -> Drawing:
        waits: list[Piece] = []
        steps: list[Piece] = []
        labels: list[Label] = []
        for span in self.lane.spans:
            if span.kind == "invocation":
                continue
            pieces = self.step(span) if span.kind == "step" else self.wait(span)
            if not pieces:
                continue
            pieces = [replace(piece, name=span.name) for piece in pieces]
            (steps if span.kind == "step" else waits).extend(pieces)
            labels.append(self.label(span, pieces))
        painted = waits + steps
        return Drawing(
            pieces=(*self.gaps(painted), *sorted(painted, key=_layer)),
            marks=self.marks(),
            labels=tuple(labels),
            expected=min(max((piece.start for piece in waits), default=0.0), LONGEST_LATENCY_MS),
        )

    def wait(self, span: Span) -> list[Piece]:
        if span.start is None:
            return []
        start = self.at(span.start)
        is_open = span.end is None and not self.lane.is_over
        end = self.at(span.end) if span.end else self.end
        if end is None or end < start:
            return [Piece("wait", start, start)]
        kind: PieceKind = "open" if is_open else "wait"
        due = max(start, self.at(span.scheduled_end)) if span.scheduled_end else None
        if due is None or end <= due:
            return [Piece(kind, start, end)]
        return [Piece(kind, start, due), Piece("late", due, end)]

    def step(self, span: Span) -> list[Piece]:
        runs = [piece for attempt in span.attempts if (piece := self.attempt(attempt))]
        if span.body:
            body = Piece("body", self.at(span.body[0]), self.at(span.body[1]))
            runs = [run for run in runs if run.kind == "failed"] + [body]
        edges = [self.at(edge) for edge in (span.start, span.end) if edge]
        if not runs:
            if not edges:
                return []
            if span.end is None and span.status == "running":
                return [Piece("running", edges[0], self.end if self.end is not None else edges[0])]
            return [Piece("failed" if span.status == "failed" else "body", edges[0], edges[-1])]
        runs.sort(key=lambda run: run.start)
        first, last = min(edges[0], runs[0].start) if edges else runs[0].start, runs[-1].end
        if span.end is not None:
            last = max(last, edges[-1])
        backoffs = [Piece("wait", run.end, after.start) for run, after in pairwise(runs) if after.start > run.end]
        if span.status == "running" and runs[-1].kind == "failed" and self.end is not None:
            backoffs.append(Piece("open", runs[-1].end, max(runs[-1].end, self.end)))
        around = [Piece("engine", first, runs[0].start), Piece("engine", runs[-1].end, last)]
        return [*backoffs, *(piece for piece in around if piece.end > piece.start), *runs]

    def attempt(self, attempt: Attempt) -> Piece | None:
        if attempt.start is None:
            return None
        start = self.at(attempt.start)
        if attempt.status == "running":
            return Piece("running", start, max(start, self.end) if self.end is not None else start)
        end = max(start, self.at(attempt.end)) if attempt.end else start
        kind: PieceKind = "failed" if attempt.status in ("failed", "timed_out") else "body"
        return Piece(kind, start, end, error=attempt.error)

    def gaps(self, pieces: list[Piece]) -> list[Piece]:
        """Where the execution was under way and nothing is known to have gone on: the engine's own time."""
        start = 0.0 if self.lane.started is None else min(0.0, self.at(self.lane.started))
        gaps: list[Piece] = []
        reached = start
        for piece in sorted(pieces, key=lambda piece: piece.start):
            if piece.start > reached:
                gaps.append(Piece("gap", reached, piece.start))
            reached = max(reached, piece.end)
        if self.end is not None and self.end > reached:
            gaps.append(Piece("gap", reached, self.end))
        return gaps

    def marks(self) -> tuple[Mark, ...]:
        lane, marks = self.lane, []
        if lane.accept_ms is not None and lane.origin == lane.requested_at:
            marks.append(Mark("accepted", lane.accept_ms))
        decided = lane.reservation.ended_at if lane.reservation else None
        final = lane.span(FINALIZE)
        came_from_outside = lane.reservation is not None and lane.reservation.status in ("confirmed", "cancelled")
        if decided and came_from_outside and not (final and final.began and final.began <= decided):
            marks.append(Mark("decided", self.at(decided)))
        hold = lane.hold
        if hold and hold.end is None and hold.scheduled_end and not lane.is_over and lane.status != "paused":
            marks.append(Mark("due", self.at(hold.scheduled_end)))
        if lane.status == "stopped" and self.end is not None:
            marks.append(Mark("stopped", self.end))
        return tuple(marks)

    def label(self, span: Span, pieces: list[Piece]) -> Label:
        name, short = span.name, span.name.split("-")[0]
        if span.kind != "step":
            start, end = pieces[0].start, pieces[-1].end
            full = name if span.end is None else f"{name} {duration(end - start)}"
            return Label(start, end, (full, name, name, short), "wait")
        runs = [piece for piece in pieces if piece.kind in ("body", "failed", "running")]
        last, count = runs[-1], len(runs)
        if last.kind == "failed":
            full = f"{name} ✗ {count} attempts" if count > 1 else f"{name} ✗"
        else:
            told = duration(last.end - last.start) if last.kind == "body" else "running"
            full = f"{name} {told}, attempt {count}" if count > 1 else f"{name} {told}"
        kind: LabelKind = "failed" if last.kind == "failed" else "step"
        return Label(last.start, last.end, (full, full, name, short), kind)


def _layer(piece: Piece) -> int:
    order: tuple[PieceKind, ...] = ("gap", "wait", "open", "late", "engine", "running", "body", "failed")
    return order.index(piece.kind)
