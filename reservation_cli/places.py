"""Where a lane runs: where its platform was deployed, else on the local stack."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from reservation_cli import store
from reservation_cli.domain.arn import ExecutionArn, parse_arn
from reservation_cli.domain.deployment import DEFAULT_REGION, AwsDeployment, Deployment, workflow_name
from reservation_cli.domain.reservation import Platform
from reservation_cli.errors import NotConfiguredError, NotFoundError, UsageError
from reservation_cli.platforms import NAMES

#: Of the local AWS engine: no account of AWS has this number.
LOCAL_ACCOUNT = "000000000000"


@dataclass(frozen=True, slots=True)
class Where:
    """What was said of where to run: `--local`, a stage (`--stage` or RESV_STAGE), or nothing."""

    local: bool = False
    stage: str | None = None


def place(home: Path, platform: Platform, where: Where, ref: str = "") -> Deployment | None:
    """The deployment that a command about `ref` ("" for none in particular) works on; None for the local stack.

    What was said comes first, then what an ARN tells, then where the reservation was made, then the stage that was
    deployed last. Raises NotConfiguredError when a stage that was named is not deployed, UsageError when an ARN is of
    elsewhere, NotFoundError when the stage of a reservation is no longer there.
    """
    if ref.startswith("arn:"):
        return _of_arn(home, where, parse_arn(ref))
    if where.local:
        return None
    deployed = store.deployments(home, platform)
    if where.stage is not None:
        return _deployed(deployed.get(where.stage), platform, where.stage)
    known = store.known_lanes(home, ref).get(platform) if ref else None
    if known is None:
        return list(deployed.values())[-1] if deployed else None
    if known.stage is None:
        return None
    if known.stage not in deployed:
        raise NotFoundError(
            f"{ref} ran on stage {known.stage} of {NAMES[platform]}, which is not deployed any more.",
            hint="`resv list` shows what there is.",
        )
    return deployed[known.stage]


def _deployed(found: Deployment | None, platform: Platform, stage: str) -> Deployment:
    if found is None:
        raise NotConfiguredError(
            f"{NAMES[platform]} has no stage {stage} that this machine knows of.",
            hint=f"Deploy it: resv deploy {platform} --stage {stage}; or work on the other platform alone, by --on.",
            code="not_deployed",
        )
    return found


def _of_arn(home: Path, where: Where, arn: ExecutionArn) -> AwsDeployment | None:
    known = [each for each in store.deployments(home, "aws").values() if isinstance(each, AwsDeployment)]
    if where.local or (where.stage is None and arn.account == LOCAL_ACCOUNT) or not known:
        arn.require(DEFAULT_REGION, LOCAL_ACCOUNT, workflow_name("dev"), "AWS · local")
        return None
    if where.stage is not None:
        known = [each for each in known if each.stage == where.stage]
    return _matching(known, arn)


def _matching(known: Sequence[AwsDeployment], arn: ExecutionArn) -> AwsDeployment:
    theirs = (arn.region, arn.account, arn.function)
    for each in known:
        if theirs == (each.region, each.account, each.function):
            return each
    places = "; ".join(f"{each.function} in {each.region}, account {each.account}" for each in known) or "nothing"
    raise UsageError(
        f"That ARN is of {arn.function} in {arn.region}, account {arn.account}; deployed from here: {places}.",
        hint="Give an ARN of what is deployed; `resv list --on aws` shows them.",
    )
