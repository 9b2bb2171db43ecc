"""The calls to Cloudflare's REST API that plans, checks and teardown make, and whose account they are made in."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import TracebackType

import httpx

from reservation_cli.domain import json_text
from reservation_cli.errors import NotConfiguredError, PlatformError
from reservation_cli.platforms.cloudflare_answers import no_answer, retry_after
from reservation_cli.platforms.cloudflare_errors import CREDENTIALS_HINT, PERMISSIONS, refusal
from reservation_cli.platforms.cloudflare_http import CloudHttp, Retries, api, api_token, checked_token

PAGE = 100
#: A deploy has more patience than a look at a reservation: half done is worse than late.
PATIENT = Retries(each=30.0, pause=1.0, seconds=90.0)

_GONE = {"workflow_not_deployed", "worker_not_deployed", "namespace_not_found"}


@dataclass(frozen=True, slots=True)
class Credentials:
    """A token, the account it is used in, and where it is from in words."""

    token: str = field(repr=False)
    account: str
    source: str


def find_credentials(
    environ: Mapping[str, str], login: Callable[[], str | None], retries: Retries = PATIENT
) -> Credentials | None:
    """What `environ` has, else `wrangler login`; None without any. `login` gives the login's token, or None.

    An account that is not named is asked for. Raises NotConfiguredError unless the token sees exactly one, and for
    a token or an account's id that cannot be one.
    """
    if token := api_token(environ):
        source = "CLOUDFLARE_API_TOKEN"
    elif token := checked_token(login() or "", "The token of wrangler login"):
        source = "wrangler login"
    else:
        return None
    found = Credentials(token, _named_account(environ), source)
    if found.account:
        return found
    with Account.of(found, environ, retries) as unnamed:
        return replace(found, account=_only_one(unnamed.accounts()))


def no_credentials() -> NotConfiguredError:
    """What to say when there are none, and some are needed."""
    return NotConfiguredError("There are no Cloudflare credentials.", hint=CREDENTIALS_HINT, code="credentials")


@dataclass(frozen=True, slots=True)
class Account:
    """The API of one account, to be used as a context manager."""

    client: CloudHttp
    id: str
    token: str = field(repr=False)

    @classmethod
    def of(cls, credentials: Credentials, environ: Mapping[str, str], retries: Retries = PATIENT) -> Account:
        """The API with these credentials, reached as `environ` says; see cloudflare_http.api."""
        return cls(api("", credentials.token, environ, lambda _: None, retries), credentials.account, credentials.token)

    def __enter__(self) -> Account:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.client.close()

    def accounts(self) -> Sequence[Mapping[str, object]]:
        """The accounts that the token sees, 50 of them at most: id and name."""
        return _listed(self._ask("GET", "/accounts?per_page=50"))

    def find(self, path: str) -> Mapping[str, object] | None:
        """The resource at `path`; None when there is none."""
        result = self.call("GET", path)
        return result if isinstance(result, dict) else None

    def delete(self, path: str) -> None:
        """Delete what is at `path`, if it is there."""
        self.call("DELETE", path)

    def namespace(self, title: str) -> str | None:
        """The id of the KV namespace called `title`."""
        page = 1
        while True:
            path = f"/storage/kv/namespaces?per_page={PAGE}&page={page}"
            listed = _listed(self.call("GET", path))
            for item in listed:
                if item.get("title") == title:
                    return str(item.get("id"))
            if len(listed) < PAGE:
                return None
            page += 1

    def secrets(self, worker: str) -> set[str]:
        """The names of the Worker's secrets; none when there is no Worker."""
        return {str(item.get("name")) for item in _listed(self.call("GET", f"/workers/scripts/{worker}/secrets"))}

    def subdomain(self) -> str:
        """The account's part of workers.dev; NotConfiguredError when it has none."""
        found = self.find("/workers/subdomain")
        if found is None or not found.get("subdomain"):
            raise refusal(404, [{"message": "no subdomain"}], "Cloudflare")
        return str(found["subdomain"])

    def token_status(self) -> str:
        """What Cloudflare says of the API token: active, disabled or expired. A token may be a user's or an account's.

        Raises NotConfiguredError when it is neither.
        """
        try:
            found = self._ask("GET", "/user/tokens/verify")
        except NotConfiguredError:
            found = self._ask("GET", f"/accounts/{self.id}/tokens/verify")
        return str(found.get("status")) if isinstance(found, dict) else "unknown"

    def call(self, method: str, path: str) -> object:
        """The answer's `result`; None when there is nothing at `path`.

        Raises what `refusal` and `no_answer` make of an error. What may pass is tried again, as CloudHttp does: a
        deletion that is made a second time finds nothing, as it should.
        """
        return self._ask(method, f"/accounts/{self.id}{path}", path)

    def _ask(self, method: str, path: str, shown: str = "") -> object:
        asked = f"Cloudflare, {method} {(shown or path).partition('?')[0]}"
        try:
            response = self.client.request(method, path)
        except httpx.HTTPError as error:
            raise no_answer(error, asked) from error
        return _result(response.status_code, response.text.replace(self.token, "***"), asked, retry_after(response))


def _named_account(environ: Mapping[str, str]) -> str:
    """The account that `environ` names; "" when it names none."""
    account = environ.get("CLOUDFLARE_ACCOUNT_ID", "").strip()
    if account and not re.fullmatch(r"[0-9a-f]{32}", account):
        raise NotConfiguredError(
            "CLOUDFLARE_ACCOUNT_ID is not the id of an account: 32 hexadecimal digits.",
            hint="`npx wrangler whoami` lists the accounts; or unset CLOUDFLARE_ACCOUNT_ID.",
            code="account_unknown",
        )
    return account


def _only_one(accounts: Sequence[Mapping[str, object]]) -> str:
    if len(accounts) == 1:
        return str(accounts[0].get("id"))
    if not accounts:
        raise NotConfiguredError(
            "The Cloudflare token sees no account.",
            hint=f"Set CLOUDFLARE_ACCOUNT_ID, and give the token {PERMISSIONS} in that account.",
            code="account_unknown",
        )
    names = ", ".join(f"{account.get('name')} ({account.get('id')})" for account in accounts[:5])
    raise NotConfiguredError(
        f"The Cloudflare credentials reach {len(accounts)} accounts: {names}.",
        hint="Set CLOUDFLARE_ACCOUNT_ID to one of them, in the environment or in .env.",
        code="account_unknown",
    )


def _result(status: int, text: str, asked: str, wait: float | None) -> object:
    try:
        body = json_text.loads(text)
    except ValueError:
        body = None
    if status >= 400:
        errors = body.get("errors") if isinstance(body, dict) else None
        error = refusal(status, errors if isinstance(errors, list) else [], asked, wait)
        # Only what is told in Cloudflare's own words is gone: not what a proxy or a wrong account does not know.
        if status == 404 and error.code in _GONE:
            return None
        raise error
    if not isinstance(body, dict):
        raise PlatformError(
            f"{asked}: the answer ({status}) is not the JSON that Cloudflare documents.",
            hint="Look at the proxy and at CLOUDFLARE_API_BASE_URL, and run it again.",
            code="not_understood",
        )
    return body.get("result")


def _listed(result: object) -> Sequence[Mapping[str, object]]:
    """A list of objects; an empty one for None."""
    if result is None:
        return []
    if not isinstance(result, list) or not all(isinstance(item, dict) for item in result):
        raise PlatformError("Cloudflare's list cannot be understood.", code="not_understood")
    return result
