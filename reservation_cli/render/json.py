"""What commands print with `--json` besides recorded runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from reservation_cli.domain import benchmark, chaos_verdict
from reservation_cli.domain.benchmark import Bench, Verdict
from reservation_cli.domain.chaos import Chaos
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
    if run.chaos:
        return (run.chaos.plan.hold_seconds,)
    facts = [fact for lane in run.lanes if (fact := lane.request or lane.reservation)]
    return run.bench.plan.holds if run.bench else tuple(dict.fromkeys(fact.hold_seconds for fact in facts))


def strategies(run: Run) -> tuple[Strategy, ...]:
    """The strategies that were asked for, each once."""
    if run.chaos:
        return run.chaos.plan.strategies
    facts = [fact for lane in run.lanes if (fact := lane.request or lane.reservation)]
    return (run.bench.plan.strategy,) if run.bench else tuple(dict.fromkeys(fact.strategy for fact in facts))


def _recorded(path: Path, run: Run | ResvError) -> dict[str, object]:
    if isinstance(run, ResvError):
        return {"id": path.stem, "path": str(path), "error": run.message}
    many = run.bench or run.chaos
    return {
        "id": path.stem,
        "path": str(path),
        "error": None,
        "kind": run.kind,
        "recorded_at": format_time(run.recorded_at),
        "holds": list(holds(run)),
        "strategies": list(strategies(run)),
        "n": _n(run),
        "lanes": [_place(lane) for lane in run.lanes],
        "interrupted": many.interrupted if many else None,
        "counts": _counts(many) if many else None,
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


def _n(run: Run) -> int:
    if run.chaos:
        return len(run.chaos.kills)
    return run.bench.plan.count if run.bench else 1


def _counts(many: Bench | Chaos) -> dict[str, object]:
    if isinstance(many, Chaos):
        found, double_held = chaos_verdict.counts(many), chaos_verdict.double_held(many.bookings)
    else:
        found, double_held = benchmark.counts(many), many.double_held
    return {**{verdict: found[verdict] for verdict in get_args(Verdict)}, "double_held": double_held}
