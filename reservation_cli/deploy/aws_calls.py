"""Calls of botocore's clients: what AWS says there is not, what is there already, its refusals as errors of ours."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from reservation_cli.deploy.aws_parts import AwsParts
from reservation_cli.errors import PlatformError, ResvError, TimedOutError

if TYPE_CHECKING:
    from botocore.exceptions import ClientError, WaiterError
    from botocore.model import OperationModel

#: Lambda and DynamoDB settle within seconds; botocore's own pace for a table is 20 s.
TABLE_WAIT = {"Delay": 2, "MaxAttempts": 150}
#: A function that is deleted waits for what its executions still do: five minutes at most are waited for it.
GONE_POLLS, GONE_SECONDS = 60, 5.0
#: Pauses in seconds before a call is tried again that AWS will take in a moment: a minute in all.
PAUSES = (1.0, 2.0, 3.0, 5.0, 8.0, 10.0, 10.0, 10.0, 10.0)

_NOT_FOUND = re.compile(
    r"(NoSuchEntity|ResourceNotFoundException|NoSuchBucket|404): |ValidationError: .* does not exist"
)
_EXISTS = re.compile(r"AlreadyExists|already exist")

#: What the deploy and the teardown read of an answer. One without it is none of AWS's.
_READ = {
    "DescribeLogGroups": "logGroups",
    "DescribeStackResources": "StackResources",
    "DescribeStacks": "Stacks",
    "DescribeTable": "Table",
    "GetAlias": "FunctionVersion",
    "GetFunction": "Configuration",
    "GetRole": "Role",
    "GetRolePolicy": "PolicyDocument",
    "ListAttachedRolePolicies": "AttachedPolicies",
    "ListDurableExecutionsByFunction": "DurableExecutions",
    "ListRolePolicies": "PolicyNames",
    "ListTags": "Tags",
    "ListTagsForResource": "tags",
    "ListTagsOfResource": "Tags",
    "ListVersionsByFunction": "Versions",
    "PublishVersion": "Version",
}

# What botocore's parsers, and those who read what these give, die of.
_UNREADABLE = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)


def readable(client: Any) -> Any:
    """`client`, which from now on raises UnreadableAnswerError, one of botocore's, for what is no answer of AWS's."""
    client.meta.events.register("before-parse", _require_shape)
    return client


def _require_shape(operation_model: OperationModel, response_dict: Mapping[str, Any], **_: object) -> None:
    """Parse a good answer beforehand: botocore's parsers take its shape for granted, and so do those who read it."""
    from botocore.parsers import ResponseParserError, create_parser

    from reservation_cli.platforms.aws_errors import UnreadableAnswerError

    if response_dict["status_code"] >= 300:
        return
    name, shape = operation_model.name, operation_model.output_shape
    if shape is None:
        return
    parser = create_parser(operation_model.service_model.resolved_protocol)
    try:
        parsed = parser.parse(response_dict, shape)
    except (*_UNREADABLE, ResponseParserError) as error:
        raise UnreadableAnswerError(operation=name) from error
    if name in _READ and _READ[name] not in parsed:
        raise UnreadableAnswerError(operation=name)


def told(error: ClientError) -> str:
    """The code and the message of a refusal."""
    said = error.response.get("Error", {})
    return f"{said.get('Code')}: {said.get('Message')}"


def is_not_found(error: ClientError) -> bool:
    """Whether AWS says that there is no such thing."""
    return bool(_NOT_FOUND.match(told(error)))


def is_there_already(error: ClientError) -> bool:
    """Whether a creation was refused because the thing exists."""
    return bool(_EXISTS.search(told(error)))


def found(call: Callable[..., Any], **parameters: object) -> Any | None:
    """What `call` answers; None when AWS says that there is no such thing. For reads and deletes."""
    from botocore.exceptions import ClientError

    try:
        return call(**parameters)
    except ClientError as error:
        if is_not_found(error):
            return None
        raise


def created(call: Callable[[], object]) -> bool:
    """Make something; False when it is there already: the answer to the first try was lost, or another was quicker."""
    from botocore.exceptions import ClientError

    try:
        call()
    except ClientError as error:
        if is_there_already(error):
            return False
        raise
    return True


