"""Deploying to AWS with botocore alone: each resource is looked for, then made as wanted."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from reservation_cli.deploy.aws_account import Account, AwsStage
from reservation_cli.deploy.aws_calls import TABLE_WAIT, created, found, is_not_found, refusals, repeated, stack_of
from reservation_cli.deploy.aws_function import FunctionDeploy, package, unknown_lines
from reservation_cli.deploy.aws_parts import (
    LOG_DAYS,
    MANAGED_POLICY,
    FunctionParts,
    Step,
    described,
    listed,
    refuse_foreign,
)
from reservation_cli.deploy.change import Change
from reservation_cli.domain.deployment import AwsDeployment
from reservation_cli.errors import NotConfiguredError, PlatformError

_LOGS_DETAIL = f"kept for {LOG_DAYS} days"
_TABLE_KEY = [{"AttributeName": "pk", "KeyType": "HASH"}]


@dataclass(frozen=True)
class AwsApiDeployer(AwsStage):
    """One stage in one region. `bundle` has handler.mjs and seats-api.mjs; None, for a plan only, when it is not built.

    `recreate` consents to the deletion of a durable function that was created without DurableConfig. `pause` is
    called with the seconds to wait before a call that AWS will take in a moment is tried again.
    """

    bundle: Path | None
    recreate: bool = False
    pause: Callable[[float], object] = time.sleep

    def changes(self) -> list[Change]:
        """See Deployer.changes.

        Raises PlatformError when the stage was deployed by SAM, when a resource of its name is another project's, and
        when the durable function exists without DurableConfig and `recreate` is not set.
        """
        account = self.account
        if account is None:
            return self._unknown()
        return [step.change for step in self._plan(account, self._functions(account))]

    def apply(self, progress: Callable[[Change], None]) -> AwsDeployment:
        """See Deployer.apply. Raises as `changes` does, and NotConfiguredError without credentials or bundle."""
        if self.bundle is None:
            raise NotConfiguredError("The code for Lambda is not built.", hint="Run `npm run build` in aws-durable.")
        account = self.required_account()
        functions = self._functions(account)
        for step in self._plan(account, functions):
            progress(step.change)
            with refusals(self.parts, f"{step.change.verb} {step.change.kind} {step.change.name}"):
                step.do()
        return AwsDeployment(self.stage, self.region, account.id, "api", functions[0].version, datetime.now(UTC))

    def _functions(self, account: Account) -> list[FunctionDeploy]:
        client = account.client("lambda")
        return [
            FunctionDeploy(
                account,
                client,
                self.parts,
                function,
                package(self.bundle / function.file) if self.bundle else None,
                self.recreate,
                self.pause,
            )
            for function in self.parts.functions
        ]

    def _plan(self, account: Account, functions: list[FunctionDeploy]) -> list[Step]:
        self._refuse_stack(account)
        return [
            self._role(account),
            self._table(account),
            *(self._log_group(account, function) for function in self.parts.functions),
            *(step for function in functions for step in function.steps()),
        ]

    def _unknown(self) -> list[Change]:
        """The lines of the plan when nothing can be looked up."""
        parts = self.parts
        return [
            Change("unknown", "IAM role", parts.role, f"for Lambda, with {MANAGED_POLICY}"),
            Change("unknown", "table", parts.table, f"{self.region}, on demand"),
            *(Change("unknown", "log group", each.log_group, _LOGS_DETAIL) for each in parts.functions),
            *(line for each in parts.functions for line in unknown_lines(each, self.region)),
        ]

    def _refuse_stack(self, account: Account) -> None:
        """What SAM has deployed is CloudFormation's to change: edited beneath it, its next update may fail."""
        name = self.parts.stack
        with refusals(self.parts, f"look for the stack {name}"):
            stack = stack_of(account.client("cloudformation"), name)
        if stack is not None:
            raise PlatformError(
                f"The stage {self.stage} was deployed by SAM: there is a stack {name} in {self.region}.",
                hint=f"Deploy with --via sam; or first: {self.parts.teardown}",
                code="deployed_by_sam",
            )

    def _role(self, account: Account) -> Step:
        name, iam, inline = self.parts.role, account.client("iam"), self.parts.inline_policy
        trust, policy = account.policy("trust", self.stage), account.policy("functions", self.stage)
        tags = listed(self.parts.tags)
        with refusals(self.parts, f"look for IAM role {name}"):
            answer = found(iam.get_role, RoleName=name)
            differences = self._role_differences(account, iam, answer["Role"], trust, policy) if answer else []

        def give(policy_: Callable[[], object]) -> None:
            # A role that has just been made is not yet known to all of IAM.
            repeated(policy_, lambda error: answer is None and is_not_found(error), self.pause)

        def make() -> None:
            if answer is None:
                created(lambda: iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust), Tags=tags))
            else:
                iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(trust))
                iam.tag_role(RoleName=name, Tags=tags)
            give(partial(iam.attach_role_policy, RoleName=name, PolicyArn=account.managed_policy))
            give(partial(iam.put_role_policy, RoleName=name, PolicyName=inline, PolicyDocument=json.dumps(policy)))

        where = f"account {account.id}"
        if answer is None:
            detail = f"{where}, for Lambda, with {MANAGED_POLICY} and the policy {inline}"
            return Step(Change("create", "IAM role", name, detail), make)
        if differences:
            return Step(Change("update", "IAM role", name, f"{where}, {', '.join(differences)}"), make)
        return Step(Change("keep", "IAM role", name, where))

    def _role_differences(
        self, account: Account, iam: Any, role: Mapping[str, Any], trust: dict[str, object], policy: dict[str, object]
    ) -> list[str]:
        name, inline = self.parts.role, self.parts.inline_policy
        tags = described(role.get("Tags", []))
        refuse_foreign("IAM role", name, tags)
        pages = iam.get_paginator("list_attached_role_policies").paginate(RoleName=name)
        attached = [each["PolicyArn"] for page in pages for each in page["AttachedPolicies"]]
        own = found(iam.get_role_policy, RoleName=name, PolicyName=inline)
        differences = {
            "who may assume it": role.get("AssumeRolePolicyDocument") != trust,
            MANAGED_POLICY: account.managed_policy not in attached,
            f"policy {inline}": own is None or own["PolicyDocument"] != policy,
            "tags": not self.parts.tags.items() <= tags.items(),
        }
        return [what for what, differs in differences.items() if differs]

    def _table(self, account: Account) -> Step:
        name, dynamodb = self.parts.table, account.client("dynamodb")
        arn, tags = account.arn("dynamodb", f"table/{name}"), listed(self.parts.tags)
        detail = f"{self.region}, on demand"
        with refusals(self.parts, f"look for table {name}"):
            answer = found(dynamodb.describe_table, TableName=name)
            there = found(dynamodb.list_tags_of_resource, ResourceArn=arn) if answer else None
        status = answer["Table"]["TableStatus"] if answer else "DELETING"
        tagged = described(there["Tags"]) if there else {}
        if status != "DELETING":
            refuse_foreign("table", name, tagged)

        def ready() -> None:
            dynamodb.get_waiter("table_exists").wait(TableName=name, WaiterConfig=TABLE_WAIT)

        def create() -> None:
            if answer is not None:
                dynamodb.get_waiter("table_not_exists").wait(TableName=name, WaiterConfig=TABLE_WAIT)
            created(
                lambda: dynamodb.create_table(
                    TableName=name,
                    BillingMode="PAY_PER_REQUEST",
                    AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
                    KeySchema=_TABLE_KEY,
                    Tags=tags,
                )
            )
            ready()

        def tag() -> None:
            ready()
            dynamodb.tag_resource(ResourceArn=arn, Tags=tags)

        if answer is None or status == "DELETING":
            return Step(Change("create", "table", name, detail), create)
        if answer["Table"]["KeySchema"] != _TABLE_KEY:
            raise PlatformError(
                f"The table {name} in {self.region} has other keys than the seats have.",
                hint="Delete that table, or deploy under another --stage.",
                code="name_taken",
            )
        if not self.parts.tags.items() <= tagged.items():
            return Step(Change("update", "table", name, "tags"), tag)
        return Step(Change("keep", "table", name, detail), ready if status == "CREATING" else lambda: None)

    def _log_group(self, account: Account, function: FunctionParts) -> Step:
        name, logs = function.log_group, account.client("logs")
        arn = account.arn("logs", f"log-group:{name}")
        with refusals(self.parts, f"look for log group {name}"):
            # The group whose name is the prefix itself comes first.
            groups = logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
            group = next((each for each in groups if each["logGroupName"] == name), None)
            tags = logs.list_tags_for_resource(resourceArn=arn)["tags"] if group else {}
        if "project" in tags:  # one that Lambda has made by itself has none, and is the function's
            refuse_foreign("log group", name, tags)
        kept = group is not None and group.get("retentionInDays") == LOG_DAYS
        tagged = self.parts.tags.items() <= tags.items()

        def make() -> None:
            if group is None:
                created(lambda: logs.create_log_group(logGroupName=name, tags=self.parts.tags))
            elif not tagged:
                logs.tag_resource(resourceArn=arn, tags=self.parts.tags)
            logs.put_retention_policy(logGroupName=name, retentionInDays=LOG_DAYS)

        if group is None:
            return Step(Change("create", "log group", name, _LOGS_DETAIL), make)
        if kept and tagged:
            return Step(Change("keep", "log group", name, _LOGS_DETAIL))
        detail = ", ".join([*([] if kept else [_LOGS_DETAIL]), *([] if tagged else ["tags"])])
        return Step(Change("update", "log group", name, detail), make)
