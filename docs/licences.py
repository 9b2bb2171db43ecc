"""Writes docs/licences.md: the licence of every package in requirements.lock and in both package-lock.json.

    make licences

Python's come from the metadata of what is installed, npm's from the lock files. No network is needed.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import NamedTuple

from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name

ROOT = Path(__file__).parents[1]
HALVES = ("cf-workflow", "aws-durable")

#: What may be used by whoever installs or deploys resv; and what its developers may use besides, unchanged.
FOR_USE = {"0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "ISC", "MIT", "MPL-2.0", "PSF-2.0", "Zlib"}
FOR_DEVELOPMENT = FOR_USE | {"LGPL-3.0-only", "LGPL-3.0-or-later"}

#: Words of older metadata, as SPDX has them.
_SPDX = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache License 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD-3-Clause",
    "GNU Lesser General Public License v3 (LGPLv3)": "LGPL-3.0-only",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
}
#: Locked, but installed on Windows only.
_ELSEWHERE = {"colorama": "BSD-3-Clause"}


class Row(NamedTuple):
    """A locked package. `use`: "use" for what an installed or deployed resv needs, else "development"."""

    lock: str
    name: str
    version: str
    licence: str
    use: str


def identifiers(licence: str) -> set[str]:
    """The licences that an SPDX expression names."""
    return set(re.findall(r"[A-Za-z0-9.-]+", licence)) - {"AND", "OR", "WITH"}


def rows() -> list[Row]:
    """All that is locked. Raises LookupError for a package that is not installed, or does not tell its licence."""
    return [*_python(), *(row for half in HALVES for row in _npm(half))]


def locked() -> list[tuple[str, str]]:
    """Name and version of what requirements.lock has; a package may be in it twice, for several Pythons."""
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    found = (re.match(r"([A-Za-z0-9._-]+)==([^ ;]+)", line) for line in lines)
    return [(match[1], match[2]) for match in found if match]


def licence_of(distribution: Distribution) -> str:
    """As an SPDX expression. Raises LookupError when its metadata say nothing that is known."""
    metadata = distribution.metadata
    for field in ("License-Expression", "License"):
        told = metadata[field].strip() if field in metadata else ""
        if told and identifiers(_SPDX.get(told, told)) <= FOR_DEVELOPMENT:
            return _SPDX.get(told, told)
    classified = [each.rpartition(" :: ")[2] for each in metadata.get_all("Classifier") or () if "License ::" in each]
    known = sorted(_SPDX[each] for each in classified if each in _SPDX)
    if not known:
        raise LookupError(f"{metadata['Name']} tells no licence that is allowed here: {told[:60]!r}, {classified}")
    return " OR ".join(known)


def _python() -> Iterator[Row]:
    installed = {canonicalize_name(each.metadata["Name"]): each for each in distributions()}
    used = _needed(installed, [Requirement("reservation-cli[local,otlp]")])
    for name, version in locked():
        key = canonicalize_name(name)
        if key not in installed and key not in _ELSEWHERE:
            raise LookupError(f"{name} is locked but not installed: make setup")
        licence = licence_of(installed[key]) if key in installed else _ELSEWHERE[key]
        yield Row("requirements.lock", name, version, licence, "use" if key in used else "development")


def _needed(installed: Mapping[NormalizedName, Distribution], wanted: list[Requirement]) -> set[NormalizedName]:
    """The packages that these come to, by all that they need in turn."""
    found: set[NormalizedName] = set()
    seen: set[str] = set()
    while wanted:
        requirement = wanted.pop()
        name = canonicalize_name(requirement.name)
        found.add(name)
        if str(requirement) in seen or name not in installed:
            continue
        seen.add(str(requirement))
        for text in installed[name].requires or ():
            more = Requirement(text)
            extras = requirement.extras or {""}
            if more.marker is None or any(more.marker.evaluate({"extra": extra}) for extra in extras):
                wanted.append(more)
    return found


def _npm(half: str) -> Iterator[Row]:
    lock = json.loads((ROOT / half / "package-lock.json").read_text())
    for path, package in lock["packages"].items():
        if path:
            name = path.rpartition("node_modules/")[2]
            use = "development" if package.get("dev") or package.get("devOptional") else "use"
            yield Row(f"{half}/package-lock.json", name, package["version"], package["license"], use)


def page(found: Iterable[Row]) -> str:
    """The rows as Markdown, in the order of the locks and then by name."""
    lines = [
        "# Licences of the dependencies",
        "",
        "Made by `make licences` from requirements.lock and both package-lock.json; a test compares. What is for *use*",
        "an installed or a deployed `resv` needs; what is for *development* its tests and builds do, and Cloudflare's",
        "local engine (wrangler). Not listed: the tools in `.tools` (SAM CLI, moto, linters), each in an environment",
        "of its own and run as a program.",
        "",
        "| lock | package | version | licence | for |",
        "| --- | --- | --- | --- | --- |",
    ]
    unique = sorted(set(found), key=lambda row: (row.lock != "requirements.lock", row.lock, row.name, row.version))
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in unique)]) + "\n"


def read(text: str) -> set[Row]:
    """The rows of a page."""
    cells = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    return {Row(*each) for each in cells[2:]}


if __name__ == "__main__":
    (ROOT / "docs" / "licences.md").write_text(page(rows()), encoding="utf-8")
    sys.stderr.write("Written: docs/licences.md\n")
