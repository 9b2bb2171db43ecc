"""`resv runs`: what was recorded, also what cannot be read."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from reservation_cli import runs
from reservation_cli.domain.benchmark import Bench, Verdict
from reservation_cli.domain.run import Run as Recorded
from reservation_cli.domain.timeline import Timeline
from support import benches, timelines

Run = Callable[..., tuple[int, str, str]]

BENCH, COMPARE = "bench-20261123-090022-1f2e", "compare-20261123-091501-77aa"
NEWER = "compare-20261125-080000-0bad"


@pytest.fixture
def folder(environ: dict[str, str]) -> Path:
    """Where runs are recorded."""
    found = Path(environ["RESV_HOME"]) / runs.FOLDER
    found.mkdir(parents=True)
    return found


def recorded(folder: Path, run: Recorded) -> Path:
    path = folder / f"{run.id}.json"
    (path).write_text(runs.text(run))
    return path


def a_bad_bench() -> Bench:
    """400 reservations; two were lost, and one ended wrong, before it was interrupted."""
    verdicts: list[Verdict] = ["lost", "lost", "wrong"]
    samples = list(benches.bench(200).samples)
    samples[:3] = [replace(sample, verdict=verdict) for sample, verdict in zip(samples, verdicts, strict=False)]
    return benches.bench(200, (1, 10), samples=tuple(samples), interrupted=True)


def test_nothing_is_recorded_yet(run_resv: Run) -> None:
    assert run_resv("runs") == (0, "No runs recorded.\n", "Make one: resv compare\n")
    code, out, err = run_resv("runs", "--json")
    assert (code, json.loads(out), err) == (0, {"runs": []}, "")


def test_the_newest_comes_first_with_what_was_asked_for_and_what_became_of_it(run_resv: Run, folder: Path) -> None:
    recorded(folder, benches.run())
    recorded(folder, benches.compared())
    code, out, err = run_resv("runs")
    assert (code, err.partition(" take ")[0]) == (0, "2 runs")
    assert [line.rstrip() for line in out.splitlines()] == [
        "id                            run                        result",
        f"{COMPARE}  Cloudflare, AWS local      ○ expired",
        "                              hold 15m · sleep",
        f"{BENCH}    Cloudflare, AWS local      ✓ 400 right",
        "                              n = 200 · hold 5s · sleep",
    ]


def test_a_wide_terminal_has_a_line_for_each(run_resv: Run, folder: Path, environ: dict[str, str]) -> None:
    environ["COLUMNS"] = "132"
    recorded(folder, benches.run())
    recorded(folder, benches.compared())
    lines = [line.split("  ") for line in run_resv("runs")[1].splitlines()]
    cells = [[cell.strip() for cell in line if cell.strip()] for line in lines]
    assert cells == [
        ["id", "kind", "recorded, UTC", "run", "result"],
        [COMPARE, "compare", "2026-11-23 09:15", "Cloudflare, AWS local · hold 15m · sleep", "○ expired"],
        [BENCH, "bench", "2026-11-23 09:00", "Cloudflare, AWS local · n = 200 · hold 5s · sleep", "✓ 400 right"],
    ]


def test_what_went_wrong_is_seen(run_resv: Run, folder: Path) -> None:
    recorded(folder, benches.run(a_bad_bench()))
    assert [line[62:].rstrip() for line in run_resv("runs")[1].splitlines()[1:]] == [
        "✗ 397 right, 2 lost, 1",
        "wrong, interrupted",
    ]
    counts = {"right": 397, "wrong": 1, "lost": 2, "duplicated": 0, "refused": 0, "unfinished": 0, "double_held": 0}
    (run,) = json.loads(run_resv("runs", "--json")[1])["runs"]
    assert (run["counts"], run["interrupted"]) == (counts, True)


@pytest.mark.parametrize(
    ("lanes", "shown"),
    [
        (timelines.cloud_and_local(), "Cloudflare local, AWS cloud"),
        (timelines.four(), "Cloudflare, AWS local"),
        (timelines.confirmed()[:1], "Cloudflare local"),
    ],
)
def test_the_places_are_told_apart(run_resv: Run, folder: Path, lanes: tuple[Timeline, ...], shown: str) -> None:
    recorded(folder, replace(benches.compared(), lanes=lanes))
    assert f"{COMPARE}  {shown}  " in run_resv("runs")[1]


def test_one_that_cannot_be_read_says_why_among_the_others(run_resv: Run, folder: Path) -> None:
    path = recorded(folder, benches.compared())
    (folder / f"{NEWER}.json").write_text(json.dumps({**json.loads(path.read_text()), "schema": "resv.run/2"}))
    code, out, err = run_resv("runs")
    assert (code, err.partition(" take ")[0]) == (0, "2 runs")
    assert f"{NEWER}  —                      ✗ unreadable" in out
    assert "It was recorded as resv.run/2 by a newer resv; this one reads resv.run/1." in " ".join(out.split())
    first, second = json.loads(run_resv("runs", "--json")[1])["runs"]
    assert first.keys() == {"id", "path", "error"}
    assert "newer resv" in first["error"]
    assert (second["id"], second["error"], second["n"], second["holds"]) == (COMPARE, None, 1, [900])


def test_as_json_it_has_what_names_each_lane(run_resv: Run, folder: Path) -> None:
    path = recorded(folder, benches.run())
    (run,) = json.loads(run_resv("runs", "--json")[1])["runs"]
    assert (run["id"], run["path"], run["kind"], run["n"]) == (BENCH, str(path), "bench", 200)
    assert (run["holds"], run["strategies"], run["counts"]["right"]) == ([5], ["sleep"], 400)
    assert [(lane["platform"], lane["outcome"]) for lane in run["lanes"]] == [
        ("cloudflare", "expired"),
        ("aws", "expired"),
    ]


def test_the_limit_counts_the_newest(run_resv: Run, folder: Path) -> None:
    for hour in range(4):
        name = f"compare-{datetime(2026, 11, 24, hour, tzinfo=UTC):%Y%m%d-%H%M%S}-0000"
        recorded(folder, replace(benches.compared(), id=name))
    listed = json.loads(run_resv("runs", "--limit", "2", "--json")[1])["runs"]
    assert [run["id"][:19] for run in listed] == ["compare-20261124-03", "compare-20261124-02"]
    assert run_resv("runs", "--limit", "0")[0] == 2


def test_a_comparison_is_listed_once_it_is_over(run_resv: Run) -> None:
    run_resv("compare", "--hold", "1s", "--json")
    (run,) = json.loads(run_resv("runs", "--json")[1])["runs"]
    assert [lane["outcome"] for lane in run["lanes"]] == ["expired", "expired"]
    assert run_resv("compare", run["id"], "--json")[0] == 0
