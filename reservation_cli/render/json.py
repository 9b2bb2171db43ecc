"""What commands print with `--json` besides recorded runs."""

from __future__ import annotations

from collections.abc import Sequence

from reservation_cli.domain.lane_record import lane_as_json, lanes_as_json
from reservation_cli.domain.timeline import Timeline


def run_json(lanes: Sequence[Timeline]) -> dict[str, object]:
    """Lanes as a run that is not recorded: what `status` and `reserve` print."""
    return lanes_as_json("status", lanes)


def list_json(rows: Sequence[Timeline]) -> dict[str, object]:
    """The list: each execution as a lane of a run, without metrics."""
    return {"reservations": [lane_as_json(lane) for lane in rows]}
