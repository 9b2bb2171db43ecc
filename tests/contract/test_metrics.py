"""The metrics mean the same on both lanes: known delays, put into the real workflows, are found in the right ones."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Literal, get_args

import pytest

from reservation_cli.domain.comparison import metrics
from reservation_cli.domain.reservation import PLATFORMS, Platform, ReservationRequest
from reservation_cli.domain.timeline import Timeline
from reservation_cli.follow import follow
from reservation_cli.platforms import PlatformClient
from reservation_cli.platforms.aws import AwsClient
from reservation_cli.platforms.cloudflare import CloudflareClient
from support.delays import Place, delayed_id, delayed_stack, engine_groups, stop_until
from support.waiting import until

pytestmark = pytest.mark.stack

DELAY_MS = 800
#: By how much a metric may be off on a busy machine.
NOISE_MS = 200
#: Noise mostly adds: of so many executions alike, the least of each metric is compared.
ROUNDS = 3
AT_ONCE = 20

#: How the wait ends: it was slept through, no event came, or a confirmation did.
Way = Literal["slept", "timed out", "confirmed"]

_ALWAYS = frozenset({"first_step_ms", "create_hold_ms", "resume_ms", "finalize_ms", "overhead_ms"})
_EXPIRED = _ALWAYS | {"timer_error_ms", "engine_lateness_ms", "total_ms"}
#: What both lanes tell by the same definition. Left out are `accept_ms`, for Cloudflare's answer waits for the hold
#: and AWS's does not, and the total of an execution that was confirmed, which has in it how soon somebody did so.
TOLD: Mapping[Way, frozenset[str]] = {
    "slept": _EXPIRED,
    "timed out": _EXPIRED,
    "confirmed": _ALWAYS | {"signal_to_resume_ms"},
}

#: The metrics in which a delay shows, as far as they are told.
SHOWN: Mapping[Place, frozenset[str]] = {
    "start": frozenset({"first_step_ms", "overhead_ms", "total_ms"}),
    "create": frozenset({"create_hold_ms", "total_ms"}),
    "arm": frozenset({"overhead_ms", "total_ms"}),
    "wake": frozenset({"timer_error_ms", "resume_ms", "signal_to_resume_ms", "overhead_ms", "total_ms"}),
    "finalize": frozenset({"finalize_ms", "total_ms"}),
    "end": frozenset({"overhead_ms", "total_ms"}),
}

#: No `arm` for an event: AWS's callback is open by then, and its SDK ends an invocation that only waits.
CASES: tuple[tuple[Way, Place], ...] = (
    *(("slept", place) for place in get_args(Place)),
    ("timed out", "wake"),
    *(("confirmed", place) for place in get_args(Place) if place != "arm"),
)
#: The one in which the lanes differ: AWS's callback is made before create-hold.
CALLBACK_IS_OPEN: tuple[Way, Place] = ("timed out", "create")

#: Seconds of a hold that runs out: the shortest there is, and one that lasts until the engines are stopped.
HOLD, LATE_HOLD = 1, 3
#: The engines are stopped from before their timers are due until after that.
BEFORE, AFTER = timedelta(milliseconds=500), timedelta(milliseconds=2 * DELAY_MS)

#: Milliseconds by metric.
Told = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Delayed:
    """The stack whose workflows can be delayed, and the clients of both platforms."""

    home: Path
    clients: Mapping[Platform, PlatformClient]

    def run(self, platform: Platform, way: Way, place: Place | None) -> Told:
        """What is told of a new execution that was delayed at `place`."""
        lane = self.reserve(platform, way, 60 if way == "confirmed" else HOLD, place)
        if way == "confirmed":
            self.clients[platform].confirm(self.waiting(lane).ref)
        return self.end(lane)

    def reserve(self, platform: Platform, way: Way, hold: int, place: Place | None = None) -> Timeline:
        """A new execution, which will be delayed at `place`."""
        name = delayed_id(place, DELAY_MS)
        strategy: Literal["sleep", "event"] = "sleep" if way == "slept" else "event"
        return self.clients[platform].reserve(ReservationRequest(name, name, "user123", hold, strategy))

    def waiting(self, lane: Timeline) -> Timeline:
        """The execution of `lane` once it waits."""
        client = self.clients[lane.platform]

        def looked_at() -> Timeline | None:
            seen = client.timeline(lane.ref)
            return seen if seen.status == "waiting" else None

        return until(looked_at, f"the wait of {lane.ref}")

    def end(self, lane: Timeline) -> Told:
        """What is told of the execution of `lane` when it has ended."""
        at_once = threading.Event()
        at_once.set()
        last = [lane, *follow(self.clients[lane.platform], lane, at_once)][-1]
        assert last.status == "succeeded"
        told = metrics(last).as_json().items()
        return {name: value for name, value in told if name.endswith("_ms") and value is not None}


@pytest.fixture(scope="module")
def delayed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Delayed]:
    home = tmp_path_factory.mktemp("delayed-home")
    with delayed_stack(home) as up:
        clients: dict[Platform, PlatformClient] = {
            "cloudflare": CloudflareClient.local(up),
            "aws": AwsClient.local(up),
        }
        yield Delayed(home, clients)
        for client in clients.values():
            client.close()


Least = Mapping[tuple[Platform, Way, Place | None], Told]


@pytest.fixture(scope="module")
def least(delayed: Delayed) -> Least:
    """The least of each metric, by platform, how the wait ended, and the place of the delay, None without one."""
    ways: tuple[Way, ...] = get_args(Way)
    cases = [*((way, None) for way in ways), *CASES, CALLBACK_IS_OPEN]
    keys = [(platform, way, place) for (way, place), platform in product(cases, PLATFORMS)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        rounds = [pool.map(lambda key: delayed.run(*key), keys) for _ in range(ROUNDS)]
        alike = list(zip(*rounds, strict=True))
    return {
        key: {name: min(told[name] for told in runs) for name in runs[0]} for key, runs in zip(keys, alike, strict=True)
    }


def longer(least: Least, platform: Platform, way: Way, place: Place) -> set[str]:
    """The metrics that are longer by the delay; AssertionError when one has changed, but not by as much."""
    without, delayed = least[platform, way, None], least[platform, way, place]
    changes = {name: delayed[name] - without[name] for name in TOLD[way]}
    by_all = {name for name, ms in changes.items() if abs(ms - DELAY_MS) < NOISE_MS}
    by_none = {name for name, ms in changes.items() if abs(ms) < NOISE_MS}
    assert by_all | by_none == TOLD[way], f"of {DELAY_MS} ms: {changes}"
    return by_all


@pytest.mark.parametrize(("way", "place"), CASES)
@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_delay_is_found_where_it_is_and_nowhere_else(
    least: Least, platform: Platform, way: Way, place: Place
) -> None:
    assert longer(least, platform, way, place) == SHOWN[place] & TOLD[way]


def test_the_time_of_a_callback_runs_in_create_hold_already(least: Least) -> None:
    """Where the lanes do differ, the metrics show it: the same delay puts the end off on one of them only."""
    assert longer(least, "cloudflare", *CALLBACK_IS_OPEN) == {"create_hold_ms", "total_ms"}
    assert longer(least, "aws", *CALLBACK_IS_OPEN) == {"create_hold_ms"}


def test_both_lanes_tell_the_same_metrics(least: Least) -> None:
    for (platform, way, place), told in least.items():
        assert told.keys() == TOLD[way] | {"accept_ms", "total_ms"}, (platform, way, place)


Late = Mapping[tuple[Platform, Way], tuple[float, Told]]


@pytest.fixture(scope="module")
def late(delayed: Delayed) -> Late:
    """By how many milliseconds the engine was kept from a timer, and what is told of the execution."""
    ways: tuple[Way, ...] = ("slept", "timed out")
    keys = list(product(PLATFORMS, ways))
    with ThreadPoolExecutor(len(keys)) as pool:
        lanes = list(pool.map(lambda key: delayed.waiting(delayed.reserve(key[0], key[1], LATE_HOLD)), keys))
        dues = [lane.due for lane in lanes if lane.due]
        until(lambda: datetime.now(UTC) > min(dues) - BEFORE, "the first timer")
        went_on = stop_until(max(dues) + AFTER, engine_groups(delayed.home))
        kept = [(went_on - due).total_seconds() * 1000 for due in dues]
        return dict(zip(keys, zip(kept, pool.map(delayed.end, lanes), strict=True), strict=True))


@pytest.mark.parametrize("way", ["slept", "timed out"])
@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_late_timer_is_found_in_the_lateness_of_the_engine(
    least: Least, late: Late, platform: Platform, way: Way
) -> None:
    kept, told = late[platform, way]
    lateness = told["engine_lateness_ms"]
    # A process that goes on has much to catch up with first.
    assert kept <= lateness < kept + DELAY_MS
    in_time = least[platform, way, None]
    expected = {
        **in_time,
        "engine_lateness_ms": lateness,
        "timer_error_ms": lateness + in_time["resume_ms"],
        "total_ms": in_time["total_ms"] + (LATE_HOLD - HOLD) * 1000 + lateness,
    }
    changes = {name: told[name] - expected[name] for name in TOLD[way]}
    assert {name: ms for name, ms in changes.items() if abs(ms) >= NOISE_MS} == {}
