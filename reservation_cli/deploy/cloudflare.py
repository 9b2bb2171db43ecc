"""Deploying to Cloudflare and tearing it down: wrangler builds and uploads, the REST API plans, checks and removes."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from reservation_cli.deploy.change import UNKNOWN, Change, Leftover
from reservation_cli.deploy.cloudflare_api import PATIENT, Account, Credentials, find_credentials, no_credentials
from reservation_cli.domain.deployment import CloudflareDeployment, workflow_name
from reservation_cli.errors import (
    ConflictError,
    NotConfiguredError,
    NotFoundError,
    PlatformError,
    ResvError,
    TimedOutError,
)
from reservation_cli.platforms.cloudflare_http import Retries
from reservation_cli.platforms.wrangler import Deployed, Wrangler

SECRET = "API_TOKEN"  # noqa: S105 - the secret's name
_RUNNING = ("queued", "running", "paused", "waiting", "waitingForPause", "rollingBack", "unknown")


def namespace_name(stage: str) -> str:
    """The KV namespace's title, as wrangler names the one that it provisions for the binding."""
    return f"{workflow_name(stage)}-reservations-kv"


@dataclass(frozen=True)  # no slots: they allow no cached_property
class CloudflareDeployer:
    """The deploy of a stage. `wrangler` gives one that is ready to run, and is called by `apply` and for its login.

    `token` is the bearer token of an earlier deploy, kept by this one; "" makes a new one. `public` needs none.
    """

    stage: str
    environ: Mapping[str, str] = field(repr=False)
    wrangler: Callable[[], Wrangler] = field(repr=False)
    public: bool = False
    token: str = field(default="", repr=False)
    retries: Retries = field(default=PATIENT, repr=False)

    @cached_property
    def credentials(self) -> Credentials | None:
        """See find_credentials. Kept, for to ask wrangler takes a second."""
        return find_credentials(self.environ, _login(self.wrangler), self.retries)

    def where(self) -> list[tuple[str, str]]:
        """See Deployer.where."""
        return _where(self.credentials)

    def changes(self) -> list[Change]:
        """See Deployer.changes.

        Raises NotConfiguredError when the account has no workers.dev subdomain, PlatformError when the Workflow
        belongs to another Worker, and what the API's errors mean.
        """
        if self.credentials is None:
            return self._without_credentials()
        with Account.of(self.credentials, self.environ, self.retries) as account:
            return self._plan(account)

    def apply(self, progress: Callable[[Change], None]) -> CloudflareDeployment:
        """See Deployer.apply. Raises as `changes` does, and NotConfiguredError without credentials."""
        if self.credentials is None:
            raise no_credentials()
        with Account.of(self.credentials, self.environ, self.retries) as account:
            plan = {change.kind: change for change in self._plan(account)}
            token = "" if self.public else self.token or secrets.token_urlsafe(32)
            deployed = self._deploy(account, plan, token, progress)
            self._verify(account)
        return CloudflareDeployment(
            self.stage, account.id, deployed.url, deployed.version, datetime.now(UTC), token=token
        )

    def _deploy(
        self, account: Account, plan: Mapping[str, Change], token: str, progress: Callable[[Change], None]
    ) -> Deployed:
        wrangler = replace(self.wrangler(), hidden=(account.token,))
        worker = workflow_name(self.stage)
        later = [plan["Workflow"]]

        def heard(line: str) -> None:
            # The Worker is up: wrangler goes on to the Workflow.
            while later and line.startswith("Uploaded "):
                progress(later.pop())

        for kind in ["KV namespace", "Worker"] if self.public else ["KV namespace", "Worker", "secret"]:
            progress(plan[kind])
        config = _config(wrangler.folder, self.stage, account.namespace(namespace_name(self.stage)))
        try:
            deployed = wrangler.deploy(account.id, config, {SECRET: token} if token else {}, heard)
        except PlatformError as error:
            if error.code == "changed_elsewhere":
                begin = f"resv teardown cloudflare --stage {self.stage}"
                error.hint = f"Take the change back there, or begin anew: {begin}"
            raise
        while later:
            progress(later.pop())
        if self.public and "secret" in plan:
            # A deploy keeps the secrets that there are: that of an earlier one would go on guarding the POSTs.
            progress(plan["secret"])
            wrangler.delete_secret(account.id, worker, SECRET)
        if not deployed.url:
            raise PlatformError(
                f"wrangler deployed {worker} without a workers.dev address.",
                hint="Enable workers.dev in the Worker's settings in the Cloudflare dashboard, and deploy again.",
                code="no_address",
            )
        return deployed

    def _plan(self, account: Account) -> list[Change]:
        name = workflow_name(self.stage)
        worker = account.find(f"/workers/services/{name}")
        workflow = account.find(f"/workflows/{name}")
        if _owner(workflow) not in ("", name):
            raise PlatformError(
                f"The Workflow {name} belongs to another Worker, {_owner(workflow)}.",
                hint=f"Deploy under another --stage, or delete it first: npx wrangler workflows delete {name}",
                code="workflow_taken",
            )
        namespace = account.namespace(namespace_name(self.stage))
        guarded = worker is not None and SECRET in account.secrets(name)
        url = f"https://{name}.{account.subdomain()}.workers.dev"
        news = "a new version" if worker else "with the Durable Objects Seat and Directory"
        plan = [
            Change("keep" if namespace else "create", "KV namespace", namespace_name(self.stage), "the audit trail"),
            Change("update" if worker else "create", "Worker", name, f"{news}, {url}{self._openness}"),
            *self._secret(guarded),
            Change("update" if workflow else "create", "Workflow", name, "runs ReservationWorkflow of the Worker"),
        ]
        # A public Worker's secret is removed last.
        return sorted(plan, key=lambda change: change.verb == "delete")

    def _secret(self, guarded: bool) -> list[Change]:
        if self.public:
            return [Change("delete", "secret", SECRET, "earlier tokens are not asked for any more")] if guarded else []
        if not guarded:
            return [Change("create", "secret", SECRET, "the bearer token of the POSTs")]
        if self.token:
            return [Change("keep", "secret", SECRET, "the bearer token of the POSTs")]
        return [Change("update", "secret", SECRET, "a new token: earlier ones stop working")]

    def _without_credentials(self) -> list[Change]:
        name = workflow_name(self.stage)
        secret = [] if self.public else [Change("unknown", "secret", SECRET, "the bearer token of the POSTs")]
        return [
            Change("unknown", "KV namespace", namespace_name(self.stage), "the audit trail"),
            Change("unknown", "Worker", name, f"with the Durable Objects Seat and Directory{self._openness}"),
            *secret,
            Change("unknown", "Workflow", name, "runs ReservationWorkflow of the Worker"),
        ]

    @property
    def _openness(self) -> str:
        return ", POSTs open to everybody" if self.public else ""

    def _verify(self, account: Account) -> None:
        """Raises PlatformError unless all that was deployed is there."""
        name = workflow_name(self.stage)
        there = {
            "Worker": account.find(f"/workers/services/{name}") is not None,
            "Workflow": _owner(account.find(f"/workflows/{name}")) == name,
            "KV namespace": account.namespace(namespace_name(self.stage)) is not None,
        }
        if missing := [kind for kind, found in there.items() if not found]:
            raise PlatformError(
                f"wrangler deployed {name}, but Cloudflare shows no {' and no '.join(missing)} of it.",
                hint="Run it again; what is done already is kept.",
                code="incomplete",
            )


