"""Each known trouble with AWS, as it arises: a real botocore client, and a local server that answers with it."""

from __future__ import annotations

import json
import socket
import traceback
from collections.abc import Callable, Iterator
from functools import partial

import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from reservation_cli.domain.reservation import ReservationRequest
from reservation_cli.errors import (
    ConflictError,
    NotConfiguredError,
    NotFoundError,
    PlatformError,
    ResvError,
    TimedOutError,
)
from reservation_cli.platforms.aws import AwsClient
from reservation_cli.platforms.aws_errors import TROUBLES, cleaned, explain, translated
from reservation_cli.platforms.aws_session import Aws
from support.aws_cloud import (
    ARN,
    DEPLOYMENT,
    HISTORY,
    INVOKE,
    KEY_ID,
    LABEL,
    LIST,
    ONCE,
    SEATS,
    SECRET,
    TOKEN,
    answering,
    bare,
    keys,
)
from support.http_server import CUT, Answers, serving

REQUEST = ReservationRequest("r-1", "A1", "user123")
USER = "User: arn:aws:iam::123456789012:user/dev is not authorized to perform: "
FUNCTION = "arn:aws:lambda:us-east-2:123456789012:function:reservation-workflow-dev"
MISMATCH = "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access"
SIGNED = (
    f"{MISMATCH} Key and signing method. Consult the service documentation for details.\n\nThe Canonical String for"
    " this request should have been\n'POST\n/2015-03-31/functions/f/invocations\nQualifier=live\n"
    f"host:lambda.us-east-2.amazonaws.com\nx-amz-date:20261125T100000Z\nx-amz-security-token:{TOKEN}\n\n"
    "host;x-amz-date\ne3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'\n\nThe String-to-Sign should"
    " have been\n'AWS4-HMAC-SHA256\n20261125T100000Z\n20261125/us-east-2/lambda/aws4_request\nabcdef'\n"
)


@pytest.fixture(scope="module")
def everywhere() -> Iterator[tuple[Answers, AwsClient]]:
    """One server and one client: to make a client takes a quarter of a second."""
    with serving() as answers:
        connected = AwsClient.cloud(DEPLOYMENT, keys(answers.url), ONCE)
        yield answers, connected
        connected.close()


@pytest.fixture
def server(everywhere: tuple[Answers, AwsClient]) -> Answers:
    answers, _ = everywhere
    answers.prepared.clear()
    answers.seen.clear()
    return answers


@pytest.fixture
def client(everywhere: tuple[Answers, AwsClient], server: Answers) -> AwsClient:
    del server
    return everywhere[1]


def refused(call: Callable[[], object]) -> ResvError:
    """The error of `call`: one line and a hint, and no secret anywhere, its traceback included."""
    with pytest.raises(ResvError) as caught:
        call()
    error = caught.value
    assert "\n" not in error.message
    assert len(error.message) < 420
    assert error.hint
    everything = "".join(traceback.format_exception(error)) + repr(error) + str(error.hint) + repr(error.__cause__)
    for secret in (KEY_ID, SECRET, TOKEN, "Canonical String", "String-to-Sign", "AWS4-HMAC"):
        assert secret not in everything
    return error


def give_error(server: Answers, kind: str, message: str, status: int) -> None:
    for method, path in (("POST", INVOKE), ("POST", SEATS), ("GET", LIST), ("GET", HISTORY)):
        server.give(method, path, json.dumps({"Message": message}), status, x_amzn_errortype=kind)


