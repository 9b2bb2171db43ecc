"""What an examination finds: checks, settings, and whether anything needed is missing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Literal, TypeVar

from reservation_cli.errors import NotConfiguredError, ResvError

T = TypeVar("T")

State = Literal["ok", "missing", "warning", "unknown", "optional"]
Group = Literal["tools", "local", "state", "aws", "cloudflare"]
Source = Literal["environment", ".env", "state", "default", "not set"]

#: What to do when nothing better is known.
AGAIN = "Look at the network, and run it again."


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at. `fix` is what mends it, "" when there is nothing to mend.

    `optional`: not there, and not needed; `unknown`: could not be told, `detail` says why.
    """

    group: Group
    name: str
    state: State
    detail: str
    fix: str = ""
    needed: bool = False

    @property
    def fails(self) -> bool:
        """Whether something that is needed is missing."""
        return self.needed and self.state == "missing"


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting's value, None when it has none, and where it is from. Of a secret there are four characters at most."""

    name: str
    value: str | None
    source: Source


@dataclass(frozen=True, slots=True)
class Report:
    """All that was looked at."""

    checks: tuple[Check, ...]
    settings: tuple[Setting, ...]

    @property
    def failing(self) -> tuple[Check, ...]:
        """What is needed and missing."""
        return tuple(check for check in self.checks if check.fails)

    def require(self) -> None:
        """Raises NotConfiguredError when anything needed is missing."""
        if failing := self.failing:
            things = "1 needed thing is" if len(failing) == 1 else f"{len(failing)} needed things are"
            names = ", ".join(f"{check.name} ({check.group})" for check in failing)
            raise NotConfiguredError(f"{things} missing: {names}.")

    def as_json(self) -> dict[str, object]:
        """The report as data."""
        return {
            "ok": not self.failing,
            "checks": [asdict(check) for check in self.checks],
            "settings": [asdict(setting) for setting in self.settings],
        }


def attempt(call: Callable[[], T]) -> T | ResvError:
    """What `call` gives, or the error of ours that it raises: for a doctor both are findings."""
    try:
        return call()
    except ResvError as error:
        return error


def lacking(group: Group, name: str, detail: str, fix: str, needed: bool) -> Check:
    """Something that is not there, which matters when it is needed."""
    return Check(group, name, "missing" if needed else "optional", detail, fix, needed)


def refused(group: Group, name: str, error: ResvError, needed: bool) -> Check:
    """Something that is there and does not work, which is worth a warning even when it is not needed."""
    return Check(group, name, "missing" if needed else "warning", error.message, error.hint or AGAIN, needed)
