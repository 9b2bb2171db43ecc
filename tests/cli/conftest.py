"""Fixtures of the doctor's tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.doctor import (
    Machine,
    a_machine,
)
from support.http_server import Answers, serving


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Machine:
    return a_machine(tmp_path, monkeypatch, capsys)


@pytest.fixture
def server() -> Iterator[Answers]:
    with serving() as answers:
        yield answers
