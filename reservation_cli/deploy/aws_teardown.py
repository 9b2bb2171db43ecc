"""The teardown of a stage on AWS: by its stack when SAM deployed it, and by name whatever else of it is there."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

from reservation_cli.deploy.aws_account import Account, AwsStage
from reservation_cli.deploy.aws_calls import TABLE_WAIT, found, refusals, stack_of
from reservation_cli.deploy.aws_function_removal import Finding, FunctionRemoval, foreign, function_lines
from reservation_cli.deploy.aws_parts import NOT_YET, SAM_STACK, Step, described, not_ours, refuse_foreign
from reservation_cli.deploy.change import Change, Leftover
from reservation_cli.errors import NotConfiguredError, PlatformError, ResvError

#: Half an hour in all: a stack waits for whatever its functions still do.
STACK_WAIT = {"Delay": 5, "MaxAttempts": 360}

_OBJECTS_A_CALL = 1000
#: The code of the error for a stack that CloudFormation has given up: what is left of it can be removed by name.
_STUCK = "stack_stuck"


@dataclass(frozen=True)
class AwsRemover(AwsStage):
    """One stage in one region, whichever way it was deployed. `pause` is called with the seconds to wait for AWS."""

    pause: Callable[[float], object] = time.sleep

    def removals(self) -> list[Change]:
        """See Remover.removals. Raises PlatformError when the stack is another project's or protected."""
        account = self.account
        if account is None:
            return self._unknown()
        return [step.change for step in self._plan(account)]

    def remove(self, progress: Callable[[Change], None]) -> list[Leftover]:
        """See Remover.remove. Raises as `removals` does, and NotConfiguredError without (valid) credentials."""
        account = self.required_account()
        leftovers: list[Leftover] = []
        steps = self._plan(account)
        for number, step in enumerate(steps, 1):
            change = step.change
            progress(change)
            try:
                with refusals(self.parts, f"{change.verb} {change.kind} {change.name}"):
                    step.do()
            except NotConfiguredError:
                raise  # without credentials nothing more can be done
            except ResvError as error:
                leftovers.append(Leftover(change.kind, change.name, error.message))
                if change.kind == "stack" and error.code != _STUCK:
                    return [*leftovers, *_left_to_the_stack(steps[number:])]
        return leftovers

    def _unknown(self) -> list[Change]:
        return [Change("unknown", kind, name) for kind, name in self._lines()]

    def _lines(self) -> list[tuple[str, str]]:
        """Kind and name of all that there may be, in the order in which it is removed."""
        parts = self.parts
        workflow, seats = parts.functions
        return [
            ("executions", workflow.name),
            ("stack", parts.stack),
            ("artifacts", f"{parts.stack}/"),
            *(line for function in (workflow, seats) for line in function_lines(function)),
            ("IAM role", parts.role),
            ("table", parts.table),
            # Last: what still runs while the rest is removed may write to them.
            *(("log group", function.log_group) for function in (workflow, seats)),
        ]

    def _plan(self, account: Account) -> list[Step]:
        stack = self._stack(account)
        client, logs = account.client("lambda"), account.client("logs")
        workflow, seats = (
            FunctionRemoval(function, account, client, logs, self.pause) for function in self.parts.functions
        )
        looks = [
            workflow.executions,
            lambda: stack,
            lambda: self._artifacts(account),
            *(look for function in (workflow, seats) for look in (function.alias, function.versions, function.itself)),
            lambda: self._role(account),
            lambda: self._table(account),
            workflow.log_group,
            seats.log_group,
        ]
        return [self._step(kind, name, look) for (kind, name), look in zip(self._lines(), looks, strict=True)]

    def _step(self, kind: str, name: str, look: Callable[[], Finding]) -> Step:
        """The step for what `look` finds. Where it may not look, it removes nothing, and the others go on."""
        try:
            with refusals(self.parts, f"look for {kind} {name}"):
                finding = look()
        except NotConfiguredError:
            raise
        except ResvError as error:
            return Step(Change("unknown", kind, name, error.message), partial(_fail, error))
        return Step(Change(finding.verb, kind, name, finding.detail), finding.do)

    def _stack(self, account: Account) -> Finding:
        """Looked at before all else: what a protected stack holds is not to be taken from beneath it."""
        name, client = self.parts.stack, account.client("cloudformation")
        with refusals(self.parts, f"look for stack {name}"):
            stack = stack_of(client, name)
        if stack is None:
            return Finding()
        tags = described(stack.get("Tags", []))
        if stack["StackStatus"] != NOT_YET or "project" in tags:
            refuse_foreign("stack", name, tags)
        if stack.get("EnableTerminationProtection"):
            raise PlatformError(
                f"The stack {name} is protected against deletion; nothing was removed.",
                hint=f"aws cloudformation update-termination-protection --no-enable-termination-protection "
                f"--stack-name {name} --region {self.region}",
                code="stack_protected",
            )
        return Finding("delete", str(stack["StackStatus"]), lambda: self._delete_stack(client))

    def _delete_stack(self, client: Any) -> None:
        from botocore.exceptions import WaiterError

        name = self.parts.stack
        client.delete_stack(StackName=name)
        try:
            client.get_waiter("stack_delete_complete").wait(StackName=name, WaiterConfig=STACK_WAIT)
        except WaiterError as error:
            last: Any = error.last_response
            if "DELETE_FAILED" not in (each["StackStatus"] for each in last.get("Stacks", [])):
                raise  # CloudFormation is still at work, or has not begun
            answer = found(client.describe_stack_resources, StackName=name) or {"StackResources": []}
            stuck = [each for each in answer["StackResources"] if each["ResourceStatus"] == "DELETE_FAILED"]
            named = (
                f"{each['LogicalResourceId']} ({each.get('PhysicalResourceId')}): {each.get('ResourceStatusReason')}"
                for each in stuck
            )
            what = "; ".join(named) or f"the stack {name}"
            raise PlatformError(f"CloudFormation could not delete {what}", code=_STUCK) from error

    def _artifacts(self, account: Account) -> Finding:
        """What SAM has uploaded for this stage. Its bucket keeps versions: each is deleted."""
        stack = stack_of(account.client("cloudformation"), SAM_STACK)
        outputs = stack.get("Outputs", []) if stack else []
        bucket = next((each["OutputValue"] for each in outputs if each["OutputKey"] == "SourceBucket"), None)
        if bucket is None:
            return Finding()
        client = account.client("s3")

        def listed() -> list[dict[str, str]]:
            pages = client.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=f"{self.parts.stack}/")
            there = [each for page in pages for key in ("Versions", "DeleteMarkers") for each in page.get(key, [])]
            return [{"Key": each["Key"], "VersionId": each["VersionId"]} for each in there]

        objects = found(listed) or []

        def delete() -> None:
            for start in range(0, len(objects), _OBJECTS_A_CALL):
                chunk = {"Objects": objects[start : start + _OBJECTS_A_CALL], "Quiet": True}
                errors = client.delete_objects(Bucket=bucket, Delete=chunk).get("Errors", [])
                if errors:
                    first = errors[0]
                    raise PlatformError(
                        f"{len(errors)} objects could not be deleted: {first.get('Message')} ({first.get('Code')})"
                    )

        return Finding("delete", f"{len(objects)} object versions in {bucket}", delete) if objects else Finding()

    def _role(self, account: Account) -> Finding:
        name, iam = self.parts.role, account.client("iam")
        answer = found(iam.get_role, RoleName=name)
        if answer is None:
            return Finding()
        if reason := not_ours(described(answer["Role"].get("Tags", []))):
            return foreign(reason)

        def delete() -> None:
            for page in _pages(iam, "list_attached_role_policies", RoleName=name):
                for policy in page["AttachedPolicies"]:
                    found(iam.detach_role_policy, RoleName=name, PolicyArn=policy["PolicyArn"])
            for page in _pages(iam, "list_role_policies", RoleName=name):
                for policy in page["PolicyNames"]:
                    found(iam.delete_role_policy, RoleName=name, PolicyName=policy)
            found(iam.delete_role, RoleName=name)

        return Finding("delete", f"account {account.id}", delete)

    def _table(self, account: Account) -> Finding:
        name, dynamodb = self.parts.table, account.client("dynamodb")
        answer = found(dynamodb.describe_table, TableName=name)
        if answer is None:
            return Finding()
        is_going = answer["Table"]["TableStatus"] == "DELETING"
        if not is_going:
            tags = found(dynamodb.list_tags_of_resource, ResourceArn=answer["Table"]["TableArn"])
            if reason := not_ours(described(tags["Tags"] if tags else [])):
                return foreign(reason)

        def delete() -> None:
            status = answer["Table"]["TableStatus"]
            if status in ("CREATING", "UPDATING"):
                dynamodb.get_waiter("table_exists").wait(TableName=name, WaiterConfig=TABLE_WAIT)
            if not is_going:
                found(dynamodb.delete_table, TableName=name)
            dynamodb.get_waiter("table_not_exists").wait(TableName=name, WaiterConfig=TABLE_WAIT)

        return Finding("delete", f"{self.region}, with all seats in it", delete)


def _pages(client: Any, operation: str, **parameters: str) -> list[dict[str, Any]]:
    """All pages, read before anything is deleted; none when there is no such thing."""
    return found(lambda: list(client.get_paginator(operation).paginate(**parameters))) or []


def _left_to_the_stack(steps: Iterable[Step]) -> list[Leftover]:
    """What is not taken from beneath a stack that is there still."""
    changes = (step.change for step in steps if step.change.verb not in ("gone", "keep"))
    return [Leftover(each.kind, each.name, "it is left to the stack") for each in changes]


def _fail(error: ResvError) -> None:
    raise error
