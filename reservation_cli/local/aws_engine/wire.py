"""Requests and responses of the REST-JSON protocol, apart from the sockets that carry them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import Message
from typing import Any

from reservation_cli.domain import json_text
from reservation_cli.local.aws_engine.errors import ApiError, invalid_parameter

#: The exceptions whose member Lambda's model spells `message`; the others have `Message`.
_LOWER_CASE = frozenset(
    ("InvalidParameterValueException", "InvalidRequestContentException", "RequestTooLargeException")
)


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP request: path segments and query are decoded, headers are case-insensitive."""

    method: str
    segments: tuple[str, ...]
    query: Mapping[str, list[str]]
    headers: Message
    body: bytes

    def parameter(self, name: str) -> str | None:
        """The first value of a query parameter; None when it is absent or empty."""
        values = self.query.get(name)
        return values[0] or None if values else None

    def flag(self, name: str, *, default: bool) -> bool:
        value = self.parameter(name)
        return default if value is None else value.lower() == "true"

    def page_size(self) -> int:
        """`MaxItems`: 1 to 1000; absent or 0 means 100."""
        value = self.parameter("MaxItems") or "0"
        if not is_number(value) or int(value) > 1000:
            raise invalid_parameter(f"MaxItems must be a number from 0 to 1000: {value}")
        return int(value) or 100

    def json_object(self) -> dict[str, Any]:
        """The body as a JSON object; an empty body is an empty object."""
        try:
            document = json_text.loads(self.body or b"{}")
        except ValueError as error:
            raise invalid_parameter(f"Could not parse the request body: {error}") from error
        if not isinstance(document, dict):
            raise invalid_parameter("The request body must be a JSON object")
        return document


@dataclass(frozen=True, slots=True)
class Response:
    """An HTTP response."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


def json_response(document: Mapping[str, Any], status: int = 200) -> Response:
    """`document` as JSON; datetimes become seconds since the epoch with milliseconds."""
    body = json.dumps(document, separators=(",", ":"), default=_epoch_seconds).encode()
    return Response(status, body, {"Content-Type": "application/json"})


def without_nulls(value: Any) -> Any:
    """`value` without members that are None: the protocol leaves out what there is not, the engine does not always."""
    if isinstance(value, dict):
        return {name: without_nulls(member) for name, member in value.items() if member is not None}
    if isinstance(value, list):
        return [without_nulls(member) for member in value]
    return value


def error_response(error: ApiError) -> Response:
    member = "message" if error.code in _LOWER_CASE else "Message"
    document = {"Type": "User" if error.status < 500 else "Service", member: error.message}
    response = json_response(document, error.status)
    return Response(response.status, response.body, {**response.headers, "x-amzn-errortype": error.code})


def is_number(text: str) -> bool:
    """Whether `text` is a whole number from 0 on that the store can hold."""
    return text.isascii() and text.isdecimal() and len(text) <= 18


def rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_moment(value: str) -> datetime:
    """A timestamp parameter: ISO 8601, or seconds since the epoch. Raises `ApiError` 400."""
    try:
        return datetime.fromtimestamp(float(value), UTC)
    except (ValueError, OverflowError, OSError):
        pass
    try:
        moment = datetime.fromisoformat(value)
    except ValueError as error:
        raise invalid_parameter(f"Not a timestamp: {value}") from error
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _epoch_seconds(value: object) -> float:
    if isinstance(value, datetime):
        return round(value.timestamp(), 3)
    raise TypeError(f"{type(value).__name__} has no JSON form")
