"""resv doctor on AWS: real botocore against a local HTTP server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import parse_qs

import pytest

from support.doctor import (
    ACCOUNT,
    INFRA,
    KEY,
    ON_AWS,
    SECRETS,
    Machine,
    free_port,
)
from support.http_server import CUT, Answer, Answers


@pytest.fixture
def on_aws(machine: Machine, server: Answers) -> Answers:
    """AWS as it should be: valid credentials, all is allowed, the stage dev is there."""
    machine.environ |= {
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRETS["AWS_SECRET_ACCESS_KEY"],
        "AWS_SESSION_TOKEN": SECRETS["AWS_SESSION_TOKEN"],
        **{f"AWS_ENDPOINT_URL_{name}": f"{server.url}/{name}" for name in ("STS", "IAM", "LAMBDA")},
    }
    server.give("POST", "/STS", caller("user/somebody"))
    server.give("POST", "/IAM", simulation())
    config = {"Version": "3", "State": "Active", "DurableConfig": DURABLE}
    server.give("GET", "/LAMBDA/*/reservation-workflow-dev/configuration", json.dumps(config))
    server.give("GET", "/LAMBDA/*/aliases/live", json.dumps({"Name": "live", "FunctionVersion": "3"}))
    return server


DURABLE = {"ExecutionTimeout": 32 * 86_400, "RetentionPeriodInDays": 14}


def caller(who: str, service: str = "iam") -> str:
    return (
        '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>'
        f"<Arn>arn:aws:{service}::{ACCOUNT}:{who}</Arn><Account>{ACCOUNT}</Account><UserId>AIDAEXAMPLE</UserId>"
        "</GetCallerIdentityResult></GetCallerIdentityResponse>"
    )


def simulation(*denied: str) -> str:
    """IAM's answer about all that the two policies have."""
    decisions = {action: "allowed" for name in ("use", "deploy") for action in actions_of(name)}
    members = "".join(
        f"<member><EvalActionName>{action}</EvalActionName><EvalDecision>{decision}</EvalDecision></member>"
        for action, decision in (decisions | dict.fromkeys(denied, "implicitDeny")).items()
    )
    return (
        '<SimulatePrincipalPolicyResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/">'
        f"<SimulatePrincipalPolicyResult><EvaluationResults>{members}</EvaluationResults>"
        "<IsTruncated>false</IsTruncated></SimulatePrincipalPolicyResult></SimulatePrincipalPolicyResponse>"
    )


def actions_of(policy: str) -> Iterator[str]:
    for statement in json.loads((INFRA / "policies" / f"{policy}.json").read_text())["Statement"]:
        yield from [statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"]


def refusal(code: str, message: str, status: int = 403) -> Answer:
    told = f"<Type>Sender</Type><Code>{code}</Code><Message>{message}</Message>"
    return status, {"content-type": "text/xml"}, f"<ErrorResponse><Error>{told}</Error></ErrorResponse>".encode()


def not_found(name: str) -> Answer:
    headers = {"content-type": "application/json", "x-amzn-ErrorType": "ResourceNotFoundException"}
    return 404, headers, json.dumps({"Type": "User", "Message": f"Function not found: {name}"}).encode()


def test_all_is_well_on_aws(machine: Machine, on_aws: Answers) -> None:
    machine.deployed(ON_AWS)
    for argv in (["aws"], []):
        code, checks = machine.checks(*argv)
        assert code == 0
        credentials = checks["aws credentials"]
        assert credentials["detail"] == f"account {ACCOUNT}, arn:aws:iam::{ACCOUNT}:user/somebody"
        assert credentials["needed"]
        assert checks["aws may use"]["state"] == checks["aws may deploy"]["state"] == "ok"
        assert checks["aws stage dev"]["detail"] == (
            "us-east-2, version 3, by api, 2026-11-20 08:30 UTC; executions of up to 32 days, kept for 14 days."
        )
        # Where the calls went is told: `resv env` sets such variables, which are easily forgotten.
        assert checks["aws endpoint"]["fix"].startswith("unset AWS_ENDPOINT_URL_IAM ")
    asked = [parse_qs(body.decode()) for _, path, body in on_aws.seen if path == "/IAM"]
    actions = {name for each in asked for key, [name] in each.items() if key.startswith("ActionNames")}
    assert {"lambda:InvokeFunction", "lambda:CreateFunction", "iam:PassRole"} <= actions
    assert "sts:GetCallerIdentity" not in actions
    resources = {name for each in asked for key, [name] in each.items() if key.startswith("ResourceArns")}
    assert f"arn:aws:lambda:us-east-2:{ACCOUNT}:function:reservation-workflow-dev:live" in resources
    assert not [name for name in resources if "${" in name or ("*" in name and name != "*")]


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (refusal("ExpiredToken", f"The security token {SECRETS['AWS_SESSION_TOKEN']} has expired"), "have expired"),
        (refusal("InvalidClientTokenId", f"No such key {KEY}"), "does not accept the credentials"),
        (refusal("SignatureDoesNotMatch", f"Credential={KEY}/20261120/us-east-2"), "does not accept the credentials"),
        ((200, {"content-type": "text/html"}, b"<html><p>Log in to the hotel's network"), "AWS"),
        ((200, {"content-type": "text/xml"}, b"<a/>"), "cannot be read"),
        ((200, {"content-type": "text/xml"}, caller("").replace(":", "").encode()), "does not say whose"),
        ((404, {"content-type": "text/html"}, b"<h1>nothing here</h1>"), "AWS"),
        (CUT, "AWS"),
    ],
)
def test_credentials_that_do_not_work(machine: Machine, on_aws: Answers, answer: Answer, told: str) -> None:
    machine.deployed(ON_AWS)
    on_aws.prepared["POST", "/STS"] = answer
    code, checks = machine.checks("aws")
    assert code == 6
    assert checks["aws credentials"]["state"] == "missing"
    assert told in checks["aws credentials"]["detail"]
    assert checks["aws credentials"]["fix"]
    assert checks["aws permissions"]["state"] == "unknown"
    assert checks["aws stage dev"]["state"] == "unknown"


