"""Runs wrangler without a terminal: in a process group of its own, its record of the run read, its errors made ours."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from reservation_cli.domain import json_text
from reservation_cli.errors import NotConfiguredError, PlatformError, ResvError, TimedOutError
from reservation_cli.local import tool
from reservation_cli.local.node import Node
from reservation_cli.platforms.cloudflare_errors import explain

_ANSI = re.compile(r"\x1b\[[0-9;]*m")
_CHATTER = re.compile(
    r"If you think this is a bug|Successful trigger changes|Logs were written|🪵|\n\w*Error: [^\n]*\n\s+at "
)
#: The token of a login is wrangler's own, and renewed by it: what it is now, it alone knows.
_BEARER = re.compile(r"(Bearer )\S+", re.IGNORECASE)

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
    #: Other secrets that it may tell of: a login's token.
    hidden: Sequence[str] = field(default=(), repr=False)

    def login_token(self) -> str | None:
        """The token of `wrangler login`, renewed by wrangler when it has to be; None without a login."""
        with self._work_folder() as work:
            run = self._run(work, ["auth", "token", "--json"])
        try:
            told = json_text.loads(run.stdout)
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
    def tail(self, account: str, worker: str) -> Iterator[tuple[Iterable[str], Callable[[], ResvError | None]]]:
        """The lines of `wrangler tail` of a Worker, as JSON, while it runs; and, once they have ended, why.

        TERM ends it: wrangler then takes its tail away from the Worker, which has room for ten.
        """
        argv = [*self._cli, "tail", worker, "--format", "json"]
        # An empty folder: the configuration that wrangler finds in its own would be another Worker's.
        with (
            self._work_folder() as work,
            (work / "stderr").open("w+", encoding="utf-8", errors="replace") as stderr,
            tool.running(argv, self._child_environ(account, work / "output.ndjson"), work, stderr=stderr) as wrangler,
        ):
            heard: list[str] = []

            def lines() -> Iterator[str]:
                for line in wrangler.stdout or ():
                    heard[:] = [*heard[-20:], line]
                    yield line

            def ended() -> ResvError | None:
                code = wrangler.wait()
                stderr.seek(0)
                run = _Run(code, "", f"{''.join(heard)} {stderr.read()}", ())
                return self._refusal("wrangler tail", run, ()) if code else None

            yield lines(), ended

    @contextmanager
    def _work_folder(self) -> Iterator[Path]:
        # It is 0700: secrets are in it for as long as wrangler runs.
        try:
            folder = tempfile.TemporaryDirectory(prefix="resv-wrangler-", dir=self.environ.get("TMPDIR") or None)
        except OSError as error:
            raise NotConfiguredError(
                f"No temporary folder can be made: {error.strerror}: {error.filename or 'TMPDIR'}.",
                hint="Set TMPDIR to a folder of yours.",
            ) from error
        with folder as name:
            yield Path(name)

    @property
    def _cli(self) -> list[str]:
        # What bin/wrangler.js starts, without that process of 50 MB in between.
        cli = self.folder / "node_modules" / "wrangler" / "wrangler-dist" / "cli.js"
        return [str(self.node.path), "--no-warnings", str(cli)]

    def _run(
        self, work: Path, arguments: Sequence[str], account: str = "", heard: Callable[[str], None] = _unheard
    ) -> _Run:
        lines: list[str] = []

        def hear(line: str) -> None:
            lines.append(line)
            heard(line)

        environ = self._child_environ(account, work / "output.ndjson")
        with (work / "stderr").open("w+", encoding="utf-8", errors="replace") as stderr:
            try:
                code = tool.run([*self._cli, *arguments], environ, self.seconds, hear, work, stderr)
            except TimeoutError as error:
                raise TimedOutError(
                    f"wrangler {arguments[0]} did not end within {self.seconds:.0f} s.",
                    hint="Run it again; what is done already is kept.",
                ) from error
            except (FileNotFoundError, NotADirectoryError, PermissionError) as error:
                raise NotConfiguredError(
                    f"wrangler cannot be started: {error.strerror}: {error.filename}.",
                    hint="Look at it with `resv doctor cloudflare`.",
                ) from error
            stderr.seek(0)
            said = stderr.read()
        return _Run(code, "\n".join(lines), said, _records(work / "output.ndjson"))

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
        own = (self.environ.get(name) for name in ("CLOUDFLARE_API_TOKEN", "CLOUDFLARE_API_KEY"))
        for secret in filter(None, (*secrets, *self.hidden, *own)):
            told = told.replace(secret, "***")
        told = _BEARER.sub(r"\1***", told)
        detail = told[:300] or f"exit code {run.code}"
        if (known := explain(told)) is not None:
            return known.error(what, detail)
        return PlatformError(f"{what} failed: {detail}", hint="Run it again; what is done already is kept.")


def _records(path: Path) -> Sequence[Mapping[str, object]]:
    """What wrangler wrote, one JSON object a line."""
    records = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else []:
        with suppress(ValueError):  # one that was cut off tells nothing
            record = json_text.loads(line)
            if isinstance(record, dict):
                records.append(record)
    return records
