"""Deploying with botocore alone, against moto's server over HTTP."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError, WaiterError

from reservation_cli.deploy import aws_function
from reservation_cli.deploy.aws_account import Account
from reservation_cli.deploy.aws_api import AwsApiDeployer
from reservation_cli.deploy.aws_calls import PAUSES, refusals
from reservation_cli.deploy.aws_parts import LOG_DAYS, MANAGED_POLICY, AwsParts
from reservation_cli.deploy.aws_teardown import AwsRemover
from reservation_cli.deploy.change import UNKNOWN, Change, Deployer
from reservation_cli.errors import NotConfiguredError, PlatformError, ResvError, TimedOutError
from support.moto_front import ACCOUNT, REGION, SECRET, Call, Fault, Front, Refusal, Reply, denied, empty, no_trouble

pytestmark = pytest.mark.moto

WORKFLOW = "reservation-workflow-dev"
SEATS = "reservation-seats-dev"
ROLE = f"durable-reservation-role-dev-{REGION}"
LOGS = [f"/aws/lambda/{WORKFLOW}", f"/aws/lambda/{SEATS}"]
RESOURCES = sorted([WORKFLOW, SEATS, ROLE, SEATS, *LOGS])
TAGS = {"project": "resv", "stage": "dev"}
TEMPLATE = Path(__file__).parents[2] / "infra" / "template.yaml"

_INVALID = "InvalidParameterValueException"
ROLE_UNKNOWN = Refusal(400, _INVALID, "The role defined for the function cannot be assumed by Lambda.")
GRANT_REFUSED = Refusal(
    *(400, _INVALID),
    "Lambda was unable to configure access to your environment variables because the KMS key is invalid for "
    "CreateGrant. KMS Message: ARN does not refer to a valid principal",
)
BUSY = Refusal(
    *(409, "ResourceConflictException"),
    "The operation cannot be performed at this time. An update is in progress for resource: it",
)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """Code for both functions."""
    (tmp_path / "handler.mjs").write_text("export const handler = () => 1;")
    (tmp_path / "seats-api.mjs").write_text("export const handler = () => 2;")
    return tmp_path


def change_code(bundle: Path) -> None:
    (bundle / "handler.mjs").write_text("export const handler = () => 3;")


def deployer(front: Front, bundle: Path | None, recreate: bool = False) -> AwsApiDeployer:
    """One that does not wait before it tries again."""
    return AwsApiDeployer("dev", REGION, front.environ, bundle, recreate, pause=lambda _: None)


def ignore(_: Change) -> None:
    pass


def verbs(changes: list[Change]) -> dict[tuple[str, str], str]:
    return {(change.kind, change.name): change.verb for change in changes}


def created_functions(front: Front) -> dict[str, dict[str, Any]]:
    """The bodies of all CreateFunction requests, by name."""
    bodies = [call.json() for call in front.calls if call.operation == "CreateFunction"]
    return {body["FunctionName"]: body for body in bodies}


def assert_deployed(front: Front, version: str = "1") -> None:
    """Both functions are there as they should be, and `live` names `version` of the durable one."""
    client = front.client("lambda")
    assert sorted(front.resources()) == RESOURCES
    assert front.durable == {WORKFLOW: {"ExecutionTimeout": 2764800, "RetentionPeriodInDays": 14}}
    assert client.get_alias(FunctionName=WORKFLOW, Name="live")["FunctionVersion"] == version
    assert client.get_alias(FunctionName=SEATS, Name="live")["FunctionVersion"] == "1"
    for name, handler in ((WORKFLOW, "handler.handler"), (SEATS, "seats-api.handler")):
        found = client.get_function(FunctionName=name, Qualifier="live")
        config = found["Configuration"]
        assert config["Role"] == f"arn:aws:iam::{ACCOUNT}:role/{ROLE}"
        assert (config["Runtime"], config["Architectures"], config["Handler"]) == ("nodejs24.x", ["arm64"], handler)
        assert (config["Timeout"], config["MemorySize"]) == (30, 256)
        assert config["Environment"]["Variables"] == {"SEATS_TABLE": SEATS}
    for group in front.client("logs").describe_log_groups()["logGroups"]:
        assert group["retentionInDays"] == 14
    iam = front.client("iam")
    attached = iam.list_attached_role_policies(RoleName=ROLE)["AttachedPolicies"]
    assert [policy["PolicyArn"] for policy in attached] == [f"arn:aws:iam::aws:policy/{MANAGED_POLICY}"]
    assert iam.list_role_policies(RoleName=ROLE)["PolicyNames"] == [WORKFLOW]


def assert_readable(error: ResvError) -> None:
    """One line that tells where, and no secret."""
    assert REGION in error.message
    assert "\n" not in error.message
    assert SECRET not in f"{error.message} {error.hint}"


def test_from_nothing(aws_front: Front, bundle: Path) -> None:
    known: Deployer = deployer(aws_front, bundle)
    plan = known.changes()
    assert aws_front.writes == []
    assert [(change.verb, change.kind, change.name) for change in plan] == [
        ("create", "IAM role", ROLE),
        ("create", "table", SEATS),
        ("create", "log group", LOGS[0]),
        ("create", "log group", LOGS[1]),
        ("create", "durable function", WORKFLOW),
        ("create", "version", WORKFLOW),
        ("create", "alias", f"{WORKFLOW}:live"),
        ("create", "function", SEATS),
        ("create", "version", SEATS),
        ("create", "alias", f"{SEATS}:live"),
    ]
    said: list[Change] = []
    deployment = known.apply(said.append)
    assert said == plan
    assert deployment.platform == "aws"
    assert (deployment.stage, deployment.region, deployment.account) == ("dev", REGION, ACCOUNT)
    assert (deployment.via, deployment.version) == ("api", "1")
    bodies = created_functions(aws_front)
    assert bodies[WORKFLOW]["DurableConfig"] == {"ExecutionTimeout": 2764800, "RetentionPeriodInDays": 14}
    assert "DurableConfig" not in bodies[SEATS]
    assert_deployed(aws_front)


def test_what_is_deployed_is_least_privilege_and_tagged(aws_front: Front, bundle: Path) -> None:
    deployer(aws_front, bundle).apply(ignore)
    iam, dynamodb, logs = (aws_front.client(service) for service in ("iam", "dynamodb", "logs"))
    policy = iam.get_role_policy(RoleName=ROLE, PolicyName=WORKFLOW)["PolicyDocument"]
    assert [statement["Resource"] for statement in policy["Statement"]] == [
        f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{SEATS}",
        f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{WORKFLOW}:*",
    ]
    role = iam.get_role(RoleName=ROLE)["Role"]
    assert role["AssumeRolePolicyDocument"]["Statement"][0]["Principal"] == {"Service": "lambda.amazonaws.com"}
    table = dynamodb.describe_table(TableName=SEATS)["Table"]
    assert table["KeySchema"] == [{"AttributeName": "pk", "KeyType": "HASH"}]
    assert table["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    assert {tag["Key"]: tag["Value"] for tag in role["Tags"]} == TAGS
    tags = dynamodb.list_tags_of_resource(ResourceArn=table["TableArn"])["Tags"]
    assert {tag["Key"]: tag["Value"] for tag in tags} == TAGS
    for name in (WORKFLOW, SEATS):
        assert aws_front.client("lambda").get_function(FunctionName=name)["Tags"] == TAGS
        arn = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/lambda/{name}"
        assert logs.list_tags_for_resource(resourceArn=arn)["tags"] == TAGS


def test_the_same_code_writes_nothing(aws_front: Front, bundle: Path) -> None:
    deployer(aws_front, bundle).apply(ignore)
    aws_front.forget()
    os.utime(bundle / "handler.mjs", (0, 0))
    said: list[Change] = []
    assert deployer(aws_front, bundle).apply(said.append).version == "1"
    assert {change.verb for change in said} == {"keep"}
    assert aws_front.writes == []


def test_new_code_is_a_new_version_and_live_moves(aws_front: Front, bundle: Path) -> None:
    deployer(aws_front, bundle).apply(ignore)
    change_code(bundle)
    aws_front.forget()
    said: list[Change] = []
    assert deployer(aws_front, bundle).apply(said.append).version == "2"
    assert aws_front.writes == ["UpdateFunctionCode", "PublishVersion", "UpdateAlias"]
    assert [change for change in said if change.verb != "keep"] == [
        Change("update", "durable function", WORKFLOW, "new code"),
        Change("create", "version", WORKFLOW, "version 1 → 2"),
        Change("update", "alias", f"{WORKFLOW}:live", "version 1 → 2"),
    ]
    assert_deployed(aws_front, version="2")


def test_changed_settings_are_brought_back(aws_front: Front, bundle: Path) -> None:
    deployer(aws_front, bundle).apply(ignore)
    client = aws_front.client("lambda")
    client.update_function_configuration(FunctionName=SEATS, Timeout=3, Environment={"Variables": {"KEY": SECRET}})
    client.publish_version(FunctionName=SEATS)
    client.update_alias(FunctionName=SEATS, Name="live", FunctionVersion="2")
    plan = deployer(aws_front, bundle).changes()
    assert [change for change in plan if change.verb != "keep"] == [
        Change("update", "function", SEATS, "Timeout 3 → 30; Environment"),
        Change("create", "version", SEATS, "version 2 → 3"),
        Change("update", "alias", f"{SEATS}:live", "version 2 → 3"),
    ]
    deployer(aws_front, bundle).apply(ignore)
    live = client.get_function_configuration(FunctionName=SEATS, Qualifier="live")
    assert (live["Timeout"], live["Version"]) == (30, "3")
    assert live["Environment"]["Variables"] == {"SEATS_TABLE": SEATS}


def test_another_durable_config_is_brought_back(aws_front: Front, bundle: Path) -> None:
    deployer(aws_front, bundle).apply(ignore)
    aws_front.durable[WORKFLOW] = {"ExecutionTimeout": 60, "RetentionPeriodInDays": 1}
    said: list[Change] = []
    deployer(aws_front, bundle).apply(said.append)
    assert Change("update", "durable function", WORKFLOW, "DurableConfig") in said
    assert aws_front.durable[WORKFLOW] == {"ExecutionTimeout": 2764800, "RetentionPeriodInDays": 14}


def test_a_meddled_with_stage_is_put_right(aws_front: Front, bundle: Path) -> None:
    deployer(aws_front, bundle).apply(ignore)
    iam, logs, client = (aws_front.client(service) for service in ("iam", "logs", "lambda"))
    iam.detach_role_policy(RoleName=ROLE, PolicyArn=f"arn:aws:iam::aws:policy/{MANAGED_POLICY}")
    iam.delete_role_policy(RoleName=ROLE, PolicyName=WORKFLOW)
    iam.untag_role(RoleName=ROLE, TagKeys=["stage"])
    statement = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    someone_elses = {"Version": "2012-10-17", "Statement": [statement]}
    iam.update_assume_role_policy(RoleName=ROLE, PolicyDocument=json.dumps(someone_elses))
    table = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{SEATS}"
    aws_front.client("dynamodb").untag_resource(ResourceArn=table, TagKeys=["stage"])
    logs.delete_retention_policy(logGroupName=LOGS[0])
    logs.untag_log_group(logGroupName=LOGS[1], tags=["project"])
    client.untag_resource(Resource=f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{SEATS}", TagKeys=["stage"])
    client.delete_alias(FunctionName=SEATS, Name="live")
    plan = deployer(aws_front, bundle).changes()
    assert [change for change in plan if change.verb != "keep"] == [
        Change(
            *("update", "IAM role", ROLE),
            f"account {ACCOUNT}, who may assume it, {MANAGED_POLICY}, policy {WORKFLOW}, tags",
        ),
        Change("update", "table", SEATS, "tags"),
        Change("update", "log group", LOGS[0], f"kept for {LOG_DAYS} days"),
        Change("update", "log group", LOGS[1], "tags"),
        Change("update", "function", SEATS, "tags"),
        Change("create", "alias", f"{SEATS}:live", "version 1"),
    ]
    deployer(aws_front, bundle).apply(ignore)
    assert {change.verb for change in deployer(aws_front, bundle).changes()} == {"keep"}
    assert_deployed(aws_front)


def test_a_new_role_is_waited_for_until_lambda_knows_it(aws_front: Front, bundle: Path) -> None:
    pauses: list[float] = []
    aws_front.fail("CreateFunction", ROLE_UNKNOWN, GRANT_REFUSED, ROLE_UNKNOWN)
    replace(deployer(aws_front, bundle), pause=pauses.append).apply(ignore)
    assert pauses == [1, 2, 3]
    assert_deployed(aws_front)


def test_a_role_that_lambda_never_knows_ends_the_deploy(aws_front: Front, bundle: Path) -> None:
    pauses: list[float] = []
    aws_front.fail("CreateFunction", *[ROLE_UNKNOWN] * 50)
    with pytest.raises(PlatformError, match="cannot be assumed by Lambda") as raised:
        replace(deployer(aws_front, bundle), pause=pauses.append).apply(ignore)
    assert_readable(raised.value)
    assert pauses == list(PAUSES)


def test_an_update_under_way_is_waited_for(aws_front: Front, bundle: Path) -> None:
    deployer(aws_front, bundle).apply(ignore)
    change_code(bundle)
    aws_front.forget()
    aws_front.fail("UpdateFunctionCode", BUSY)
    assert deployer(aws_front, bundle).apply(ignore).version == "2"
    busy = aws_front.operations.index("UpdateFunctionCode")
    assert aws_front.operations[busy : busy + 4] == [
        *("UpdateFunctionCode", "GetFunction", "GetFunction", "UpdateFunctionCode")
    ]


def test_creations_whose_answers_are_lost(aws_front: Front, bundle: Path) -> None:
    """botocore asks again, and AWS says that the thing exists: it was made by the first try."""
    lost = aws_front.lose_first_answers("Create", "Publish")
    assert deployer(aws_front, bundle).apply(ignore).version == "1"
    assert lost == {"CreateRole", "CreateTable", "CreateLogGroup", "CreateFunction", "PublishVersion", "CreateAlias"}
    assert_deployed(aws_front)


def test_a_table_that_is_still_being_deleted_is_waited_for(aws_front: Front, bundle: Path) -> None:
    aws_front.fail("DescribeTable", table_in("DELETING"))
    said: list[Change] = []
    deployer(aws_front, bundle).apply(said.append)
    assert verbs(said)["table", SEATS] == "create"
    assert_deployed(aws_front)


def test_a_table_that_is_still_being_created_is_waited_for(aws_front: Front, bundle: Path) -> None:
    deployer(aws_front, bundle).apply(ignore)
    aws_front.forget()
    aws_front.fail("DescribeTable", table_in("CREATING"))
    deployer(aws_front, bundle).apply(ignore)
    assert aws_front.operations.count("DescribeTable") == 2
    assert aws_front.writes == []


def test_a_table_with_other_keys_is_not_taken_over(aws_front: Front, bundle: Path) -> None:
    ours = Reply(json.dumps({"Tags": [{"Key": "project", "Value": "resv"}]}))
    answers: dict[str, Fault] = {"DescribeTable": table_in("ACTIVE", key="seat"), "ListTagsOfResource": ours}
    aws_front.trouble = lambda _, call: answers.get(call.operation)
    with pytest.raises(PlatformError, match="other keys") as raised:
        deployer(aws_front, bundle).changes()
    assert raised.value.code == "name_taken"


def table_in(status: str, key: str = "pk") -> Reply:
    described = {"TableStatus": status, "KeySchema": [{"AttributeName": key, "KeyType": "HASH"}]}
    return Reply(json.dumps({"Table": described}))


def test_a_function_that_fails_to_start_tells_why(aws_front: Front, bundle: Path) -> None:
    failed = Reply(json.dumps({"Configuration": {"State": "Failed", "StateReason": "No room."}}))
    answers: list[Fault | None] = [None, None, failed]
    aws_front.trouble = lambda _, call: answers.pop(0) if call.operation == "GetFunction" else None
    with pytest.raises(PlatformError, match=r"create durable function .* failed: No room"):
        deployer(aws_front, bundle).apply(ignore)


def test_what_takes_too_long_is_told() -> None:
    tired = WaiterError(name="it", reason="Max attempts exceeded", last_response={})
    with (
        pytest.raises(TimedOutError, match="AWS · us-east-2, create it: it is not ready yet"),
        refusals(AwsParts("dev", REGION), "create it"),
    ):
        raise tired


def test_an_answer_that_is_none_of_awss(aws_front: Front, bundle: Path) -> None:
    aws_front.fail("DescribeStacks", *[Reply("<p>Log in<br>to the network</p>")] * 5)
    with pytest.raises(PlatformError) as raised:
        deployer(aws_front, bundle).changes()
    assert_readable(raised.value)


@pytest.mark.parametrize(
    "fault",
    [Refusal(500, "InternalServerError", "Oops."), Refusal(400, "ThrottlingException", "Rate exceeded"), "dropped"],
)
def test_a_passing_trouble_is_not_noticed(aws_front: Front, bundle: Path, fault: Fault) -> None:
    aws_front.fail("CreateTable", fault)
    deployer(aws_front, bundle).apply(ignore)
    assert_deployed(aws_front)


def make_plain_function(front: Front) -> None:
    """The durable function as one who did not know of DurableConfig creates it."""
    trust = '{"Version": "2012-10-17", "Statement": []}'
    role = front.client("iam").create_role(RoleName="other", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    front.client("lambda").create_function(
        FunctionName=WORKFLOW,
        Runtime="nodejs24.x",
        Role=role,
        Handler="handler.handler",
        Code={"ZipFile": aws_function.package(TEMPLATE)},
    )


def test_without_durable_config_nothing_is_done_unasked(aws_front: Front, bundle: Path) -> None:
    make_plain_function(aws_front)
    for ask in (deployer(aws_front, bundle).changes, lambda: deployer(aws_front, bundle).apply(ignore)):
        with pytest.raises(PlatformError) as raised:
            ask()
        assert raised.value.code == "durable_config_missing"
        assert "--recreate" in (raised.value.hint or "")
    assert aws_front.writes == []


def test_recreate_deletes_and_creates_anew(aws_front: Front, bundle: Path) -> None:
    make_plain_function(aws_front)
    plan = deployer(aws_front, bundle, recreate=True).changes()
    assert verbs(plan)["durable function", WORKFLOW] == "recreate"
    assert aws_front.writes == []
    said: list[Change] = []
    deployer(aws_front, bundle, recreate=True).apply(said.append)
    assert said == plan
    aws_front.client("iam").delete_role(RoleName="other")
    assert_deployed(aws_front)
    assert {change.verb for change in deployer(aws_front, bundle, recreate=True).changes()} == {"keep"}


def test_what_sam_deployed_is_not_edited(aws_front: Front, bundle: Path) -> None:
    template = {"Resources": {"Logs": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": LOGS[0]}}}}
    aws_front.client("cloudformation").create_stack(StackName=WORKFLOW, TemplateBody=json.dumps(template))
    for ask in (deployer(aws_front, bundle).changes, lambda: deployer(aws_front, bundle).apply(ignore)):
        with pytest.raises(PlatformError) as raised:
            ask()
        assert raised.value.code == "deployed_by_sam"
        assert "--via sam" in (raised.value.hint or "")
    assert aws_front.writes == []


@pytest.mark.parametrize("kind", ["IAM role", "table", "function"])
def test_another_projects_resource_is_not_taken_over(aws_front: Front, bundle: Path, kind: str) -> None:
    deployer(aws_front, bundle).apply(ignore)
    other = {"project": "other"}
    if kind == "IAM role":
        aws_front.client("iam").tag_role(RoleName=ROLE, Tags=[{"Key": "project", "Value": "other"}])
    elif kind == "table":
        arn = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{SEATS}"
        aws_front.client("dynamodb").tag_resource(ResourceArn=arn, Tags=[{"Key": "project", "Value": "other"}])
    else:
        arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{SEATS}"
        aws_front.client("lambda").tag_resource(Resource=arn, Tags=other)
    aws_front.forget()
    with pytest.raises(PlatformError, match=f"The {kind} .* is not resv.s: its tag `project` is other") as raised:
        deployer(aws_front, bundle).apply(ignore)
    assert raised.value.code == "name_taken"
    assert aws_front.writes == []


def test_without_credentials_all_is_unknown_and_nothing_is_asked(aws_front: Front, bundle: Path) -> None:
    known = deployer(aws_front, bundle)
    blind = replace(known, environ=aws_front.no_credentials)
    lines = [(change.kind, change.name) for change in known.changes()]
    aws_front.forget()
    assert [(change.kind, change.name) for change in blind.changes()] == lines
    assert {change.verb for change in blind.changes()} == {"unknown"}
    assert blind.where() == [("account", UNKNOWN), ("region", REGION)]
    with pytest.raises(NotConfiguredError) as raised:
        blind.apply(ignore)
    assert raised.value.code == "credentials"
    assert aws_front.calls == []
    assert known.where() == [("account", ACCOUNT), ("region", REGION)]


def test_a_plan_without_the_code(aws_front: Front, bundle: Path) -> None:
    assert {change.verb for change in deployer(aws_front, None).changes()} == {"create"}
    deployer(aws_front, bundle).apply(ignore)
    perhaps = [change for change in deployer(aws_front, None).changes() if change.verb != "keep"]
    assert [change for change in perhaps if WORKFLOW in change.name] == [
        Change("update", "durable function", WORKFLOW, "code, if it has changed"),
        Change("update", "version", WORKFLOW, "version 1 → 2, if the code has changed"),
        Change("update", "alias", f"{WORKFLOW}:live", "version 1 → 2, if the code has changed"),
    ]
    aws_front.forget()
    (bundle / "seats-api.mjs").unlink()
    for unbuilt in (None, bundle):
        with pytest.raises(NotConfiguredError, match="not built"):
            deployer(aws_front, unbuilt).apply(ignore)
    assert aws_front.writes == []


def test_a_fault_at_each_call(aws_front: Front, bundle: Path) -> None:
    """The error is readable; run again, it completes; torn down, nothing is left."""
    known, remover = deployer(aws_front, bundle), AwsRemover("dev", REGION, aws_front.environ)
    known.where()
    aws_front.forget()
    known.apply(ignore)
    calls = list(aws_front.operations)
    assert remover.remove(ignore) == []
    for number, operation in enumerate(calls, 1):
        aws_front.forget()
        aws_front.fail_call(number)
        with pytest.raises(PlatformError, match="may not do") as raised:
            known.apply(ignore)
        assert aws_front.operations == calls[:number], f"call {number}, {operation}, did not end it"
        assert_readable(raised.value)
        aws_front.trouble = no_trouble
        if aws_front.writes in ([], [operation]):
            continue  # nothing had been written yet
        assert known.apply(ignore).version == "1"
        assert_deployed(aws_front)
        assert remover.remove(ignore) == []
        assert aws_front.resources() == [], f"left after a fault at call {number}, {operation}"


def test_credentials_that_are_not_accepted(aws_front: Front, bundle: Path) -> None:
    message = "The security token included in the request is invalid."
    aws_front.fail("GetCallerIdentity", Refusal(403, "InvalidClientTokenId", message))
    with pytest.raises(NotConfiguredError) as raised:
        deployer(aws_front, bundle).changes()
    assert raised.value.code == "credentials"
    assert_readable(raised.value)


def test_a_fault_at_each_call_of_a_redeploy(aws_front: Front, bundle: Path) -> None:
    deployer(aws_front, bundle).apply(ignore)
    change_code(bundle)
    for operation in ("UpdateFunctionCode", "PublishVersion", "UpdateAlias"):
        aws_front.fail(operation, denied(Call("lambda", operation, "", b"", "")))
        with pytest.raises(ResvError, match=operation):
            deployer(aws_front, bundle).apply(ignore)
    assert deployer(aws_front, bundle).apply(ignore).version == "2"
    assert_deployed(aws_front, version="2")


def test_a_region_without_durable_functions(aws_front: Front, bundle: Path) -> None:
    message = "Durable functions are not supported in this region."
    aws_front.fail("CreateFunction", Refusal(400, _INVALID, message))
    with pytest.raises(PlatformError) as raised:
        deployer(aws_front, bundle).apply(ignore)
    assert raised.value.code == "region_not_supported"


def test_a_region_without_lambda() -> None:
    parts = AwsParts("dev", "xx-east-1")
    with pytest.raises(PlatformError, match=r"lambda\.xx-east-1\.") as raised, refusals(parts, "look"):
        raise EndpointConnectionError(endpoint_url="https://lambda.xx-east-1.amazonaws.com/")
    assert raised.value.code == "unreachable"
    assert "is xx-east-1 a region with Lambda?" in (raised.value.hint or "")


@pytest.mark.parametrize("partition", ["aws-cn", "aws-us-gov"])
def test_other_partitions(aws_front: Front, partition: str) -> None:
    aws_front.fail("GetCallerIdentity", Reply(f"<Account>1</Account><Arn>arn:{partition}:iam::1:user/me</Arn>"))
    account = Account.of(aws_front.environ, "xx-1")
    assert account is not None
    assert account.managed_policy == f"arn:{partition}:iam::aws:policy/{MANAGED_POLICY}"
    assert f"arn:{partition}:lambda:xx-1:1:function:reservation-workflow-test:*" in json.dumps(
        account.policy("functions", "test")
    )


def test_the_template_of_sam_has_the_same(aws_front: Front) -> None:
    text = TEMPLATE.read_text()

    def values(key: str) -> set[str]:
        return set(re.findall(rf"^ *{key}: (?:!Sub )?([^#\n]*?) *(?:#.*)?$", text, re.MULTILINE))

    def filled(key: str) -> set[str]:
        return {each.replace("${Stage}", "dev").replace("${AWS::Region}", REGION) for each in values(key)}

    parts = AwsParts("dev", REGION)
    assert filled("FunctionName") == {function.name for function in parts.functions}
    assert filled("Handler") == {function.handler for function in parts.functions}
    assert filled("LogGroupName") == {function.log_group for function in parts.functions}
    assert (filled("RoleName"), filled("TableName")) == ({parts.role}, {parts.table})
    assert values("Runtime") == {aws_function.RUNTIME}
    assert values("Architectures") == {f"[{aws_function.ARCHITECTURE}]"}
    assert values("MemorySize") == {str(aws_function.MEMORY_MB)}
    assert values("Timeout") == {str(aws_function.TIMEOUT_SECONDS)}
    assert values("RetentionInDays") == {str(LOG_DAYS)}
    durable: Mapping[str, int] = aws_function.DURABLE
    assert {key: values(key) for key in durable} == {key: {str(value)} for key, value in durable.items()}
    assert MANAGED_POLICY in text


def test_a_stage_made_by_hand_is_not_taken_over(aws_front: Front, bundle: Path) -> None:
    deployer(aws_front, bundle).apply(ignore)
    arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{SEATS}"
    aws_front.client("lambda").untag_resource(Resource=arn, TagKeys=["project"])
    aws_front.forget()
    with pytest.raises(PlatformError, match="it has no tag project=resv"):
        deployer(aws_front, bundle).apply(ignore)
    assert aws_front.writes == []


def test_a_role_that_is_not_known_everywhere_yet_is_waited_for(aws_front: Front, bundle: Path) -> None:
    unknown = Refusal(404, "NoSuchEntity", f"The role with name {ROLE} cannot be found.")
    left = {"AttachRolePolicy": 2, "PutRolePolicy": 1}

    def trouble(_: int, call: Call) -> Fault | None:
        if left.get(call.operation, 0) == 0:
            return None
        left[call.operation] -= 1
        return unknown

    aws_front.trouble = trouble
    deployer(aws_front, bundle).apply(ignore)
    assert set(left.values()) == {0}
    aws_front.trouble = no_trouble
    assert_deployed(aws_front)


def test_a_function_that_is_being_deleted_is_waited_for(aws_front: Front, bundle: Path) -> None:
    configuration = {"FunctionName": WORKFLOW, "State": "Deleting", "StateReasonCode": "DrainingDurableExecutions"}
    going = Reply(json.dumps({"Configuration": configuration, "Tags": {"project": "resv"}}))
    aws_front.trouble = lambda _, call: going if call.operation == "GetFunction" and WORKFLOW in call.path else None
    plan = deployer(aws_front, bundle).changes()
    assert verbs(plan)["durable function", WORKFLOW] == "create"
    asked: list[Call] = []

    def trouble(_: int, call: Call) -> Fault | None:
        if call.operation == "GetFunction" and WORKFLOW in call.path and "CreateFunction" not in aws_front.operations:
            return going
        if call.operation == "GetFunctionConfiguration" and WORKFLOW in call.path and len(asked) < 3:
            asked.append(call)
            return Reply(json.dumps(configuration))
        return None

    aws_front.trouble = trouble
    deployer(aws_front, bundle).apply(ignore)
    aws_front.trouble = no_trouble
    assert len(asked) == 3
    assert_deployed(aws_front)


@pytest.mark.parametrize(
    "operation",
    [
        *("DescribeStacks", "GetRole", "ListAttachedRolePolicies", "GetRolePolicy", "DescribeTable"),
        *("ListTagsOfResource", "DescribeLogGroups", "ListTagsForResource"),
        *("GetFunction", "ListVersionsByFunction", "GetAlias"),
    ],
)
def test_an_empty_answer_is_told(aws_front: Front, bundle: Path, operation: str) -> None:
    deployer(aws_front, bundle).apply(ignore)
    aws_front.forget()
    aws_front.trouble = lambda _, call: empty(call) if call.operation == operation else None
    with pytest.raises(PlatformError, match="cannot be read") as raised:
        deployer(aws_front, bundle).apply(ignore)
    assert raised.value.code == "not_understood"
    assert_readable(raised.value)
    assert aws_front.writes == []


def test_the_answer_to_a_change_is_read_as_carefully(aws_front: Front, bundle: Path) -> None:
    aws_front.trouble = lambda _, call: empty(call) if call.operation == "PublishVersion" else None
    with pytest.raises(PlatformError, match=r"create version .* cannot be read"):
        deployer(aws_front, bundle).apply(ignore)


@pytest.mark.parametrize(
    ("message", "command"),
    [
        (
            "You cannot add a durable configuration to a function that was originally created with no durable "
            "configuration",
            f"resv deploy aws --stage test --region {REGION} --recreate",
        ),
        ("Durable functions are not supported in this region.", "resv deploy aws --stage test --region us-east-2"),
    ],
)
def test_a_hint_is_for_the_stage(aws_front: Front, bundle: Path, message: str, command: str) -> None:
    aws_front.fail("CreateFunction", Refusal(400, _INVALID, message))
    with pytest.raises(PlatformError) as raised:
        replace(deployer(aws_front, bundle), stage="test").apply(ignore)
    assert (raised.value.hint or "").endswith(command)


def test_a_function_that_is_being_deleted_need_not_tell_whose_it_was(aws_front: Front, bundle: Path) -> None:
    going = Reply(json.dumps({"Configuration": {"FunctionName": WORKFLOW, "State": "Deleting"}}))
    gone = Refusal(404, "ResourceNotFoundException", "Function not found")
    answers: dict[str, Fault] = {"GetFunction": going, "ListTags": gone}
    aws_front.trouble = lambda _, call: answers.get(call.operation)
    assert verbs(deployer(aws_front, bundle).changes())["durable function", WORKFLOW] == "create"


def test_only_a_role_that_was_just_made_is_waited_for(aws_front: Front, bundle: Path) -> None:
    deployer(aws_front, bundle).apply(ignore)
    aws_front.client("iam").delete_role_policy(RoleName=ROLE, PolicyName=WORKFLOW)
    aws_front.forget()
    aws_front.fail("PutRolePolicy", Refusal(404, "NoSuchEntity", f"The role with name {ROLE} cannot be found."))
    pauses: list[float] = []
    with pytest.raises(PlatformError, match="cannot be found"):
        replace(deployer(aws_front, bundle), pause=pauses.append).apply(ignore)
    assert pauses == []


def test_a_log_group_of_another_project_is_not_taken_over(aws_front: Front, bundle: Path) -> None:
    aws_front.client("logs").create_log_group(logGroupName=LOGS[0], tags={"project": "other"})
    with pytest.raises(PlatformError, match=f"The log group {LOGS[0]} is not resv.s") as raised:
        deployer(aws_front, bundle).apply(ignore)
    assert raised.value.code == "name_taken"
    assert aws_front.writes == []


def test_an_endpoint_is_told_without_its_password() -> None:
    with pytest.raises(PlatformError) as raised, refusals(AwsParts("dev", REGION), "look"):
        raise EndpointConnectionError(endpoint_url="http://user:geheim@127.0.0.1:9/")
    assert "127.0.0.1:9" in raised.value.message
    assert "geheim" not in f"{raised.value.message} {raised.value.hint}"
