"""What Cloudflare's errors mean: cause and fix of those that users of Workflows meet, and our error for each.

Sources: the API's reference, and the messages and codes in the sources of wrangler 4.155.0.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reservation_cli.errors import (
    ConflictError,
    NotConfiguredError,
    NotFoundError,
    PlatformError,
    ResvError,
)

PERMISSIONS = "Workers Scripts (edit) and Workers KV Storage (edit)"
CREDENTIALS_HINT = f"Set CLOUDFLARE_API_TOKEN to a token with {PERMISSIONS}, or run `npx wrangler login`."


@dataclass(frozen=True, slots=True)
class Trouble:
    """An error that is known: what its message looks like, its codes, what it comes from, and what mends it.

    A message tells more than a code, which several of Cloudflare's services use in different senses.
    """

    pattern: str
    codes: tuple[int, ...]
    kind: type[ResvError]
    code: str
    cause: str
    fix: str

    def error(self, what: str, said: str = "") -> ResvError:
        """Our error: it happened to `what`, in the words `said`."""
        return self.kind(f"{what}: {self.cause}" + (f" ({said})" if said else ""), hint=self.fix, code=self.code)


TROUBLES = (
    Trouble(
        r"instance\.already_exists",
        (10405,),
        ConflictError,
        "reservation_conflict",
        "An instance with that id exists already.",
        "Choose another --id, or look at the one there is: resv status REF",
    ),
    Trouble(
        r"instance\.not_found",
        (10400, 10501),
        NotFoundError,
        "instance_not_found",
        "The Workflow has no such instance: the id is wrong, or its retention has passed.",
        "`resv list` shows what there is.",
    ),
    Trouble(
        r"instance\.cannot_terminate",
        (10401,),
        ConflictError,
        "instance_ended",
        "The instance has ended already.",
        "Look at how it ended: resv status REF",
    ),
    Trouble(
        r"belong(s)? to (a )?different workers?",
        (),
        PlatformError,
        "workflow_taken",
        "A Workflow of this name belongs to another Worker.",
        "Deploy under another --stage, or delete that Workflow first: npx wrangler workflows delete NAME",
    ),
    Trouble(
        r"because of conflicts|set via the Cloudflare Dashboard|updated via the script API",
        (),
        PlatformError,
        "changed_elsewhere",
        "The Worker was changed elsewhere since it was deployed, in the dashboard or by the API.",
        "Take the change back there, or tear down this very stage and deploy it anew.",
    ),
    Trouble(
        r"workflow(s\.api\.error\.workflow)?[. ]not[_ ]found",
        (10200,),
        NotConfiguredError,
        "workflow_not_deployed",
        "The Workflow is not deployed in this account.",
        "`resv deploy cloudflare` makes it; `resv doctor cloudflare` shows what is deployed where.",
    ),
    Trouble(
        r"workers\.dev subdomain|no subdomain|subdomain on your account",
        (10063,),
        NotConfiguredError,
        "subdomain_missing",
        "The account has no workers.dev subdomain, which Workflows need.",
        "Register one in the dashboard: https://dash.cloudflare.com/?to=/:account/workers/onboarding",
    ),
    Trouble(
        r"More than one account available|mandatory to specify an account ID|No account id found",
        (),
        NotConfiguredError,
        "account_unknown",
        "It is not clear which Cloudflare account is meant.",
        "Set CLOUDFLARE_ACCOUNT_ID in the environment or in .env; `npx wrangler whoami` lists the accounts.",
    ),
    Trouble(
        r"set a CLOUDFLARE_API_TOKEN|[Nn]ot logged in|You must be logged in",
        (9106,),
        NotConfiguredError,
        "credentials",
        "There are no Cloudflare credentials.",
        CREDENTIALS_HINT,
    ),
    Trouble(
        r"auth token (has|is) expired|[Tt]oken (has|is) expired|[Ee]xpired (access |API )?token",
        (),
        NotConfiguredError,
        "credentials_expired",
        "The Cloudflare credentials have expired.",
        "Run `npx wrangler login` again, or set CLOUDFLARE_API_TOKEN to a new token.",
    ),
    Trouble(
        r"Could not route to /accounts|object identifier is invalid|[Ii]nvalid account identifier",
        (7003,),
        NotConfiguredError,
        "account_unknown",
        "There is no such Cloudflare account.",
        "Look at CLOUDFLARE_ACCOUNT_ID: 32 hexadecimal digits, as `npx wrangler whoami` shows them.",
    ),
    Trouble(
        r"[Uu]nauthorized to access requested resource|[Nn]ot allowed for this (token|authentication scheme)",
        (),
        NotConfiguredError,
        "access_denied",
        "The Cloudflare credentials do not reach this account or resource.",
        f"The token needs {PERMISSIONS} in the account that CLOUDFLARE_ACCOUNT_ID names.",
    ),
    Trouble(
        r"Authentication (error|failed)|[Uu]nable to authenticate|[Ii]nvalid (API|access) [Tt]oken"
        r"|Invalid request headers",
        (1000, 1001, 6003, 6111, 9103, 9107, 9109, 10000),
        NotConfiguredError,
        "credentials",
        "Cloudflare does not accept the credentials for this.",
        f"The token must be valid, and have {PERMISSIONS} in the account that CLOUDFLARE_ACCOUNT_ID names.",
    ),
    Trouble(
        r"requests per \d+ seconds|[Rr]ate.?limit|[Tt]oo many requests|throttling your request"
        r"|\"Retry-After\" header",
        (971, 10429),
        PlatformError,
        "throttled",
        "Cloudflare throttles: more than 1,200 requests in 5 minutes.",
        "Wait 5 minutes and ask again; what is reserved goes on, what is done is kept.",
    ),
    Trouble(
        r"namespace with this account ID and title already exists",
        (10014,),
        PlatformError,
        "namespace_exists",
        "A KV namespace of this name exists already.",
        "Run it again: the namespace is taken into use.",
    ),
    Trouble(
        r"namespace not found",
        (),
        NotFoundError,
        "namespace_not_found",
        "There is no such KV namespace.",
        "`resv deploy cloudflare` makes it.",
    ),
    Trouble(
        r"(Worker|service|script) (does not exist|not found)",
        (10007, 10090),
        NotConfiguredError,
        "worker_not_deployed",
        "The Worker is not deployed in this account.",
        "`resv deploy cloudflare` makes it; `resv doctor cloudflare` shows what is deployed where.",
    ),
    Trouble(
        r"error\.internal_server|unknown error has occurred|[Ii]nternal (server )?error",
        (10001, 10013),
        PlatformError,
        "cloudflare_failed",
        "Cloudflare failed inside.",
        "Run it again in a moment; what is done already is kept.",
    ),
    Trouble(
        r"malformed response|WAF block page",
        (),
        PlatformError,
        "not_understood",
        "Something other than Cloudflare's API answered, or its firewall did.",
        "Look at the proxy and at CLOUDFLARE_API_BASE_URL, and run it again.",
    ),
    Trouble(
        r"fetch failed|ECONNREFUSED|ECONNRESET|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|socket hang up|other side closed",
        (),
        PlatformError,
        "unreachable",
        "Cloudflare cannot be reached.",
        "Look at the network, and run it again; what is done already is kept.",
    ),
    Trouble(
        r"[Ww]orker's code had hung|code had hung",
        (),
        PlatformError,
        "false_alarm",
        "A known false alarm after a wait that timed out (workerd issue 6925).",
        "Nothing needs to be done.",
    ),
)


def explain(told: str | int) -> Trouble | None:
    """What is known of an error: of its code, or of a text with its message or with wrangler's `[code: 10405]`."""
    if isinstance(told, int):
        return next((trouble for trouble in TROUBLES if told in trouble.codes), None)
    by_message = (trouble for trouble in TROUBLES if re.search(trouble.pattern, told))
    by_code = (explain(int(code)) for code in re.findall(r"\[code: (\d{3,6})\]", told))
    return next(by_message, None) or next(filter(None, by_code), None)


