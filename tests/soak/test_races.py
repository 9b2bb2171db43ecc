"""Thousands of races on both platforms, each with a stack of its own: half an hour or so in all, on two cores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from reservation_cli.domain.reservation import PLATFORMS, Platform
from support import races
from support.races import KINDS, SEED, Kind

pytestmark = [pytest.mark.soak, pytest.mark.stack]

#: The race that the promise hangs on, and each of the others.
COUNT, OTHERS = 5_000, 1_000


@pytest.fixture(scope="module", params=PLATFORMS)
def platform(request: pytest.FixtureRequest) -> Platform:
    found: Platform = request.param
    return found


@pytest.fixture(scope="module")
def environ(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    with races.own_stack(tmp_path_factory.mktemp(f"races-{platform}")) as made:
        yield made


@pytest.mark.parametrize("kind", KINDS)
def test_every_race_has_one_outcome_that_every_reader_knows(
    environ: Mapping[str, str], platform: Platform, kind: Kind
) -> None:
    count = COUNT if kind == "confirm against expiry" else OTHERS
    with races.arena(environ, platform) as arena:
        figures = arena.run(kind, count, lambda until_now: print(until_now, flush=True))
    print(f"\nseed {SEED}", figures, sep="\n")
    assert figures.problems == []
    assert (figures.races, figures.lost) == (count, 0)
    # A race that nobody loses, or that is hardly ever run, shows nothing.
    assert figures.unanswered < count / 20
    if kind == "confirm against expiry":
        assert figures.answers["confirm confirmed"] > count / 20
        assert figures.answers["confirm too_late"] > count / 20
