"""What both platforms carry for the workflow unchanged: its input, its outputs, its errors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from reservation_cli.domain import json_text
from reservation_cli.domain.reservation import (
    DEFAULT_HOLD_SECONDS,
    InvalidInputError,
    Reservation,
    ReservationRequest,
    Target,
    is_hold,
    parse_time,
    reservation_from_record,
)
from reservation_cli.domain.timeline import Engine


@dataclass(frozen=True, slots=True)
class Lane:
    """Where the instance lives: what a Timeline says of its surroundings."""

    target: Target
    endpoint: str
    engine: Engine
    label: str
    stage: str | None = None


def request_from_input(reservation_id: str, given: object) -> ReservationRequest | None:
    """The request behind a workflow's input; None when the input is no valid request."""
    if not isinstance(given, Mapping):
        return None
    seat, user = given.get("seatId"), given.get("userId", "anonymous")
    hold, strategy = given.get("holdSeconds", DEFAULT_HOLD_SECONDS), given.get("strategy", "sleep")
    if not (isinstance(seat, str) and isinstance(user, str) and is_hold(hold)):
        return None
    if strategy != "sleep" and strategy != "event":
        return None
    try:
        return ReservationRequest(reservation_id, seat, user, hold, strategy)
    except InvalidInputError:
        return None


def decoded(value: object) -> object:
    """A step's output: an object locally, the same as JSON text in the cloud."""
    if not isinstance(value, str):
        return value
    try:
        return json_text.loads(value)
    except ValueError:
        return value


def as_list(value: object) -> list[Mapping[str, object]]:
    """The objects in a JSON array; empty for anything else."""
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def error_text(error: object) -> str | None:
    """`Name: message` of an error as either platform writes it."""
    if isinstance(error, Mapping):
        name = error.get("name") or error.get("ErrorType")
        message = error.get("message") or error.get("ErrorMessage")
        return ": ".join(str(part) for part in (name, message) if part) or None
    return str(error) if error else None


def clock_of(output: object) -> tuple[datetime | None, datetime | None]:
    """The clock that a step's body read: `{clock: {began, ended}}` in its output, epoch milliseconds."""
    clock = output.get("clock") if isinstance(output, Mapping) else None
    if not isinstance(clock, Mapping):
        return None, None
    began, ended = clock.get("began"), clock.get("ended")
    return _epoch(began), _epoch(ended)


def _epoch(value: object) -> datetime | None:
    return parse_time(value) if isinstance(value, int | float) else None


def reservation_id(name: str, given: object) -> str:
    """The reservation that an execution is for: the one that its input names, else the one of its own name.

    They differ only in an execution that was not started by resv or the Worker.
    """
    asked = given.get("reservationId") if isinstance(given, Mapping) else None
    return asked if isinstance(asked, str) else name


def newest_reservation(reservation_id: str, outputs: Iterable[object]) -> Reservation | None:
    """The first record of that reservation among outputs that are given newest first; None when none has one.

    Another reservation's record tells nothing of this one.
    """
    for candidate in outputs:
        record = record_of(candidate)
        found = reservation_from_record(record) if record is not None else None
        if found is not None and found.reservation_id == reservation_id:
            return found
    return None


def record_of(output: object) -> Mapping[str, object] | None:
    """The record in an output, whosever it is."""
    record = output.get("reservation") if isinstance(output, Mapping) else None
    return record if isinstance(record, Mapping) else None
