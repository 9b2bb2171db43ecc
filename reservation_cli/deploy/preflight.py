"""The tools of others that deploying to AWS can use: where they are, and whether they are new enough."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from reservation_cli.local import tool

#: The first SAM CLI in which DurableConfig is known and works.
SAM_MINIMUM = "1.153.1"
#: The first AWS CLI that has the commands for durable executions. Nothing here runs it.
AWS_CLI_MINIMUM = "2.33.22"

#: What is frozen into one file, as the AWS CLI is, can take seconds to say its version for the first time.
_ANSWER_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool that works: its executable, its version ("1.170.0"), and the oldest version that is of use."""

    name: str
    path: Path
    version: str
    minimum: str

    @property
    def good_enough(self) -> bool:
        """Whether it is not older than `minimum`."""
        return _numbers(self.version) >= _numbers(self.minimum)


def sam(environ: Mapping[str, str]) -> Tool | None:
    """The SAM CLI on PATH; None when there is none that answers."""
    return _find("sam", SAM_MINIMUM, r"SAM CLI, version (\d+\.\d+\.\d+)", environ)


def aws_cli(environ: Mapping[str, str]) -> Tool | None:
    """The AWS CLI on PATH; None when there is none that answers."""
    return _find("aws", AWS_CLI_MINIMUM, r"aws-cli/(\d+\.\d+\.\d+)", environ)


def _find(name: str, minimum: str, told: str, environ: Mapping[str, str]) -> Tool | None:
    """The first on PATH that says its version: a broken one does not hide one that works."""
    for path in _candidates(name, environ):
        version = _version(path, told, environ)
        if version is not None:
            return Tool(name, path, version, minimum)
    return None


def _candidates(name: str, environ: Mapping[str, str]) -> Iterator[Path]:
    for folder in environ.get("PATH", os.defpath).split(os.pathsep):
        path = Path(folder, name)
        if folder and path.is_file() and os.access(path, os.X_OK):
            yield path.absolute()


def _version(path: Path, told: str, environ: Mapping[str, str]) -> str | None:
    said: list[str] = []
    try:
        code = tool.run([path, "--version"], {**environ, "SAM_CLI_TELEMETRY": "0"}, _ANSWER_SECONDS, said.append)
    except OSError:  # it cannot be started, or TimeoutError
        return None
    match = re.search(told, "\n".join(said))
    return match[1] if match and code == 0 else None


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))
