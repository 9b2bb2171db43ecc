"""`resv schema`, and the outputs that no other test of the commands has."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from reservation_cli import schema
from reservation_cli.domain.reservation import whole_ms
from reservation_cli.local import stack
from support import schemas
from support.fake_platform import FakePlatform

Run = Callable[..., tuple[int, str, str]]


def test_the_schema_of_a_run_is_printed_unless_another_is_named(run_resv: Run) -> None:
    code, out, err = run_resv("schema")
    assert (code, err) == (0, "")
    assert json.loads(out)["title"] == "resv.run/1: a run"
    assert run_resv("schema", "run", "--json") == (0, out, "")


@pytest.mark.parametrize("name", schema.OUTPUTS)
def test_each_one_is_a_document_that_stands_alone(run_resv: Run, name: str) -> None:
    code, out, err = run_resv("schema", name)
    assert (code, err) == (0, "")
    printed = json.loads(out)
    Draft202012Validator.check_schema(printed)
    assert printed["$id"] == f"urn:resv:{name}:1"


def test_the_list_tells_which_command_prints_which(run_resv: Run) -> None:
    code, out, err = run_resv("schema", "--list")
    assert (code, err) == (0, "")
    assert "\nplan         resv deploy --dry-run, resv teardown --dry-run\n" in out
    assert out.splitlines()[-1] == "error        any command, on stderr"
    listed = json.loads(run_resv("schema", "--list", "--json")[1])["schemas"]
    assert [each["name"] for each in listed] == [line.split()[0] for line in out.splitlines()]


def test_a_name_that_is_none_is_told_the_names(run_resv: Run) -> None:
    code, out, err = run_resv("schema", "walk", "--json")
    assert (code, out) == (2, "")
    error = json.loads(err)["error"]
    assert error["message"] == "There is no schema 'walk'."
    assert "run, list, runs" in error["hint"]


def test_what_is_recorded_and_what_is_drawn_again_is_a_run(
    run_resv: Run, environ: dict[str, str], cloudflare: FakePlatform, aws: FakePlatform
) -> None:
    cloudflare.now = aws.now = lambda: whole_ms(datetime.now(UTC))
    code, out, _ = run_resv("bench", "-n", "2", "--hold", "1s", "--warmup", "0", "--json")
    assert code == 0
    (recorded,) = (Path(environ["RESV_HOME"]) / "runs").iterdir()
    document = json.loads(recorded.read_text())
    schemas.assert_valid(document, "run")
    assert document == json.loads(out) == json.loads(run_resv("compare", str(recorded), "--json")[1])


@pytest.mark.parametrize(
    "argv",
    [
        "cost",
        "cost --free --per-month 5M --outcome confirmed --strategy event",
        "cost last",
        "cost nobody",
        "differences",
        "differences sleep",
        "differences nothing",
        "differences --code",
        "report",
        "report nothing -o run.csv",
    ],
)
def test_these_print_what_their_schema_says(run_resv: Run, argv: str) -> None:
    run_resv("reserve", "--seat", "A1", "--hold", "1h")
    code, out, err = run_resv(*argv.split(), "--json")
    assert (code == 0) == bool(out) == (not err)


def test_a_report_tells_where_it_was_written(run_resv: Run, tmp_path: Path) -> None:
    run_resv("compare", "--hold", "1s")
    (run,) = json.loads(run_resv("runs", "--json")[1])["runs"]
    file = str(tmp_path / "run.csv")
    assert json.loads(run_resv("report", run["id"], "-o", file, "--json")[1]) == {"written": [file]}


def test_a_log_is_a_document_a_line(run_resv: Run, environ: dict[str, str]) -> None:
    folder = Path(environ["RESV_HOME"]) / "logs"
    folder.mkdir(parents=True)
    (folder / "aws.log").write_text("one\ntwo\n")
    code, out, err = run_resv("logs", "aws", "--json")
    assert (code, err) == (0, "")
    assert [json.loads(line) for line in out.splitlines()] == [{"log": "aws", "text": text} for text in ("one", "two")]


def test_the_local_stack_says_where_it_is(run_resv: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started = stack.Stack(
        pid=1,
        started_at=datetime(2026, 11, 25, tzinfo=UTC),
        cloudflare_url="http://127.0.0.1:8787",
        workflow="reservation-workflow-dev",
        aws_endpoint_url="http://127.0.0.1:9014",
        dynamodb_url="http://127.0.0.1:9015",
        region="us-east-2",
        account="000000000000",
        function="reservation-workflow-dev",
        qualifier="live",
        seats_function="reservation-seats-dev",
        engines={},
        log_dir=tmp_path,
    )
    monkeypatch.setattr(stack, "ensure", lambda *_: started)
    monkeypatch.setattr(stack, "touch", lambda *_: None)
    assert json.loads(run_resv("up", "--json")[1])["cloudflare"] == {"url": "http://127.0.0.1:8787"}
    assert json.loads(run_resv("env", "--json")[1])["RESV_CLOUDFLARE_PORT"] == "8787"
    assert json.loads(run_resv("down", "--json")[1]) == {"stopped": False}
