"""Cloudflare: credentials, account, what they reach, and whether what was deployed from here is still there."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

from reservation_cli.doctor.check import AGAIN, Check, attempt, lacking, refused
from reservation_cli.doctor.tools import wrangler_folder
from reservation_cli.domain import json_text
from reservation_cli.domain.deployment import CloudflareDeployment
from reservation_cli.errors import NotConfiguredError, ResvError
from reservation_cli.lanes import together
from reservation_cli.local.node import Node
from reservation_cli.platforms.cloudflare_errors import CREDENTIALS_HINT, PERMISSIONS
from reservation_cli.settings import Settings

if TYPE_CHECKING:
    import httpx

    from reservation_cli.deploy.cloudflare_api import Account

_ANSWER_SECONDS = 8.0
_LOGIN_SECONDS = 15.0
#: What is wrong, by the code of its error, when it is not the credentials themselves.
_NAMES = {"account_unknown": "account", "connection": "connection"}
_NEW_TOKEN = f"Make a token with {PERMISSIONS} at https://dash.cloudflare.com/profile/api-tokens"

#: What is read to see what the credentials reach, and the permission that it takes.
_PROBES = (
    ("/workers/scripts", "Workers Scripts"),
    ("/workflows?per_page=1", "Workers Scripts"),
    ("/storage/kv/namespaces?per_page=5", "Workers KV Storage"),
)


def cloudflare(
    settings: Settings, deployed: Sequence[CloudflareDeployment], node: Node | ResvError, needed: bool
) -> list[Check]:
    """All of Cloudflare. `needed`: it was asked about, or something is deployed there from here."""
    environ = settings.environ
    found = attempt(partial(_find, environ, node))
    if found is None:
        detail = f"None found{_login_state(environ)}."
        none = lacking("cloudflare", "credentials", detail, CREDENTIALS_HINT, needed)
        return [none, *_workers(deployed, None, environ)]
    if isinstance(found, ResvError):
        name = _NAMES.get(found.code, "credentials")
        return [refused("cloudflare", name, found, needed), *_workers(deployed, None, environ)]
    source, opened = found
    with opened as account:
        credentials = _credentials(account, source, needed)
        if credentials.state != "ok":
            return [credentials, *_workers(deployed, None, environ)]
        reached = [_reached(account, needed), _subdomain(account, needed)]
        return [credentials, *reached, *_workers(deployed, account, environ)]


def _find(environ: Mapping[str, str], node: Node | ResvError) -> tuple[str, Account] | None:
    """Where the credentials are from, and their account; None without any.

    NotConfiguredError when they, or what goes with them, cannot be right.
    """
    from reservation_cli.deploy.cloudflare_api import Account, find_credentials  # deferred: httpx, 60 ms
    from reservation_cli.platforms.cloudflare_http import Retries

    # Once more for what passes in a moment, and in time for the examination's end.
    retries = Retries(tries=2, each=_ANSWER_SECONDS, seconds=_ANSWER_SECONDS)
    credentials = find_credentials(environ, partial(_login, environ, node), retries)
    if credentials is None:
        return None
    return credentials.source, Account.of(credentials, environ, retries)


def _login(environ: Mapping[str, str], node: Node | ResvError) -> str | None:
    """The token of `wrangler login`; None without one, or when there is no wrangler yet to ask."""
    folder = wrangler_folder(environ)
    # Without a login wrangler is left alone: it would write its own files to say so.
    if folder is None or isinstance(node, ResvError) or not _has_login(environ):
        return None
    from reservation_cli.platforms.wrangler import Wrangler

    token = attempt(Wrangler(node, folder, environ, _LOGIN_SECONDS).login_token)
    return None if isinstance(token, ResvError) else token


def _has_login(environ: Mapping[str, str]) -> bool:
    """Whether wrangler keeps a login, in one of the folders where it does (its source: global-wrangler-config-path)."""
    home = Path(environ.get("HOME") or Path.home())
    above = [home, Path(environ.get("XDG_CONFIG_HOME") or home / ".config"), home / "Library" / "Preferences"]
    folders = [folder / ".wrangler" / "config" for folder in above]
    return any(any(folder.iterdir()) for folder in folders if os.access(folder, os.R_OK | os.X_OK))


def _login_state(environ: Mapping[str, str]) -> str:
    if not _has_login(environ):
        return ""
    if wrangler_folder(environ) is None:
        return "; there is a `wrangler login`, but no wrangler yet to ask for it"
    return "; the `wrangler login` has expired"


def _credentials(account: Account, source: str, needed: bool) -> Check:
    if source != "CLOUDFLARE_API_TOKEN":
        # Only API tokens can be verified; that of a login has just been renewed.
        return Check("cloudflare", "credentials", "ok", f"wrangler login, account {account.id}", needed=needed)
    status = attempt(account.token_status)
    if isinstance(status, ResvError):
        return refused("cloudflare", "credentials", status, needed)
    detail = f"{source}, {status}, account {account.id}"
    if status == "active":
        return Check("cloudflare", "credentials", "ok", detail, needed=needed)
    return refused("cloudflare", "credentials", NotConfiguredError(f"{detail}.", hint=_NEW_TOKEN), needed)


def _reached(account: Account, needed: bool) -> Check:
    """What can be read shows that the account is right; whether it can be written, only a write shows."""
    answers = together([partial(account.call, "GET", path) for path, _ in _PROBES])
    refusals = {
        path.partition("?")[0]: (permission, answer)
        for (path, permission), answer in zip(_PROBES, answers, strict=True)
        if isinstance(answer, ResvError)
    }
    if not refusals:
        detail = f"Scripts, Workflows and KV can be read. Deploying needs {PERMISSIONS}."
        return Check("cloudflare", "permissions", "ok", detail, needed=needed)
    if any(isinstance(error, NotConfiguredError) for _, error in refusals.values()):
        lacks = " and ".join(dict.fromkeys(permission for permission, _ in refusals.values()))
        detail = f"No access to {', '.join(refusals)}. Deploying needs {PERMISSIONS}."
        return lacking("cloudflare", "permissions", detail, f"Give the token {lacks} (edit) in {account.id}.", needed)
    _, error = next(iter(refusals.values()))
    return Check("cloudflare", "permissions", "unknown", f"Not checked: {error.message}", error.hint or "")


def _subdomain(account: Account, needed: bool) -> Check:
    found = attempt(account.subdomain)
    if isinstance(found, NotConfiguredError):
        return refused("cloudflare", "workers.dev", found, needed)
    if isinstance(found, ResvError):
        return Check("cloudflare", "workers.dev", "unknown", f"Not checked: {found.message}", found.hint or "")
    return Check("cloudflare", "workers.dev", "ok", f"{found}.workers.dev", needed=needed)


def _workers(
    deployed: Sequence[CloudflareDeployment], account: Account | None, environ: Mapping[str, str]
) -> list[Check]:
    return [
        answer if isinstance(answer, Check) else Check("cloudflare", "stage", "unknown", answer.message)
        for answer in together([partial(_stage, deployment, account, environ) for deployment in deployed])
    ]


def _stage(deployment: CloudflareDeployment, account: Account | None, environ: Mapping[str, str]) -> Check:
    """Whether the Worker answers, which needs no credentials, and whether its Workflow is there, which does."""
    name = f"stage {deployment.stage}"
    told = f"{deployment.url}, version {deployment.version}, {deployment.deployed_at:%Y-%m-%d %H:%M} UTC"
    again = f"resv deploy cloudflare --stage {deployment.stage}"
    problem = _problem(deployment.url, environ)
    if problem == "gone":
        return Check("cloudflare", name, "missing", f"{told}: the Worker is gone.", again, needed=True)
    if problem:
        return Check("cloudflare", name, "unknown", f"{told}: {problem}", AGAIN)
    if account is None:
        return Check("cloudflare", name, "ok", f"{told}; the Worker answers.", needed=True)
    if account.id != deployment.account:
        detail = f"{told}; it answers, but is in account {deployment.account}; the credentials are for {account.id}."
        return Check("cloudflare", name, "warning", detail, f"export CLOUDFLARE_ACCOUNT_ID={deployment.account}")
    workflow = attempt(partial(account.find, f"/workflows/{deployment.workflow}"))
    if isinstance(workflow, ResvError):
        detail = f"{told}; the Worker answers. {workflow.message}"
        return Check("cloudflare", name, "unknown", detail, workflow.hint or AGAIN)
    if workflow is None:
        detail = f"{told}; the Worker answers, its Workflow is gone."
        return Check("cloudflare", name, "missing", detail, again, needed=True)
    return Check("cloudflare", name, "ok", f"{told}; the Worker answers.", needed=True)


def _problem(url: str, environ: Mapping[str, str]) -> str:
    """What is wrong with the Worker at `url`: "gone", or a sentence; "" when it answers as ours does."""
    import httpx  # deferred: 60 ms

    from reservation_cli.platforms.cloudflare_connection import options

    try:
        with httpx.Client(**options(url, environ), timeout=_ANSWER_SECONDS) as client:
            answer = client.get("/")
    except NotConfiguredError as error:
        return error.message
    except httpx.HTTPError as error:
        return f"no answer: {type(error).__name__}."
    if answer.status_code == HTTPStatus.NOT_FOUND:
        return "gone"
    return "" if _is_ours(answer) else f"something else than the Worker answered (HTTP {answer.status_code})."


def _is_ours(answer: httpx.Response) -> bool:
    try:
        body = json_text.loads(answer.content)
    except ValueError:
        return False
    return answer.is_success and isinstance(body, dict) and body.get("service") == "reservation-workflow"
