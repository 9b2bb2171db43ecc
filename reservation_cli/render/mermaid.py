"""The lanes of a run as Mermaid gantt charts, which GitHub, GitLab and many editors draw inside Markdown.

Mermaid cannot cut its axis, so there is a chart for each stretch in which something went on: a hold of 15 minutes gives
one around its start and one around its end. Each counts from a round time, which its title names.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from reservation_cli.domain.timeline import Timeline
from reservation_cli.render.axis import Stretch, fit
from reservation_cli.render.bars import Bar, Moment, execution, moments
from reservation_cli.render.pieces import draw
from reservation_cli.render.words import (
    PLATFORM_NAMES,
    clock,
    details,
    duration,
    is_absent,
    ms_between,
    printable,
)

_MOST_CHARTS = 3
#: How finely the stretches are told apart, as in a picture of so many columns.
_COLUMNS = 100
#: Mermaid leaves so much room for the names of the lanes, in pixels, unless it is told.
_PADDING, _LETTER = 75, 8
#: The thinnest bar, as a part of its chart.
_THINNEST = 250
_MINUTE = 60_000

#: All but what is no syntax anywhere in a gantt chart.
_SYNTAX = re.compile(r"[^\w ·.,()+/=−–—…✗'-]")
#: What the lexer takes for its own where a line begins with it.
_KEYWORD = re.compile(
    r"(?i)acc(title|descr)|axisformat|click|dateformat|excludes|gantt|href|includes|inclusiveenddates|section"
    r"|tickinterval|title|todaymarker|topaxis|weekday|weekend"
)


@dataclass(frozen=True, slots=True)
class _Task:
    """One line of a chart, from `start` to `end` in ms since t = 0; `tag` is Mermaid's."""

    name: str
    tag: str
    start: float
    end: float
    is_open: bool = False

    def is_edge_in(self, window: _Window) -> bool:
        """Whether it begins or ends there, and doesn't only go on."""
        return self.start >= window.start or (self.end <= window.end and not self.is_open)


@dataclass(frozen=True, slots=True)
class _Window:
    """The part of the time that one chart shows; its axis counts from the start."""

    start: float
    end: float


def charts(lanes: Sequence[Timeline]) -> Iterator[str]:
    """The source of each chart, in the order of time; none when no lane has times."""
    present = [lane for lane in lanes if not is_absent(lane)]
    sections = {
        f"{PLATFORM_NAMES[lane.platform]} {detail}": sorted(_tasks(lane), key=lambda task: (task.start, task.end))
        for lane, detail in zip(present, details(present), strict=True)
    }
    if not any(sections.values()):
        return
    for window in _windows(present):
        shown = {
            name: [task for task in tasks if task.end >= window.start and task.start <= window.end]
            for name, tasks in sections.items()
        }
        if any(task.is_edge_in(window) for tasks in shown.values() for task in tasks):
            yield _chart(window, shown)


def _windows(lanes: Sequence[Timeline]) -> list[_Window]:
    axis = fit([interval for lane in lanes for interval in draw(lane).intervals], _COLUMNS)
    found = [_window(part, axis.scale) for part in axis.stretches]
    while len(found) > _MOST_CHARTS:
        # What lies nearest together is shown together.
        nearest = min(range(len(found) - 1), key=lambda index: found[index + 1].start - found[index].end)
        found[nearest : nearest + 2] = [replace(found[nearest], end=found[nearest + 1].end)]
    return found


def _window(part: Stretch, scale: float) -> _Window:
    """From its round time on; from before it where a lane began before t = 0, as Mermaid reads no times below 0."""
    base = part.base if part.base else math.floor(min(0.0, part.start))
    return _Window(base, part.start + part.width * scale)


def _tasks(lane: Timeline) -> Iterator[_Task]:
    """What a lane's charts show: the way to the first step, the step bodies, the waits, and the moments."""
    root = execution(lane)
    if root is None:
        return
    origin = lane.origin or root.start

    def task(name: str, tag: str, bar: Bar) -> _Task:
        return _Task(name, tag, ms_between(origin, bar.start), ms_between(origin, bar.end), bar.is_open)

    runs = [bar for child in root.children for bar in (child.children or (child,)) if bar.kind in ("step", "attempt")]
    if runs:
        first = ms_between(origin, min(bar.start for bar in runs))
        yield _Task(f"to the first step {duration(first)}", "", min(0.0, ms_between(origin, root.start)), first)
    for bar in root.children:
        if bar.kind in ("wait", "event"):
            took = duration(ms_between(bar.start, bar.end))
            yield task(f"{bar.name} {f'so far {took}' if bar.is_open else took}", "active", bar)
        elif bar.kind == "step":
            for number, run in enumerate(bar.children or (bar,), 1):
                tag = "crit" if run.is_failed else "active" if run.is_open else "done"
                yield task(_run_name(bar, run, number), tag, run)
    for moment in moments(lane):
        if moment.kind != "request sent":
            at = ms_between(origin, moment.at)
            yield _Task(_moment_name(moment, at), "milestone", at, at)


def _run_name(step: Bar, run: Bar, number: int) -> str:
    took = "running" if run.is_open else duration(ms_between(run.start, run.end))
    attempt = f", attempt {number}" if len(step.children) > 1 else ""
    return f"{step.name} {'✗ ' if run.is_failed else ''}{took}{attempt}"


def _moment_name(moment: Moment, at: float) -> str:
    return f"{moment.word or moment.kind} at {duration(at)}"


def _chart(window: _Window, sections: dict[str, list[_Task]]) -> str:
    padding = max(_PADDING, _LETTER * max(len(name) for name in sections) + 16)
    # Seconds and milliseconds read the same in every time zone; hours would not.
    is_long = window.end - window.start > _MINUTE
    lines = [
        f'%%{{init: {{"gantt": {{"leftPadding": {padding}}}}}}}%%',
        "gantt",
        f"    title {_escaped(_title(window))}",
        "    dateFormat x",
        f"    axisFormat {'%M:%S' if is_long else '%S.%L'}",
        "    todayMarker off",
    ]
    for name, tasks in sections.items():
        if tasks:
            lines.append(f"    section {_escaped(name)}")
            lines += [_line(task, window) for task in tasks]
    return "\n".join(lines)


def _title(window: _Window) -> str:
    unit = "minutes" if window.end - window.start > _MINUTE else "seconds"
    return f"{unit} since t = 0" if window.start == 0 else f"{unit} since {clock(window.start)} after t = 0"


def _line(task: _Task, window: _Window) -> str:
    start = round(max(task.start, window.start) - window.start)
    end = round(min(task.end, window.end) - window.start)
    # However short, it is to be seen; how long it took is in its name.
    length = 0 if task.tag == "milestone" else max(1, round((window.end - window.start) / _THINNEST), end - start)
    tag = f"{task.tag}, " if task.tag else ""
    return f"    {_escaped(task.name)} :{tag}{start}, {length}ms"


def _escaped(text: str) -> str:
    """Text as Mermaid takes it: what could be its syntax as a character code."""
    shown = printable(text)
    first = f"#{ord(shown[0])};" if _KEYWORD.match(shown) else ""
    return first + _SYNTAX.sub(_code, shown[1:] if first else shown)


def _code(match: re.Match[str]) -> str:
    return f"#{ord(match[0])};"
