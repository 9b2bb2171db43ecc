"""What a local stack consists of, as plain data: `stack` makes it, the supervisor runs it.

Named tuples, not dataclasses: importing `dataclasses` costs the supervisor 8 ms of the stack's start.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

#: File names in RESV_HOME that the supervisor and those who use it share.
LOCK = "stack.lock"
PLAN = "plan.json"
STACK = "stack.json"
USED = "stack.used"
LOGS = "logs"
CLOUDFLARE = "cloudflare"

#: The access key and the secret with which the local AWS endpoint is called; it checks neither.
KEY = "local"

#: Version of what stands in stack.json.
FORMAT = 1


class Child(NamedTuple):
    """One process to keep alive. It is up when http://127.0.0.1:{port}{path} answers below 500."""

    name: str
    argv: tuple[str, ...]
    cwd: str
    port: int
    path: str
    env: Mapping[str, str] = {}
    #: the child that must have answered before the first start of this one
    after: str = ""
    #: a line of its output that tells of a crash inside, after which it may never answer again
    crash_line: str = ""
    #: the Cloudflare workflow whose sleeping instances must be woken after each start
    workflow: str = ""
    #: files and folders whose edits make it reload, which puts the instances to sleep as a start does
    sources: tuple[str, ...] = ()
    #: its answer at `path` is JSON with `running` (a count) and `last_request` (RFC 3339 or null), for the idle stop
    reports_use: bool = False


class Plan(NamedTuple):
    """A stack: its children, and what stack.json tells its users."""

    home: str
    children: tuple[Child, ...]
    idle_seconds: float
    facts: Mapping[str, Any] = {}


def write(plan: Plan, path: Path) -> None:
    """Writes `plan` as JSON. Nothing secret is in it; the environment is inherited, not written."""
    children = [child._asdict() for child in plan.children]
    from reservation_cli.files import write_whole  # deferred: the supervisor, which only reads, starts without it

    write_whole(path, json.dumps(plan._replace(children=())._asdict() | {"children": children}))


def read(path: Path) -> Plan:
    """The plan that `write` wrote."""
    fields = json.loads(path.read_text())
    children = [
        Child(**{**child, "argv": tuple(child["argv"]), "sources": tuple(child["sources"])})
        for child in fields["children"]
    ]
    return Plan(**{**fields, "children": tuple(children)})
