"""When a stack was last used, by asking its engines: for the idle stop."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from urllib.parse import quote

from reservation_cli.local import localhttp
from reservation_cli.local.plan import Child
from reservation_cli.local.wake import API

#: "unknown" is what is left when somebody has asked for an instance that there is not: the engine makes a file for it.
_ENDED = {"complete", "errored", "terminated", "unknown"}
_PAGE = 100


def last_use(children: Iterable[Child]) -> float | None:
    """The latest use that the engines know of, in epoch seconds (0: none); None while one has something unfinished.

    An engine that does not answer has something unfinished, for all that is known.
    """
    try:
        uses = [_last_use(child) for child in children]
    except OSError:
        return None
    return None if None in uses else max((use for use in uses if use is not None), default=0.0)


def _last_use(child: Child) -> float | None:
    if child.reports_use:
        health = localhttp.get(child.port, child.path)
        return None if health["running"] else _epoch(health["last_request"])
    if child.workflow:
        # Newest first.
        listing = localhttp.get(child.port, f"{API}/{quote(child.workflow)}/instances?per_page={_PAGE}", timeout=30)
        if set(listing["result_info"]["status_counts"]) - _ENDED:
            return None
        return max((_epoch(instance.get("created_on")) for instance in listing["result"]), default=0.0)
    return 0.0


def _epoch(timestamp: str | None) -> float:
    return 0.0 if timestamp is None else datetime.fromisoformat(timestamp).timestamp()