@dataclass(frozen=True)  # no slots: they allow no cached_property
class CloudflareRemover:
    """The teardown of a stage. All is found by its name. `wrangler` is called for its login only."""

    stage: str
    environ: Mapping[str, str] = field(repr=False)
    wrangler: Callable[[], Wrangler] = field(repr=False)
    retries: Retries = field(default=PATIENT, repr=False)

    @cached_property
    def credentials(self) -> Credentials | None:
        """See find_credentials. Kept, for to ask wrangler takes a second."""
        return find_credentials(self.environ, _login(self.wrangler), self.retries)

    def where(self) -> list[tuple[str, str]]:
        """See Remover.where."""
        return _where(self.credentials)

    def removals(self) -> list[Change]:
        """See Remover.removals."""
        name, title = workflow_name(self.stage), namespace_name(self.stage)
        if self.credentials is None:
            return [
                Change("unknown", "Workflow", name),
                Change("unknown", "Worker", name),
                Change("unknown", "KV namespace", title),
            ]
        with Account.of(self.credentials, self.environ, self.retries) as account:
            workflow = account.find(f"/workflows/{name}")
            worker = account.find(f"/workers/services/{name}")
            namespace = account.namespace(title)
        return [
            *_workflow_removal(name, workflow),
            _worker_removal(name, worker),
            _namespace_removal(title, namespace),
        ]

    def remove(self, progress: Callable[[Change], None]) -> list[Leftover]:
        """See Remover.remove. Raises NotConfiguredError when there are no credentials, or none that are accepted.

        The Workflow goes first, and its Worker stays as long as it does: without it, it could run on unseen.
        """
        if self.credentials is None:
            raise no_credentials()
        name, title = workflow_name(self.stage), namespace_name(self.stage)
        leftovers: list[Leftover] = []
        with Account.of(self.credentials, self.environ, self.retries) as account:
            workflow_left = _attempt(_remove_workflow, account, name, progress)
            if isinstance(workflow_left, NotConfiguredError):
                raise workflow_left
            if workflow_left is not None:
                leftovers.append(Leftover("Workflow", name, workflow_left.message))
            if workflow_left is not None and workflow_left.code != "workflow_taken":
                leftovers.append(Leftover("Worker", name, "It stays until its Workflow is gone."))
            elif (worker_left := _attempt(_remove_worker, account, name, progress)) is not None:
                leftovers.append(Leftover("Worker", name, worker_left.message))
            if (namespace_left := _attempt(_remove_namespace, account, title, progress)) is not None:
                leftovers.append(Leftover("KV namespace", title, namespace_left.message))
        return leftovers


