"""What is secret stays so: a whole session of `resv` on the local engines and on fakes of the clouds, with a secret in
each place where one may stand, and then a search for them in all that was printed, written, run and recorded."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import pytest

from reservation_cli.local import ports
from reservation_cli.local.processes import table
from support import fake_cloudflare, http_server, moto_front
from support.sockets import members

pytestmark = [pytest.mark.stack, pytest.mark.moto]

RESV = Path(sys.executable).with_name("resv")
#: By what they are. The Worker's own token is made by the deploy.
CANARIES = {
    "CLOUDFLARE_API_TOKEN": "canary-cloudflare-0d1f6c",
    "AWS_SECRET_ACCESS_KEY": "canary/aws+secret-77aa21",
    "AWS_SESSION_TOKEN": "canary/aws+session==b3c9",
    "HTTPS_PROXY": "canary-proxy-5e0f4d",
    "OTEL_EXPORTER_OTLP_HEADERS": "canary-otlp-91b2ee",
    "CLOUDFLARE_API_KEY": "canary-global-key-44d0",
}
WORKER_TOKEN = "the Worker's token"


@dataclass
class Session:
    """One user's session: what was printed by each command, what ran meanwhile, and what is left in files."""

    home: Path
    folder: Path
    environ: dict[str, str]
    secrets: dict[str, str] = field(default_factory=lambda: dict(CANARIES))
    printed: dict[str, str] = field(default_factory=dict)
    codes: dict[str, int] = field(default_factory=dict)
    commands: set[str] = field(default_factory=set)
    inherited: set[str] = field(default_factory=set)

    def run(self, command: str) -> None:
        done = subprocess.run(
            [str(RESV), *command.split()],
            cwd=self.folder,
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=300,
            umask=0o022,
        )
        self.printed[command] = self.printed.get(command, "") + done.stdout + done.stderr
        self.codes[command] = done.returncode

    def found_in(self, text: bytes) -> set[str]:
        """Which secrets stand in `text`, as they are or in a form that is as good."""
        forms = {
            name: (secret.encode(), quote(secret, safe="").encode(), _basic(secret), json.dumps(secret).encode())
            for name, secret in self.secrets.items()
        }
        return {name for name, each in forms.items() if any(form in text for form in each)}


def _basic(secret: str) -> bytes:
    """A password as Proxy-Authorization carries it."""
    return base64.b64encode(f"user:{secret}".encode())


def _watch(session: Session, over: threading.Event) -> None:
    """Takes down the command line of every process that appears."""
    while not over.wait(0.05):
        session.commands |= {process.command for process in table()}


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    folder = tmp_path_factory.mktemp("secrets")
    home = folder / "state" / "resv"
    with (
        fake_cloudflare.serving() as cloudflare,
        moto_front.serving() as aws,
        http_server.serving() as collector,
    ):
        cloudflare.tokens.add(CANARIES["CLOUDFLARE_API_TOKEN"])
        collector.give("POST", "/v1/traces", b"", content_type="application/x-protobuf")
        proxy = f"http://user:{CANARIES['HTTPS_PROXY']}@127.0.0.1:9"
        taken: set[int] = set()
        environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "XDG_CONFIG_HOME": str(folder / "config"),
            "RESV_HOME": str(home),
            "RESV_CLOUDFLARE_PORT": str(ports.choose(0, taken)),
            "RESV_AWS_PORT": str(ports.choose(0, taken)),
            "NO_COLOR": "1",
            "HTTPS_PROXY": proxy,
            "ALL_PROXY": proxy,
            "NO_PROXY": "127.0.0.1,localhost",
            "CLOUDFLARE_API_BASE_URL": cloudflare.url,
            "CLOUDFLARE_ACCOUNT_ID": fake_cloudflare.ACCOUNT,
            **{key: value for key, value in aws.environ.items() if key != "AWS_SECRET_ACCESS_KEY"},
            "OTEL_EXPORTER_OTLP_HEADERS": f"authorization=Bearer%20{CANARIES['OTEL_EXPORTER_OTLP_HEADERS']}",
            **{name: CANARIES[name] for name in ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")},
        }
        # One of them in the file that is for this.
        token, key = CANARIES["CLOUDFLARE_API_TOKEN"], CANARIES["CLOUDFLARE_API_KEY"]
        (folder / ".env").write_text(f"CLOUDFLARE_API_TOKEN={token}\nCLOUDFLARE_API_KEY={key}\n")
        if cache := os.environ.get("RESV_CACHE"):
            environ["RESV_CACHE"] = cache
        session = Session(home, folder, environ)
        over = threading.Event()
        watcher = threading.Thread(target=_watch, args=(session, over))
        watcher.start()
        try:
            _use(session, collector.url)
            yield session
        finally:
            over.set()
            watcher.join()
            subprocess.run([str(RESV), "down"], cwd=folder, env=environ, capture_output=True, check=True)


