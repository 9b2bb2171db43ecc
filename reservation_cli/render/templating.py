"""What the HTML and the SVG share: the template environment, and the colours of both schemes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Environment

#: What the reader's own system writes in: nothing is fetched.
FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, "Noto Sans", sans-serif'

#: Characters that no XML document can have, not even escaped. XML 1.0, 2.2.
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Palette:
    """The colours of one scheme. Text in any of them but `grid` has a contrast of 4.5 or more on `surface` (WCAG AA).

    `cloudflare` and `aws` are the hues of words.LANE_STYLES.
    """

    surface: str
    ink: str
    dim: str
    grid: str
    cloudflare: str
    aws: str
    failed: str
    late: str


LIGHT = Palette(
    surface="#ffffff",
    ink="#1b1f24",
    dim="#59626d",
    grid="#e3e6ea",
    cloudflare="#b4530a",
    aws="#0b68ab",
    failed="#b42318",
    late="#8a6100",
)
DARK = Palette(
    surface="#14171b",
    ink="#e8eaed",
    dim="#9da6b1",
    grid="#2c3239",
    cloudflare="#ff9e57",
    aws="#5cb8ff",
    failed="#ff8a80",
    late="#e3b341",
)


def clean(text: str) -> str:
    """`text` without what no XML document can have."""
    return _NO_XML.sub("\N{REPLACEMENT CHARACTER}", text)


@cache
def environment() -> Environment:
    """The templates of this package; what they are given is escaped unless it is markup of our own."""
    from jinja2 import Environment, PackageLoader, StrictUndefined  # deferred: 60 ms that only these formats need

    return Environment(
        loader=PackageLoader("reservation_cli.render"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: clean(value) if type(value) is str else value,
    )


def stylesheet(name: str) -> str:
    """A style sheet of ours with both palettes in it."""
    from markupsafe import Markup

    return (
        environment().get_template(name).render(font=Markup(FONT), light=LIGHT, dark=DARK)  # noqa: S704 - our own text
    )