def refusal(status: int, errors: Sequence[object], asked: str, wait: float | None = None) -> ResvError:
    """Our error for an answer of the API: its HTTP status, its `errors` ({code, message} each), and what was asked.

    `asked` begins the message: "Cloudflare, GET /workflows/reservation-workflow-dev". `wait`: its Retry-After, in
    seconds.
    """
    told = [(_number(error.get("code")), _line(error.get("message"))) for error in errors if isinstance(error, Mapping)]
    known = next(filter(None, (explain(message) or explain(code) for code, message in told)), None)
    said = "; ".join(f"{message} [code: {code}]" if code else message for code, message in told) or f"HTTP {status}"
    if known is None or status == 429:
        known = _by_status(status) or known
    if known is not None:
        error = known.error(asked, said)
        if wait is not None:
            error.wait_seconds = wait
            error.hint = f"Wait {wait:.0f} s and run it again; what is done already is kept."
        return error
    if status == 404:
        return NotFoundError(f"{asked}: {said}", hint="`resv list` shows what there is.")
    if status >= 500:
        return PlatformError(f"{asked}: Cloudflare failed: {said}", hint="Run it again; what is done already is kept.")
    return PlatformError(f"{asked} refused: {said}", hint="Mend that and run it again; what is done already is kept.")


def _by_status(status: int) -> Trouble | None:
    code = {401: 10000, 403: 10000, 429: 971}.get(status)
    return (code and explain(code)) or None


def _number(code: object) -> int:
    return int(str(code)) if str(code).isdigit() else 0


def _line(text: object) -> str:
    return " ".join(str(text or "").split())[:300]