def _use(session: Session, collector: str) -> None:
    for command in (
        "up",
        "reserve --seat A1 --hold 1s --watch",
        "reserve --seat A1 --json",
        "status last --json",
        "compare --hold 1s --output run.json --output run.html --output run.md --output run.trace.json",
        f"report last --output {collector}",
        "report last --output http://127.0.0.1:9/",
        "bench -n 4 --warmup 0 --hold 1s --json",
        "env",
        "logs",
        "deploy cloudflare --dry-run",
        "deploy cloudflare --yes",
        "deploy cloudflare --yes --json",
        "deploy aws --via api --yes",
        # The Worker's address is no fake: the proxy, where nobody listens, is asked for it.
        "reserve --seat B1 --on cloudflare",
        "reserve --seat B1 --on cloudflare --json",
        "reserve --seat B1 --on aws",
        "status last",
        "doctor",
        "doctor --json",
        "logs cloudflare",
        "runs --json",
    ):
        session.run(command)
        if Path("/proc").exists():
            session.inherited |= _inherited(session)
    (session.secrets[WORKER_TOKEN],) = _tokens(session.home)
    # What a platform refuses, it may quote.
    session.environ["CLOUDFLARE_ACCOUNT_ID"] = "f" * 32
    session.environ["AWS_ENDPOINT_URL"] = "http://127.0.0.1:9"
    for command in ("doctor", "deploy cloudflare --yes", "reserve --seat C1 --on aws", "deploy aws --via api --yes"):
        session.run(command + " --json")


def _tokens(home: Path) -> list[str]:
    deployed = json.loads((home / "state.json").read_text())["deployments"]["cloudflare"]
    return [stage["token"] for stage in deployed.values()]


def _inherited(session: Session) -> set[str]:
    found: set[str] = set()
    for process in members(session.home):
        found |= session.found_in(Path(f"/proc/{process.pid}/environ").read_bytes())
    return found


def test_the_session_did_what_it_should(session: Session) -> None:
    """Else nothing would be shown: what works works, and what fails fails for the reason that is meant."""
    failing = {command: code for command, code in session.codes.items() if code != 0}
    assert set(failing.values()) <= {4, 5, 6, 7, 8}
    for command in (
        "up",
        "deploy cloudflare --yes",
        "deploy aws --via api --yes",
        "bench -n 4 --warmup 0 --hold 1s --json",
    ):
        assert session.codes[command] == 0, session.printed[command]
    assert "127.0.0.1:9" in session.printed["reserve --seat B1 --on cloudflare"]
    assert all("Traceback" not in text for text in session.printed.values())


def test_nothing_secret_is_printed(session: Session) -> None:
    leaks = {command: session.found_in(text.encode()) for command, text in session.printed.items()}
    assert {command: names for command, names in leaks.items() if names} == {}


def test_nothing_secret_is_in_a_command_line(session: Session) -> None:
    assert any("supervisor" in command for command in session.commands)
    assert any("wrangler-dist" in command for command in session.commands)
    leaks = {command: session.found_in(command.encode()) for command in session.commands}
    assert {command: names for command, names in leaks.items() if names} == {}


def test_only_the_workers_token_is_kept_and_only_in_the_state(session: Session) -> None:
    leaks = {}
    for path in session.folder.rglob("*"):
        if path.is_file() and path != session.folder / ".env" and (names := session.found_in(path.read_bytes())):
            leaks[str(path.relative_to(session.folder))] = names
    assert leaks == {"state/resv/state.json": {WORKER_TOKEN}}


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="only Linux shows the environment of a process")
def test_the_local_engines_get_none_of_the_clouds_secrets(session: Session) -> None:
    assert session.inherited & (CANARIES.keys() - {"HTTPS_PROXY", "OTEL_EXPORTER_OTLP_HEADERS"}) == set()


def test_others_can_read_nothing_of_what_resv_keeps(session: Session) -> None:
    kept = [session.home.parent, session.home, *session.home.rglob("*")]
    assert {"state.json", "plan.json", "children.json", "stack.json", "executions.sqlite3"} < {
        path.name for path in kept
    }
    assert any(path.parent.name == "runs" for path in kept)
    modes = {str(path.relative_to(session.folder)): path.stat().st_mode & 0o777 for path in kept if path.exists()}
    assert {name: f"{mode:o}" for name, mode in modes.items() if mode & 0o077} == {}
