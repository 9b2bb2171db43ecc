"""What a reservation costs in the cloud, line by line, and where each quantity comes from.

`lines(timeline)` is what one execution used, at list price and without free allowances; `bill(lines, count)` is a month
of many, with or without them. What a timeline tells (operations, attempts, invocations, how long it ran) is `recorded`.
All else is `assumed`: counted in cf-workflow/src and aws-durable/src for the way this execution went, or measured, or
estimated; `ground` says which. Requests that only ask for the status are in neither.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

from reservation_cli.domain.prices import PRICES, PRICES_AS_OF, Prices
from reservation_cli.domain.reservation import Outcome, Platform, Strategy
from reservation_cli.domain.timeline import Timeline

__all__ = ["PRICES_AS_OF", "BillLine", "CostLine", "Shape", "bill", "cost_usd", "expected", "lines", "operations"]

Basis = Literal["recorded", "assumed"]
#: What a line is for, in the order in which lines are given; the same on both platforms.
Purpose = Literal["workflow", "compute", "state", "seats", "audit", "logs", "plan"]

#: infra/template.yaml
MEMORY_MB = 256
#: infra/template.yaml: RetentionPeriodInDays
AWS_RETENTION_DAYS = 14
#: The default of Workers Paid for workflows made since 2026-09-10
CLOUDFLARE_RETENTION_DAYS = 7
#: cf-workflow/src/audit.ts
KV_DAYS = 1
#: Nothing deletes what the seats keep; this is what one month of it costs.
SEATS_DAYS = 30
MONTH_DAYS = 30
_DAY_SECONDS = 86_400

# Kilobytes (1000), measured with the payloads of seat A1 and user123.
_STATE_KB = 1.1
_STATE_KB_REJECTED = 0.85
_RECORD_KB = 0.26
_OBJECT_KB = 12.3
_ITEM_KB = 0.35
_LOG_KB = 0.4

_CPU_MS = 3
_OBJECT_CALL_MS = 20
#: What a Durable Object is billed for while it is active, whatever it uses.
_OBJECT_GB = 0.128
_INVOCATION_MS = 100


class CostLine(NamedTuple):
    """One line for one execution. `price` names it in the table; `ground` is why the quantity is what it is."""

    platform: Platform
    item: str
    quantity: float
    unit: str
    unit_price_usd: float
    cost_usd: float
    basis: Basis
    ground: str
    price: str
    purpose: Purpose


class BillLine(NamedTuple):
    """A line for a month of many: `quantity` used, `included` of it free, `cost_usd` for the rest."""

    line: CostLine
    quantity: float
    included: float
    cost_usd: float


class Shape(NamedTuple):
    """What the cost of an execution depends on.

    `hold_attempts` and `final_attempts` count the runs of the two step bodies, `steps_done` those that succeeded.
    `billed_ms` is what the invocations took, by Lambda's own clock; None where that is not told.
    """

    platform: Platform
    strategy: Strategy
    outcome: Outcome | None
    operations: int
    hold_attempts: int
    final_attempts: int
    steps_done: int
    run_seconds: float
    invocations: int
    billed_ms: int | None = None
    recorded: bool = False
    invocations_recorded: bool = False

    @property
    def is_decided(self) -> bool:
        """Somebody confirmed or cancelled it."""
        return self.outcome in ("confirmed", "cancelled")


def lines(what: Timeline | Shape, prices: Prices = PRICES, memory_mb: int = MEMORY_MB) -> tuple[CostLine, ...]:
    """What one execution costs: the cloud's prices, wherever it ran, without free allowances."""
    shape = what if isinstance(what, Shape) else shape_of(what)
    if shape.platform == "cloudflare":
        return _cloudflare(shape, prices)
    return _aws(shape, prices, memory_mb)


def cost_usd(timeline: Timeline) -> float:
    """US dollars for this execution at the prices of `PRICES_AS_OF`, free allowances left aside."""
    return sum(line.cost_usd for line in lines(timeline))


def operations(timeline: Timeline) -> int:
    """Billed operations so far: on Cloudflare steps, sleeps and waits; on AWS those, their retries, and the start."""
    billed = [span for span in timeline.spans if span.kind != "invocation"]
    if timeline.platform == "cloudflare":
        return len(billed)
    return 1 + sum(max(1, len(span.attempts)) for span in billed)


def bill(
    found: Sequence[CostLine], count: float, prices: Prices = PRICES, *, allowances: bool = False
) -> tuple[BillLine, ...]:
    """A month of `count` such executions of one platform.

    With `allowances` what is included a month is taken off, as if nothing else used it, and the plan's fee put on.
    """
    billed = [_billed(line, count, prices, allowances) for line in found]
    if allowances and any(line.platform == "cloudflare" for line in found):
        book = _Book("cloudflare", prices)
        book.add("plan", "Workers Paid", "plan", 1, "the plan that the allowances come with, a month")
        billed += [BillLine(plan, 1, 0, plan.cost_usd) for plan in book.lines]
    return tuple(billed)


