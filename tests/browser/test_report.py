"""The HTML report and the SVG in a real browser: nothing leaves the page, and all of it can be read and reached."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect

from reservation_cli.domain.run import Run
from reservation_cli.render import html, svg
from support import benches, timelines
from support.exports import of

pytestmark = pytest.mark.browser

Scheme = Literal["light", "dark"]
PHONE: ViewportSize = {"width": 360, "height": 740}
TABLET: ViewportSize = {"width": 720, "height": 960}
DESKTOP: ViewportSize = {"width": 1280, "height": 900}
LONG = "a-name-of-" * 6 + "some"
RUNS = {
    "compare": benches.compared(),
    "bench": benches.run(),
    "sweep": benches.run(benches.bench(40, (1, 10, 60))),
    "four": of(*timelines.four()),
    "failed": of(*timelines.failed()),
    "absent": of(timelines.cloudflare_expired(), timelines.absent("aws")),
    "long names": of(
        *(
            replace(
                lane,
                label=f"{lane.label} · {LONG}",
                error=LONG * 4,
                notes=(LONG * 3,),
                request=replace(timelines.request(), seat=LONG),
                spans=tuple(replace(span, name=LONG) for span in lane.spans),
            )
            for lane in timelines.expired()
        )
    ),
}

#: The least contrast of any text that is shown, and where: WCAG 2.2 asks for 4.5, or 3 for large text.
LEAST_CONTRAST = """
() => {
  const channel = c => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const numbers = colour => colour.match(/[\\d.]+/g).map(Number);
  const luminance = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const ground = luminance(numbers(getComputedStyle(document.body).backgroundColor));
  let least = {ratio: 99, text: ""};
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const parent = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !parent.getClientRects().length) continue;
    const style = getComputedStyle(parent);
    if (style.visibility === "hidden") continue;
    const ink = luminance(numbers(parent.closest("svg") ? style.fill : style.color));
    const ratio = (Math.max(ink, ground) + 0.05) / (Math.min(ink, ground) + 0.05);
    if (ratio < least.ratio) least = {ratio, text: walker.currentNode.data.trim(), tag: parent.tagName};
  }
  return least;
}
"""


@contextmanager
def opened(
    browser: Browser, path: Path, viewport: ViewportSize, scheme: Scheme = "light", has_touch: bool = False
) -> Iterator[Page]:
    """A page that shows the file; at its end, nothing was said on the console and nothing else was asked for."""
    context = browser.new_context(viewport=viewport, color_scheme=scheme, has_touch=has_touch)
    page = context.new_page()
    said: list[str] = []
    requested: list[str] = []
    page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: requested.append(request.url))
    page.goto(path.as_uri())
    try:
        yield page
        assert said == []
        assert requested == [path.as_uri()]
    finally:
        context.close()


@cache
def rendered(name: str) -> str:
    return html.render(RUNS[name])


def report(run: Run | str, tmp_path: Path) -> Path:
    """The file of a run, or of the one that is named in RUNS."""
    path = tmp_path / "run.html"
    path.write_text(rendered(run) if isinstance(run, str) else html.render(run), encoding="utf-8")
    return path


@pytest.mark.parametrize("viewport", [PHONE, TABLET, DESKTOP], ids=["phone", "tablet", "desktop"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("run", RUNS)
def test_it_can_be_read(run: str, scheme: Scheme, viewport: ViewportSize, browser: Browser, tmp_path: Path) -> None:
    with opened(browser, report(run, tmp_path), viewport, scheme) as page:
        page.evaluate("document.querySelectorAll('details').forEach(part => part.open = true)")
        assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
        least: dict[str, Any] = page.evaluate(LEAST_CONTRAST)
        assert least["ratio"] >= 4.5, least
        dark = page.evaluate("getComputedStyle(document.body).backgroundColor") != "rgb(255, 255, 255)"
        assert dark is (scheme == "dark")
        for name in ("Timelines", "Configuration", "Method"):
            expect(page.get_by_role("heading", name=name, exact=True)).to_be_visible()
        assert page.locator("figure").first.locator("svg:visible").count() == 1
        check_words(page)


def check_words(page: Page) -> None:
    """The words of each picture lie within it, and not on each other."""
    for picture in page.locator("figure svg:visible").all():
        boxes: list[dict[str, Any]] = picture.evaluate(
            "svg => [...svg.querySelectorAll('text')].filter(text => !text.closest('.tip')).map(text => {"
            " const {x, y, width, height} = text.getBBox(); return {x, y, width, height, text: text.textContent} })"
        )
        width = float((picture.get_attribute("viewBox") or "").split()[2])
        for box in boxes:
            assert box["x"] >= -1, box
            assert box["x"] + box["width"] <= width + 1, box
        for one, other in combinations(boxes, 2):
            assert not overlap(one, other), (one, other)


def overlap(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two boxes have more than a hair of area in common; a box of a font has some air above and below."""
    width = min(one["x"] + one["width"], other["x"] + other["width"]) - max(one["x"], other["x"])
    height = min(one["y"] + one["height"], other["y"] + other["height"]) - max(one["y"], other["y"])
    return bool(width > 1 and height > 3)


