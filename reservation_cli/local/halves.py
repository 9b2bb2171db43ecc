"""The two halves, cf-workflow and aws-durable: where their sources are, their packages, their builds."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from reservation_cli.errors import NotConfiguredError
from reservation_cli.local import locks, logs
from reservation_cli.local.node import Node
from reservation_cli.local.reaper import end_groups

PACKAGE = Path(__file__).resolve().parents[1]

#: What `npm run build` of a half reads and writes; a half without an entry runs from its sources.
_BUILT_FROM = {"aws-durable": ("src", "local", "build.mjs", "package.json", "tsconfig.json")}
_BUILD = "dist"

_INSTALLED = "node_modules/.resv-installed"
_BUILD_STAMP = ".resv-built"
_NPM_FILES = ("package.json", "package-lock.json", ".npmrc")


def prepare(half: str, node: Node, environ: Mapping[str, str], log: Path, progress: Callable[[str], None]) -> Path:
    """The folder of `half`, with its packages installed and its bundle built for `node`. Quick when all is there.

    What npm says goes to the file `log`. Raises NotConfiguredError when npm fails.
    """
    cache = _cache(environ)
    folder = _source(half)
    if folder is None:
        folder = _copy(half, cache, progress)
    if not (_is_installed(folder, node) and _is_built(half, folder)):
        with _locked(cache, folder, half, progress) as lock:
            # Looked at again: who held the lock may have done it.
            if not _is_installed(folder, node):
                progress(f"Installing packages for {half} (first use, or they have changed)…")
                _npm(node, folder, ["ci", "--no-audit", "--no-fund"], environ, log, lock)
                (folder / _INSTALLED).write_text(_install_stamp(folder, node))
            if not _is_built(half, folder):
                progress(f"Building {half}…")
                _npm(node, folder, ["run", "build"], environ, log, lock)
                (folder / _BUILD / _BUILD_STAMP).write_text(_hash(folder, _BUILT_FROM[half]))
    return folder
