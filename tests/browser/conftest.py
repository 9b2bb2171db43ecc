"""A headless Chromium, once a session."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_MACOS = Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")
_ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def chromium() -> str:
    """Where the browser is; fails with what to do when there is none."""
    found = next((path for name in _NAMES if (path := shutil.which(name))), None)
    if found is None and _MACOS.exists():
        found = str(_MACOS)
    if found is None:
        pytest.fail(f"No browser: none of {', '.join(_NAMES)} is on the PATH. Install one: apt install chromium")
    return found


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium(), args=_ARGUMENTS)
        yield running
        running.close()
