"""JSON that others have written."""

from __future__ import annotations

import json


def loads(text: str | bytes) -> object:
    """The value that `text` stands for; ValueError for what is no JSON.

    NaN and Infinity are none, which Python's own parser takes, and neither is what is nested a thousand levels deep,
    of which it dies.
    """
    try:
        value: object = json.loads(text, parse_constant=_refuse)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    return value


def _refuse(constant: str) -> object:
    raise ValueError(f"{constant} is no number of JSON's")
