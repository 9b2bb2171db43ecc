"""Lambda's refusals, as the REST-JSON protocol carries them."""

from __future__ import annotations


class ApiError(Exception):
    """A refusal that a Lambda client understands: an HTTP status, an exception name of Lambda's model, a message."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


def invalid_parameter(message: str) -> ApiError:
    return ApiError(400, "InvalidParameterValueException", message)


def not_found(message: str) -> ApiError:
    return ApiError(404, "ResourceNotFoundException", message)


def not_stored(reason: object) -> ApiError:
    return ApiError(500, "ServiceException", f"Nothing is changed, as the engine cannot store it: {reason}")


def callback_closed(callback_id: str) -> ApiError:
    return ApiError(400, "CallbackTimeoutException", f"The callback has timed out or is already closed: {callback_id}")
