"""Answers that no vendor documents: a clear error or a shown unknown, never a traceback, never a wrong timeline.

`make soak` does the same with thousands of them (tests/soak/test_bad_input.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from support.bad_answers import Answer, Vendors, answers, right, vendors
from support.bad_input import drive, wire


@pytest.fixture(scope="module")
def asked() -> Iterator[Vendors]:
    with vendors() as made:
        yield made


def test_wrong_answers_to_every_question(asked: Vendors) -> None:
    assert drive(150, answers(list(asked.questions)), asked.ask) >= 150


TIMELINES = (
    "cloudflare.timeline",
    "worker.timeline",
    "cloudflare-local.timeline",
    "aws-local.timeline",
    "aws.timeline",
)


def _of_another(document: Any) -> Any:
    """The document with the records of another reservation, for the same input."""
    if isinstance(document, dict):
        return {name: value if name in ("params", "Input") else _of_another(value) for name, value in document.items()}
    if isinstance(document, list):
        return [_of_another(value) for value in document]
    return document.replace("r-1", "OTHER") if isinstance(document, str) else document


@pytest.mark.parametrize("question", TIMELINES)
def test_another_reservations_record_is_never_told_as_this_ones(asked: Vendors, question: str) -> None:
    """The judge compares the ids; where all records are another's, there is none to tell."""
    for document in right(question):
        answer = Answer(question, wire(_of_another(document)))
        assert asked.ask(answer) in ("told", "NotFoundError", "PlatformError"), document


def test_the_right_answers_are_told(asked: Vendors) -> None:
    """So that the judge of the wrong ones is one that lets right ones through."""
    for question in ("cloudflare.timeline", "cloudflare-local.timeline", "aws-local.timeline", "aws.statuses"):
        came = [asked.ask(Answer(question, wire(document))) for document in right(question)]
        assert "told" in came, (question, came)
