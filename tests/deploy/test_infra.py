"""infra/: the template and the policies say what the deploy with botocore does, and no more than is needed."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from botocore.session import Session

from reservation_cli.deploy import aws_function
from reservation_cli.deploy.aws_parts import LOG_DAYS, MANAGED_POLICY, AwsParts
from reservation_cli.deploy.aws_sam import RESOURCES
from reservation_cli.domain import deployment
from reservation_cli.errors import NotConfiguredError
from reservation_cli.local import halves

ROOT = Path(__file__).parents[2]
INFRA = ROOT / "infra"
POLICIES = sorted(path.stem for path in (INFRA / "policies").glob("*.json"))

#: The longest that there may be of each.
STAGE = "stage-of-16-char"
SESSION = Session()
REGION = max(
    (
        region
        for partition in SESSION.get_available_partitions()
        for region in SESSION.get_available_regions("lambda", partition)
    ),
    key=len,
)

#: A statement of this name has what IAM gives no resource to.
NO_RESOURCES = "ActionsThatKnowNoResources"


class Loader(yaml.SafeLoader):
    """YAML with CloudFormation's short forms: `!Sub x` is {"Sub": "x"}."""


def short_form(loader: Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    assert isinstance(node, yaml.ScalarNode), f"!{suffix} of something else than a text"
    return {suffix: loader.construct_scalar(node)}


Loader.add_multi_constructor("!", short_form)


def filled(value: Any, stage: str, region: str = REGION) -> Any:
    """`value` of the template or of a policy with its parameters filled in."""
    values = {"Stage": stage, "AWS::Region": region, "AWS::Partition": "aws", "AWS::AccountId": "123456789012"}
    match value:
        case {"Sub": str(text)} | str(text):
            return re.sub(r"\$\{([^}]+)\}", lambda name: values[name[1]], text)
        case {"Ref": "Stage"}:
            return stage
        case dict():
            return {key: filled(each, stage, region) for key, each in value.items()}
        case list():
            return [filled(each, stage, region) for each in value]
    return value


def template() -> dict[str, Any]:
    text = (INFRA / "template.yaml").read_text()
    loaded: dict[str, Any] = yaml.load(text, Loader)
    return loaded


def properties(stage: str = "dev") -> dict[str, dict[str, Any]]:
    """The properties of each resource, those of the functions with the Globals."""
    loaded = template()
    shared = loaded["Globals"]["Function"]
    return {
        name: filled((shared if resource["Type"].endswith("::Function") else {}) | resource["Properties"], stage)
        for name, resource in loaded["Resources"].items()
    }


def policy(name: str) -> Any:
    return json.loads((INFRA / "policies" / f"{name}.json").read_text())


def statements(document: Mapping[str, Any]) -> Iterator[tuple[str, list[str], list[str]]]:
    """Sid, actions and resources of each."""
    for statement in document["Statement"]:
        actions, resources = statement["Action"], statement.get("Resource", [])
        yield (
            statement["Sid"],
            [actions] if isinstance(actions, str) else actions,
            [resources] if isinstance(resources, str) else resources,
        )


@pytest.mark.parametrize("stage", ["dev", STAGE])
def test_the_names_are_those_of_the_deploy_by_api(stage: str) -> None:
    made, parts = properties(stage), AwsParts(stage, REGION)
    workflow, seats = parts.functions
    assert made["WorkflowFunction"]["FunctionName"] == workflow.name == deployment.workflow_name(stage)
    assert made["SeatsFunction"]["FunctionName"] == seats.name == deployment.seats_name(stage)
    assert made["FunctionsRole"]["RoleName"] == parts.role
    assert made["FunctionsRole"]["Policies"][0]["PolicyName"] == parts.inline_policy
    assert made["SeatsTable"]["TableName"] == parts.table
    assert made["WorkflowLogs"]["LogGroupName"] == workflow.log_group
    assert made["SeatsLogs"]["LogGroupName"] == seats.log_group
    for name in ("FunctionsRole", "SeatsTable", "WorkflowLogs", "SeatsLogs"):
        assert {tag["Key"]: tag["Value"] for tag in made[name]["Tags"]} == parts.tags
    assert made["WorkflowFunction"]["Tags"] == made["SeatsFunction"]["Tags"] == parts.tags


def test_the_settings_are_those_of_the_deploy_by_api() -> None:
    made = properties()
    for name, parts in zip(("WorkflowFunction", "SeatsFunction"), AwsParts("dev", REGION).functions, strict=True):
        function = made[name]
        assert function["Runtime"] == aws_function.RUNTIME
        assert function["Architectures"] == [aws_function.ARCHITECTURE]
        assert function["MemorySize"] == aws_function.MEMORY_MB
        assert function["Timeout"] == aws_function.TIMEOUT_SECONDS
        assert function["Handler"] == parts.handler
        assert function.get("DurableConfig") == (aws_function.DURABLE if parts.durable else None)
        assert function["AutoPublishAlias"] == deployment.QUALIFIER
        assert function["AutoPublishAliasAllProperties"] is True
        assert function["Environment"]["Variables"] == {"SEATS_TABLE": {"Ref": "SeatsTable"}}
    assert made["WorkflowLogs"]["RetentionInDays"] == made["SeatsLogs"]["RetentionInDays"] == LOG_DAYS


def test_names_are_within_their_limits() -> None:
    assert deployment.check_stage(STAGE) == STAGE
    assert deployment.check_region(REGION) == REGION
    made = properties(STAGE)
    assert len(made["FunctionsRole"]["RoleName"]) <= 64
    assert len(made["WorkflowFunction"]["FunctionName"]) <= 64


@pytest.mark.parametrize(("stage", "valid"), [("dev", True), (STAGE, True), (f"{STAGE}s", False), ("Dev", False)])
def test_the_template_takes_the_same_stages(stage: str, valid: bool) -> None:
    assert bool(re.fullmatch(template()["Parameters"]["Stage"]["AllowedPattern"], stage)) is valid


def test_each_resource_is_a_line_of_the_plan() -> None:
    resources = template()["Resources"]
    functions = [name for name, resource in resources.items() if resource["Type"].endswith("::Function")]
    made_of_them = [f"{name}{more}" for name in functions for more in ("Version", f"Alias{deployment.QUALIFIER}")]
    assert sorted(RESOURCES) == sorted([*resources, *made_of_them])


def test_the_code_is_the_bundle() -> None:
    made = properties()
    for name in ("WorkflowFunction", "SeatsFunction"):
        assert (INFRA / made[name]["CodeUri"]).resolve() == (ROOT / "aws-durable" / halves.BUNDLE).resolve()
    # `sam build` moves the template, and mends relative paths in resources only.
    assert "CodeUri" not in template()["Globals"]["Function"]


def test_the_policies_of_the_role_are_those_of_the_deploy_by_api() -> None:
    role = template()["Resources"]["FunctionsRole"]["Properties"]
    assert filled(role["AssumeRolePolicyDocument"], "dev") == filled(policy("trust"), "dev")
    assert [filled(each["PolicyDocument"], "dev") for each in role["Policies"]] == [filled(policy("functions"), "dev")]
    assert filled(role["ManagedPolicyArns"], "dev") == [f"arn:aws:iam::aws:policy/{MANAGED_POLICY}"]


@pytest.mark.parametrize("name", POLICIES)
def test_policies_are_for_this_stage_alone(name: str) -> None:
    for sid, actions, resources in statements(filled(policy(name), "dev")):
        assert not [action for action in actions if "*" in action]
        if sid == NO_RESOURCES:
            assert resources == ["*"]
        elif name != "trust":
            assert resources
            for resource in resources:
                # What stands for anything comes after a name of ours, or of what SAM calls its own.
                assert re.search(r"-dev|aws-sam-cli-managed-default|Serverless-2016-10-31", resource.partition("*")[0])


def test_no_policy_of_the_template_is_for_all_resources() -> None:
    for document in template()["Resources"]["FunctionsRole"]["Properties"]["Policies"]:
        for _, _, resources in statements(filled(document["PolicyDocument"], "dev")):
            assert "*" not in resources


@pytest.mark.parametrize("name", ["deploy", "use"])
def test_a_policy_fits_into_a_managed_policy(name: str) -> None:
    assert len(json.dumps(filled(policy(name), STAGE), separators=(",", ":"))) <= 6144


def test_infra_is_found_in_a_checkout_and_in_an_installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert halves.infra_folder() == INFRA
    monkeypatch.setattr(halves, "PACKAGE", tmp_path / "reservation_cli")
    with pytest.raises(NotConfiguredError):
        halves.infra_folder()
    installed = tmp_path / "reservation_cli" / "_halves" / "infra"
    installed.mkdir(parents=True)
    (installed / "template.yaml").touch()
    assert halves.infra_folder() == installed


def test_all_of_infra_is_in_the_wheel() -> None:
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    shipped = {name: target for name, target in build["force-include"].items() if name.startswith("infra/")}
    assert shipped == {name: f"reservation_cli/_halves/{name}" for name in ("infra/template.yaml", "infra/policies")}
    assert {path.name for path in INFRA.iterdir() if not path.name.startswith(".")} == {"template.yaml", "policies"}
