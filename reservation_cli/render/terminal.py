"""The terminal that views are drawn on."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from reservation_cli.output import plain


class PlainConsole(Console):
    """A console on which texts of others, such as a platform's error, are texts and nothing else.

    Rich itself takes a few control characters out, but neither ESC nor what turns the direction of writing.
    """

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """See rich.console.Console.render."""
        for segment in super().render(renderable, options):
            # What Rich itself tells the terminal is marked as such.
            yield segment if segment.control else segment._replace(text=plain(segment.text, "\n"))
