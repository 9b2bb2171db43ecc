"""The teardown of AWS, against moto's server over HTTP: however the stage was deployed, nothing is left."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reservation_cli.deploy import aws_teardown
from reservation_cli.deploy.aws_api import AwsApiDeployer
from reservation_cli.deploy.aws_parts import SAM_STACK
from reservation_cli.deploy.aws_teardown import AwsRemover
from reservation_cli.deploy.change import UNKNOWN, Change, Leftover, Remover
from reservation_cli.errors import NotConfiguredError, PlatformError, ResvError
from support.moto_front import ACCOUNT, REGION, SECRET, Call, Fault, Front, Refusal, Reply, denied, empty, no_trouble

pytestmark = pytest.mark.moto

WORKFLOW = "reservation-workflow-dev"
SEATS = "reservation-seats-dev"
ROLE = f"durable-reservation-role-dev-{REGION}"
LOGS = [f"/aws/lambda/{WORKFLOW}", f"/aws/lambda/{SEATS}"]

LINES = [
    ("executions", WORKFLOW),
    ("stack", WORKFLOW),
    ("artifacts", f"{WORKFLOW}/"),
    ("alias", f"{WORKFLOW}:live"),
    ("versions", WORKFLOW),
    ("durable function", WORKFLOW),
    ("alias", f"{SEATS}:live"),
    ("versions", SEATS),
    ("function", SEATS),
    ("IAM role", ROLE),
    ("table", SEATS),
    ("log group", LOGS[0]),
    ("log group", LOGS[1]),
]
ABSENT = {("executions", WORKFLOW), ("stack", WORKFLOW), ("artifacts", f"{WORKFLOW}/")}


@pytest.fixture
def deployed(aws_front: Front, tmp_path: Path) -> AwsApiDeployer:
    """The stage, deployed with botocore."""
    (tmp_path / "handler.mjs").write_text("export const handler = () => 1;")
    (tmp_path / "seats-api.mjs").write_text("export const handler = () => 2;")
    deployer = AwsApiDeployer("dev", REGION, aws_front.environ, tmp_path, pause=lambda _: None)
    deployer.apply(ignore)
    aws_front.forget()
    return deployer


def remover(front: Front) -> AwsRemover:
    return AwsRemover("dev", REGION, front.environ)


def ignore(_: Change) -> None:
    pass


def lines(changes: Iterable[Change | Leftover]) -> list[tuple[str, str]]:
    return [(each.kind, each.name) for each in changes]


def create_stack(front: Front, name: str, resources: dict[str, Any], **outputs: Any) -> None:
    template = {"Resources": resources, "Outputs": {key: {"Value": value} for key, value in outputs.items()}}
    ours = [{"Key": "project", "Value": "resv"}]
    front.client("cloudformation").create_stack(StackName=name, TemplateBody=json.dumps(template), Tags=ours)


def deploy_stack(front: Front) -> None:
    """What a deploy by SAM leaves, without the functions, which moto does not make by a stack without a bucket."""
    trust = {"Version": "2012-10-17", "Statement": []}
    keys = {"KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}]}
    attributes = {"AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}]}
    ours = {"Tags": [{"Key": "project", "Value": "resv"}]}
    table = {"TableName": SEATS, "BillingMode": "PAY_PER_REQUEST", **keys, **attributes, **ours}
    create_stack(
        front,
        WORKFLOW,
        {
            "Role": {
                "Type": "AWS::IAM::Role",
                "Properties": {"RoleName": ROLE, "AssumeRolePolicyDocument": trust, **ours},
            },
            "Table": {"Type": "AWS::DynamoDB::Table", "Properties": table},
            "Logs": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": LOGS[0]}},
        },
    )


def test_nothing_is_left(aws_front: Front, deployed: AwsApiDeployer) -> None:
    known: Remover = remover(aws_front)
    plan = known.removals()
    assert aws_front.writes == []
    assert lines(plan) == LINES
    assert {(each.kind, each.name) for each in plan if each.verb == "gone"} == ABSENT
    assert {each.verb for each in plan} == {"gone", "delete"}
    said: list[Change] = []
    assert known.remove(said.append) == []
    assert said == plan
    assert aws_front.resources() == []


def test_twice(aws_front: Front, deployed: AwsApiDeployer) -> None:
    assert remover(aws_front).remove(ignore) == []
    aws_front.forget()
    said: list[Change] = []
    assert remover(aws_front).remove(said.append) == []
    assert lines(said) == LINES
    assert {change.verb for change in said} == {"gone"}
    assert aws_front.writes == []


def test_running_executions_are_stopped_first(aws_front: Front, deployed: AwsApiDeployer) -> None:
    aws_front.start_executions(WORKFLOW, "RUNNING", "SUCCEEDED", "PAUSED", "RUNNING", "PAUSING", "FAILED", "RUNNING")
    said: list[Change] = []
    assert remover(aws_front).remove(said.append) == []
    assert said[0] == Change("stop", "executions", WORKFLOW, "5 running")
    assert aws_front.writes[:5] == ["StopDurableExecution"] * 5
    assert aws_front.operations.count("StopDurableExecution") == 5
    statuses = [execution["Status"] for execution in aws_front.executions]
    assert statuses == ["STOPPED", "SUCCEEDED", "STOPPED", "STOPPED", "STOPPED", "FAILED", "STOPPED"]
    asked = [call.path for call in aws_front.calls if call.operation == "ListDurableExecutionsByFunction"]
    assert not any("Qualifier" in path for path in asked)
    assert sum("Marker" in path for path in asked) == 2


def test_an_execution_started_meanwhile_does_not_hold_up_the_function(
    aws_front: Front, deployed: AwsApiDeployer
) -> None:
    def start(_: int, call: Call) -> None:
        if call.operation == "DeleteAlias" and WORKFLOW in call.path:
            aws_front.start_executions(WORKFLOW, "RUNNING")

    aws_front.trouble = start
    assert remover(aws_front).remove(ignore) == []
    assert [execution["Status"] for execution in aws_front.executions] == ["STOPPED"]


def test_an_execution_that_cannot_be_stopped_is_told(aws_front: Front, deployed: AwsApiDeployer) -> None:
    aws_front.start_executions(WORKFLOW, "RUNNING", "RUNNING")
    refused = Refusal(404, "ResourceNotFoundException", "No such execution.")
    invalid = Refusal(400, "InvalidParameterValueException", "It cannot be stopped.")
    aws_front.fail("StopDurableExecution", invalid, refused)
    left = remover(aws_front).remove(ignore)
    assert lines(left) == [("executions", WORKFLOW)]
    assert "1 of 2 executions could not be stopped: InvalidParameterValueException: It cannot" in left[0].reason
    assert aws_front.resources() == []


def test_without_credentials_all_is_unknown_and_nothing_is_asked(aws_front: Front) -> None:
    blind = AwsRemover("dev", REGION, aws_front.no_credentials)
    assert lines(blind.removals()) == LINES
    assert {change.verb for change in blind.removals()} == {"unknown"}
    assert blind.where() == [("account", UNKNOWN), ("region", REGION)]
    with pytest.raises(NotConfiguredError):
        blind.remove(ignore)
    assert aws_front.calls == []


def test_another_stage_stays(aws_front: Front, deployed: AwsApiDeployer) -> None:
    replace(deployed, stage="dev2").apply(ignore)
    assert remover(aws_front).remove(ignore) == []
    there = aws_front.resources()
    assert len(there) == 6
    assert all("-dev2" in name for name in there)


def test_a_half_done_deploy_is_removed(aws_front: Front, deployed: AwsApiDeployer) -> None:
    remover(aws_front).remove(ignore)
    aws_front.forget()
    aws_front.fail("PublishVersion", denied(Call("lambda", "PublishVersion", "", b"", "")))
    with pytest.raises(PlatformError):
        deployed.apply(ignore)
    assert remover(aws_front).remove(ignore) == []
    assert aws_front.resources() == []


def test_a_stack_is_deleted_by_cloudformation(aws_front: Front) -> None:
    deploy_stack(aws_front)
    plan = remover(aws_front).removals()
    assert ("delete", "stack") in {(change.verb, change.kind) for change in plan}
    said: list[Change] = []
    assert remover(aws_front).remove(said.append) == []
    assert said == plan
    assert aws_front.writes[0] == "DeleteStack"
    assert aws_front.resources() == []


def test_artifacts_of_the_stage_go_with_all_versions(aws_front: Front) -> None:
    create_stack(
        aws_front,
        SAM_STACK,
        {"Bucket": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "sam-bucket"}}},
        SourceBucket="sam-bucket",
    )
    s3 = aws_front.client("s3")
    s3.put_bucket_versioning(Bucket="sam-bucket", VersioningConfiguration={"Status": "Enabled"})
    for key in (f"{WORKFLOW}/a", f"{WORKFLOW}/a", f"{WORKFLOW}/b", f"{WORKFLOW}2/c", "other/d"):
        s3.put_object(Bucket="sam-bucket", Key=key, Body=b"x")
    s3.delete_object(Bucket="sam-bucket", Key=f"{WORKFLOW}/b")
    said: list[Change] = []
    assert remover(aws_front).remove(said.append) == []
    assert Change("delete", "artifacts", f"{WORKFLOW}/", "4 object versions in sam-bucket") in said
    assert [each["Key"] for each in aws_front.objects("sam-bucket")] == ["other/d", f"{WORKFLOW}2/c"]
    assert aws_front.client("cloudformation").describe_stacks(StackName=SAM_STACK)["Stacks"]


OURS = "<Tags><member><Key>project</Key><Value>resv</Value></member></Tags>"


def stack_in(status: str, more: str = OURS) -> Reply:
    fields = f"<StackName>{WORKFLOW}</StackName><StackStatus>{status}</StackStatus>"
    created = "<CreationTime>2026-11-01T00:00:00Z</CreationTime>"
    return Reply(f"<Stacks><member>{fields}{created}{more}</member></Stacks>")


def test_a_stack_that_cannot_be_deleted_names_its_resource(aws_front: Front) -> None:
    stuck = (
        "<LogicalResourceId>SeatsTable</LogicalResourceId><PhysicalResourceId>reservation-seats-dev"
        "</PhysicalResourceId><ResourceType>AWS::DynamoDB::Table</ResourceType><Timestamp>2026-11-01T00:00:00Z"
        "</Timestamp><ResourceStatus>DELETE_FAILED</ResourceStatus><ResourceStatusReason>It is protected."
        "</ResourceStatusReason>"
    )
    answers: dict[str, Fault] = {
        "DescribeStacks": stack_in("DELETE_FAILED"),
        "DeleteStack": Reply(),
        "DescribeStackResources": Reply(f"<StackResources><member>{stuck}</member></StackResources>"),
    }
    aws_front.trouble = lambda _, call: answers.get(call.operation)
    said: list[Change] = []
    left = remover(aws_front).remove(said.append)
    assert Change("delete", "stack", WORKFLOW, "DELETE_FAILED") in said
    assert lines(left) == [("stack", WORKFLOW)]
    assert left[0].reason == "CloudFormation could not delete SeatsTable (reservation-seats-dev): It is protected."


@pytest.mark.parametrize(
    ("more", "code"),
    [
        (f"{OURS}<EnableTerminationProtection>true</EnableTerminationProtection>", "stack_protected"),
        ("", "name_taken"),
        ("<Tags><member><Key>project</Key><Value>other</Value></member></Tags>", "name_taken"),
    ],
)
def test_nothing_is_taken_from_beneath_such_a_stack(
    aws_front: Front, deployed: AwsApiDeployer, more: str, code: str
) -> None:
    aws_front.fail("DescribeStacks", *[stack_in("CREATE_COMPLETE", more)] * 2)
    for ask in (remover(aws_front).removals, lambda: remover(aws_front).remove(ignore)):
        with pytest.raises(PlatformError) as raised:
            ask()
        assert raised.value.code == code
    assert aws_front.writes == []


def test_what_is_another_projects_stays(aws_front: Front, deployed: AwsApiDeployer) -> None:
    other = [{"Key": "project", "Value": "other"}]
    aws_front.client("iam").tag_role(RoleName=ROLE, Tags=other)
    aws_front.client("dynamodb").tag_resource(
        ResourceArn=f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{SEATS}", Tags=other
    )
    aws_front.client("lambda").tag_resource(
        Resource=f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{WORKFLOW}", Tags={"project": "other"}
    )
    aws_front.start_executions(WORKFLOW, "RUNNING")
    said: list[Change] = []
    left = remover(aws_front).remove(said.append)
    assert lines(left) == [
        ("durable function", WORKFLOW),
        ("IAM role", ROLE),
        ("table", SEATS),
        ("log group", LOGS[0]),
    ]
    assert {each.reason for each in left} == {"It stays: its tag `project` is other."}
    kept = [change for change in said if change.verb == "keep"]
    assert ("executions", WORKFLOW) in lines(kept)
    assert sorted(aws_front.resources()) == sorted([WORKFLOW, ROLE, SEATS, LOGS[0]])
    assert aws_front.executions[0]["Status"] == "RUNNING"


def test_what_was_removed_by_somebody_else_meanwhile_is_no_error(aws_front: Front, deployed: AwsApiDeployer) -> None:
    swept: list[int] = []

    def sweep(number: int, call: Call) -> None:
        if not call.is_read and not swept:
            swept.append(number)
            aws_front.sweep()

    aws_front.trouble = sweep
    assert remover(aws_front).remove(ignore) == []
    assert swept
    assert aws_front.resources() == []


def test_removals_whose_answers_are_lost(aws_front: Front, deployed: AwsApiDeployer) -> None:
    """botocore asks again, and AWS says that there is no such thing: it was removed by the first try."""
    lost = aws_front.lose_first_answers("Delete", "Detach")
    assert remover(aws_front).remove(ignore) == []
    policies = {"DetachRolePolicy", "DeleteRolePolicy", "DeleteRole"}
    assert lost == {"DeleteAlias", "DeleteFunction", "DeleteTable", "DeleteLogGroup", *policies}
    assert aws_front.resources() == []


@pytest.mark.parametrize("status", ["CREATING", "DELETING"])
def test_a_table_that_changes_is_waited_for(aws_front: Front, deployed: AwsApiDeployer, status: str) -> None:
    arn = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{SEATS}"
    if status == "DELETING":
        aws_front.client("dynamodb").delete_table(TableName=SEATS)
    aws_front.fail("DescribeTable", Reply(json.dumps({"Table": {"TableStatus": status, "TableArn": arn}})))
    assert remover(aws_front).remove(ignore) == []
    assert ("DeleteTable" in aws_front.writes) == (status == "CREATING")
    assert aws_front.resources() == []


def test_expired_credentials_end_it_at_once(aws_front: Front, deployed: AwsApiDeployer) -> None:
    expired = Refusal(403, "ExpiredTokenException", "The security token included in the request is expired")
    aws_front.fail("DeleteFunction", expired)
    with pytest.raises(NotConfiguredError) as raised:
        remover(aws_front).remove(ignore)
    assert raised.value.code == "credentials_expired"
    assert aws_front.writes[-1] == "DeleteFunction"


def test_a_fault_at_each_call(aws_front: Front, deployed: AwsApiDeployer) -> None:
    """What the fault hits is left over, or the teardown ends; the rest is removed; run again, nothing is left."""
    known = remover(aws_front)
    known.where()
    aws_front.start_executions(WORKFLOW, "RUNNING")
    aws_front.forget()
    assert known.remove(ignore) == []
    calls = list(aws_front.operations)
    for number, operation in enumerate(calls, 1):
        deployed.apply(ignore)
        aws_front.executions.clear()
        aws_front.start_executions(WORKFLOW, "RUNNING")
        aws_front.forget()
        aws_front.fail_call(number)
        assert_told(known, f"call {number}, {operation}")
        aws_front.trouble = no_trouble
        assert known.remove(ignore) == []
        assert aws_front.resources() == [], f"left after a fault at call {number}, {operation}"


def assert_told(known: AwsRemover, what: str) -> None:
    """The fault is reported in one line without a secret, as an error or as something left over."""
    try:
        reasons = [each.reason for each in known.remove(ignore)]
    except ResvError as error:
        reasons = [error.message]
    assert reasons, f"nobody was told of {what}"
    for reason in reasons:
        assert "may not do" in reason or "not authorized" in reason
        assert "\n" not in reason
        assert SECRET not in reason


def untag(front: Front) -> None:
    """As if role, table and functions had been made by hand under our names."""
    front.client("iam").untag_role(RoleName=ROLE, TagKeys=["project"])
    front.client("dynamodb").untag_resource(
        ResourceArn=f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{SEATS}", TagKeys=["project"]
    )
    for name in (WORKFLOW, SEATS):
        arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"
        front.client("lambda").untag_resource(Resource=arn, TagKeys=["project"])


def test_what_is_not_tagged_as_ours_stays(aws_front: Front, deployed: AwsApiDeployer) -> None:
    untag(aws_front)
    left = remover(aws_front).remove(ignore)
    assert {("durable function", WORKFLOW), ("function", SEATS), ("IAM role", ROLE), ("table", SEATS)} <= {*lines(left)}
    assert {"It stays: it has no tag project=resv."} == {each.reason for each in left[:3]}
    assert {WORKFLOW, SEATS, ROLE} <= {*aws_front.resources()}


def test_a_function_whose_tags_may_not_be_read_is_left_over(aws_front: Front, deployed: AwsApiDeployer) -> None:
    without = {"Configuration": aws_front.client("lambda").get_function(FunctionName=SEATS)["Configuration"]}
    del without["Configuration"]["LastModified"]
    aws_front.forget()
    aws_front.trouble = lambda _, call: (
        denied(call)
        if call.operation == "ListTags"
        else Reply(json.dumps(without))
        if call.operation == "GetFunction" and SEATS in call.path
        else None
    )
    left = remover(aws_front).remove(ignore)
    assert lines(left) == [("function", SEATS), ("log group", LOGS[1])]
    assert "lambda:ListTags" in left[0].reason
    assert SEATS in aws_front.client("lambda").list_functions()["Functions"][0]["FunctionName"]


@pytest.mark.parametrize(("polls", "is_left"), [(3, False), (10_000, True)])
def test_a_function_that_drains_is_waited_for(
    aws_front: Front, deployed: AwsApiDeployer, polls: int, is_left: bool
) -> None:
    going = Reply(json.dumps({"State": "Deleting", "StateReasonCode": "DrainingDurableExecutions"}))
    asked: list[Call] = []
    paused: list[float] = []

    def trouble(_: int, call: Call) -> Fault | None:
        if call.operation != "GetFunctionConfiguration" or WORKFLOW not in call.path:
            return None
        asked.append(call)
        return going if len(asked) <= polls else None

    aws_front.trouble = trouble
    left = AwsRemover("dev", REGION, aws_front.environ, paused.append).remove(ignore)
    assert lines(left) == ([("durable function", WORKFLOW)] if is_left else [])
    assert len(paused) == min(polls, 60)
    if is_left:
        assert "still being deleted" in left[0].reason


def test_a_stack_that_may_not_be_deleted_keeps_what_it_holds(aws_front: Front, deployed: AwsApiDeployer) -> None:
    aws_front.trouble = lambda _, call: (
        stack_in("CREATE_COMPLETE")
        if call.operation == "DescribeStacks"
        else denied(call)
        if call.operation == "DeleteStack"
        else None
    )
    left = remover(aws_front).remove(ignore)
    # The artifacts are looked for in the outputs of SAM's stack, which has none.
    assert lines(left) == [line for line in LINES if line not in ABSENT - {("stack", WORKFLOW)}]
    assert "cloudformation:DeleteStack" in left[0].reason
    assert {each.reason for each in left[1:]} == {"it is left to the stack"}
    assert aws_front.writes == ["DeleteStack"]


def test_a_stack_that_is_still_at_work_keeps_what_it_holds(
    aws_front: Front, deployed: AwsApiDeployer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aws_teardown, "STACK_WAIT", {"Delay": 0, "MaxAttempts": 2})
    answers: dict[str, Fault] = {"DescribeStacks": stack_in("DELETE_IN_PROGRESS"), "DeleteStack": Reply()}
    aws_front.trouble = lambda _, call: answers.get(call.operation)
    left = remover(aws_front).remove(ignore)
    assert "it is not ready yet" in left[0].reason
    assert ("table", SEATS) in lines(left)
    assert aws_front.writes == ["DeleteStack"]


def test_an_answer_that_is_none_of_cloudformations_is_told(aws_front: Front) -> None:
    aws_front.fail("DescribeStacks", Reply("<Other/>"))
    with pytest.raises(PlatformError, match="cannot be read"):
        remover(aws_front).removals()


@pytest.mark.parametrize(
    "operation",
    [
        *("DescribeStacks", "GetFunction", "ListDurableExecutionsByFunction", "GetAlias", "ListVersionsByFunction"),
        *("GetRole", "DescribeTable", "ListTagsOfResource", "DescribeLogGroups", "ListTagsForResource"),
    ],
)
def test_an_empty_answer_is_told(aws_front: Front, deployed: AwsApiDeployer, operation: str) -> None:
    aws_front.trouble = lambda _, call: empty(call) if call.operation == operation else None
    try:
        told = [change.detail for change in remover(aws_front).removals() if change.verb == "unknown"]
    except PlatformError as error:
        told = [error.message]
    assert told
    assert all("cannot be read" in each for each in told)


def test_a_function_whose_deletion_has_begun_is_only_waited_for(aws_front: Front, deployed: AwsApiDeployer) -> None:
    config = {"FunctionName": WORKFLOW, "State": "Deleting", "DurableConfig": {"ExecutionTimeout": 60}}
    going = Reply(json.dumps({"Configuration": config, "Tags": {"project": "resv"}}))
    aws_front.start_executions(WORKFLOW, "RUNNING")
    polls = [Reply(json.dumps(config)), Reply(json.dumps(config))]
    gone = Refusal(404, "ResourceNotFoundException", "Function not found")

    def trouble(_: int, call: Call) -> Fault | None:
        if WORKFLOW not in call.path or call.operation not in ("GetFunction", "GetFunctionConfiguration"):
            return None
        if call.operation == "GetFunction":
            return going
        return polls.pop() if polls else gone

    aws_front.trouble = trouble
    paused: list[float] = []
    said: list[Change] = []
    assert AwsRemover("dev", REGION, aws_front.environ, paused.append).remove(said.append) == []
    assert len(paused) == 2
    assert [execution["Status"] for execution in aws_front.executions] == ["STOPPED"]
    assert {change.verb for change in said if change.kind in ("alias", "versions") and WORKFLOW in change.name} == {
        "gone"
    }
    deleted = [call.path for call in aws_front.calls if call.operation in ("DeleteFunction", "DeleteAlias")]
    assert deleted
    assert not any(WORKFLOW in path for path in deleted)


def test_a_stack_of_ours_does_not_make_ours_what_is_not(aws_front: Front, deployed: AwsApiDeployer) -> None:
    create_stack(aws_front, WORKFLOW, {"Topic": {"Type": "AWS::SNS::Topic"}})
    untag(aws_front)
    left = remover(aws_front).remove(ignore)
    assert {("durable function", WORKFLOW), ("function", SEATS), ("IAM role", ROLE), ("table", SEATS)} <= {*lines(left)}
    assert {WORKFLOW, SEATS, ROLE} <= {*aws_front.resources()}


def test_a_stack_of_nothing_but_a_change_set_may_lack_its_tags(aws_front: Front) -> None:
    aws_front.trouble = lambda _, call: (
        stack_in("REVIEW_IN_PROGRESS", "") if call.operation == "DescribeStacks" else None
    )
    assert ("delete", "stack") in {(each.verb, each.kind) for each in remover(aws_front).removals()}


@pytest.mark.parametrize("is_there", [True, False])
def test_a_log_group_without_tags_is_its_functions(aws_front: Front, deployed: AwsApiDeployer, is_there: bool) -> None:
    """It stays when the function stays; it goes when that is gone: it was Lambda that made it."""
    aws_front.client("logs").untag_log_group(logGroupName=LOGS[1], tags=["project", "stage"])
    if is_there:
        untag(aws_front)
    else:
        aws_front.client("lambda").delete_function(FunctionName=SEATS)
    left = remover(aws_front).remove(ignore)
    assert (("log group", LOGS[1]) in lines(left)) is is_there
    assert (LOGS[1] in aws_front.resources()) is is_there
