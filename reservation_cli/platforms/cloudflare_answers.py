"""What an answer of the Worker or of the REST API says: its JSON, or our error for it."""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping

import httpx

from reservation_cli.domain import json_text
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
_LOOK = "Look at the network, and ask again; what is done already is kept."
#: A page of Cloudflare's in the Worker's place: "error code: 1042", or "Error 1101" in its HTML.
_PAGE_CODE = re.compile(r"[Ee]rror(?:[ _]code)?\"?:?\s*(1\d{3})\b")


def parsed(response: httpx.Response) -> Mapping[str, object] | None:
    """The JSON object that was answered; None when it is none."""
    try:
        body = json_text.loads(response.content)
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
    if code == "rate_limited":
        limited = PlatformError(
            f"{lane.label}: {message}", hint="Ask again then; what is done already is kept.", code="throttled"
        )
        limited.wait_seconds = retry_after(response)
        return limited
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


def retry_after(response: httpx.Response) -> float | None:
    """Seconds that the answer asks to wait; None when it does not say. Cloudflare gives no dates."""
    said = response.headers.get("retry-after", "")
    return float(said) if said.isascii() and said.isdigit() else None


def unreachable(error: httpx.HTTPError, lane: Lane) -> ResvError:
    """Our error for a call without an answer of the Worker of `lane`, or of the REST API about it."""
    if lane.target == "local" and not isinstance(error, httpx.TimeoutException):
        return PlatformError(
            f"{lane.label} cannot be reached at {lane.endpoint}: {error}.",
            hint="`resv up` starts the local stack; `resv logs cloudflare` shows what happened to it.",
        )
    ours = no_answer(error, lane.label)
    if _is_unknown_host(error):
        ours.hint = (
            f"Look at the network. If that is fine, it may have been torn down: {deploy_command(lane)} makes it."
        )
    elif isinstance(ours, TimedOutError):
        ours.hint = "Ask again; `resv logs cloudflare` may tell more."
    return ours


def no_answer(error: httpx.HTTPError, asked: str) -> ResvError:
    """Our error for a call to the cloud that got no answer; `asked` begins the message: what was called."""
    if isinstance(error, httpx.TimeoutException):
        return TimedOutError(f"{asked} did not answer in time.", hint="Ask again; what is done already is kept.")
    host, proxy = error.request.url.host, _proxy_of(error)
    if _is_unknown_host(error):
        return PlatformError(f"{asked}: there is no host {host}.", hint=_LOOK, code="unreachable")
    why = " ".join(str(error).split())[:300].rstrip(".") or type(error).__name__
    by = f" by the proxy {proxy}" if proxy else ""
    return PlatformError(f"{asked}: {host} cannot be reached{by}: {why}.", hint=_LOOK, code="unreachable")


def not_understood(response: httpx.Response, lane: Lane) -> ResvError:
    """Our error for an answer that is not what is documented."""
    kind = response.headers.get("content-type", "no content type")
    host = response.request.url.host
    setting = "" if lane.endpoint.endswith(host) else ", and at CLOUDFLARE_API_BASE_URL if it is set"
    return PlatformError(
        f"{lane.label}: {host} answered {response.status_code} with something that is not the JSON it documents"
        f" ({kind}).",
        hint=f"Something else may have answered: look at the proxy{setting}." if lane.target == "cloud" else None,
        code="not_understood",
    )


def deploy_command(lane: Lane) -> str:
    """The command that deploys the lane's stage."""
    return "`resv deploy cloudflare" + (f" --stage {lane.stage}`" if lane.stage not in (None, DEFAULT_STAGE) else "`")


def _api_error(
    response: httpx.Response, errors: list[Mapping[str, object]], lane: Lane, asked: str, permission: str
) -> ResvError:
    from reservation_cli.platforms.cloudflare_errors import refusal  # deferred: 3 ms that success does not need

    status = response.status_code
    error = refusal(status, errors, f"{lane.label}, {asked}", retry_after(response))
    if lane.target == "local" and not isinstance(error, NotFoundError):
        said = "; ".join(f"{each.get('message')} ({each.get('code')})" for each in errors)
        return PlatformError(f"Cloudflare's API refused ({status}): {said or 'no reason given'}.")
    error.hint = (error.hint or "").replace("`resv deploy cloudflare`", deploy_command(lane))
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
        throttled = PlatformError(
            f"{lane.label} takes no more requests for now ({said}).",
            hint="Wait a moment and ask again. Error 1027: the day's requests of the Free plan are used up.",
            code="throttled",
        )
        throttled.wait_seconds = retry_after(response)
        return throttled
    if status >= 500:
        return PlatformError(
            f"{lane.label} failed ({said}).",
            hint="Ask again in a moment; `resv logs cloudflare` may tell more.",
            code="cloudflare_failed",
        )
    return not_understood(response, lane)


def _proxy_of(error: httpx.HTTPError) -> str:
    """The address of the proxy that the call went by; "" without one."""
    return str(error.request.extensions.get("proxy") or "")


def _is_unknown_host(error: httpx.HTTPError) -> bool:
    """Whether nobody knows the host that was called; with a proxy in between, that is not for us to look up."""
    behind: BaseException | None = None if _proxy_of(error) else error
    while behind is not None:
        if isinstance(behind, socket.gaierror):
            return True
        behind = behind.__cause__ or behind.__context__
    return False
