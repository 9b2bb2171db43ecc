"""Options and arguments that several commands share, declared once; and what every command begins with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

import typer

from reservation_cli import settings
from reservation_cli.domain.reservation import PLATFORMS, Platform
from reservation_cli.errors import UsageError
from reservation_cli.output import Output
from reservation_cli.platforms import PlatformClient
from reservation_cli.settings import Settings


class On(StrEnum):
    """Which platforms a command works on."""

    cloudflare = "cloudflare"
    aws = "aws"
    both = "both"


class StrategyName(StrEnum):
    """How the workflow waits out the hold."""

    sleep = "sleep"
    event = "event"


class ComparedStrategy(StrEnum):
    """The strategies that a comparison runs: one, or both for four lanes."""

    sleep = "sleep"
    event = "event"
    both = "both"


Json = Annotated[bool, typer.Option("--json", help="Machine-readable output on stdout.")]
OnPlatform = Annotated[On, typer.Option("--on", help="Only this platform.")]
Ref = Annotated[str, typer.Argument(help="A reservation id, the ARN of a durable execution, or `last`.")]
Hold = Annotated[str, typer.Option(help="How long the seat is held: 10s, 15m, 2h, 1d. Whole seconds, 1 s to 30 days.")]
Seat = Annotated[str, typer.Option(help="The seat, 1 to 64 characters.")]
User = Annotated[str, typer.Option(help="Who reserves it, 1 to 128 characters.")]
Strategy = Annotated[
    StrategyName, typer.Option(help="sleep: wait the whole hold, then look. event: wake at once on a confirmation.")
]


Connect = Callable[[Settings, Platform, Callable[[str], None]], PlatformClient]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What `cli.main` was called with: the environment (os.environ unless given) and how platforms are reached."""

    environ: Mapping[str, str] | None
    connect: Connect


@dataclass(frozen=True, slots=True)
class Command:
    """What a command works with."""

    settings: Settings
    output: Output
    connect: Connect

    def clients(self, platforms: Sequence[Platform]) -> list[PlatformClient]:
        """A client of each platform, the local stack started when one of them needs it."""
        return [self.connect(self.settings, platform, self.output.note) for platform in platforms]


def begin(context: typer.Context, as_json: bool) -> Command:
    """The settings and the output of a command; UsageError when .env or a setting is broken."""
    surroundings: Surroundings = context.obj
    loaded = settings.load(surroundings.environ)
    return Command(loaded, Output(as_json=as_json, environ=loaded.environ), surroundings.connect)


def platforms_of(on: On, ref: str = "") -> tuple[Platform, ...]:
    """The platforms that `--on` names, or the one that an ARN is of; UsageError when the two disagree."""
    if ref.startswith("arn:"):
        if on == On.cloudflare:
            raise UsageError("An ARN names an execution on AWS, not on Cloudflare.", hint="Leave --on away.")
        return ("aws",)
    return tuple(platform for platform in PLATFORMS if on in (On.both, platform))
