"""A run: one comparison, one benchmark or one chaos run, as it is recorded and drawn again without either platform."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from reservation_cli.domain.benchmark import Bench
from reservation_cli.domain.chaos import Chaos
from reservation_cli.domain.timeline import Timeline

#: What is recorded; `status` and `reserve` print the same shape, and are not.
RunKind = Literal["compare", "bench", "chaos", "status", "reserve"]


@dataclass(frozen=True, slots=True)
class Host:
    """The machine that `resv` ran on (and the local engines, for local lanes)."""

    system: str
    machine: str
    cpus: int
    memory_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """One run.

    `configuration` holds what was asked for on the command line, by its option names. `software` names what took part
    and its version. Of a benchmark, `lanes` are the median and the worst lane of each platform, and `bench` has all;
    of a chaos run, they are what the worst kill of each process kept waiting longest, and `chaos` has all.
    """

    kind: RunKind
    lanes: tuple[Timeline, ...]
    id: str = ""
    recorded_at: datetime | None = None
    configuration: Mapping[str, object] = field(default_factory=dict)
    software: Mapping[str, str] = field(default_factory=dict)
    host: Host | None = None
    bench: Bench | None = None
    chaos: Chaos | None = None
