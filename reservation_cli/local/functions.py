"""Durable functions of the user's own that the local stack serves beside the reservation, and keeps over its starts."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TypedDict

from reservation_cli.errors import UsageError
from reservation_cli.files import own_folder, write_whole
from reservation_cli.local.node import Node

#: In RESV_HOME.
FILE = "functions.json"

_NAME = re.compile(r"[A-Za-z0-9_*-]{1,64}")
_LOAD_SECONDS = 30.0
#: Imports a bundle as the host will; the last line of its standard error says what is wrong with it.
_LOAD = """
import { pathToFileURL } from "node:url";
try {
  const bundle = await import(pathToFileURL(process.argv[1]).href);
  if (typeof (bundle.handler ?? bundle.default?.handler) !== "function") throw "it exports no function named handler";
} catch (error) {
  console.error(`\\n${error instanceof Error ? `${error.name}: ${error.message}` : error}`.replace(/\\s+/g, " "));
  process.exit(1);
}
process.exit(0);
"""


class OwnFunction(TypedDict):
    """A bundle that exports `handler`, by its absolute path, and the execution timeout in seconds."""

    bundle: str
    execution_timeout: int


#: By name; a `*` in a name stands for anything.
OwnFunctions = Mapping[str, OwnFunction]


def parse(values: Sequence[str], execution_timeout: int, reserved: Sequence[str]) -> OwnFunctions:
    """The functions that the NAME=BUNDLE in `values` name. No name may stand for a `reserved` one.

    Raises UsageError.
    """
    functions: dict[str, OwnFunction] = {}
    for value in values:
        name, equals, file = value.partition("=")
        if not equals or not name or not file:
            raise UsageError(
                f"--function takes NAME=BUNDLE, not {value!r}.", hint="For instance: --function hello=dist/hello.mjs"
            )
        if _NAME.fullmatch(name) is None:
            raise UsageError(
                f"{name!r} is no name for a function.",
                hint="Up to 64 letters, digits, hyphens and underscores; a * stands for anything.",
            )
        if name in functions:
            raise UsageError(f"--function names {name} twice.")
        for taken in reserved:
            if fnmatchcase(taken, name):
                other = "that is" if taken == name else f"it would stand for {taken},"
                raise UsageError(
                    f"--function cannot serve {name}: {other} a function of the reservation.",
                    hint="Choose another name.",
                )
        functions[name] = {"bundle": str(_bundle(name, file)), "execution_timeout": execution_timeout}
    return functions


def _bundle(name: str, file: str) -> Path:
    try:
        path = Path(file).expanduser().absolute()
        if path.is_file():
            return path
        missing = not path.exists()
    except (OSError, ValueError, RuntimeError):  # too long a name, a null character, an unknown user
        missing = True
    raise UsageError(
        f"--function {name}: {file!r} {'does not exist' if missing else 'is no file'}.",
        hint="BUNDLE is an ES module or a CommonJS file that exports `handler`.",
    )


def check(functions: OwnFunctions, node: Node, environ: Mapping[str, str]) -> None:
    """Load each bundle once, with `environ`. Raises UsageError for one that exports no handler."""
    for file in sorted({function["bundle"] for function in functions.values()}):
        try:
            loaded = subprocess.run(
                [str(node.path), "--no-warnings", "--input-type=module", "--eval", _LOAD, "--", file],
                cwd=Path(file).parent,
                env=dict(environ),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
                timeout=_LOAD_SECONDS,
                check=False,  # what went wrong is told below
            )
        except subprocess.TimeoutExpired as error:
            raise UsageError(f"{file} did not load within {_LOAD_SECONDS:.0f} s.") from error
        if loaded.returncode != 0:
            said = [line.strip() for line in loaded.stderr.splitlines() if line.strip()]
            why = said[-1] if said else f"Node.js ended with {loaded.returncode}"
            raise UsageError(
                f"{file} cannot be served: {why}", hint="A bundle exports `handler` and brings along what it imports."
            )


def remembered(home: Path, progress: Callable[[str], None]) -> OwnFunctions:
    """The functions that `remember` kept; `progress` is told of bundles that are gone, perhaps to be built anew."""
    try:
        kept = json.loads((home / FILE).read_text())
        functions: dict[str, OwnFunction] = {
            str(name): {"bundle": str(kind["bundle"]), "execution_timeout": int(kind["execution_timeout"])}
            for name, kind in kept.items()
        }
    except FileNotFoundError:
        return {}
    except (ValueError, TypeError, KeyError, AttributeError):
        progress(f"{home / FILE} cannot be read; functions of your own are not served.")
        return {}
    for name, kind in functions.items():
        if not Path(kind["bundle"]).is_file():
            progress(f"The bundle {kind['bundle']} is gone; executions of {name} wait until it is there again.")
    return functions


def remember(home: Path, functions: OwnFunctions) -> None:
    """Keep them for all later starts, in place of those kept so far. Raises OSError."""
    own_folder(home)
    write_whole(home / FILE, json.dumps(functions, indent=2) + "\n")
