"""A full disk and a home that cannot be written: each command says so in a line, and tells what was done all the same.

The disk is full for real: past RLIMIT_FSIZE the kernel refuses every write to a file (EFBIG, since Python ignores
SIGXFSZ). The home that cannot be written lies beneath a regular file, which stops root as well.
"""

from __future__ import annotations

import json
import os
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from reservation_cli import runs, store
from reservation_cli.errors import ConflictError, NotConfiguredError, NotFoundError
from reservation_cli.local.logs import BoundedLog
from support.fake_platform import FakePlatform
from support.timelines import expired

Run = Callable[..., tuple[int, str, str]]


@contextmanager
def full_disk() -> Iterator[None]:
    """No file grows within."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def everything(folder: Path) -> dict[str, bytes]:
    """All files beneath, with what is in them."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def error_of(code: int, err: str) -> str:
    """The one line of the error; there is a hint, and nothing else."""
    line, hint = err.splitlines()[-2:]
    assert code == 6
    assert line.startswith("Error: ")
    assert hint.startswith("Hint: ")
    assert "Traceback" not in err
    return line


def test_on_a_full_disk_a_reservation_is_made_and_told(run_resv: Run, environ: dict[str, str]) -> None:
    home = Path(environ["RESV_HOME"])
    run_resv("reserve", "--seat", "A1", "--id", "before")
    kept = everything(home)
    with full_disk():
        code, out, err = run_resv("reserve", "--seat", "A2", "--id", "during")
    assert error_of(code, err) == f"Error: {home} cannot be written: File too large."
    assert "during is made" in err
    assert "Free some space" in err
    assert out.count("held until") == 2
    assert everything(home) == kept
    assert store.last(home) == "before"
    code, out, _ = run_resv("status", "during", "--json")
    assert (code, len(json.loads(out)["lanes"])) == (0, 2)


def test_on_a_full_disk_json_has_the_reservation_on_stdout_and_the_error_on_stderr(run_resv: Run) -> None:
    with full_disk():
        code, out, err = run_resv("reserve", "--seat", "A2", "--json")
    assert code == 6
    assert [lane["status"] for lane in json.loads(out)["lanes"]] == ["waiting", "waiting"]
    assert json.loads(err)["error"]["code"] == "home_unwritable"


def test_on_a_full_disk_a_watched_reservation_is_followed_to_its_end(run_resv: Run) -> None:
    with full_disk():
        code, out, err = run_resv("reserve", "--seat", "A1", "--hold", "1s", "--watch")
    error_of(code, err)
    assert out.count("expired") >= 2


def test_on_a_full_disk_a_comparison_is_drawn_and_its_run_not_kept_in_part(
    run_resv: Run, environ: dict[str, str]
) -> None:
    with full_disk():
        code, out, err = run_resv("compare", "--hold", "1s")
    error_of(code, err)
    assert "timer error" in out
    assert not [path for path in Path(environ["RESV_HOME"]).rglob("*") if path.is_file() and path.stat().st_size]


@pytest.mark.parametrize("action", ["confirm", "cancel"])
def test_on_a_full_disk_what_was_decided_is_told(run_resv: Run, action: str) -> None:
    run_resv("reserve", "--seat", "A1")
    with full_disk():
        code, out, _ = run_resv(action)
    assert code == 0, "nothing had to be written"
    assert out.count(f"seat A1 is {'confirmed' if action == 'confirm' else 'cancelled'}") == 2


def test_what_was_decided_and_refused_is_told_when_nothing_can_be_written(
    run_resv: Run, environ: dict[str, str], aws: FakePlatform
) -> None:
    run_resv("reserve", "--seat", "A1", "--id", "r-1")
    aws.cancel("r-1")
    beneath_a_file(environ)
    code, out, err = run_resv("confirm", "r-1")
    assert code == ConflictError.exit_code, "the platform's refusal comes first"
    assert out.count("seat A1 is confirmed") == 1
    assert "cannot be written" in err
    code, out, err = run_resv("cancel", "r-1")
    assert code == ConflictError.exit_code, "nothing was decided, so nothing had to be written"


