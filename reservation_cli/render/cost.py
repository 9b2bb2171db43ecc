"""What a reservation costs: two platforms side by side, line by line, and what would change it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest

from rich.console import Group, RenderableType
from rich.constrain import Constrain
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from reservation_cli.domain.cost import BillLine, CostLine, Purpose
from reservation_cli.domain.costing import MILLION, Costing, Terms, changes
from reservation_cli.domain.prices import PRICES
from reservation_cli.domain.reservation import PLATFORMS, format_duration
from reservation_cli.render.words import DIM, LANE_STYLES, PLATFORM_NAMES, joined

#: From here on there is room for what a row is for, and then for the unit prices.
_WITH_PURPOSE = 96
_WITH_PRICES = 118
#: Below this the platforms stand one under the other.
_SIDE_BY_SIDE = 78

_RECORDED, _ASSUMED = "●", "○"
_SIZES = ((MILLION, "M"), (1000, "k"), (1, ""))
_PURPOSES: dict[Purpose, str] = {
    "workflow": "workflow",
    "compute": "compute",
    "state": "state",
    "seats": "seats",
    "audit": "audit copy",
    "logs": "logs",
    "plan": "plan",
}

Pair = tuple[Costing | None, Costing | None]


def cost_view(costed: Sequence[Costing], terms: Terms, width: int, details: bool = False) -> RenderableType:
    """The table of each pair of lanes, what would change the totals, and where the figures come from."""
    parts: list[RenderableType] = []
    for pair in _pairs(costed):
        present = [one for one in pair if one is not None]
        parts += [Text(_title(present), "bold"), Text()]
        tables = [pair] if len(present) == 2 and width >= _SIDE_BY_SIDE else [_alone(one) for one in present]
        for number, each in enumerate(tables):
            parts += [*([Text()] if number else []), _table(each, terms, width)]
        if len(present) == 2:
            parts.append(Text(f"{difference(present[0], present[1])}.", "bold"))
        parts += [Text(), Text("What would change it"), _changes(present, terms), Text()]
        if details:
            parts += _grounds(present)
    parts += [Text(sentence, DIM) for sentence in _sentences(costed, terms, details)]
    if details:
        parts += [Text(), *(Text(f"  {source}", DIM) for source in _sources(costed, terms))]
    return Constrain(Group(*parts), width)


def difference(first: Costing, second: Costing) -> str:
    """'AWS −$11.98 (25% less)': the second of two and by how much it differs."""
    name, usd = PLATFORM_NAMES[second.platform], second.total_usd - first.total_usd
    if abs(usd) < 0.005:
        return f"{name}: the same"
    less = "less" if usd < 0 else "more"
    share = f" ({abs(usd) / first.total_usd:.0%} {less})" if first.total_usd else ""
    return f"{name} {'−' if usd < 0 else '+'}{money(abs(usd))}{share}"


def money(usd: float) -> str:
    """'$1,234.50'; '<$0.01' for what would show as nothing and is not."""
    return "<$0.01" if 0 < usd < 0.005 else f"${usd:,.2f}"


def one(usd: float) -> str:
    """The cost of a single execution in cents: '0.0048 ¢'."""
    return f"{usd * 100:.4f} ¢"


def quantity(line: CostLine) -> str:
    """What one execution uses: '3', '9 ms', '12.3 kB·mo' (kilobytes for a month)."""
    value, unit = line.quantity, line.unit
    if unit in ("GB", "GB-month"):
        value, unit = value * 1e6, "kB" if unit == "GB" else "kB·mo"
        return f"{value:.3g} {unit}" if value >= 0.01 or not value else f"<0.01 {unit}"
    return f"{value:.3g} {unit}" if unit in ("ms", "GB-s") else f"{value:.3g}"


def unit_price(line: CostLine) -> str:
    """'$8.00/M', or '$0.20/GB·mo' for what is sold by the gigabyte."""
    by_size = line.unit in ("GB", "GB-month")
    price = f"{line.unit_price_usd if by_size else line.unit_price_usd * MILLION:.3f}"
    return f"${price.removesuffix('0')}/{line.unit.replace('-month', '·mo') if by_size else 'M'}"


def _pairs(costed: Sequence[Costing]) -> Iterator[Pair]:
    """The lanes of both platforms two by two, in their order."""
    sides = [[one for one in costed if one.platform == platform] for platform in PLATFORMS]
    yield from zip_longest(*sides)


def _alone(costed: Costing) -> Pair:
    return (costed, None)


def _title(costed: Sequence[Costing]) -> str:
    facts = [
        joined([fact for one in costed if (fact := _hold(one))]),
        f"strategy {joined([one.shape.strategy for one in costed])}",
        joined([one.shape.outcome or "not over: so far" for one in costed]),
    ]
    return f"Cost of a reservation · {' · '.join(fact for fact in facts if fact)}"


def _hold(costed: Costing) -> str:
    if costed.lane is None:
        return f"hold {format_duration(costed.shape.run_seconds)}" if costed.shape.run_seconds else ""
    facts = costed.lane.request or costed.lane.reservation
    return f"hold {format_duration(facts.hold_seconds)}" if facts else ""


def _table(pair: Pair, terms: Terms, width: int) -> Table:
    sides = [one for one in pair if one is not None]
    room = width if len(sides) == 2 else 2 * width - 8
    purposes, prices = room >= _WITH_PURPOSE, room >= _WITH_PRICES
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="")
    if purposes:
        table.add_column("", style=DIM, no_wrap=True, min_width=len("audit copy"))
    above = "\n" if any(side.lane for side in sides) else ""
    for index, side in enumerate(sides):
        if index:
            table.add_column("", no_wrap=True)
        table.add_column(_header(side), no_wrap=True)
        for name in ("each", *(["price"] if prices else []), _count(terms)):
            table.add_column(Text(above + name, DIM), justify="right", no_wrap=True)
    for purpose, row in _rows(sides):
        cells = [Text(purpose)] if purposes else []
        for index, billed in enumerate(row):
            cells += [Text()] if index else []
            cells += _cells(billed, prices)
        table.add_row(*cells)
    for label, amounts in _totals(sides, terms):
        cells = [Text()] if purposes else []
        for index, amount in enumerate(amounts):
            cells += [Text()] if index else []
            cells += [Text(label, "bold"), Text(), *([Text()] if prices else []), Text(amount, "bold")]
        table.add_row(*cells)
    return table


def _header(costed: Costing) -> Text:
    header = Text(PLATFORM_NAMES[costed.platform], f"bold {LANE_STYLES[costed.platform]}")
    return header if costed.lane is None else header.append(f"\n{costed.lane.target}", DIM)


def _rows(sides: Sequence[Costing]) -> Iterator[tuple[str, list[BillLine | None]]]:
    """Row by row, what is for the same thing beside each other; its name in the first row of it."""
    for purpose, name in _PURPOSES.items():
        columns = [[billed for billed in side.bill if billed.line.purpose == purpose] for side in sides]
        for number, row in enumerate(zip_longest(*columns)):
            yield "" if number else name, list(row)


def _cells(billed: BillLine | None, prices: bool) -> list[Text]:
    if billed is None:
        return [Text()] * (4 if prices else 3)
    line = billed.line
    each = Text(quantity(line))
    if line.purpose == "plan":
        each = Text()
    elif line.basis == "recorded":
        each.append(f" {_RECORDED}")
    else:
        each.append(f" {_ASSUMED}", DIM)
    covered = billed.included and not billed.cost_usd
    amount = Text("included", DIM) if covered else Text(money(billed.cost_usd))
    return [Text(line.item), each, *([Text(unit_price(line), DIM)] if prices else []), amount]


def _totals(sides: Sequence[Costing], terms: Terms) -> Iterator[tuple[str, list[str]]]:
    yield "total", [money(side.total_usd) for side in sides]
    if terms.count > 1:
        yield "one", [one(side.total_usd / terms.count) for side in sides]


def _changes(costed: Sequence[Costing], terms: Terms) -> Padding:
    """The line that costs most, then what could be otherwise."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column()
    for side in costed:
        name, top = Text(PLATFORM_NAMES[side.platform], LANE_STYLES[side.platform]), side.largest
        if side.total_usd > 0:
            table.add_row(name, money(top.cost_usd), f"of it is {top.line.item}: {top.cost_usd / side.total_usd:.0%}")
        for change in changes(side, terms):
            table.add_row("", f"{'−' if change.usd < 0 else '+'}{money(abs(change.usd))}", change.what)
    return Padding(table, (0, 0, 0, 2))


