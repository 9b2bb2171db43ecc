"""docs/licences.md: complete for what is locked, true to what is installed, and with no licence that is not allowed."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from types import ModuleType

import pytest

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def licences() -> ModuleType:
    spec = importlib.util.spec_from_file_location("licences", DOCS / "licences.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["licences"] = module
    spec.loader.exec_module(module)
    return module


def test_the_list_is_that_of_the_locks(licences: ModuleType) -> None:
    """When this fails after `make lock`: make licences."""
    listed = licences.read((DOCS / "licences.md").read_text())
    python = {(row.name, row.version) for row in listed if row.lock == "requirements.lock"}
    assert python == set(licences.locked())
    npm = {row for row in listed if row.lock != "requirements.lock"}
    assert npm == {row for half in licences.HALVES for row in licences._npm(half)}
    assert len(npm) > 200


def test_the_licences_are_those_of_what_is_installed(licences: ModuleType) -> None:
    compared = 0
    for row in licences.read((DOCS / "licences.md").read_text()):
        if row.lock == "requirements.lock":
            try:
                installed = distribution(row.name)
            except PackageNotFoundError:
                continue  # locked for another system
            if installed.version == row.version:
                assert licences.licence_of(installed) == row.licence
                compared += 1
    assert compared > 50


def test_no_licence_is_outside_what_is_allowed(licences: ModuleType) -> None:
    allowed = {"use": licences.FOR_USE, "development": licences.FOR_DEVELOPMENT}
    for row in licences.read((DOCS / "licences.md").read_text()):
        assert licences.identifiers(row.licence) <= allowed[row.use], row


def test_what_tells_no_licence_is_not_passed_over(licences: ModuleType, tmp_path: Path) -> None:
    for field in ("", "License: Our own terms\n", "License-Expression: AGPL-3.0-only\n"):
        info = tmp_path / "x-1.dist-info"
        info.mkdir(exist_ok=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.4\nName: x\nVersion: 1\n{field}")
        with pytest.raises(LookupError, match="x tells no licence"):
            licences.licence_of(importlib.metadata.Distribution.at(info))
