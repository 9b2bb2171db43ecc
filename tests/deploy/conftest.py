"""moto's server, started once for all tests of the deploy to AWS."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import botocore.loaders
import botocore.session
import pytest

from support.moto_front import Front, serving


@pytest.fixture(scope="session")
def moto() -> Iterator[Front]:
    with serving() as front, pytest.MonkeyPatch.context() as patch:
        # A session of botocore reads the descriptions of the services anew, 0.2 s; the tests make hundreds.
        patch.setattr(botocore.session, "create_loader", cache(botocore.loaders.create_loader))
        yield front


@pytest.fixture
def aws_front(moto: Front) -> Front:
    """An account in which nothing is deployed."""
    moto.sweep()
    return moto
