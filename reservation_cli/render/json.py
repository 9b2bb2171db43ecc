"""A run as JSON, schema `resv.run/1`: for `compare --json`, `status --json` and recorded runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from reservation_cli.domain.comparison import metrics
from reservation_cli.domain.timeline import Timeline, as_json
from reservation_cli.render.words import asked

T = TypeVar("T")

SCHEMA = "resv.run/1"


def run_json(lanes: Sequence[Timeline]) -> dict[str, object]:
    """The run: what was asked for, and each lane with its metrics.

    A field of the request is null where no lane tells it, and where the lanes differ in it
    (`--strategy both`); each lane's `reservation` has its own.
    """
    facts = asked(lanes)
    return {
        "schema": SCHEMA,
        "request": {
            "reservation_id": _common([lane.reservation_id for lane in lanes]),
            "seat": _common([fact.seat for fact in facts]),
            "user": _common([fact.user for fact in facts]),
            "hold_seconds": _common([fact.hold_seconds for fact in facts]),
            "strategy": _common([fact.strategy for fact in facts]),
        },
        "lanes": [{**as_json(lane), "metrics": metrics(lane).as_json()} for lane in lanes],
    }


def list_json(rows: Sequence[Timeline]) -> dict[str, object]:
    """The list: each execution as a lane of a run, without metrics."""
    return {"reservations": [as_json(lane) for lane in rows]}


def _common(values: Sequence[T]) -> T | None:
    return values[0] if len(set(values)) == 1 else None