@pytest.mark.parametrize(
    ("kind", "status", "message", "error", "code", "cause", "fix"),
    [
        (
            "InvalidParameterValueException",
            400,
            "You cannot invoke a durable function using an unqualified ARN.",
            PlatformError,
            "unqualified_arn",
            "by a version or an alias",
            ":live",
        ),
        (
            "InvalidParameterValueException",
            400,
            "You cannot synchronously invoke a durable function with an executionTimeout greater than 15 minutes.",
            PlatformError,
            "synchronous_invoke",
            "cannot be waited for",
            "InvocationType Event",
        ),
        (
            "InvalidParameterValueException",
            400,
            "Durable functions are not supported in this region.",
            PlatformError,
            "region_not_supported",
            "not to be had in this region",
            "us-east-2",
        ),
        (
            "AccessDeniedException",
            403,
            "Unable to determine service/operation name to be authorized",
            PlatformError,
            "region_not_supported",
            "not to be had in this region",
            "us-east-2",
        ),
        (
            "ResourceNotFoundException",
            404,
            f"Function not found: {FUNCTION}:live",
            NotConfiguredError,
            "function_not_found",
            "no such function or alias",
            "resv doctor aws",
        ),
        (
            "ResourceNotFoundException",
            404,
            f"Cannot find alias arn: {FUNCTION}:live",
            NotConfiguredError,
            "function_not_found",
            "no such function or alias",
            "reservation-workflow-dev",
        ),
        ("ResourceNotFoundException", 404, "No such execution.", NotFoundError, "not_found", "No such", "resv list"),
        (
            "DurableExecutionAlreadyStartedException",
            409,
            "The durable execution with the specified name has already been started.",
            ConflictError,
            "reservation_conflict",
            "used with other input",
            "another --id",
        ),
        (
            "CallbackTimeoutException",
            400,
            "The callback has timed out.",
            ConflictError,
            "callback_closed",
            "expired or is closed",
            "resv status",
        ),
        (
            "AccessDeniedException",
            403,
            f"{USER}lambda:InvokeFunction on resource: {FUNCTION}:live because no identity-based policy allows the"
            " lambda:InvokeFunction action",
            PlatformError,
            "access_denied",
            "may not do lambda:InvokeFunction",
            f"{FUNCTION}:live",
        ),
        ("AccessDeniedException", 403, "Forbidden", PlatformError, "access_denied", "not allowed", "resv doctor aws"),
        (
            "ExpiredTokenException",
            403,
            "The security token included in the request is expired",
            NotConfiguredError,
            "credentials_expired",
            "have expired",
            "aws sso login",
        ),
        (
            "UnrecognizedClientException",
            403,
            "The security token included in the request is invalid.",
            NotConfiguredError,
            "credentials",
            "does not accept the credentials",
            "not enabled",
        ),
        (
            "InvalidSignatureException",
            403,
            "Signature expired: 20261125T095000Z is now earlier than 20261125T100000Z (20261125T100500Z - 5 min.)",
            NotConfiguredError,
            "clock_skew",
            "clock is too far",
            "NTP",
        ),
        (
            "InvalidSignatureException",
            403,
            "Signature not yet current: 20261125T101000Z is still later than 20261125T100500Z",
            NotConfiguredError,
            "clock_skew",
            "clock is too far",
            "NTP",
        ),
        (
            "RequestTimeTooSkewed",
            403,
            "The difference between the request time and the current time is too large.",
            NotConfiguredError,
            "clock_skew",
            "clock is too far",
            "NTP",
        ),
        (
            "InvalidSignatureException",
            403,
            SIGNED,
            NotConfiguredError,
            "credentials",
            "does not accept the credentials",
            "aws configure",
        ),
        (
            "IncompleteSignatureException",
            403,
            f"'x' not a valid key=value pair in Authorization header: 'AWS4-HMAC-SHA256 Credential={KEY_ID}/20261125'",
            NotConfiguredError,
            "credentials",
            "does not accept the credentials",
            "aws configure",
        ),
        (
            "TooManyRequestsException",
            429,
            "Rate exceeded",
            PlatformError,
            "throttled",
            "too many requests",
            "Wait a moment",
        ),
        (
            "ServiceException",
            500,
            "Internal",
            PlatformError,
            "aws_failed",
            "failed inside (500: Internal)",
            "Ask again",
        ),
        ("ServiceUnavailable", 503, "", PlatformError, "aws_failed", "failed inside (503", "Ask again"),
    ],
)
def test_what_aws_refuses(
    client: AwsClient,
    server: Answers,
    kind: str,
    status: int,
    message: str,
    error: type[ResvError],
    code: str,
    cause: str,
    fix: str,
) -> None:
    give_error(server, kind, message, status)
    for call in (lambda: client.reserve(REQUEST), lambda: client.executions(5), lambda: client.confirm("r-1")):
        found = refused(call)
        assert (type(found), found.code) == (error, code)
        assert found.message.startswith(LABEL)
        assert cause in found.message
        assert fix in (found.hint or "")
        assert "resv up" not in (found.hint or "")


def test_an_unknown_refusal_keeps_its_words_but_not_what_was_signed(client: AwsClient, server: Answers) -> None:
    message = f"Something new. Credential={KEY_ID}/20261125/us-east-2 x-amz-security-token:{TOKEN} and more\nlines"
    server.give("POST", INVOKE, json.dumps({"Message": message}), 400, x_amzn_errortype="BrandNewException")
    with pytest.raises(PlatformError) as caught:
        client.reserve(REQUEST)
    assert (
        caught.value.message
        == f"{LABEL} refused: Something new. (cut out) (cut out) and more lines (BrandNewException)"
    )
    assert (caught.value.exit_code, caught.value.code) == (5, "BrandNewException")
    everything = "".join(traceback.format_exception(caught.value))
    assert KEY_ID not in everything
    assert TOKEN not in everything


