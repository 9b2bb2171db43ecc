"""A plan: what a deploy or a teardown does to which resource, in the order in which it does it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

Verb = Literal["create", "update", "keep", "delete", "gone", "unknown"]


@dataclass(frozen=True, slots=True)
class Change:
    """One line of a plan.

    `keep`: exists and is as wanted; `gone`: there is nothing to delete; `unknown`: cannot be told without credentials.
    """

    verb: Verb
    kind: str
    name: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Leftover:
    """What could not be removed, and why."""

    kind: str
    name: str
    reason: str


class Deployer(Protocol):
    """One way of deploying to one platform. `changes` and `removals` make read calls only."""

    def changes(self) -> list[Change]:
        """What `apply` would do; without credentials the verbs are `unknown`."""

    def apply(self, progress: Callable[[Change], None]) -> Mapping[str, str]:
        """Do it, `progress` called before each step; gives the record of the deployment. Safe to repeat."""

    def removals(self) -> list[Change]:
        """What `remove` would delete, in order."""

    def remove(self, progress: Callable[[Change], None]) -> list[Leftover]:
        """Delete all of it, whatever of it is there; gives what could not be deleted. Safe to repeat."""
