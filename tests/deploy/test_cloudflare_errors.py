"""What is known of Cloudflare's errors, by message, by code and by status."""

from __future__ import annotations

import pytest

from reservation_cli.errors import ConflictError, NotConfiguredError, NotFoundError, PlatformError, ResvError
from reservation_cli.platforms.cloudflare_errors import TROUBLES, Trouble, explain, refusal


@pytest.mark.parametrize(
    ("told", "code"),
    [
        ("workflows.api.error.instance.already_exists", "reservation_conflict"),
        ("Error: (instance.already_exists) Instance already exists", "reservation_conflict"),
        ("workflows.api.error.instance.not_found [code: 10400]", "instance_not_found"),
        ("(instance.cannot_terminate) Cannot terminate instance since its on a finite state", "instance_ended"),
        ("workflows.api.error.workflow.not_found", "workflow_not_deployed"),
        ("You need to register a workers.dev subdomain before deploying Workflows", "subdomain_missing"),
        (
            "In a non-interactive environment, it's necessary to set a CLOUDFLARE_API_TOKEN environment variable",
            "credentials",
        ),
        ("Not logged in. Please run `wrangler login` to authenticate.", "credentials"),
        ("Your auth token has expired and could not be refreshed", "credentials_expired"),
        ("More than one account available but unable to select one in non-interactive mode.", "account_unknown"),
        ("Could not route to /accounts/x, perhaps your object identifier is invalid?", "account_unknown"),
        ("Authentication error [code: 10000]", "credentials"),
        ("Method POST not allowed for this authentication scheme [code: 10405]", "access_denied"),
        ("Unauthorized to access requested resource [code: 9109]", "access_denied"),
        ("Invalid access token [code: 9109]", "credentials"),
        ("More than 1200 requests per 300 seconds reached. Please wait and consider", "throttled"),
        ("The following workflow(s) already exist and belong to different workers:", "workflow_taken"),
        ("workflow belongs to different worker", "workflow_taken"),
        ("a namespace with this account ID and title already exists [code: 10014]", "namespace_exists"),
        ("get namespace: 'namespace not found' [code: 10013]", "namespace_not_found"),
        ("An unknown error has occurred [code: 10013]", "cloudflare_failed"),
        ("workflows.api.error.internal_server [code: 10001]", "cloudflare_failed"),
        ("Unable to authenticate request [code: 10001]", "credentials"),
        (
            "The Workers runtime canceled this request because it detected that your Worker's code had hung",
            "false_alarm",
        ),
        ("something odd [code: 10200]", "workflow_not_deployed"),
    ],
)
def test_messages_are_known_and_come_before_codes(told: str, code: str) -> None:
    trouble = explain(told)
    assert trouble is not None
    assert trouble.code == code


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (10405, "reservation_conflict"),
        (10400, "instance_not_found"),
        (10501, "instance_not_found"),
        (10401, "instance_ended"),
        (10200, "workflow_not_deployed"),
        (10007, "worker_not_deployed"),
        (10090, "worker_not_deployed"),
        (10013, "cloudflare_failed"),
        (971, "throttled"),
        (10429, "throttled"),
        (10000, "credentials"),
        (9109, "credentials"),
        (6003, "credentials"),
        (1000, "credentials"),
        (9106, "credentials"),
        (7003, "account_unknown"),
    ],
)
def test_codes_are_known(number: int, code: str) -> None:
    trouble = explain(number)
    assert trouble is not None
    assert trouble.code == code


def test_what_is_not_known_is_not_explained() -> None:
    assert explain("the weather is fine [code: 424242]") is None
    assert explain("it took 10400 ms on port 10200") is None
    assert explain(424242) is None


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda trouble: trouble.code)
def test_each_says_cause_and_fix_in_a_line(trouble: Trouble) -> None:
    for text in (trouble.cause, trouble.fix):
        assert text.strip()
        assert "\n" not in text


@pytest.mark.parametrize(
    ("status", "errors", "kind", "code"),
    [
        (400, [{"code": 10405, "message": "instance.already_exists"}], ConflictError, "reservation_conflict"),
        (404, [{"code": 10400, "message": "instance.not_found"}], NotFoundError, "instance_not_found"),
        (403, [{"code": 10000, "message": "Authentication error"}], NotConfiguredError, "credentials"),
        (401, [], NotConfiguredError, "credentials"),
        (429, [{"code": 10000, "message": "odd"}], PlatformError, "throttled"),
        (503, [], PlatformError, "platform"),
        (404, [], NotFoundError, "not_found"),
        (400, [{"code": 1, "message": "odd"}, "not even an object"], PlatformError, "platform"),
        (400, [{"code": None, "message": "two\nlines"}], PlatformError, "platform"),
    ],
)
def test_an_answer_becomes_our_error(status: int, errors: list[object], kind: type[ResvError], code: str) -> None:
    error = refusal(status, errors, "Cloudflare, GET /x")
    assert type(error) is kind
    assert error.code == code
    assert error.message.startswith("Cloudflare, GET /x")
    assert "\n" not in error.message
    assert error.hint


def test_a_wait_that_is_asked_for_is_told() -> None:
    assert str(refusal(429, [], "Cloudflare, GET /x", wait=287).hint).startswith("Wait 287 s")
