"""Calls that meet on one reservation within milliseconds, a few of each kind; tests/soak has thousands."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from reservation_cli.domain.reservation import PLATFORMS, Platform
from support import races
from support.races import KINDS, SEED

pytestmark = pytest.mark.stack

COUNT = 24
#: Whether a call is under way at the moment that counts is up to chance there: a finalize lasts for milliseconds.
BY_CHANCE = "cancel during finalize"


@pytest.mark.parametrize("platform", PLATFORMS)
def test_races_have_one_outcome_that_every_reader_knows(stack_environ: Mapping[str, str], platform: Platform) -> None:
    with races.arena(stack_environ, platform) as arena:
        found = [arena.run(kind, COUNT) for kind in KINDS]
    print(f"\nseed {SEED}", *found, sep="\n")
    assert [problem for figures in found for problem in figures.problems] == []
    assert [figures.lost for figures in found] == [0] * len(KINDS)
    # Calls that nobody answers, or that do not meet, show nothing.
    for figures in found:
        assert figures.unanswered <= figures.answers.total() / 20, figures.kind
        assert figures.decided >= COUNT * 3 / 4, figures.kind
        assert figures.straddled > 0 or figures.kind == BY_CHANCE, figures.kind