@pytest.mark.parametrize("status", [200, 302, 403, 404, 500, 502])
def test_a_web_page_where_json_should_be(client: AwsClient, server: Answers, status: int) -> None:
    for path in (LIST, HISTORY):
        server.give("GET", path, "<html><h1>Sign in to the network</h1></html>", status, content_type="text/html")
    for call in (lambda: client.executions(5), lambda: client.timeline(ARN), lambda: client.timeline("r-1")):
        found = refused(call)
        assert found.exit_code == 5
        assert "<h1>" not in found.message
        assert found.code == ("aws_failed" if status >= 500 else "not_understood")


@pytest.mark.parametrize("body", ['{"Events": [{"EventType"', "[]", '"text"', "7", '{"Events": 7}', '{"Events": "x"}'])
def test_json_of_another_shape(client: AwsClient, server: Answers, body: str) -> None:
    server.give("GET", HISTORY, body)
    assert refused(lambda: client.timeline(ARN)).exit_code == 5


def test_a_list_that_is_cut_off_is_no_empty_list(client: AwsClient, server: Answers) -> None:
    server.give("GET", LIST, '{"DurableExecutions": [{"DurableExecution')
    assert refused(lambda: client.timeline("r-1")).code == "not_understood"
    server.give("GET", LIST, "{}")
    assert client.executions(5) == []


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"HTTP/1.1 200 OK\r\ncontent-le",
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n" + b'{"Events": [',
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1f\r\n" + b'{"Events": [',
        b"nonsense\r\n\r\n",
    ],
    ids=["at once", "in the headers", "in the body", "in a chunk", "no HTTP"],
)
def test_a_connection_that_is_cut(raw: bytes) -> None:
    with answering(raw) as url:
        client = AwsClient.cloud(DEPLOYMENT, keys(url), ONCE)
        for call in (lambda: client.timeline(ARN), lambda: client.executions(3), lambda: client.confirm("r-1")):
            found = refused(call)
            assert (type(found), found.exit_code) == (PlatformError, 5)
        client.close()


def test_an_answer_of_the_seats_function_that_is_cut() -> None:
    with answering(b'HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{"ok": tr') as url:
        client = AwsClient.cloud(DEPLOYMENT, keys(url), ONCE)
        found = refused(lambda: client.confirm("r-1"))
        assert (found.code, "broke off" in found.message) == ("unreachable", True)
        client.close()


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
    client = AwsClient.cloud(DEPLOYMENT, keys(url), ONCE)
    found = refused(lambda: client.timeline(ARN))
    assert (found.exit_code, found.code) == (5, "unreachable")
    assert found.message.startswith(f"{LABEL}: it cannot be reached: 127.0.0.1:")
    assert "Connection refused" in found.message
    client.close()


def test_a_name_that_does_not_resolve() -> None:
    client = AwsClient.cloud(DEPLOYMENT, keys("http://lambda.us-nowhere-9.invalid"), ONCE)
    found = refused(lambda: client.timeline(ARN))
    assert (found.exit_code, found.code) == (5, "unreachable")
    assert "lambda.us-nowhere-9.invalid" in found.message
    assert "region" in (found.hint or "")
    client.close()


def test_no_answer_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        client = AwsClient.cloud(DEPLOYMENT, keys(url), ONCE.merge(Config(read_timeout=0.05)))
        found = refused(lambda: client.timeline(ARN))
        client.close()
    assert (type(found), found.exit_code) == (TimedOutError, 7)


def test_throttling_and_failures_that_pass_are_not_told(server: Answers) -> None:
    # botocore's own back-off: half a second on average for the one attempt that is throttled, none for the others.
    client = AwsClient.cloud(DEPLOYMENT, keys(server.url))
    throttled = (429, {"x-amzn-errortype": "TooManyRequestsException"}, b'{"Message": "Rate exceeded"}')
    server.first("GET", LIST, throttled, (503, {}, b""), CUT)
    server.give("GET", LIST, '{"DurableExecutions": []}')
    assert client.executions(5) == []
    assert len(server.seen) == 4
    client.close()


