"""What a stage is made of on AWS, and the account that it is in: for the deploy with botocore and the teardown."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from reservation_cli.deploy.change import UNKNOWN, Change
from reservation_cli.domain.deployment import seats_name, workflow_name
from reservation_cli.errors import PlatformError, ResvError, TimedOutError
from reservation_cli.local.halves import infra_folder

if TYPE_CHECKING:
    from botocore.exceptions import ClientError, WaiterError

    from reservation_cli.platforms.aws_session import Aws

MANAGED_POLICY = "service-role/AWSLambdaBasicDurableExecutionRolePolicy"
PROJECT = "resv"
LOG_DAYS = 14

#: Lambda and DynamoDB settle within seconds; botocore's own pace for a table is 20 s.
TABLE_WAIT = {"Delay": 2, "MaxAttempts": 150}
#: A function that is deleted waits for what its executions still do: five minutes at most are waited for it.
GONE_POLLS, GONE_SECONDS = 60, 5.0
#: The stack in which SAM keeps its bucket, one an account and region, shared by all that is deployed by SAM.
SAM_STACK = "aws-sam-cli-managed-default"

_NOT_FOUND = re.compile(
    r"(NoSuchEntity|ResourceNotFoundException|NoSuchBucket|404): |ValidationError: .* does not exist"
)

_EXISTS = re.compile(r"AlreadyExists|already exist")


@dataclass(frozen=True, slots=True)
class FunctionParts:
    """One of the two functions: its code is `file` of the bundle, entered at `handler`."""

    name: str
    file: str
    handler: str
    durable: bool

    @property
    def kind(self) -> str:
        """What a plan calls it."""
        return "durable function" if self.durable else "function"

    @property
    def log_group(self) -> str:
        """Where Lambda writes what it logs."""
        return f"/aws/lambda/{self.name}"


@dataclass(frozen=True, slots=True)
class AwsParts:
    """The names of a stage's resources in one region, as infra/template.yaml has them too."""

    stage: str
    region: str

    @property
    def stack(self) -> str:
        """The CloudFormation stack of a deploy by SAM, and the prefix of its artifacts."""
        return workflow_name(self.stage)

    @property
    def role(self) -> str:
        """Roles are an account's: without its region, two regions would share one."""
        return f"durable-reservation-role-{self.stage}-{self.region}"

    @property
    def table(self) -> str:
        """The seats."""
        return seats_name(self.stage)

    @property
    def inline_policy(self) -> str:
        """The role's policy that is not AWS's."""
        return workflow_name(self.stage)

    @property
    def functions(self) -> tuple[FunctionParts, FunctionParts]:
        """The durable function, and the one that reads, confirms and cancels."""
        return (
            FunctionParts(workflow_name(self.stage), "handler.mjs", "handler.handler", durable=True),
            FunctionParts(seats_name(self.stage), "seats-api.mjs", "seats-api.handler", durable=False),
        )

    @property
    def tags(self) -> dict[str, str]:
        """What tells our resources from others."""
        return {"project": PROJECT, "stage": self.stage}


@dataclass(frozen=True, slots=True)
class Account:
    """One region of the account that the credentials are for. `partition` is aws, aws-cn or aws-us-gov."""

    id: str
    partition: str
    region: str
    aws: Aws
    clients: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def of(cls, environ: Mapping[str, str], region: str) -> Account | None:
        """The account; None when there are no credentials. Asks AWS whose credentials they are."""
        from reservation_cli.platforms.aws_session import Aws  # deferred: botocore, 100 ms

        aws = Aws.of(environ)
        if aws.credentials() is None:
            return None
        with asking(region, "ask whose credentials these are"):
            caller = aws.client("sts", region).get_caller_identity()
            return cls(caller["Account"], caller["Arn"].split(":")[1], region, aws)

    @property
    def secrets(self) -> list[str]:
        """What of the credentials nobody may read."""
        known = self.aws.credentials()
        return [secret for secret in (known.secret_key, known.token) if secret] if known else []

    def client(self, service: str) -> Any:
        """botocore's client of `service` in this region, made once: it takes up to 100 ms."""
        if service not in self.clients:
            self.clients[service] = self.aws.client(service, self.region)
        return self.clients[service]

    def arn(self, service: str, resource: str) -> str:
        """The ARN of a resource in this region; of one in the account for IAM, whose resources have no region."""
        region = "" if service == "iam" else self.region
        return f"arn:{self.partition}:{service}:{region}:{self.id}:{resource}"

    @property
    def managed_policy(self) -> str:
        """The ARN of AWS's policy for the role of a durable function."""
        return f"arn:{self.partition}:iam::aws:policy/{MANAGED_POLICY}"

    def policy(self, name: str, stage: str) -> dict[str, object]:
        """The policy document infra/policies/`name`.json, for this account, region and `stage`."""
        text = (infra_folder() / "policies" / f"{name}.json").read_text(encoding="utf-8")
        values = {
            "AWS::Partition": self.partition,
            "AWS::Region": self.region,
            "AWS::AccountId": self.id,
            "Stage": stage,
        }
        for variable, value in values.items():
            text = text.replace(f"${{{variable}}}", value)
        document: dict[str, object] = json.loads(text)
        return document


