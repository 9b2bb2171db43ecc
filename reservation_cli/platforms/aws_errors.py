"""What AWS's errors mean: cause and fix of those that users of durable functions meet, and our error for each.

Sources: the troubleshooting pages of Lambda durable functions, and botocore's service models.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    ReadTimeoutError,
)

from reservation_cli.errors import (
    ConflictError,
    NotConfiguredError,
    NotFoundError,
    PlatformError,
    ResvError,
    TimedOutError,
    UsageError,
)

CREDENTIALS_HINT = (
    "`aws configure` or `aws sso login` makes some; or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE."
)


@dataclass(frozen=True, slots=True)
class Trouble:
    """An error that is known: what to look for in its code and message, what it comes from, and what mends it."""

    pattern: str
    kind: type[ResvError]
    code: str
    cause: str
    fix: str


TROUBLES = (
    Trouble(
        r"cannot invoke a durable function using an unqualified ARN",
        UsageError,
        "unqualified_arn",
        "A durable function is started by a version or an alias, not by its bare name.",
        "Append :live to the function's name.",
    ),
    Trouble(
        r"cannot synchronously invoke a durable function with an executionTimeout greater than 15 minutes",
        UsageError,
        "synchronous_invoke",
        "An execution that may last longer than 15 minutes cannot be waited for.",
        "Invoke it with InvocationType Event, as `resv reserve` does.",
    ),
    Trouble(
        r"cannot add a durable configuration to a function that was originally created with no durable configuration"
        r"|DurableConfig cannot update",
        PlatformError,
        "durable_config_missing",
        "DurableConfig can be given at a function's creation only, and this one was created without.",
        "Delete the function and deploy it anew: resv deploy aws --recreate",
    ),
    Trouble(
        r"property DurableConfig not defined|Invalid Properties.*DurableConfig",
        NotConfiguredError,
        "sam_too_old",
        "This SAM CLI is too old to know DurableConfig.",
        "pip install --upgrade aws-sam-cli (1.153.1 or newer), or deploy with --via api.",
    ),
    Trouble(
        r"CheckpointUnrecoverableError|not authorized to perform:? lambda:CheckpointDurableExecution",
        PlatformError,
        "checkpoint_denied",
        "The function's role may not write checkpoints (lambda:CheckpointDurableExecution).",
        "Attach AWSLambdaBasicDurableExecutionRolePolicy to its role: `resv deploy aws` does.",
    ),
    Trouble(
        r"Unexpected payload provided to start the durable execution",
        PlatformError,
        "durable_config_missing",
        "The function was created without DurableConfig.",
        "Delete the function and deploy it anew: resv deploy aws --recreate",
    ),
    Trouble(
        r"Non-deterministic execution detected",
        PlatformError,
        "non_deterministic",
        "The code has changed under an execution that had begun.",
        "Start executions by the alias `live`, which keeps each on the version it began with.",
    ),
    Trouble(
        r"CallbackTimeoutException",
        ConflictError,
        "callback_closed",
        "The callback has expired or is closed already.",
        "Look at the reservation: resv status REF",
    ),
    Trouble(
        r"DurableExecutionAlreadyStartedException",
        ConflictError,
        "reservation_conflict",
        "That reservation id is used with other input.",
        "Choose another --id, or repeat the very same request.",
    ),
    Trouble(
        r"Function not found|Cannot find alias",
        NotConfiguredError,
        "function_not_found",
        "There is no such function or alias in this account and region.",
        "`resv deploy aws` makes it; `resv doctor aws` shows what is deployed where.",
    ),
    Trouble(
        r"[Rr]egion (is )?not (yet )?supported|not (yet )?(supported|available) in (this|the) region",
        PlatformError,
        "region_not_supported",
        "Durable functions are not to be had in this region.",
        "Deploy to us-east-2: resv deploy aws --region us-east-2",
    ),
    Trouble(
        r"TooManyRequests|Throttl|Rate exceeded|RequestLimitExceeded",
        PlatformError,
        "throttled",
        "AWS throttles: too many requests.",
        "Wait a moment and ask again; what is reserved goes on.",
    ),
    Trouble(
        r"Signature expired|Signature not yet current|RequestTimeTooSkewed|RequestExpired"
        r"|InvalidSignatureException.*20\d\d",
        NotConfiguredError,
        "clock_skew",
        "This machine's clock is too far from AWS's for a signed request.",
        "Set the clock (NTP), and try again.",
    ),
    Trouble(
        r"ExpiredToken|token (included in the request )?(is|has) expired|TokenRefreshRequired|SSOTokenLoadError"
        r"|UnauthorizedSSOToken|Token has expired",
        NotConfiguredError,
        "credentials_expired",
        "The AWS credentials have expired.",
        "Renew them: `aws sso login`, or new keys in the environment.",
    ),
    Trouble(
        r"UnrecognizedClient|InvalidClientTokenId|InvalidAccessKeyId|SignatureDoesNotMatch|InvalidSignature"
        r"|AuthFailure|IncompleteSignature|MissingAuthenticationToken",
        NotConfiguredError,
        "credentials",
        "AWS does not accept the credentials.",
        CREDENTIALS_HINT,
    ),
)


def explain(text: str) -> Trouble | None:
    """What is known of an error whose code or message is in `text`."""
    return next((trouble for trouble in TROUBLES if re.search(trouble.pattern, text)), None)


def translated(error: ClientError | BotoCoreError, label: str, doing: str = "") -> ResvError:
    """Our error for one of botocore's. `label` names the target, `doing` what was asked of it ("create the table")."""
    what = f"{label}, {doing}" if doing else label
    if isinstance(error, ClientError):
        return _refusal(error, what)
    if isinstance(error, NoCredentialsError | PartialCredentialsError | ProfileNotFound):
        return NotConfiguredError(f"{label}: {_plain(error)}.", hint=CREDENTIALS_HINT, code="credentials")
    if isinstance(error, ConnectTimeoutError | ReadTimeoutError):
        return TimedOutError(f"{what}: no answer in time.", hint="Ask again; what is done already is kept.")
    if (known := explain(f"{type(error).__name__}: {error}")) is not None:
        return known.kind(f"{label}: {known.cause}", hint=known.fix, code=known.code)
    return PlatformError(
        f"{what}: it cannot be reached: {_plain(error)}.", hint="Look at the network and the region, and ask again."
    )


def _refusal(error: ClientError, what: str) -> ResvError:
    told = error.response.get("Error", {})
    code, message = str(told.get("Code", "")), " ".join(str(told.get("Message", "") or error).split())[:300]
    if (known := explain(f"{code}: {message}")) is not None:
        return known.kind(f"{what}: {known.cause}", hint=known.fix, code=known.code)
    if code in ("AccessDeniedException", "AccessDenied", "UnauthorizedOperation", "AuthorizationError"):
        return PlatformError(
            f"{what}: {message}", hint="`resv doctor aws` names the permissions that are needed.", code="access_denied"
        )
    if code == "ResourceNotFoundException":
        return NotFoundError(f"{what}: {message}", hint="`resv list` shows what there is.")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if status >= 500:
        return PlatformError(
            f"{what}: AWS failed ({status} {code}): {message}", hint="Ask again in a moment.", code=code
        )
    return PlatformError(f"{what} refused: {message} ({code})", code=code or None)


def _plain(error: BotoCoreError) -> str:
    return " ".join(str(error).split()).rstrip(".")[:300]
