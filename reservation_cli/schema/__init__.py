"""What `--json` prints, as JSON Schemas (draft 2020-12): one file for each kind of output, and what they share.

The files refer to each other by their `$id`; what is printed has all that it refers to in its `$defs`.
Source: JSON Schema Core 2020-12, section 9.3 (compound documents).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import Any

Schema = dict[str, Any]

#: By name: the commands that print it. The first one that fits is meant, so finer ones come first.
OUTPUTS: Mapping[str, tuple[str, ...]] = {
    "run": ("compare", "bench", "chaos", "reserve", "status"),
    "list": ("list",),
    "runs": ("runs",),
    "report": ("report",),
    "cost": ("cost",),
    "code": ("differences --code",),
    "differences": ("differences",),
    "decision": ("confirm", "cancel"),
    "plan": ("deploy --dry-run", "teardown --dry-run"),
    "deployment": ("deploy",),
    "teardown": ("teardown",),
    "doctor": ("doctor",),
    "up": ("up",),
    "down": ("down",),
    "env": ("env",),
    "log": ("logs",),
    "schemas": ("schema --list",),
    "error": (),
}

_OURS = "urn:resv:"


def read(name: str) -> Schema:
    """The file of that name, as it is."""
    schema: Schema = json.loads(files(__name__).joinpath(f"{name}.json").read_text(encoding="utf-8"))
    return schema


def bundled(name: str) -> Schema:
    """The schema with all that it refers to, directly or not, in its `$defs`, each under its own `$id`."""
    schema = read(name)
    found: dict[str, Schema] = {}
    missing = _others(schema)
    while missing:
        urn = missing.pop()
        found[urn] = read(urn.removeprefix(_OURS).partition(":")[0])
        missing = (missing | _others(found[urn])) - found.keys() - {schema["$id"]}
    return {**schema, "$defs": schema.get("$defs", {}) | dict(sorted(found.items()))} if found else schema


def _others(part: object) -> set[str]:
    """The ids of the schemas that `part` refers to."""
    return {ref.partition("#")[0] for ref in _references(part) if ref.startswith(_OURS)}


def _references(part: object) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        part = list(part.values())
    if isinstance(part, list):
        for each in part:
            yield from _references(each)
