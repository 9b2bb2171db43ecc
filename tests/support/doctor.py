"""Machines in all kinds of states, on which `resv doctor` is run. No secret of any is ever in its output."""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from reservation_cli import store
from reservation_cli.cli import main
from reservation_cli.domain.deployment import AwsDeployment, Deployment
from reservation_cli.local import halves
from support import schemas

INFRA = Path(__file__).parents[2] / "infra"
ACCOUNT = "123456789012"
KEY = "AKIAIOSFODNN7EXAMPLE"
CLOUDFLARE_ACCOUNT = "0123456789abcdef0123456789abcdef"
SECRETS = {
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "AWS_SESSION_TOKEN": "FwoGZXIvYXdzEXAMPLEsessiontoken0123456789",
    "CLOUDFLARE_API_TOKEN": "v1.0-cloudflare-example-token-0123456789",
}
WORKER_TOKEN = "worker-bearer-token-0123456789"
LOGIN_TOKEN = "oauth-token-of-a-login-0123456789"
HIDDEN = (*SECRETS.values(), KEY, WORKER_TOKEN, LOGIN_TOKEN)
WHEN = datetime(2026, 11, 20, 8, 30, tzinfo=UTC)
ON_AWS = AwsDeployment("dev", "us-east-2", ACCOUNT, "api", "3", WHEN)

Found = dict[str, Any]


@dataclass
class Machine:
    """A machine with an environment of its own, on which `resv doctor` is run."""

    root: Path
    environ: dict[str, str]
    capsys: pytest.CaptureFixture[str]

    @property
    def home(self) -> Path:
        return Path(self.environ["RESV_HOME"])

    def run(self, *argv: str) -> tuple[int, str, str]:
        """Exit code, stdout, stderr, none of which has a secret in it."""
        before = self.files()
        code = main(["doctor", *argv], self.environ)
        out, err = self.capsys.readouterr()
        schemas.check(["doctor", *argv], code, out, err)
        assert not [secret for secret in HIDDEN if secret in out + err]
        assert "Traceback" not in err
        assert self.files() == before
        return code, out, err

    def checks(self, *argv: str) -> tuple[int, Found]:
        """Exit code, and the checks by group and name."""
        code, out, err = self.run(*argv, "--json")
        body = json.loads(out)
        assert body["ok"] == (code == 0)
        assert bool(err) == (code != 0)
        return code, {f"{check['group']} {check['name']}": check for check in body["checks"]}

    def settings(self, *argv: str) -> dict[str, tuple[str | None, str]]:
        """Value and source of each setting."""
        _, out, _ = self.run(*argv, "--json")
        return {each["name"]: (each["value"], each["source"]) for each in json.loads(out)["settings"]}

    def files(self) -> dict[str, int]:
        """All files, with the time of their last change."""
        return {str(path): path.lstat().st_mtime_ns for path in self.root.rglob("*")}

    def tool(self, name: str, script: str) -> Path:
        """An executable on PATH."""
        path = self.root / "bin" / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return path

    def deployed(self, *deployments: Deployment) -> None:
        """What was deployed from here."""
        for deployment in deployments:
            store.remember_deployment(self.home, deployment)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def a_machine(root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Machine:
    """Nothing is configured on it; the two halves are not installed."""
    for folder in ("bin", "user", "checkout"):
        (root / folder).mkdir()
    (root / "checkout" / "infra").symlink_to(INFRA)
    monkeypatch.setattr(halves, "PACKAGE", root / "checkout" / "reservation_cli")
    monkeypatch.chdir(root)
    environ = {
        "HOME": str(root / "user"),
        "PATH": str(root / "bin"),
        "RESV_HOME": str(root / "home"),
        "RESV_CACHE": str(root / "cache"),
        "RESV_CLOUDFLARE_PORT": str(free_port()),
        "RESV_AWS_PORT": str(free_port()),
        "AWS_CONFIG_FILE": str(root / "none"),
        "AWS_SHARED_CREDENTIALS_FILE": str(root / "none"),
        "AWS_EC2_METADATA_DISABLED": "true",
        "COLUMNS": "80",
        "NO_COLOR": "1",
    }
    machine = Machine(root, environ, capsys)
    # The real one takes a second to be asked for its version and npm's.
    machine.tool("node", '[ "$1" = --version ] && echo v24.19.0 || echo 11.17.0')
    return machine
