"""Bad input, generated from a seed: texts, documents and what is done to them. Those who take it are in bad_*.py."""

from __future__ import annotations

import copy
import json
import os
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, TypeVar

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

T = TypeVar("T")

#: RESV_FUZZ_SEED sets another; the same seed generates the same input.
SEED = int(os.environ.get("RESV_FUZZ_SEED", "20261128"))

#: What has broken other programs: nothing, too much, other encodings, directions and numerals, what a shell reads.
NASTY = (
    "",
    " ",
    "-",
    "--",
    "-x",
    "..",
    "/",
    "~nobody-of-that-name",
    "a/../../b",
    "\0",
    "a\0b",
    "\x1b[2J",
    "\x1b]0;title\x07",
    "\x9b31m",
    "\u202eabc",
    "\u2066x\u2069",
    "\u200b",
    "\ufeff",
    "\u2028",
    "a\nb",
    "a\r\nb",
    "\t",
    "\udc80\udcff",
    "\ud800",
    "e\u0301",
    "🎟️" * 40,
    "ﷺ" * 70,
    "x" * 65,
    "x" * 129,
    "x" * 5000,
    "9" * 5000,
    "١٢s",
    "²",
    "0",
    "-1",
    "1e999",
    "NaN",
    "inf",
    "1_000",
    "0x10",
    "1e3s",
    "0.0000001ms",
    "99999999999999999999d",
    "{}",
    "[]",
    "null",
    "%s%n",
    "$(id)",
    "'; DROP TABLE seats; --",
    "{0.__class__}",
    "[bold]x[/bold]",
    "[/]",
)


def texts(max_size: int = 40) -> st.SearchStrategy[str]:
    """Any text, lone surrogates (argv that is no UTF-8) and NUL included; often one of `NASTY`."""
    return st.sampled_from(NASTY) | st.text(max_size=max_size)


def drive(count: int, strategy: st.SearchStrategy[T], check: Callable[[T], object], with_seed: int = SEED) -> int:
    """Call `check` with `count` values; gives how many it was. The first failure is made small and raised."""
    done = 0

    @seed(with_seed)
    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
    @given(strategy)
    def run(value: T) -> None:
        nonlocal done
        done += 1
        check(value)

    run()
    return done


def is_tame(text: str) -> bool:
    """Whether nothing in `text` moves a terminal's cursor, reverses its writing, or cannot be written."""
    return all(sign in "\n\t" or unicodedata.category(sign) not in ("Cc", "Cf", "Cs", "Zl", "Zp") for sign in text)


#: Values of every kind of JSON, at its edges.
ODD_VALUES: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    10**30,
    -(10**18),
    1.5,
    float("nan"),
    float("inf"),
    1e308,
    "",
    "unheard-of",
    "\x1b[2J\u202e\x9b",
    "x" * 20_000,
    "9999-12-31T23:59:59.999+14:00",
    "9999-12-31T23:59:59Z",
    "0001-01-01T00:00:00Z",
    [],
    [[]],
    [None],
    {},
    {"a": {"b": {}}},
)


def leaves(document: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of all values in a document, the document's own (empty) first."""
    yield path
    if isinstance(document, dict):
        for name, value in document.items():
            yield from leaves(value, (*path, name))
    elif isinstance(document, list):
        for index, value in enumerate(document):
            yield from leaves(value, (*path, index))


def changed(document: Any, path: Sequence[Any], change: Callable[[Any], Any]) -> Any:
    """A copy of `document` with what `change` makes of the value at `path`; MISSING takes it away."""
    if not path:
        return change(document)
    copied = copy.copy(document)
    inner = changed(document[path[0]], path[1:], change)
    if inner is MISSING:
        del copied[path[0]]
    else:
        copied[path[0]] = inner
    return copied


MISSING: Any = object()


@st.composite
def mutants(draw: st.DrawFn, documents: Sequence[Any]) -> Any:
    """One of the documents with up to four things changed: values replaced, left out, doubled, or added."""
    document = draw(st.sampled_from(documents))
    for _ in range(draw(st.integers(1, 4))):
        paths = list(leaves(document))
        # A number, not one of the paths: sampled_from looks at all of them first.
        path = paths[draw(_PLACES) % len(paths)]
        how = draw(_CHANGES)
        odd = draw(_ANY) if how == "any" else draw(_ODD)
        document = changed(document, path, partial(_change, how if path else "odd", odd))
    return document


_PLACES = st.integers(0, 2**16)
_CHANGES = st.sampled_from(("odd", "odd", "any", "missing", "doubled", "more"))


def _change(how: str, odd: Any, value: Any) -> Any:
    if how == "missing":
        return MISSING
    if how == "doubled" and isinstance(value, list):
        return value + value
    if how == "more" and isinstance(value, list):
        return [odd, *value]
    if how == "more" and isinstance(value, dict):
        return {**value, "Unheard-of": odd}
    return odd


def json_values() -> st.SearchStrategy[Any]:
    """Any JSON value, with numbers and texts that no JSON has."""
    simple = st.none() | st.booleans() | st.integers() | st.floats() | texts(20)
    inner = simple | st.lists(simple, max_size=2)
    return inner | st.dictionaries(texts(10), inner, max_size=3)


_ANY = json_values()
_ODD = st.sampled_from(ODD_VALUES)
_KINDS = st.sampled_from(("json",) * 8 + ("cut", "cut", "bytes", "garbled", "page", "deep", "twice"))


@st.composite
def bodies(draw: st.DrawFn, documents: Sequence[Any]) -> bytes:
    """A mutant of a document as it goes over the wire; or what came in its place, or only a part of it."""
    kind = draw(_KINDS)
    told = wire(draw(mutants(documents)) if kind == "json" else draw(st.sampled_from(documents)))
    if kind == "cut":
        return told[: draw(st.integers(0, max(0, len(told) - 1)))]
    if kind == "bytes":
        return draw(st.binary(max_size=200))
    if kind == "garbled":
        at = draw(st.integers(0, max(0, len(told) - 1)))
        return told[:at] + draw(st.sampled_from((b"\xff\xfe", b"\0", b"\xc3\x28", b"\x1b[2J"))) + told[at + 1 :]
    if kind == "page":
        return b"<!DOCTYPE html><html><title>502 Bad Gateway</title>\xff</html>"
    if kind == "deep":
        return b'{"result":' * 3_000 + b"1" + b"}" * 3_000
    return told + told if kind == "twice" else told


def wire(document: Any) -> bytes:
    """A document as bytes; halves of characters go as the bytes they would be."""
    return json.dumps(document, ensure_ascii=False).encode("utf-8", "surrogatepass")
