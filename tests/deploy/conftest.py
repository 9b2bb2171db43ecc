"""moto's server, started once for all tests of the deploy to AWS."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.moto_front import Front, serving


@pytest.fixture(scope="session")
def moto() -> Iterator[Front]:
    with serving() as front:
        yield front


@pytest.fixture
def aws_front(moto: Front) -> Front:
    """An account in which nothing is deployed."""
    moto.sweep()
    return moto
