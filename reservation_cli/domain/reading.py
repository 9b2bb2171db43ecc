"""Reading JSON that somebody may have edited: each function gives a value of the right kind or says which is not.

All raise InvalidInputError, one line that names the place.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import is_dataclass
from datetime import datetime
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from reservation_cli.domain.reservation import InvalidInputError, parse_time

T = TypeVar("T")
_MOST = 1e15


def broken(what: str) -> InvalidInputError:
    """The error for a file that is no run."""
    return InvalidInputError(f"It is not a run that resv has recorded: {what}.")


def mapping(value: object, where: str) -> Mapping[str, Any]:
    """An object."""
    if not isinstance(value, Mapping):
        raise broken(f"{where} is no object")
    return value


def array(value: object, where: str) -> Sequence[object]:
    """An array."""
    if not isinstance(value, list):
        raise broken(f"{where} is no array")
    return value


def each(body: Mapping[str, Any], name: str, where: str, read: Callable[[object, str], T]) -> tuple[T, ...]:
    """What `read` makes of each item of the array `name`, given the item and its place."""
    items = array(needed(body, name, where), f"{where}.{name}")
    return tuple(read(item, f"{name}[{index}]") for index, item in enumerate(items))


def needed(body: Mapping[str, Any], name: str, where: str) -> Any:
    """The value of `name`, whatever it is."""
    if name not in body:
        raise broken(f"{where} has no {name}")
    return body[name]


def text(value: object, where: str) -> str:
    """A text."""
    if not isinstance(value, str):
        raise broken(f"{where} is no text")
    return value


def optional_text(value: object, where: str) -> str | None:
    """A text, or None for null."""
    return None if value is None else text(value, where)


def choice(value: object, kind: Any, where: str) -> Any:
    """One of the values of the Literal `kind`."""
    if value not in get_args(kind):
        raise broken(f"{where} is {value!r}")
    return value


def optional_choice(value: object, kind: Any, where: str) -> Any:
    """One of the values of the Literal `kind`, or None for null."""
    return None if value is None else choice(value, kind, where)


def moment(body: Mapping[str, Any], name: str, where: str) -> datetime | None:
    """A time, or None for null."""
    value = body.get(name)
    if value is None:
        return None
    found = parse_time(value) if isinstance(value, str) else None
    if found is None:
        raise broken(f"{where}.{name} is no time")
    return found


def number(value: object, where: str) -> float | None:
    """A number, or None for null."""
    if value is None:
        return None
    # Also beyond what any figure of ours is: what comes of infinity or of a number of 400 digits is no number.
    if isinstance(value, bool) or not isinstance(value, int | float) or not -_MOST < value < _MOST:
        raise broken(f"{where} is no number")
    return value


def whole(value: object, where: str) -> int | None:
    """A count, or None for null."""
    found = number(value, where)
    if found is not None and (found < 0 or found != int(found)):
        raise broken(f"{where} is no count")
    return None if found is None else int(found)


def built(kind: type[T], told: object, where: str) -> T:
    """A dataclass from its fields by name: of numbers, texts, times, choices, other dataclasses, and many of these."""
    body = mapping(told, where)
    hints: dict[str, Any] = _hints(kind)  # type: ignore[arg-type]  # mypy takes no class for hashable
    unknown = next((name for name in body if name not in hints), None)
    if unknown is not None:
        raise broken(f"{where} has a {unknown}")
    values = {name: _value(hints[name], value, f"{where}.{name}") for name, value in body.items()}
    try:
        return kind(**values)
    except TypeError as error:  # one without a default is missing
        raise broken(f"{where}: {str(error).partition(' ')[2]}") from error


@cache
def _hints(kind: Hashable) -> dict[str, Any]:
    return get_type_hints(kind)


def _value(hint: Any, value: object, where: str) -> Any:
    kinds = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    if value is None and NoneType in kinds:
        return None
    kind = kinds[0]
    if get_origin(kind) is Literal:
        return choice(value, kind, where)
    if get_origin(kind) is tuple:
        numbered = enumerate(array(value, where))
        return tuple(_value(get_args(kind)[0], item, f"{where}[{index}]") for index, item in numbered)
    if get_origin(kind) is Mapping:
        names, numbers = get_args(kind)
        items = mapping(value, where).items()
        return {_value(names, name, where): _value(numbers, item, f"{where}.{name}") for name, item in items}
    if isinstance(kind, type) and is_dataclass(kind):
        return built(kind, value, where)
    if kind is datetime:
        return moment({where: value}, where, "") if value is not None else _wrong(where)
    if kind is float:
        return number(value, where) if value is not None else _wrong(where)
    if kind is int:
        number(value, where)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        return _wrong(where)
    return value


def _wrong(where: str) -> Any:
    raise broken(f"{where} is of another kind")
