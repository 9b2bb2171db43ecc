"""The state outlives killed writers, several writers at once, and damage that resv did not do."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from reservation_cli import files, store
from reservation_cli.errors import NotConfiguredError
from reservation_cli.local.halves import PACKAGE
from support.state_writer import remember

Run = Callable[..., tuple[int, str, str]]

WRITING = Path(__file__).parents[1] / "support" / "state_writer.py"
TESTS = WRITING.parents[1]
ENVIRON = {**os.environ, "PYTHONPATH": os.pathsep.join([str(PACKAGE.parent), str(TESTS)])}


def writer(home: Path, prefix: str, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, str(WRITING), str(home), prefix, str(count)]
    return subprocess.Popen(command, env=ENVIRON, stdout=subprocess.PIPE, text=True)


def known(home: Path) -> set[str]:
    """What is remembered, each with both its lanes."""
    reservations = json.loads((home / "state.json").read_text())["reservations"]
    for name, lanes in reservations.items():
        assert {lane["ref"] for lane in lanes.values()} == {f"{name}-cloudflare", f"{name}-aws"}
    return set(reservations)


def unfinished(home: Path) -> list[Path]:
    return list(home.glob(".resv-*"))


def test_several_processes_at_once_lose_none_of_each_others_reservations(tmp_path: Path) -> None:
    home, count = tmp_path / "home", 60
    writers = [writer(home, f"w{number}", count) for number in range(6)]
    told = {line.strip() for each in writers for line in each.communicate(timeout=120)[0].splitlines()}
    assert [each.returncode for each in writers] == [0] * 6
    assert len(told) == 6 * count <= store.REMEMBERED
    assert known(home) == told
    assert unfinished(home) == []


def test_a_writer_killed_at_any_moment_loses_nothing_that_it_had_told(tmp_path: Path) -> None:
    """SIGKILL, 300 times, some thousandths of a second after a write that was told: in the middle of another."""
    home, moments = tmp_path / "home", random.Random(7)
    told: set[str] = set()
    torn = 0
    for kill in range(300):
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                os.close(reading)
                for number in range(1000):
                    os.write(writing, f"{remember(home, f'k{kill}', number)}\n".encode())
            finally:
                os._exit(1)  # whatever happens: a second pytest must not go on from here
        os.close(writing)
        with os.fdopen(reading) as names:
            told.add(names.readline().strip())
            moment = time.perf_counter() + moments.uniform(0, 0.004)
            while time.perf_counter() < moment:
                pass  # nothing to wait for: the moment is what is tried
            os.kill(pid, signal.SIGKILL)
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL
            told |= {line.strip() for line in names if line.endswith("\n")}
        torn += bool(unfinished(home))
        # The newest are kept, so that those told before a kill are among them.
        expected = {name for name in told if name.startswith(f"k{kill}-")}
        found = known(home)
        assert expected <= found
        assert store.last(home) in found
    assert torn > 10, "kills came in the middle of writes"
    remember(home, "after", 0)
    assert unfinished(home) == [], "what the killed left is removed by the next writer"


@pytest.mark.parametrize("call", ["fsync", "replace", "close"])
def test_a_writer_killed_before_each_of_its_calls_leaves_the_state_as_it_was(tmp_path: Path, call: str) -> None:
    home = tmp_path / "home"
    remember(home, "before", 0)
    kept = (home / "state.json").read_bytes()
    pid = os.fork()
    if pid == 0:
        try:
            setattr(os, call, lambda *_: os.kill(os.getpid(), signal.SIGKILL))
            remember(home, "never", 0)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL
    after = (home / "state.json").read_bytes()
    assert after == kept or known(home) == {"before-0", "never-0"}
    remember(home, "after", 0)
    assert {"before-0", "after-0"} <= known(home)
    assert unfinished(home) == []


DAMAGED = {
    "empty": b"",
    "truncated": b'{"format": 1, "reservations": {"r-1": {"aws": {"ref": "ar',
    "not JSON": b"state: yes\n",
    "not UTF-8": b'{"last": "\xff\xfe"}',
    "zeros, as a file system may leave after a power failure": b"\0" * 512,
    "nested without end": b"[" * 100_000,
    "a list": b"[]",
    "a number": b"7",
    "null": b"null",
    "reservations that are none": b'{"reservations": []}',
    "a reservation that is none": b'{"reservations": {"r-1": 7}}',
    "deployments that are none": b'{"deployments": "aws"}',
    "a last that is no id": b'{"last": {"r-1": 1}}',
    "another version": b'{"format": 2, "reservations": {}}',
    "a version that is none": b'{"format": null}',
}
WRITERS: dict[str, Callable[[Path], object]] = {
    "remember": lambda home: remember(home, "new", 0),
    "check": store.check,
    "check_readable": store.check_readable,
    "forget_local": store.forget_local,
    "forget_deployment": lambda home: store.forget_deployment(home, "aws", "dev"),
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED.keys())
def test_a_damaged_state_is_named_and_never_overwritten(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "state.json"
    path.write_bytes(content)
    for write in WRITERS.values():
        with pytest.raises(NotConfiguredError, match=str(path)) as caught:
            write(tmp_path)
        assert caught.value.code == "state_unreadable"
        assert "\n" not in caught.value.message
        assert caught.value.hint
    assert path.read_bytes() == content
    assert unfinished(tmp_path) == []


@pytest.mark.parametrize(
    "argv",
    [
        ("reserve", "--seat", "A1"),
        ("compare",),
        ("confirm",),
        ("status",),
        ("deploy", "aws", "--yes"),
        ("teardown", "aws", "--yes"),
    ],
)
def test_each_command_names_a_damaged_state_and_leaves_it(
    run_resv: Run, environ: dict[str, str], argv: tuple[str, ...]
) -> None:
    home = Path(environ["RESV_HOME"])
    home.mkdir()
    (home / "state.json").write_text('{"reservations": {"r-1"')
    code, out, err = run_resv(*argv)
    assert (code, out) == (6, "")
    assert err.startswith(f"Error: {home / 'state.json'} cannot be read: it is no JSON")
    assert err.splitlines()[1].startswith("Hint: Mend the file, or move it away")
    assert len(err.splitlines()) == 2
    assert (home / "state.json").read_text() == '{"reservations": {"r-1"'


def test_a_state_of_the_time_before_versions_is_read_and_kept(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text('{"last": "r-1", "reservations": {"r-1": {"aws": {"ref": "x"}}}}')
    remember(tmp_path, "new", 0)
    state = json.loads((tmp_path / "state.json").read_text())
    assert state["format"] == store.FORMAT
    assert store.known_lanes(tmp_path, "r-1")["aws"].ref == "x"


def test_what_holds_tokens_is_its_owners_alone(tmp_path: Path) -> None:
    home = tmp_path / "deep" / "home"
    before = os.umask(0)
    try:
        remember(home, "r", 0)
    finally:
        os.umask(before)
    modes = {name: (home / name).stat().st_mode & 0o777 for name in (".", "state.json", "state.lock")}
    assert modes == {".": 0o700, "state.json": 0o600, "state.lock": 0o600}


def test_a_write_that_fails_leaves_what_stood_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    files.write_whole(path, "old")

    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        files.write_whole(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
