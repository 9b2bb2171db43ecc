"""What commands print with `--json` besides recorded runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from reservation_cli.domain import benchmark
from reservation_cli.domain.benchmark import Bench, Verdict
from reservation_cli.domain.lane_record import lane_as_json, lanes_as_json
from reservation_cli.domain.reservation import Strategy, format_time
from reservation_cli.domain.run import Run
from reservation_cli.domain.timeline import Timeline
from reservation_cli.errors import ResvError


def run_json(lanes: Sequence[Timeline]) -> dict[str, object]:
    """Lanes as a run that is not recorded: what `status` and `reserve` print."""
    return lanes_as_json("status", lanes)


def list_json(rows: Sequence[Timeline]) -> dict[str, object]:
    """The list: each execution as a lane of a run, without metrics."""
    return {"reservations": [lane_as_json(lane) for lane in rows]}


def runs_json(recorded: Sequence[tuple[Path, Run | ResvError]]) -> dict[str, object]:
    """The recorded runs without their samples; of one that cannot be read the reason."""
    return {"runs": [_recorded(path, run) for path, run in recorded]}


def holds(run: Run) -> tuple[int, ...]:
    """The holds that were asked for, in seconds, each once."""
    facts = [fact for lane in run.lanes if (fact := lane.request or lane.reservation)]
    return run.bench.plan.holds if run.bench else tuple(dict.fromkeys(fact.hold_seconds for fact in facts))


def strategies(run: Run) -> tuple[Strategy, ...]:
    """The strategies that were asked for, each once."""
    facts = [fact for lane in run.lanes if (fact := lane.request or lane.reservation)]
    return (run.bench.plan.strategy,) if run.bench else tuple(dict.fromkeys(fact.strategy for fact in facts))


def _recorded(path: Path, run: Run | ResvError) -> dict[str, object]:
    if isinstance(run, ResvError):
        return {"id": path.stem, "path": str(path), "error": run.message}
    bench = run.bench
    return {
        "id": path.stem,
        "path": str(path),
        "error": None,
        "kind": run.kind,
        "recorded_at": format_time(run.recorded_at),
        "holds": list(holds(run)),
        "strategies": list(strategies(run)),
        "n": bench.plan.count if bench else 1,
        "lanes": [_place(lane) for lane in run.lanes],
        "interrupted": bench.interrupted if bench else None,
        "counts": _counts(bench) if bench else None,
    }


def _place(lane: Timeline) -> dict[str, object]:
    return {
        "platform": lane.platform,
        "target": lane.target,
        "stage": lane.stage,
        "label": lane.label,
        "ref": lane.ref,
        "status": lane.status,
        "outcome": lane.outcome,
    }


def _counts(bench: Bench) -> dict[str, object]:
    found = benchmark.counts(bench)
    return {**{verdict: found[verdict] for verdict in get_args(Verdict)}, "double_held": bench.double_held}
