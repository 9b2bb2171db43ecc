"""What `resv doctor` found, for the terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from rich.cells import cell_len
from rich.console import Group as Lines
from rich.console import RenderableType
from rich.text import Text

from reservation_cli.doctor.check import Check, Group, Report, State
from reservation_cli.render.words import DIM, FAILED, UNKNOWN, WARNING, joined, printable

_TITLES: dict[Group, str] = {
    "tools": "Tools",
    "local": "Local stack",
    "state": "State",
    "aws": "AWS",
    "cloudflare": "Cloudflare",
}
_SIGNS: dict[State, tuple[str, str]] = {
    "ok": ("✓", "green"),
    "missing": ("✗", FAILED),
    "warning": ("!", WARNING),
    "unknown": ("?", WARNING),
    "optional": ("–", DIM),
}

#: Longer values push their source aside.
_WIDEST = 36


def doctor_view(report: Report, width: int) -> RenderableType:
    """The checks by group; the settings and where each is from; what to do first."""
    names = max(len(check.name) for check in report.checks)
    parts: list[RenderableType] = []
    for group, title in _TITLES.items():
        checks = [check for check in report.checks if check.group == group]
        if checks:
            parts += [Text(title, "bold"), *(line for check in checks for line in _check(check, names, width)), Text()]
    return Lines(
        *parts, Text("Settings", "bold"), *_settings(report), Text(), *map(Text, _wrapped(summary(report), width))
    )


def summary(report: Report) -> str:
    """What to do first; when nothing is missing, what is only not set up."""
    if failing := report.failing:
        first = failing[0]
        return f"First: {_TITLES[first.group]}, {first.name} → {printable(first.fix)}"
    warnings = sum(check.state == "warning" for check in report.checks)
    parts = ["Nothing that is needed is missing"]
    if warnings:
        parts.append("1 warning" if warnings == 1 else f"{warnings} warnings")
    unset = [
        _TITLES[check.group] for check in report.checks if check.name == "credentials" and check.state == "optional"
    ]
    if unset:
        parts.append(f"not set up, and only needed to deploy there: {joined(unset)}")
    return "; ".join(parts) + "."


def _check(check: Check, names: int, width: int) -> Iterator[Text]:
    """A check with what mends it behind an arrow: on a line of its own when it does not fit beside what was found."""
    line = Text.assemble("  ", _SIGNS[check.state], f" {check.name.ljust(names)}  ")
    indent = line.cell_len
    room = max(width - indent, 20)
    detail = printable(check.detail)
    fix = printable(check.fix) if check.state != "ok" else ""
    style = "bold" if check.fails else ""
    if cell_len(f"{detail} → {fix}") <= room or (not fix and cell_len(detail) <= room):
        yield line.append(detail).append(f" → {fix}" if fix else "", style)
        return
    first, *more = _wrapped(detail, room)
    yield _whole(line.append(first))
    yield from (_whole(Text(" " * indent + part)) for part in more)
    for number, part in enumerate(_wrapped(fix, room - 2)):
        yield _whole(Text(" " * indent + ("  " if number else "→ ") + part, style))


def _wrapped(text: str, room: int) -> list[str]:
    """Lines broken at spaces only: paths and addresses can be copied whole."""
    return textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False)


def _whole(line: Text) -> Text:
    """`line`, left for the terminal to wrap where it is too long."""
    line.no_wrap, line.overflow = True, "ignore"
    return line


def _settings(report: Report) -> Iterator[Text]:
    names = max(len(setting.name) for setting in report.settings)
    shown = [UNKNOWN if setting.value is None else printable(setting.value) for setting in report.settings]
    values = min(max(map(cell_len, shown)), _WIDEST)
    for setting, value in zip(report.settings, shown, strict=True):
        beside = " " * max(values - cell_len(value), 0)
        yield _whole(Text.assemble(f"  {setting.name.ljust(names)}  {value}{beside}  ", (setting.source, DIM)))
