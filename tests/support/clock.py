"""Clocks that a test moves: in the place of an event that is waited for, and of `time`."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

START = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


class Clock(threading.Event):
    """An event whose waiting moves the clock instead of the world."""

    def __init__(self) -> None:
        super().__init__()
        self.time = START
        self.nudge_at: datetime | None = None

    def now(self) -> datetime:
        return self.time

    def wait(self, timeout: float | None = None) -> bool:
        until = self.time + timedelta(seconds=timeout or 0)
        if self.nudge_at is not None and self.time < self.nudge_at <= until:
            self.time, self.nudge_at = self.nudge_at, None
            return True
        self.time = until
        return False


@dataclass
class Sleeper:
    """Seconds that pass only by being slept through or set."""

    now: float = 0.0
    slept: list[float] = field(default_factory=list)

    def read(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
