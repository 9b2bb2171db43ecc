"""Ten minutes of 200 users on 20 seats on both platforms, one after the other, each with a stack of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from reservation_cli import settings
from reservation_cli.domain.reservation import PLATFORMS, Platform
from reservation_cli.platforms import connect
from support import contention, races
from support.contention import Plan
from support.races import SEED

pytestmark = [pytest.mark.soak, pytest.mark.stack]

#: What must have been told more often than there are seats.
TOLD = ("reserve held", "reserve rejected", "confirm confirmed", "confirm too_late", "cancel cancelled", "read held")
#: Each user acts every 20 s on average: some 4,500 reservations, of which Cloudflare's engine keeps the files open.
PLAN = Plan(users=200, seats=20, seconds=600, seed=SEED, think=20)


@pytest.mark.parametrize("platform", PLATFORMS)
def test_each_seat_answers_one_call_after_the_other(tmp_path: Path, platform: Platform) -> None:
    with races.own_stack(tmp_path / "home") as environ:
        client = connect(settings.load(environ), platform, None, print)
        figures = contention.run(client, PLAN)
        client.close()
    print(f"\nseed {SEED}", figures, sep="\n")
    assert figures.broken == {}
    assert (figures.lost, figures.problems) == (0, [])
    assert figures.outcomes["held"] == 0
    # Calls that nobody answers, or that do not meet, show nothing.
    assert figures.unanswered < figures.calls / 20
    assert figures.calls > 20 * PLAN.users
    assert [told for told in TOLD if figures.answers[told] <= PLAN.seats] == []
    assert sum(crowd > 1 for crowd in figures.crowds) > len(figures.crowds) / 2
