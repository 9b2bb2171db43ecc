"""Deploying to Cloudflare: `wrangler deploy` builds and uploads, the REST API plans and tears down."""

from __future__ import annotations

import json
import re
import secrets
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from reservation_cli.deploy.change import Change, Leftover, Verb
from reservation_cli.deploy.cloudflare_api import Api
from reservation_cli.domain.reservation import format_time
from reservation_cli.errors import NotConfiguredError, PlatformError, ResvError
from reservation_cli.local.node import Node

WRANGLER_SECONDS = 300.0

_QUIET = {
    "CI": "1",
    "NO_COLOR": "1",
    "DO_NOT_TRACK": "1",
    "WRANGLER_SEND_METRICS": "false",
    "WRANGLER_SEND_ERROR_REPORTS": "false",
    "WRANGLER_HIDE_BANNER": "true",
    "WRANGLER_WRITE_LOGS": "false",
    "CLOUDFLARE_CF_FETCH_ENABLED": "false",
    "CLOUDFLARE_LOAD_DEV_VARS_FROM_DOT_ENV": "false",
}


@dataclass(frozen=True, slots=True)
class CloudflareDeployer:
    """One stage on one account. `folder` is cf-workflow with its packages installed.

    `api_token` is the bearer token of an earlier deploy, kept by a redeploy; "" makes a new one.
    """

    stage: str
    environ: Mapping[str, str]
    node: Node
    folder: Path
    public: bool = False
    api_token: str = ""

    @property
    def worker(self) -> str:
        """The name of the Worker, and of its Workflow."""
        return f"reservation-workflow-{self.stage}"

    @property
    def namespace(self) -> str:
        """The KV namespace's title, as wrangler provisions it."""
        return f"{self.worker}-reservations-kv"

    def changes(self) -> list[Change]:
        """See Deployer.changes. Raises PlatformError when the Workflow belongs to another Worker."""
        if not Api.configured(self.environ):
            return self._plan("unknown", "unknown", "unknown", "unknown")
        with Api.of(self.environ) as api:
            worker = api.find(f"/workers/services/{self.worker}")
            workflow = api.find(f"/workflows/{self.worker}")
            if workflow is not None and workflow.get("script_name") != self.worker:
                raise PlatformError(
                    f"The Workflow {self.worker} belongs to another Worker, {workflow.get('script_name')}.",
                    hint="Deploy under another --stage, or delete that Workflow first.",
                    code="workflow_taken",
                )
            return self._plan(
                "keep" if api.namespace(self.namespace) else "create",
                "update" if worker is not None else "create",
                "update" if worker is not None else "create",
                "update" if workflow is not None else "create",
            )

    def apply(self, progress: Callable[[Change], None]) -> Mapping[str, str]:
        """See Deployer.apply. A half-done deploy is completed by the next one."""
        for change in self.changes():
            progress(change)
        with Api.of(self.environ) as api:
            token = "" if self.public else self.api_token or secrets.token_urlsafe(32)
            deployed = self._wrangler(api.namespace(self.namespace), token)
            if self.public:
                # A deploy never deletes a secret: one of an earlier deploy would go on guarding the POSTs.
                api.delete(f"/workers/scripts/{self.worker}/secrets/API_TOKEN")
            targets = deployed.get("targets")
            urls = [url for url in targets if str(url).startswith("https://")] if isinstance(targets, list) else []
            if not urls:
                raise PlatformError(
                    f"wrangler deployed {self.worker} without an address.",
                    hint="See the Worker's domains in the Cloudflare dashboard.",
                )
            return {
                "stage": self.stage,
                "account_id": api.account,
                "worker": self.worker,
                "workflow": self.worker,
                "url": str(urls[0]),
                "version_id": str(deployed.get("version_id") or ""),
                "api_token": token,
                "deployed_at": format_time(datetime.now(UTC)) or "",
            }

    def removals(self) -> list[Change]:
        """See Deployer.removals."""
        if not Api.configured(self.environ):
            return [Change("unknown", kind, name) for kind, name in self._resources()]
        with Api.of(self.environ) as api:
            there = (
                api.find(f"/workflows/{self.worker}"),
                api.find(f"/workers/services/{self.worker}"),
                api.namespace(self.namespace),
            )
        return [
            Change("gone" if found is None else "delete", kind, name)
            for (kind, name), found in zip(self._resources(), there, strict=True)
        ]

    def remove(self, progress: Callable[[Change], None]) -> list[Leftover]:
        """See Deployer.remove: each resource by itself, so that one that stays holds up none of the others."""
        leftovers: list[Leftover] = []
        with Api.of(self.environ) as api:
            steps = (self._remove_workflow, self._remove_worker, self._remove_namespace)
            for (kind, name), step in zip(self._resources(), steps, strict=True):
                try:
                    step(api, progress)
                except PlatformError as error:
                    leftovers.append(Leftover(kind, name, error.message))
        return leftovers

    def _resources(self) -> tuple[tuple[str, str], ...]:
        return (("Workflow", self.worker), ("Worker", self.worker), ("KV namespace", self.namespace))

    def _plan(self, namespace: Verb, worker: Verb, secret: Verb, workflow: Verb) -> list[Change]:
        plan = [Change(namespace, "KV namespace", self.namespace), Change(worker, "Worker", self.worker)]
        if not self.public:
            plan.append(Change(secret, "secret", "API_TOKEN", "bearer token of the POSTs"))
        return [*plan, Change(workflow, "Workflow", self.worker)]

    def _remove_workflow(self, api: Api, progress: Callable[[Change], None]) -> None:
        path = f"/workflows/{self.worker}"
        found = api.find(path)
        if found is not None and found.get("script_name") != self.worker:
            raise PlatformError(f"It belongs to another Worker, {found.get('script_name')}.")
        progress(Change("gone" if found is None else "delete", "Workflow", self.worker))
        if found is not None:
            api.call("PUT", f"{path}/instances/terminate")
            api.delete(path)

    def _remove_worker(self, api: Api, progress: Callable[[Change], None]) -> None:
        path = f"/workers/services/{self.worker}"
        found = api.find(path)
        progress(Change("gone" if found is None else "delete", "Worker", self.worker))
        if found is not None:
            api.delete(path)

    def _remove_namespace(self, api: Api, progress: Callable[[Change], None]) -> None:
        found = api.namespace(self.namespace)
        progress(Change("gone" if found is None else "delete", "KV namespace", self.namespace))
        if found is not None:
            api.delete(f"/storage/kv/namespaces/{found}")

    def _config(self, namespace: str | None) -> dict[str, object]:
        text = (self.folder / "wrangler.jsonc").read_text(encoding="utf-8")
        text = re.sub(r",(\s*[}\]])", r"\1", re.sub(r"^\s*//.*$", "", text, flags=re.MULTILINE))
        config: dict[str, object] = json.loads(text)
        del config["$schema"]
        # With the id of a namespace that a half-done deploy left, wrangler doesn't try to make it again.
        binding = {"binding": "RESERVATIONS_KV"} | ({"id": namespace} if namespace else {})
        return config | {
            "name": self.worker,
            "main": str(self.folder / "src" / "index.ts"),
            "workflows": [
                {"name": self.worker, "binding": "RESERVATION_WORKFLOW", "class_name": "ReservationWorkflow"}
            ],
            "kv_namespaces": [binding],
            "workers_dev": True,
        }

    def _wrangler(self, namespace: str | None, token: str) -> Mapping[str, object]:
        """The record `deploy` of a run of `wrangler deploy`."""
        # mkdtemp makes the folder 0700: the token is in it for as long as wrangler runs.
        with tempfile.TemporaryDirectory(prefix="resv-deploy-") as name:
            work = Path(name)
            (work / "wrangler.json").write_text(json.dumps(self._config(namespace)))
            argv = [
                *(str(self.node.path), "--no-warnings"),
                *(str(self.folder / "node_modules/wrangler/wrangler-dist/cli.js"), "deploy", "--strict"),
                *("--config", str(work / "wrangler.json"), "--autoconfig=false"),
            ]
            if token:
                (work / "secrets.json").touch(mode=0o600)
                (work / "secrets.json").write_text(json.dumps({"API_TOKEN": token}))
                argv += ["--secrets-file", str(work / "secrets.json")]
            output = work / "output.ndjson"
            environ = self.node.environ(self.environ) | _QUIET | {"WRANGLER_OUTPUT_FILE_PATH": str(output)}
            try:
                done = subprocess.run(
                    argv,
                    cwd=work,
                    env=environ,
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    timeout=WRANGLER_SECONDS,
                    check=False,
                )
            except subprocess.TimeoutExpired as error:
                raise PlatformError(f"wrangler deploy did not end within {WRANGLER_SECONDS:.0f} s.") from error
            lines = output.read_text().splitlines() if output.is_file() else []
            records = {record.get("type"): record for record in map(json.loads, lines) if isinstance(record, dict)}
        deployed = records.get("deploy")
        if done.returncode != 0 or deployed is None:
            message = str(records.get("command-failed", {}).get("message") or "")
            said = message + "\n" + (done.stdout + done.stderr).decode(errors="replace")
            for secret in filter(None, (token, self.environ.get("CLOUDFLARE_API_TOKEN"))):
                message, said = message.replace(secret, "***"), said.replace(secret, "***")
            raise _refusal(message, said, done.returncode)
        return deployed


def _refusal(message: str, said: str, code: int) -> ResvError:
    """The error that wrangler's output `said` tells of."""
    if "workers.dev subdomain" in said:
        return NotConfiguredError(
            "The account has no workers.dev subdomain, which Workflows need.",
            hint="Register one: https://dash.cloudflare.com/?to=/:account/workers/onboarding",
            code="subdomain_missing",
        )
    if "set a CLOUDFLARE_API_TOKEN" in said or "Authentication error" in said or "Not logged in" in said:
        return NotConfiguredError(
            "Cloudflare does not accept the credentials.",
            hint="Set CLOUDFLARE_API_TOKEN to a token that may edit Workers Scripts and Workers KV Storage.",
            code="credentials",
        )
    if "belong to different workers" in said:
        return PlatformError(
            "The Workflow belongs to another Worker.",
            hint="Deploy under another --stage, or delete that Workflow first.",
            code="workflow_taken",
        )
    detail = " ".join(message.split())[:300] or f"exit code {code}"
    return PlatformError(f"wrangler deploy failed: {detail}", hint="Run it again: what is done already is kept.")
