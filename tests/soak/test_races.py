"""Thousands of races on both platforms, on stacks of their own: an hour or so in all, on two cores."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from reservation_cli.domain.reservation import PLATFORMS, Platform
from support import races
from support.races import KINDS, SEED, Figures, Kind

pytestmark = [pytest.mark.soak, pytest.mark.stack]

#: The race that the promise hangs on, and each of the others.
COUNT, OTHERS = 5_000, 1_000
#: Cloudflare's local engine keeps three files open for each instance that it has seen: see local/limits.py.
ON_ONE_STACK = 1_000

#: Each of its ends, which one race in twenty must have had at least: a race that nobody loses shows nothing.
ENDS: Mapping[Kind, tuple[str, ...]] = {
    "confirm against expiry": ("confirm confirmed", "confirm too_late"),
    "confirm against cancel": ("confirm confirmed", "cancel cancelled"),
    "double confirm": ("confirm confirmed",),
    "double reserve": ("reserve held", "reserve reservation_conflict"),
    "confirm before the hold": ("confirm confirmed", "confirm not_found"),
    "cancel during finalize": ("cancel already_confirmed", "cancel too_late"),
}
#: The share of its races with a call under way at the moment that counts: far less than any machine has shown, which
#: is nearly all of those that send their calls together, and a fifth where a finalize of milliseconds is to be met.
STRADDLED: Mapping[Kind, float] = {
    "confirm against expiry": 0.1,
    "confirm against cancel": 0.5,
    "double confirm": 0.5,
    "double reserve": 0.5,
    "confirm before the hold": 0.02,
    "cancel during finalize": 0.01,
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("platform", PLATFORMS)
def test_every_race_has_one_outcome_that_every_reader_knows(tmp_path: Path, platform: Platform, kind: Kind) -> None:
    count = COUNT if kind == "confirm against expiry" else OTHERS
    figures = Figures(kind, platform)
    for first in range(0, count, ON_ONE_STACK):
        with races.own_stack(tmp_path / str(first)) as environ, races.arena(environ, platform) as arena:
            arena.go_on(figures, min(ON_ONE_STACK, count - first), lambda until_now: print(until_now, flush=True))
    print(f"\nseed {SEED}", figures, sep="\n")
    assert figures.problems == []
    assert (figures.races, figures.lost) == (count, 0)
    assert figures.unanswered < count / 20
    assert figures.decided > count * 0.9
    assert [end for end in ENDS[kind] if figures.answers[end] <= count / 20] == []
    assert figures.straddled > count * STRADDLED[kind]
