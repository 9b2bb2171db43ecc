"""The load generator: so many requests under way at once, or so many a second; and the confirmations that follow."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from reservation_cli.bench.tickets import Ticket
from reservation_cli.domain.reservation import Platform
from reservation_cli.domain.timeline import Engine, Timeline
from reservation_cli.errors import ConflictError, NotConfiguredError, NotFoundError, ResvError, UsageError
from reservation_cli.platforms import PlatformClient

#: A confirmation that comes before the hold does is made again, for so long.
_HOLD_SECONDS = 10.0
_AGAIN_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of one ticket's request.

    `error` is what was answered instead of an acceptance: with `is_open` it leaves open whether the reservation was
    made (no answer came), and it has to be looked for. `accepted_at` is monotonic seconds.
    """

    ticket: Ticket
    lane: Timeline
    accepted_at: float
    error: ResvError | None = None
    is_open: bool = False


class Sender:
    """Sends tickets in their order from `concurrency` threads; `stop` keeps those back that are not sent yet."""

    def __init__(self, clients: Mapping[Platform, PlatformClient], concurrency: int) -> None:
        self._clients = clients
        self._concurrency = concurrency
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Send no more."""
        self._stopped.set()

    def send(self, tickets: Sequence[Ticket]) -> Iterator[Sent | None]:
        """What became of each ticket, as the answers come; None now and then, so that the caller can look up."""
        waiting, answers = iter(tickets), queue.SimpleQueue[Sent | BaseException | None]()
        lock, begun = threading.Lock(), time.monotonic()

        def run() -> None:
            try:
                while (ticket := self._next(waiting, lock, begun)) is not None:
                    answers.put(self._one(ticket))
                answers.put(None)
            except BaseException as error:  # noqa: BLE001 - raised in the caller's thread below
                answers.put(error)

        going = min(self._concurrency, len(tickets))
        for _ in range(going):
            threading.Thread(target=run, daemon=True).start()
        while going:
            try:
                answer = answers.get(timeout=0.1)
            except queue.Empty:
                yield None
                continue
            if isinstance(answer, BaseException):
                raise answer
            if answer is None:
                going -= 1
            else:
                yield answer

    def _next(self, waiting: Iterator[Ticket], lock: threading.Lock, begun: float) -> Ticket | None:
        with lock:
            ticket = None if self._stopped.is_set() else next(waiting, None)
        if ticket is None or ticket.not_before == 0:
            return ticket
        pause = begun + ticket.not_before - time.monotonic()
        return None if pause > 0 and self._stopped.wait(pause) else ticket

    def _one(self, ticket: Ticket) -> Sent:
        client = self._clients[ticket.platform]
        try:
            lane = client.start(ticket.request)
            return Sent(ticket, replace(lane, request=ticket.request), time.monotonic())
        except (ConflictError, NotConfiguredError, UsageError) as error:
            return Sent(ticket, unanswered(client, ticket), time.monotonic(), error)
        except ResvError as error:
            return Sent(ticket, unanswered(client, ticket), time.monotonic(), error, is_open=True)


class Confirmer:
    """Confirms each reservation a fixed time after it was accepted; a refusal is kept by reservation id."""

    def __init__(self, clients: Mapping[Platform, PlatformClient], after: float, threads: int) -> None:
        from concurrent.futures import ThreadPoolExecutor  # deferred: needed by benchmarks of signals alone

        self.refusals: dict[str, str] = {}
        self._clients = clients
        self._after = after
        self._due: queue.SimpleQueue[Sent] = queue.SimpleQueue()
        self._left = 0
        self._pool = ThreadPoolExecutor(threads)
        self._changed = threading.Condition()
        threading.Thread(target=self._run, daemon=True).start()

    def add(self, sent: Sent) -> None:
        """Confirm this one in its time."""
        with self._changed:
            self._left += 1
        self._due.put(sent)

    def wait(self) -> None:
        """Until all confirmations have been answered."""
        with self._changed:
            self._changed.wait_for(lambda: self._left == 0)

    def close(self) -> None:
        """Confirm no more."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _run(self) -> None:
        while True:
            sent = self._due.get()  # answers come in the order of acceptance, near enough
            time.sleep(max(0.0, sent.accepted_at + self._after - time.monotonic()))
            try:
                self._pool.submit(self._confirm, sent)
            except RuntimeError:  # closed in the meantime
                return

    def _confirm(self, sent: Sent) -> None:
        try:
            _until_held(lambda: self._clients[sent.ticket.platform].confirm(sent.lane.ref))
        except ResvError as error:
            self.refusals[sent.lane.reservation_id] = error.message
        finally:
            with self._changed:
                self._left -= 1
                self._changed.notify()


def unanswered(client: PlatformClient, ticket: Ticket) -> Timeline:
    """A lane of which nothing is known but what was asked for."""
    from datetime import UTC, datetime

    return Timeline(
        platform=client.platform,
        target=client.target,
        ref=ticket.request.reservation_id,
        reservation_id=ticket.request.reservation_id,
        endpoint="",
        engine=Engine("unknown"),
        status="unknown",
        as_of=datetime.now(UTC),
        request=ticket.request,
        label=client.label,
        stage=client.stage,
    )


def _until_held(call: Callable[[], object]) -> None:
    deadline = time.monotonic() + _HOLD_SECONDS
    while True:
        try:
            call()
        except NotFoundError:
            if time.monotonic() > deadline:
                raise
            time.sleep(_AGAIN_SECONDS)
        else:
            return
