"""One benchmark from its plan to what was measured: warm up, send, keep quiet, collect, ask the seats."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

from reservation_cli.bench import collecting, judging
from reservation_cli.bench.collecting import Collected
from reservation_cli.bench.sending import Confirmer, Sender, Sent
from reservation_cli.bench.tickets import Ticket, tickets, warmups
from reservation_cli.domain.benchmark import Bench, Plan, Sample, Verdict
from reservation_cli.domain.reservation import Platform
from reservation_cli.domain.timeline import Timeline
from reservation_cli.errors import NotConfiguredError, UsageError
from reservation_cli.platforms import PlatformClient

Phase = Literal["warming up", "sending", "holding", "collecting", "asking the seats"]
#: How far it is: the phase, what is done of it, of how much (reservations; seconds while holding), and counts in words.
Progress = Callable[[Phase, float, float, str], None]

#: After the last reservation was due, one that has not ended is lost.
PATIENCE_SECONDS = 120.0

Clients = Mapping[Platform, PlatformClient]


@dataclass
class _State:
    """What a run has come to, so that it can be broken off at any moment."""

    sent: list[Sent] = field(default_factory=list)
    refused: list[Sent] = field(default_factory=list)
    ended: list[tuple[Sent, Timeline]] = field(default_factory=list)
    collected: list[Collected] = field(default_factory=list)
    #: why there is no more to tell: by reservation a refused confirmation, by platform the error that it ended with
    refusals: dict[str, str] = field(default_factory=dict)
    lost: dict[Platform, str] = field(default_factory=dict)
    interrupted: bool = False


def measure(plan: Plan, clients: Clients, progress: Progress) -> tuple[Bench, tuple[Timeline, ...]]:
    """What was measured, and the lanes worth drawing.

    A reservation that has not ended PATIENCE_SECONDS after the last one was due is lost. Ctrl-C ends it early: what
    has ended until then is in the result, which says that it was interrupted; a second one is raised.
    """
    begun, cpu, before = time.monotonic(), _cpu_seconds(), _requests(clients)
    state = _State()
    try:
        if plan.warmup:
            _warm_up(plan, clients, progress)
            before = _requests(clients)
        _send(plan, clients, tickets(plan), state, progress)
        _collect(clients, state, progress)
    except KeyboardInterrupt:
        state.interrupted = True
        _collect_what_there_is(clients, state)
    bench = Bench(
        plan=plan,
        samples=tuple(_samples(plan, state)),
        requests={platform: count - before[platform] for platform, count in _requests(clients).items()},
        seconds=round(time.monotonic() - begun, 3),
        cpu_seconds=round(_cpu_seconds() - cpu, 3),
        interrupted=state.interrupted,
        double_held=judging.double_held(state.collected),
    )
    lanes = {one.lane.reservation_id: one.lane for one in state.collected}
    return bench, judging.exemplars(bench.samples, lanes)


def _warm_up(plan: Plan, clients: Clients, progress: Progress) -> None:
    wanted, state = warmups(plan), _State()
    progress("warming up", 0, len(wanted), "")
    for _ in _sending(plan, clients, wanted, state):
        progress("warming up", len(state.sent), len(wanted), "")
    _raise_hopeless(state)
    _hold(state.sent, None, lambda *_: None)
    deadline = time.monotonic() + 30
    for _ in collecting.finals(clients, state.sent, lambda: time.monotonic() > deadline, state.lost):
        pass


def _send(plan: Plan, clients: Clients, wanted: Sequence[Ticket], state: _State, progress: Progress) -> None:
    with _confirming(plan, clients) as confirmer:
        for sent in _sending(plan, clients, wanted, state):
            if sent is not None and confirmer is not None and sent.error is None:
                confirmer.add(sent)
            progress("sending", len(state.sent) + len(state.refused), len(wanted), _refused(state))
        _raise_hopeless(state)
        for sent in _look_for_open(clients, state):
            if confirmer is not None:
                confirmer.add(sent)
        _hold(state.sent, plan.confirm_after, progress)
        if confirmer is not None:
            confirmer.wait()
            state.refusals = confirmer.refusals


def _sending(plan: Plan, clients: Clients, wanted: Sequence[Ticket], state: _State) -> Iterator[Sent | None]:
    sender = Sender(clients, plan.concurrency)
    try:
        for sent in sender.send(wanted):
            if sent is not None:
                (state.refused if sent.error is not None else state.sent).append(sent)
            yield sent
    finally:
        sender.stop()


@contextmanager
def _confirming(plan: Plan, clients: Clients) -> Iterator[Confirmer | None]:
    if plan.confirm_after is None:
        yield None
        return
    confirmer = Confirmer(clients, plan.confirm_after, plan.concurrency)
    try:
        yield confirmer
    finally:
        confirmer.close()


def _raise_hopeless(state: _State) -> None:
    """Without credentials, say, no ticket fares better than the first: that is told as what it is."""
    if state.refused and not state.sent:
        error = state.refused[0].error
        if isinstance(error, NotConfiguredError | UsageError):
            raise error


def _look_for_open(clients: Clients, state: _State) -> list[Sent]:
    """A request without an answer may have made a reservation all the same: those that have."""
    made, missing = collecting.found(clients, [one for one in state.refused if one.is_open])
    state.sent += made
    state.refused = [one for one in state.refused if not one.is_open] + missing
    return made


def _hold(sent: Sequence[Sent], confirm_after: float | None, progress: Progress) -> None:
    whole = collecting.quiet_seconds(sent, confirm_after)
    while (left := collecting.quiet_seconds(sent, confirm_after)) > 0:
        progress("holding", whole - left, whole, "no request is made while timers run")
        time.sleep(min(left, 0.1))


def _collect(clients: Clients, state: _State, progress: Progress) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    going: list[Sent] = list(state.sent)
    progress("collecting", 0, len(going), "")
    for item in collecting.finals(clients, going, lambda: time.monotonic() > deadline, state.lost):
        if item is not None:
            state.ended.append(item)
            progress("collecting", len(state.ended), len(going), "")
    for one in collecting.seats(clients, state.ended):
        state.collected.append(one)
        progress("asking the seats", len(state.collected), len(state.ended), "")


def _collect_what_there_is(clients: Clients, state: _State) -> None:
    done = {one.sent.lane.reservation_id for one in state.collected}
    ended = {one.lane.reservation_id: (one, lane) for one, lane in state.ended}
    missing = [one for one in state.sent if one.lane.reservation_id not in ended]
    looked = collecting.as_they_are(clients, missing)
    for one in missing:
        lane = looked.get(one.lane.reservation_id)
        if lane is not None and lane.is_over:
            ended[one.lane.reservation_id] = (one, lane)
    state.ended = list(ended.values())
    left = [(one, lane) for one, lane in state.ended if one.lane.reservation_id not in done]
    state.collected += collecting.seats(clients, left)


def _samples(plan: Plan, state: _State) -> list[Sample]:
    ended = {one.sent.lane.reservation_id for one in state.collected}
    samples = [judging.judged(plan, one, state.refusals.get(one.lane.reservation_id)) for one in state.collected]
    samples += [judging.unended(plan, one, "refused") for one in state.refused]
    verdict: Verdict = "unfinished" if state.interrupted else "lost"
    samples += [
        judging.unended(plan, one, verdict, state.lost.get(one.ticket.platform))
        for one in state.sent
        if one.lane.reservation_id not in ended
    ]
    return sorted(samples, key=lambda sample: sample.number)


def _refused(state: _State) -> str:
    return f"{len(state.refused)} refused" if state.refused else ""


def _requests(clients: Clients) -> dict[Platform, int]:
    return {platform: client.requests for platform, client in clients.items()}


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
