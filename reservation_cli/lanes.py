"""Several lanes at once: one thread each, since both clients are synchronous."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from reservation_cli import store
from reservation_cli.domain.arn import parse_arn
from reservation_cli.domain.reservation import Platform, ReservationRequest, check_reservation_id
from reservation_cli.domain.timeline import Engine, Timeline
from reservation_cli.errors import (
    ConflictError,
    Interrupted,
    NotConfiguredError,
    NotFoundError,
    PlatformError,
    ResvError,
    TimedOutError,
    UsageError,
)
from reservation_cli.follow import follow
from reservation_cli.platforms import NAMES, PlatformClient

T = TypeVar("T")
#: From how many lanes of one client on they are followed together.
CROWD = 20
FRAME_SECONDS = 0.125


@dataclass(frozen=True, slots=True)
class Found:
    """The lanes of a ref, each with its client, and the platforms that do not know it."""

    lanes: tuple[tuple[PlatformClient, Timeline], ...]
    missing: tuple[Platform, ...]

    @property
    def timelines(self) -> tuple[Timeline, ...]:
        """The lanes without their clients."""
        return tuple(timeline for _, timeline in self.lanes)

    @property
    def absent(self) -> tuple[Timeline, ...]:
        """An empty lane for each platform that does not know the reservation, so that the gap is seen."""
        known = self.timelines[0]
        return tuple(
            Timeline(
                platform=platform,
                target=known.target,
                ref=known.reservation_id,
                reservation_id=known.reservation_id,
                endpoint="",
                engine=Engine("unknown"),
                status="unknown",
                as_of=known.as_of,
            )
            for platform in self.missing
        )


def together(calls: Sequence[Callable[[], T]]) -> list[T | ResvError]:
    """Make the calls at the same time; an error of ours takes the place of the result, any other is raised."""
    answers: queue.SimpleQueue[tuple[int, T | BaseException]] = queue.SimpleQueue()

    def run(index: int, call: Callable[[], T]) -> None:
        try:
            answers.put((index, call()))
        except BaseException as error:  # noqa: BLE001 - handed to the caller's thread below
            answers.put((index, error))

    for index, call in enumerate(calls):
        # Daemons: Ctrl-C must not wait for an answer that nobody reads any more.
        threading.Thread(target=run, args=(index, call), daemon=True).start()
    results = dict(answers.get() for _ in calls)
    ordered: list[T | ResvError] = []
    for index in range(len(calls)):
        result = results[index]
        if isinstance(result, BaseException) and not isinstance(result, ResvError):
            raise result
        ordered.append(result)
    return ordered


def reserve(
    home: Path, pairs: Sequence[tuple[PlatformClient, ReservationRequest]]
) -> tuple[list[tuple[PlatformClient, Timeline]], ResvError | None]:
    """Send all requests at once and remember what was accepted, before any error is raised.

    Gives the lanes, and the error to raise once they have been shown when they could not be remembered. An error of a
    platform names the reservation that was asked for, which it may have made without having answered.
    """
    store.check_readable(home)
    answers = together([partial(client.reserve, request) for client, request in pairs])
    accepted = [(client, lane) for (client, _), lane in zip(pairs, answers, strict=True) if isinstance(lane, Timeline)]
    unkept = _remember(home, [lane for _, lane in accepted])
    for (client, request), answer in zip(pairs, answers, strict=True):
        if isinstance(answer, ResvError):
            hints = [answer.hint]
            if isinstance(answer, PlatformError | TimedOutError):  # which leaves it open whether it was made
                name, flag = request.reservation_id, " --local" if client.target == "local" else ""
                asked = f"{NAMES[client.platform]} was asked for {name}"
                hints.append(f"{asked}; what it knows of it: resv status {name}{flag}")
            others = ", ".join(f"{NAMES[lane.platform]} has {lane.reservation_id}" for _, lane in accepted)
            hints.append(others and f"{others}, and goes on")
            answer.hint = ". ".join(hint.rstrip(".") for hint in hints if hint) + "." if any(hints) else None
            raise answer
    return accepted, unkept


def _remember(home: Path, lanes: Sequence[Timeline]) -> ResvError | None:
    try:
        store.remember(home, lanes)
    except NotConfiguredError as error:
        names = " and ".join(dict.fromkeys(lane.reservation_id for lane in lanes))
        error.hint = f"{names} is made, and `last` does not know it: name it by its id. {error.hint}"
        return error
    return None


def find(home: Path, clients: Sequence[PlatformClient], ref: str) -> Found:
    """The lanes of `ref` (an ARN, a reservation id, or `last`), each with the reservation as its seat has it.

    Raises NotFoundError when no platform knows it; any other error of a platform as it is.
    """
    known = store.known_lanes(home, ref)
    # An execution's own ref is of use only where that execution is.
    refs = [
        lane.ref if (lane := known.get(client.platform)) and lane.stage == client.stage else ref for client in clients
    ]
    answers = together([partial(_look, client, name) for client, name in zip(clients, refs, strict=True)])
    lanes: list[tuple[PlatformClient, Timeline]] = []
    missing: list[Platform] = []
    for client, answer in zip(clients, answers, strict=True):
        if isinstance(answer, NotFoundError):
            missing.append(client.platform)
        elif isinstance(answer, ResvError):
            raise answer
        else:
            lanes.append((client, store.with_client_clock(home, answer)))
    if not lanes:
        raise unknown(ref, missing)
    return Found(tuple(lanes), tuple(missing))


def exit_code(timelines: Sequence[Timeline]) -> int:
    """0 when each lane went its way, 4 when a seat was taken, 5 when a workflow failed or was stopped."""
    if any(lane.outcome == "rejected" for lane in timelines):
        return ConflictError.exit_code
    broken = any(lane.status in ("failed", "timed_out", "stopped") for lane in timelines)
    return PlatformError.exit_code if broken else 0


@contextmanager
def resumable(name: str, back: str) -> Iterator[None]:
    """Ctrl-C within says that the reservation `name` goes on, and that the command `back` comes back to it."""
    try:
        yield
    except KeyboardInterrupt as error:
        raise Interrupted(f"Interrupted; {name} goes on by itself.", hint=f"Come back to it: {back}") from error


@contextmanager
def followed(name: str, back: str) -> Iterator[None]:
    """The same, and an error within, after which the reservation goes on as well, says so, too."""
    with resumable(name, back):
        try:
            yield
        except (PlatformError, TimedOutError, NotConfiguredError) as error:
            goes_on = f"{name} goes on; come back to it: {back}"
            error.hint = f"{error.hint.rstrip('.')}. {goes_on}" if error.hint else goes_on
            raise


def unknown(ref: str, platforms: Sequence[Platform]) -> NotFoundError:
    """The error for a reservation that none of the platforms knows."""
    places = " or ".join(NAMES[platform] for platform in platforms)
    return NotFoundError(f"There is no reservation {ref} on {places}.", hint="`resv list` shows what there is.")


def resolve(home: Path, ref: str) -> str:
    """`ref` with `last` replaced by the id that it stands for; UsageError when it is neither an ARN nor an id."""
    if ref == "last":
        return store.last(home)
    if ref.startswith("arn:"):
        parse_arn(ref)
        return ref
    try:
        return check_reservation_id(ref)
    except ValueError as error:
        raise UsageError(
            f"{error} Got {ref!r}.", hint="Give a reservation id, the ARN of an execution, or last."
        ) from error


def watch(
    home: Path,
    lanes: Sequence[tuple[PlatformClient, Timeline]],
    nudges: Sequence[threading.Event],
    every_frame: bool = False,
) -> Iterator[tuple[Timeline, ...]]:
    """All lanes' latest timelines each time that one changes, until all are over; the first error ends it.

    With `every_frame` also once a frame, for a countdown. `nudges[i]` makes lane i ask at once, and so does a
    confirmation or cancel by another `resv` on this machine.
    """
    news: queue.SimpleQueue[tuple[int, Timeline | BaseException | None]] = queue.SimpleQueue()

    def run(source: Iterator[tuple[int, Timeline]]) -> None:
        try:
            for index, timeline in source:
                news.put((index, timeline))
            news.put((0, None))
        except BaseException as error:  # noqa: BLE001 - handed to the caller's thread below
            news.put((0, error))

    latest = [timeline for _, timeline in lanes]
    sources = _sources(lanes, nudges)
    for source in sources:
        threading.Thread(target=run, args=(source,), daemon=True).start()
    going, decision = len(sources), store.last_decision(home)
    yield tuple(latest)
    while going:
        try:
            index, item = news.get(timeout=FRAME_SECONDS)
        except queue.Empty:
            if (newest := store.last_decision(home)) != decision:
                decision = newest
                for nudge in nudges:
                    nudge.set()
            if every_frame:
                yield tuple(latest)
            continue
        if isinstance(item, BaseException):
            raise item
        if item is None:
            going -= 1
            continue
        latest[index] = item
        yield tuple(latest)


def _sources(
    lanes: Sequence[tuple[PlatformClient, Timeline]], nudges: Sequence[threading.Event]
) -> list[Iterator[tuple[int, Timeline]]]:
    """What tells of the lanes, each with its index: a follower a lane, or one for all lanes of a client with many."""
    by_client: dict[int, list[int]] = {}
    for index, (client, _) in enumerate(lanes):
        by_client.setdefault(id(client), []).append(index)
    sources: list[Iterator[tuple[int, Timeline]]] = []
    for indexes in by_client.values():
        if len(indexes) >= CROWD and lanes[indexes[0]][0].lists:
            sources.append(_crowd(lanes, indexes, nudges[indexes[0]]))
        else:
            sources += [_alone(index, *lanes[index], nudges[index]) for index in indexes]
    return sources


def _alone(
    index: int, client: PlatformClient, first: Timeline, nudge: threading.Event
) -> Iterator[tuple[int, Timeline]]:
    return ((index, timeline) for timeline in follow(client, first, nudge))


def _crowd(
    lanes: Sequence[tuple[PlatformClient, Timeline]], indexes: Sequence[int], nudge: threading.Event
) -> Iterator[tuple[int, Timeline]]:
    from reservation_cli.crowd import follow_crowd  # deferred: most commands follow few lanes, or none

    client = lanes[indexes[0]][0]
    followed = follow_crowd(client, [lanes[index][1] for index in indexes], nudge)
    return ((indexes[position], timeline) for position, timeline in followed)


def with_seat(client: PlatformClient, timeline: Timeline) -> Timeline:
    """`timeline` with the reservation as its seat has it, which decides before the workflow comes to know of it."""
    if timeline.is_over and timeline.outcome:
        return timeline
    try:
        seat = client.reservation(timeline.ref)
    except NotFoundError:
        return timeline  # the execution is there, its hold is not: yet, or never (its input was refused)
    return replace(timeline, reservation=seat, outcome=seat.outcome)


def _look(client: PlatformClient, ref: str) -> Timeline:
    return with_seat(client, client.timeline(ref))
