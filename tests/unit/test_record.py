"""Runs as JSON: what was written is what is read, and a file that is none says so."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from reservation_cli import runs
from reservation_cli.domain.comparison import metrics
from reservation_cli.domain.lane_record import lane_as_json, lane_from_json
from reservation_cli.domain.record import run_as_json, run_from_json
from reservation_cli.domain.reservation import InvalidInputError
from reservation_cli.domain.run import Run
from reservation_cli.domain.timeline import Timeline
from reservation_cli.errors import NotFoundError, UsageError
from reservation_cli.render.run import run_view
from support import benches, timelines

LANES = [
    *timelines.expired(),
    *timelines.confirmed(),
    *timelines.retried(),
    *timelines.rejected(),
    *timelines.mid_hold(),
    *timelines.failed(),
    *timelines.four(),
    *timelines.cloud_and_local(),
    *timelines.stopped(),
    *timelines.paused(),
    *timelines.untold(),
    timelines.absent("aws"),
]


def through_json(value: object) -> object:
    return json.loads(json.dumps(value))


@pytest.mark.parametrize("lane", LANES, ids=lambda lane: f"{lane.platform}-{lane.status}")
def test_a_lane_comes_back_as_it_was(lane: Timeline) -> None:
    told = {**lane_as_json(lane), "metrics": metrics(lane).as_json()}
    assert lane_from_json(through_json(told)) == lane


@pytest.mark.parametrize("run", [benches.compared(), benches.run()], ids=["compare", "bench"])
def test_a_run_comes_back_as_it_was(run: Run) -> None:
    assert run_from_json(through_json(run_as_json(run))) == run


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_text(json.dumps({**run_as_json(benches.compared()), "schema": "resv.run/2"}))
    with pytest.raises(UsageError, match=r"recorded as resv\.run/2 by a newer resv") as caught:
        runs.load(path)
    assert caught.value.code == "newer_schema"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"schema": "other"}, "its schema is 'other'"),
        ({"lanes": None}, "the run.lanes is no array"),
        ({"lanes": [7]}, r"lanes\[0\] is no object"),
        ({"lanes": [{"platform": "gcp"}]}, r"lanes\[0\].platform is 'gcp'"),
        ({"kind": "walk"}, "kind is 'walk'"),
        ({"bench": {"plan": 1}}, "bench.plan is no object"),
        ({"recorded_at": "soon"}, "recorded_at is no time"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(change: dict[str, object], told: str) -> None:
    with pytest.raises(InvalidInputError, match=told):
        run_from_json({**run_as_json(benches.compared()), **change})


def test_a_file_that_is_not_there_and_one_that_is_no_json(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        runs.load(tmp_path / "none.json")
    (tmp_path / "text.json").write_text("{")
    with pytest.raises(UsageError, match="is no JSON"):
        runs.load(tmp_path / "text.json")


def test_recorded_runs_are_found_newest_first(tmp_path: Path) -> None:
    first = runs.made("compare", timelines.expired(), {"hold": "15m"})
    second = runs.made("bench", timelines.expired(), {}, benches.bench(10))
    for run in (first, second):
        runs.record(tmp_path, run)
    assert runs.find(tmp_path, first.id) == first
    assert {run.id for _, run in runs.listed(tmp_path, 5) if isinstance(run, Run)} == {first.id, second.id}
    assert runs.find(tmp_path, "last").id in (first.id, second.id)
    assert first.software["resv"]
    assert first.host is not None
    with pytest.raises(NotFoundError):
        runs.find(tmp_path, "compare-none")


def leaves(value: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, item in items:
        yield (*path, name)
        yield from leaves(item, (*path, name))


def changed(value: Any, path: tuple[str | int, ...], new: object) -> Any:
    copy = deepcopy(value)
    within = copy
    for name in path[:-1]:
        within = within[name]
    within[path[-1]] = new
    return copy


@pytest.mark.parametrize("new", [7, "text", None, [1], {"a": 1}, True], ids=str)
def test_any_other_value_anywhere_is_drawn_or_refused_in_one_line(new: object) -> None:
    whole = through_json(run_as_json(benches.run(benches.bench(1))))
    parts = [path for path in leaves(whole) if path[0] not in ("summary", "prices_as_of")]
    for path in parts:
        try:
            run = run_from_json(changed(whole, path, new))
        except InvalidInputError:
            continue
        Console(file=StringIO(), width=100).print(run_view(run, 100))


@pytest.mark.parametrize("name", ["invocations", "polls"])
@pytest.mark.parametrize("count", [-1, 1.5, float("inf"), 10**400], ids=["negative", "broken", "infinite", "endless"])
def test_what_is_counted_is_a_count(name: str, count: float) -> None:
    """A negative one would be a cost below nothing."""
    whole = through_json(run_as_json(runs.made("compare", timelines.expired(), {})))
    with pytest.raises(InvalidInputError, match=name):
        run_from_json(changed(whole, ("lanes", 1, "metrics", name), count))
