"""Where settings come from, and what is not taken from where."""

from __future__ import annotations

from pathlib import Path

import pytest

from reservation_cli import settings
from reservation_cli.errors import UsageError


def test_a_home_is_one_folder_by_whichever_path_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path.resolve() / "home"
    home.mkdir()
    (tmp_path / "link").symlink_to(home)
    monkeypatch.chdir(tmp_path)
    for named in (str(home), "home", "link", f"{home}/../home", "./link/"):
        assert settings.load({"RESV_HOME": named}, tmp_path).home == home, named


def test_a_home_that_no_folder_can_be_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="RESV_HOME is no folder"):
        settings.load({"RESV_HOME": "a\0b"}, tmp_path)
