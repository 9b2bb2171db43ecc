"""Keeping the calls of one process inside a vendor's rate."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class Pace:
    """`burst` calls at once, then `per_second` of them: a token bucket that the threads of a process share.

    No stretch of S seconds has more than `burst` + S * `per_second` calls in it.
    """

    def __init__(
        self,
        burst: int,
        per_second: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        """`clock` tells seconds that never go back; `sleep` takes seconds."""
        self._every = 1 / per_second
        self._ahead = burst * self._every
        self._clock, self._sleep = clock, sleep
        self._next = clock()
        self._lock = threading.Lock()

    def wait(self, notice: Callable[[float], None] = lambda _seconds: None) -> float:
        """Sleep until a call is allowed; the seconds slept. `notice` is told them before, when there are any.

        The turn is taken on entry: who comes first goes first, and nobody sleeps while holding the lock.
        """
        with self._lock:
            now = self._clock()
            self._next = max(self._next, now) + self._every
            seconds = max(0.0, self._next - self._ahead - now)
        if seconds > 0:
            notice(seconds)
            self._sleep(seconds)
        return seconds
