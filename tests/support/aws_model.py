"""Raw answers of a Lambda endpoint against botocore's model of Lambda: nothing missing, nothing more, nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from botocore.model import ListShape, MapShape, OperationModel, Shape, StructureShape

#: Refusals by what stands before every operation; no operation's model names them.
COMMON_ERRORS = {"AccessDeniedException": 403, "UnknownOperationException": 404}
_INTEGERS = ("integer", "long")


class ModelError(AssertionError):
    """An answer that the model does not allow."""


def check_answer(operation: OperationModel, answer: Mapping[str, Any]) -> None:
    """Check an HTTP answer as botocore's `before-parse` gives it. Raises ModelError with all that is wrong."""
    status = answer["status_code"]
    wrong = list(_error(operation, answer) if status >= 300 else _success(operation, answer))
    if "x-amzn-requestid" not in {name.lower() for name in answer["headers"]}:
        wrong.append("no request id")
    if wrong:
        raise ModelError(f"{operation.name} answers {status} with " + "; ".join(wrong))


def register(events: Any, seen: set[str] | None = None) -> None:
    """Check every answer that a client with those events gets; `seen` gathers operations and error codes."""

    def check(operation_model: OperationModel, response_dict: Mapping[str, Any], **_: object) -> None:
        check_answer(operation_model, response_dict)
        if seen is not None:
            seen.add(" ".join(filter(None, (operation_model.name, response_dict["headers"].get("x-amzn-errortype")))))

    events.register("before-parse.lambda.*", check)


def _success(operation: OperationModel, answer: Mapping[str, Any]) -> Iterator[str]:
    shape = operation.output_shape
    if not isinstance(shape, StructureShape):
        raise TypeError(f"{operation.name} has no output")
    if operation.name != "Invoke" and answer["status_code"] != operation.http["responseCode"]:
        yield f"not {operation.http['responseCode']}"
    headers = {name.lower(): value for name, value in answer["headers"].items()}
    body = dict(shape.members)
    for name, member in shape.members.items():
        location = member.serialization.get("location")
        if location is not None or shape.serialization.get("payload") == name:
            del body[name]
        value = headers.get(str(member.serialization.get("name")).lower()) if location == "header" else None
        if value is not None:
            yield from _value(member, value, name)
    if shape.serialization.get("payload") is None:
        document, wrong = _parse(answer)
        yield from wrong or _structure(shape, body, document, "")


def _error(operation: OperationModel, answer: Mapping[str, Any]) -> Iterator[str]:
    code = answer["headers"].get("x-amzn-errortype")
    shapes = {shape.name: shape for shape in operation.error_shapes}
    if code in COMMON_ERRORS:
        if answer["status_code"] != COMMON_ERRORS[code]:
            yield f"{code}, which is {COMMON_ERRORS[code]}"
        return
    if code not in shapes:
        yield f"{code}, which the operation does not have"
        return
    shape = shapes[code]
    if answer["status_code"] != shape.metadata["error"]["httpStatusCode"]:
        yield f"{code}, which is {shape.metadata['error']['httpStatusCode']}"
    if not isinstance(shape, StructureShape):
        raise TypeError(f"{code} is no structure")
    document, wrong = _parse(answer)
    yield from wrong or _structure(shape, shape.members, document, "")
    message = next(name for name in shape.members if name.lower() == "message")
    if not document.get(message):
        yield f"{code} without {message}"
    if document.get("Type") != ("User" if answer["status_code"] < 500 else "Service"):
        yield f"{code} of type {document.get('Type')!r}"


def _parse(answer: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The JSON object in the body, and what is wrong with it."""
    kind = answer["headers"].get("Content-Type")
    wrong = [] if kind == "application/json" else [f"content type {kind!r}"]
    try:
        document = json.loads(answer["body"])
    except ValueError:
        document = None
    if isinstance(document, dict):
        return document, wrong
    return {}, [*wrong, f"a body that is no JSON object: {answer['body'][:80]!r}"]


def _structure(shape: StructureShape, members: Mapping[str, Shape], value: dict[str, Any], where: str) -> Iterator[str]:
    for name in shape.required_members:
        if name in members and name not in value:
            yield f"no {where}{name}"
    for name, member in value.items():
        if name not in members:
            yield f"{where}{name}, which {shape.name} does not have"
        else:
            yield from _value(members[name], member, f"{where}{name}")


def _value(shape: Shape, value: Any, where: str) -> Iterator[str]:
    kind = shape.type_name
    if isinstance(shape, StructureShape):
        if isinstance(value, dict):
            yield from _structure(shape, shape.members, value, f"{where}.")
        else:
            yield f"{where} that is no structure: {value!r}"
    elif isinstance(shape, ListShape):
        if isinstance(value, list):
            for index, member in enumerate(value):
                yield from _value(shape.member, member, f"{where}[{index}]")
        else:
            yield f"{where} that is no list: {value!r}"
    elif isinstance(shape, MapShape):
        if not isinstance(value, dict):
            yield f"{where} that is no map: {value!r}"
    elif kind == "timestamp":
        # Seconds since the epoch is the default of the REST-JSON protocol in bodies.
        if isinstance(value, bool) or not isinstance(value, int | float):
            yield f"{where} that is no timestamp: {value!r}"
    elif kind in _INTEGERS:
        if isinstance(value, bool) or not isinstance(value, int):
            yield f"{where} that is no integer: {value!r}"
        else:
            yield from _bounds(shape, value, f"{where} of {value}")
    elif kind == "boolean":
        if not isinstance(value, bool):
            yield f"{where} that is no boolean: {value!r}"
    elif not isinstance(value, str):
        yield f"{where} that is no text: {value!r}"
    else:
        yield from _text(shape, value, where)


def _text(shape: Shape, value: str, where: str) -> Iterator[str]:
    enum = getattr(shape, "enum", [])
    pattern = shape.metadata.get("pattern")
    if enum and value not in enum:
        yield f"{where} {value!r}, which is none of {', '.join(enum)}"
    if pattern is not None and re.fullmatch(pattern, value) is None:
        yield f"{where} {value!r}, which is not {pattern}"
    yield from _bounds(shape, len(value), f"{where} of {len(value)} characters")


def _bounds(shape: Shape, value: int, what: str) -> Iterator[str]:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if (low is not None and value < low) or (high is not None and value > high):
        yield f"{what}, which must be from {low} to {high}"
