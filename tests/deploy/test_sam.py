"""Deploying with the real SAM CLI, against moto's server over HTTP; its failures also with a stand-in for it."""

from __future__ import annotations

import io
import json
import os
import shlex
import shutil
import sys
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
import yaml

from reservation_cli.deploy import preflight
from reservation_cli.deploy.aws_api import AwsApiDeployer
from reservation_cli.deploy.aws_parts import SAM_STACK
from reservation_cli.deploy.aws_sam import SamDeployer
from reservation_cli.deploy.aws_teardown import AwsRemover
from reservation_cli.deploy.change import Change
from reservation_cli.deploy.preflight import Tool
from reservation_cli.errors import Interrupted, NotConfiguredError, PlatformError, ResvError
from reservation_cli.local import processes, tool
from reservation_cli.local.halves import BUNDLE
from support.http_server import serving
from support.moto_front import ACCOUNT, REGION, SECRET, Call, Front, Refusal, denied
from support.waiting import until

ROOT = Path(__file__).parents[2]
INFRA = ROOT / "infra"
SAM = ROOT / ".tools" / "sam" / "bin"
BUCKET = f"{SAM_STACK}-samclisourcebucket-1"
WORKFLOW, SEATS = "reservation-workflow-dev", "reservation-seats-dev"
ROLE = f"durable-reservation-role-dev-{REGION}"


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """Code for both functions."""
    folder = tmp_path / "bundle"
    folder.mkdir()
    (folder / "handler.mjs").write_text("export const handler = () => 1;")
    (folder / "seats-api.mjs").write_text("export const handler = () => 2;")
    return folder


