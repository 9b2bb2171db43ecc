"""What AWS's errors mean: cause and fix of those that users of durable functions meet, and our error for each.

Sources: the troubleshooting pages of Lambda durable functions, botocore's service models, and the sources of the Node
SDK 2.4. No text from here has a key, a token or a signature in it: AWS's own messages do, when a signature is wrong.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConfigNotFound,
    ConfigParseError,
    ConnectionClosedError,
    ConnectionError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    HTTPClientError,
    IncompleteReadError,
    InvalidConfigError,
    MetadataRetrievalError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    ReadTimeoutError,
    RefreshWithMFAUnsupportedError,
    ResponseStreamingError,
    SSOError,
    TokenRetrievalError,
    UnknownCredentialError,
)

from reservation_cli.errors import (
    ConflictError,
    NotConfiguredError,
    NotFoundError,
    PlatformError,
    ResvError,
    TimedOutError,
)

CREDENTIALS_HINT = (
    "`aws configure` or `aws sso login` makes some; or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE."
)
_NO_CREDENTIALS = (
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    CredentialRetrievalError,
    TokenRetrievalError,
    UnknownCredentialError,
    MetadataRetrievalError,
    RefreshWithMFAUnsupportedError,
    ConfigNotFound,
    ConfigParseError,
    InvalidConfigError,
    SSOError,
)
_BROKEN_OFF = (ConnectionClosedError, ResponseStreamingError, IncompleteReadError)
_DENIED = frozenset({"AccessDeniedException", "AccessDenied", "UnauthorizedOperation", "AuthorizationError"})
# Not compiled here: the local stack's client, whose start is measured, needs none of them.
_ACTION = r"not authorized to perform:? (?P<action>[\w-]+:\w+)(?: on resource:? (?P<resource>\S+))?"
# What a server that finds the signature wrong repeats of the request, to the end of its message.
_REPEATED = r"(?i)[\s.:,]*(The )?(Canonical String|String-to-Sign|Authorization header)\b.*"
_SECRETS = (
    r"(?i)\b(?:credential|signature|x-amz-security-token|session_?token|secret\w*)\s*[=:]\s*\S+",
    r"\b(?:AKIA|ASIA)[A-Z0-9]{8,}(?:/\S*)?",
)


class UnreadableAnswerError(BotoCoreError):
    """A good answer that is not whole JSON; botocore itself takes it for an empty one."""

    fmt = "{operation} was answered with something that is not JSON"


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
        PlatformError,
        "unqualified_arn",
        "A durable function is started by a version or an alias, not by its bare name.",
        "Append :live to the function's name.",
    ),
    Trouble(
        r"cannot synchronously invoke a durable function with an executionTimeout greater than 15 minutes",
        PlatformError,
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
        r"DurableConfig not defined|Invalid Properties.*DurableConfig",
        NotConfiguredError,
        "sam_too_old",
        "This SAM CLI is too old to know DurableConfig.",
        "pip install --upgrade aws-sam-cli (1.153.1 or newer), or deploy with --via api.",
    ),
    Trouble(
        r"CheckpointUnrecoverable\w*Error"
        r"|not authorized to perform:? lambda:(CheckpointDurableExecution|GetDurableExecutionState)",
        PlatformError,
        "checkpoint_denied",
        "A checkpoint was refused: as a rule the function's role lacks lambda:CheckpointDurableExecution.",
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
        r"Non-deterministic execution detected|NonDeterministicExecutionError",
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
        "Its name is like reservation-workflow-dev, its alias is live. `resv doctor aws` shows what is deployed where;"
        " a deploy of that stage to that region makes both.",
    ),
    Trouble(
        r"(?i)region (is )?not (yet )?supported|not (yet )?(supported|available) in (this|the|your) (AWS )?region"
        # What an endpoint says of an operation that it does not have.
        r"|Unable to determine service/operation name to be authorized",
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
        # Not the name of the exception alone, which a wrong secret key has as well.
        r"Signature expired|Signature not yet current|RequestTimeTooSkewed|RequestExpired|RequestInTheFuture",
        NotConfiguredError,
        "clock_skew",
        "This machine's clock is too far from AWS's for a signed request.",
        "Set the clock (NTP), and try again.",
    ),
    Trouble(
        r"ExpiredToken|token (included in the request )?(is|has) expired|TokenRefreshRequired|SSOTokenLoadError"
        r"|UnauthorizedSSOToken|Token has expired|Token for .* does not exist|LoginRefreshRequired|session has expired"
        r"|refreshed credentials are still expired",
        NotConfiguredError,
        "credentials_expired",
        "The AWS credentials have expired, or nobody has signed in yet.",
        "Renew them: `aws sso login` or `aws login`, or new keys in the environment.",
    ),
    Trouble(
        r"UnrecognizedClient|InvalidClientTokenId|InvalidAccessKeyId|SignatureDoesNotMatch|InvalidSignature"
        r"|AuthFailure|IncompleteSignature|MissingAuthenticationToken",
        NotConfiguredError,
        "credentials",
        "AWS does not accept the credentials.",
        f"{CREDENTIALS_HINT} A region that the account has not enabled answers the same.",
    ),
    Trouble(
        r"SSLError|CERTIFICATE_VERIFY_FAILED",
        PlatformError,
        "certificate",
        "The certificate that answered is not trusted.",
        "Behind a proxy that has its own, set AWS_CA_BUNDLE to its file.",
    ),
)


def explain(text: str) -> Trouble | None:
    """What is known of an error whose code or message is in `text`."""
    return next((trouble for trouble in TROUBLES if re.search(trouble.pattern, text)), None)


def translated(error: ClientError | BotoCoreError, label: str, doing: str = "") -> ResvError:
    """Our error for one of botocore's. `label` names the target, `doing` what was asked of it ("create the table").

    The error itself, which stays in the traceback, loses what AWS repeats of the request.
    """
    what = f"{label}, {doing}" if doing else label
    if isinstance(error, ClientError):
        return _refusal(error, what)
    told = f"{type(error).__name__}: {error}"
    error.args = (cleaned(str(error)),)
    if (known := explain(told)) is not None:
        return known.kind(f"{what}: {known.cause}", hint=known.fix, code=known.code)
    if isinstance(error, _NO_CREDENTIALS):
        return NotConfiguredError(f"{label}: {_plain(error)}.", hint=CREDENTIALS_HINT, code="credentials")
    if isinstance(error, ConnectTimeoutError | ReadTimeoutError):
        return TimedOutError(f"{what}: no answer in time.", hint="Ask again; what is done already is kept.")
    if isinstance(error, _BROKEN_OFF):
        return PlatformError(
            f"{what}: the connection broke off before the answer was whole.",
            hint="Ask again; what is done already is kept.",
            code="unreachable",
        )
    if isinstance(error, ConnectionError | HTTPClientError):
        return PlatformError(
            f"{what}: it cannot be reached: {_reason(error)}.",
            hint="Look at the network, at the proxy and at the region's name, and ask again.",
            code="unreachable",
        )
    if isinstance(error, UnreadableAnswerError):
        return unreadable(what)
    return PlatformError(f"{what}: {_plain(error)}.")


def without_user(url: str) -> str:
    """`url` without the user and the password that may stand in it."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def unreadable(what: str) -> PlatformError:
    """The error for an answer that is none of AWS's: a web page, half an object, a number for a time."""
    return PlatformError(
        f"{what}: the answer cannot be read: it is not what AWS's API answers.",
        hint="Look at the proxy and at AWS_ENDPOINT_URL, and ask again.",
        code="not_understood",
    )