def test_an_aws_that_cannot_be_reached(machine: Machine, on_aws: Answers) -> None:
    machine.environ["AWS_ENDPOINT_URL_STS"] = f"http://127.0.0.1:{free_port()}"
    code, checks = machine.checks("aws")
    assert code == 6
    assert "cannot be reached" in checks["aws credentials"]["detail"]
    # Nothing is deployed there: then it is a warning to a user of the local stack.
    code, checks = machine.checks()
    assert code == 0
    assert checks["aws credentials"]["state"] == "warning"


def test_a_profile_that_there_is_not(machine: Machine) -> None:
    machine.environ["AWS_PROFILE"] = "nobody"
    code, checks = machine.checks("aws")
    assert code == 6
    assert "nobody" in checks["aws credentials"]["detail"]


@pytest.mark.parametrize(
    ("region", "code", "state", "told"),
    [
        ("us-east-2", 0, "ok", "us-east-2 (environment)"),
        ("eu-west-1", 0, "warning", "durable functions are sure to be in us-east-2"),
        ("eu-nowhere-9", 0, "warning", "knows no Lambda there"),
        ("Ohio", 6, "missing", "'Ohio' is no AWS region"),
    ],
)
def test_regions(machine: Machine, on_aws: Answers, region: str, code: int, state: str, told: str) -> None:
    machine.environ["AWS_REGION"] = region
    found, checks = machine.checks("aws")
    assert found == code
    assert checks["aws region"]["state"] == state
    assert told in checks["aws region"]["detail"]
    if state != "ok":
        assert checks["aws region"]["fix"].startswith("export AWS_REGION=us-east-2")


def test_permissions_that_are_missing_are_named(machine: Machine, on_aws: Answers) -> None:
    on_aws.give("POST", "/IAM", simulation("lambda:CreateFunction", "iam:PassRole"))
    code, checks = machine.checks("aws")
    assert code == 6
    assert checks["aws may deploy"]["detail"] == "May not: iam: PassRole; lambda: CreateFunction."
    assert checks["aws may deploy"]["fix"].endswith("infra/policies/deploy.json lists.")
    # Whoever has deployed may leave the next deploy to somebody else.
    machine.deployed(ON_AWS)
    assert machine.checks("aws")[1]["aws may deploy"]["state"] == "optional"


def test_what_only_sam_needs_is_a_warning(machine: Machine, on_aws: Answers) -> None:
    on_aws.give("POST", "/IAM", simulation("s3:PutObject"))
    code, checks = machine.checks("aws")
    assert code == 0
    assert checks["aws may deploy"]["state"] == "warning"
    assert "with --via sam only: s3: PutObject." in checks["aws may deploy"]["detail"]


def test_permissions_that_cannot_be_asked_for_are_listed(machine: Machine, on_aws: Answers) -> None:
    message = f"User: arn:aws:iam::{ACCOUNT}:user/somebody is not authorized to perform: iam:SimulatePrincipalPolicy"
    on_aws.prepared["POST", "/IAM"] = refusal("AccessDenied", message)
    code, checks = machine.checks("aws")
    assert code == 0
    found = checks["aws may use"]
    assert found["state"] == "unknown"
    assert found["detail"].startswith("Not checked: that needs iam:SimulatePrincipalPolicy. Needed: lambda: GetAlias, ")
    on_aws.prepared["POST", "/IAM"] = (200, {}, b"not XML at all")
    code, checks = machine.checks("aws")
    assert code == 0
    assert "it is not what AWS's API answers. Needed: " in checks["aws may deploy"]["detail"]


