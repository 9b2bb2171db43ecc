"""Command lines, settings and files that are wrong in every way: one clear line, a documented exit code, no traceback.

`make soak` does the same with thousands of them (tests/soak/test_bad_input.py).
"""

from __future__ import annotations

from pathlib import Path

import pytest

from support import bad_cli, bad_files
from support.bad_input import drive


def test_every_option_with_any_value(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    environ = bad_cli.environment(str(tmp_path))
    assert drive(150, bad_cli.lines(), lambda line: bad_cli.check(line, environ)) >= 150


def test_files_and_settings_that_somebody_has_edited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert drive(80, bad_files.broken(), lambda thing: bad_files.meet(thing, tmp_path)) >= 80


@pytest.mark.parametrize("name", bad_files.PARSERS)
def test_a_parser_says_what_is_wrong(name: str) -> None:
    assert drive(40, bad_files.values(), lambda text: bad_files.parse(name, text)) >= 40
