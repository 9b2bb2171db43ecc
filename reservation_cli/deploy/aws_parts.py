"""What a stage is made of on AWS, what it is called, and how it is told from what is somebody else's."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from reservation_cli.deploy.change import Change
from reservation_cli.domain.deployment import seats_name, workflow_name
from reservation_cli.errors import PlatformError

MANAGED_POLICY = "service-role/AWSLambdaBasicDurableExecutionRolePolicy"
PROJECT = "resv"
LOG_DAYS = 14

#: The stack in which SAM keeps its bucket, one an account and region, shared by all that is deployed by SAM.
SAM_STACK = "aws-sam-cli-managed-default"
#: The status of a stack that has nothing but a change set: for SAM it does not exist yet; it may lack its tags.
NOT_YET = "REVIEW_IN_PROGRESS"

_COMMAND = re.compile(r"resv (deploy|teardown) aws(?: --region (\S+))?")


@dataclass(frozen=True, slots=True)
class FunctionParts:
    """One of the two functions: its code is `file` of the bundle, entered at `handler`."""

    name: str
    file: str
    handler: str
    durable: bool

    @property
    def kind(self) -> str:
        """What a plan calls it."""
        return "durable function" if self.durable else "function"

    @property
    def log_group(self) -> str:
        """Where Lambda writes what it logs."""
        return f"/aws/lambda/{self.name}"


@dataclass(frozen=True, slots=True)
class AwsParts:
    """The names of a stage's resources in one region, as infra/template.yaml has them too."""

    stage: str
    region: str

    @property
    def stack(self) -> str:
        """The CloudFormation stack of a deploy by SAM, and the prefix of its artifacts."""
        return workflow_name(self.stage)

    @property
    def role(self) -> str:
        """Roles are an account's: without its region, two regions would share one."""
        return f"durable-reservation-role-{self.stage}-{self.region}"

    @property
    def table(self) -> str:
        """The seats."""
        return seats_name(self.stage)

    @property
    def inline_policy(self) -> str:
        """The role's policy that is not AWS's."""
        return workflow_name(self.stage)

    @property
    def functions(self) -> tuple[FunctionParts, FunctionParts]:
        """The durable function, and the one that reads, confirms and cancels."""
        return (
            FunctionParts(workflow_name(self.stage), "handler.mjs", "handler.handler", durable=True),
            FunctionParts(seats_name(self.stage), "seats-api.mjs", "seats-api.handler", durable=False),
        )

    @property
    def tags(self) -> dict[str, str]:
        """What tells our resources from others."""
        return {"project": PROJECT, "stage": self.stage}

    @property
    def teardown(self) -> str:
        """The command that removes the stage."""
        return self.aimed("resv teardown aws")

    def aimed(self, hint: str) -> str:
        """`hint` with its commands for this stage, and this region unless they name one: bare, they work on `dev`."""
        return _COMMAND.sub(
            lambda match: f"resv {match[1]} aws --stage {self.stage} --region {match[2] or self.region}", hint
        )


@dataclass(frozen=True, slots=True)
class Step:
    """A line of a plan, and the calls behind it."""

    change: Change
    do: Callable[[], object] = lambda: None


def described(tags: list[dict[str, str]]) -> dict[str, str]:
    """Tags as IAM and DynamoDB list them, as a mapping."""
    return {tag["Key"]: tag["Value"] for tag in tags}


def listed(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Tags as IAM and DynamoDB take them."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def not_ours(tags: Mapping[str, str]) -> str:
    """Why a resource of our name is somebody else's; "" when it is ours. All that is made here is tagged at once."""
    project = tags.get("project")
    if project == PROJECT:
        return ""
    return f"its tag `project` is {project}" if project else f"it has no tag project={PROJECT}"


def refuse_foreign(kind: str, name: str, tags: Mapping[str, str]) -> None:
    """Raise PlatformError when a resource of our name is not tagged as ours."""
    if reason := not_ours(tags):
        raise PlatformError(
            f"The {kind} {name} is not resv's: {reason}.", hint="Use another --stage.", code="name_taken"
        )
