"""Answers that no vendor documents: a clear error or a shown unknown, never a traceback, never a wrong timeline.

`make soak` does the same with thousands of them (tests/soak/test_bad_input.py).
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.bad_answers import Answer, Vendors, answers, right, vendors
from support.bad_input import drive, wire


@pytest.fixture(scope="module")
def asked() -> Iterator[Vendors]:
    with vendors() as made:
        yield made


def test_wrong_answers_to_every_question(asked: Vendors) -> None:
    assert drive(150, answers(list(asked.questions)), asked.ask) >= 150


def test_the_right_answers_are_told(asked: Vendors) -> None:
    """So that the judge of the wrong ones is one that lets right ones through."""
    for question in ("cloudflare.timeline", "cloudflare-local.timeline", "aws-local.timeline", "aws.statuses"):
        came = [asked.ask(Answer(question, wire(document))) for document in right(question)]
        assert "told" in came, (question, came)
