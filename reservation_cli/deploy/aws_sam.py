"""Deploying to AWS with the SAM CLI: `sam validate`, `sam build` and `sam deploy` on infra/template.yaml."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from reservation_cli.deploy.aws_account import Account, AwsStage
from reservation_cli.deploy.aws_calls import found, refusals, stack_of
from reservation_cli.deploy.aws_function import description
from reservation_cli.deploy.aws_parts import LOG_DAYS, MANAGED_POLICY, NOT_YET, SAM_STACK, described, refuse_foreign
from reservation_cli.deploy.change import Change, Verb
from reservation_cli.deploy.preflight import Tool
from reservation_cli.deploy.sam_cli import Event, Sam
from reservation_cli.domain.deployment import QUALIFIER, AwsDeployment
from reservation_cli.errors import Interrupted, NotConfiguredError, PlatformError
from reservation_cli.local.halves import BUNDLE, infra_folder

Progress = Callable[[Change], None]

#: What the template makes, by the names it has there, in the order of the plan.
RESOURCES = (
    "FunctionsRole",
    "SeatsTable",
    *("WorkflowLogs", "SeatsLogs"),
    *("WorkflowFunction", "WorkflowFunctionVersion", "WorkflowFunctionAliaslive"),
    *("SeatsFunction", "SeatsFunctionVersion", "SeatsFunctionAliaslive"),
)

_CHECK_SECONDS = 120.0
_DEPLOY_SECONDS = 3600.0

_DEAD_ENDS = ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED", "UPDATE_ROLLBACK_FAILED")
_BEGUN: dict[str, Verb] = {"CREATE_IN_PROGRESS": "create", "UPDATE_IN_PROGRESS": "update"}

_VERSION_HASH = re.compile(r"(?<=Version)\w{10}$")


@dataclass(frozen=True)
class SamDeployer(AwsStage):
    """One stage in one region. `bundle` has handler.mjs and seats-api.mjs; it may be None for a plan only."""

    bundle: Path | None
    sam: Tool

    def changes(self) -> list[Change]:
        """See Deployer.changes.

        Raises PlatformError when the stack is another project's or in no state to be deployed to, and when parts of
        the stage exist that are not of the stack.
        """
        account = self.account
        if account is None:
            return self._lines("unknown", "unknown", "")
        return self._plan(account)

    def apply(self, progress: Progress) -> AwsDeployment:
        """See Deployer.apply. `progress` hears of each run of sam, then of each resource as CloudFormation begins it.

        A stack whose creation fails is removed again by sam, so that the next run finds nothing in its way. Raises as
        `changes` does, NotConfiguredError without credentials or bundle, Interrupted when CloudFormation goes on.
        """
        if self.bundle is None or not (self.bundle / "handler.mjs").is_file():
            raise NotConfiguredError("The code for Lambda is not built.", hint="Run `npm run build` in aws-durable.")
        account = self.required_account()
        _, stack, *resources = self._plan(account)
        sam = Sam(self.sam, self.environ, self.parts, account.secrets)
        with _laid_out(self.bundle, self.environ.get("TMPDIR") or None) as folder:
            self._deploy(sam, folder, stack, resources, progress)
        function = self.parts.functions[0].name
        with refusals(self.parts, f"look for the version of {function}:{QUALIFIER}"):
            alias = account.client("lambda").get_alias(FunctionName=function, Name=QUALIFIER)
        version = str(alias["FunctionVersion"])
        return AwsDeployment(self.stage, self.region, account.id, "sam", version, datetime.now(UTC))

    def _plan(self, account: Account) -> list[Change]:
        name, stacks = self.parts.stack, account.client("cloudformation")
        with refusals(self.parts, f"look for the stack {name}"):
            bucket = stack_of(stacks, SAM_STACK)
            stack = stack_of(stacks, name) or {"StackStatus": NOT_YET}
        if stack["StackStatus"] == NOT_YET:
            self._refuse_strays(account)
            return self._lines("keep" if bucket else "create", "create", "")
        self._refuse_state(stack)
        return self._lines("keep" if bucket else "create", "update", "if it has changed")

    def _lines(self, bucket: Verb, verb: Verb, condition: str) -> list[Change]:
        """The plan: SAM's stack, ours, and the template's resources as RESOURCES has them."""
        parts = self.parts

        def line(kind: str, name: str, detail: str = "") -> Change:
            return Change(verb, kind, name, "; ".join(filter(None, (detail, condition))))

        plan = [
            Change(bucket, "stack", SAM_STACK, "SAM's own, with a bucket for all code that it deploys to this region"),
            Change(verb, "stack", parts.stack, f"{self.region}, by SAM CLI {self.sam.version}"),
            line("IAM role", parts.role, f"for Lambda, with {MANAGED_POLICY} and the policy {parts.inline_policy}"),
            line("table", parts.table, f"{self.region}, on demand"),
            *(line("log group", each.log_group, f"kept for {LOG_DAYS} days") for each in parts.functions),
        ]
        for each in parts.functions:
            plan.append(line(each.kind, each.name, description(each, self.region)))
            plan.append(line("version", each.name))
            plan.append(line("alias", f"{each.name}:{QUALIFIER}"))
        return plan

    def _refuse_state(self, stack: Mapping[str, Any]) -> None:
        """Nothing is begun that CloudFormation would refuse, or that would replace somebody else's resources."""
        name, status = f"{self.parts.stack} in {self.region}", stack["StackStatus"]
        refuse_foreign("stack", name, described(stack.get("Tags", [])))
        if status.endswith("_IN_PROGRESS"):
            raise PlatformError(
                f"CloudFormation is at work on the stack {name}: {status}.",
                hint="Run the command again when it has ended, in some minutes.",
                code="stack_busy",
            )
        if status in _DEAD_ENDS:
            raise PlatformError(
                f"The stack {name} cannot be deployed to: it is {status}.",
                hint=f"Remove it, then deploy again: {self.parts.teardown}",
                code="stack_broken",
            )

    def _refuse_strays(self, account: Account) -> None:
        """CloudFormation takes over nothing that exists: the creation of the stack would fail half-way."""
        parts, lambda_, logs = self.parts, account.client("lambda"), account.client("logs")
        with refusals(self.parts, f"look for what there is of stage {self.stage}"):
            strays = [
                f"{each.kind} {each.name}"
                for each in parts.functions
                if found(lambda_.get_function_configuration, FunctionName=each.name)
            ]
            if found(account.client("iam").get_role, RoleName=parts.role):
                strays.append(f"IAM role {parts.role}")
            if found(account.client("dynamodb").describe_table, TableName=parts.table):
                strays.append(f"table {parts.table}")
            for name in (each.log_group for each in parts.functions):
                groups = logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
                if name in (group["logGroupName"] for group in groups):
                    strays.append(f"log group {name}")
        if strays:
            raise PlatformError(
                f"Stage {self.stage} is in {self.region} already, in no stack: {', '.join(strays)}.",
                hint=f"Deploy with --via api; or first: {self.parts.teardown}",
                code="deployed_by_api",
            )

    def _deploy(self, sam: Sam, folder: Path, stack: Change, resources: Iterable[Change], progress: Progress) -> None:
        for command in ("validate", "build"):
            progress(replace(stack, name=f"{stack.name} (sam {command})"))
            lint = ["--lint"] if command == "validate" else []
            sam.run(folder, [command, *lint, "--template", "template.yaml"], _CHECK_SECONDS, lambda _event: None)
        arguments = [
            *("deploy", "--stack-name", stack.name, "--parameter-overrides", f"Stage={self.stage}"),
            *("--tags", *(f"{key}={value}" for key, value in self.parts.tags.items())),
            *("--capabilities", "CAPABILITY_NAMED_IAM", "--resolve-s3", "--s3-prefix", stack.name),
            *("--no-confirm-changeset", "--no-fail-on-empty-changeset", "--no-progressbar", "--on-failure", "DELETE"),
        ]
        progress(replace(stack, name=f"{stack.name} (sam deploy)"))
        try:
            sam.run(folder, arguments, _DEPLOY_SECONDS, _begun(resources, progress))
        except KeyboardInterrupt as error:
            raise Interrupted(
                f"Interrupted; CloudFormation may go on with the stack {stack.name} in {self.region} by itself.",
                hint=f"Deploy again when it has ended, or remove it: {self.parts.teardown}",
            ) from error