@pytest.fixture
def sam_environ(aws_front: Front, tmp_path: Path) -> dict[str, str]:
    """The environment in which the SAM CLI talks to the front, in an account where SAM has been used before."""
    # moto finds a template in its own bucket only by this host name, and the bucket only in the path.
    config = tmp_path / "aws-config"
    config.write_text("[default]\ns3 =\n  addressing_style = path\n")
    template = {
        "Resources": {"Bucket": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": BUCKET}}},
        "Outputs": {"SourceBucket": {"Value": {"Ref": "Bucket"}}},
    }
    tags = [{"Key": "ManagedStackSource", "Value": "AwsSamCli"}]
    aws_front.client("cloudformation").create_stack(StackName=SAM_STACK, TemplateBody=json.dumps(template), Tags=tags)
    return {
        **aws_front.environ,
        "AWS_ENDPOINT_URL_S3": aws_front.url.replace("127.0.0.1", "localhost"),
        "AWS_CONFIG_FILE": str(config),
        "HOME": str(tmp_path),
        "PATH": f"{SAM}{os.pathsep}{os.environ['PATH']}",
        "NO_PROXY": "127.0.0.1,localhost",
        "SAM_CLI_POLL_DELAY": "0.1",
    }


@pytest.fixture
def deployer(sam_environ: dict[str, str], bundle: Path) -> SamDeployer:
    sam = preflight.sam(sam_environ)
    assert sam is not None, f"{SAM} has no SAM CLI: make tools"
    assert sam.path.parent == SAM
    return SamDeployer("dev", REGION, sam_environ, bundle, sam)


def ignore(_: Change) -> None:
    pass


def transform(front: Front) -> None:
    """Let moto have the functions of the stack: it knows no AWS::Serverless::Function, which CloudFormation expands."""

    def expand(_number: int, call: Call) -> None:
        # After the stack's execution, so that the role is there.
        if call.operation == "DescribeStackEvents" and "ExecuteChangeSet" in front.operations:
            lambda_ = front.client("lambda")
            if not lambda_.list_functions()["Functions"]:
                make_functions(lambda_, front.client("iam").get_role(RoleName=ROLE)["Role"]["Arn"])

    front.trouble = expand


def make_functions(lambda_: Any, role: str) -> None:
    """Both functions, each with a version that `live` names."""
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("handler.mjs", "")
    for name in (WORKFLOW, SEATS):
        lambda_.create_function(
            FunctionName=name,
            Runtime="nodejs24.x",
            Role=role,
            Handler="h",
            Code={"ZipFile": code.getvalue()},
            Tags={"project": "resv"},
        )
        version = lambda_.publish_version(FunctionName=name)["Version"]
        lambda_.create_alias(FunctionName=name, Name="live", FunctionVersion=version)


def stack_made(front: Front) -> Mapping[str, str]:
    """The parameters of the last CreateChangeSet."""
    return dict(parse_qsl([call for call in front.calls if call.operation == "CreateChangeSet"][-1].body.decode()))


def listed(parameters: Mapping[str, str], name: str, *parts: str) -> list[tuple[str, ...]]:
    """A list in the query protocol of AWS: Tags.member.1.Key and so on."""
    found: list[tuple[str, ...]] = []
    while f"{name}.member.{len(found) + 1}.{parts[0]}" in parameters:
        found.append(tuple(parameters[f"{name}.member.{len(found) + 1}.{part}"] for part in parts))
    return found


@pytest.mark.sam
@pytest.mark.moto
def test_deploy_redeploy_teardown(aws_front: Front, deployer: SamDeployer, tmp_path: Path) -> None:
    transform(aws_front)
    told: list[Change] = []
    first = spied_on(deployer, tmp_path).apply(told.append)
    assert (first.stage, first.region, first.account, first.via, first.version) == ("dev", REGION, ACCOUNT, "sam", "1")
    runs = [change.name for change in told if change.kind == "stack"]
    assert runs == [f"{WORKFLOW} (sam {command})" for command in ("validate", "build", "deploy")]
    asked = stack_made(aws_front)
    assert (asked["StackName"], asked["ChangeSetType"]) == (WORKFLOW, "CREATE")
    assert listed(asked, "Parameters", "ParameterKey", "ParameterValue") == [("Stage", "dev")]
    assert sorted(listed(asked, "Tags", "Key", "Value")) == [("project", "resv"), ("stage", "dev")]
    assert asked["Capabilities.member.1"] == "CAPABILITY_NAMED_IAM"
    assert uploaded(aws_front) == {"handler.mjs", "seats-api.mjs"}
    argv = (tmp_path / "argv").read_text()
    assert "--no-confirm-changeset" in argv
    assert SECRET not in argv
    assert {ROLE, SEATS, f"/aws/lambda/{WORKFLOW}", f"/aws/lambda/{SEATS}"} < set(aws_front.resources())

    # The same code again: CloudFormation finds nothing to change.
    assert {change.verb for change in deployer.changes()} == {"keep", "update"}
    assert deployer.apply(ignore).version == "1"
    assert stack_made(aws_front)["ChangeSetType"] == "UPDATE"
    assert aws_front.operations.count("ExecuteChangeSet") == 1

    assert AwsRemover("dev", REGION, deployer.environ).remove(ignore) == []
    assert sorted(aws_front.resources()) == [SAM_STACK, BUCKET]
    assert objects(aws_front) == []
    assert not {action(call) for call in aws_front.calls} - allowed()


def spied_on(deployer: SamDeployer, folder: Path) -> SamDeployer:
    """A deployer whose sam writes its arguments to the file argv before it does anything."""
    spy = folder / "sam"
    argv, sam = shlex.quote(str(folder / "argv")), shlex.quote(str(deployer.sam.path))
    spy.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >> {argv}\nexec {sam} "$@"\n')
    spy.chmod(0o755)
    return replace(deployer, sam=replace(deployer.sam, path=spy))


def action(call: Call) -> str:
    """What IAM calls a call: in S3 some have another name."""
    if call.service != "s3":
        return f"{call.service}:{call.operation}"
    known = {"HEAD": "GetObject", "PUT": "PutObject", "ListObjectVersions": "ListBucketVersions"}
    known["DeleteObjects"] = "DeleteObjectVersion"
    return f"s3:{known[call.operation.partition(' ')[0]]}"


def allowed() -> set[str]:
    """The actions that infra/policies/deploy.json allows."""
    document = json.loads((INFRA / "policies" / "deploy.json").read_text())
    actions = (statement["Action"] for statement in document["Statement"])
    return {name for each in actions for name in ([each] if isinstance(each, str) else each)}


@pytest.mark.moto
def test_who_deploys_and_removes_by_api_needs_the_policy_alone(aws_front: Front, bundle: Path) -> None:
    deployer = AwsApiDeployer("dev", REGION, aws_front.environ, bundle, pause=lambda _: None)
    deployer.apply(ignore)
    (bundle / "handler.mjs").write_text("export const handler = () => 3;")
    deployer.apply(ignore)
    aws_front.start_executions(WORKFLOW, "RUNNING")
    assert AwsRemover("dev", REGION, aws_front.environ).remove(ignore) == []
    assert not {action(call) for call in aws_front.calls} - allowed()


@pytest.mark.sam
@pytest.mark.parametrize("name", ["deploy", "use", "functions"])
def test_the_policies_name_what_iam_knows(name: str) -> None:
    """By the service authorization reference, which comes with SAM's linter: each action, and what it is given for."""
    (reference,) = SAM.parent.glob("lib/python*/site-packages/cfnlint/data/AdditionalSpecs/Policies.json")
    services = json.loads(reference.read_text())
    for statement in json.loads((INFRA / "policies" / f"{name}.json").read_text())["Statement"]:
        actions, resources = statement["Action"], statement["Resource"]
        for each in [actions] if isinstance(actions, str) else actions:
            service, _, verb = each.partition(":")
            known = services[service]["Actions"][verb.lower()]
            types = [services[service]["Resources"][kind.lower()] for kind in known.get("Resources", [])]
            formats = [shape for kind in types for shape in kind["ARNFormats"]]
            # A change set may be made with a transform, which the reference does not say.
            if statement["Sid"] != "SamsTransform":
                assert (resources == "*") is (formats == []), each
                for arn in [resources] if isinstance(resources, str) else resources:
                    assert arn == "*" or any(matches(shape, arn) for shape in formats), f"{each} for {arn}"


def matches(shape: str, arn: str) -> bool:
    """Whether an ARN of ours has the shape that the reference gives."""
    for ours, theirs in (("AWS::Partition", "Partition"), ("AWS::Region", "Region"), ("AWS::AccountId", "Account")):
        arn = arn.replace(f"${{{ours}}}", f"${{{theirs}}}")
    return arn.startswith(shape.removesuffix(".*"))


def objects(front: Front) -> list[str]:
    """What is in SAM's bucket."""
    return [each["Key"] for each in front.client("s3").list_objects_v2(Bucket=BUCKET).get("Contents", [])]


def uploaded(front: Front) -> set[str]:
    """The files in the one code package that was uploaded, for the stage alone."""
    keys = objects(front)
    assert all(key.startswith(f"{WORKFLOW}/") for key in keys)
    (package,) = (key for key in keys if not key.endswith(".template"))
    body = front.client("s3").get_object(Bucket=BUCKET, Key=package)["Body"].read()
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        return set(archive.namelist())


@pytest.mark.sam
def test_sam_takes_the_template_and_builds_it(bundle: Path, tmp_path: Path) -> None:
    shutil.copytree(INFRA, tmp_path / "infra")
    shutil.copytree(bundle, tmp_path / "aws-durable" / BUNDLE)
    environ = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "SAM_CLI_TELEMETRY": "0"}
    said: list[str] = []
    for arguments in (["validate", "--lint"], ["build"]):
        argv = [str(SAM / "sam"), *arguments, "--template", "template.yaml", "--region", REGION]
        assert tool.run(argv, environ, 60, said.append, tmp_path / "infra") == 0, said
    built = tmp_path / "infra" / ".aws-sam" / "build"

    class Plain(yaml.SafeLoader):
        pass

    Plain.add_multi_constructor("!", lambda _loader, _suffix, _node: None)
    template: dict[str, Any] = yaml.load((built / "template.yaml").read_text(), Plain)
    for name in ("WorkflowFunction", "SeatsFunction"):
        code = built / template["Resources"][name]["Properties"]["CodeUri"]
        assert sorted(path.name for path in code.iterdir()) == ["handler.mjs", "seats-api.mjs"]


