"""The removal of one Lambda function with all that hangs on it: executions, alias, versions, log group."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from reservation_cli.deploy.aws_account import Account
from reservation_cli.deploy.aws_calls import found, function_tags, is_being_deleted, told, wait_until_gone
from reservation_cli.deploy.aws_parts import FunctionParts, not_ours
from reservation_cli.deploy.change import Verb
from reservation_cli.domain.deployment import QUALIFIER
from reservation_cli.errors import PlatformError

_ALIVE = ["RUNNING", "PAUSING", "PAUSED"]
_TORN_DOWN = {"ErrorType": "TornDown", "ErrorMessage": "The stage was torn down."}
_MOST_A_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Finding:
    """What is there of one resource, and the calls that remove it; by default there is nothing."""

    verb: Verb = "gone"
    detail: str = ""
    do: Callable[[], object] = lambda: None


def foreign(reason: str) -> Finding:
    """A resource of our name that is not ours: it stays, and is reported as left over."""
    finding = part_of_foreign(reason)

    def leave() -> None:
        raise PlatformError(finding.detail, code="name_taken")

    return Finding(finding.verb, finding.detail, leave)


def part_of_foreign(reason: str) -> Finding:
    """What is no resource of its own stays with it, and need not be reported too."""
    return Finding("keep", f"It stays: {reason}.")


def function_lines(function: FunctionParts) -> list[tuple[str, str]]:
    """Kind and name of the alias, the versions and the function, in the order in which they are removed."""
    return [
        ("alias", f"{function.name}:{QUALIFIER}"),
        ("versions", function.name),
        (function.kind, function.name),
    ]


@dataclass
class FunctionRemoval:
    """What is there of one function. `client` is botocore's for Lambda, `logs` that for CloudWatch Logs.

    `pause` is called with the seconds to wait before it is asked again whether the function is gone.
    """

    function: FunctionParts
    account: Account
    client: Any
    logs: Any
    pause: Callable[[float], object]

    @cached_property
    def _there(self) -> Mapping[str, Any] | None:
        """The answer of GetFunction. One that failed is asked for again."""
        answer: Mapping[str, Any] | None = found(self.client.get_function, FunctionName=self.function.name)
        return answer

    @cached_property
    def _foreign(self) -> str:
        """Why the function is not to be touched; "" when it is ours, or gone."""
        from botocore.exceptions import ClientError

        if self._there is None:
            return ""
        try:
            tags = found(function_tags, client=self.client, answer=self._there)
        except ClientError as error:
            if not told(error).startswith("AccessDenied"):
                raise
            return "whose it is cannot be told without the permission lambda:ListTags"
        return "" if tags is None else not_ours(tags)

    @property
    def _is_going(self) -> bool:
        """Whether its deletion has begun."""
        return self._there is not None and is_being_deleted(self._there)

    def _as_part(self) -> Finding | None:
        """What becomes of what hangs on the function when it is not removed by itself; None when it is."""
        if self._foreign:
            return part_of_foreign(self._foreign)
        if self._there is None:
            return Finding()
        return Finding(detail="goes with the function, whose deletion has begun") if self._is_going else None

    def executions(self) -> Finding:
        """Those that have not ended: the deletion of a function waits for them."""
        if self._foreign:
            return part_of_foreign(self._foreign)
        running = self._running()
        return Finding("stop", f"{len(running)} running", lambda: self._stop(running)) if running else Finding()

    def alias(self) -> Finding:
        """`live`, by which executions are started."""
        if (finding := self._as_part()) is not None:
            return finding
        name = {"FunctionName": self.function.name, "Name": QUALIFIER}
        answer = found(self.client.get_alias, **name)
        if answer is None:
            return Finding()
        return Finding(
            "delete", f"version {answer['FunctionVersion']}", lambda: found(self.client.delete_alias, **name)
        )

    def versions(self) -> Finding:
        """The published versions."""
        if (finding := self._as_part()) is not None:
            return finding
        numbers = found(self._published) or []

        def delete() -> None:
            for number in numbers:
                found(self.client.delete_function, FunctionName=self.function.name, Qualifier=number)

        return Finding("delete", ", ".join(numbers), delete) if numbers else Finding()

    def itself(self) -> Finding:
        """The function, with what of it is left."""
        if self._foreign:
            return foreign(self._foreign)
        if self._there is None:
            return Finding()

        def delete() -> None:
            # Once more: some may have been started before `live` was gone.
            self._stop(self._running())
            if not self._is_going:
                found(self.client.delete_function, FunctionName=self.function.name)
            # Its role and its table are needed until then.
            wait_until_gone(self.client, self.function.name, self.pause)

        return Finding("delete", self.account.region, delete)

    def log_group(self) -> Finding:
        """The function's log group. One without tags was made by Lambda, and is ours unless the function is not."""
        name = self.function.log_group
        groups = self.logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
        if all(group["logGroupName"] != name for group in groups):
            return Finding()
        tags = found(self.logs.list_tags_for_resource, resourceArn=self.account.arn("logs", f"log-group:{name}"))
        tagged = tags["tags"] if tags else {}
        if reason := (not_ours(tagged) if "project" in tagged else "") or self._foreign:
            return foreign(reason)
        return Finding("delete", "", lambda: found(self.logs.delete_log_group, logGroupName=name))

    def _published(self) -> list[str]:
        pages = self.client.get_paginator("list_versions_by_function").paginate(FunctionName=self.function.name)
        return [each["Version"] for page in pages for each in page["Versions"] if each["Version"] != "$LATEST"]

    def _running(self) -> list[str]:
        """The ARNs of the executions, of all versions, that have not ended."""
        if not self._there or not self._there["Configuration"].get("DurableConfig"):
            return []
        pages = self.client.get_paginator("list_durable_executions_by_function")
        asked = {"FunctionName": self.function.name, "Statuses": _ALIVE, "PaginationConfig": {"PageSize": _MOST_A_PAGE}}
        return (
            found(lambda: [e["DurableExecutionArn"] for p in pages.paginate(**asked) for e in p["DurableExecutions"]])
            or []
        )

    def _stop(self, arns: list[str]) -> None:
        """Stop them one after another: far below the 300 a second that AWS takes. One that fails holds up no other."""
        from botocore.exceptions import ClientError

        refused = []
        for arn in arns:
            try:
                found(self.client.stop_durable_execution, DurableExecutionArn=arn, Error=_TORN_DOWN)
            except ClientError as error:
                refused.append(told(error))
        if refused:
            raise PlatformError(f"{len(refused)} of {len(arns)} executions could not be stopped: {refused[0]}")
