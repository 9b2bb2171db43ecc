"""Recorded runs for the terminal, one a line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Group, RenderableType
from rich.constrain import Constrain
from rich.table import Table
from rich.text import Text

from reservation_cli.domain import benchmark, chaos_verdict
from reservation_cli.domain.benchmark import Bench
from reservation_cli.domain.chaos import Chaos
from reservation_cli.domain.reservation import format_duration
from reservation_cli.domain.run import Run
from reservation_cli.errors import ResvError
from reservation_cli.render.json import holds, strategies
from reservation_cli.render.words import (
    DIM,
    FAILED,
    PLATFORM_NAMES,
    UNKNOWN,
    WARNING,
    joined,
    lane_state,
    printable,
)

#: From here on a run takes one line.
_WIDE = 132
#: What a comparison of two outcomes takes; the counts of a bad benchmark go on in the next line.
_RESULT = 22
_NONE = Text(UNKNOWN, DIM)

Recorded = tuple[Path, Run | ResvError]


def runs_view(recorded: Sequence[Recorded], width: int) -> RenderableType:
    """Id, kind, time, what was asked for, what became of it. On a narrow terminal the id alone says kind and time."""
    if not recorded:
        return Text("No runs recorded.", DIM)
    is_wide = width >= _WIDE
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style=DIM)
    table.add_column("id", overflow="fold", min_width=28)
    for name in ("kind", "recorded, UTC") if is_wide else ():
        table.add_column(name, no_wrap=True)
    table.add_column("run")
    table.add_column("result", max_width=_RESULT)
    for path, run in recorded:
        table.add_row(Text(printable(path.stem)), *(_wide_cells(run) if is_wide else _narrow_cells(run)))
    broken = [Text(f"✗ {printable(run.message)}", FAILED) for _, run in recorded if isinstance(run, ResvError)]
    return Constrain(Group(table, *([Text(), *broken] if broken else [])), width)


def _wide_cells(run: Run | ResvError) -> Iterator[Text]:
    if isinstance(run, ResvError):
        yield from (_NONE, _NONE)
    else:
        yield Text(run.kind)
        yield Text(run.recorded_at.strftime("%Y-%m-%d %H:%M") if run.recorded_at else UNKNOWN)
    yield from _cells(run, " · ")


def _narrow_cells(run: Run | ResvError) -> Iterator[Text]:
    yield from _cells(run, "\n")


def _cells(run: Run | ResvError, between: str) -> Iterator[Text]:
    if isinstance(run, ResvError):
        yield from (_NONE, Text("✗ unreadable", FAILED))
        return
    yield Text(between.join((_places(run), " · ".join(_asked(run)))))
    yield _counts(run.bench) if run.bench else _kept(run.chaos) if run.chaos else _outcomes(run)


def _asked(run: Run) -> Iterator[str]:
    """'n = 200', 'hold 5s', 'sleep'."""
    if run.bench:
        yield f"n = {run.bench.plan.count}"
    if run.chaos:
        yield f"{len(run.chaos.kills)} kills"
        yield f"seed {run.chaos.plan.seed}"
    if asked := holds(run):
        yield f"hold {', '.join(format_duration(hold) for hold in asked)}"
    if chosen := strategies(run):
        yield joined(chosen)


def _places(run: Run) -> str:
    if run.chaos:
        return f"{', '.join(PLATFORM_NAMES[platform] for platform in run.chaos.plan.platforms)} local"
    lanes = dict.fromkeys((PLATFORM_NAMES[lane.platform], lane.stage or lane.target) for lane in run.lanes)
    places = {place for _, place in lanes}
    if len(places) == 1:
        return f"{', '.join(name for name, _ in lanes)} {places.pop()}"
    return ", ".join(f"{name} {place}" for name, place in lanes) or UNKNOWN


def _outcomes(run: Run) -> Text:
    states = dict.fromkeys(lane_state(lane) for lane in run.lanes)
    return Text(", ").join(Text(str(state), state.style) for state in states)


def _kept(chaos: Chaos) -> Text:
    found = chaos_verdict.broken(chaos)
    told = "; ".join(found) if found else f"{chaos_verdict.counts(chaos)['right']} right"
    shown = Text(f"{'✗' if found else '✓'} {told}", FAILED if found else "")
    return shown.append(", interrupted", WARNING) if chaos.interrupted else shown


def _counts(bench: Bench) -> Text:
    counts = {verdict: count for verdict, count in benchmark.counts(bench).items() if verdict != "right"}
    parts = [f"{benchmark.counts(bench)['right']} right", *(f"{count} {verdict}" for verdict, count in counts.items())]
    parts += [f"{bench.double_held} held twice"] if bench.double_held else []
    is_good = not bench.double_held and counts.keys() <= {"unfinished"}
    shown = Text(f"{'✓' if is_good else '✗'} {', '.join(parts)}", "" if is_good else FAILED)
    return shown.append(", interrupted", WARNING) if bench.interrupted else shown