@pytest.mark.sam
@pytest.mark.moto
@pytest.mark.parametrize("operation", ["CreateChangeSet", "ExecuteChangeSet"])
def test_what_aws_refuses_is_told_in_one_line(aws_front: Front, deployer: SamDeployer, operation: str) -> None:
    aws_front.trouble = lambda _, call: denied(call) if call.operation == operation else None
    with pytest.raises(PlatformError) as raised:
        deployer.apply(ignore)
    assert raised.value.code == "access_denied"
    assert f"cloudformation:{operation}" in raised.value.message
    assert_clean(raised.value)
    # A stack of nothing but a change set stands in nobody's way.
    assert {change.verb for change in deployer.changes()} == {"keep", "create"}


@pytest.mark.sam
@pytest.mark.moto
def test_expired_credentials_are_told_as_such(aws_front: Front, deployer: SamDeployer) -> None:
    expired = Refusal(403, "ExpiredToken", "The security token included in the request is expired")
    aws_front.trouble = lambda _, call: expired if call.operation == "CreateChangeSet" else None
    with pytest.raises(NotConfiguredError) as raised:
        deployer.apply(ignore)
    assert raised.value.code == "credentials_expired"


def assert_clean(error: ResvError) -> None:
    """One line, without secrets."""
    assert "\n" not in error.message
    assert SECRET not in f"{error.message} {error.hint}"