def expected(platform: Platform, hold_seconds: int, strategy: Strategy, outcome: Outcome) -> Shape:
    """The shape of an execution in which nothing goes wrong and that ends like that."""
    rejected = outcome == "rejected"
    # A callback is made before the hold on AWS, so a rejected one has been paid for.
    waits = 0 if rejected and (platform == "cloudflare" or strategy == "sleep") else 1
    steps = 1 if rejected else 2
    return Shape(
        platform=platform,
        strategy=strategy,
        outcome=outcome,
        operations=steps + waits + (platform == "aws"),
        hold_attempts=1,
        final_attempts=steps - 1,
        steps_done=steps,
        run_seconds=0 if rejected else hold_seconds,
        invocations=steps,
    )


def shape_of(timeline: Timeline) -> Shape:
    """What a timeline tells of its execution, so far when it is not over."""
    facts = timeline.request or timeline.reservation
    steps = [span for span in timeline.spans if span.kind == "step"]
    attempts = {span.name: max(1, len(span.attempts)) for span in steps}
    end = timeline.ended or timeline.as_of
    waited = any(span.name == "finalize" for span in steps)
    return Shape(
        platform=timeline.platform,
        strategy=facts.strategy if facts else "sleep",
        outcome=timeline.outcome,
        operations=operations(timeline),
        hold_attempts=attempts.get("create-hold", 0),
        final_attempts=attempts.get("finalize", 0),
        steps_done=sum(span.status == "succeeded" for span in steps),
        run_seconds=max(0.0, (end - timeline.started).total_seconds()) if timeline.started else 0.0,
        invocations=timeline.invocations if timeline.invocations is not None else 2 if waited else 1,
        billed_ms=_billed_ms(timeline),
        recorded=True,
        invocations_recorded=timeline.invocations is not None,
    )


def _billed_ms(timeline: Timeline) -> int | None:
    """Each invocation rounded up to a whole ms; None for a local engine, whose machine is not Lambda's."""
    took = [span for span in timeline.spans if span.kind == "invocation"]
    if timeline.target == "local" or len(took) != timeline.invocations:
        return None
    total = 0
    for span in took:
        if span.start is None or span.end is None:
            return None
        total += math.ceil(round((span.end - span.start).total_seconds() * 1000, 3))
    return total


def _cloudflare(shape: Shape, prices: Prices) -> tuple[CostLine, ...]:
    decided, rejected = shape.is_decided, shape.outcome == "rejected"
    requests = 1 + decided
    runs = 1 + (shape.final_attempts > 0)
    # reserve: claim, waitForHold; create-hold: claim, hold; finalize: one; confirm or cancel: get, waitForHold, itself
    calls = 2 + 2 * shape.hold_attempts + shape.final_attempts + 3 * decided
    ending = {None: 0, "rejected": 0, "expired": 1, "cancelled": 1, "confirmed": 2}[shape.outcome]
    rows = 1 + (2 if rejected else 3) + ending
    state_days = shape.run_seconds / _DAY_SECONDS + CLOUDFLARE_RETENTION_DAYS
    who = "reserve, the instance" + (", confirm or cancel" if decided else "")
    book = _Book("cloudflare", prices)
    book.recorded = shape.recorded
    book.add("workflow", "steps", "steps", shape.operations, "steps, sleeps and waits; retries are free", told=True)
    book.add("compute", "requests", "requests", 1 + requests, f"by the code: {who}")
    book.add("compute", "CPU", "cpu", _CPU_MS * (requests + runs), f"{_CPU_MS} ms a request and a run, estimated")
    book.add(
        "state",
        "state kept",
        "state",
        _gb_months(_state_kb(shape), state_days),
        f"{_state_kb(shape):g} kB of payloads, measured, for the run and {CLOUDFLARE_RETENTION_DAYS} days",
    )
    book.add("seats", "object calls", "object_requests", calls, "by the code: each call of a Durable Object")
    book.add(
        "seats",
        "object time",
        "object_duration",
        calls * _OBJECT_CALL_MS / 1000 * _OBJECT_GB,
        f"{_OBJECT_CALL_MS} ms a call at 128 MB, estimated; idle is free",
    )
    book.add("seats", "rows written", "rows_written", rows, "measured on workerd: rows and index entries")
    book.add("seats", "rows read", "rows_read", 2 * calls, "about two a call, measured; a seat without history")
    book.add(
        "seats",
        "object storage",
        "object_storage",
        _gb_months(_OBJECT_KB, SEATS_DAYS),
        f"{_OBJECT_KB} kB, a database for each id; {SEATS_DAYS} days, and as much each month it is kept",
    )
    book.add("audit", "KV writes", "kv_writes", shape.steps_done, "by the code: a copy after each step; no reads")
    book.add("audit", "KV storage", "kv_storage", _gb_months(_RECORD_KB, KV_DAYS), f"{_RECORD_KB} kB for 24 h")
    book.add("logs", "log events", "log_events", requests + calls + runs, "one a request, an object call and a run")
    return tuple(book.lines)


