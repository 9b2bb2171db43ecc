"""One chaos run from its plan to what was found: warm up, kill, wait until all has ended, ask everybody."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

from reservation_cli.chaos import collecting
from reservation_cli.chaos.callers import Call, Callers
from reservation_cli.chaos.ground import Ground
from reservation_cli.chaos.pace import Pace
from reservation_cli.domain.chaos import PATIENCE_SECONDS, WITHIN, Ask, Booking, Chaos, Kill, Plan, Strike
from reservation_cli.domain.chaos_aftermath import aftermaths, waiting
from reservation_cli.domain.chaos_plan import WARM_UP, hit, strikes, warm_ups
from reservation_cli.domain.reservation import whole_ms
from reservation_cli.domain.timeline import ENDED, Timeline
from reservation_cli.errors import PlatformError, ResvError

#: How far it is: what is done, how much of it, of how much, and more words.
Progress = Callable[[str, float, float, str], None]

_LOOK_SECONDS = 0.1
#: A step lasts for some milliseconds, and begins within this time.
_POLL_SECONDS, _STEP_SECONDS = 0.001, 2.0


@dataclass
class _State:
    """What a run has come to, so that it can be broken off at any moment."""

    callers: Callers
    begun: datetime
    pace: Pace = field(default_factory=Pace)
    kills: list[Kill] = field(default_factory=list)
    loads: list[float] = field(default_factory=list)
    interrupted: bool = False
    failed: str | None = None


def measure(plan: Plan, ground: Ground, progress: Progress) -> tuple[Chaos, tuple[Timeline, ...]]:
    """What was found, and the lanes worth drawing: of each process, what its worst kill kept waiting longest.

    Ctrl-C ends it early, and so does a process that does not come back after a kill: what was found until then is in
    the result, which says so; a second Ctrl-C is raised. Raises PlatformError when it fails before any kill.
    """
    begun = time.monotonic()
    state = _State(Callers(ground.clients), datetime.now(UTC))
    try:
        _warm_up(plan, ground, state, progress)
        for strike in strikes(plan):
            progress("killing", strike.number, plan.kills, f"{strike.victim}, {strike.moment}")
            _strike(plan, ground, state, strike)
        progress("waiting for the last holds", 0, 1, "")
        state.callers.join()
        _until_over(ground, state, state.callers.calls)
    except KeyboardInterrupt:
        state.interrupted = True
    except ResvError as error:
        if not state.kills:
            raise
        state.failed = error.message
    finally:
        state.callers.stop()
    bookings, lanes = _found_out(ground, state, progress)
    chaos = Chaos(
        plan=plan,
        begun=whole_ms(state.begun),
        seconds=round(time.monotonic() - begun, 3),
        kills=tuple(state.kills),
        bookings=tuple(bookings),
        interrupted=state.interrupted,
        load=round(sum(state.loads) / len(state.loads), 2) if state.loads else None,
        failed=state.failed,
    )
    return chaos, _exemplars(chaos, lanes)


def _found_out(ground: Ground, state: _State, progress: Progress) -> tuple[list[Booking], dict[str, Timeline]]:
    """What everybody says of each reservation; those that were asked about until Ctrl-C, or until the stack failed."""
    found: list[Booking] = []
    lanes: dict[str, Timeline] = {}
    calls = list(state.callers.calls)
    try:
        ground.revive()
        for booking, lane in collecting.bookings(ground, calls, state.begun):
            found.append(booking)
            if lane is not None:
                lanes[booking.ask.reservation_id] = lane
            progress("asking everybody", len(found), len(calls), "")
    except KeyboardInterrupt:
        if state.interrupted:
            raise
        state.interrupted = True
    except ResvError as error:
        if not state.kills:
            raise
        state.failed = state.failed or error.message
    return found, lanes


def _warm_up(plan: Plan, ground: Ground, state: _State, progress: Progress) -> None:
    progress("warming up", 0, 1, "")
    for asks in warm_ups(plan):
        calls = state.callers.send(asks, WARM_UP)
        _until_over(ground, state, calls)
    _learn(ground, state, calls)


def _strike(plan: Plan, ground: Ground, state: _State, strike: Strike) -> None:
    pid = _found(ground, strike)
    spread = state.pace.spread(strike.platform, len(strike.asks)) if strike.is_spread else 0.0
    calls = state.callers.send(strike.asks, strike.number, spread=spread)
    _await_moment(plan, ground, state.pace, strike, calls, spread)
    group = [call for call in calls if call.ask.hold_seconds == plan.hold_seconds]
    kill = _kill(plan, ground, strike, pid)
    state.kills.append(kill)
    state.callers.send(strike.probes, strike.number, probes=True)
    state.loads.append(os.getloadavg()[0])
    if strike.victim == "supervisor":
        ground.revive(kill.pid)  # nobody else would: the next command does it
    _until_over(ground, state, group)
    _learn(ground, state, [call for call in group if not call.ask.rivals])


def _await_moment(plan: Plan, ground: Ground, pace: Pace, strike: Strike, calls: Sequence[Call], spread: float) -> None:
    """Wait until it is time to kill: as it is seen where it can be seen, and else as it is expected."""
    anchor, seconds = pace.aim(strike.platform, strike.moment, strike.where, plan.hold_seconds)
    begun = time.time() + spread / 2 if anchor == "sent" else _moment(ground, strike, calls, anchor)
    ids = [call.ask.reservation_id for call in calls if call.ask.platform == strike.platform]
    if strike.moment in WITHIN and ground.is_in_step(strike.platform, ids) is not None:
        deadline = begun + max(_STEP_SECONDS, 2 * seconds)
        if anchor == "due":
            time.sleep(max(0.0, begun - time.time()))
        while not ground.is_in_step(strike.platform, ids) and time.time() < deadline:
            time.sleep(_POLL_SECONDS)
        return
    # Rather late than early: of those that are sent over this time the last ones are still to come.
    time.sleep(max(0.0, begun + seconds + spread / 4 - time.time()))


def _found(ground: Ground, strike: Strike) -> int:
    """The process to kill; one that is just being started again is waited for."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return ground.find(strike.victim, strike.where)
        except PlatformError:
            if time.monotonic() > deadline:
                raise
            time.sleep(_LOOK_SECONDS)


