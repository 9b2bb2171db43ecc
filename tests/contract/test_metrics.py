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
from reservation_cli.errors import NotFoundError
from reservation_cli.follow import follow
from reservation_cli.platforms import PlatformClient
from reservation_cli.platforms.aws import AwsClient
from reservation_cli.platforms.cloudflare import CloudflareClient
from support.delays import Place, delayed_id, delayed_stack, engine_groups, stop_until
from support.waiting import until

pytestmark = pytest.mark.stack

DELAY_MS = 800
#: By how much a metric may be off.
NOISE_MS = 250
#: Noise only adds, so that of executions alike the least of each metric counts. A noisy machine gets more of them.
ROUNDS = 8
AT_ONCE = 10

#: How the wait ends: it was slept through; no event came; a confirmation did, or had, while create-hold still ran.
Way = Literal["slept", "timed out", "confirmed", "confirmed early"]

ALWAYS = frozenset({"first_step_ms", "create_hold_ms", "resume_ms", "finalize_ms", "overhead_ms"})
EXPIRED = ALWAYS | {"timer_error_ms", "engine_lateness_ms", "total_ms"}
#: What both lanes tell by the same definition. Left out are `accept_ms`, for Cloudflare's answer waits for the hold
#: and AWS's does not, and the total of an execution that was confirmed, which has in it how soon somebody did so.
TOLD: Mapping[Way, frozenset[str]] = {
    "slept": EXPIRED,
    "timed out": EXPIRED,
    "confirmed": ALWAYS | {"signal_to_resume_ms"},
    "confirmed early": ALWAYS | {"signal_to_resume_ms"},
}

#: The metrics in which a delay shows, as far as they are told.
SHOWN: Mapping[Place, frozenset[str]] = {
    "start": frozenset({"first_step_ms", "overhead_ms", "total_ms"}),
    "enter": frozenset({"first_step_ms", "overhead_ms", "total_ms"}),
    "create": frozenset({"create_hold_ms", "total_ms"}),
    "held": frozenset({"create_hold_ms", "signal_to_resume_ms", "total_ms"}),
    "arm": frozenset({"overhead_ms", "total_ms"}),
    "wake": frozenset({"timer_error_ms", "resume_ms", "signal_to_resume_ms", "overhead_ms", "total_ms"}),
    "reenter": frozenset({"timer_error_ms", "resume_ms", "signal_to_resume_ms", "overhead_ms", "total_ms"}),
    "finalize": frozenset({"finalize_ms", "total_ms"}),
    "end": frozenset({"overhead_ms", "total_ms"}),
}

#: No `arm` for an event: AWS's callback is open by then, and its SDK ends an invocation that only waits.
CASES: tuple[tuple[Way, Place], ...] = (
    *(("slept", place) for place in get_args(Place)),
    ("timed out", "create"),
    ("timed out", "wake"),
    ("confirmed", "start"),
    ("confirmed", "create"),
    ("confirmed", "wake"),
    ("confirmed", "reenter"),
    ("confirmed", "finalize"),
    ("confirmed early", "held"),
)

#: Seconds of a hold that runs out: the shortest there is, and one that lasts until the engines are stopped.
HOLD, LATE_HOLD = 1, 3
#: And of one that does not.
NO_END = 60
#: The engines are stopped from before their timers are due until after that.
BEFORE, AFTER = timedelta(milliseconds=500), timedelta(milliseconds=2 * DELAY_MS)

#: Milliseconds by metric.
Told = Mapping[str, float]
#: An execution, by how its wait ended and where it was delayed, None for nowhere.
Run = tuple[Platform, Way, Place | None]
Least = Mapping[Run, Told]


