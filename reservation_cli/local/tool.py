"""Runs of others' tools: without a terminal, in a process group of its own that ends with us."""

from __future__ import annotations

import signal
import subprocess
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from reservation_cli.local.reaper import signal_group

_EXIT_SECONDS = 5.0


@contextmanager
def running(
    argv: Sequence[str | Path],
    environ: Mapping[str, str],
    folder: Path | None = None,
    stdout: IO[str] | None = None,
    stderr: IO[str] | None = None,
    keep: Collection[int] = (),
) -> Iterator[subprocess.Popen[str]]:
    """`argv` while it runs in `folder`: its stdout is piped unless it goes to a file, its stderr goes with it likewise.

    `keep` are descriptors that it inherits. In the end it is ended (TERM, then KILL), and so is all that it started.
    Raises OSError when it cannot be started.
    """
    process = subprocess.Popen(
        argv,
        cwd=folder,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=stdout or subprocess.PIPE,
        stderr=stderr or subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
        pass_fds=keep,
    )
    try:
        yield process
    finally:
        try:
            if process.poll() is None:
                signal_group(process.pid, signal.SIGTERM)
                with suppress(subprocess.TimeoutExpired):
                    process.wait(_EXIT_SECONDS)
        finally:
            signal_group(process.pid, signal.SIGKILL)
            process.wait()
            if process.stdout:
                process.stdout.close()


def run(
    argv: Sequence[str | Path],
    environ: Mapping[str, str],
    seconds: float,
    heard: Callable[[str], None],
    folder: Path | None = None,
    stderr: IO[str] | None = None,
) -> int:
    """Run `argv` to its end, each line of what it says passed to `heard`; gives its exit code.

    What it says to stderr is heard too, unless that goes to a file. Raises TimeoutError after `seconds`, OSError when
    it cannot be started.
    """
    late = threading.Event()
    with running(argv, environ, folder, stderr=stderr) as process:

        def give_up() -> None:
            late.set()
            signal_group(process.pid, signal.SIGKILL)

        timer = threading.Timer(seconds, give_up)
        timer.start()
        try:
            for line in process.stdout or ():
                heard(line.rstrip("\r\n"))
            code = process.wait()
        finally:
            timer.cancel()
            timer.join()
    if late.is_set():
        raise TimeoutError(f"{argv[0]} did not end within {seconds:.0f} s")
    return code
