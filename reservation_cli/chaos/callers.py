"""The people who reserve: each asks, and asks again, until there is an answer, as a client does that means it."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from reservation_cli.chaos.ground import Clients
from reservation_cli.domain.chaos import PATIENCE_SECONDS, Answer, Ask
from reservation_cli.domain.reservation import ReservationRequest, whole_ms
from reservation_cli.errors import ConflictError, NotFoundError, PlatformError, ResvError, TimedOutError

USER = "chaos"
_AGAIN_SECONDS = 0.1


@dataclass
class Call:
    """One reservation as its caller sees it. Only its own thread changes it."""

    ask: Ask
    strike: int
    is_probe: bool = False
    ref: str = ""
    sent: datetime | None = None
    accepted: datetime | None = None
    refusal: str | None = None
    answer: Answer | None = None
    answered: datetime | None = None
    calls: int = 0


@dataclass
class Callers:
    """Everybody who has asked for something, in the order of asking."""

    clients: Clients
    calls: list[Call] = field(default_factory=list)
    _stopped: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def send(self, asks: Sequence[Ask], strike: int, *, probes: bool = False, spread: float = 0.0) -> list[Call]:
        """Ask for all of them at once, or evenly over `spread` seconds, without waiting for an answer."""
        calls = [Call(ask, strike, probes, ref=ask.reservation_id) for ask in asks]
        self.calls += calls
        gate = threading.Barrier(len(calls))
        # Daemons: Ctrl-C must not wait for an answer that nobody reads any more.
        threads = [
            threading.Thread(target=self._run, args=(call, gate, spread * index / len(calls)), daemon=True)
            for index, call in enumerate(calls)
        ]
        self._threads = [thread for thread in self._threads if thread.is_alive()] + threads
        for thread in threads:
            thread.start()
        return calls

    def stop(self) -> None:
        """Ask for nothing any more."""
        self._stopped.set()

    def join(self) -> None:
        """Wait until everybody has been answered or has given up."""
        for thread in self._threads:
            thread.join()

    def _run(self, call: Call, gate: threading.Barrier, delay: float) -> None:
        gate.wait()
        self._stopped.wait(delay)
        call.sent = whole_ms(datetime.now(UTC))
        self._reserve(call)
        if call.ask.action and call.accepted:
            due = call.accepted.timestamp() + call.ask.after * call.ask.hold_seconds
            if not self._stopped.wait(max(0.0, due - time.time())):
                self._decide(call)

    def _reserve(self, call: Call) -> None:
        ask, client = call.ask, self.clients[call.ask.platform]
        request = ReservationRequest(ask.reservation_id, ask.seat, USER, ask.hold_seconds, ask.strategy)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not self._stopped.is_set():
            try:
                lane = client.start(request)
            except (PlatformError, TimedOutError) as error:
                call.refusal = error.message
                if time.monotonic() > deadline:
                    return
                self._stopped.wait(_AGAIN_SECONDS)
            except ResvError as error:
                call.refusal = error.message
                return
            else:
                call.ref, call.accepted, call.refusal = lane.ref, whole_ms(datetime.now(UTC)), None
                return

    def _decide(self, call: Call) -> None:
        client = self.clients[call.ask.platform]
        act = client.confirm if call.ask.action == "confirm" else client.cancel
        deadline = time.monotonic() + PATIENCE_SECONDS
        call.answer = "none"
        while not self._stopped.is_set():
            call.calls += 1
            try:
                act(call.ask.reservation_id)
            except ConflictError:
                call.answer, call.answered = "refused", whole_ms(datetime.now(UTC))
                return
            except (PlatformError, TimedOutError, NotFoundError):  # NotFoundError: it is not held yet
                if time.monotonic() > deadline:
                    return
                self._stopped.wait(_AGAIN_SECONDS)
            else:
                call.answer, call.answered = "done", whole_ms(datetime.now(UTC))
                return
