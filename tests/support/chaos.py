"""Chaos runs made by hand: kills and reservations at seconds after a fixed moment, all of them right unless told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from reservation_cli.domain.chaos import HIT, Ask, Booking, Chaos, Kill, Moment, Plan, Stored, Victim
from reservation_cli.domain.reservation import Platform, ReservationStatus, Strategy
from reservation_cli.domain.run import Run
from support import timelines

START = datetime(2026, 11, 24, 12, tzinfo=UTC)
PLAN = Plan(2, 1, 2, ("cloudflare", "aws"), ("sleep", "event"))


def at(seconds: float) -> datetime:
    """So many seconds after the begin of the run."""
    return START + timedelta(seconds=seconds)


def kill(seconds: float, victim: Victim = "host", wanted: Moment = "mid-wait", number: int = 0) -> Kill:
    """A kill at that time, of all platforms that it hits."""
    return Kill(number, victim, wanted, HIT[victim], 4711 + number, at(seconds))


def booking(
    name: str = "r",
    *,
    sent: float = 0.0,
    hold: int = 2,
    platform: Platform = "aws",
    seat: str | None = None,
    strategy: Strategy = "sleep",
    rivals: bool = False,
    **changes: Any,
) -> Booking:
    """A reservation that was held 10 ms after it was sent, and expired 20 ms after it was due."""
    begun, held, due = at(sent + 0.005), at(sent + 0.010), at(sent + 0.010 + hold)
    made = Booking(
        strike=0,
        ask=Ask(f"{name}-{platform}", platform, seat or name, hold, strategy, rivals),
        ref=f"{name}-{platform}",
        sent=at(sent),
        accepted=at(sent + 0.012),
        refusal=None,
        status="succeeded",
        listed="succeeded",
        outcome="expired",
        seat="expired",
        stored=Stored("expired", 2, begun, due + timedelta(milliseconds=10)),
        hold_bodies=(begun,),
        held=held,
        due=due,
        woken=due,
        final_bodies=(due + timedelta(milliseconds=5),),
        finalized=due + timedelta(milliseconds=20),
        succeeded=(1, 1),
    )
    return replace(made, **changes)


def ended(one: Booking, status: ReservationStatus, *, revision: int | None = None) -> Booking:
    """The same, ended otherwise, as all its readers say: confirmed or cancelled half a second after it was made."""
    if one.stored is None or one.stored.created_at is None:
        raise ValueError("It has no record.")
    outcome = None if status == "held" else status
    stored = replace(one.stored, status=status, revision=revision or (1 if status == "rejected" else 2))
    if status != "expired":
        asked = one.stored.created_at + timedelta(seconds=0.5)
        stored = replace(stored, ended_at=asked if status in ("confirmed", "cancelled") else None)
    changed = replace(one, outcome=outcome, seat=status, stored=stored)
    if status == "rejected":
        changed = replace(changed, due=None, woken=None, final_bodies=(), finalized=None, succeeded=(1,))
    return changed


def acting(one: Booking, action: Any, answer: Any) -> Booking:
    """The same with a confirmation or a cancel, and how it was answered: 'refused' after the end of the hold."""
    answered = one.due + timedelta(seconds=1) if one.due and answer == "refused" else None
    return replace(one, ask=replace(one.ask, action=action, after=0.5), answer=answer, answered=answered, calls=1)


def rival(one: Booking) -> Booking:
    """The same, for a seat that others want."""
    return replace(one, ask=replace(one.ask, rivals=True))


def chaos(bookings: Sequence[Booking], kills: Sequence[Kill] = (), *, interrupted: bool = False) -> Chaos:
    """A run with these."""
    return Chaos(PLAN, START, 20.0, tuple(kills), tuple(bookings), interrupted)


def run() -> Run:
    """A recorded run: one kill of the host, which a step was run again for, and one of the supervisor."""
    again = booking("again", sent=0.995, hold_bodies=(at(1.0), at(1.5)), held=at(1.6))
    probes = [
        booking("probe0", sent=1.5, is_probe=True),
        booking("probe1", sent=6.0, is_probe=True, strike=1),
        booking("probe1", sent=6.5, is_probe=True, strike=1, platform="cloudflare"),
    ]
    kills = [kill(1.005, "host", "mid-step"), kill(5.0, "supervisor", "mid-wait", 1)]
    found = chaos([again, *probes, booking("other", sent=4.0, hold=2, strike=1)], kills)
    return Run(
        "chaos", (timelines.aws_expired(),), "chaos-20261124-120000-abcd", START, {"seed": 1, "kills": 2}, chaos=found
    )