def _attempt(
    step: Callable[[Account, str, Callable[[Change], None]], None],
    account: Account,
    name: str,
    progress: Callable[[Change], None],
) -> ResvError | None:
    """Why `step` failed; None when it did not."""
    try:
        step(account, name, progress)
    except ResvError as error:
        return error
    return None


def _remove_workflow(account: Account, name: str, progress: Callable[[Change], None]) -> None:
    path = f"/workflows/{name}"
    found = account.find(path)
    if _owner(found) not in ("", name):
        raise PlatformError(f"It belongs to another Worker, {_owner(found)}.", code="workflow_taken")
    for change in _workflow_removal(name, found):
        progress(change)
        if change.verb == "stop":
            # wrangler's own call, and not in the API's reference. If it fails: the deletion ends the instances as well.
            with suppress(PlatformError, TimedOutError, ConflictError, NotFoundError):
                account.call("PUT", f"{path}/instances/terminate")
        elif change.verb == "delete":
            account.delete(path)


def _remove_worker(account: Account, name: str, progress: Callable[[Change], None]) -> None:
    found = account.find(f"/workers/services/{name}")
    progress(_worker_removal(name, found))
    if found is not None:
        # Without force the API keeps a Worker that has Durable Objects; with it they go too.
        account.delete(f"/workers/scripts/{name}?force=true")


def _remove_namespace(account: Account, title: str, progress: Callable[[Change], None]) -> None:
    found = account.namespace(title)
    progress(_namespace_removal(title, found))
    if found is not None:
        account.delete(f"/storage/kv/namespaces/{found}")


def _workflow_removal(name: str, found: Mapping[str, object] | None) -> list[Change]:
    if found is None:
        return [Change("gone", "Workflow", name)]
    if _owner(found) not in ("", name):
        return [Change("keep", "Workflow", name, f"it belongs to another Worker, {_owner(found)}")]
    stop = []
    if running := _running(found):
        stop = [Change("stop", "executions", name, f"{running} {'has' if running == 1 else 'have'} not ended")]
    return [*stop, Change("delete", "Workflow", name, "with its instances, which may take minutes to end")]


def _worker_removal(name: str, found: Mapping[str, object] | None) -> Change:
    if found is None:
        return Change("gone", "Worker", name)
    return Change("delete", "Worker", name, "with the data of its Durable Objects: all seats and reservations")


def _namespace_removal(title: str, found: str | None) -> Change:
    if found is None:
        return Change("gone", "KV namespace", title)
    return Change("delete", "KV namespace", title, "with the audit trail")


def _owner(workflow: Mapping[str, object] | None) -> str:
    """The Worker that a Workflow belongs to; "" when there is no Workflow."""
    return "" if workflow is None else str(workflow.get("script_name"))


def _running(workflow: Mapping[str, object]) -> int:
    """How many instances of it have not ended."""
    counts = workflow.get("instances")
    if not isinstance(counts, Mapping):
        return 0
    return sum(int(count) for status in _RUNNING if isinstance(count := counts.get(status), int | float))


def _login(wrangler: Callable[[], Wrangler]) -> Callable[[], str | None]:
    def token() -> str | None:
        try:
            return wrangler().login_token()
        except NotConfiguredError:  # no Node.js or no packages: nobody has logged in with this wrangler
            return None

    return token


def _where(credentials: Credentials | None) -> list[tuple[str, str]]:
    if credentials is None:
        return [("account", UNKNOWN)]
    return [("account", credentials.account), ("credentials", credentials.source)]


def _config(folder: Path, stage: str, namespace: str | None) -> dict[str, object]:
    """wrangler.jsonc for this stage. `namespace` is the id of the KV namespace; None: wrangler makes one."""
    text = (folder / "wrangler.jsonc").read_text(encoding="utf-8")
    text = re.sub(r",(\s*[}\]])", r"\1", re.sub(r"^\s*//.*$", "", text, flags=re.MULTILINE))
    config: dict[str, object] = json.loads(text)
    del config["$schema"]
    name = workflow_name(stage)
    # With the id of a namespace that a half-done deploy left, wrangler doesn't try to make it again.
    binding = {"binding": "RESERVATIONS_KV"} | ({"id": namespace} if namespace else {})
    return config | {
        "name": name,
        "main": str(folder / "src" / "index.ts"),
        "workflows": [{"name": name, "binding": "RESERVATION_WORKFLOW", "class_name": "ReservationWorkflow"}],
        "kv_namespaces": [binding],
        "workers_dev": True,
    }
