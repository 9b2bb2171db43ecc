"""An idle stack, for days: neither its memory nor its disk grows without end.

Two ways to see it: a real idle hour, with a line through what each process takes, and a day's worth of the questions
whether it answers, which are all that an idle stack does, asked one after the other.

RESV_SOAK_IDLE_MINUTES (60) and RESV_SOAK_IDLE_PROBES (86,400: one a second) make them shorter or longer.
"""

from __future__ import annotations

import csv
import os
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from reservation_cli import settings
from reservation_cli.domain.reservation import ReservationRequest, new_reservation_id
from reservation_cli.domain.statistics import line
from reservation_cli.local import localhttp, plan, ports, stack
from reservation_cli.platforms import connect
from support.footprint import measure

pytestmark = pytest.mark.soak

MINUTES = float(os.environ.get("RESV_SOAK_IDLE_MINUTES", "60"))
PROBES = int(os.environ.get("RESV_SOAK_IDLE_PROBES", "86400"))
#: Minutes in which what the start needed is given back.
WARM_UP = min(10.0, MINUTES / 3)
DAY_HOURS = 24
MB = 1e6
#: What runs JavaScript collects it late: it grows for hours, and then no more. The other test is about that.
JAVASCRIPT = ("workerd", "wrangler", "host.mjs")
MOST_OF_ONE = 800 * MB
MOST_IN_A_DAY = 50 * MB


@dataclass(frozen=True, slots=True)
class Idle:
    """A stack of its own that does not stop by itself, and whose few reservations are over."""

    home: Path

    def footprint(self) -> dict[str, int]:
        return measure(self.home, [self.home])


@pytest.fixture
def idle(tmp_path: Path) -> Iterator[Idle]:
    chosen: set[int] = set()
    environ = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "CLOUDFLARE_", "RESV_"))},
        "RESV_HOME": str(tmp_path / "home"),
        "RESV_CLOUDFLARE_PORT": str(ports.choose(0, chosen)),
        "RESV_AWS_PORT": str(ports.choose(0, chosen)),
        "RESV_IDLE_MINUTES": "1000000",
    }
    loaded = settings.load(environ, tmp_path)
    stack.ensure(loaded, print)
    for platform in ("cloudflare", "aws"):
        client = connect(loaded, "cloudflare" if platform == "cloudflare" else "aws", None, print)
        for _ in range(3):
            name = new_reservation_id()
            client.reserve(ReservationRequest(name, f"S{name}", "user123", 1))
        client.close()
    yield Idle(loaded.home)
    stack.stop(loaded.home, print)


def test_an_idle_hour_is_flat(idle: Idle, tmp_path: Path) -> None:
    samples: dict[str, list[tuple[float, float]]] = defaultdict(list)
    start = time.monotonic()
    with (tmp_path / "idle.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["seconds", "what", "bytes"])
        while (seconds := time.monotonic() - start) < MINUTES * 60:
            for what, size in idle.footprint().items():
                samples[what].append((seconds / 3600, float(size)))
                rows.writerow([round(seconds), what, size])
            file.flush()
            time.sleep(min(60.0, MINUTES))  # the measurement itself
    say(f"\nidle for {MINUTES:g} minutes; the slopes are of the time after the first {WARM_UP:g}")
    in_a_day: dict[str, float] = {}
    for what, points in samples.items():
        fitted = line([point for point in points if point[0] * 60 >= WARM_UP])
        assert fitted is not None, f"too few samples of {what}"
        low, high = fitted.slope_interval.low, fitted.slope_interval.high
        in_a_day[what] = fitted.slope * DAY_HOURS
        span = "flat" if low is None or high is None else f"{low / MB:+.3f} to {high / MB:+.3f}"
        say(
            f"{what:<12} {points[0][1] / MB:7.1f} MB at first, {points[-1][1] / MB:7.1f} MB at last, "
            f"{fitted.slope / MB:+.3f} MB an hour (95 %: {span}), {in_a_day[what] / MB:+.1f} MB in a day"
        )
    growing = {what for what, growth in in_a_day.items() if growth > MOST_IN_A_DAY and not what.startswith(JAVASCRIPT)}
    assert growing == set()
    assert {what for what, points in samples.items() if max(size for _, size in points) > MOST_OF_ONE} == set()


def test_a_days_questions_fill_no_memory(idle: Idle) -> None:
    """What is collected late looks like a leak within an hour; after so many questions it does not."""
    children = plan.read(idle.home / plan.PLAN).children
    steps = 12
    taken: list[dict[str, int]] = []
    say("")
    for step in range(steps):
        for _ in range(PROBES // steps):
            for child in children:
                localhttp.get(child.port, child.path, timeout=30)
        taken.append(idle.footprint())
        told = ", ".join(f"{what} {size / MB:.0f}" for what, size in taken[-1].items())
        say(f"after {(step + 1) * (PROBES // steps):>6} questions, in MB: {told}")
    half = steps // 2
    for what in taken[-1]:
        before, after = (max(each.get(what, 0) for each in part) for part in (taken[:half], taken[half:]))
        assert after < before * 1.25 + 10 * MB, f"{what} grows: {before / MB:.0f} MB, then {after / MB:.0f} MB"
        assert after < MOST_OF_ONE


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