# The rest needs no real SAM CLI: `sam` is a script that says and does what the real one would.


@pytest.fixture
def stand_in(aws_front: Front, bundle: Path, tmp_path: Path) -> Callable[[str], SamDeployer]:
    """A deployer whose `sam deploy` runs these lines of Python; its other commands succeed."""

    def make(deploy: str) -> SamDeployer:
        script = tmp_path / "sam"
        script.write_text(
            f"#!{sys.executable}\nimport os, pathlib, subprocess, sys, time\n"
            f"if sys.argv[1] == 'deploy':\n    {deploy}\n"
        )
        script.chmod(0o755)
        tool = Tool("sam", script, "1.170.0", preflight.SAM_MINIMUM)
        return SamDeployer("dev", REGION, {**aws_front.environ, "PATH": os.environ["PATH"]}, bundle, tool)

    return make


def told_of(status: str, kind: str, name: str, reason: str) -> str:
    """An event as the SAM CLI prints it."""
    return f"{status:<500}{kind:<500}{name:<500}{reason:<500}"


FAILED = [
    told_of("CREATE_IN_PROGRESS", "AWS::IAM::Role", "FunctionsRole", "-"),
    told_of("CREATE_IN_PROGRESS", "AWS::Lambda::Version", "WorkflowFunctionVersion0a1b2c3d4e", "-"),
    told_of("CREATE_FAILED", "AWS::DynamoDB::Table", "SeatsTable", "Resource creation cancelled"),
    told_of(
        "CREATE_FAILED",
        "AWS::Lambda::Function",
        "WorkflowFunction",
        f'Resource handler returned message: "no {SECRET} here" (RequestToken: 0, HandlerErrorCode: InvalidRequest)',
    ),
    told_of(
        "ROLLBACK_IN_PROGRESS",
        "AWS::CloudFormation::Stack",
        WORKFLOW,
        "The following resource(s) failed to create: [WorkflowFunction]. Rollback requested by user.",
    ),
    "Error: Failed to create/update the stack: reservation-workflow-dev, Waiter StackCreateComplete failed",
]


