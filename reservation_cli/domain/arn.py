"""The ARN of a durable execution."""

from __future__ import annotations

import re
from dataclasses import dataclass

from reservation_cli.errors import UsageError

_ARN = re.compile(
    r"arn:aws[a-z-]*:lambda:(?P<region>[a-z0-9-]+):(?P<account>\d{12}):function:(?P<function>[A-Za-z0-9_-]+)"
    r":(?P<version>[A-Za-z0-9$_.-]+)/durable-execution/(?P<name>[A-Za-z0-9_-]{1,64})/(?P<execution>[A-Za-z0-9_-]+)"
)


@dataclass(frozen=True, slots=True)
class ExecutionArn:
    """Its parts; `name` is the DurableExecutionName, which is the reservation id."""

    region: str
    account: str
    function: str
    version: str
    name: str
    execution: str

    def require(self, region: str, account: str, function: str, label: str) -> None:
        """UsageError unless the execution is one of this function in this account and region, which `label` names."""
        for part, theirs, ours in (
            ("region", self.region, region),
            ("account", self.account, account),
            ("function", self.function, function),
        ):
            if theirs != ours:
                raise UsageError(
                    f"That ARN is of {part} {theirs}; {label} has {part} {ours}.",
                    hint=f"Give an ARN of {part} {ours}, or deploy to where that ARN lives.",
                )


def parse_arn(arn: str) -> ExecutionArn:
    """The parts of `arn`; UsageError unless it is the ARN of a durable execution."""
    match = _ARN.fullmatch(arn)
    if match is None:
        raise UsageError(
            f"That is not the ARN of a durable execution: {arn!r}.",
            hint="It looks like arn:aws:lambda:REGION:ACCOUNT:function:NAME:VERSION/durable-execution/NAME/ID.",
        )
    return ExecutionArn(**match.groupdict())
