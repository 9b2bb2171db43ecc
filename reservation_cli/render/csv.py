"""A run as a table for a spreadsheet or a data frame: one row a reservation, RFC 4180, UTF-8.

A benchmark and a chaos run have a row for each in the order of sending, a comparison one for each lane, under the same
header: the files of several runs can be put under each other. Milliseconds and dollars are in the names of their
columns; what is not known is empty.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import fields

from reservation_cli.domain import chaos_verdict
from reservation_cli.domain.benchmark import Sample
from reservation_cli.domain.chaos import Judged
from reservation_cli.domain.comparison import Metrics, metrics
from reservation_cli.domain.reservation import Strategy, format_time
from reservation_cli.domain.run import Run
from reservation_cli.domain.timeline import Timeline
from reservation_cli.render.words import PLATFORM_NAMES

Cell = str | int | float | None

_METRICS = tuple(field.name for field in fields(Metrics))
COLUMNS = (
    "run",
    "kind",
    "platform",
    "target",
    "label",
    "number",
    "reservation_id",
    "ref",
    "strategy",
    "hold_seconds",
    "status",
    "expected",
    "outcome",
    "verdict",
    "sent_at",
    "retries",
    "error",
    *_METRICS,
)
#: Spreadsheets take a text that begins with one of these for a formula, which may run a command.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def render(run: Run) -> str:
    """The whole table with its header; lines end in CRLF."""
    written = io.StringIO(newline="")
    table = csv.DictWriter(written, COLUMNS)
    table.writeheader()
    for row in _rows(run):
        table.writerow({name: _safe(value) for name, value in row.items()})
    return written.getvalue()


def _rows(run: Run) -> Iterator[dict[str, Cell]]:
    common: dict[str, Cell] = {"run": run.id, "kind": run.kind}
    if run.bench is not None:
        for sample in run.bench.samples:
            yield common | _of_sample(sample, run.bench.plan.strategy)
    elif run.chaos is not None:
        for number, judged in enumerate(chaos_verdict.judged(run.chaos)):
            yield common | _of_booking(number, judged)
    else:
        for number, lane in enumerate(run.lanes):
            yield common | _of_lane(number, lane)


def _of_sample(sample: Sample, strategy: Strategy) -> dict[str, Cell]:
    return {
        "platform": sample.platform,
        "target": sample.target,
        "label": sample.label,
        "number": sample.number,
        "reservation_id": sample.reservation_id,
        "ref": sample.ref,
        "strategy": strategy,
        "hold_seconds": sample.hold_seconds,
        "status": sample.status,
        "expected": sample.expected,
        "outcome": sample.outcome,
        "verdict": sample.verdict,
        "sent_at": format_time(sample.sent_at),
        "retries": sample.retries,
        "error": sample.error,
        **sample.metrics.as_json(),
    }


def _of_booking(number: int, judged: Judged) -> dict[str, Cell]:
    one = judged.booking
    return {
        "platform": one.ask.platform,
        "target": "local",
        "label": f"{PLATFORM_NAMES[one.ask.platform]} · local",
        "number": number,
        "reservation_id": one.ask.reservation_id,
        "ref": one.ref,
        "strategy": one.ask.strategy,
        "hold_seconds": one.ask.hold_seconds,
        "status": one.status,
        "outcome": one.outcome,
        "verdict": judged.verdict,
        "sent_at": format_time(one.sent),
        "retries": sum(max(0, len(bodies) - 1) for bodies in (one.hold_bodies, one.final_bodies)),
        "error": judged.reason or one.error,
    }


def _of_lane(number: int, lane: Timeline) -> dict[str, Cell]:
    asked = lane.request or lane.reservation
    return {
        "platform": lane.platform,
        "target": lane.target,
        "label": lane.label,
        "number": number,
        "reservation_id": lane.reservation_id,
        "ref": lane.ref,
        "strategy": asked.strategy if asked else None,
        "hold_seconds": asked.hold_seconds if asked else None,
        "status": lane.status,
        "outcome": lane.outcome,
        "sent_at": format_time(lane.requested_at),
        "retries": sum(max(0, len(span.attempts) - 1) for span in lane.spans if span.kind == "step"),
        "error": lane.error,
        **metrics(lane).as_json(),
    }


def _safe(value: Cell) -> Cell:
    """An apostrophe before what a spreadsheet would run; numbers are left as they are."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
