"""Words, signs, numbers and colours that all views share.

A state always has a sign or a word; colour only repeats it.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from rich.cells import cell_len

from reservation_cli.domain.reservation import (
    Platform,
    Reservation,
    ReservationRequest,
    ReservationStatus,
    format_duration,
)
from reservation_cli.domain.timeline import ExecutionStatus, SpanStatus, Timeline

PLATFORM_NAMES: dict[Platform, str] = {"cloudflare": "Cloudflare", "aws": "AWS"}
LANE_STYLES: dict[Platform, str] = {"cloudflare": "dark_orange", "aws": "deep_sky_blue1"}

UNKNOWN = "—"
DIM = "dim"
FAILED = "red"
WARNING = "yellow"
CONFIRMED = "green"


@dataclass(frozen=True, slots=True)
class State:
    """How something stands: a sign, a word, and a style that adds nothing to the two."""

    sign: str
    word: str
    style: str

    def __str__(self) -> str:
        return f"{self.sign} {self.word}"


_RESERVATION: dict[ReservationStatus, State] = {
    "held": State("●", "held", ""),
    "confirmed": State("✓", "confirmed", CONFIRMED),
    "expired": State("○", "expired", ""),
    "cancelled": State("⊘", "cancelled", WARNING),
    "rejected": State("✗", "rejected", WARNING),
}
_EXECUTION: dict[ExecutionStatus, State] = {
    "queued": State("…", "queued", ""),
    "running": State("●", "running", ""),
    "waiting": State("●", "waiting", ""),
    "paused": State("‖", "paused", WARNING),
    "succeeded": State("✓", "succeeded", ""),
    "failed": State("✗", "failed", FAILED),
    "timed_out": State("✗", "timed out", FAILED),
    "stopped": State("■", "stopped", WARNING),
    "unknown": State("?", "unknown", WARNING),
}
_SPAN: dict[SpanStatus, State] = {
    "running": State("●", "running", ""),
    "succeeded": State("✓", "succeeded", ""),
    "failed": State("✗", "failed", FAILED),
    "timed_out": State("○", "timed out", ""),
    "cancelled": State("⊘", "cancelled", WARNING),
    "unknown": State("?", "unknown", WARNING),
}
_ABSENT = State(UNKNOWN, "absent", DIM)
_SPEAKS_FOR_ITSELF: frozenset[ExecutionStatus] = frozenset({"failed", "timed_out", "stopped", "paused"})


def reservation_state(status: ReservationStatus) -> State:
    """How a reservation stands."""
    return _RESERVATION[status]


def execution_state(status: ExecutionStatus) -> State:
    """How an execution stands, whatever became of the reservation."""
    return _EXECUTION[status]


def span_state(status: SpanStatus) -> State:
    """How a step, a wait or an attempt stands."""
    return _SPAN[status]


def is_absent(lane: Timeline) -> bool:
    """A lane of which the platform knows nothing: it stands in a view so that its absence is seen."""
    return lane.status == "unknown" and not lane.spans and lane.started is None and lane.reservation is None


def lane_state(lane: Timeline) -> State:
    """The word at the end of a lane: an execution that broke off, else the reservation, else the execution."""
    if is_absent(lane):
        return _ABSENT
    if lane.status in _SPEAKS_FOR_ITSELF:
        return _EXECUTION[lane.status]
    if lane.outcome is not None:
        return _RESERVATION[lane.outcome]
    if lane.reservation is not None:
        return _RESERVATION[lane.reservation.status]
    return _EXECUTION[lane.status]


def lane_name(lane: Timeline) -> str:
    """The lane with its whole target: 'Cloudflare · local', 'AWS · us-east-2 · reservation-workflow-dev:live'."""
    return printable(lane.label) or f"{PLATFORM_NAMES[lane.platform]} · {lane.target}"


def details(lanes: Sequence[Timeline]) -> list[str]:
    """What stands beside the platform's name: the target, and what else it takes to tell the lanes apart."""
    for candidate in _details(lanes):
        if len({(lane.platform, detail) for lane, detail in zip(lanes, candidate, strict=True)}) == len(lanes):
            return candidate
    return [f"{lane.target} · {number}" for number, lane in enumerate(lanes, 1)]


def _details(lanes: Sequence[Timeline]) -> Iterator[list[str]]:
    facts = [lane.request or lane.reservation for lane in lanes]
    yield [lane.target for lane in lanes]
    for distinctions in (
        [fact.strategy if fact else UNKNOWN for fact in facts],
        [format_duration(fact.hold_seconds) if fact else UNKNOWN for fact in facts],
        [printable(lane.reservation_id) for lane in lanes],
    ):
        yield [f"{lane.target} · {more}" for lane, more in zip(lanes, distinctions, strict=True)]