def located(account: Account | None, region: str) -> list[tuple[str, str]]:
    """See Deployer.where."""
    return [("account", account.id if account else UNKNOWN), ("region", region)]


@dataclass(frozen=True, slots=True)
class Step:
    """A line of a plan, and the calls behind it."""

    change: Change
    do: Callable[[], object] = lambda: None


def described(tags: list[dict[str, str]]) -> dict[str, str]:
    """Tags as IAM and DynamoDB list them, as a mapping."""
    return {tag["Key"]: tag["Value"] for tag in tags}


def listed(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Tags as IAM and DynamoDB take them."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def not_ours(tags: Mapping[str, str]) -> str:
    """Why a resource of our name is somebody else's; "" when it is ours. All that is made here is tagged at once."""
    project = tags.get("project")
    if project == PROJECT:
        return ""
    return f"its tag `project` is {project}" if project else f"it has no tag project={PROJECT}"


def refuse_foreign(kind: str, name: str, tags: Mapping[str, str]) -> None:
    """Raise PlatformError when a resource of our name is not tagged as ours."""
    if reason := not_ours(tags):
        raise PlatformError(
            f"The {kind} {name} is not resv's: {reason}.", hint="Use another --stage.", code="name_taken"
        )


def function_tags(client: Any, answer: Mapping[str, Any]) -> Mapping[str, str]:
    """The tags of a function. GetFunction leaves them out, too, when the caller may not list tags."""
    tags: Mapping[str, str] = (
        answer.get("Tags") or client.list_tags(Resource=answer["Configuration"]["FunctionArn"])["Tags"]
    )
    return tags


def stack_of(client: Any, name: str) -> Mapping[str, Any] | None:
    """The CloudFormation stack of that name; None when there is none."""
    stack: Mapping[str, Any] | None = found(lambda: client.describe_stacks(StackName=name)["Stacks"][0])
    return stack


def told(error: ClientError) -> str:
    """The code and the message of a refusal."""
    said = error.response.get("Error", {})
    return f"{said.get('Code')}: {said.get('Message')}"


def found(call: Callable[..., Any], **parameters: object) -> Any | None:
    """What `call` answers; None when AWS says that there is no such thing. For reads and deletes.

    Raises UnreadableAnswerError, which is one of botocore's, for an answer that is none of AWS's.
    """
    from botocore.exceptions import ClientError

    from reservation_cli.platforms.aws_errors import UnreadableAnswerError

    try:
        return call(**parameters)
    except ClientError as error:
        if _NOT_FOUND.match(told(error)):
            return None
        raise
    except (KeyError, ValueError, TypeError, AttributeError, IndexError) as error:
        # botocore's parsers take the shape of an answer for granted.
        raise UnreadableAnswerError(operation=getattr(call, "__name__", "a look-up")) from error


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


def is_there_already(error: ClientError) -> bool:
    """Whether a creation was refused because the thing exists."""
    return bool(_EXISTS.search(told(error)))


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


@contextmanager
def refusals(region: str, doing: str) -> Iterator[None]:
    """botocore's errors as ours. `doing` says what is done to which thing."""
    from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError, WaiterError
    from botocore.parsers import ResponseParserError

    from reservation_cli.platforms.aws_errors import translated, without_user

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
        raise PlatformError(f"{label}, {doing}: the answer is none of AWS's.", hint="Look at the network.") from error
    except (ClientError, BotoCoreError) as error:
        raise translated(error, label, doing) from error


@contextmanager
def asking(region: str, doing: str) -> Iterator[None]:
    """The same for one call, with what botocore's parsers raise for an answer that is none of AWS's."""
    from reservation_cli.platforms.aws_errors import unreadable

    with refusals(region, doing):
        try:
            yield
        except (KeyError, ValueError, TypeError, AttributeError, IndexError) as error:
            raise unreadable(f"AWS · {region}, {doing}") from error


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
