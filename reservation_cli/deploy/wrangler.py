"""Runs wrangler without a terminal: in a process group of its own, its record of the run read, its errors made ours."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from reservation_cli.errors import PlatformError, ResvError, TimedOutError
from reservation_cli.local.node import Node
from reservation_cli.local.reaper import signal_group
from reservation_cli.platforms.cloudflare_errors import explain

_EXIT_SECONDS = 3.0
_ANSI = re.compile(r"\x1b\[[0-9;]*m")
_CHATTER = re.compile(r"If you think this is a bug|Successful trigger changes|Logs were written|🪵")

_QUIET = {
    "CI": "1",
    "NO_COLOR": "1",
    "DO_NOT_TRACK": "1",
    "WRANGLER_LOG": "log",  # debug would write requests with their tokens
    "WRANGLER_SEND_METRICS": "false",
    "WRANGLER_SEND_ERROR_REPORTS": "false",
    "WRANGLER_HIDE_BANNER": "true",
    "WRANGLER_WRITE_LOGS": "false",
    "CLOUDFLARE_CF_FETCH_ENABLED": "false",
    "CLOUDFLARE_LOAD_DEV_VARS_FROM_DOT_ENV": "false",
}
#: Each would deploy something else: another environment of the configuration, or under another name.
_MISLEADING = {"CLOUDFLARE_ENV", "WRANGLER_CI_OVERRIDE_NAME", "WRANGLER_CI_MATCH_TAG", "WRANGLER_OUTPUT_FILE_DIRECTORY"}
#: wrangler puts these before CLOUDFLARE_API_TOKEN, and so would act for somebody else than the API calls.
_GLOBAL_KEY = {"CLOUDFLARE_API_KEY", "CLOUDFLARE_EMAIL"}


def _unheard(_line: str) -> None:
    """Nobody listens."""


@dataclass(frozen=True, slots=True)
class Deployed:
    """What wrangler tells of a deploy: the workers.dev address, "" without one, and the version's id."""

    url: str
    version: str


@dataclass(frozen=True, slots=True)
class _Run:
    code: int
    stdout: str
    stderr: str
    records: Sequence[Mapping[str, object]]

    def record(self, kind: str) -> Mapping[str, object] | None:
        return next((record for record in self.records if record.get("type") == kind), None)


