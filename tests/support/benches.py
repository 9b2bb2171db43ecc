"""Benchmarks as they could have been measured: seeded, the same in every run."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from reservation_cli.domain.benchmark import Bench, Plan, Sample
from reservation_cli.domain.comparison import Metrics
from reservation_cli.domain.reservation import Platform
from reservation_cli.domain.run import Host, Run
from support import timelines

T0 = datetime(2026, 11, 23, 9, 0, 0, tzinfo=UTC)
LABELS: dict[Platform, str] = {"cloudflare": "Cloudflare · local", "aws": "AWS · local"}
#: The median timer error of each platform, in ms.
TYPICAL: dict[Platform, float] = {"cloudflare": 6.0, "aws": 12.0}


def bench(count: int = 200, holds: tuple[int, ...] = (5,), seed: int = 7, **changes: object) -> Bench:
    """`count` reservations on each platform and hold; `changes` are those of Bench."""
    plan = Plan(platforms=("cloudflare", "aws"), count=count, concurrency=50, holds=holds, warmup=5)
    fields: dict[str, object] = {
        "plan": plan,
        "samples": tuple(_samples(plan, random.Random(seed))),
        "requests": {"cloudflare": 2 * count + 3, "aws": 2 * count + 4},
        "seconds": 21.5,
        "cpu_seconds": 2.25,
    }
    return Bench(**{**fields, **changes})  # type: ignore[arg-type]  # as the caller names them


def run(measured: Bench | None = None) -> Run:
    """A recorded benchmark, with one lane of each platform to look at."""
    return Run(
        kind="bench",
        lanes=timelines.expired(),
        id="bench-20261123-090022-1f2e",
        recorded_at=T0 + timedelta(seconds=22),
        configuration={"n": 200, "concurrency": 50, "hold": "5s", "strategy": "sleep"},
        software={"resv": "0.1.0", "python": "3.11.7", "wrangler": "4.155.0"},
        host=Host("Linux 6.1", "x86_64", 2, 25_769_803_776),
        bench=measured or bench(),
    )


def compared() -> Run:
    """A recorded comparison of two lanes."""
    return Run(
        kind="compare",
        lanes=timelines.expired(),
        id="compare-20261123-091501-77aa",
        recorded_at=T0 + timedelta(minutes=15, seconds=1),
        configuration={"hold": "15m", "strategy": "sleep"},
        software={"resv": "0.1.0", "python": "3.11.7", "wrangler": "4.155.0"},
        host=Host("Linux 6.1", "x86_64", 2, 25_769_803_776),
    )


def _samples(plan: Plan, chance: random.Random) -> Iterator[Sample]:
    number = 0
    for index in range(plan.count):
        for hold in plan.holds:
            for platform in plan.platforms:
                yield _sample(platform, hold, number, index, chance)
                number += 1


def _sample(platform: Platform, hold: int, number: int, index: int, chance: random.Random) -> Sample:
    late = round(chance.lognormvariate(0, 0.5) * TYPICAL[platform] + hold * 0.01, 1)
    resume = round(late / 3, 1)
    body = float(chance.randint(3, 15))
    return Sample(
        platform=platform,
        target="local",
        label=LABELS[platform],
        number=number,
        reservation_id=f"r-{platform[0]}{hold}-{index:05}",
        ref=f"r-{platform[0]}{hold}-{index:05}",
        hold_seconds=hold,
        status="succeeded",
        expected="expired",
        outcome="expired",
        verdict="right",
        sent_at=T0 + timedelta(milliseconds=20 * number),
        metrics=Metrics(
            accept_ms=round(chance.uniform(5, 40), 3),
            first_step_ms=float(chance.randint(4, 30)),
            create_hold_ms=body,
            finalize_ms=body + 1,
            timer_error_ms=late,
            engine_lateness_ms=round(late - resume, 1),
            resume_ms=resume,
            overhead_ms=float(chance.randint(20, 60)),
            total_ms=hold * 1000 + late + 40,
            operations=3 if platform == "cloudflare" else 4,
            invocations=None if platform == "cloudflare" else 2,
            polls=2,
            cost_usd=0.0000354 if platform == "cloudflare" else 0.0000359,
        ),
    )
