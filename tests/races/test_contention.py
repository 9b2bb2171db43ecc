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


@pytest.mark.parametrize("platform", PLATFORMS)
def test_each_seat_answers_one_call_after_the_other(stack_environ: Mapping[str, str], platform: Platform) -> None:
    client = connect(settings.load(stack_environ), platform, None, print)
    figures = contention.run(client, Plan(users=40, seats=6, seconds=10, seed=SEED))
    client.close()
    print(f"\nseed {SEED}", figures, sep="\n")
    assert figures.broken == {}
    assert (figures.lost, figures.problems) == (0, [])
    assert figures.answers["reserve rejected"] > 0
    assert figures.outcomes["held"] == 0
