"""What took part in a run: versions of the programs and SDKs, and the machine."""

from __future__ import annotations

import json
import os
import platform
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version

from reservation_cli import __version__, sources
from reservation_cli.domain.run import Host

_DISTRIBUTIONS = ("botocore", "httpx", "aws-durable-execution-sdk-python-testing")
#: By half, as its lock file pins them: what both deploys and the local stack build with.
_LOCKED = {
    "aws-durable": ("@aws/durable-execution-sdk-js", "dynalite"),
    "cf-workflow": ("wrangler", "workerd"),
}


def software() -> dict[str, str]:
    """Versions by name: resv and Python, the clients, and the packages that both halves are built with."""
    found = {"resv": __version__, "python": platform.python_version()}
    for name in _DISTRIBUTIONS:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    for half, names in _LOCKED.items():
        packages = _locked(half)
        found |= {name: packages[name] for name in names if name in packages}
    return found


def host() -> Host:
    """This machine. `memory_bytes` is None where the system does not tell."""
    memory = None
    with suppress(ValueError, OSError):
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return Host(f"{platform.system()} {platform.release()}", platform.machine(), os.cpu_count() or 1, memory)


def _locked(half: str) -> dict[str, str]:
    packages = json.loads(sources.read(f"{half}/package-lock.json"))["packages"]
    return {
        name.removeprefix("node_modules/"): package["version"]
        for name, package in packages.items()
        if name.startswith("node_modules/") and "version" in package
    }
