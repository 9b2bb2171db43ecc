"""Following lanes on a screen: redrawn on a terminal, quiet elsewhere. Gives back the last timelines."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from reservation_cli.domain.timeline import Timeline
from reservation_cli.lanes import watch
from reservation_cli.output import Output
from reservation_cli.platforms import PlatformClient

if TYPE_CHECKING:
    from rich.console import RenderableType


class LaneView(Protocol):
    """A drawing of lanes; `now` is given for a frame of a live view, None for the final one."""

    def __call__(self, lanes: Sequence[Timeline], width: int, now: datetime | None = None) -> RenderableType:
        """Draw at most `width` columns."""


def follow_live(
    home: Path,
    output: Output,
    found: Sequence[tuple[PlatformClient, Timeline]],
    view: LaneView,
    each: Callable[[tuple[Timeline, ...]], None] = lambda _: None,
    nudges: Sequence[threading.Event] | None = None,
) -> tuple[Timeline, ...]:
    """Follow to the end and draw with `view`, unless the output is JSON; `each` gets every change.

    `nudges[i]`, when set, makes lane i ask its platform at once.
    """
    waked = nudges or [threading.Event() for _ in found]
    latest = tuple(lane for _, lane in found)
    try:
        if output.is_live:
            with output.live() as draw:
                for latest in watch(home, found, waked, every_frame=True):
                    draw(partial(view, latest, now=datetime.now(UTC)))
        else:
            for latest in watch(home, found, waked):
                each(latest)
    finally:
        # Also when it ends early: what was seen until then is worth keeping.
        if not output.as_json:
            output.view(partial(view, latest))
    return latest