def second_name(lanes: Sequence[Timeline]) -> str:
    """The shortest name for the second of two lanes."""
    first, second = lanes
    if first.platform != second.platform:
        return PLATFORM_NAMES[second.platform]
    return details(lanes)[1].split(" · ")[-1]


def asked(lanes: Sequence[Timeline]) -> list[ReservationRequest | Reservation]:
    """What each lane was asked for, by its request or else by the seat's record, where either is known."""
    return [fact for lane in lanes if (fact := lane.request or lane.reservation) is not None]


def joined(names: Sequence[str]) -> str:
    """'a', 'a and b', 'a, b and c', each name once."""
    unique = list(dict.fromkeys(names))
    return " and ".join([", ".join(unique[:-1]), unique[-1]] if len(unique) > 1 else unique)


def printable(text: str) -> str:
    """One line that is safe to write to a terminal: no control, format or surrogate characters."""
    shown = []
    for character in " ".join(text.split()):
        category = unicodedata.category(character)
        if category == "Cf":
            continue
        shown.append("\N{REPLACEMENT CHARACTER}" if category in ("Cc", "Cs", "Zl", "Zp") else character)
    return "".join(shown)


def wrapped(text: str, width: int, most: int) -> list[str]:
    """`text` in at most `most` lines of `width` cells, broken at spaces; the last one ends in '…' if there was more."""
    lines: list[str] = []
    words = text.split(" ")
    while words:
        line = words.pop(0)
        while words and cell_len(line) + 1 + cell_len(words[0]) <= width:
            line += " " + words.pop(0)
        if cell_len(line) > width:
            line, rest = _cut(line, width)
            words.insert(0, rest)
        lines.append(line)
    if len(lines) > most:
        lines = lines[:most]
        lines[-1] = _cut(lines[-1], width - 1)[0] + "…"
    return lines


def _cut(text: str, width: int) -> tuple[str, str]:
    taken = 0
    for index, character in enumerate(text):
        taken += cell_len(character)
        if taken > width:
            return text[:index], text[index:]
    return text, ""


def duration(ms: float) -> str:
    """How long something took, or when it was: '<1 ms', '13 ms', '3.045 s', '15:00.050'. Bodies read whole ms."""
    if 0 <= ms < 1:
        return "<1 ms"
    return f"{ms:.0f} ms".replace("-", "−") if abs(ms) < 1000 else clock(ms)


def clock(ms: float, decimals: int = 3) -> str:
    """A time on the axis: '3.045 s' below a minute, else '15:00.050', '1:00:00.000' or '30d 0:00:00.000'."""
    sign = "−" if ms < 0 else ""
    total = round(abs(ms) / 1000, decimals)
    if total < 60:
        return f"{sign}{total:.{decimals}f} s"
    minutes, seconds = divmod(total, 60)
    hours, minutes = divmod(int(minutes), 60)
    days, hours = divmod(hours, 24)
    second = f"{seconds:0{decimals + 3 if decimals else 2}.{decimals}f}"
    if days:
        return f"{sign}{days}d {hours}:{minutes:02}:{second}"
    return f"{sign}{hours}:{minutes:02}:{second}" if hours else f"{sign}{minutes}:{second}"


def left(ms: float) -> str:
    """A countdown: '14:12 left', '7 s left', '29d 23h left'; past its end 'due', then '0.4 s late'."""
    if ms < 0:
        return f"{-ms / 1000:.1f} s late" if ms <= -100 else "due"
    seconds = int(ms // 1000)
    if seconds < 60:
        return f"{seconds} s left"
    if seconds < 86400:
        return f"{clock(seconds * 1000, 0)} left"
    return f"{seconds // 86400}d {seconds % 86400 // 3600}h left"


def utc(value: datetime | None, decimals: bool = False) -> str:
    """'2026-11-23 09:15:00 UTC', or a dash."""
    if value is None:
        return UNKNOWN
    shown = value.strftime("%Y-%m-%d %H:%M:%S")
    return f"{shown}.{value.microsecond // 1000:03} UTC" if decimals else f"{shown} UTC"


def ms_between(start: datetime, end: datetime) -> float:
    """Milliseconds from `start` to `end`."""
    return (end - start).total_seconds() * 1000
