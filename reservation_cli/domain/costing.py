"""The costs of several executions on the same terms, what would change them, and all of it as JSON."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from reservation_cli.domain.cost import MEMORY_MB, BillLine, CostLine, Shape, bill, lines, shape_of
from reservation_cli.domain.prices import PRICES, Prices
from reservation_cli.domain.reservation import InvalidInputError, Platform
from reservation_cli.domain.timeline import Timeline

MILLION = 1_000_000
_MONTH_SECONDS = 30 * 86_400
_COUNT = re.compile(r"(\d+(?:\.\d+)?)([kMB]?)", re.ASCII)
_SIZES = {"": 1, "k": 1_000, "M": MILLION, "B": 1_000_000_000}
_MOST = 10**12


@dataclass(frozen=True, slots=True)
class Terms:
    """How many executions a month, with or without the free allowances, at which prices, in how much memory (AWS)."""

    count: int = MILLION
    allowances: bool = False
    memory_mb: int = MEMORY_MB
    prices: Prices = PRICES


@dataclass(frozen=True, slots=True)
class Costing:
    """What one execution costs, and `count` of them. `lane` is None for one that was not run."""

    lane: Timeline | None
    shape: Shape
    lines: tuple[CostLine, ...]
    bill: tuple[BillLine, ...]

    @property
    def platform(self) -> Platform:
        """Where it runs."""
        return self.shape.platform

    @property
    def each_usd(self) -> float:
        """One execution, without free allowances."""
        return sum(line.cost_usd for line in self.lines)

    @property
    def total_usd(self) -> float:
        """All of them, on the terms."""
        return sum(line.cost_usd for line in self.bill)

    @property
    def largest(self) -> BillLine:
        """The line that costs most."""
        return max(self.bill, key=lambda line: line.cost_usd)


@dataclass(frozen=True, slots=True)
class Change:
    """Something that could be otherwise, and by how much the total would differ."""

    platform: Platform
    what: str
    usd: float


def costing(what: Timeline | Shape, terms: Terms) -> Costing:
    """The cost of a recorded execution, or of one that is only expected."""
    lane = what if isinstance(what, Timeline) else None
    shape = what if isinstance(what, Shape) else shape_of(what)
    found = lines(shape, terms.prices, terms.memory_mb)
    return Costing(lane, shape, found, bill(found, terms.count, terms.prices, allowances=terms.allowances))


def changes(costed: Costing, terms: Terms) -> tuple[Change, ...]:
    """What would change the total, most first; what makes no difference on these terms is left out."""
    found = [change for change in _changes(costed, terms) if abs(change.usd) >= 0.005]
    return tuple(sorted(found, key=lambda change: -abs(change.usd)))


def _changes(costed: Costing, terms: Terms) -> Iterator[Change]:
    platform, shape = costed.platform, costed.shape

    def difference(other: Sequence[CostLine]) -> float:
        changed = bill(other, terms.count, terms.prices, allowances=terms.allowances)
        return sum(line.cost_usd for line in changed) - costed.total_usd

    longer = lines(shape._replace(run_seconds=shape.run_seconds + _MONTH_SECONDS), terms.prices, terms.memory_mb)
    yield Change(platform, "a hold 30 days longer (its state; waiting is free)", difference(longer))
    if platform == "cloudflare":
        for purpose, what in (("audit", "no audit copy in KV"), ("logs", "no Workers Logs (observability off)")):
            yield Change(platform, what, difference([line for line in costed.lines if line.purpose != purpose]))
        return
    doubled = 2 * terms.memory_mb
    yield Change(
        platform,
        f"{doubled} MB of memory, if that is no faster",
        difference(lines(shape, terms.prices, doubled)),
    )
    door = terms.prices["aws.http_api"]
    calls = 1 + shape.is_decided
    yield Change(platform, "an HTTP API in front, as the Worker is on Cloudflare", calls * terms.count * door.each)


def parse_count(text: str) -> int:
    """A number of executions from '5M', '500k', '1.5B' or '20000'; InvalidInputError when it is none."""
    match = _COUNT.fullmatch(text.strip().replace("_", ""))
    number = float(match[1]) * _SIZES[match[2]] if match else 0.0
    if not 1 <= number <= _MOST or number != int(number):
        raise InvalidInputError(f"{text!r} is no number of reservations; write it like 20000, 500k, 5M or 1B.")
    return int(number)


def costings_as_json(costed: Sequence[Costing], terms: Terms) -> dict[str, object]:
    """One object a lane, with its lines; `total_usd` is for `count` of them on the terms, `cost_usd` for one."""
    return {
        "prices_as_of": terms.prices.as_of,
        "count": terms.count,
        "allowances": terms.allowances,
        "memory_mb": terms.memory_mb,
        "lanes": [_costing_as_json(one, terms) for one in costed],
    }


def _costing_as_json(one: Costing, terms: Terms) -> dict[str, object]:
    lane, shape = one.lane, one.shape
    return {
        "platform": one.platform,
        "target": lane.target if lane else None,
        "reservation_id": lane.reservation_id if lane else None,
        "ref": lane.ref if lane else None,
        "status": lane.status if lane else None,
        "strategy": shape.strategy,
        "outcome": shape.outcome,
        "run_seconds": shape.run_seconds,
        "cost_usd": one.each_usd,
        "total_usd": one.total_usd,
        "lines": [_line_as_json(line, terms.prices) for line in one.bill],
        "changes": [{"what": change.what, "usd": change.usd} for change in changes(one, terms)],
    }


def _line_as_json(billed: BillLine, prices: Prices) -> dict[str, object]:
    line = billed.line
    price = prices[line.price]
    return {
        "purpose": line.purpose,
        "item": line.item,
        "quantity": line.quantity,
        "unit": line.unit,
        "basis": line.basis,
        "ground": line.ground,
        "price": line.price,
        "price_usd": price.usd,
        "price_per": price.per,
        "source": price.source,
        "cost_usd": line.cost_usd,
        "included": billed.included,
        "total_usd": billed.cost_usd,
    }
