"""What counts as a valid reservation, durations and times."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from reservation_cli.domain.reservation import (
    DEFAULT_HOLD_SECONDS,
    MAX_HOLD_SECONDS,
    RESERVATION_ID,
    InvalidInputError,
    ReservationRequest,
    check_reservation_id,
    check_text,
    format_duration,
    format_time,
    new_reservation_id,
    parse_duration,
    parse_hold,
    parse_time,
    reservation_from_record,
)


def test_a_bare_request_has_the_defaults() -> None:
    request = ReservationRequest("r-1", "A1")
    assert request.payload() == {
        "reservationId": "r-1",
        "seatId": "A1",
        "userId": "anonymous",
        "holdSeconds": DEFAULT_HOLD_SECONDS,
        "strategy": "sleep",
    }


@pytest.mark.parametrize("seat", ["A1", "座席 12", "🎫", "Loge «Süd»", "x" * 64, "🎫" * 64, "e\u0301"])
def test_seats_may_have_any_printable_name(seat: str) -> None:
    assert ReservationRequest("r-1", seat).seat == seat


@pytest.mark.parametrize(
    "seat",
    [
        "",
        " ",
        " A1",
        "A1 ",
        "A1\u3000",
        "x" * 65,
        "A\x001",
        "A\n1",
        "A\x1b[31m",
        "A\u200d1",
        "A\u202e1",
        "A\ud8001",
        "A\u20281",
        "A\u20291",
        "A\x7f1",
    ],
)
def test_seats_may_not_be_empty_long_or_unprintable(seat: str) -> None:
    with pytest.raises(InvalidInputError, match="The seat "):
        ReservationRequest("r-1", seat)


def test_users_may_be_twice_as_long() -> None:
    assert ReservationRequest("r-1", "A1", "x" * 128).user == "x" * 128
    with pytest.raises(InvalidInputError, match="The user has 129 characters; at most 128 are allowed"):
        ReservationRequest("r-1", "A1", "x" * 129)


def test_check_text_gives_the_text_back() -> None:
    assert check_text("seat", "A1", 2) == "A1"


@pytest.mark.parametrize("hold", [0, -1, MAX_HOLD_SECONDS + 1])
def test_holds_out_of_range(hold: int) -> None:
    with pytest.raises(InvalidInputError, match="1 second to 30 days"):
        ReservationRequest("r-1", "A1", hold_seconds=hold)


@pytest.mark.parametrize("name", ["r-1", "_x", "A", "9-_", "x" * 64])
def test_reservation_ids(name: str) -> None:
    assert check_reservation_id(name) == name


@pytest.mark.parametrize("name", ["", "-x", "x" * 65, "a b", "a.b", "ä", "a\n", "a/b"])
def test_bad_reservation_ids(name: str) -> None:
    with pytest.raises(InvalidInputError):
        check_reservation_id(name)


def test_new_ids_are_valid_and_differ() -> None:
    names = {new_reservation_id() for _ in range(100)}
    assert len(names) == 100
    assert all(RESERVATION_ID.fullmatch(name) for name in names)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("900", 900), ("10s", 10), ("15m", 900), ("1.5h", 5400), ("2d", 172_800), ("250ms", 0.25), (" 3s ", 3), ("0", 0)],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "s", "-1s", "1 h", "1w", "1h30m", "١٠x", "1e3", "inf", "nan"])
def test_no_durations(text: str) -> None:
    with pytest.raises(InvalidInputError, match="is not a duration"):
        parse_duration(text)


def test_holds_are_whole_seconds_in_range() -> None:
    assert parse_hold("1s") == 1
    assert parse_hold("30d") == MAX_HOLD_SECONDS
    assert parse_hold("1.5m") == 90
    for text, reason in (("999ms", "1 second to 30 days, not 999ms"), ("31d", "not 31d"), ("1.5s", "whole number")):
        with pytest.raises(InvalidInputError, match=reason):
            parse_hold(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (1, "1s"), (10, "10s"), (90, "1m 30s"), (900, "15m"), (5400, "1h 30m"), (172_800, "2d"), (0.4, "0s")],
)
def test_durations_in_words(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


NINE = datetime(2026, 11, 23, 9, 0, 0, 123_000, tzinfo=UTC)


@pytest.mark.parametrize(
    "value",
    [
        "2026-11-23T09:00:00.123Z",
        "2026-11-23 09:00:00.123000+00:00",
        "2026-11-23T10:00:00.123+01:00",
        "2026-11-23T09:00:00.123",
        NINE,
        NINE.astimezone(timezone(timedelta(hours=-5))),
        1_795_424_400_123,
        1_795_424_400_123.0,
    ],
)
def test_times_in_all_the_ways_that_vendors_write_them(value: object) -> None:
    parsed = parse_time(value)
    assert parsed == NINE
    assert parsed is not None
    assert parsed.tzinfo is UTC


@pytest.mark.parametrize("value", [None, "", "soon", True, [], {}, 1e300, float("nan"), "2026-13-01T00:00:00Z"])
def test_no_times(value: object) -> None:
    assert parse_time(value) is None


def test_times_are_written_in_utc_with_milliseconds() -> None:
    assert format_time(NINE) == "2026-11-23T09:00:00.123Z"
    assert format_time(NINE.astimezone(timezone(timedelta(hours=2)))) == "2026-11-23T09:00:00.123Z"
    assert format_time(NINE.replace(microsecond=0)) == "2026-11-23T09:00:00.000Z"
    assert format_time(None) is None


RECORD = {
    "reservationId": "r-1",
    "seatId": "A1",
    "userId": "user123",
    "holdSeconds": 10,
    "strategy": "event",
    "status": "confirmed",
    "createdAt": "2026-11-23T09:00:00.123Z",
    "expiresAt": "2026-11-23T09:00:10.123Z",
    "confirmedAt": "2026-11-23T09:00:03.123Z",
    "expiredAt": "2026-11-23T09:00:10.123Z",
}


def test_a_record_of_a_seat() -> None:
    reservation = reservation_from_record(RECORD)
    assert reservation is not None
    assert (reservation.seat, reservation.user, reservation.hold_seconds, reservation.strategy) == (
        "A1",
        "user123",
        10,
        "event",
    )
    assert reservation.created_at == NINE
    assert reservation.ended_at == NINE + timedelta(seconds=3)
    assert reservation.outcome == "confirmed"


def test_a_held_record_has_no_outcome() -> None:
    reservation = reservation_from_record({"reservationId": "r-1", "seatId": "A1", "status": "held"})
    assert reservation is not None
    assert reservation.outcome is None
    assert (reservation.user, reservation.hold_seconds, reservation.strategy) == ("anonymous", 900, "sleep")
    assert (reservation.created_at, reservation.ended_at, reservation.held_until) == (None, None, None)


@pytest.mark.parametrize("hold", [True, 0, -1, 30 * 24 * 3600 + 1, 1.5, "900", None])
def test_a_hold_that_no_seat_can_have_is_the_default(hold: object) -> None:
    reservation = reservation_from_record({**RECORD, "holdSeconds": hold})
    assert reservation is not None
    assert reservation.hold_seconds == 900


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"reservationId": "r-1", "seatId": "A1"},
        {**RECORD, "status": "lost"},
        {**RECORD, "seatId": 1},
        {**RECORD, "reservationId": None},
    ],
)
def test_what_is_no_record(record: dict[str, object]) -> None:
    assert reservation_from_record(record) is None
