"""Whichever command comes first, RESV_HOME is for its owner alone."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from reservation_cli.local import functions


@pytest.fixture(autouse=True)
def _usual_umask() -> Iterator[None]:
    """What most systems set: others may look into new folders and files."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def test_own_functions_are_kept_in_a_home_that_others_cannot_look_into(tmp_path: Path) -> None:
    """`resv up --function` as the first command of all."""
    home = tmp_path / "state" / "resv"
    functions.remember(home, {"hello": {"bundle": "/hello.mjs", "execution_timeout": 60}})
    kept = {path: stat.S_IMODE(path.stat().st_mode) for path in (home.parent, home, home / functions.FILE)}
    assert list(kept.values()) == [0o700, 0o700, 0o600]
