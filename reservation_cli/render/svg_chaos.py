"""The timeline of a chaos run as SVG: a row for each process, with its kills and how long each was felt."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from reservation_cli.domain.chaos import VICTIMS, Chaos
from reservation_cli.domain.chaos_aftermath import Aftermath, aftermaths
from reservation_cli.render.canvas import Canvas, Tip, document
from reservation_cli.render.words import PLATFORM_NAMES, clock, joined, ms_between

_LEFT, _TOP, _ROW = 92, 24, 26
_HALF = 5
_TICKS = 4


def draw_kills(canvas: Canvas, chaos: Chaos, top: float) -> float:
    """Draw it below `top`; gives where the next thing may begin."""
    found = aftermaths(chaos)
    rows = [victim for victim in VICTIMS if any(one.kill.victim == victim for one in found)]
    wide = canvas.width - _LEFT - _HALF
    end = max([chaos.seconds * 1000, *(ms_between(chaos.begun, one.kill.at) for one in found)]) or 1.0
    bottom = top + _TOP + _ROW * len(rows)
    for tick in range(_TICKS + 1):
        x = _LEFT + wide * tick / _TICKS
        canvas.line(x, top + _TOP - 4, x, bottom, "grid")
        canvas.text(x, top + 12, clock(end * tick / _TICKS, 0), "dim middle" if tick < _TICKS else "dim end")
    for index, victim in enumerate(rows):
        y = top + _TOP + _ROW * (index + 0.5)
        canvas.text(0, y + 4, victim, "ink")
        canvas.line(_LEFT, y, _LEFT + wide, y, "grid")
        mine = [one for one in found if one.kill.victim == victim]
        for one in mine:
            x = _LEFT + wide * ms_between(chaos.begun, one.kill.at) / end
            canvas.box(x, y - _HALF, max(1.0, wide * (one.recovered_ms or 0) / end), 2 * _HALF, "warned")
        for one in mine:
            x = _LEFT + wide * ms_between(chaos.begun, one.kill.at) / end
            canvas.path([(x - _HALF, y - _HALF), (x + _HALF, y + _HALF)], "bad failed")
            canvas.path([(x - _HALF, y + _HALF), (x + _HALF, y - _HALF)], "bad failed")
            lines = _lines(one)
            canvas.tips.append(Tip(x - _HALF, y - _HALF, 2 * _HALF, 2 * _HALF, lines, "; ".join(lines)))
    canvas.text(_LEFT, bottom + 18, "✗ kill -9; the bar beside it: until all had recovered", "dim")
    return bottom + 26


def kills_figure(chaos: Chaos, width: int) -> str:
    """The same as an SVG of `width` pixels that takes its styles from the page that it stands in."""
    canvas = Canvas(document(width, "Timeline of the kills"), width)
    height = draw_kills(canvas, chaos, 0)
    canvas.finish()
    canvas.root.set("viewBox", f"0 0 {width} {height:.0f}")
    return ET.tostring(canvas.root, encoding="unicode")


def _lines(one: Aftermath) -> list[str]:
    kill = one.kill
    ms = "it was never seen to recover" if one.recovered_ms is None else f"recovered after {one.recovered_ms:,.0f} ms"
    return [
        f"Kill {kill.number + 1}: {kill.victim} {kill.pid}",
        f"{joined([PLATFORM_NAMES[platform] for platform in kill.platforms])}, {one.observed or 'nothing going on'}",
        ms,
        f"{one.again} step bodies ran again, {one.broken} reservations not right",
    ]
