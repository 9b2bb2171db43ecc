"""What a chaos run will do, drawn from its seed: which process is killed when, and who reserves what around it."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from reservation_cli.domain.chaos import HIT, WITHIN, Action, Ask, Moment, Plan, Strike, Victim
from reservation_cli.domain.reservation import Platform

#: Of each group, on each platform that a kill hits: two left alone, one confirmed, one cancelled, and two rivals.
_ALONE = 2
_ACTIONS: tuple[Action, ...] = ("confirm", "cancel")
_RIVALS = 2
_CROWD = 8
#: Every so many kills one reservation on each platform is held so many times as long, and lives through several.
_LONG_EVERY, _LONG_TIMES = 5, 4
#: Within the hold, so that a confirmation is neither before it nor too late, unless a kill comes between.
_EARLIEST, _LATEST = 0.2, 0.7
#: The number of those that are made before the first kill.
WARM_UP = -1


def strikes(plan: Plan) -> tuple[Strike, ...]:
    """All kills in their order; the same for the same plan.

    Each process and each moment comes equally often: of as many kills in a row as there are processes, each
    process is killed once.
    """
    draw = Random(plan.seed)  # noqa: S311 - it is to be repeatable
    pairs = _pairs(plan, draw)
    return tuple(_strike(plan, draw, number, *next(pairs)) for number in range(plan.kills))


def warm_ups(plan: Plan) -> Iterator[tuple[Ask, ...]]:
    """Groups of reservations that are made before the first kill, one after the other; judged, too.

    The engines are cold in the first; the second tells how long everything takes.
    """
    draw = Random(f"{plan.seed} warm-up")  # noqa: S311
    for number in (WARM_UP - 1, WARM_UP):
        yield tuple(ask for platform in plan.platforms for ask in _group(plan, draw, number, platform, 1))


def victims(plan: Plan) -> tuple[Victim, ...]:
    """Those that one of the plan's platforms stands still without."""
    return tuple(victim for victim in plan.victims if any(platform in plan.platforms for platform in HIT[victim]))


def hit(plan: Plan, victim: Victim) -> tuple[Platform, ...]:
    """The platforms of the plan that stand still without `victim`."""
    return tuple(platform for platform in plan.platforms if platform in HIT[victim])


def _pairs(plan: Plan, draw: Random) -> Iterator[tuple[Victim, Moment]]:
    """Every pair once, then again: in rounds in which each process has its turn, with as many moments as there are."""
    while True:
        chosen, moments = list(victims(plan)), list(plan.moments)
        draw.shuffle(chosen)
        draw.shuffle(moments)
        for shift in range(len(moments)):
            turn = [(victim, moments[(index + shift) % len(moments)]) for index, victim in enumerate(chosen)]
            draw.shuffle(turn)
            yield from turn


def _strike(plan: Plan, draw: Random, number: int, victim: Victim, moment: Moment) -> Strike:
    platforms = hit(plan, victim)
    asks = [ask for platform in platforms for ask in _group(plan, draw, number, platform, plan.hold_seconds)]
    aimed = draw.choice(platforms)
    is_spread = moment in WITHIN and aimed == "aws"
    if is_spread:
        asks += _crowd(plan, draw, number, aimed)
    # Those of one platform are sent over the same time as those of the other.
    draw.shuffle(asks)
    if number % _LONG_EVERY == _LONG_EVERY // 2:
        asks += [_long(plan, draw, number, platform) for platform in plan.platforms]
    probes = [
        Ask(_id(number, platform, "probe"), platform, f"P{number}", plan.hold_seconds, draw.choice(plan.strategies))
        for platform in platforms
    ]
    return Strike(number, victim, moment, draw.random(), aimed, tuple(asks), tuple(probes), is_spread)


def _group(plan: Plan, draw: Random, number: int, platform: Platform, hold: int) -> Iterator[Ask]:
    """Two alone, one to be confirmed, one to be cancelled, two rivals, and one for the seat that all groups want."""

    def ask(name: str, seat: str, *, rivals: bool = False, action: Action | None = None) -> Ask:
        after = draw.uniform(_EARLIEST, _LATEST)
        strategy = draw.choice(plan.strategies)
        return Ask(_id(number, platform, name), platform, seat, hold, strategy, rivals, action, round(after, 3))

    for index in range(_ALONE):
        yield ask(f"alone{index}", f"A{number}-{index}")
    for action in _ACTIONS:
        yield ask(action, f"A{number}-{action}", action=action)
    for index in range(_RIVALS):
        # One of them is confirmed if it gets the seat: a second holder would be a double booking for good.
        yield ask(f"rival{index}", f"R{number}", rivals=True, action="confirm" if index == 0 else None)
    yield ask("hot", "HOT", rivals=True)


def _crowd(plan: Plan, draw: Random, number: int, platform: Platform) -> list[Ask]:
    """So many more that at any time some are in a step, on AWS: nothing outside sees there when a single one is."""
    return [
        Ask(
            _id(number, platform, f"crowd{index}"),
            platform,
            f"C{number}-{index}",
            plan.hold_seconds,
            draw.choice(plan.strategies),
        )
        for index in range(_CROWD)
    ]


def _long(plan: Plan, draw: Random, number: int, platform: Platform) -> Ask:
    hold, strategy = plan.hold_seconds * _LONG_TIMES, draw.choice(plan.strategies)
    return Ask(_id(number, platform, "long"), platform, f"L{number}", hold, strategy)


def _id(number: int, platform: Platform, name: str) -> str:
    prefix = f"k{number:04d}" if number > WARM_UP else f"warmup{number - WARM_UP + 1}"
    return f"{prefix}-{platform}-{name}"