def _grounds(costed: Sequence[Costing]) -> list[RenderableType]:
    """Why each quantity is what it is."""
    parts: list[RenderableType] = [Text("Where the quantities come from")]
    for side in costed:
        table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, show_header=False)
        table.add_column(no_wrap=True)
        table.add_column()
        for line in side.lines:
            sign = _RECORDED if line.basis == "recorded" else _ASSUMED
            table.add_row(Text(f"{sign} {line.item}"), Text(line.ground, DIM))
        name = Text(PLATFORM_NAMES[side.platform], f"bold {LANE_STYLES[side.platform]}")
        parts += [Padding(name, (0, 0, 0, 2)), Padding(table, (0, 0, 1, 2))]
    return parts


def _sentences(costed: Sequence[Costing], terms: Terms, details: bool) -> Iterator[str]:
    recorded = any(line.basis == "recorded" for one in costed for line in one.lines)
    grounds = "" if details else "; the ground of each: --details"
    if recorded:
        yield f"{_RECORDED} recorded: read off the timeline. {_ASSUMED} assumed{grounds}."
    else:
        yield f"{_ASSUMED} assumed from the code, nothing was run{grounds}."
    if terms.allowances:
        yield "What a month includes is taken off, as if nothing else in the account used it."
    else:
        yield "Free allowances left aside; --free takes off what a month includes."
    whose = "List prices" if terms.prices is PRICES else "List prices and your own"
    yield f"{whose} of {terms.prices.as_of}: Workers Paid; AWS us-east-2, arm64, {terms.memory_mb} MB. US dollars."
    if any(one.lane is not None and one.lane.target == "local" for one in costed):
        yield "Local lanes cost nothing; this is the same execution at the cloud's prices."
    yield "Not in it: requests for the status, cold starts, data transfer, taxes."


def _sources(costed: Sequence[Costing], terms: Terms) -> list[str]:
    return list(dict.fromkeys(terms.prices[line.price].source for one in costed for line in one.lines))


def _count(terms: Terms) -> str:
    size, name = next((size, name) for size, name in _SIZES if terms.count % size == 0)
    return f"{terms.count // size:,}{name}{'/month' if terms.allowances else ''}"
