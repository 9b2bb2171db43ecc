"""How long everything takes here, learnt as the run goes on: a kill is to be aimed at a moment of milliseconds."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from reservation_cli.domain.chaos import Booking, Moment
from reservation_cli.domain.reservation import Platform

_KEPT = 24
#: So many reservations are to be in the same step at a time.
_AT_ONCE = 2.5
#: Many are later than one alone: by so much of a body's time.
_LATER = 0.5
#: What is assumed before anything was seen: of a body its begin and its end, in seconds.
_FIRST, _LAST = (0.03, 0.05), (0.005, 0.015)


@dataclass
class Pace:
    """When bodies begin and end, in seconds: of create-hold from the request, of finalize from the due time."""

    _first: dict[Platform, deque[tuple[float, float]]] = field(default_factory=dict)
    _last: dict[Platform, deque[tuple[float, float]]] = field(default_factory=dict)

    def learn(self, booking: Booking) -> None:
        """Take a reservation into account whose steps ran once, undisturbed."""
        platform = booking.ask.platform
        if len(booking.hold_bodies) == 1 and booking.held:
            begun, ended = ((at - booking.sent).total_seconds() for at in (booking.hold_bodies[0], booking.held))
            self._first.setdefault(platform, deque(maxlen=_KEPT)).append((begun, ended))
        if len(booking.final_bodies) == 1 and booking.finalized and booking.due and not booking.calls:
            begun, ended = ((at - booking.due).total_seconds() for at in (booking.final_bodies[0], booking.finalized))
            self._last.setdefault(platform, deque(maxlen=_KEPT)).append((begun, ended))

    def aim(self, platform: Platform, moment: Moment, where: float, hold_seconds: float) -> tuple[str, float]:
        """From when to count ("sent", "held" or "due"), and after how many seconds to kill (less than 0: before).

        `where` (0 to 1) chooses one of the reservations seen, none of the quickest and the slowest, and the place
        within its moment.
        """
        first = self._chosen(self._first, platform, where, _FIRST)
        last = self._chosen(self._last, platform, where, _LAST)
        place = where * 7 % 1
        if moment == "before-hold":
            return "sent", place * first[0]
        if moment == "mid-step":
            return "sent", first[0] + (_LATER + place) * (first[1] - first[0])
        if moment == "mid-wait":
            return "held", (0.1 + 0.7 * place) * hold_seconds
        if moment == "at-due":
            return "due", (place - 0.5) * 0.01
        return "due", last[0] + (_LATER + place) * (last[1] - last[0])

    def spread(self, platform: Platform, number: int) -> float:
        """Over how many seconds to send so many, so that there are always some in the same step of milliseconds."""
        lengths = sorted(end - begin for begin, end in self._first.get(platform, ())) or [_FIRST[1] - _FIRST[0]]
        return number * lengths[len(lengths) // 2] / _AT_ONCE

    def _chosen(
        self,
        seen: dict[Platform, deque[tuple[float, float]]],
        platform: Platform,
        where: float,
        assumed: tuple[float, float],
    ) -> tuple[float, float]:
        known = sorted(seen.get(platform, ()))
        return known[int((0.25 + where / 2) * len(known))] if known else assumed
