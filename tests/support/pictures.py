"""The pictures that tests/unit/test_picture.py compares whole, and how to draw them anew.

After a change that is meant:  PYTHONPATH=tests python -m support.pictures  - then look at each picture that changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from reservation_cli.domain.timeline import Timeline
from reservation_cli.render.picture import picture
from support import timelines

FOLDER = Path(__file__).parent.parent / "fixtures" / "pictures"
WIDTHS = (80, 160)
CASES: dict[str, tuple[Sequence[Timeline], datetime | None]] = {
    "expired": (timelines.expired(), None),
    "confirmed": (timelines.confirmed(), None),
    "retried": (timelines.retried(), None),
    "rejected": (timelines.rejected(), None),
    "mid-hold": (timelines.mid_hold(), timelines.at(47_800)),
    "absent": ((timelines.cloudflare_expired(), timelines.absent("aws")), None),
    "failed": (timelines.failed(), None),
    "four": (timelines.four(), None),
    "scales": (timelines.cloud_and_local(), None),
    "stopped": (timelines.stopped(), None),
    "paused": (timelines.paused(), timelines.at(47_800)),
    "untold": (timelines.untold(), None),
    "one": (timelines.confirmed()[:1], None),
}


def drawn(case: str, width: int) -> str:
    """The picture of a case as plain text."""
    lanes, now = CASES[case]
    return "".join(f"{line.plain}\n" for line in picture(lanes, width, now))


def path(case: str, width: int) -> Path:
    """Where the picture is kept."""
    return FOLDER / f"{case}-{width}.txt"


def redraw() -> None:
    """Write all pictures."""
    for case in CASES:
        for width in WIDTHS:
            path(case, width).write_text(drawn(case, width), encoding="utf-8")


if __name__ == "__main__":
    redraw()