def _aws(shape: Shape, prices: Prices, memory_mb: int) -> tuple[CostLine, ...]:
    decided, rejected = shape.is_decided, shape.outcome == "rejected"
    invocations = shape.invocations + decided
    took = shape.billed_ms if shape.billed_ms is not None else shape.invocations * _INVOCATION_MS
    took += decided * _INVOCATION_MS
    # hold: reads the seat (rejected: twice), writes entry and seat (rejected: the entry twice); confirm and cancel:
    # read the entry (for an event once more, for its callback), write the seat; finalize: the same, and once it is
    # decided the write is in vain, but billed, and entry and seat are read again
    reads = (1 + rejected) * shape.hold_attempts + decided * (1 + (shape.strategy == "event"))
    reads += (3 if decided else 1) * shape.final_attempts
    writes = 2 * shape.hold_attempts + decided + shape.final_attempts
    kilobytes = _state_kb(shape)
    kept_days = shape.run_seconds / _DAY_SECONDS + AWS_RETENTION_DAYS
    seats = ", and the seats function by the code" if decided else ""
    book = _Book("aws", prices)
    book.recorded = shape.recorded
    book.add("workflow", "operations", "operations", shape.operations, "start, steps, waits, retries", told=True)
    book.add(
        "compute",
        "requests",
        "requests",
        invocations,
        f"{shape.invocations} of the workflow{seats}",
        told=shape.invocations_recorded and not decided,
    )
    book.add(
        "compute",
        "compute",
        "compute",
        took / 1000 * memory_mb / 1024,
        f"{took} ms at {memory_mb} MB arm64, {_how_long(shape)}",
        told=shape.billed_ms is not None and not decided,
    )
    book.add("state", "state written", "written", kilobytes / 1e6, f"{kilobytes:g} kB of payloads, measured")
    book.add(
        "state",
        "state kept",
        "retained",
        _gb_months(kilobytes, kept_days),
        f"the same for the run and {AWS_RETENTION_DAYS} days",
    )
    book.add(
        "seats", "table writes", "writes", writes, "by the code: under 1 KB, not transactional; one more on a used seat"
    )
    book.add("seats", "table reads", "reads", reads, "by the code: strongly consistent, under 4 KB")
    book.add(
        "seats",
        "table storage",
        "table_storage",
        _gb_months(_ITEM_KB, SEATS_DAYS),
        f"{_ITEM_KB} kB, the entry; {SEATS_DAYS} days, and as much each month it is kept",
    )
    book.add(
        "logs", "log data", "log_data", invocations * _LOG_KB / 1e6, f"{_LOG_KB} kB an invocation: Lambda's own lines"
    )
    return tuple(book.lines)


class _Book:
    """Writes the lines of one platform."""

    def __init__(self, platform: Platform, prices: Prices) -> None:
        self.platform: Platform = platform
        self.prices = prices
        self.recorded = False
        self.lines: list[CostLine] = []

    def add(self, purpose: Purpose, item: str, name: str, quantity: float, ground: str, *, told: bool = False) -> None:
        """One line; `told` where a timeline tells the quantity."""
        price = self.prices[f"{self.platform}.{name}"]
        self.lines.append(
            CostLine(
                platform=self.platform,
                item=item,
                quantity=quantity,
                unit=price.unit,
                unit_price_usd=price.each,
                cost_usd=quantity * price.each,
                basis="recorded" if told and self.recorded else "assumed",
                ground=ground,
                price=f"{self.platform}.{name}",
                purpose=purpose,
            )
        )


def _billed(line: CostLine, count: float, prices: Prices, allowances: bool) -> BillLine:
    used = line.quantity * count
    included = min(used, prices[line.price].included) if allowances else 0.0
    return BillLine(line, used, included, (used - included) * line.unit_price_usd)


def _gb_months(kilobytes: float, days: float) -> float:
    return kilobytes / 1e6 * days / MONTH_DAYS


def _state_kb(shape: Shape) -> float:
    return _STATE_KB_REJECTED if shape.outcome == "rejected" else _STATE_KB


def _how_long(shape: Shape) -> str:
    if shape.billed_ms is None:
        return f"{_INVOCATION_MS} ms an invocation, estimated for a warm start"
    return f"as Lambda told it; the seats function {_INVOCATION_MS} ms" if shape.is_decided else "as Lambda told it"