@contextmanager
def _laid_out(bundle: Path, beneath: str | None) -> Iterator[Path]:
    """Template and code as they lie in a checkout, since one names the other; gives the template's folder.

    A copy, `beneath` the folder for what is temporary: sam writes beside the template, and an installation may be
    read-only. Raises NotConfiguredError when it cannot be made.
    """
    with ExitStack() as until_then:
        try:
            root = Path(until_then.enter_context(tempfile.TemporaryDirectory(prefix="resv-sam-", dir=beneath)))
            infra = root / "infra"
            infra.mkdir()
            shutil.copy(infra_folder() / "template.yaml", infra)
            shutil.copytree(bundle, root / "aws-durable" / BUNDLE)
        except OSError as error:
            raise NotConfiguredError(
                f"No folder can be made for the SAM CLI: {error}.",
                hint="Set TMPDIR to a folder of yours with room in it.",
                code="no_folder",
            ) from error
        yield infra


def _begun(resources: Iterable[Change], progress: Progress) -> Callable[[Event], None]:
    """Tells `progress` of each resource that CloudFormation begins with."""
    left = dict(zip(RESOURCES, resources, strict=True))

    def hear(event: Event) -> None:
        if event.status in _BEGUN:
            change = left.pop(_VERSION_HASH.sub("", event.logical_id), None)
            if change is not None:
                progress(replace(change, verb=_BEGUN[event.status]))

    return hear
