"""resv cost as a user meets it: exit code, stdout and stderr apart."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reservation_cli import runs
from support import timelines
from support.fake_platform import FakePlatform

Run = Callable[..., tuple[int, str, str]]


def told(run: Run, *argv: str) -> dict[str, Any]:
    code, out, err = run("cost", *argv, "--json")
    assert (code, err) == (0, "")
    body: dict[str, Any] = json.loads(out)
    return body


def totals(body: dict[str, Any]) -> dict[str, float]:
    return {lane["platform"]: round(lane["total_usd"], 2) for lane in body["lanes"]}


def test_without_a_ref_nothing_is_started_or_asked(
    run_resv: Run, cloudflare: FakePlatform, aws: FakePlatform, tmp_path: Path
) -> None:
    code, out, err = run_resv("cost")
    assert (code, err) == (0, "")
    assert "Cost of a reservation · hold 15m · strategy sleep · expired" in out
    assert "AWS −$11.98 (25% less)." in out
    assert "nothing was run" in out
    assert (cloudflare.calls, aws.calls) == ({}, {})
    assert not (tmp_path / "home").exists()


def test_the_shape_is_chosen(run_resv: Run) -> None:
    body = told(run_resv, "--hold", "30d", "--strategy", "event", "--outcome", "confirmed")
    assert {(lane["strategy"], lane["outcome"], lane["run_seconds"]) for lane in body["lanes"]} == {
        ("event", "confirmed", 2_592_000)
    }
    # The sums of 15 minutes, and a month of 1.1 GB at $0.20 and at $0.15
    assert totals(body) == {"cloudflare": 52.55, "aws": 38.05}


def test_as_json_the_lines_add_up(run_resv: Run) -> None:
    body = told(run_resv, "--per-month", "2M")
    assert (body["count"], body["allowances"], body["memory_mb"], body["prices_as_of"]) == (
        2_000_000,
        False,
        256,
        "2026-11",
    )
    for lane in body["lanes"]:
        assert sum(line["cost_usd"] for line in lane["lines"]) == pytest.approx(lane["cost_usd"])
        assert sum(line["total_usd"] for line in lane["lines"]) == pytest.approx(lane["total_usd"])
        assert lane["total_usd"] == pytest.approx(2e6 * lane["cost_usd"])
        assert all(line["source"].startswith("https://") and line["ground"] for line in lane["lines"])


def test_free_takes_the_allowances_off_and_adds_the_plan(run_resv: Run) -> None:
    # Cloudflare 20.00 + 0.60 + 1.46 + 5.00 and the plan; AWS 32.00 + 0.20 + 0.275 + 0.077 + 1.875 + 0.25
    body = told(run_resv, "--free")
    assert totals(body) == {"cloudflare": 32.06, "aws": 34.68}
    assert [line["price"] for line in body["lanes"][0]["lines"]][-1] == "cloudflare.plan"


def test_memory_and_one_platform(run_resv: Run) -> None:
    assert totals(told(run_resv, "--memory", "512", "--on", "aws")) == {"aws": 36.70}


def test_a_reservation_is_read_off_both_platforms(run_resv: Run) -> None:
    code, out, _ = run_resv("reserve", "--seat", "A1", "--hold", "1h", "--json")
    assert code == 0
    name = json.loads(out)["request"]["reservation_id"]
    body = told(run_resv, "last")
    assert [(lane["platform"], lane["reservation_id"], lane["status"]) for lane in body["lanes"]] == [
        ("cloudflare", name, "waiting"),
        ("aws", name, "waiting"),
    ]
    steps = body["lanes"][0]["lines"][0]
    assert (steps["item"], steps["quantity"], steps["basis"]) == ("steps", 2, "recorded")
    code, out, err = run_resv("cost", name)
    assert (code, err) == (0, "")
    assert "not over: so far" in out
    assert "Local lanes cost nothing" in out


def test_what_one_platform_does_not_know_is_named(run_resv: Run) -> None:
    code, out, _ = run_resv("reserve", "--seat", "A1", "--hold", "1h", "--on", "aws", "--json")
    name = json.loads(out)["request"]["reservation_id"]
    code, out, err = run_resv("cost", name)
    assert (code, err) == (0, f"Cloudflare does not know {name}.\n")
    assert "operations" in out


def test_a_recorded_run_needs_neither_platform(
    run_resv: Run, cloudflare: FakePlatform, aws: FakePlatform, tmp_path: Path
) -> None:
    run = runs.made("compare", timelines.expired(), {})
    runs.record(tmp_path / "home", run)
    file = tmp_path / "home" / "runs" / f"{run.id}.json"
    for name in (run.id, str(file)):
        assert totals(told(run_resv, name)) == {"cloudflare": 48.02, "aws": 36.03}
    assert totals(told(run_resv, run.id, "--on", "aws")) == {"aws": 36.03}
    assert (cloudflare.calls, aws.calls) == ({}, {})


def test_a_run_without_a_lane_there_is_not_found(run_resv: Run, tmp_path: Path) -> None:
    run = runs.made("compare", timelines.expired()[:1], {})
    runs.record(tmp_path / "home", run)
    code, out, err = run_resv("cost", run.id, "--on", "aws")
    assert (code, out) == (3, "")
    assert err.startswith(f"Error: {run.id} has no lane on AWS.")


def test_prices_of_ones_own(run_resv: Run, tmp_path: Path) -> None:
    file = tmp_path / "prices.toml"
    file.write_text('as_of = "2027-01"\n[cloudflare]\nsteps = 0.40\n[aws]\noperations = 6\n', encoding="utf-8")
    body = told(run_resv, "--prices", str(file))
    assert body["prices_as_of"] == "2027-01"
    # 3 x $4 and 4 x $2 less
    assert totals(body) == {"cloudflare": 36.02, "aws": 28.03}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read: No such file or directory."),
        (b"steps", "It is no TOML"),
        (b'as_of = "2027-01"\n[aws]\nstep = 6', "There is no price aws.step"),
        (b"\xff\xfe", "It is no text"),
    ],
)
def test_a_bad_file_of_prices_is_one_line(run_resv: Run, tmp_path: Path, content: bytes | None, message: str) -> None:
    file = tmp_path / "prices.toml"
    if content is not None:
        file.write_bytes(content)
    code, out, err = run_resv("cost", "--prices", str(file))
    assert (code, out) == (2, "")
    assert message in err.splitlines()[0]
    assert err.splitlines()[1].startswith("Hint: ")
    assert len(err.splitlines()) == 2


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("--per-month", "lots"), "no number of reservations"),
        (("--hold", "0s"), "from 1 second to 30 days"),
        (("--hold", "soon"), "not a duration"),
        (("--outcome", "held"), "Invalid value for '--outcome'"),
        (("--memory", "64"), "Invalid value for '--memory'"),
        (("r-1", "--hold", "10s"), "What r-1 is like has been recorded."),
        (("r-1", "--outcome", "expired"), "What r-1 is like has been recorded."),
        (("a b",), "Got 'a b'."),
    ],
)
def test_bad_input_is_one_line_and_asks_nobody(
    run_resv: Run, cloudflare: FakePlatform, argv: tuple[str, ...], message: str
) -> None:
    code, out, err = run_resv("cost", *argv)
    assert (code, out) == (2, "")
    assert message in err.splitlines()[0]
    assert cloudflare.calls == {}


def test_what_nobody_knows_is_not_found(run_resv: Run) -> None:
    code, out, err = run_resv("cost", "r-unknown", "--json")
    assert (code, out) == (3, "")
    assert json.loads(err)["error"]["code"] == "not_found"
    assert run_resv("cost", "nothing.json")[0] == 3