def cleaned(text: str) -> str:
    """`text` on one line of at most 300 characters, without keys, tokens, signatures and what is signed."""
    line = re.sub(_REPEATED, ".", " ".join(text.split()))
    for secret in _SECRETS:
        line = re.sub(secret, "(cut out)", line)
    return line[:300]


def _refusal(error: ClientError, what: str) -> ResvError:
    told = error.response.get("Error", {})
    code, message = str(told.get("Code") or ""), cleaned(str(told.get("Message") or ""))
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    error.args = (cleaned(str(error)),)
    if "Message" in told:
        told["Message"] = message
    if (known := explain(f"{code}: {message}")) is not None:
        return known.kind(f"{what}: {known.cause}", hint=known.fix, code=known.code)
    if code in _DENIED or re.search(_ACTION, message):
        return _denied(message, what)
    if status >= 500:
        why = "" if message.startswith("<") else message
        return PlatformError(
            f"{what}: AWS failed inside ({status}{': ' + why if why else ''}).",
            hint="Ask again in a moment; what is done already is kept.",
            code="aws_failed",
        )
    if code.isdigit() or message.startswith("<"):
        return unreadable(f"{what} ({status})")
    if code == "ResourceNotFoundException":
        return NotFoundError(f"{what}: {message}", hint="`resv list` shows what there is.")
    return PlatformError(f"{what} refused: {message} ({code})", code=code or None)


def _denied(message: str, what: str) -> ResvError:
    lacks = re.search(_ACTION, message)
    if lacks is None:
        return PlatformError(
            f"{what}: not allowed: {message}",
            hint="`resv doctor aws` names the permissions that are needed.",
            code="access_denied",
        )
    where = f" on {lacks['resource'].rstrip('.')}" if lacks["resource"] else ""
    return PlatformError(
        f"{what}: the credentials may not do {lacks['action']}.",
        hint=f"Allow {lacks['action']}{where}; `resv doctor aws` names all the permissions that are needed.",
        code="access_denied",
    )


def _reason(error: BotoCoreError) -> str:
    """Where to, and why it failed; botocore's own text has the path of the call in it and often no reason."""
    told = error.kwargs
    host = urlsplit(str(told.get("endpoint_url") or told.get("proxy_url") or "")).netloc.rpartition("@")[2]
    why = cleaned(str(told.get("error") or error)).rstrip(".")
    # urllib3 puts the connection's repr before it.
    why = why.partition(">: ")[2] or why.rpartition("): ")[2] or why
    return f"{host}: {why}" if host else why


def _plain(error: BotoCoreError) -> str:
    return cleaned(str(error)).rstrip(".")
