"""resv report: a recorded run written to files; stdout, stderr and exit codes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from reservation_cli import runs
from support import benches
from support.http_server import serving

Resv = Callable[..., tuple[int, str, str]]


@pytest.fixture
def recorded(environ: dict[str, str]) -> str:
    """The id of a recorded comparison."""
    folder = Path(environ["RESV_HOME"]) / runs.FOLDER
    folder.mkdir(parents=True)
    run = benches.compared()
    (folder / f"{run.id}.json").write_text(runs.text(run))
    return run.id


@pytest.mark.usefixtures("recorded")
def test_the_last_run_is_written_to_each_file(run_resv: Resv, tmp_path: Path) -> None:
    files = [str(tmp_path / f"run.{ending}") for ending in ("csv", "md", "trace.json", "json")]
    code, out, err = run_resv("report", *[part for file in files for part in ("--output", file)])
    assert (code, out) == (0, "")
    assert err.splitlines() == [f"Written: {file}" for file in files]
    assert all(Path(file).stat().st_size > 0 for file in files)


def test_by_id_and_by_file(run_resv: Resv, recorded: str, tmp_path: Path) -> None:
    again = str(tmp_path / "again.json")
    assert run_resv("report", recorded, "-o", again)[0] == 0
    code, _, err = run_resv("report", again, "-o", str(tmp_path / "run.md"))
    assert (code, err) == (0, f"Written: {tmp_path / 'run.md'}\n")
    assert recorded in (tmp_path / "run.md").read_text()


@pytest.mark.usefixtures("recorded")
def test_json_says_what_was_written(run_resv: Resv, tmp_path: Path) -> None:
    file = str(tmp_path / "run.csv")
    code, out, err = run_resv("report", "-o", file, "--json")
    assert (code, json.loads(out), err) == (0, {"written": [file]}, f"Written: {file}\n")


def test_a_benchmark(run_resv: Resv, tmp_path: Path) -> None:
    run = benches.run()
    (tmp_path / "bench.json").write_text(runs.text(run))
    code, out, _ = run_resv("report", str(tmp_path / "bench.json"), "-o", str(tmp_path / "bench.csv"))
    assert (code, out) == (0, "")
    assert run.bench is not None
    assert len((tmp_path / "bench.csv").read_text().splitlines()) == 1 + len(run.bench.samples)


@pytest.mark.usefixtures("recorded")
def test_spans_are_sent_with_the_headers_of_the_environment(run_resv: Resv, environ: dict[str, str]) -> None:
    environ["OTEL_EXPORTER_OTLP_HEADERS"] = "authorization=key"
    with serving() as collector:
        collector.give("POST", "/v1/traces", b"", content_type="application/x-protobuf")
        code, out, err = run_resv("report", "-o", collector.url)
    assert (code, out, err) == (0, "", f"Written: 12 spans to {collector.url}/v1/traces\n")
    assert collector.authorizations == ["key"]


@pytest.mark.usefixtures("recorded")
def test_a_refused_endpoint_is_the_platforms_refusal(run_resv: Resv, environ: dict[str, str]) -> None:
    environ["OTEL_EXPORTER_OTLP_TIMEOUT"] = "0.2"
    with serving() as gone:
        url = gone.url
    code, out, err = run_resv("report", "-o", url)
    assert (code, out) == (5, "")
    assert err.splitlines()[0] == f"Error: {url}/v1/traces did not take the spans: Connection refused."


@pytest.mark.usefixtures("recorded")
def test_without_a_file_it_says_which_there_are(run_resv: Resv) -> None:
    code, out, err = run_resv("report")
    assert (code, out) == (2, "")
    assert err == (
        "Error: Nothing to write the run to.\n"
        "Hint: --output FILE, ending in one of .html .json .csv .svg .md .trace.json;"
        " `resv compare last` draws it here.\n"
    )


@pytest.mark.parametrize(
    ("argv", "code", "told"),
    [
        (("report", "-o", "x.md"), 3, "No run has been recorded here yet."),
        (("report", "nothing", "-o", "x.md"), 3, "There is no run nothing."),
        (("report", "-o", "x.htm"), 2, "x.htm ends in .htm, which is no format."),
        (("report", "-o", "-"), 2, "--output writes files, not to stdout."),
    ],
)
def test_errors_come_before_anything_is_written(
    run_resv: Resv, argv: tuple[str, ...], code: int, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found, out, err = run_resv(*argv)
    assert (found, out) == (code, "")
    assert err.splitlines()[0] == f"Error: {told}"
    assert list(tmp_path.glob("x.*")) == []


@pytest.mark.usefixtures("recorded")
def test_errors_as_json(run_resv: Resv) -> None:
    code, out, err = run_resv("report", "--json", "-o", "no/such/run.md")
    assert (code, out) == (2, "")
    assert json.loads(err)["error"]["message"] == "no/such/run.md: there is no folder no/such."
