"""One run of somebody else's tool: its output line by line, its end when we are interrupted or it takes too long."""

from __future__ import annotations

import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from reservation_cli.local.reaper import signal_group

_EXIT_SECONDS = 3.0


def run(
    argv: Sequence[str | Path],
    environ: Mapping[str, str],
    seconds: float,
    heard: Callable[[str], None],
    folder: Path | None = None,
) -> int:
    """Run `argv` in `folder` without a terminal, each line of what it says passed to `heard`; gives its exit code.

    It has a process group of its own, which is ended with us, and after `seconds`: then TimeoutError is raised.
    Raises OSError when it cannot be started.
    """
    process = subprocess.Popen(
        argv,
        cwd=folder,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    expired = threading.Event()

    def expire() -> None:
        expired.set()
        signal_group(process.pid, signal.SIGKILL)

    timer = threading.Timer(seconds, expire)
    timer.start()
    try:
        for line in process.stdout or ():
            heard(line.rstrip())
        code = process.wait()
    except BaseException:
        _end(process)
        raise
    finally:
        timer.cancel()
        timer.join()
        if process.stdout:
            process.stdout.close()
    if expired.is_set():
        raise TimeoutError(f"{argv[0]} did not end within {seconds:.0f} s")
    return code


def _end(process: subprocess.Popen[str]) -> None:
    signal_group(process.pid, signal.SIGINT)
    try:
        with suppress(subprocess.TimeoutExpired):
            process.wait(_EXIT_SECONDS)
    finally:
        signal_group(process.pid, signal.SIGKILL)
        process.wait()
