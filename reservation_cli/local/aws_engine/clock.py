"""Time as the engine sees it: whole milliseconds, and timers that follow the wall clock."""

from __future__ import annotations

import asyncio
import inspect
import logging
import time
from collections.abc import Callable
from concurrent.futures import Future
from datetime import UTC, datetime
from typing import Any

from aws_durable_execution_sdk_python_testing.scheduler import Event, Scheduler

logger = logging.getLogger(__name__)

# asyncio sleeps on the monotonic clock, which stands still while a laptop is suspended and drifts from the wall clock
# that `ScheduledEndTimestamp` is written in. A long sleep therefore looks at the wall clock again on its way.
_LONGEST_NAP_SECONDS = 20.0
_FINAL_NAP_SECONDS = 0.5


class MillisecondClock:
    """The wall clock in UTC, in whole milliseconds: the precision in which the store keeps timestamps."""

    def now(self) -> datetime:
        return datetime.fromtimestamp(time.time_ns() // 1_000_000 / 1000, UTC)

    def arm(self, wake: datetime) -> float:
        """Seconds from now until `wake`, never negative."""
        return max(wake.timestamp() - time.time(), 0.0)


class WallClockScheduler(Scheduler):
    """The engine's scheduler, with timers that end at a moment of the wall clock."""

    def call_later(
        self,
        func: Callable[[], Any],
        delay: float = 0,
        count: int | None = 1,
        completion_event: Event | None = None,
    ) -> Future[Any]:
        """Call `func`, a coroutine function or a plain one, once `delay` seconds of wall-clock time have passed.

        The executor repeats no timer and waits for no event, so `count` and `completion_event` are not looked at.
        """
        due = time.time() + delay

        async def run() -> Any:
            while (left := due - time.time()) > 0:
                await asyncio.sleep(
                    left if left <= 2 * _FINAL_NAP_SECONDS else min(left - _FINAL_NAP_SECONDS, _LONGEST_NAP_SECONDS)
                )
            try:
                return await func() if inspect.iscoroutinefunction(func) else await asyncio.to_thread(func)
            except Exception:
                logger.exception("a scheduled task failed")
                raise

        return asyncio.run_coroutine_threadsafe(run(), self._loop)