def beneath_a_file(environ: dict[str, str]) -> Path:
    """Moves the home where nobody can write."""
    file = Path(environ["RESV_HOME"]).parent / "file"
    file.write_text("")
    environ["RESV_HOME"] = str(file / "home")
    return file / "home"


def test_with_a_home_that_cannot_be_written_a_reservation_is_made_and_told(
    run_resv: Run, environ: dict[str, str]
) -> None:
    home = beneath_a_file(environ)
    code, out, err = run_resv("reserve", "--seat", "A1", "--id", "r-1")
    assert error_of(code, err) == f"Error: {home} cannot be written: Not a directory."
    assert "r-1 is made" in err
    assert "Set RESV_HOME" in err
    assert out.count("held until") == 2
    assert run_resv("status", "r-1")[0] == 0
    code, out, err = run_resv("status")
    assert code == NotFoundError.exit_code


@pytest.mark.parametrize(
    "argv", [("deploy", "aws", "--yes"), ("deploy", "cloudflare", "--yes"), ("teardown", "aws", "--yes")]
)
def test_nothing_is_deployed_that_could_not_be_recorded(
    run_resv: Run, environ: dict[str, str], argv: tuple[str, ...]
) -> None:
    beneath_a_file(environ)
    code, out, err = run_resv(*argv)
    assert out == ""
    error_of(code, err)


def test_check_finds_a_full_disk_before_anything_is_begun(tmp_path: Path) -> None:
    store.check(tmp_path)
    kept = everything(tmp_path)
    with full_disk(), pytest.raises(NotConfiguredError, match="File too large"):
        store.check(tmp_path)
    assert everything(tmp_path) == kept


def test_a_run_is_recorded_whole_or_not_at_all(tmp_path: Path) -> None:
    run = runs.made("compare", expired(), {})
    with full_disk(), pytest.raises(NotConfiguredError, match="File too large"):
        runs.record(tmp_path, run)
    assert everything(tmp_path) == {}
    runs.record(tmp_path, run)
    kept = everything(tmp_path)
    with full_disk(), pytest.raises(NotConfiguredError):
        runs.record(tmp_path, run)
    assert everything(tmp_path) == kept


@pytest.mark.parametrize("argv", [("up",), ("reserve", "--seat", "A1", "--local")])
def test_the_stack_does_not_start_where_nothing_can_be_written(
    environ: dict[str, str], capsys: pytest.CaptureFixture[str], argv: tuple[str, ...]
) -> None:
    from reservation_cli.cli import main

    beneath_a_file(environ)
    code = main(argv, environ)
    out, err = capsys.readouterr()
    assert out == ""
    assert error_of(code, err).endswith("Not a directory.")


def test_the_stack_does_not_start_on_a_full_disk(environ: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    from reservation_cli.cli import main

    with full_disk():
        code = main(("up",), environ)
    out, err = capsys.readouterr()
    assert out == ""
    assert error_of(code, err).endswith("File too large.")


def test_a_log_on_a_full_disk_loses_output_and_nothing_else(tmp_path: Path) -> None:
    log = BoundedLog(tmp_path / "log")
    with full_disk():
        log.write(b"lost\n")
    log.write(b"kept\n")
    log.close()
    assert (tmp_path / "log").read_bytes() == b"kept\n"


def test_a_device_is_no_place_for_an_export(run_resv: Run, tmp_path: Path) -> None:
    """Not through a link either: as root it would be replaced by a file."""
    pipe, link = tmp_path / "pipe", tmp_path / "out.json"
    os.mkfifo(pipe)
    link.symlink_to(pipe)
    code, out, err = run_resv("compare", "--output", str(link))
    assert (code, out) == (2, "")
    assert err.startswith(f"Error: {link} is no regular file.")
    assert pipe.is_fifo()


def test_a_home_that_is_a_file_is_said_to_be_no_folder(run_resv: Run, environ: dict[str, str]) -> None:
    home = Path(environ["RESV_HOME"])
    home.write_text("")
    code, _, err = run_resv("reserve", "--seat", "A1")
    assert error_of(code, err) == f"Error: {home} cannot be written: it is no folder."
    assert home.read_text() == ""
