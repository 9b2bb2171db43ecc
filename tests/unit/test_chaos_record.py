"""A chaos run is read back as it was written, told in every format, and drawn at every width."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import fields, replace
from pathlib import Path

import pytest
from rich.console import Console

from reservation_cli import exports, runs, schema
from reservation_cli.domain.chaos import Ask, Booking, Chaos, Kill, Plan, Stored
from reservation_cli.domain.chaos_verdict import Entry
from reservation_cli.domain.record import run_as_json, run_from_json
from reservation_cli.domain.reservation import InvalidInputError
from reservation_cli.domain.run import Run
from reservation_cli.render.json import runs_json
from reservation_cli.render.run import run_view
from reservation_cli.render.runs import runs_view
from support import schemas
from support.chaos import booking, chaos, ended, run

RUN = run()


def drawn(one: Run, width: int) -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None, legacy_windows=False)
    console.print(run_view(one, width), crop=False)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_it_is_read_back_as_it_was_written() -> None:
    told = json.loads(runs.text(RUN))
    schemas.assert_valid(told, "run")
    assert run_from_json(told) == RUN
    assert told["summary"]["lost"] == told["summary"]["double_held"] == told["summary"]["wrong"] == 0
    assert told["summary"]["processes"]["host"]["recovered_ms"]["n"] == 1
    assert [kill["observed"] for kill in told["summary"]["kills"]] == ["mid-step", "mid-wait"]


@pytest.mark.parametrize(
    ("place", "kind"),
    [
        ("chaos", Chaos),
        ("chaos.properties.plan", Plan),
        ("chaos.$defs.kill", Kill),
        ("chaos.$defs.ask", Ask),
        ("chaos.$defs.booking", Booking),
        ("chaos.$defs.stored", Stored),
        ("chaos_summary.$defs.entry", Entry),
    ],
)
def test_the_schema_has_the_fields_of_the_dataclass(place: str, kind: type) -> None:
    name, *keys = place.split(".")
    part = schema.read(name)
    for key in keys:
        part = part[key]
    names = [field.name for field in fields(kind)]
    assert list(part["properties"]) == part["required"] == names


@pytest.mark.parametrize(
    ("place", "value", "reason"),
    [
        ("begun", None, "chaos.begun"),
        ("seconds", "long", "chaos.seconds"),
        ("kills", {}, "chaos.kills"),
        ("more", 1, "has a more"),
    ],
)
def test_what_somebody_has_edited_is_refused_in_one_line(place: str, value: object, reason: str) -> None:
    told = run_as_json(RUN)
    body = told["chaos"]
    assert isinstance(body, dict)
    body[place] = value
    with pytest.raises(InvalidInputError, match=reason):
        run_from_json(told)


@pytest.mark.parametrize("width", [60, 72, 80, 84, 100, 120, 200])
def test_no_row_is_wider_than_asked(width: int) -> None:
    rows = drawn(RUN, width).splitlines()
    assert max(map(len, rows)) <= width


def test_the_timeline_marks_each_kill_in_the_row_of_its_process() -> None:
    rows = drawn(RUN, 100).splitlines()
    marked = {row.split()[0]: row.count("✗") for row in rows if row.startswith(("host ", "supervisor ")) and "·" in row}
    assert marked == {"supervisor": 1, "host": 1}
    assert "0 reservations lost, 0 seats held twice, 0 wrong outcomes" in " ".join(" ".join(rows).split())


def test_what_is_broken_is_named() -> None:
    bad = replace(RUN, chaos=chaos([ended(booking("a"), "confirmed"), booking("b", seat="a", sent=1)]))
    text = " ".join(drawn(bad, 100).split())
    assert "1 seats held twice, 1 wrong outcomes" in text
    assert "✗ wrong: a-aws on AWS: it ended confirmed, which nobody asked for" in text


def test_an_interrupted_run_says_so() -> None:
    found = replace(RUN, chaos=chaos([], interrupted=True))
    assert "Interrupted after 0 kills" in drawn(found, 80)
    schemas.assert_valid(json.loads(runs.text(found)), "run")


def test_the_list_of_runs_tells_it() -> None:
    told = runs_json([(Path("runs/x.json"), RUN)])
    schemas.assert_valid(json.loads(json.dumps(told)), "runs")
    console = Console(file=io.StringIO(), width=140, color_system=None, legacy_windows=False)
    console.print(runs_view([(Path("runs/x.json"), RUN)], 140))
    assert isinstance(console.file, io.StringIO)
    assert "2 kills · seed 1 · hold 2s · sleep and event  ✓ 5 right" in console.file.getvalue()


def test_the_reports_tell_the_kills_the_promises_and_the_ledger(tmp_path: Path) -> None:
    files = [tmp_path / f"run{ending}" for ending in (".html", ".md", ".svg")]
    exports.write(RUN, [str(file) for file in files])
    html, markdown, svg = (file.read_text() for file in files)
    for text in (html, markdown, svg):
        assert "Chaos: 2 kills" in text
        assert "5 reservations, all right: 0 reservations lost, 0 seats held twice" in text
    assert "| AWS create-hold | 4 | 5 | 1 | 4 | 4 |" in markdown
    assert "| 1 | host | mid-step | mid-step |" in markdown
    # Each kill is drawn, and told to those who do not see it.
    for drawn in (html, svg):
        assert 'aria-label="Kill 1: host 4711; AWS, mid-step; recovered after' in drawn
        assert 'aria-label="Kill 2: supervisor 4712; Cloudflare and AWS, mid-wait; recovered after' in drawn


def test_the_table_has_a_row_for_each_reservation(tmp_path: Path) -> None:
    exports.write(RUN, [str(tmp_path / "run.csv")])
    with (tmp_path / "run.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["reservation_id"] for row in rows][:2] == ["again-aws", "probe0-aws"]
    assert (rows[0]["verdict"], rows[0]["retries"], rows[0]["outcome"]) == ("right", "1", "expired")


@pytest.mark.parametrize("ending", exports.ENDINGS)
def test_every_format_takes_it(ending: str, tmp_path: Path) -> None:
    file = tmp_path / f"run{ending}"
    assert exports.write(RUN, [str(file)]) == [str(file)]
    assert file.stat().st_size > 100