@pytest.mark.moto
def test_a_failed_stack_is_told_by_its_first_reason(stand_in: Callable[[str], SamDeployer]) -> None:
    told: list[Change] = []
    with pytest.raises(PlatformError) as raised:
        stand_in(f"print({chr(10).join(FAILED)!r}); sys.exit(1)").apply(told.append)
    assert raised.value.message == (
        f"AWS · {REGION}, sam deploy failed: AWS::Lambda::Function WorkflowFunction: "
        'Resource handler returned message: "no *** here"'
    )
    assert_clean(raised.value)
    assert [(change.verb, change.kind) for change in told[-2:]] == [("create", "IAM role"), ("create", "version")]


@pytest.mark.moto
@pytest.mark.parametrize(
    ("said", "kind", "code"),
    [
        (
            "Error: [InvalidResourceException('WorkflowFunction', 'property DurableConfig not defined for resource of "
            "type AWS::Serverless::Function')] ('WorkflowFunction', 'property DurableConfig not defined')",
            NotConfiguredError,
            "sam_too_old",
        ),
        (
            told_of(
                "UPDATE_FAILED",
                "AWS::Lambda::Function",
                "WorkflowFunction",
                "You cannot add a durable configuration to a function that was originally created with no durable "
                "configuration",
            ),
            PlatformError,
            "durable_config_missing",
        ),
        ("Error: Failed to create changeset: Rate exceeded", PlatformError, "throttled"),
        ("Error: Something new\nin two lines", PlatformError, "sam"),
        ("", PlatformError, "sam"),
    ],
)
def test_known_troubles_are_recognised(
    stand_in: Callable[[str], SamDeployer], said: str, kind: type[ResvError], code: str
) -> None:
    with pytest.raises(kind) as raised:
        stand_in(f"print({said!r}); sys.exit(1)").apply(ignore)
    assert raised.value.code == code
    assert_clean(raised.value)


@pytest.mark.moto
def test_ctrl_c_ends_sam_and_what_it_started(stand_in: Callable[[str], SamDeployer], tmp_path: Path) -> None:
    waiter = tmp_path / "waiter"
    waiter.write_text("#!/bin/sh\nsleep 600\n")
    waiter.chmod(0o755)
    begun = told_of("CREATE_IN_PROGRESS", "AWS::IAM::Role", "FunctionsRole", "-")
    waits = f"subprocess.Popen([{str(waiter)!r}]); print({begun!r}, flush=True); time.sleep(600)"

    def interrupt(change: Change) -> None:
        if change.kind == "IAM role":
            raise KeyboardInterrupt

    with pytest.raises(Interrupted) as raised:
        stand_in(waits).apply(interrupt)
    assert WORKFLOW in raised.value.message
    assert "resv teardown aws --stage dev" in (raised.value.hint or "")
    until(lambda: not running(str(tmp_path)), "sam's end")


def running(part: str) -> list[str]:
    """The commands that have `part` in them."""
    return [process.command for process in processes.table() if part in process.command]


@pytest.mark.moto
def test_sam_that_cannot_be_started_is_told(stand_in: Callable[[str], SamDeployer], tmp_path: Path) -> None:
    deployer = stand_in("pass")
    (tmp_path / "sam").unlink()
    with pytest.raises(NotConfiguredError) as raised:
        deployer.apply(ignore)
    assert raised.value.code == "sam_missing"


@pytest.mark.moto
def test_the_account_is_asked_for_once(aws_front: Front, stand_in: Callable[[str], SamDeployer]) -> None:
    """Credentials that come later are not those that the plan, which was agreed to, was made with."""
    deployer = stand_in("print('Error: no'); sys.exit(1)")
    deployer.where()
    deployer.changes()
    with pytest.raises(PlatformError):
        deployer.apply(ignore)
    assert aws_front.operations.count("GetCallerIdentity") == 1


