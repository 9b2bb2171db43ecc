"""The stack that a chaos run works on: one of its own, so that nobody else's reservations are disturbed."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from reservation_cli.chaos import storage
from reservation_cli.chaos.bodies import Bodies, Body
from reservation_cli.domain.chaos import Stored, Victim
from reservation_cli.domain.reservation import Platform
from reservation_cli.errors import PlatformError
from reservation_cli.local import engine_files, plan, ports, processes, stack
from reservation_cli.local.layout import WORKFLOW
from reservation_cli.local.processes import Process
from reservation_cli.local.stack import Stack
from reservation_cli.platforms import PlatformClient
from reservation_cli.settings import Settings

FOLDER = "chaos"
#: The run ends its stack itself; one that is killed leaves it to this.
_IDLE_MINUTES = 5.0

#: The victims by their names in the stack's plan; workerd is started by wrangler.
_CHILDREN: Mapping[Victim, str] = {"wrangler": "cloudflare", "workerd": "cloudflare", "engine": "aws", "host": "host"}

Clients = Mapping[Platform, PlatformClient]
Key = tuple[Platform, str]
Connect = Callable[[Settings, Platform], PlatformClient]


class Ground(Protocol):
    """What a chaos run needs of the stack that it works on. Errors are those of `reservation_cli.errors`."""

    @property
    def clients(self) -> Clients:
        """A client of each platform that takes part."""

    def find(self, victim: Victim, where: float) -> int:
        """The number of the process, of several the one at the place `where` (0 to 1). PlatformError without one."""

    def kill(self, pid: int) -> datetime | None:
        """Kill that process at once; when it was done. None when it has ended already."""

    def is_in_step(self, platform: Platform, ids: Sequence[str]) -> bool | None:
        """Whether one of these executions is within the body of a step just now; None where nothing tells in time."""

    def revive(self, killed: int = 0) -> None:
        """What the next `resv` command does: see to it that the stack runs. `killed`: a supervisor that was killed."""

    def bodies(self) -> Sequence[Body]:
        """The step bodies that have begun, of the platforms whose history does not tell."""

    def stored(self) -> Mapping[Key, Stored]:
        """All records as they lie in the seats' own storage, by platform and reservation id."""

    def keep_logs(self) -> Path:
        """Put the logs of the engines aside, so that they outlive the stack; where they are."""


@dataclass(frozen=True, slots=True)
class LocalGround:
    """A local stack in a folder and on ports of its own."""

    settings: Settings
    clients: Clients
    progress: Callable[[str], None]
    log: Bodies

    @classmethod
    def open(
        cls, settings: Settings, platforms: Sequence[Platform], connect: Connect, progress: Callable[[str], None]
    ) -> LocalGround:
        """Start it. Raises what `stack.ensure` raises, with nothing left behind, of earlier runs neither."""
        end_abandoned(settings.home)
        taken = {settings.cloudflare_port, settings.aws_port}
        own = replace(
            settings,
            home=_folder(settings.home),
            cloudflare_port=ports.choose(0, taken),
            aws_port=ports.choose(0, taken),
            idle_minutes=_IDLE_MINUTES,
        )
        try:
            running = stack.ensure(own, progress)
            clients = {platform: connect(own, platform) for platform in platforms}
        except BaseException:
            _end(own.home)
            raise
        return cls(own, clients, progress, Bodies(running.log_dir / "host.log"))

    def find(self, victim: Victim, where: float) -> int:
        """See Ground.find."""
        found = sorted(self._processes(victim), key=lambda process: process.pid)
        if not found:
            raise PlatformError(f"The local stack has no process {victim}.")
        return found[min(int(where * len(found)), len(found) - 1)].pid

    def kill(self, pid: int) -> datetime | None:
        """See Ground.kill."""
        at = datetime.now(UTC)
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return None
        return at

    def is_in_step(self, platform: Platform, ids: Sequence[str]) -> bool | None:
        """See Ground.is_in_step. Cloudflare's engine has a file for each; to be asked takes it longer than a step."""
        if platform != "cloudflare":
            return None
        folder = engine_files.workflows(self.settings.home / plan.CLOUDFLARE, WORKFLOW)
        with suppress(sqlite3.Error):  # one that is just being made
            return any(engine_files.is_in_step(engine_files.object_path(folder, name)) for name in ids)
        return False

    def revive(self, killed: int = 0) -> None:
        """See Ground.revive."""
        # One that has just been killed holds its lock for an instant: it is not to be taken for a living one.
        while (running := stack.running(self.settings.home)) is not None and running.pid == killed:
            time.sleep(0.005)
        stack.ensure(self.settings, self.progress)

    def bodies(self) -> Sequence[Body]:
        """See Ground.bodies: AWS's engine counts no body that was killed, so the host's log is read."""
        return self.log.read()

    def stored(self) -> Mapping[Key, Stored]:
        """See Ground.stored."""
        running = self._running()
        found: dict[Key, Stored] = {}
        if "cloudflare" in self.clients:
            records = storage.durable_objects(running.cloudflare_url)
            found |= {("cloudflare", name): record for name, record in records.items()}
        if "aws" in self.clients:
            records = storage.dynamodb(running.dynamodb_url, running.region, running.seats_function)
            found |= {("aws", name): record for name, record in records.items()}
        return found

    def close(self) -> None:
        """End the stack, and forget all of it."""
        for client in self.clients.values():
            client.close()
        _end(self.settings.home)

    def keep_logs(self) -> Path:
        """Put the logs of the engines aside, so that they outlive the stack; where they are."""
        kept = self.settings.home.with_name(f"{self.settings.home.name}-logs")
        with suppress(OSError):  # as on a full disk: what the run has found is not lost with its logs
            shutil.copytree(self.settings.home / plan.LOGS, kept, dirs_exist_ok=True)
        return kept

    def _running(self) -> Stack:
        running = stack.running(self.settings.home)
        if running is None:
            raise PlatformError("The local stack of the run has ended.")
        return running

    def _processes(self, victim: Victim) -> list[Process]:
        home, table = self.settings.home, processes.table()
        if victim == "supervisor":
            mark = f"reservation_cli.local.supervisor {home} "
            return [process for process in table if mark in process.command]
        child = next(child for child in plan.read(home / plan.PLAN).children if child.name == _CHILDREN[victim])
        leaders = [process for process in table if process.command == " ".join(child.argv)]
        if victim != "workerd":
            return leaders
        groups = {process.group for process in leaders}
        return [process for process in table if process.group in groups and "/workerd " in process.command]


def end_abandoned(home: Path) -> None:
    """End what is left of runs that were killed themselves: their stacks go on until they are idle for long."""
    folder = home / FOLDER
    for left in folder.iterdir() if folder.is_dir() else ():
        number = left.name.rpartition("-")[2]
        if number.isdecimal() and not _lives(int(number)):
            _end(left)


def _lives(pid: int) -> bool:
    return any(process.pid == pid for process in processes.table())


def _folder(home: Path) -> Path:
    """A folder for this run alone; the process number tells it from those of runs at the same time."""
    return home / FOLDER / f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{os.getpid()}"


def _end(home: Path) -> None:
    if home.exists():
        stack.stop(home, lambda _message: None)
        # What it recorded is in the run; an engine's last write may still be under way.
        shutil.rmtree(home, ignore_errors=True)
