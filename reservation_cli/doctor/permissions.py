"""Whether the caller may do what infra/policies/use.json and deploy.json list, as IAM's policy simulator sees it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from reservation_cli.deploy.aws_account import Account
from reservation_cli.deploy.aws_calls import asking
from reservation_cli.doctor.check import Check, attempt, lacking
from reservation_cli.errors import ResvError
from reservation_cli.local.halves import infra_folder

Purpose = Literal["use", "deploy"]
_SIMULATION = "iam:SimulatePrincipalPolicy"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who the credentials are of: the account, and the ARN that STS gives."""

    account: Account
    arn: str

    @property
    def resource(self) -> str:
        """What follows the account: root, user/NAME, assumed-role/NAME/SESSION."""
        return self.arn.split(":", 5)[5]


def permissions(caller: Caller, iam: Any, stage: str, purpose: Purpose, needed: bool) -> Check:
    """Each action of the policy, on the resources of `stage` that it is needed for."""
    name = f"may {purpose}"
    if caller.resource == "root":
        detail = "All: this is the account's root user, which is best left alone."
        return Check("aws", name, "warning", detail, "Make a user or a role for this, and use its credentials.")
    try:
        document: Mapping[str, Any] = caller.account.policy(purpose, stage)
    except OSError as error:
        detail = f"This installation of resv lacks infra/policies/{purpose}.json: {error.strerror}."
        return Check("aws", name, "unknown", detail, "Install it again.")
    statements = document["Statement"]
    denied = attempt(lambda: _denied(caller, iam, statements))
    if isinstance(denied, ResvError):
        why = f"that needs {_SIMULATION}" if denied.code == "access_denied" else denied.message.rstrip(".")
        actions = sorted({action for statement in statements for action in _actions(statement)})
        return Check("aws", name, "unknown", f"Not checked: {why}. Needed: {_named(actions)}.")
    fix = f"Have {caller.arn} allowed what {infra_folder() / 'policies' / f'{purpose}.json'} lists."
    if needed_by_all := sorted(action for action in denied if not _is_sams(action)):
        return lacking("aws", name, f"May not: {_named(needed_by_all)}.", fix, needed)
    if denied:
        return Check("aws", name, "warning", f"May not, with --via sam only: {_named(sorted(denied))}.", fix)
    return Check("aws", name, "ok", f"All that infra/policies/{purpose}.json lists is allowed.", needed=needed)


def _denied(caller: Caller, iam: Any, statements: Sequence[Mapping[str, Any]]) -> set[str]:
    """The actions that are refused on any of their resources."""
    denied: set[str] = set()
    with asking(caller.account.region, "simulate the caller's policies"):
        source = _source(caller, iam)
        for statement in statements:
            if not (actions := _actions(statement)):
                continue
            pages = iam.get_paginator("simulate_principal_policy").paginate(
                PolicySourceArn=source,
                ActionNames=actions,
                # The simulator takes resources, not patterns.
                ResourceArns=[arn if arn == "*" else arn.replace("*", "live") for arn in _list(statement["Resource"])],
                ContextEntries=list(_context(statement)),
            )
            results = [result for page in pages for result in page["EvaluationResults"]]
            denied |= {result["EvalActionName"] for result in results if result["EvalDecision"] != "allowed"}
            denied |= set(actions) - {result["EvalActionName"] for result in results}
    return denied


def _actions(statement: Mapping[str, Any]) -> list[str]:
    """What the statement allows, without what everybody may."""
    return [action for action in _list(statement["Action"]) if action != "sts:GetCallerIdentity"]


def _is_sams(action: str) -> bool:
    """Whether only a deploy by SAM does this; that by the API looks for a stack, too."""
    return action.startswith(("cloudformation:", "s3:")) and action != "cloudformation:DescribeStacks"


def _source(caller: Caller, iam: Any) -> str:
    """The ARN of the user or role. That of a session lacks the role's path, which IAM has to be asked for."""
    kind, _, name = caller.resource.partition("/")
    if kind != "assumed-role":
        return caller.arn
    role: str = iam.get_role(RoleName=name.partition("/")[0])["Role"]["Arn"]
    return role


def _context(statement: Mapping[str, Any]) -> Iterator[Mapping[str, object]]:
    """What the statement's conditions ask for, as given."""
    for conditions in statement.get("Condition", {}).values():
        for key, value in conditions.items():
            yield {"ContextKeyName": key, "ContextKeyType": "string", "ContextKeyValues": _list(value)}


def _list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def _named(actions: Sequence[str]) -> str:
    """'iam: GetRole, PassRole; lambda: CreateFunction'."""
    by_service: dict[str, list[str]] = {}
    for action in actions:
        service, _, name = action.partition(":")
        by_service.setdefault(service, []).append(name)
    return "; ".join(f"{service}: {', '.join(names)}" for service, names in by_service.items())
