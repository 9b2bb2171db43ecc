"""Plans of deploys and teardowns: for the terminal and as JSON."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Sequence

from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.constrain import Constrain
from rich.text import Text

from reservation_cli.deploy.change import Change, Leftover, Plan, Verb
from reservation_cli.render.table import fact_lines
from reservation_cli.render.words import DIM, FAILED, WARNING, printable

_STYLES: dict[Verb, str] = {
    "create": "green",
    "update": WARNING,
    "recreate": FAILED,
    "stop": WARNING,
    "delete": FAILED,
    "keep": DIM,
    "gone": DIM,
    "unknown": "",
}
_BLIND = "Without credentials it can't be told what is there: `unknown` is"
_UNKNOWN = {
    "deploy": f"{_BLIND} created, changed or kept as it turns out.",
    "teardown": f"{_BLIND} deleted if it is there.",
}


def plan_view(plan: Plan, width: int) -> RenderableType:
    """Where, then each change in its order, then how many there are of each kind."""
    parts: list[RenderableType] = [Text(f"{plan.action} {plan.subject}", "bold"), *fact_lines(plan.where), Text()]
    kinds = max((len(change.kind) for change in plan.changes), default=0)
    names = max((cell_len(change.name) for change in plan.changes), default=0)
    for change in plan.changes:
        parts += _lines(change, kinds, names, width)
    return Constrain(Group(*parts, Text(), Text(summary(plan))), width)


def _lines(change: Change, kinds: int, names: int, width: int) -> list[RenderableType]:
    """A change on one line; its detail below when it does not fit beside it."""
    line = Text.assemble("  ", (change.verb.ljust(10), _STYLES[change.verb]), change.kind.ljust(kinds + 2))
    detail = printable(change.detail)
    indent, beside = line.cell_len, line.cell_len + names + 2
    line.append(printable(change.name))
    if not detail:
        return [line]
    if beside + cell_len(detail) > width:
        below = textwrap.wrap(detail, max(width - indent, 20), break_on_hyphens=False)
        return [line, *(Text(" " * indent + part, DIM) for part in below)]
    return [line.append(" " * (beside - line.cell_len)).append(detail, DIM)]


def summary(plan: Plan) -> str:
    """How many changes of each kind."""
    counts = Counter(change.verb for change in plan.changes)
    if plan.is_blind:
        return _UNKNOWN[plan.action]
    if not plan.work:
        return "Nothing to do: all of it is as wanted." if plan.action == "deploy" else "Nothing of it is there."
    told = [f"{counts[verb]} to {verb}" for verb in _STYLES if counts[verb] and verb not in ("keep", "gone", "unknown")]
    rest = [f"{counts['keep']} as wanted"] if counts["keep"] else []
    rest += [f"{counts['gone']} not there"] if counts["gone"] else []
    rest += [f"{counts['unknown']} not known"] if counts["unknown"] else []
    return f"{', '.join([*told, *rest])}."


def progress_line(change: Change, number: int, total: int) -> str:
    """A step as it begins."""
    return f"[{number}/{max(number, total)}] {change.verb} {change.kind} {printable(change.name)}"


def plan_json(plan: Plan) -> dict[str, object]:
    """The plan as data."""
    return {
        "action": plan.action,
        "platform": plan.platform,
        "stage": plan.stage,
        **{name.replace(" ", "_"): value for name, value in plan.where},
        "changes": [
            {"verb": change.verb, "kind": change.kind, "name": change.name, "detail": change.detail}
            for change in plan.changes
        ],
    }


def leftovers_json(leftovers: Sequence[Leftover]) -> list[dict[str, str]]:
    """What could not be removed, as data."""
    return [{"kind": left.kind, "name": left.name, "reason": left.reason} for left in leftovers]