@pytest.mark.moto
def test_a_folder_that_cannot_be_made_is_told(stand_in: Callable[[str], SamDeployer], tmp_path: Path) -> None:
    deployer = stand_in("pass")
    nowhere = {**deployer.environ, "TMPDIR": str(tmp_path / "nowhere")}
    with pytest.raises(NotConfiguredError, match="nowhere") as raised:
        replace(deployer, environ=nowhere).apply(ignore)
    assert "TMPDIR" in (raised.value.hint or "")
    assert_clean(raised.value)


@pytest.mark.moto
def test_the_secrets_of_a_profile_are_cut_out(
    aws_front: Front, stand_in: Callable[[str], SamDeployer], tmp_path: Path
) -> None:
    profile = tmp_path / "credentials"
    profile.write_text(
        "[mine]\naws_access_key_id = testing\naws_secret_access_key = hidden1\naws_session_token = hidden2\n"
    )
    environ = {"PATH": os.environ["PATH"], "AWS_SHARED_CREDENTIALS_FILE": str(profile), "AWS_PROFILE": "mine"}
    deployer = stand_in("print('Error: hidden1 and hidden2 do not fit'); sys.exit(1)")
    with pytest.raises(PlatformError, match=r"\*\*\* and \*\*\* do not fit") as raised:
        replace(deployer, environ=aws_front.no_credentials | environ).apply(ignore)
    assert "hidden" not in f"{raised.value.message} {raised.value.hint}"


@pytest.mark.moto
def test_a_hint_is_for_the_stage(stand_in: Callable[[str], SamDeployer]) -> None:
    durable = "You cannot add a durable configuration to a function that was originally created with no durable"
    for said, command in (
        (f"{durable} configuration", f"resv teardown aws --stage test --region {REGION}"),
        ("Region not supported", "resv deploy aws --stage test --region us-east-2"),
    ):
        with pytest.raises(PlatformError) as raised:
            replace(stand_in(f"print('Error: {said}'); sys.exit(1)"), stage="test").apply(ignore)
        assert (raised.value.hint or "").endswith(command)


@pytest.mark.moto
def test_without_the_bundle_there_is_a_plan_but_no_deploy(
    aws_front: Front, stand_in: Callable[[str], SamDeployer]
) -> None:
    deployer = replace(stand_in("pass"), bundle=None)
    plan = deployer.changes()
    assert {change.verb for change in plan} == {"create"}
    assert [change.name for change in plan[:4]] == [SAM_STACK, WORKFLOW, ROLE, SEATS]
    with pytest.raises(NotConfiguredError):
        deployer.apply(ignore)
    assert aws_front.writes == []


@pytest.mark.moto
def test_without_credentials_all_is_unknown(aws_front: Front, stand_in: Callable[[str], SamDeployer]) -> None:
    blind = replace(stand_in("pass"), environ=aws_front.no_credentials)
    assert {change.verb for change in blind.changes()} == {"unknown"}
    assert blind.where() == [("account", "unknown"), ("region", REGION)]
    assert aws_front.calls == []
    with pytest.raises(NotConfiguredError) as raised:
        blind.apply(ignore)
    assert raised.value.code == "credentials"


@pytest.mark.moto
def test_what_was_made_without_a_stack_is_left_alone(aws_front: Front, stand_in: Callable[[str], SamDeployer]) -> None:
    aws_front.client("logs").create_log_group(logGroupName=f"/aws/lambda/{SEATS}")
    aws_front.client("logs").create_log_group(logGroupName=f"/aws/lambda/{WORKFLOW}2")
    aws_front.client("dynamodb").create_table(
        TableName=SEATS,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
    )
    with pytest.raises(PlatformError) as raised:
        stand_in("pass").apply(ignore)
    assert raised.value.code == "deployed_by_api"
    assert raised.value.message.endswith(f"in no stack: table {SEATS}, log group /aws/lambda/{SEATS}.")
    assert aws_front.writes == []


