"""Options and arguments that several commands share, declared once; and what every command begins with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from reservation_cli import settings, store
from reservation_cli.domain.deployment import Deployment, check_stage
from reservation_cli.domain.reservation import PLATFORMS, Platform
from reservation_cli.errors import NotFoundError, UsageError
from reservation_cli.output import Output
from reservation_cli.places import Where, place
from reservation_cli.platforms import PlatformClient
from reservation_cli.settings import Settings

if TYPE_CHECKING:
    from reservation_cli.domain.run import Run


class On(StrEnum):
    """Which platforms a command works on."""

    cloudflare = "cloudflare"
    aws = "aws"
    both = "both"


class StrategyName(StrEnum):
    """How the workflow waits out the hold."""

    sleep = "sleep"
    event = "event"


class Cloud(StrEnum):
    """The platforms that are deployed to."""

    aws = "aws"
    cloudflare = "cloudflare"


class AnyPlace(StrEnum):
    """What can be torn down."""

    aws = "aws"
    cloudflare = "cloudflare"
    local = "local"


class WayName(StrEnum):
    """How AWS is deployed to."""

    sam = "sam"
    api = "api"


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


Local = Annotated[bool, typer.Option("--local", help="On the local stack, whatever is deployed.")]
Stage = Annotated[
    str | None, typer.Option(help="On this deployed stage; else where it was reserved, or what was deployed last.")
]
StageName = Annotated[
    str | None, typer.Option("--stage", help="Part of every name, so that several live side by side.")
]
Region = Annotated[str | None, typer.Option(help="The AWS region; AWS_REGION sets it, else us-east-2.")]
OutputFiles = Annotated[
    list[str] | None,
    typer.Option(
        "--output", "-o", help="Also write it here, by ending: .html .json .csv .svg .md .trace.json; repeatable."
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only show what would be done.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do it without asking.")]

Connect = Callable[[Settings, Platform, Deployment | None, Callable[[str], None]], PlatformClient]


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
    where: Where
    made: dict[tuple[Platform, Deployment | None], PlatformClient] = field(default_factory=dict)

    def clients(self, platforms: Sequence[Platform], ref: str = "") -> list[PlatformClient]:
        """A client of each platform where `ref` runs, the local stack started when one of them needs it.

        Of both platforms only those that have it, when it was reserved from here in a cloud: nothing else is started
        or asked for it.
        """
        known = store.known_lanes(self.settings.home, ref) if ref and len(platforms) > 1 else {}
        if any(lane.stage is not None for lane in known.values()):
            platforms = [platform for platform in platforms if platform in known]
        # All places first: what is wrong with one is told before anything is started.
        places = self.places(platforms, ref)
        return [self._client(platform, found) for platform, found in places.items()]

    def places(self, platforms: Sequence[Platform], ref: str = "") -> dict[Platform, Deployment | None]:
        """Where `ref` runs on each platform. One on which it is no longer deployed is left out and told.

        Raises what `place` raises, NotFoundError only when no platform is left.
        """
        found: dict[Platform, Deployment | None] = {}
        gone: list[NotFoundError] = []
        for platform in platforms:
            try:
                found[platform] = place(self.settings.home, platform, self.where, ref)
            except NotFoundError as error:
                gone.append(error)
        if gone and not found:
            raise gone[0]
        for missing in gone:
            self.output.note(missing.message)
        return found

    def _client(self, platform: Platform, found: Deployment | None) -> PlatformClient:
        # One for all refs of a place: a client of a cloud keeps to that cloud's rates.
        if (platform, found) not in self.made:
            self.made[platform, found] = self.connect(self.settings, platform, found, self.output.note)
        return self.made[platform, found]


def begin(context: typer.Context, as_json: bool, local: bool = False, stage: str | None = None) -> Command:
    """The settings and the output of a command; UsageError when .env or a setting is broken."""
    if local and stage is not None:
        raise UsageError("--local and --stage exclude each other.", hint="The local stack has no stages.")
    surroundings: Surroundings = context.obj
    loaded = settings.load(surroundings.environ)
    where = Where(local, None if local else check_stage(stage) if stage is not None else loaded.stage)
    return Command(loaded, Output(as_json=as_json, environ=loaded.environ), surroundings.connect, where)


def platforms_of(on: On, ref: str = "") -> tuple[Platform, ...]:
    """The platforms that `--on` names, or the one that an ARN is of; UsageError when the two disagree."""
    if ref.startswith("arn:"):
        if on == On.cloudflare:
            raise UsageError("An ARN names an execution on AWS, not on Cloudflare.", hint="Leave --on away.")
        return ("aws",)
    return tuple(platform for platform in PLATFORMS if on in (On.both, platform))


def configuration(context: typer.Context) -> dict[str, object]:
    """What a command was asked for, by the names of its options, defaults included: for the recorded run."""
    given = {name.replace("_", "-"): value for name, value in context.params.items() if name != "json"}
    return {
        name: value.value if isinstance(value, StrEnum) else list(value) if isinstance(value, tuple) else value
        for name, value in given.items()
        if value is not None and value is not False and value != [] and value != ()
    }


def check_outputs(files: Sequence[str] | None) -> None:
    """UsageError or NotConfiguredError for a file that could not be written later, before anything is measured."""
    if files:
        from reservation_cli import exports  # deferred: most runs are only drawn

        exports.check(files)


def write_outputs(me: Command, run: Run, files: Sequence[str] | None) -> list[str]:
    """Write the run to each file, and say so; gives their names."""
    if not files:
        return []
    from reservation_cli import exports

    written = exports.write(run, files, me.settings.environ)
    for name in written:
        me.output.note(f"Written: {name}")
    return written
