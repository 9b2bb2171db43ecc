"""Calls that meet on one reservation within milliseconds, a few of each kind; tests/soak has thousands."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from reservation_cli.domain.reservation import PLATFORMS, Platform
from support import races
from support.races import KINDS, SEED

pytestmark = pytest.mark.stack

COUNT = 24


@pytest.mark.parametrize("platform", PLATFORMS)
def test_races_have_one_outcome_that_every_reader_knows(stack_environ: Mapping[str, str], platform: Platform) -> None:
    with races.arena(stack_environ, platform) as arena:
        found = [arena.run(kind, COUNT) for kind in KINDS]
    print(f"\nseed {SEED}", *found, sep="\n")
    assert [problem for figures in found for problem in figures.problems] == []
    assert [figures.lost for figures in found] == [0] * len(KINDS)
    assert [figures.races for figures in found] == [COUNT] * len(KINDS)
