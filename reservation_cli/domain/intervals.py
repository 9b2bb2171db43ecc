"""Intervals on one axis, of times or of numbers."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TypeVar

T = TypeVar("T", float, datetime)


def merged(intervals: Iterable[tuple[T, T]]) -> list[tuple[T, T]]:
    """The intervals in order, those that touch or overlap made one."""
    result: list[tuple[T, T]] = []
    for start, end in sorted(intervals):
        if result and start <= result[-1][1]:
            result[-1] = (result[-1][0], max(result[-1][1], end))
        else:
            result.append((start, end))
    return result
