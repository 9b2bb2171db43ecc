"""What became of what was sent: asked for after the timers have fired, so that asking disturbs none of them."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from reservation_cli.bench.sending import Sent
from reservation_cli.crowd import follow_crowd
from reservation_cli.domain.reservation import Platform, Reservation
from reservation_cli.domain.timeline import Timeline
from reservation_cli.errors import NotFoundError, ResvError
from reservation_cli.follow import follow, is_settled
from reservation_cli.platforms import PlatformClient

T = TypeVar("T")
#: So many seats are asked about at once, on each platform.
AT_ONCE = 4
#: After the last timer is due, before anything is asked.
MARGIN_SECONDS = 0.5
_LOOK_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Collected:
    """One reservation at the end: its timeline, the record of its seat (None: it has none), and what is wrong."""

    sent: Sent
    lane: Timeline
    seat: Reservation | None
    error: str | None = None


def quiet_seconds(sent: Sequence[Sent], confirm_after: float | None) -> float:
    """Seconds from now until the last timer, or the last confirmation, is due."""
    ends = [
        one.accepted_at + (one.ticket.request.hold_seconds if confirm_after is None else confirm_after) for one in sent
    ]
    return max(0.0, max(ends, default=0.0) + MARGIN_SECONDS - time.monotonic())


def finals(
    clients: Mapping[Platform, PlatformClient],
    sent: Sequence[Sent],
    give_up: Callable[[], bool],
    lost: dict[Platform, str],
) -> Iterator[tuple[Sent, Timeline] | None]:
    """Each reservation's timeline once it has ended, until all have or `give_up`; None now and then.

    A platform that has not answered for long is given up, and told to `lost` with its error.
    """
    news: queue.SimpleQueue[tuple[Sent, Timeline] | BaseException | None] = queue.SimpleQueue()

    def run(client: PlatformClient) -> None:
        try:
            mine = [one for one in sent if one.ticket.platform == client.platform]
            try:
                for item in _followed(client, mine):
                    news.put(item)
            except ResvError as error:
                # What the other has, and what this one had until then, is worth having.
                lost[client.platform] = error.message
            news.put(None)
        except BaseException as error:  # noqa: BLE001 - raised in the caller's thread below
            news.put(error)

    for client in clients.values():
        threading.Thread(target=run, args=(client,), daemon=True).start()
    going = len(clients)
    while going and not give_up():
        try:
            item = news.get(timeout=_LOOK_SECONDS)
        except queue.Empty:
            yield None
            continue
        if isinstance(item, BaseException):
            raise item
        if item is None:
            going -= 1
        else:
            yield item


def _followed(client: PlatformClient, mine: Sequence[Sent]) -> Iterator[tuple[Sent, Timeline]]:
    if client.lists:
        for index, lane in follow_crowd(client, [one.lane for one in mine], threading.Event()):
            yield mine[index], lane
    else:
        for one in mine:
            for lane in follow(client, one.lane, threading.Event()):
                if is_settled(lane):
                    yield one, lane


def as_they_are(clients: Mapping[Platform, PlatformClient], sent: Sequence[Sent]) -> dict[str, Timeline]:
    """One look at each of `sent`, by reservation id: for the end of a run that is broken off."""
    looked: dict[str, Timeline] = {}
    for platform, client in clients.items():
        mine = [one for one in sent if one.ticket.platform == platform]
        for one, answer in zip(mine, _asked([partial(client.timeline, one.lane.ref) for one in mine]), strict=True):
            if isinstance(answer, Timeline):
                looked[one.lane.reservation_id] = _known(one, answer)
    return looked


def found(clients: Mapping[Platform, PlatformClient], sent: Sequence[Sent]) -> tuple[list[Sent], list[Sent]]:
    """Those of `sent`, all with an open answer, that have become reservations, and those that have not."""
    made: list[Sent] = []
    missing: list[Sent] = []
    for platform, client in clients.items():
        mine = [one for one in sent if one.ticket.platform == platform]
        looks = _asked([partial(client.timeline, one.lane.reservation_id) for one in mine])
        for one, answer in zip(mine, looks, strict=True):
            if isinstance(answer, Timeline):
                made.append(replace(one, lane=replace(answer, request=one.ticket.request)))
            elif isinstance(answer, NotFoundError):
                missing.append(one)
            else:
                made.append(one)  # still open: it may be found when it has ended
    return made, missing


def seats(clients: Mapping[Platform, PlatformClient], ended: Sequence[tuple[Sent, Timeline]]) -> Iterator[Collected]:
    """What the seat of each has on record, asked of the seats themselves: the second witness of how it ended."""
    for platform, client in clients.items():
        mine = [(one, lane) for one, lane in ended if one.ticket.platform == platform]
        answers = _asked([partial(client.reservation, lane.reservation_id) for _, lane in mine])
        for (one, lane), answer in zip(mine, answers, strict=True):
            if isinstance(answer, Reservation):
                yield Collected(one, lane, answer)
            else:
                yield Collected(one, lane, None, answer.message)


def _known(one: Sent, lane: Timeline) -> Timeline:
    return replace(lane, requested_at=one.lane.requested_at, accept_ms=one.lane.accept_ms)


def _asked(calls: Sequence[Callable[[], T]]) -> Iterator[T | ResvError]:
    """The answers in the order of the calls, a few calls at a time; an error of ours takes the answer's place."""

    def ask(call: Callable[[], T]) -> T | ResvError:
        try:
            return call()
        except ResvError as error:
            return error

    pool = ThreadPoolExecutor(AT_ONCE)
    try:
        yield from pool.map(ask, calls)
    finally:
        # Whoever interrupts this does not want to wait for the rest.
        pool.shutdown(wait=False, cancel_futures=True)
