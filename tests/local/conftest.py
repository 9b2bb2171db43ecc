"""What the tests of the local AWS endpoint share: a running engine and host for each module, and a caller."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest

from support.aws_engine_kit import Caller, Local, local


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Local]:
    with local(tmp_path_factory.mktemp("engine")) as running:
        yield running


@pytest.fixture(scope="module")
def caller(pair: Local) -> Caller:
    return Caller(pair.client())


@pytest.fixture
def unique() -> str:
    """A name that no other test uses, for executions and for files."""
    return f"t-{uuid4().hex[:12]}"
