"""Following hundreds of executions of one platform: list calls while they wait, each one's own steps at its end.

What a platform allows a caller (15 histories a second on AWS, 1,200 requests in 5 minutes on Cloudflare) would not
do for hundreds that are each asked about by themselves. The clients keep to these rates; this keeps the calls few.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from reservation_cli.domain.timeline import ExecutionStatus, Timeline
from reservation_cli.errors import PlatformError, TimedOutError
from reservation_cli.follow import LONGEST_SECONDS, PATIENCE, POLLS_A_HOLD, asked_wait, continued, is_settled
from reservation_cli.platforms import PlatformClient

GOING: frozenset[ExecutionStatus | None] = frozenset({"queued", "running", "waiting", "paused"})
SHORTEST_SECONDS = 1.0
#: A service's clock, in its list's `started`, may be behind this machine's; the local stack's is this machine's, and
#: what is known of a reservation may be from some time after its start.
_SKEW = {"cloud": timedelta(minutes=15), "local": timedelta(minutes=1)}


def follow_crowd(
    client: PlatformClient,
    firsts: Sequence[Timeline],
    nudge: threading.Event,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Iterator[tuple[int, Timeline]]:
    """The final timeline of each of `firsts`, with its index, as they end; `nudge` makes it look at once.

    Raises what the platform raises, once it has failed `PATIENCE` times in a row.
    """
    waiting = dict(enumerate(firsts))
    for index, lane in enumerate(firsts):
        if is_settled(lane):
            yield index, waiting.pop(index)
    since = min(map(_began, waiting.values()), default=now()) - _SKEW[client.target]
    failures = quiet = 0
    asked = 0.0
    while waiting:
        if nudge.wait(max(_pause(list(waiting.values()), quiet, now()), asked)):
            nudge.clear()
            quiet = 0
        try:
            told = client.statuses(since)
            quiet += 1
            for index, known in list(waiting.items()):
                # One that the list does not tell of is pruned, or has not begun: its own look-up tells.
                if told.get(known.reservation_id) in GOING:
                    continue
                quiet = 0
                waiting[index] = replace(continued(known, client.timeline(known.ref)), polls=known.polls + 1)
                if is_settled(waiting[index]):
                    yield index, waiting.pop(index)
            failures, asked = 0, 0.0
        except (PlatformError, TimedOutError) as error:
            failures += 1
            asked = asked_wait(error)
            if failures > PATIENCE:
                raise


def _began(lane: Timeline) -> datetime:
    """When it began, by the service's clock where that is told."""
    return lane.started or (lane.reservation and lane.reservation.created_at) or lane.as_of


def _pause(lanes: Sequence[Timeline], quiet: int, now: datetime) -> float:
    """Seconds until the next list call: at the next due moment, and rarely before it; often while some are overdue."""
    dues = [lane.due for lane in lanes if lane.due is not None]
    ahead = [due for due in dues if due > now]
    if len(ahead) < len(lanes):
        # Some are overdue, or have not come to their hold: soon, but ever more rarely while nothing happens.
        return min(SHORTEST_SECONDS * float(2 ** min(quiet, 5)), LONGEST_SECONDS)
    left = (min(ahead) - now).total_seconds() + SHORTEST_SECONDS / 4
    holds = [lane.request.hold_seconds for lane in lanes if lane.request]
    even = max(min(min(holds, default=0) / POLLS_A_HOLD, LONGEST_SECONDS), SHORTEST_SECONDS)
    return left if left < even * 1.5 else even
