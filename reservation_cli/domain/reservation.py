"""A reservation: what is asked for, what is recorded, and what counts as valid.

The same rules stand in cf-workflow/src/reservation.ts and aws-durable/src/reservation.ts.
"""

from __future__ import annotations

import re
import secrets
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, TypeGuard, get_args

Platform = Literal["cloudflare", "aws"]
Target = Literal["local", "cloud"]
Strategy = Literal["sleep", "event"]
ReservationStatus = Literal["held", "confirmed", "expired", "cancelled", "rejected"]
Outcome = Literal["confirmed", "expired", "cancelled", "rejected"]

PLATFORMS: tuple[Platform, ...] = get_args(Platform)
STRATEGIES: tuple[Strategy, ...] = get_args(Strategy)
STATUSES: tuple[ReservationStatus, ...] = get_args(ReservationStatus)

DEFAULT_HOLD_SECONDS = 900
MAX_HOLD_SECONDS = 30 * 24 * 3600
RESERVATION_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,63}")

_UNPRINTABLE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)?")


class InvalidInputError(ValueError):
    """A value that no reservation can have; the message is one line for the user."""


@dataclass(frozen=True, slots=True)
class ReservationRequest:
    """What `reserve` asks of a platform; the same on both."""

    reservation_id: str
    seat: str
    user: str = "anonymous"
    hold_seconds: int = DEFAULT_HOLD_SECONDS
    strategy: Strategy = "sleep"

    def __post_init__(self) -> None:
        """Raises InvalidInputError unless each field is valid."""
        check_reservation_id(self.reservation_id)
        check_text("seat", self.seat, 64)
        check_text("user", self.user, 128)
        if not 1 <= self.hold_seconds <= MAX_HOLD_SECONDS:
            raise InvalidInputError("A hold lasts from 1 second to 30 days.")

    def payload(self) -> dict[str, str | int]:
        """The workflow's input, in the order in which it is written on the wire."""
        return {
            "reservationId": self.reservation_id,
            "seatId": self.seat,
            "userId": self.user,
            "holdSeconds": self.hold_seconds,
            "strategy": self.strategy,
        }


@dataclass(frozen=True, slots=True)
class Reservation:
    """A reservation as its seat records it. Times are UTC; `ended_at` is when it left `held`."""

    reservation_id: str
    seat: str
    user: str
    hold_seconds: int
    strategy: Strategy
    status: ReservationStatus
    created_at: datetime | None
    expires_at: datetime | None
    ended_at: datetime | None = None
    held_until: datetime | None = None

    @property
    def outcome(self) -> Outcome | None:
        """How it ended; None while it is held."""
        return None if self.status == "held" else self.status


def new_reservation_id() -> str:
    """A fresh id: short enough to type, 50 bits of chance."""
    alphabet = "0123456789abcdefghjkmnpqrstvwxyz"
    return "r-" + "".join(secrets.choice(alphabet) for _ in range(10))


def check_reservation_id(value: str) -> str:
    """The id itself, or InvalidInputError: both platforms must accept it as the name of an execution."""
    if not RESERVATION_ID.fullmatch(value):
        raise InvalidInputError(
            "A reservation id has 1 to 64 letters, digits, '-' or '_', and does not begin with '-'."
        )
    return value


def check_text(name: str, value: str, limit: int) -> str:
    """A printable name of at most `limit` characters, or InvalidInputError."""
    if not value.strip():
        raise InvalidInputError(f"The {name} is empty.")
    if len(value) > limit:
        raise InvalidInputError(f"The {name} has {len(value)} characters; at most {limit} are allowed.")
    if value != value.strip():
        raise InvalidInputError(f"The {name} begins or ends with white space.")
    if any(unicodedata.category(character) in _UNPRINTABLE for character in value):
        raise InvalidInputError(f"The {name} has a control character in it.")
    return value


def is_hold(value: object) -> TypeGuard[int]:
    """Whether it is a number of whole seconds that a seat can be held for; true, an int to Python, is none."""
    return type(value) is int and 1 <= value <= MAX_HOLD_SECONDS


def parse_duration(text: str) -> float:
    """Seconds from '900', '10s', '15m', '1.5h' or '2d'; InvalidInputError when it is none of these."""
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise InvalidInputError(f"{text!r} is not a duration; write it like 10s, 15m, 2h or 1d.")
    return float(match[1]) * _UNITS[match[2] or "s"]


def parse_hold(text: str) -> int:
    """Whole seconds of a hold, 1 s to 30 d: the finest that both platforms can wait."""
    seconds = parse_duration(text)
    if not 1 <= seconds <= MAX_HOLD_SECONDS:
        raise InvalidInputError(f"A hold lasts from 1 second to 30 days, not {text.strip()}.")
    if seconds != int(seconds):
        raise InvalidInputError(f"A hold is a whole number of seconds (AWS waits no finer), not {text.strip()}.")
    return int(seconds)


def format_duration(seconds: float) -> str:
    """'15m', '10s', '1h 30m', '2d': a nominal duration in words of the command line."""
    left = round(seconds)
    parts = []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count}{unit}")
    return " ".join(parts) or "0s"


def parse_time(value: object) -> datetime | None:
    """A UTC datetime from RFC 3339 text, an aware datetime or epoch milliseconds; None from anything else.

    In whole milliseconds, as it is written: so a recorded run says what was shown when it was recorded.
    """
    try:
        if isinstance(value, datetime):
            return whole_ms(value)
        if isinstance(value, str):
            parsed = datetime.fromisoformat(value)
            return whole_ms(parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC))
        if isinstance(value, int | float) and not isinstance(value, bool):
            return whole_ms(datetime.fromtimestamp(value / 1000, UTC))
    except (ValueError, OverflowError, OSError):
        return None
    return None


def whole_ms(value: datetime) -> datetime:
    """`value` in UTC, without what is finer than a millisecond."""
    return value.astimezone(UTC).replace(microsecond=value.microsecond // 1000 * 1000)


def format_time(value: datetime | None) -> str | None:
    """RFC 3339 in UTC with milliseconds, or None."""
    if value is None:
        return None
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def reservation_from_record(record: Mapping[str, object]) -> Reservation | None:
    """The record that both platforms keep (contract: README of either half); None when it is not one."""
    reservation_id, seat, status = record.get("reservationId"), record.get("seatId"), record.get("status")
    if not (isinstance(reservation_id, str) and isinstance(seat, str)) or status not in STATUSES:
        return None
    hold, strategy, user = record.get("holdSeconds"), record.get("strategy"), record.get("userId")
    return Reservation(
        reservation_id=reservation_id,
        seat=seat,
        user=user if isinstance(user, str) else "anonymous",
        hold_seconds=hold if is_hold(hold) else DEFAULT_HOLD_SECONDS,
        strategy="event" if strategy == "event" else "sleep",
        status=status,
        created_at=parse_time(record.get("createdAt")),
        expires_at=parse_time(record.get("expiresAt")),
        ended_at=parse_time(record.get(f"{status}At")),
        held_until=parse_time(record.get("heldUntil")),
    )
