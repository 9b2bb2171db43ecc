"""A clock that a test moves, in the place of an event that is waited for."""

from __future__ import annotations

import threading
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