@dataclass(frozen=True, slots=True)
class Wrangler:
    """The wrangler of `folder`, which is cf-workflow with its packages installed."""

    node: Node
    folder: Path
    environ: Mapping[str, str]
    seconds: float = 300.0

    def login_token(self) -> str | None:
        """The token of `wrangler login`, renewed by wrangler when it has to be; None without a login."""
        with self._work_folder() as work:
            run = self._run(work, ["auth", "token", "--json"])
        try:
            told = json.loads(run.stdout)
        except ValueError:
            return None
        if run.code != 0 or not isinstance(told, dict) or told.get("type") not in ("oauth", "api_token"):
            return None
        return str(told.get("token") or "") or None

    def deploy(
        self, account: str, config: Mapping[str, object], secrets: Mapping[str, str], heard: Callable[[str], None]
    ) -> Deployed:
        """Deploy what `config` describes, with `secrets`; `heard` gets each line of wrangler's output as it comes.

        Secrets that the Worker has already are kept. Raises PlatformError, NotConfiguredError or TimedOutError.
        """
        with self._work_folder() as work:
            (work / "wrangler.json").write_text(json.dumps(config), encoding="utf-8")
            arguments = ["deploy", "--strict", "--autoconfig=false", "--config", str(work / "wrangler.json")]
            if secrets:
                (work / "secrets.json").touch(mode=0o600)
                (work / "secrets.json").write_text(json.dumps(secrets), encoding="utf-8")
                arguments += ["--secrets-file", str(work / "secrets.json")]
            run = self._run(work, arguments, account, heard)
        deployed = run.record("deploy")
        if run.code != 0 or deployed is None:
            raise self._refusal("wrangler deploy", run, secrets.values())
        targets = deployed.get("targets")
        urls = [url for url in map(str, targets) if url.startswith("https://")] if isinstance(targets, list) else []
        return Deployed((urls or [""])[0], str(deployed.get("version_id") or ""))

    def delete_secret(self, account: str, worker: str, name: str) -> None:
        """Remove a secret. By wrangler: its next deploy would stop at a Worker that somebody else has changed."""
        with self._work_folder() as work:
            run = self._run(work, ["secret", "delete", name, "--name", worker], account)
        if run.code != 0:
            raise self._refusal("wrangler secret delete", run, ())

    @contextmanager
    def _work_folder(self) -> Iterator[Path]:
        # It is 0700: secrets are in it for as long as wrangler runs.
        with tempfile.TemporaryDirectory(prefix="resv-wrangler-", dir=self.environ.get("TMPDIR")) as name:
            yield Path(name)

    def _run(
        self, work: Path, arguments: Sequence[str], account: str = "", heard: Callable[[str], None] = _unheard
    ) -> _Run:
        cli = self.folder / "node_modules" / "wrangler" / "wrangler-dist" / "cli.js"
        lines = []
        with (work / "stderr").open("w+", encoding="utf-8", errors="replace") as stderr:
            wrangler = subprocess.Popen(
                [str(self.node.path), "--no-warnings", str(cli), *arguments],
                cwd=work,
                env=self._child_environ(account, work / "output.ndjson"),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=stderr,
                encoding="utf-8",
                errors="replace",
                start_new_session=True,
            )
            late = threading.Event()

            def give_up() -> None:
                late.set()
                signal_group(wrangler.pid, signal.SIGKILL)

            timer = threading.Timer(self.seconds, give_up)
            timer.start()
            try:
                for line in wrangler.stdout or ():
                    lines.append(line)
                    heard(line)
                code = wrangler.wait()
            finally:
                timer.cancel()
                _end(wrangler)
                if wrangler.stdout:
                    wrangler.stdout.close()
            stderr.seek(0)
            said = stderr.read()
        if late.is_set():
            raise TimedOutError(
                f"wrangler {arguments[0]} did not end within {self.seconds:.0f} s.",
                hint="Run it again; what is done already is kept.",
            )
        return _Run(code, "".join(lines), said, _records(work / "output.ndjson"))

    def _child_environ(self, account: str, record: Path) -> dict[str, str]:
        dropped = _MISLEADING | (_GLOBAL_KEY if self.environ.get("CLOUDFLARE_API_TOKEN") else set())
        kept = {name: value for name, value in self.node.environ(self.environ).items() if name not in dropped}
        meant = {"CLOUDFLARE_ACCOUNT_ID": account} if account else {}
        return kept | _QUIET | meant | {"WRANGLER_OUTPUT_FILE_PATH": str(record)}

    def _refusal(self, what: str, run: _Run, secrets: Iterable[str]) -> ResvError:
        """The error that a failed run tells of, without any of the secrets."""
        said = _ANSI.sub("", run.stderr)
        failed = run.record("command-failed") or {}
        last = said.rpartition("[ERROR]")[2]
        if "[ERROR]" not in said:
            last = f"{failed.get('message') or ''} {said}"
        elif "because of conflicts" in last:
            last = said.rpartition("[WARNING]")[2]  # which conflict it was
        # The record lacks the notes of the API that stand behind the message.
        told = " ".join(_CHATTER.split(last)[0].split())
        for secret in filter(None, (*secrets, self.environ.get("CLOUDFLARE_API_TOKEN"))):
            told = told.replace(secret, "***")
        detail = told[:300] or f"exit code {run.code}"
        if (known := explain(told)) is not None:
            return known.error(what, detail)
        return PlatformError(f"{what} failed: {detail}", hint="Run it again; what is done already is kept.")


def _records(path: Path) -> Sequence[Mapping[str, object]]:
    """What wrangler wrote, one JSON object a line."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return [record for record in map(json.loads, lines) if isinstance(record, dict)]


def _end(wrangler: subprocess.Popen[str]) -> None:
    """Ends it and all that it has started."""
    signal_group(wrangler.pid, signal.SIGTERM)
    try:
        with suppress(subprocess.TimeoutExpired):
            wrangler.wait(_EXIT_SECONDS)
    finally:
        signal_group(wrangler.pid, signal.SIGKILL)
        wrangler.wait()
