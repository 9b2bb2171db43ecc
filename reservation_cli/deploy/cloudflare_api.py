"""The calls to Cloudflare's REST API that plans and teardown make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType

import httpx

from reservation_cli.errors import NotConfiguredError, PlatformError

BASE_URL = "https://api.cloudflare.com/client/v4"
TIMEOUT_SECONDS = 30.0
PAGE = 100


@dataclass(frozen=True, slots=True)
class Api:
    """The API of one account, to be used as a context manager."""

    client: httpx.Client
    account: str

    @staticmethod
    def configured(environ: Mapping[str, str]) -> bool:
        """Whether `environ` has what a call needs."""
        return bool(environ.get("CLOUDFLARE_API_TOKEN") and environ.get("CLOUDFLARE_ACCOUNT_ID"))

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Api:
        """The API for the credentials in `environ`; NotConfiguredError when there are none."""
        for name in ("CLOUDFLARE_API_TOKEN", "CLOUDFLARE_ACCOUNT_ID"):
            if not environ.get(name):
                raise NotConfiguredError(
                    f"{name} is not set.", hint=f"Set {name} in the environment or in .env.", code="credentials"
                )
        account = environ["CLOUDFLARE_ACCOUNT_ID"]
        base = environ.get("CLOUDFLARE_API_BASE_URL") or BASE_URL
        client = httpx.Client(
            base_url=f"{base.rstrip('/')}/accounts/{account}",
            headers={"authorization": f"Bearer {environ['CLOUDFLARE_API_TOKEN']}"},
            timeout=TIMEOUT_SECONDS,
            trust_env=not base.startswith("http://127.0.0.1"),
        )
        return cls(client, account)

    def __enter__(self) -> Api:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.client.close()

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
            listed = self.call("GET", "/storage/kv/namespaces", {"per_page": str(PAGE), "page": str(page)})
            if not isinstance(listed, list):
                raise PlatformError("Cloudflare's list of KV namespaces cannot be understood.")
            for item in listed:
                if item.get("title") == title:
                    return str(item["id"])
            if len(listed) < PAGE:
                return None
            page += 1

    def call(self, method: str, path: str, params: Mapping[str, str] | None = None) -> object:
        """The answer's `result`; None when there is nothing at `path`. Raises PlatformError for what else is wrong."""
        try:
            response = self.client.request(method, path, params=params)
        except httpx.HTTPError as error:
            raise PlatformError(f"Cloudflare did not answer {method} {path}: {type(error).__name__}.") from error
        try:
            body = response.json()
        except ValueError:
            body = None
        # Only a 404 in Cloudflare's own words: a proxy's, or that of a wrong base URL, must not pass for "gone".
        if response.status_code == 404 and isinstance(body, dict) and body.get("errors"):
            return None
        if response.status_code in (401, 403):
            raise PlatformError(
                f"Cloudflare refuses the credentials for {method} {path}.",
                hint="The token must be valid and may edit Workers Scripts and Workers KV Storage.",
                code="credentials",
            )
        if response.is_error or not isinstance(body, dict):
            errors = body.get("errors") if isinstance(body, dict) else None
            said = "; ".join(f"{e.get('message')} ({e.get('code')})" for e in errors) if errors else ""
            raise PlatformError(
                f"Cloudflare answered {method} {path} with {response.status_code}: {said or 'no reason given'}.",
                hint="Run the command again; what is done already is kept.",
            )
        return body.get("result")
