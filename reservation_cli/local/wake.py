"""Wakes Cloudflare's sleeping instances: a limit of the local engine.

After a start, a crash or a reload of `wrangler dev` nothing resumes by itself: an instance stays asleep past its due
time until something is sent to it. Any event does, and one that no step waits for has no effect of its own: sleeps
that are due then end at once, and the others are armed again for their due time.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from urllib.parse import quote

from reservation_cli.local import localhttp

API = "/cdn-cgi/local/explorer/api/workflows"
#: A paused instance goes on when it is resumed, which needs no waking.
ASLEEP = frozenset({"running", "waiting", "queued", "waitingForPause"})
_PAGE = 100
_WORKERS = 4
_PAUSE_SECONDS = 0.5
_ROUNDS = 60


def wake_all(port: int, workflow: str, give_up: Callable[[], bool]) -> int:
    """Wakes all unfinished instances of `workflow`, oldest first, trying again those that fail, until `give_up` says
    so or after sixty rounds.

    Returns how many were woken. Repeats the listing until it shows nothing new: instances that come or go while it is
    read move the others over its page breaks.
    """
    woken: set[str] = set()
    with ThreadPoolExecutor(_WORKERS) as pool:
        for _ in range(_ROUNDS):
            if give_up():
                break
            try:
                asleep = [instance for instance in unfinished(port, workflow) if instance not in woken]
            except OSError:
                time.sleep(_PAUSE_SECONDS)
                continue
            if not asleep:
                break
            answers = pool.map(lambda instance: (instance, not give_up() and _wake(port, workflow, instance)), asleep)
            done = {instance for instance, answered in answers if answered}
            woken |= done
            if len(done) < len(asleep):
                time.sleep(_PAUSE_SECONDS)
    return len(woken)


def unfinished(port: int, workflow: str) -> list[str]:
    """The ids of the instances that have not ended, oldest first: of holds of one length those due first.

    Asks for all instances: a filter makes the engine look at all of them for each page. Raises OSError.
    """
    found: dict[str, str] = {}
    page, pages = 1, 1
    while page <= pages:
        path = f"{API}/{quote(workflow)}/instances?page={page}&per_page={_PAGE}"
        listing = localhttp.get(port, path, timeout=30)
        for instance in listing["result"]:
            if instance.get("status") in ASLEEP:
                found[instance["id"]] = instance.get("created_on") or ""
        pages = listing["result_info"]["total_pages"]
        page += 1
    return sorted(found, key=lambda instance: found[instance])


def _wake(port: int, workflow: str, instance: str) -> bool:
    path = f"{API}/{quote(workflow)}/instances/{quote(instance)}/events/__wake"
    connection: HTTPConnection = localhttp.connect(port, timeout=10)
    try:
        localhttp.call(connection, "POST", path, {})
    except OSError:
        return False
    return True