def _kill(plan: Plan, ground: Ground, strike: Strike, pid: int) -> Kill:
    while (killed := ground.kill(pid)) is None:
        pid = _found(ground, strike)
    return Kill(strike.number, strike.victim, strike.moment, hit(plan, strike.victim), pid, whole_ms(killed))


def _moment(ground: Ground, strike: Strike, calls: Sequence[Call], anchor: str) -> float:
    """When the reservation that is aimed at was held, or is due, in epoch seconds."""
    near = [call for call in calls if call.ask.platform == strike.platform and _waits(call.ask)]
    shortest = [call for call in near if call.ask.hold_seconds == min(one.ask.hold_seconds for one in near)]
    aimed = shortest[len(shortest) // 2]
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if aimed.accepted:
            if anchor == "held":
                return aimed.accepted.timestamp()
            with suppress(ResvError):  # as of an engine that is busy
                lane = ground.clients[strike.platform].timeline(aimed.ref)
                if lane.hold is not None and lane.due is not None:
                    return lane.due.timestamp()
        time.sleep(0.01)
    raise PlatformError(f"{aimed.ask.reservation_id} was not held in {PATIENCE_SECONDS:.0f} s.")


def _waits(ask: Ask) -> bool:
    """Whether it will be held for as long as it was asked for."""
    return not ask.rivals and ask.action is None


def _until_over(ground: Ground, state: _State, calls: Sequence[Call]) -> None:
    """Wait until those of `calls` that were accepted have ended, or should have long ago."""
    deadline = time.monotonic() + PATIENCE_SECONDS + max((call.ask.hold_seconds for call in calls), default=0)
    # Lists are read from the newest: those of a whole run would be read again and again.
    since = min((call.sent for call in calls if call.sent), default=state.begun)
    while time.monotonic() < deadline:
        time.sleep(_LOOK_SECONDS)
        try:
            known = collecting.listed(ground.clients, since)
        except ResvError:
            continue  # the engine is on its way back
        if all(known.get(collecting.key(call)) in ENDED for call in calls):
            return


def _learn(ground: Ground, state: _State, calls: Sequence[Call]) -> None:
    """What undisturbed reservations tell of how long things take; those that a kill has hit are left out."""
    bodies = collecting.by_step(ground.bodies())
    for call in calls:
        try:
            lane = ground.clients[call.ask.platform].timeline(call.ref)
        except ResvError:
            continue
        booking = collecting.booking(call, lane, None, bodies)
        last = state.kills[-1].at if state.kills else None
        if not (last and booking.held and booking.sent <= last and (booking.finalized or last) >= last):
            state.pace.learn(booking)


def _exemplars(chaos: Chaos, lanes: dict[str, Timeline]) -> tuple[Timeline, ...]:
    found = [one for one in aftermaths(chaos) if one.recovered_ms is not None]
    chosen: dict[str, Booking] = {}
    for victim in chaos.plan.victims:
        worst = max(
            (one for one in found if one.kill.victim == victim), key=lambda one: one.recovered_ms or 0, default=None
        )
        booking = waiting(chaos, worst.kill) if worst else None
        if booking is not None:
            chosen[booking.ask.reservation_id] = booking
    return tuple(lanes[name] for name in chosen if name in lanes)
