"""The local stack from the outside: is it running, start it, stop it. `supervisor` is the process that runs it.

`running` is part of every command's start time: what only a start needs is imported where it is used.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from reservation_cli.errors import NotConfiguredError, PlatformError, TimedOutError
from reservation_cli.files import own_file, own_folder
from reservation_cli.local import locks
from reservation_cli.local.plan import FORMAT, LOCK, LOGS, PLAN, STACK, USED, Plan, write

if TYPE_CHECKING:
    from reservation_cli.local.functions import OwnFunctions
    from reservation_cli.settings import Settings

Progress = Callable[[str], None]

STARTING = "start.lock"

_SUPERVISOR = "reservation_cli.local.supervisor"

_POLL_SECONDS = 0.02
#: Longer than the supervisor's own limit for a start that hangs, whose error says more.
_START_SECONDS = 90.0
_ANSWER_SECONDS = 30.0
_STOP_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Stack:
    """A running local stack, as read from RESV_HOME/stack.json."""

    pid: int
    started_at: datetime
    cloudflare_url: str
    workflow: str
    aws_endpoint_url: str
    dynamodb_url: str
    region: str
    account: str
    function: str
    qualifier: str
    seats_function: str
    #: versions by part: "cloudflare", "aws" and "node"
    engines: Mapping[str, str]
    log_dir: Path
    #: the user's own, by name; a `*` in a name stands for anything
    functions: OwnFunctions = field(default_factory=dict)


def running(home: Path) -> Stack | None:
    """The stack that runs in `home`; None when none does, or when it is not up yet."""
    with _usable(home):
        return _read(home / STACK) if locks.is_held(home / LOCK) else None


def ensure(settings: Settings, progress: Progress) -> Stack:
    """The stack of `settings.home`, started if need be, with both engines answering. `progress` gets what is done.

    Raises NotConfiguredError when a part of it is missing, PlatformError when it does not start.
    """

    def layout() -> tuple[Plan, dict[str, str]]:
        from reservation_cli.local import layout

        return layout.plan(settings, progress), layout.child_environ(settings.environ)

    return start(settings.home, layout, progress)


def start(home: Path, layout: Callable[[], tuple[Plan, dict[str, str]]], progress: Progress) -> Stack:
    """What `ensure` does, for any plan and environment: `layout` makes them when there is something to start."""
    with _usable(home):
        own_folder(home / LOGS)
        touch(home)
        stack = running(home)
        if stack is not None:
            _wait_for_answers(stack)
            return stack
        waiting = "Another process is starting the local stack; waiting for it…"
        with locks.held(home / STARTING, lambda: progress(waiting)):
            return _wait_for_other(home, progress) or _launch(home, layout)


def stop(home: Path, progress: Progress) -> bool:
    """Stops the stack in `home` and waits until all of it has ended. False when there was nothing to stop.

    Raises TimedOutError when its supervisor goes on.
    """
    from reservation_cli.local import leftovers

    with _usable(home):
        if not locks.is_held(home / LOCK):
            return leftovers.sweep(home) > 0
        progress("Stopping the local stack…")
        _end_supervisor(home)
        leftovers.sweep(home)
    return True


def touch(home: Path) -> None:
    """Marks the stack as used now: it stops by itself when unused for a while."""
    with _usable(home):
        (home / USED).touch(mode=0o600)


@contextmanager
def _usable(home: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise NotConfiguredError(
            f"The local stack cannot use {error.filename or home}: {error.strerror or error}.",
            hint=f"Its state is kept in {home}; RESV_HOME names another folder.",
        ) from error


def _read(path: Path) -> Stack | None:
    """The stack that stack.json tells of; None when there is no such file, or it is not of this format."""
    try:
        fields = json.loads(path.read_text())
        if fields.pop("format") != FORMAT:
            return None
        started_at = datetime.fromisoformat(fields.pop("started_at"))
        return Stack(started_at=started_at, log_dir=path.parent / LOGS, **fields)
    except (FileNotFoundError, ValueError, TypeError, KeyError, AttributeError):
        return None


def _wait_for_other(home: Path, progress: Progress) -> Stack | None:
    """The stack that another process has started, or whose start outlived the command that began it."""
    deadline = time.monotonic() + _START_SECONDS
    while locks.is_held(home / LOCK):
        if (stack := _read(home / STACK)) is not None:
            return stack
        if (home / STACK).exists():
            progress("The running local stack is another version's; starting it anew…")
            _end_supervisor(home)
            return None
        if time.monotonic() > deadline:
            raise TimedOutError(
                f"The local stack did not come up in {_START_SECONDS:.0f} s.", hint=f"Its logs are in {home / LOGS}."
            )
        time.sleep(_POLL_SECONDS)
    return None


def _launch(home: Path, layout: Callable[[], tuple[Plan, dict[str, str]]]) -> Stack:
    import subprocess
    import sys

    from reservation_cli.local import leftovers, logs

    # Before the plan is made: what is left of the last stack may still have the ports that this one is to have again.
    leftovers.sweep(home)
    (home / STACK).unlink(missing_ok=True)
    plan, environ = layout()
    write(plan, home / PLAN)
    reading, writing = os.pipe()
    with os.fdopen(reading) as outcome:
        try:
            # For what the interpreter says before it can do so itself: an error of an import, a fatal one.
            logs.rotate_if_full(home / LOGS / "supervisor.log")
            with open(home / LOGS / "supervisor.log", "ab", opener=own_file) as log:
                subprocess.run(
                    [sys.executable, "-P", "-m", _SUPERVISOR, str(home), str(writing)],
                    check=True,  # it goes into the background and ends at once
                    cwd=home,
                    env=environ,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                    pass_fds=[writing],
                )
        finally:
            os.close(writing)
        line = outcome.readline()  # comes to an end in any case: the supervisor limits each start
    report = json.loads(line) if line else {"error": "its supervisor ended before it was up", "log": "supervisor"}
    stack = _read(home / STACK)
    if report["error"] is not None or stack is None:
        raise PlatformError(
            f"The local stack did not start: {report['error']}.",
            hint=f"More is in {home / LOGS / report['log']}.log.",
        )
    return stack


def _wait_for_answers(stack: Stack) -> None:
    """An engine that has just died is about to be restarted: its port is closed for a moment."""
    deadline = time.monotonic() + _ANSWER_SECONDS
    for url in (stack.cloudflare_url, stack.aws_endpoint_url):
        while not _listens(url):
            if time.monotonic() > deadline:
                raise PlatformError(
                    f"The local stack is running, but {url} does not answer.",
                    hint=f"Its logs are in {stack.log_dir}; `resv down` and `resv up` start it anew.",
                )
            time.sleep(_POLL_SECONDS)


def _listens(url: str) -> bool:
    import socket

    parts = urlsplit(url)
    try:
        socket.create_connection((parts.hostname or "", parts.port or 0), timeout=1).close()
    except OSError:
        return False
    return True


def _end_supervisor(home: Path) -> None:
    """Ends the supervisor of `home`. Raises TimedOutError when the lock is still held then: the stack still runs."""
    import signal

    for number in (signal.SIGTERM, signal.SIGKILL):
        deadline = time.monotonic() + _STOP_SECONDS
        signalled = False
        while locks.is_held(home / LOCK):
            if time.monotonic() > deadline:
                break
            if not signalled and (pid := _supervisor(home)):
                with suppress(ProcessLookupError):
                    os.kill(pid, number)
                signalled = True
            time.sleep(_POLL_SECONDS)
        else:
            return
    raise TimedOutError(
        f"The local stack did not stop: {home / LOCK} is still held after {2 * _STOP_SECONDS:.0f} s.",
        hint="Its supervisor may run in another container, or as another user: stop it there.",
    )


def _supervisor(home: Path) -> int | None:
    """The process that holds the lock; None while it has not yet written its number there.

    Its command line names the home as whoever started it did, which may be by another path.
    """
    from reservation_cli.local.processes import table

    text = (home / LOCK).read_text(errors="replace")
    return next(
        (process.pid for process in table() if str(process.pid) == text and _SUPERVISOR in process.command), None
    )
