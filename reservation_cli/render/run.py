"""A run as it is drawn in the terminal, when it has just ended or again from its file."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.text import Text

from reservation_cli.domain.run import Run
from reservation_cli.render.bench import bench_view
from reservation_cli.render.chaos import chaos_view
from reservation_cli.render.console import comparison_view
from reservation_cli.render.words import DIM, printable, utc


def run_view(run: Run, width: int) -> RenderableType:
    """A recorded run: the benchmark, the kills, or the comparison of its lanes."""
    if run.bench is not None:
        return bench_view(run, width)
    if run.chaos is not None:
        return chaos_view(run, width)
    title = Text(f"{run.kind} recorded {utc(run.recorded_at)} · {printable(run.id)}", DIM)
    return Group(title, comparison_view(run.lanes, width))
