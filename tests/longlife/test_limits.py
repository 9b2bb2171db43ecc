"""A benchmark that the local engine has not the open files for says so; recorded runs say how much they take."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from reservation_cli.bench.tickets import most_busy
from reservation_cli.domain.benchmark import Plan
from reservation_cli.local import limits
from support.fake_platform import FakePlatform

Run = Callable[..., tuple[int, str, str]]
BENCH = ("bench", "-n", "10", "--hold", "1s", "--warmup", "0")


def test_more_reservations_at_once_than_open_files_allow_are_warned_of(
    run_resv: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "raise_open_files", lambda: 189)
    _, _, err = run_resv(*BENCH)
    assert "Warning: the local Cloudflare engine may need 190 open files for this, and gets 189: it would fail" in err
    monkeypatch.setattr(limits, "raise_open_files", lambda: 190)
    assert "Warning" not in run_resv(*BENCH)[2]


def test_nothing_is_said_of_open_files_where_there_are_none(
    run_resv: Run, monkeypatch: pytest.MonkeyPatch, cloudflare: FakePlatform
) -> None:
    monkeypatch.setattr(limits, "raise_open_files", lambda: 1)
    assert "Warning" not in run_resv(*BENCH, "--on", "aws")[2]
    cloudflare.target = "cloud"
    assert "Warning" not in run_resv(*BENCH, "--on", "cloudflare")[2]


def test_a_rate_keeps_down_how_many_are_busy_at_once() -> None:
    plan = Plan(("cloudflare", "aws"), 1000, 10, (60,), warmup=5)
    assert most_busy(plan, 10) == 1005
    assert most_busy(Plan(("cloudflare", "aws"), 1000, 10, (60,), rate=20.0), 10) == 200
    assert most_busy(Plan(("cloudflare",), 100, 10, (60,), rate=20.0), 10) == 100


def test_recorded_runs_are_kept_and_say_how_much_they_take(run_resv: Run, environ: dict[str, str]) -> None:
    folder = Path(environ["RESV_HOME"]) / "runs"
    run_resv("compare", "--hold", "1s")
    (recorded,) = folder.iterdir()
    _, _, err = run_resv("runs")
    assert err == f"1 run takes 0.0 MB in {folder}; they are kept, delete any file.\n"
    for number in range(3):
        (folder / f"compare-20200101-00000{number}-abcd.json").write_bytes(recorded.read_bytes() + b" " * 1_000_000)
    _, _, err = run_resv("runs")
    assert err == f"4 runs take 3.0 MB in {folder}; they are kept, delete any file.\n"
    assert run_resv("runs", "--json")[2] == ""
