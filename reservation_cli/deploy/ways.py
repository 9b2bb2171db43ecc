"""Which way a stage is deployed and torn down, and where: from flags, settings and what was deployed before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from reservation_cli import store
from reservation_cli.deploy import preflight
from reservation_cli.deploy.change import Deployer, Remover
from reservation_cli.domain.deployment import (
    DEFAULT_REGION,
    DEFAULT_STAGE,
    AwsDeployment,
    CloudflareDeployment,
    Via,
    check_region,
    check_stage,
)
from reservation_cli.domain.reservation import Platform
from reservation_cli.errors import ConflictError, NotConfiguredError, UsageError
from reservation_cli.files import own_folder
from reservation_cli.local import halves
from reservation_cli.local.node import Node, find_node
from reservation_cli.local.plan import LOGS
from reservation_cli.settings import Settings

if TYPE_CHECKING:
    from reservation_cli.platforms.wrangler import Wrangler

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Choice:
    """What was said of a deploy."""

    platform: Platform
    stage: str
    region: str | None = None
    via: Via | None = None
    public: bool = False
    recreate: bool = False

    @property
    def flags(self) -> str:
        """The flags that say it again."""
        said = [
            f"--stage {self.stage}",
            f"--region {self.region}" if self.region else "",
            f"--via {self.via}" if self.via else "",
            "--public" if self.public else "",
            "--recreate" if self.recreate else "",
        ]
        return " ".join(filter(None, said))


def stage_of(settings: Settings, flag: str | None) -> str:
    """The stage to work on: the flag, else RESV_STAGE, else dev."""
    return check_stage(flag) if flag is not None else settings.stage or DEFAULT_STAGE


def deployer(settings: Settings, choice: Choice, progress: Progress | None) -> tuple[Deployer, list[tuple[str, str]]]:
    """The deployer of a choice, and what to say of where and how it works. Without `progress` (a dry run) nothing is
    built or installed for it.

    Raises ConflictError when the stage is deployed to another region, NotConfiguredError when the SAM CLI that was
    asked for is missing or too old, UsageError for options of the other platform.
    """
    if choice.platform == "aws":
        if choice.public:
            raise UsageError("--public is of Cloudflare; AWS asks for credentials.", hint="Leave it away.")
        return _aws(settings, choice, progress)
    for given, flag in ((choice.region, "--region"), (choice.via, "--via"), (choice.recreate, "--recreate")):
        if given:
            raise UsageError(f"{flag} is of AWS; Cloudflare has none.", hint="Leave it away, or deploy aws.")
    return _cloudflare(settings, choice, progress), []


def remover(settings: Settings, platform: str, stage: str, region: str | None, progress: Progress | None) -> Remover:
    """The remover of a stage, however it was deployed; of the local stack's state for `local`.

    Without `progress` (a dry run) nothing is installed for it.
    """
    if region is not None and platform != "aws":
        raise UsageError("--region is of AWS only.", hint="Leave it away, or tear down aws.")
    if platform == "local":
        from reservation_cli.deploy.local import LocalRemover

        return LocalRemover(settings.home)
    if platform == "aws":
        from reservation_cli.deploy.aws_teardown import AwsRemover

        # Where it is known to be comes before the environment: what is elsewhere is not what was deployed.
        where = region or _recorded_region(settings, stage) or settings.region or DEFAULT_REGION
        return AwsRemover(stage, check_region(where), settings.environ)
    from reservation_cli.deploy.cloudflare import CloudflareRemover

    return CloudflareRemover(stage, settings.environ, partial(wrangler, settings, progress))


def _aws(settings: Settings, choice: Choice, progress: Progress | None) -> tuple[Deployer, list[tuple[str, str]]]:
    stage, recorded = choice.stage, _recorded_region(settings, choice.stage)
    region = check_region(choice.region or settings.region or recorded or DEFAULT_REGION)
    known = store.deployments(settings.home, "aws").get(stage)
    if recorded not in (None, region):
        raise ConflictError(
            f"Stage {stage} is deployed to {recorded}, not to {region}.",
            hint=f"Choose another --stage, or remove it: resv teardown aws --stage {stage} --region {recorded}",
            code="other_region",
        )
    sam = preflight.sam(settings.environ)
    found = f"found {sam.version}" if sam else "none found"
    via, reason = choice.via, "as asked"
    if via is None and isinstance(known, AwsDeployment):
        via, reason = known.via, "as it was deployed before"
    elif via is None and sam is not None and sam.good_enough:
        via, reason = "sam", f"SAM CLI {sam.version}"
    elif via is None:
        via, reason = "api", f"no SAM CLI >= {preflight.SAM_MINIMUM}: {found}"
    if via == "sam" and choice.recreate:
        raise UsageError(
            "--recreate is of --via api: what a stack holds is CloudFormation's to make.",
            hint=f"Remove the stage and deploy it anew: resv teardown aws --stage {stage} --region {region}",
        )
    where = [("way", f"{via}: {reason}")]
    bundle = _bundle(settings, progress)
    if via == "api":
        from reservation_cli.deploy.aws_api import AwsApiDeployer

        return AwsApiDeployer(stage, region, settings.environ, bundle, choice.recreate), where
    if sam is None or not sam.good_enough:
        raise NotConfiguredError(
            f"Deploying by SAM needs the SAM CLI >= {preflight.SAM_MINIMUM}; {found}.",
            hint="pip install --upgrade aws-sam-cli, or deploy without it: --via api",
            code="sam_missing",
        )
    from reservation_cli.deploy.aws_sam import SamDeployer

    return SamDeployer(stage, region, settings.environ, bundle, sam), where


def _cloudflare(settings: Settings, choice: Choice, progress: Progress | None) -> Deployer:
    from reservation_cli.deploy.cloudflare import CloudflareDeployer

    known = store.deployments(settings.home, "cloudflare").get(choice.stage)
    token = known.token if isinstance(known, CloudflareDeployment) else ""
    ready = partial(wrangler, settings, progress)
    return CloudflareDeployer(choice.stage, settings.environ, ready, choice.public, token)


def _recorded_region(settings: Settings, stage: str) -> str | None:
    known = store.deployments(settings.home, "aws").get(stage)
    return known.region if isinstance(known, AwsDeployment) else None


def _bundle(settings: Settings, progress: Progress | None) -> Path | None:
    """The folder with the code for Lambda; None when it is not built, in a dry run."""
    folder = halves.ready("aws-durable", settings.environ)
    if folder is None and progress is not None:
        folder = _prepared("aws-durable", settings, find_node(settings.environ), progress)
    return folder and folder / halves.BUNDLE


def wrangler(settings: Settings, progress: Progress | None) -> Wrangler:
    """The wrangler of cf-workflow. NotConfiguredError when it is not installed, and there is no `progress` to do it."""
    from reservation_cli.platforms.wrangler import Wrangler

    node = find_node(settings.environ)
    if progress is None:
        folder = halves.installed("cf-workflow", node, settings.environ)
        if folder is None:
            raise NotConfiguredError("wrangler is not installed yet.", hint="`resv deploy cloudflare` installs it.")
    else:
        folder = _prepared("cf-workflow", settings, node, progress)
    return Wrangler(node, folder, settings.environ)


def _prepared(half: str, settings: Settings, node: Node, progress: Progress) -> Path:
    logs = settings.home / LOGS
    try:
        own_folder(logs)
    except OSError as error:
        raise store.unwritable(settings.home, error) from error
    return halves.prepare(half, node, settings.environ, logs / f"npm-{half}.log", progress)
