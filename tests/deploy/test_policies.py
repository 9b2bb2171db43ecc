"""What linters say of infra/: the template, and each IAM policy, in which every wildcard has its reason."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.policies

ROOT = Path(__file__).parents[2]
POLICIES = sorted((ROOT / "infra" / "policies").glob("*.json"))
#: trust.json says who may take a role, which parliament does not look at.
OF_IDENTITIES = [path for path in POLICIES if path.stem != "trust"]
TOOLS = ROOT / ".tools" / "policies" / "bin"

#: Why each resource of a policy that names more than one thing does so; by how it is written there, less `${AWS::…}`.
WILDCARDS = {
    "*": "IAM knows no resources for these actions, as the name of the statement says",
    "arn::lambda:::function:reservation-workflow-${Stage}:*": "versions, the alias, and the executions beneath them",
    "arn::lambda:::function:reservation-seats-${Stage}:*": "versions and the alias",
    "arn::logs:::log-group:/aws/lambda/reservation-workflow-${Stage}:*": "a log group's ARN ends so for some actions",
    "arn::logs:::log-group:/aws/lambda/reservation-seats-${Stage}:*": "the same",
    "arn::cloudformation:::stack/reservation-workflow-${Stage}/*": "a stack's ARN ends in an id that AWS chooses",
    "arn::cloudformation:::stack/aws-sam-cli-managed-default/*": "the same, for the stack of SAM's bucket",
    "arn::s3:::aws-sam-cli-managed-default-samclisourcebucket-*": "the bucket's name ends in what SAM chooses",
    "arn::s3:::aws-sam-cli-managed-default-samclisourcebucket-*/reservation-workflow-${Stage}/*": "the same, then "
    "objects named after their content",
}

#: What parliament is mistaken in: its list of actions is older than these, which cfn-lint's has.
NEW_ACTIONS = {
    "lambda:GetDurableExecution",
    "lambda:GetDurableExecutionHistory",
    "lambda:GetFunctionScalingConfig",
    "lambda:ListDurableExecutionsByFunction",
    "lambda:SendDurableExecutionCallbackFailure",
    "lambda:SendDurableExecutionCallbackHeartbeat",
    "lambda:SendDurableExecutionCallbackSuccess",
    "lambda:StopDurableExecution",
}
MISTAKES = {
    # It knows this one for streams only; the Service Authorization Reference has tables too.
    ("RESOURCE_MISMATCH", "dynamodb:GetResourcePolicy"),
    # The transform is AWS's own: "aws" stands for the account.
    ("INVALID_ARN", "arn:aws:cloudformation:us-east-2:aws:transform/Serverless-2016-10-31"),
}


def cfn_lint(path: Path) -> str:
    done = subprocess.run(
        [TOOLS / "cfn-lint", "--include-checks", "I", "--", path], capture_output=True, text=True, timeout=300
    )
    return done.stdout + done.stderr


def as_template(policies: Mapping[str, Any]) -> str:
    """A template with nothing but these policies, as CloudFormation would fill them in."""
    resources = {}
    for name, policy in policies.items():
        trust = any("Principal" in statement for statement in policy["Statement"])
        document = {"AssumeRolePolicyDocument" if trust else "PolicyDocument": substituted(policy)}
        resources[name.capitalize()] = {
            "Type": f"AWS::IAM::{'Role' if trust else 'ManagedPolicy'}",
            "Properties": document,
        }
    parameters = {"Stage": {"Type": "String", "Default": "dev"}}
    return json.dumps({"AWSTemplateFormatVersion": "2010-09-09", "Parameters": parameters, "Resources": resources})


def substituted(value: Any) -> Any:
    match value:
        case dict():
            return {key: substituted(each) for key, each in value.items()}
        case list():
            return [substituted(each) for each in value]
        case str() if "${" in value:
            return {"Fn::Sub": value}
    return value


@cache
def parliament(policy: str) -> set[tuple[str, str]]:
    """Its findings: what kind, and of what."""
    values = {"Stage": "dev", "AWS::Region": "us-east-2", "AWS::Partition": "aws", "AWS::AccountId": "123456789012"}
    for name, value in values.items():
        policy = policy.replace(f"${{{name}}}", value)
    done = subprocess.run(
        # It warns of its own import.
        [TOOLS / "python", "-W", "ignore", TOOLS / "parliament", "--string", policy, "--json"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.stderr == ""
    findings = set()
    for line in done.stdout.splitlines():
        finding = json.loads(line)
        if finding == []:
            continue
        detail = finding["detail"]
        if finding["issue"] == "UNKNOWN_ACTION":
            findings.add((finding["issue"], detail.removeprefix("Unknown action ")))
        elif isinstance(detail, list):
            findings |= {(finding["issue"], each["action"] if isinstance(each, dict) else each) for each in detail}
        else:
            findings.add((finding["issue"], finding["location"].get("string", detail)))
    return findings


def test_cfn_lint_finds_nothing_in_the_template() -> None:
    assert cfn_lint(ROOT / "infra" / "template.yaml") == ""


def test_cfn_lint_finds_nothing_in_the_policies_and_knows_every_action(tmp_path: Path) -> None:
    template = tmp_path / "policies.json"
    template.write_text(as_template({path.stem: json.loads(path.read_text()) for path in POLICIES}))
    assert cfn_lint(template) == ""


def test_cfn_lint_would_find_an_action_that_is_none(tmp_path: Path) -> None:
    policy = json.loads((ROOT / "infra" / "policies" / "use.json").read_text())
    policy["Statement"][1]["Action"].append("lambda:InvokeEverything")
    template = tmp_path / "policies.json"
    template.write_text(as_template({"use": policy}))
    assert "W3037" in cfn_lint(template)


@pytest.mark.parametrize("path", OF_IDENTITIES, ids=lambda path: path.stem)
def test_parliament_finds_nothing_but_what_it_is_mistaken_in(path: Path) -> None:
    assert parliament(path.read_text()) <= MISTAKES | {("UNKNOWN_ACTION", action) for action in NEW_ACTIONS}


def test_parliament_would_find_a_wildcard_and_a_resource_of_something_else() -> None:
    document = json.loads((ROOT / "infra" / "policies" / "use.json").read_text())
    document["Statement"][1]["Resource"] = "*"
    document["Statement"][3]["Resource"] = "arn:aws:s3:::bucket/*"
    found = parliament(json.dumps(document))
    assert {("RESOURCE_STAR", "lambda:InvokeFunction"), ("RESOURCE_MISMATCH", "logs:FilterLogEvents")} <= found


def test_each_mistake_is_still_one() -> None:
    """One that is no longer made must not hide a real finding."""
    found = set().union(*(parliament(path.read_text()) for path in OF_IDENTITIES))
    assert found == MISTAKES | {("UNKNOWN_ACTION", action) for action in NEW_ACTIONS}


def test_each_wildcard_has_its_reason() -> None:
    used = set()
    for path in POLICIES:
        for statement in json.loads(path.read_text())["Statement"]:
            resources, actions = statement.get("Resource", []), statement["Action"]
            named = [resources] if isinstance(resources, str) else resources
            used |= {re.sub(r"\$\{AWS::\w+\}", "", each) for each in named if "*" in each}
            assert not [action for action in ([actions] if isinstance(actions, str) else actions) if "*" in action]
            assert "NotAction" not in statement
            assert "NotResource" not in statement
            assert statement["Effect"] == "Allow"
            assert statement.get("Principal") in (None, {"Service": "lambda.amazonaws.com"})
    assert used == WILDCARDS.keys()