def repeated(
    call: Callable[[], Any], will_pass: Callable[[ClientError], bool], pause: Callable[[float], object]
) -> Any:
    """What `call` answers, tried again, `pause` called in between, while it is refused for a reason that will pass."""
    from botocore.exceptions import ClientError

    for seconds in PAUSES:
        try:
            return call()
        except ClientError as error:
            if not will_pass(error):
                raise
        pause(seconds)
    return call()


def stack_of(client: Any, name: str) -> Mapping[str, Any] | None:
    """The CloudFormation stack of that name; None when there is none."""
    answer = found(client.describe_stacks, StackName=name)
    return next(iter(answer["Stacks"]), None) if answer else None


def function_tags(client: Any, answer: Mapping[str, Any]) -> Mapping[str, str]:
    """The tags of a function. GetFunction leaves them out, too, when the caller may not list tags."""
    tags: Mapping[str, str] = (
        answer.get("Tags") or client.list_tags(Resource=answer["Configuration"]["FunctionArn"])["Tags"]
    )
    return tags


def is_being_deleted(answer: Mapping[str, Any]) -> bool:
    """Whether GetFunction tells of a function whose deletion has begun: it can take long, for the executions it has."""
    return bool(answer["Configuration"].get("State") == "Deleting")


def wait_until_gone(client: Any, function: str, pause: Callable[[float], object]) -> None:
    """Return when there is no such function any more; TimedOutError when that takes too long."""
    for _ in range(GONE_POLLS):
        if found(client.get_function_configuration, FunctionName=function) is None:
            return
        pause(GONE_SECONDS)
    raise TimedOutError(
        f"The function {function} is still being deleted: Lambda waits for its executions.",
        hint="Run the command again in a few minutes.",
    )


@contextmanager
def refusals(parts: AwsParts, doing: str) -> Iterator[None]:
    """botocore's errors as ours, their hints' commands for the stage. `doing` says what is done to which thing."""
    try:
        with _translated(parts.region, doing):
            yield
    except ResvError as error:
        error.hint = error.hint and parts.aimed(error.hint)
        raise


@contextmanager
def asking(region: str, doing: str) -> Iterator[None]:
    """The same for a question that is of no stage, with what is raised by reading an answer that is none of AWS's."""
    from reservation_cli.platforms.aws_errors import unreadable

    with _translated(region, doing):
        try:
            yield
        except _UNREADABLE as error:
            raise unreadable(f"AWS · {region}, {doing}") from error


@contextmanager
def _translated(region: str, doing: str) -> Iterator[None]:
    from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError, WaiterError
    from botocore.parsers import ResponseParserError

    from reservation_cli.platforms.aws_errors import translated, unreadable, without_user

    label = f"AWS · {region}"
    try:
        yield
    except EndpointConnectionError as error:
        endpoint = without_user(str(error.kwargs.get("endpoint_url") or ""))
        raise PlatformError(
            f"{label}, {doing}: {endpoint} cannot be reached.",
            hint=f"Look at the network, at the proxy and at AWS_ENDPOINT_URL; is {region} a region with Lambda?",
            code="unreachable",
        ) from error
    except WaiterError as error:
        raise _not_settled(error, label, doing) from error
    except ResponseParserError as error:
        raise unreadable(f"{label}, {doing}") from error
    except (ClientError, BotoCoreError) as error:
        raise translated(error, label, doing) from error


def _not_settled(error: WaiterError, label: str, doing: str) -> ResvError:
    """What a waiter that gave up tells: a call's refusal, a reason for the failure, or that it takes too long."""
    from botocore.exceptions import ClientError

    from reservation_cli.platforms.aws_errors import translated

    last: Any = error.last_response
    if "Error" in last:
        return translated(ClientError(last, "wait"), label, doing)
    if "Max attempts exceeded" in str(error):
        return TimedOutError(f"{label}, {doing}: it is not ready yet.", hint="Run the command again in a few minutes.")
    state = last.get("Configuration", {})
    reason = state.get("StateReason") or state.get("LastUpdateStatusReason") or " ".join(str(error).split())
    return PlatformError(f"{label}, {doing} failed: {reason}", hint="Run the command again.")
