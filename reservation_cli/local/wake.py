"""Wakes Cloudflare's sleeping instances: a limit of the local engine.

After a start, a crash or a reload of `wrangler dev` nothing resumes by itself: an instance stays asleep past its due
time until something is sent to it. Any event does, and one that no step waits for has no effect of its own: sleeps
that are due then end at once, and the others are armed again for their due time.

An instance that is awake is in the engine's memory, a megabyte with what it runs: thousands at once have killed it
again and again. So each is woken a little before it is due, those due soonest first, a few at a time.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import quote

from reservation_cli.local import engine_files, localhttp

API = "/cdn-cgi/local/explorer/api/workflows"
#: A paused instance goes on when it is resumed, which needs no waking.
ASLEEP = frozenset({"running", "waiting", "queued", "waitingForPause"})
_PAGE = 100
_WORKERS = 4
_BATCH = 50
_PAUSE_SECONDS = 0.5
#: So often one is tried that fails: it may have ended meanwhile.
_TRIES = 60
#: So often the files are read before the engine is asked instead.
_READS = 3
#: Seconds before it is due in which one is woken, and for each that sleeps: 25 a second were woken on two busy cores.
_LEAD_SECONDS = 30.0
_LEAD_SECONDS_EACH = 0.05


def wake_all(
    port: int, workflow: str, state: Path, give_up: Callable[[], bool], say: Callable[[str], None] = lambda _: None
) -> int:
    """Wakes all unfinished instances of `workflow`, each before it is due, trying again those that fail, until
    `give_up` says so.

    Returns how many were woken, once the last was due; `say` gets what is done at once. `state` is the engine's folder.
    """
    asleep = _asleep(port, workflow, state, give_up)
    lead = _LEAD_SECONDS + _LEAD_SECONDS_EACH * len(asleep)
    failures: dict[str, int] = {}
    woken, told = 0, False
    with ThreadPoolExecutor(_WORKERS) as pool:
        while asleep and not give_up():
            horizon = time.time() + lead
            due = [instance for instance in sorted(asleep, key=asleep.__getitem__) if asleep[instance] <= horizon]
            if not due:
                if not told:
                    say(f"woke {woken} unfinished instances; {len(asleep)} more are woken before they are due")
                    told = True
                time.sleep(_PAUSE_SECONDS)
                continue
            batch = due[:_BATCH]
            answers = list(pool.map(lambda instance: not give_up() and _wake(port, workflow, instance), batch))
            for instance, answered in zip(batch, answers, strict=True):
                failures[instance] = failures.get(instance, 0) + (not answered)
                if answered or failures[instance] >= _TRIES:
                    woken += answered
                    del asleep[instance]
                else:
                    asleep[instance] = time.time() + lead - 1e-3  # behind the others that are due
            if not all(answers):
                time.sleep(_PAUSE_SECONDS)
    if woken and not told:
        say(f"woke {woken} unfinished instances")
    return woken


def _asleep(port: int, workflow: str, state: Path, give_up: Callable[[], bool]) -> dict[str, float]:
    """The ids of the instances that have not ended, and when each is due, in epoch seconds.

    From the engine's files. When they are not understood from the engine itself, which does not tell when they are due.
    """
    folder = engine_files.workflows(state, workflow)
    for attempt in range(_TRIES):
        if give_up():
            break
        try:
            if attempt >= _READS:
                return dict.fromkeys(unfinished(port, workflow), 0.0)
            found = [engine_files.instance(path) for path in engine_files.databases(folder)]
            return {each.id: each.due for each in found if each is not None and each.status in ASLEEP}
        except (sqlite3.Error, ValueError, OSError):  # also when one is just being made
            time.sleep(_PAUSE_SECONDS)
    return {}


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
