"""Many users want few seats, for some seconds; tests/soak has ten minutes of it."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from reservation_cli import settings
from reservation_cli.domain.reservation import PLATFORMS, Platform
from reservation_cli.platforms import connect
from support import contention
from support.contention import Plan
from support.races import SEED

pytestmark = pytest.mark.stack

PLAN = Plan(users=40, seats=6, seconds=10, seed=SEED)


@pytest.mark.parametrize("platform", PLATFORMS)
def test_each_seat_answers_one_call_after_the_other(stack_environ: Mapping[str, str], platform: Platform) -> None:
    client = connect(settings.load(stack_environ), platform, None, print)
    figures = contention.run(client, PLAN)
    client.close()
    print(f"\nseed {SEED}", figures, sep="\n")
    assert figures.broken == {}
    assert (figures.lost, figures.problems) == (0, [])
    assert figures.outcomes["held"] == 0
    # Calls that nobody answers, or that do not meet, show nothing.
    assert figures.unanswered <= figures.calls / 20
    assert figures.calls >= PLAN.users
    told = figures.answers
    assert min(told["reserve held"], told["reserve rejected"], told["confirm confirmed"] + told["cancel cancelled"]) > 0
    assert max(figures.crowds) > 1
