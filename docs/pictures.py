"""Draws the pictures of the README from recorded runs: the terminal as it is, and the HTML report.

python docs/pictures.py COMPARE.json BENCH.json        (needs Chromium, and the packages of the group dev)
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright
from rich.console import Console
from rich.terminal_theme import MONOKAI

from reservation_cli import runs
from reservation_cli.domain.run import Run
from reservation_cli.render import html
from reservation_cli.render.run import run_view

DOCS = Path(__file__).resolve().parent
CHROMES = ("chromium", "chromium-browser", "google-chrome")
OFFLINE = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"]
PAGE = """<!doctype html><meta charset="utf-8"><style>
body {{ margin: 0; background: #14161a; display: inline-block }}
pre {{ margin: 20px 24px; font: 14px/18px "DejaVu Sans Mono", Menlo, monospace; color: #d7dae0 }}
</style><pre>{code}</pre>"""


def main(compare: str, bench: str) -> None:
    """Write the pictures beside this file."""
    compared, benched = runs.load(Path(compare)), runs.load(Path(bench))
    chrome = next(filter(None, map(shutil.which, CHROMES)))
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        browser = playwright.chromium.launch(executable_path=chrome, args=OFFLINE)
        for name, page, width, height, scheme in pages(compared, benched):
            source = Path(folder, f"{name}.html")
            source.write_text(page, encoding="utf-8")
            shoot(browser, source, DOCS / f"{name}.png", width, height, scheme)
        browser.close()


def pages(compared: Run, benched: Run) -> Iterator[tuple[str, str, int, int | None, str]]:
    """Name, HTML, width and height of the window (None: all of it) and colour scheme of each picture."""
    yield "terminal-compare", terminal(compared, 96), 900, None, "dark"
    yield "terminal-bench", terminal(benched, 100), 940, None, "dark"
    yield "report-compare", html.render(compared), 1100, 1000, "light"
    yield "report-bench", html.render(benched), 1100, 1400, "dark"
    yield "report-phone", html.render(benched), 390, 1200, "light"


def terminal(run: Run, width: int) -> str:
    """What the terminal shows, as HTML."""
    console = Console(width=width, record=True, file=StringIO(), force_terminal=True, color_system="truecolor")
    console.print(run_view(run, width))
    return console.export_html(theme=MONOKAI, inline_styles=True, code_format=PAGE)


def shoot(browser: Browser, page: Path, picture: Path, width: int, height: int | None, scheme: str) -> None:
    """One PNG, at twice the resolution."""
    context = browser.new_context(
        viewport={"width": width, "height": height or 800},
        color_scheme="dark" if scheme == "dark" else "light",
        device_scale_factor=1.5,
    )
    tab = context.new_page()
    tab.goto(page.as_uri())
    if height is None:
        tab.locator("body").screenshot(path=picture)
    else:
        tab.screenshot(path=picture)
    context.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