def test_a_role_is_looked_up_by_its_session(machine: Machine, on_aws: Answers) -> None:
    on_aws.give("POST", "/STS", caller("assumed-role/Builder/me", "sts"))
    arn = f"arn:aws:iam::{ACCOUNT}:role/with/a/path/Builder"
    role = (
        '<GetRoleResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><GetRoleResult><Role>'
        f"<Arn>{arn}</Arn></Role></GetRoleResult></GetRoleResponse>"
    )

    def turns(_method: str, path: str) -> None:
        if path == "/IAM" and b"Action=GetRole" in on_aws.seen[-1][2]:
            on_aws.give("POST", "/IAM", simulation())

    # Both policies are looked at at once, and each begins with the role.
    on_aws.first("POST", "/IAM", *[(200, {"content-type": "text/xml"}, role.encode())] * 2)
    on_aws.after_each = turns
    machine.checks("aws")
    asked = [parse_qs(body.decode()) for _, path, body in on_aws.seen if path == "/IAM"]
    assert ["Builder"] in [each.get("RoleName") for each in asked]
    assert [arn] in [each.get("PolicySourceArn") for each in asked]


def test_the_root_user_may_do_all(machine: Machine, on_aws: Answers) -> None:
    on_aws.give("POST", "/STS", caller("root"))
    code, checks = machine.checks("aws")
    assert code == 0
    assert checks["aws may use"]["state"] == "warning"
    assert not [path for _, path, _ in on_aws.seen if path == "/IAM"]


@pytest.mark.parametrize("gone", ["configuration", "aliases/live"])
def test_a_stage_that_is_gone_from_aws(machine: Machine, on_aws: Answers, gone: str) -> None:
    machine.deployed(ON_AWS)
    path = next(path for _, path in on_aws.prepared if path.endswith(gone))
    on_aws.prepared["GET", path] = not_found("reservation-workflow-dev")
    for argv in (["aws"], []):
        code, checks = machine.checks(*argv)
        assert code == 6
        assert checks["aws stage dev"]["detail"].endswith("reservation-workflow-dev:live is gone.")
        assert checks["aws stage dev"]["fix"] == "resv deploy aws --stage dev --region us-east-2"
    assert machine.checks("local")[0] == 0


@pytest.mark.parametrize(
    ("config", "code", "state", "told", "fix"),
    [
        ({"Version": "3"}, 6, "missing", "has no DurableConfig", "--recreate"),
        ({"State": "Inactive", "DurableConfig": DURABLE}, 0, "warning", "is Inactive", "resv deploy aws"),
        ({"DurableConfig": {}}, 6, "missing", "has no DurableConfig", "--recreate"),
    ],
)
def test_a_function_that_is_not_as_it_should_be(
    machine: Machine, on_aws: Answers, config: dict[str, object], code: int, state: str, told: str, fix: str
) -> None:
    machine.deployed(ON_AWS)
    on_aws.give("GET", "/LAMBDA/*/reservation-workflow-dev/configuration", json.dumps(config))
    found, checks = machine.checks("aws")
    assert (found, checks["aws stage dev"]["state"]) == (code, state)
    assert told in checks["aws stage dev"]["detail"]
    assert fix in checks["aws stage dev"]["fix"]


def test_several_stages(machine: Machine, on_aws: Answers) -> None:
    machine.deployed(replace(ON_AWS, stage="newer", version="2"), replace(ON_AWS, stage="other", account="9" * 12))
    config = {"DurableConfig": DURABLE}
    on_aws.give("GET", "/LAMBDA/*/reservation-workflow-newer/configuration", json.dumps(config))
    code, checks = machine.checks("aws")
    assert code == 6
    assert checks["aws stage newer"]["state"] == "warning"
    assert checks["aws stage newer"]["detail"].endswith("live names version 3 now.")
    assert f"in account {'9' * 12}; the credentials are of {ACCOUNT}" in checks["aws stage other"]["detail"]
    assert checks["aws stage other"]["fix"].startswith("export AWS_PROFILE=")


def test_a_lambda_that_does_not_answer_sense(machine: Machine, on_aws: Answers) -> None:
    machine.deployed(ON_AWS)
    on_aws.prepared["GET", "/LAMBDA/*/reservation-workflow-dev/configuration"] = (200, {}, b"<html>")
    code, checks = machine.checks("aws")
    assert code == 0
    assert checks["aws stage dev"]["state"] == "unknown"
