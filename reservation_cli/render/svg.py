"""A run as one SVG file: the lanes side by side, and of a benchmark the histograms under them."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterable

from reservation_cli.domain.reservation import format_duration
from reservation_cli.domain.run import Run
from reservation_cli.render.answer import answer, facts, findings, histograms, kept, title, warnings
from reservation_cli.render.canvas import Canvas, document
from reservation_cli.render.picture import zero_words
from reservation_cli.render.svg_chaos import draw_kills
from reservation_cli.render.svg_histogram import Histogram, draw_histogram
from reservation_cli.render.svg_lanes import draw_lanes
from reservation_cli.render.templating import clean, stylesheet
from reservation_cli.render.words import printable, wrapped

_WIDTH, _MARGIN = 912, 28
_ROW, _GAP = 18, 26
_COLUMNS = 130


def render(run: Run) -> str:
    """The standalone picture, which follows the reader's colour scheme: XML without references to anything outside."""
    root = ET.Element("svg", {"xmlns": "http://www.w3.org/2000/svg", "class": "fig", "role": "group"})
    told = answer(run, findings(run))
    ET.SubElement(root, "title").text = clean(printable(f"{title(run)}: {' · '.join(facts(run))}"))
    ET.SubElement(root, "desc").text = clean(printable(told))
    ET.SubElement(root, "style").text = stylesheet("figures.css")
    background = ET.SubElement(root, "rect", {"class": "surface", "width": "100%", "height": "100%"})
    canvas = Canvas(ET.SubElement(root, "g", {"transform": f"translate({_MARGIN} 0)"}), _WIDTH)
    y = _words(canvas, [title(run)], "ink title", 40)
    y = _words(canvas, [" · ".join(facts(run))], "dim", y)
    y = _words(canvas, [told], "ink", y + 4)
    if run.chaos is not None:
        y = draw_kills(canvas, run.chaos, y) + _GAP
    y = draw_lanes(canvas, run.lanes, y) + _GAP
    y = _words(canvas, [f"{kept(run)} {zero_words(run.lanes)}.".strip()], "dim", y)
    found = list(histograms(run))
    several = len(found) > 1
    for hold, histogram in found:
        heading = f"{histogram.title}, hold {format_duration(hold)}" if several else histogram.title
        y = _words(canvas, [heading], "ink head", y + _GAP)
        y = draw_histogram(canvas, histogram, y)
    y = _words(canvas, warnings(run), "dim", y + _GAP)
    canvas.finish()
    # The details of what stands lowest are drawn under it.
    width, height = _WIDTH + 2 * _MARGIN, round(y + _GAP)
    root.attrib.update({"viewBox": f"0 0 {width} {height}", "width": str(width), "height": str(height)})
    background.attrib.update({"width": str(width), "height": str(height)})
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def lanes_figure(run: Run, width: int) -> str:
    """The lanes as an SVG of `width` pixels that takes its styles from the page that it stands in."""
    root = document(width, f"{title(run)}: timelines")
    canvas = Canvas(root, width)
    return _sized(canvas, draw_lanes(canvas, run.lanes, 0))


def histogram_figure(histogram: Histogram, width: int) -> str:
    """A histogram likewise."""
    canvas = Canvas(document(width, f"Histogram of {histogram.title}"), width)
    return _sized(canvas, draw_histogram(canvas, histogram, 0))


def _sized(canvas: Canvas, height: float) -> str:
    canvas.finish()
    canvas.root.set("viewBox", f"0 0 {canvas.width:.0f} {height:.0f}")
    return ET.tostring(canvas.root, encoding="unicode")


def _words(canvas: Canvas, sentences: Iterable[str], classes: str, y: float) -> float:
    """Sentences, each beginning a line; gives where the next one begins."""
    for sentence in sentences:
        for line in wrapped(printable(sentence), _COLUMNS, 4):
            canvas.text(0, y, line, classes)
            y += _ROW
    return y
