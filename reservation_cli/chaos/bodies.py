"""When the bodies of steps began, from what they log: AWS's engine does not count a body that was killed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from reservation_cli.domain.arn import parse_arn
from reservation_cli.domain.chaos import STEPS, Step
from reservation_cli.domain.reservation import InvalidInputError, parse_time
from reservation_cli.errors import ResvError


@dataclass(frozen=True, slots=True)
class Body:
    """A body of a step that has begun: on AWS, by the handler's own log line."""

    reservation_id: str
    step: Step
    began: datetime


class Bodies:
    """Reads the host's log, again and again: it is rotated, and an older part than the last is gone."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._found: dict[tuple[str, str], Body] = {}

    def read(self) -> Sequence[Body]:
        """All bodies that were ever seen in it, in the order of the log."""
        for path in (self._path.with_name(self._path.name + ".1"), self._path):
            if path.exists():
                for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
                    self._take(line)
        return tuple(self._found.values())

    def _take(self, line: str) -> None:
        step = next((step for step in STEPS if f'"{step} begins"' in line), None)
        if step is None:
            return
        try:
            told = json.loads(line)
            name, began = parse_arn(told["executionArn"]).name, parse_time(told["time"])
        except (ValueError, KeyError, TypeError, InvalidInputError, ResvError):
            return  # a line that was cut short by a kill
        if began is not None:
            self._found[f"{told.get('requestId')} {step}", told["time"]] = Body(name, step, began)
