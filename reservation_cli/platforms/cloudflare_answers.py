"""What an answer of the Worker or of the REST API says: its JSON, or our error for it."""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping

import httpx

from reservation_cli.domain.deployment import DEFAULT_STAGE
from reservation_cli.errors import (
    ConflictError,
    NotConfiguredError,
    NotFoundError,
    PlatformError,
    ResvError,
    TimedOutError,
    UsageError,
)
from reservation_cli.platforms.payloads import Lane, as_list

#: How long an answer is waited for.
TIMEOUT_SECONDS = 10.0

_CONFLICTS = frozenset(
    {"seat_taken", "reservation_conflict", "already_confirmed", "already_cancelled", "rejected", "too_late"}
)
#: A page of Cloudflare's in the Worker's place: "error code: 1042", or "Error 1101" in its HTML.
_PAGE_CODE = re.compile(r"[Ee]rror(?:[ _]code)?\"?:?\s*(1\d{3})\b")


def parsed(response: httpx.Response) -> Mapping[str, object] | None:
    """The JSON object that was answered; None when it is none."""
    try:
        body = response.json()
    except ValueError:
        return None
    return body if isinstance(body, Mapping) else None


def worker_body(response: httpx.Response, lane: Lane) -> Mapping[str, object]:
    """The JSON object that the Worker answered, be it its error; raises when something else answered for it."""
    body = parsed(response)
    if body is not None and (lane.target == "local" or not response.is_error or "code" in body):
        return body
    if lane.target == "cloud" and response.is_error:
        raise _page_error(response, lane)
    raise not_understood(response, lane)


def worker_error(response: httpx.Response, body: Mapping[str, object], ref: str, lane: Lane) -> ResvError:
    """Our error for the Worker's own `{error, code, fields?}`."""
    code, message = str(body.get("code") or ""), str(body.get("error") or f"HTTP {response.status_code}")
    fields = body.get("fields")
    if code == "reservation_not_found":
        return NotFoundError(f"There is no reservation {ref} on Cloudflare.", hint="`resv list` shows what there is.")
    if code in _CONFLICTS:
        return ConflictError(f"Cloudflare: {message}", code=code)
    if code == "unauthorized":
        return NotConfiguredError(
            f"{lane.label} does not accept this machine's token.",
            hint=f"Deploy again from here: {deploy_command(lane)}",
            code=code,
        )
    if code == "invalid_request" and isinstance(fields, Mapping):
        told = "; ".join(f"{name} {reason}" for name, reason in fields.items())
        return UsageError(f"{lane.label} does not accept the request: {told}.", code=code)
    hint = "`resv logs cloudflare` may tell more." if response.status_code >= 500 else None
    return PlatformError(f"Cloudflare refused ({response.status_code}): {message}", hint=hint, code=code or None)


def api_body(
    response: httpx.Response, lane: Lane, asked: str, permission: str = "Workers Scripts (read)"
) -> Mapping[str, object]:
    """The envelope that the REST API answered; `asked` says what for ("the status of r-1"), `permission` what it takes.

    Raises our error for a refusal; NotFoundError when what was asked for is not there.
    """
    body = parsed(response)
    if not response.is_error:
        if body is None or body.get("success") is False:
            raise not_understood(response, lane)
        return body
    if body is None and (lane.target == "local" or response.status_code < 429):
        raise not_understood(response, lane)
    raise _api_error(response, as_list(body.get("errors")) if body else [], lane, asked, permission)


def unreachable(error: httpx.HTTPError, lane: Lane) -> ResvError:
    """Our error for a call without an answer."""
    if isinstance(error, httpx.TimeoutException):
        return TimedOutError(
            f"{lane.label} did not answer within {TIMEOUT_SECONDS:.0f} s.",
            hint="Ask again; `resv logs cloudflare` may tell more.",
        )
    if lane.target == "local":
        return PlatformError(
            f"{lane.label} cannot be reached at {lane.endpoint}: {error}.",
            hint="`resv up` starts the local stack; `resv logs cloudflare` shows what happened to it.",
        )
    host = error.request.url.host
    if _is_unknown_host(error):
        return PlatformError(
            f"{lane.label}: there is no host {host}.",
            hint=f"Look at the network. If that is fine, it may have been torn down: {deploy_command(lane)} makes it.",
            code="unreachable",
        )
    why = " ".join(str(error).split())[:300].rstrip(".") or type(error).__name__
    return PlatformError(
        f"{lane.label}: {host} cannot be reached: {why}.",
        hint="Look at the network, and ask again; what is done already is kept.",
        code="unreachable",
    )


def not_understood(response: httpx.Response, lane: Lane) -> ResvError:
    """Our error for an answer that is not what is documented."""
    kind = response.headers.get("content-type", "no content type")
    proxy = "Something else may have answered: look at the proxy, and at CLOUDFLARE_API_BASE_URL if it is set."
    return PlatformError(
        f"Cloudflare answered {response.status_code} with something that is not the JSON it documents ({kind}).",
        hint=proxy if lane.target == "cloud" else None,
        code="not_understood",
    )


def deploy_command(lane: Lane) -> str:
    """The command that deploys the lane's stage."""
    return "`resv deploy cloudflare" + (f" --stage {lane.stage}`" if lane.stage not in (None, DEFAULT_STAGE) else "`")


def _api_error(
    response: httpx.Response, errors: list[Mapping[str, object]], lane: Lane, asked: str, permission: str
) -> ResvError:
    from reservation_cli.platforms.cloudflare_errors import refusal  # deferred: 3 ms that success does not need

    status, after = response.status_code, response.headers.get("retry-after", "")
    error = refusal(status, errors, f"{lane.label}, {asked}", float(after) if after.isdecimal() else None)
    if lane.target == "local" and not isinstance(error, NotFoundError):
        said = "; ".join(f"{each.get('message')} ({each.get('code')})" for each in errors)
        return PlatformError(f"Cloudflare's API refused ({status}): {said or 'no reason given'}.")
    if error.code in ("credentials", "access_denied"):
        error.hint = (
            f"CLOUDFLARE_API_TOKEN may have expired, been revoked, or lack a permission: it needs {permission}"
            " in the account of the deployment. Make one: https://dash.cloudflare.com/profile/api-tokens"
        )
    return error


def _page_error(response: httpx.Response, lane: Lane) -> ResvError:
    """Our error for a page that Cloudflare answered in the Worker's place."""
    status, found = response.status_code, _PAGE_CODE.search(response.text)
    said = f"HTTP {status}" + (f", error {found[1]}" if found else "")
    if status == 404 or (found and found[1] == "1042"):
        return NotConfiguredError(
            f"{lane.label} is not there ({said}): it may have been torn down, or be too new to be known everywhere.",
            hint=f"{deploy_command(lane)} makes it; `resv doctor cloudflare` shows what is deployed where.",
            code="worker_not_deployed",
        )
    if status == 429:
        return PlatformError(
            f"{lane.label} takes no more requests for now ({said}).",
            hint="Wait a moment and ask again. Error 1027: the day's requests of the Free plan are used up.",
            code="throttled",
        )
    if status >= 500:
        return PlatformError(
            f"{lane.label} failed ({said}).",
            hint="Ask again in a moment; `resv logs cloudflare` may tell more.",
            code="cloudflare_failed",
        )
    return not_understood(response, lane)


def _is_unknown_host(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, socket.gaierror):
            return True
        error = error.__cause__ or error.__context__
    return False
