"""Twenty thousand bad inputs at every door: 0 tracebacks, 0 HTTP 5xx, each answer of a documented form.

The seed is printed; RESV_FUZZ_SEED=N makes it another, and the same seed generates the same input.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from support import bad_answers, bad_cli, bad_files, bad_http, bad_worker
from support.bad_input import SEED, drive

pytestmark = [pytest.mark.soak, pytest.mark.stack]
WANTED = 20_000
#: How many there were at each door.
COUNTED: dict[str, int] = {}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a command writes or reads by a relative name is in a folder of the test's own."""
    monkeypatch.chdir(tmp_path)


def counted(door: str, count: int) -> None:
    COUNTED[door] = count
    print(f"\n{door}: {count} bad inputs (seed {SEED})")


def test_command_lines(tmp_path: Path) -> None:
    environ = bad_cli.environment(str(tmp_path))
    counted("command lines", drive(9_000, bad_cli.lines(), lambda line: bad_cli.check(line, environ)))


def test_files_and_settings(tmp_path: Path) -> None:
    counted("files and settings", drive(2_500, bad_files.broken(), lambda thing: bad_files.meet(thing, tmp_path)))


def test_parsers() -> None:
    made = [
        drive(350, bad_files.values(), lambda text, name=name: bad_files.parse(name, text), SEED + index)  # type: ignore[misc]
        for index, name in enumerate(bad_files.PARSERS)
    ]
    counted("values for parsers", sum(made))


def test_vendors_answers() -> None:
    with bad_answers.vendors() as vendors:
        counted("vendors' answers", drive(2_000, bad_answers.answers(list(vendors.questions)), vendors.ask))


@pytest.mark.parametrize(("server", "count"), [("engine", 1_200), ("host", 1_000), ("worker", 200)])
def test_http(stack_environ: Mapping[str, str], server: str, count: int) -> None:
    home = Path(stack_environ["RESV_HOME"])
    url = bad_http.urls(home)[server]
    made = drive(count, bad_http.requests(server), lambda sent: bad_http.send(sent, url))
    assert bad_http.complaints(home) == []
    counted(f"HTTP to the {server}", made)


def test_the_worker_by_its_description(stack_environ: Mapping[str, str], tmp_path: Path) -> None:
    url = bad_http.urls(Path(stack_environ["RESV_HOME"]))["worker"]
    examples = int(os.environ.get("RESV_FUZZ_EXAMPLES", "25"))
    report = bad_worker.run(url, tmp_path, examples, SEED)
    assert report.failures == [], report.text
    counted("requests after the Worker's description", report.cases)


def test_there_were_enough() -> None:
    """Of all that this file's tests before it have counted."""
    total = sum(COUNTED.values())
    rows = "\n".join(f"{count:>7} {door}" for door, count in COUNTED.items())
    print(f"\n{rows}\n{total:>7} bad inputs in all, seed {SEED}: 0 tracebacks, 0 HTTP 5xx")
    assert total >= WANTED
