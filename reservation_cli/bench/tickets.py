"""Which reservation is sent when: the order of a benchmark, fixed before it begins."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from reservation_cli.domain.benchmark import Plan
from reservation_cli.domain.reservation import Outcome, Platform, ReservationRequest, new_reservation_id

WARMUP_HOLD_SECONDS = 1


@dataclass(frozen=True, slots=True)
class Ticket:
    """One reservation to be made. `not_before` is seconds from the start of sending; `group` the hold it counts to."""

    number: int
    platform: Platform
    request: ReservationRequest
    group: int
    not_before: float = 0.0


def tickets(plan: Plan) -> list[Ticket]:
    """All reservations in the order of sending.

    Platforms and holds alternate, and so does who is first (AB BA): what changes over the run, such as other load,
    meets all of them alike. Each reservation has a seat of its own.
    """
    ordered = [
        (hold, platform)
        for index in range(plan.count)
        for turn, hold in enumerate(plan.holds)
        for platform in _turned(plan.platforms, index + turn)
    ]
    made = [
        Ticket(number, platform, _request(hold, plan), hold, number / plan.rate if plan.rate else 0.0)
        for number, (hold, platform) in enumerate(ordered)
    ]
    if plan.herd:
        return list(_herded(made, plan))
    return _ending_in_order(made, plan) if len(plan.holds) > 1 else made


def warmups(plan: Plan) -> list[Ticket]:
    """Short reservations that are made first and not counted: code is compiled, connections are opened."""
    return tickets(replace(plan, count=plan.warmup, holds=(WARMUP_HOLD_SECONDS,), herd=False, rate=None))


def expected(plan: Plan, hold: int) -> Outcome:
    """How a reservation of this plan has to end."""
    return "confirmed" if plan.confirm_after is not None and plan.confirm_after < hold else "expired"


def bursts(plan: Plan) -> int:
    """In how many bursts, a second apart, a herd is sent."""
    return -(-plan.count * len(plan.platforms) // plan.concurrency)


def most_busy(plan: Plan, seconds: float) -> int:
    """How many reservations of a platform may begin or end within so many seconds: all, unless a rate is kept."""
    total = plan.count * len(plan.holds) + plan.warmup
    if plan.rate is None:
        return total
    begin_and_end = 2 * plan.rate / len(plan.platforms) * seconds
    return min(total, int(begin_and_end))


def _ending_in_order(made: Sequence[Ticket], plan: Plan) -> list[Ticket]:
    """Sent so that the holds end in the order of `made`, the long ones first on their way.

    So all timers fire in the same minutes and meet the same load; sent in this order, the short ones would fire while
    others are sent, and the long ones in the quiet after it.
    """
    longest = max(plan.holds)
    sent = sorted(
        (replace(ticket, not_before=ticket.not_before + longest - ticket.request.hold_seconds) for ticket in made),
        key=lambda ticket: ticket.not_before,
    )
    return [replace(ticket, number=number) for number, ticket in enumerate(sent)]


def _herded(made: Sequence[Ticket], plan: Plan) -> Iterator[Ticket]:
    """A burst a second, each with a hold a second shorter: so all holds end at the same instant.

    Both platforms wait whole seconds only, so no finer way is open to both.
    """
    for ticket in made:
        burst = ticket.number // plan.concurrency
        hold = ticket.request.hold_seconds - burst
        yield replace(ticket, request=replace(ticket.request, hold_seconds=hold), not_before=float(burst))


def _turned(platforms: Sequence[Platform], turn: int) -> Sequence[Platform]:
    return platforms if turn % 2 == 0 else platforms[::-1]


def _request(hold: int, plan: Plan) -> ReservationRequest:
    return ReservationRequest(new_reservation_id(), f"B{secrets.token_hex(6)}", "bench", hold, plan.strategy)
