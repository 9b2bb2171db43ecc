"""Loaded by the `schemathesis` command line: makes a pattern of the description one that its generator can read."""

from __future__ import annotations

import sys
import unicodedata
from itertools import groupby
from typing import Any

import schemathesis

#: As in openapi.ts; ECMAScript has classes by category, Python's expressions have none.
_CATEGORIES = ("Cc", "Cf", "Cs", "Zl", "Zp")
_CLASSES = "".join(rf"\p{{{category}}}" for category in _CATEGORIES)


def _spelled() -> str:
    """The characters of those categories as ranges of a character class."""
    codes = [code for code in range(sys.maxunicode + 1) if unicodedata.category(chr(code)) in _CATEGORIES]
    runs = [[code for _, code in run] for _, run in groupby(enumerate(codes), lambda pair: pair[1] - pair[0])]
    # A surrogate is in no JSON text that can be sent.
    return "".join(f"{_escaped(run[0])}-{_escaped(run[-1])}" for run in runs if run[0] != 0xD800)


def _escaped(code: int) -> str:
    return f"\\u{code:04X}" if code <= 0xFFFF else chr(code)


@schemathesis.hook
def before_load_schema(_context: schemathesis.HookContext, schema: dict[str, Any]) -> None:
    """Spell out the character classes in every `pattern`."""
    _spell(schema, _spelled())


def _spell(value: object, spelled: str) -> None:
    if isinstance(value, dict):
        pattern = value.get("pattern")
        if isinstance(pattern, str):
            value["pattern"] = pattern.replace(_CLASSES, spelled)
        for member in value.values():
            _spell(member, spelled)
    elif isinstance(value, list):
        for item in value:
            _spell(item, spelled)
