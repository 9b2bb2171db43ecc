"""A local stack whose workflows stop for a known time at a known place, and the stopping of its engines.

It is the real stack on copies of both halves. A reservation with the id `r-wake_700-1a2b` stops for 700 ms at the
place `wake`. Each copy differs from its original by nothing but these places.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from reservation_cli import settings
from reservation_cli.local import layout, plan, ports, processes, stack
from reservation_cli.local.node import find_node
from support.waiting import until

#: In their order: before the first step; in the step create-hold, before its body begins by its own clock; in that
#: body, before the seat is held and after; between the step and the wait; between the wait and finalize; in the step
#: finalize, before its body begins; in that body; after the step.
Place = Literal["start", "enter", "create", "held", "arm", "wake", "reenter", "finalize", "end"]

#: By the file of each half that is changed: the text, there exactly once, before which the place is.
PLACES: Mapping[str, Mapping[Place, str]] = {
    "cf-workflow/src/workflow.ts": {
        "start": 'const hold = await step.do("create-hold"',
        "enter": "const began = Date.now();\n    const claimed = await ",
        "create": "const claimed = await ",
        "held": "return { reservation, clock: { began, ended: Date.now() } };\n  }\n\n  async #finalize(",
        "arm": "const decision =\n",
        "wake": 'const final = await step.do("finalize"',
        "reenter": "const began = Date.now();\n    const reservation = await this.env.SEAT.getByName(seatId)[",
        "finalize": "const reservation = await this.env.SEAT.getByName(seatId)[decision](",
        "end": "return {\n      message: describe(final.reservation),",
    },
    "aws-durable/src/handler.ts": {
        "start": "// Made before the hold, so that whoever can see the hold can already signal",
        "enter": "const began = Date.now();\n  const reservation = await seats.hold(",
        "create": "const reservation = await seats.hold(",
        "held": "return { reservation, clock: { began, ended: Date.now() } };\n}\n\nasync function finalize(",
        "arm": "const decision = confirmation ? ",
        "wake": 'const final = await context.step("finalize"',
        "reenter": "const began = Date.now();\n  const reservation = await seats[decision](",
        "finalize": "const reservation = await seats[decision](",
        "end": "return {\n      message: describe(final.reservation),",
    },
}

# Once a reservation: a replay comes to what stands between two steps again.
_STOP_AT = """
const stopped = new Set<string>();
async function stopAt(place: string, reservationId: string): Promise<void> {
  const ms = Number(new RegExp(`-${place}_([0-9]+)-`).exec(reservationId)?.[1] ?? 0);
  if (ms === 0 || stopped.has(place + reservationId)) return;
  stopped.add(place + reservationId);
  await new Promise((resolve) => setTimeout(resolve, ms));
}
"""


def delayed_id(place: Place | None, ms: int) -> str:
    """A new id for a reservation that stops at `place` for `ms`; nowhere without one."""
    return f"r-{f'{place}_{ms}-' if place else ''}{secrets.token_hex(6)}"


@contextmanager
def delayed_stack(home: Path) -> Iterator[stack.Stack]:
    """The stack in `home`, on ports of its own; it is stopped at the end."""
    taken: set[int] = set()
    environ = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "CLOUDFLARE_", "RESV_"))},
        "RESV_HOME": str(home),
        "RESV_CLOUDFLARE_PORT": str(ports.choose(0, taken)),
        "RESV_AWS_PORT": str(ports.choose(0, taken)),
    }

    def on_copies() -> tuple[plan.Plan, dict[str, str]]:
        real = layout.plan(settings.load(environ, home), print)
        children = tuple(_on_a_copy(child, home / "halves", environ) for child in real.children)
        return real._replace(children=children), layout.child_environ(environ)

    try:
        yield stack.start(home, on_copies, print)
    finally:
        stack.stop(home, print)


def engine_groups(home: Path) -> list[int]:
    """The process groups of both engines of the stack in `home`; what runs AWS's functions is not among them."""
    children = plan.read(home / plan.PLAN).children
    commands = [" ".join(child.argv) for child in children if child.name in ("cloudflare", "aws")]
    groups = [process.group for process in processes.table() if process.command in commands]
    assert len(groups) == 2
    return groups


def stop_until(moment: datetime, groups: list[int]) -> datetime:
    """Stop these process groups until `moment`; the time at which they go on."""
    try:
        for group in groups:
            os.killpg(group, signal.SIGSTOP)
        until(lambda: datetime.now(UTC) >= moment, f"{moment:%T}")
        return datetime.now(UTC)
    finally:
        for group in groups:
            os.killpg(group, signal.SIGCONT)


def _on_a_copy(child: plan.Child, copies: Path, environ: Mapping[str, str]) -> plan.Child:
    """`child` in a copy of its half, with the places in it; a child that runs in no half as it is."""
    half = Path(child.cwd)
    changed = [name for name in PLACES if name.startswith(f"{half.name}/")]
    if not changed:
        return child
    copy = copies / half.name
    shutil.copytree(half, copy, ignore=shutil.ignore_patterns("node_modules", "dist", "test", ".*"))
    (copy / "node_modules").symlink_to(half / "node_modules")
    for name in changed:
        path = copies / name
        path.write_text(_with_places(path.read_text(), PLACES[name]))
    if (copy / "build.mjs").is_file():
        subprocess.run([find_node(environ).path, "build.mjs"], cwd=copy, check=True, capture_output=True)
    return child._replace(
        argv=tuple(part.replace(str(half), str(copy)) for part in child.argv),
        cwd=str(copy),
        sources=tuple(part.replace(str(half), str(copy)) for part in child.sources),
    )


def _with_places(source: str, places: Mapping[Place, str]) -> str:
    """`source` with a call before the text of each place, and what is called at its end."""
    found = {}
    for place, text in places.items():
        assert source.count(text) == 1, f"the place {place} is to be before {text!r}: {source.count(text)} times there"
        found[source.index(text)] = place
    for position, place in sorted(found.items(), reverse=True):
        # finalize takes the request apart.
        name = "reservationId" if place in ("reenter", "finalize") else "request.reservationId"
        source = f'{source[:position]}await stopAt("{place}", {name});\n{source[position:]}'
    return source + _STOP_AT