def test_a_durable_configuration_that_comes_too_late() -> None:
    told = (
        "You cannot add a durable configuration to a function that was originally created with no durable configuration"
    )
    body = json.dumps({"Type": "User", "message": f"{told}."}).encode()
    head = (
        f"HTTP/1.1 400 Bad Request\r\nx-amzn-errortype: InvalidParameterValueException\r\ncontent-length: {len(body)}"
    )
    with answering(head.encode() + b"\r\n\r\n" + body) as url:
        api = Aws.of(keys(url)).client("lambda", "us-east-2", ONCE)
        with pytest.raises(ClientError) as caught:
            api.update_function_configuration(FunctionName="f", DurableConfig={"ExecutionTimeout": 60})
        api.close()
    found = translated(caught.value, "AWS · us-east-2", "give it a DurableConfig")
    assert (type(found), found.code) == (PlatformError, "durable_config_missing")
    assert found.message.startswith("AWS · us-east-2, give it a DurableConfig: ")
    assert "--recreate" in (found.hint or "")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        # What SAM and the SDK write, and what the README of a hand-written project calls it.
        ("property DurableConfig not defined for resource of type AWS::Serverless::Function", "sam_too_old"),
        ("DurableConfig not defined (SAM)", "sam_too_old"),
        ("DurableConfig cannot update", "durable_config_missing"),
        ("CheckpointUnrecoverableError", "checkpoint_denied"),
        ("CheckpointUnrecoverableExecutionError: Checkpoint failed: x", "checkpoint_denied"),
        ("CheckpointUnrecoverableInvocationError: Checkpoint failed: x", "checkpoint_denied"),
        (f"{USER}lambda:GetDurableExecutionState on resource: x", "checkpoint_denied"),
        ("Error: Unexpected payload provided to start the durable execution.\nCheck your", "durable_config_missing"),
        ('Non-deterministic execution detected: Operation name mismatch for step "1".', "non_deterministic"),
        ("Region not supported", "region_not_supported"),
        ("Function not found", "function_not_found"),
    ],
)
def test_texts_of_other_tools(text: str, code: str) -> None:
    known = explain(text)
    assert known is not None
    assert known.code == code


def test_ordinary_texts_are_not_explained() -> None:
    for text in ("Seat A1 is taken.", "Error: boom", "TypeError: x is not a function", ""):
        assert explain(text) is None


def test_each_trouble_has_its_own_code_and_says_what_to_do() -> None:
    for trouble in TROUBLES:
        assert trouble.cause.endswith(".")
        assert trouble.fix
        assert issubclass(trouble.kind, ResvError)


def test_credentials_that_cannot_be_had(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("aws")
    config = folder / "config"
    config.write_text(
        "[profile half]\naws_access_key_id = AKIAEXAMPLE\n"
        "[profile sso]\nsso_session = s\nsso_account_id = 123456789012\nsso_role_name = dev\nregion = us-east-2\n"
        "[sso-session s]\nsso_region = us-east-2\nsso_start_url = https://example.invalid/start\n"
        "[profile process]\ncredential_process = false\n"
        "[profile loop]\nrole_arn = arn:aws:iam::123456789012:role/r\nsource_profile = nowhere\n"
    )
    expected = {"half": "credentials", "sso": "credentials_expired", "process": "credentials", "loop": "credentials"}
    for profile, code in {**expected, "absent": "credentials"}.items():
        environ = bare(AWS_CONFIG_FILE=str(config), AWS_PROFILE=profile)
        found = refused(partial(AwsClient.cloud, DEPLOYMENT, environ, ONCE))
        assert (type(found), found.exit_code, found.code) == (NotConfiguredError, 6, code), profile


def test_a_configuration_file_that_is_none(tmp_path_factory: pytest.TempPathFactory) -> None:
    config = tmp_path_factory.mktemp("aws") / "config"
    config.write_text("no section\n")
    found = refused(lambda: AwsClient.cloud(DEPLOYMENT, bare(AWS_CONFIG_FILE=str(config)), ONCE))
    assert (found.exit_code, str(config) in found.message) == (6, True)


def test_half_a_key_is_told(server: Answers) -> None:
    environ = bare(AWS_ACCESS_KEY_ID=KEY_ID, AWS_ENDPOINT_URL=server.url)
    found = refused(lambda: AwsClient.cloud(DEPLOYMENT, environ, ONCE))
    assert (found.exit_code, "AWS_SECRET_ACCESS_KEY" in found.message) == (6, True)
    assert server.seen == []


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("plain words", "plain words"),
        (SIGNED, f"{MISMATCH} Key and signing method. Consult the service documentation for details."),
        (f"key {KEY_ID} is unknown", "key (cut out) is unknown"),
        ("Signature=abc123, more", "(cut out) more"),
        ("The signature is wrong", "The signature is wrong"),
        ("x" * 500, "x" * 300),
    ],
)
def test_cleaning(text: str, left: str) -> None:
    assert cleaned(text) == left


def test_the_session_shows_no_secret(server: Answers) -> None:
    aws = Aws.of(keys(server.url))
    assert SECRET not in repr(aws)
    assert TOKEN not in repr(aws)


def test_every_error_of_botocore_has_one_of_ours() -> None:
    for kind in BotoCoreError.__subclasses__():
        error = kind.__new__(kind)
        Exception.__init__(error, "It went wrong.")
        error.kwargs = {}
        assert isinstance(translated(error, LABEL), ResvError)
    assert isinstance(translated(ClientError({}, "Invoke"), LABEL), PlatformError)
