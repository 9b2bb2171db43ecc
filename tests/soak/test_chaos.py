"""A hundred kills over all processes and moments, by the command that a user runs: a quarter of an hour and more."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from itertools import product
from pathlib import Path

import pytest

from reservation_cli.domain.chaos import MOMENTS, VICTIMS
from support import schemas

pytestmark = [pytest.mark.soak, pytest.mark.stack]
KILLS, SEED = 100, 1


def test_a_hundred_kills_lose_nothing(tmp_path: Path) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "CLOUDFLARE_", "RESV_"))}
    argv = ["chaos", "--kills", str(KILLS), "--seed", str(SEED), "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "reservation_cli", *argv],
        env={**kept, "RESV_HOME": str(tmp_path / "home")},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    told = json.loads(done.stdout)
    schemas.assert_valid(told, "run")
    summary, chaos = told["summary"], told["chaos"]
    print(f"\n{KILLS} kills, seed {SEED}, {len(chaos['bookings'])} reservations, load average {chaos['load']}")
    for victim, metrics in summary["processes"].items():
        found = metrics["recovered_ms"]
        print(f"{victim:<12} recovered: p50 {found['p50']:.0f}, p99 {found['p99']:.0f} ms (n = {found['n']})")
    print(f"caught: {summary['caught']}", f"ledger: {summary['ledger']}", sep="\n")
    assert summary["not_right"] == []
    assert done.returncode == 0
    counts = ("lost", "duplicated", "wrong", "double_held", "refused", "still_held")
    assert {name: summary[name] for name in counts} == dict.fromkeys(counts, 0)
    assert summary["right"] == len(chaos["bookings"])
    assert all(entry["effects"] == entry["wanted"] > 0 for entry in summary["ledger"])
    assert len(summary["kills"]) == KILLS
    # What was hit, and not only what was aimed at; and each kill was got over.
    missed = [pair for pair in product(VICTIMS, MOMENTS) if not summary["caught"][pair[0]][pair[1]]]
    assert missed == []
    assert [kill["number"] for kill in summary["kills"] if kill["recovered_ms"] is None or kill["stuck"]] == []