def test_details_are_shown_on_hover(browser: Browser, tmp_path: Path) -> None:
    with opened(browser, report("compare", tmp_path), DESKTOP) as page:
        card = page.locator(".at-wide .tip", has_text="create-hold · step body").first
        expect(card).to_be_hidden()
        page.locator(".at-wide").get_by_label("Cloudflare local: create-hold · step body").hover()
        expect(card).to_be_visible()
        expect(card).to_contain_text("13 ms, from 14 ms to 27 ms")


def test_details_are_shown_to_the_keyboard(browser: Browser, tmp_path: Path) -> None:
    with opened(browser, report("compare", tmp_path), DESKTOP) as page:
        page.locator("nav a").last.focus()
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.ariaLabel").startswith("Cloudflare local: overhead")
        assert page.locator(".tip:visible").count() == 1


def test_details_are_shown_on_touch(browser: Browser, tmp_path: Path) -> None:
    with opened(browser, report("compare", tmp_path), PHONE, has_touch=True) as page:
        page.locator(".at-narrow").get_by_label("AWS local: finalize · step body").tap()
        card = page.locator(".at-narrow .tip:visible")
        expect(card).to_contain_text("finalize · step body")
        box = card.bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= PHONE["width"]


def test_wide_tables_scroll_in_their_own_box(browser: Browser, tmp_path: Path) -> None:
    with opened(browser, report("bench", tmp_path), PHONE) as page:
        box = page.get_by_role("region", name="Percentiles of a hold of 5s")
        assert box.evaluate("box => box.scrollWidth > box.clientWidth")
        box.focus()
        expect(box).to_be_focused()


def test_paper_shows_what_is_folded(browser: Browser, tmp_path: Path) -> None:
    with opened(browser, report("compare", tmp_path), TABLET, "dark") as page:
        steps = page.get_by_role("region", name="Every step of AWS local")
        expect(steps).to_be_hidden()
        page.emulate_media(media="print")
        assert steps.evaluate("box => box.checkVisibility({contentVisibilityAuto: true})")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


def test_no_table_is_wider_than_paper(browser: Browser, tmp_path: Path) -> None:
    a4: ViewportSize = {"width": 680, "height": 1000}
    with opened(browser, report("sweep", tmp_path), a4) as page:
        page.emulate_media(media="print")
        assert page.evaluate("document.documentElement.scrollWidth") <= a4["width"]


def test_a_name_with_a_script_in_it_does_not_run(browser: Browser, tmp_path: Path) -> None:
    name = "<img src=x onerror=alert(1)><script>alert(2)</script>"
    lane = replace(timelines.cloudflare_expired(), error=name, request=replace(timelines.request(), seat=name))
    with opened(browser, report(of(lane), tmp_path), DESKTOP) as page:
        page.on("dialog", lambda dialog: pytest.fail(dialog.message))
        expect(page.locator("header .facts")).to_contain_text(name)
        assert page.locator("script, img").count() == 0


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_picture_alone(run: str, scheme: Scheme, browser: Browser, tmp_path: Path) -> None:
    path = tmp_path / "run.svg"
    path.write_text(svg.render(RUNS[run]), encoding="utf-8")
    with opened(browser, path, DESKTOP, scheme) as page:
        assert page.evaluate("document.documentElement.tagName") == "svg"
        fill = page.evaluate("getComputedStyle(document.querySelector('rect.surface')).fill")
        assert (fill == "rgb(255, 255, 255)") is (scheme == "light")
