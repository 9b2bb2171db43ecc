"""Where a stage is deployed: the names of its parts, and the record that is kept of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from typing import Literal, TypeVar

from reservation_cli.domain.reservation import InvalidInputError, Platform, format_time, parse_time

Via = Literal["sam", "api"]

DEFAULT_STAGE = "dev"
DEFAULT_REGION = "us-east-2"
QUALIFIER = "live"

#: AWS's partitions other than `aws`, by what their regions begin with.
_PARTITIONS = {"cn-": "aws-cn", "us-gov-": "aws-us-gov", "eusc-": "aws-eusc"}

_STAGE = re.compile(r"[a-z][a-z0-9-]{0,15}")
_REGION = re.compile(r"[a-z]{2,4}(-[a-z]+)+-\d")


def check_stage(stage: str) -> str:
    """`stage`; InvalidInputError unless it is 1 to 16 lower-case letters, digits or -, a letter first."""
    if not _STAGE.fullmatch(stage):
        raise InvalidInputError(
            f"A stage is 1 to 16 lower-case letters, digits or -, and begins with a letter; not {stage!r}."
        )
    return stage


def check_region(region: str) -> str:
    """`region`; InvalidInputError unless it looks like us-east-2."""
    if not _REGION.fullmatch(region):
        raise InvalidInputError(f"{region!r} is no AWS region; one looks like us-east-2.")
    return region


def workflow_name(stage: str) -> str:
    """The durable function on AWS; the Worker and its Workflow on Cloudflare."""
    return f"reservation-workflow-{stage}"


def seats_name(stage: str) -> str:
    """The seats function and the seats table on AWS."""
    return f"reservation-seats-{stage}"


@dataclass(frozen=True, slots=True)
class AwsDeployment:
    """A stage in one account and region. `version` is the function's version that the alias `live` names."""

    stage: str
    region: str
    account: str
    via: Via
    version: str
    deployed_at: datetime
    platform: Literal["aws"] = "aws"

    @property
    def function(self) -> str:
        """The durable function."""
        return workflow_name(self.stage)

    @property
    def seats_function(self) -> str:
        """The function that reads, confirms and cancels."""
        return seats_name(self.stage)

    @property
    def functions_arn(self) -> str:
        """What the ARNs of this account's functions in this region begin with."""
        partition = next((name for prefix, name in _PARTITIONS.items() if self.region.startswith(prefix)), "aws")
        return f"arn:{partition}:lambda:{self.region}:{self.account}:function:"

    @property
    def label(self) -> str:
        """How outputs name it."""
        return f"AWS · {self.region} · {self.function}:{QUALIFIER}"


@dataclass(frozen=True, slots=True)
class CloudflareDeployment:
    """A stage in one account. `token` is the bearer token of the Worker's POSTs; "" when they are open."""

    stage: str
    account: str
    url: str
    version: str
    deployed_at: datetime
    token: str = field(default="", repr=False)
    platform: Literal["cloudflare"] = "cloudflare"

    @property
    def workflow(self) -> str:
        """The Worker, and its Workflow."""
        return workflow_name(self.stage)

    @property
    def label(self) -> str:
        """How outputs name it."""
        return f"Cloudflare · {self.url.removeprefix('https://')}"


Deployment = AwsDeployment | CloudflareDeployment
D = TypeVar("D", AwsDeployment, CloudflareDeployment)


def to_record(deployment: Deployment) -> dict[str, object]:
    """The deployment as JSON, its secret included: for the state file only."""
    record = asdict(deployment)
    record["deployed_at"] = format_time(deployment.deployed_at)
    return record


def public_record(deployment: Deployment) -> dict[str, object]:
    """The deployment as JSON for everybody: of the secret only whether there is one."""
    record = to_record(deployment)
    if isinstance(deployment, CloudflareDeployment):
        record["token"] = "set" if deployment.token else None
    return record


def from_record(platform: Platform, record: Mapping[str, object]) -> Deployment | None:
    """The deployment that `to_record` wrote; None when `record` is none of this platform."""
    if platform == "aws":
        return _read(AwsDeployment, record)
    return _read(CloudflareDeployment, record)


def _read(kind: type[D], record: Mapping[str, object]) -> D | None:
    names = {each.name for each in fields(kind)} - {"deployed_at", "platform"}
    known = {name: value for name, value in record.items() if name in names and isinstance(value, str)}
    deployed_at = parse_time(record.get("deployed_at"))
    if deployed_at is None or names - known.keys() - {"token"}:
        return None
    return kind(**known, deployed_at=deployed_at)  # type: ignore[arg-type]  # every field of both is a string