@pytest.mark.moto
def test_a_stack_of_somebody_else_is_left_alone(aws_front: Front, stand_in: Callable[[str], SamDeployer]) -> None:
    template = {"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}
    aws_front.client("cloudformation").create_stack(StackName=WORKFLOW, TemplateBody=json.dumps(template))
    with pytest.raises(PlatformError) as raised:
        stand_in("pass").changes()
    assert raised.value.code == "name_taken"


@pytest.mark.moto
@pytest.mark.parametrize(
    ("status", "code"),
    [
        ("ROLLBACK_COMPLETE", "stack_broken"),
        ("DELETE_FAILED", "stack_broken"),
        ("UPDATE_ROLLBACK_FAILED", "stack_broken"),
        ("UPDATE_IN_PROGRESS", "stack_busy"),
        ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "stack_busy"),
    ],
)
def test_a_stack_that_cannot_be_deployed_to_is_told(
    stand_in: Callable[[str], SamDeployer], status: str, code: str
) -> None:
    deployer = stand_in("pass")
    with serving() as stacks:
        tag = "<Tags><member><Key>project</Key><Value>resv</Value></member></Tags>"
        stack = f"<member><StackName>{WORKFLOW}</StackName><StackStatus>{status}</StackStatus>{tag}</member>"
        body = f"<R><DescribeStacksResult><Stacks>{stack}</Stacks></DescribeStacksResult></R>"
        stacks.give("POST", "/", body, content_type="text/xml")
        deployer = replace(deployer, environ={**deployer.environ, "AWS_ENDPOINT_URL_CLOUDFORMATION": stacks.url})
        with pytest.raises(PlatformError) as raised:
            deployer.apply(ignore)
    assert raised.value.code == code
    assert status in raised.value.message


def a_tool(folder: Path, script: str) -> str:
    """A folder with a `sam` and an `aws` that are this shell script, as PATH has it."""
    folder.mkdir()
    for name in ("sam", "aws"):
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
    return str(folder)


def test_tools_are_found_with_their_versions(tmp_path: Path) -> None:
    old = a_tool(tmp_path / "old", 'echo "SAM CLI, version 1.153.0"; echo "aws-cli/2.9.30 Python/3.9"')
    new = a_tool(tmp_path / "new", 'echo "SAM CLI, version 1.153.1"; echo "aws-cli/2.33.22 Python/3.13" >&2')
    found = [preflight.sam({"PATH": path}) for path in (old, new)]
    assert [(each.version, each.good_enough) for each in found if each] == [("1.153.0", False), ("1.153.1", True)]
    found = [preflight.aws_cli({"PATH": path}) for path in (old, new)]
    assert [(each.version, each.good_enough) for each in found if each] == [("2.9.30", False), ("2.33.22", True)]
    assert preflight.sam({"PATH": str(tmp_path)}) is None
    assert preflight.sam({"PATH": ""}) is None


def test_a_broken_tool_hides_none_that_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # With two processes, so that the end of the first alone would leave its output open.
    monkeypatch.setattr(preflight, "_ANSWER_SECONDS", 0.5)
    broken = [
        a_tool(tmp_path / "fails", "echo 'SAM CLI, version 1.170.0'; exit 1"),
        a_tool(tmp_path / "babbles", "printf '\\377\\376 usage: sam'"),
        a_tool(tmp_path / "hangs", "sleep 600; true"),
        a_tool(tmp_path / "foreign", ""),
    ]
    (tmp_path / "foreign" / "sam").write_bytes(b"\x7fELF not for this machine")
    works = a_tool(tmp_path / "works", "echo 'SAM CLI, version 1.160.0'")
    found = preflight.sam({"PATH": os.pathsep.join([*broken, works, os.environ["PATH"]])})
    assert found == Tool("sam", Path(works, "sam"), "1.160.0", preflight.SAM_MINIMUM)
    until(lambda: not running(str(tmp_path)), "the end of what hung")