@dataclass(frozen=True, slots=True)
class Delayed:
    """The stack whose workflows can be delayed, and the clients of both platforms."""

    home: Path
    clients: Mapping[Platform, PlatformClient]

    def run(self, platform: Platform, way: Way, place: Place | None) -> Told:
        """What is told of a new execution that was delayed at `place`."""
        if way in ("slept", "timed out"):
            return self.end(self.start(platform, way, HOLD, place))
        lane = self.start(platform, way, NO_END, place)
        if way == "confirmed":
            self.waiting(lane)
        until(lambda: self.confirmed(lane), f"the hold of {lane.ref}")
        return self.end(lane)

    def start(self, platform: Platform, way: Way, hold: int, place: Place | None = None) -> Timeline:
        """A new execution, which will be delayed at `place`."""
        name = delayed_id(place, DELAY_MS)
        request = ReservationRequest(name, name, "user123", hold, "sleep" if way == "slept" else "event")
        return self.clients[platform].start(request)

    def waiting(self, lane: Timeline) -> Timeline:
        """The execution of `lane` once it waits."""
        client = self.clients[lane.platform]

        def looked_at() -> Timeline | None:
            seen = client.timeline(lane.ref)
            return seen if seen.status == "waiting" else None

        return until(looked_at, f"the wait of {lane.ref}")

    def confirmed(self, lane: Timeline) -> bool:
        """Whether it is: not before there is a hold."""
        try:
            return self.clients[lane.platform].confirm(lane.ref).status == "confirmed"
        except NotFoundError:
            return False

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


@pytest.fixture(scope="module")
def least(delayed: Delayed) -> Least:
    """The least of each metric over executions alike; those that noise has spoilt are repeated."""
    ways: tuple[Way, ...] = get_args(Way)
    cases = [*((way, None) for way in ways), *CASES]
    runs: list[Run] = [(platform, way, place) for (way, place), platform in product(cases, PLATFORMS)]
    found: dict[Run, Told] = {}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for _ in range(ROUNDS):
            for run, told in zip(runs, pool.map(lambda run: delayed.run(*run), runs), strict=True):
                before = found.get(run, told)
                found[run] = {name: min(ms, before[name]) for name, ms in told.items()}
            off = [(platform, way, place) for platform, way, place in found if errors(found, platform, way, place)]
            runs = list(dict.fromkeys([*((platform, way, None) for platform, way, _ in off), *off]))
    return found


def errors(least: Least, platform: Platform, way: Way, place: Place | None) -> Told:
    """By how much metrics have changed too much or too little with the delay at `place`; those that are right not."""
    right = expected(platform, way, place)
    with_it, without = least[platform, way, place], least[platform, way, None]
    off = {name: with_it[name] - without[name] - (DELAY_MS if name in right else 0) for name in TOLD[way]}
    return {name: ms for name, ms in off.items() if abs(ms) >= NOISE_MS}


def expected(platform: Platform, way: Way, place: Place | None) -> frozenset[str]:
    """The metrics that a delay at `place` makes longer."""
    if place is None:
        return frozenset()
    return SHOWN[place] & TOLD[way]


@pytest.mark.parametrize(("way", "place"), CASES)
@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_delay_is_found_where_it_is_and_nowhere_else(
    least: Least, platform: Platform, way: Way, place: Place
) -> None:
    assert errors(least, platform, way, place) == {}


def test_both_lanes_tell_the_same_metrics(least: Least) -> None:
    for (platform, way, place), told in least.items():
        assert told.keys() == TOLD[way] | {"accept_ms", "total_ms"}, (platform, way, place)


Late = Mapping[tuple[Platform, Way], tuple[int, Told]]


@pytest.fixture(scope="module")
def late(delayed: Delayed) -> Late:
    """For how many milliseconds the engine was kept from a timer, and what is told of the execution."""
    ways: tuple[Way, ...] = ("slept", "timed out")
    keys = list(product(PLATFORMS, ways))
    with ThreadPoolExecutor(len(keys)) as pool:
        lanes = list(pool.map(lambda key: delayed.waiting(delayed.start(key[0], key[1], LATE_HOLD)), keys))
        dues = [lane.due for lane in lanes if lane.due]
        until(lambda: datetime.now(UTC) > min(dues) - BEFORE, "the first timer")
        went_on = stop_until(max(dues) + AFTER, engine_groups(delayed.home))
        kept = [(went_on - due) // timedelta(milliseconds=1) for due in dues]
        return dict(zip(keys, zip(kept, pool.map(delayed.end, lanes), strict=True), strict=True))


@pytest.mark.parametrize("way", ["slept", "timed out"])
@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_late_timer_is_found_in_the_lateness_of_the_engine(
    least: Least, late: Late, platform: Platform, way: Way
) -> None:
    kept, told = late[platform, way]
    # Processes that go on have much to catch up with first.
    for name in ("engine_lateness_ms", "timer_error_ms"):
        assert kept <= told[name] < kept + DELAY_MS
    for name in ALWAYS:
        assert told[name] < least[platform, way, None][name] + DELAY_MS
