"""A plan: what a deploy or a teardown does to which resource, in the order in which it does it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from reservation_cli.domain.deployment import Deployment
from reservation_cli.domain.reservation import Platform
from reservation_cli.platforms import NAMES

Verb = Literal["create", "update", "recreate", "keep", "stop", "delete", "gone", "unknown"]

#: What stands for a value that takes credentials to know.
UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Change:
    """One line of a plan.

    `keep`: exists and is as wanted; `stop`: executions that are still running; `gone`: there is nothing to delete;
    `unknown`: cannot be told without credentials.
    """

    verb: Verb
    kind: str
    name: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a deploy or a teardown would do. `where` are names and values: the account, the region, the way.

    `flags` are those that a repetition of the command takes.
    """

    action: Literal["deploy", "teardown"]
    platform: Platform | Literal["local"]
    stage: str
    where: tuple[tuple[str, str], ...]
    changes: tuple[Change, ...]
    flags: str = ""

    @property
    def subject(self) -> str:
        """What it is about: "the local stack", "stage dev on AWS"."""
        return "the local stack" if self.platform == "local" else f"stage {self.stage} on {NAMES[self.platform]}"

    @property
    def is_blind(self) -> bool:
        """Whether it was made without credentials."""
        return ("account", UNKNOWN) in self.where

    @property
    def work(self) -> tuple[Change, ...]:
        """The changes that change something, or may."""
        return tuple(change for change in self.changes if change.verb not in ("keep", "gone"))


@dataclass(frozen=True, slots=True)
class Leftover:
    """What could not be removed, and why."""

    kind: str
    name: str
    reason: str


class Deployer(Protocol):
    """One way of deploying a stage to one platform. `changes` makes read calls only."""

    def where(self) -> list[tuple[str, str]]:
        """The account and what else tells where it works, as names and values; UNKNOWN for what takes credentials."""

    def changes(self) -> list[Change]:
        """What `apply` would do, in order; without credentials the verbs are `unknown`."""

    def apply(self, progress: Callable[[Change], None]) -> Deployment:
        """Do it, `progress` called before each step. Safe to repeat: a half-done deploy is completed."""


class Remover(Protocol):
    """The teardown of a stage on one platform, however it was deployed. `removals` makes read calls only."""

    def where(self) -> list[tuple[str, str]]:
        """See Deployer.where."""

    def removals(self) -> list[Change]:
        """What `remove` would delete, in order; without credentials the verbs are `unknown`."""

    def remove(self, progress: Callable[[Change], None]) -> list[Leftover]:
        """Delete all of it, whatever of it is there; gives what could not be deleted. Safe to repeat."""
