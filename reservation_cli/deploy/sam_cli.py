"""Runs the SAM CLI without a terminal: CloudFormation's events heard as they come, its errors made ours."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from reservation_cli.deploy.aws_parts import AwsParts
from reservation_cli.deploy.preflight import Tool
from reservation_cli.errors import NotConfiguredError, PlatformError, ResvError, TimedOutError
from reservation_cli.local import tool
from reservation_cli.platforms.aws_errors import explain

_QUIET = {
    "SAM_CLI_TELEMETRY": "0",
    "NO_COLOR": "1",
    "PYTHONUNBUFFERED": "1",
    # Each event of CloudFormation in one line, its reason whole: the four columns share this width.
    "COLUMNS": "4000",
}

_ANSI = re.compile(r"\x1b\[[0-9;]*m")
_EVENT = re.compile(r"([A-Z_]+)(?: - [A-Z_]+)?\s+(AWS::\S+)\s+(\S+)\s+(.+)")
_LINT = re.compile(r"\[+[EW]\d{4}:")
_CONSEQUENCE = re.compile(r"-|Resource (creation|update) cancelled|The following resource\(s\) failed to .*")
_REQUEST = re.compile(r"\s*\(RequestToken: [^)]*\)")
_DENIED = re.compile(r"not authorized to perform|AccessDenied")


@dataclass(frozen=True, slots=True)
class Event:
    """What CloudFormation tells of a resource: CREATE_IN_PROGRESS, AWS::IAM::Role, its name in the template, why."""

    status: str
    kind: str
    logical_id: str
    reason: str

    @classmethod
    def of(cls, line: str) -> Event | None:
        """The event that a line of sam's output shows; None when it shows none."""
        match = _EVENT.fullmatch(line)
        return cls(match[1], match[2], match[3], match[4]) if match else None


@dataclass(frozen=True, slots=True)
class Sam:
    """The SAM CLI, working on a stage. It has its credentials as we have ours: from `environ` and AWS's files.

    `secrets` are those that it has, which nothing that is told of it may contain.
    """

    tool: Tool
    environ: Mapping[str, str]
    parts: AwsParts
    secrets: Sequence[str] = field(default=(), repr=False)

    def run(self, folder: Path, arguments: Sequence[str], seconds: float, heard: Callable[[Event], None]) -> None:
        """Run it in `folder`, each event that it shows passed to `heard`.

        Raises NotConfiguredError when it cannot be started, TimedOutError after `seconds`, and what its output tells
        of when it fails: one line, without secrets.
        """
        said: deque[str] = deque(maxlen=500)

        def hear(line: str) -> None:
            plain = _ANSI.sub("", line).strip()
            said.append(plain)
            if (event := Event.of(plain)) is not None:
                heard(event)

        doing = f"AWS · {self.parts.region}, sam {arguments[0]}"
        argv: list[str | Path] = [self.tool.path, *arguments, "--region", self.parts.region]
        try:
            code = tool.run(argv, {**self.environ, **_QUIET}, seconds, hear, folder)
        except TimeoutError as error:
            raise TimedOutError(f"{doing}: it did not end within {seconds / 60:.0f} minutes.") from error
        except OSError as error:
            raise NotConfiguredError(
                f"{self.tool.path} cannot be run: {error.strerror}.",
                hint="Install the SAM CLI again, or deploy without it: --via api",
                code="sam_missing",
            ) from error
        if code != 0:
            raise self._failure(doing, self._told([line for line in said if line]) or f"exit code {code}")

    def _told(self, said: Sequence[str]) -> str:
        """What says most of why it failed: CloudFormation's first reason, a rule of the linter, sam's own error."""
        events = [event for line in said if (event := Event.of(line)) and event.status.endswith("_FAILED")]
        causes = [
            f"{event.kind} {event.logical_id}: {event.reason}"
            for event in events
            if not _CONSEQUENCE.fullmatch(event.reason)
        ]
        linted = [line for line in said if _LINT.match(line)]
        errors = [line.removeprefix("Error: ") for line in said if line.startswith("Error: ")]
        told = _REQUEST.sub("", " ".join((causes or linted or errors or [*said[-1:], ""])[0].split()))
        for secret in self.secrets:
            told = told.replace(secret, "***")
        return told

    def _failure(self, doing: str, told: str) -> ResvError:
        if (known := explain(told)) is not None:
            # The function is the stack's: what mends it without SAM does not go.
            anew = f"Remove the stage and deploy it anew: {self.parts.teardown}"
            hint = anew if known.code == "durable_config_missing" else self.parts.aimed(known.fix)
            return known.kind(f"{doing}: {known.cause}", hint=hint, code=known.code)
        if _DENIED.search(told):
            hint = "`resv doctor aws` names the permissions that are needed."
            return PlatformError(f"{doing}: {told[:400]}", hint=hint, code="access_denied")
        return PlatformError(f"{doing} failed: {told[:400]}", hint="Mend that and run the command again.", code="sam")
