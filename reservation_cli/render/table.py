"""The metrics of a comparison as a table, the configuration of each lane, and the sentences that keep it honest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.table import Table
from rich.text import Text

from reservation_cli.domain.comparison import Row, Unit, like_for_like, metrics, rows
from reservation_cli.domain.cost import PRICES_AS_OF
from reservation_cli.domain.reservation import format_duration
from reservation_cli.domain.timeline import Timeline
from reservation_cli.render.words import (
    DIM,
    LANE_STYLES,
    PLATFORM_NAMES,
    UNKNOWN,
    details,
    is_absent,
    joined,
    lane_name,
    printable,
    second_name,
)

# From here on a row of milliseconds reads better in seconds.
_LONG_MS = 10_000
_MILLION = 1_000_000
#: Stands beside every result of a local engine.
LOCAL = "Local engines show how the programming models behave, not how fast the clouds are."


def metric_table(lanes: Sequence[Timeline]) -> Table | None:
    """Metric, one column a lane, and for two lanes the difference of the second; None while nothing is known."""
    lanes = [lane for lane in lanes if not is_absent(lane)]
    table_rows = rows(metrics(lane) for lane in lanes)
    if not table_rows:
        return None
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="")
    table.add_column(Text("metric", DIM), no_wrap=True)
    for lane, detail in zip(lanes, details(lanes), strict=True):
        header = Text(justify="right")
        header.append(PLATFORM_NAMES[lane.platform], f"bold {LANE_STYLES[lane.platform]}").append(f"\n{detail}", DIM)
        table.add_column(header, justify="right", no_wrap=True)
    if len(lanes) == 2:
        table.add_column(Text("difference", DIM), justify="right", no_wrap=True)
    for row in table_rows:
        cells = [Text(cell) for cell in values(row)]
        if len(lanes) == 2:
            cells.append(Text(difference(row, second_name(lanes))))
        table.add_row(row.label, *cells)
    return table


def values(row: Row) -> list[str]:
    """The values of a row, all in one unit and with the same decimals."""
    known = [abs(value) for value in row.values if value is not None]
    in_seconds = row.unit == "ms" and any(value >= _LONG_MS for value in known)
    return [UNKNOWN if value is None else _value(value, row.unit, row.signed, in_seconds) for value in row.values]


def difference(row: Row, name: str) -> str:
    """'AWS −7.1 ms': the second lane and by how much it differs from the first; 'same' when it does not show."""
    if row.difference is None:
        return ""
    shown = _value(row.difference, row.unit, True, False)
    return "same" if shown.startswith("±") else f"{name} {shown}"


def _value(value: float, unit: Unit, signed: bool, in_seconds: bool) -> str:
    if unit == "count":
        number, suffix = f"{abs(value):.0f}", ""
    elif unit == "usd":
        number, suffix = f"${abs(value) * _MILLION:.2f}", ""
    elif in_seconds:
        number, suffix = f"{abs(value) / 1000:.3f}", " s"
    else:
        number, suffix = f"{abs(value):,.1f}".replace(",", "\N{NARROW NO-BREAK SPACE}"), " ms"
    is_zero = not number.strip("$0.")
    sign = "−" if value < 0 and not is_zero else ""
    if signed:
        sign = "±" if is_zero else sign or "+"
    return f"{sign}{number}{suffix}"


def clocks() -> Iterator[str]:
    """Whose clocks the table was read from, and what its prices are."""
    yield "Service-side clocks; accepted: this machine's clock; n = 1."
    yield f"Cost: US dollars for a million such reservations, prices of {PRICES_AS_OF}, free allowances left aside."


def configuration(lanes: Sequence[Timeline]) -> Iterator[Text]:
    """What each lane ran on: engine, endpoint, hold, strategy, reservation id, ref; a blank line before each."""
    for lane in lanes:
        engine = lane.engine.name + (f" {lane.engine.version}" if lane.engine.version else "")
        facts = lane.request or lane.reservation
        entries = [("engine", engine), ("endpoint", lane.endpoint)]
        if facts:
            entries.append(("hold", f"{format_duration(facts.hold_seconds)}, strategy {facts.strategy}"))
        entries.append(("reservation", lane.reservation_id))
        if lane.ref != lane.reservation_id:
            entries.append(("ref", lane.ref))
        yield Text()
        yield Text(lane_name(lane), f"bold {LANE_STYLES[lane.platform]}")
        yield from fact_lines(entries)


def fact_lines(entries: Sequence[tuple[str, str | Text]]) -> list[Text]:
    """Names and values, a line each. A ref is left for the terminal to wrap: so it can be copied whole."""
    column = max((len(name) for name, _ in entries), default=0) + 2
    lines = []
    for name, value in entries:
        line = Text.assemble("  ", (name.ljust(column), DIM), value if isinstance(value, Text) else printable(value))
        if name == "ref":
            line.no_wrap, line.overflow = True, "ignore"
        lines.append(line)
    return lines


def sentences(lanes: Sequence[Timeline]) -> Iterator[str]:
    """What a reader must know before drawing conclusions."""
    present = [lane for lane in lanes if not is_absent(lane)]
    # Two lanes of one place have the same to say of it.
    yield from dict.fromkeys(f"{lane_name(lane)}: {printable(note)}" for lane in present for note in lane.remarks)
    if any(lane.target == "local" for lane in present):
        yield LOCAL
    if len(present) < 2:
        return
    if not like_for_like(present):
        yield f"Not like for like: {'; '.join(_differing(present))}."
    yield "One run is an anecdote; repeat it before you believe a difference."


def _differing(lanes: Sequence[Timeline]) -> Iterator[str]:
    targets = [f"{PLATFORM_NAMES[lane.platform]} {lane.target}" for lane in lanes]
    if len({lane.target for lane in lanes}) > 1:
        yield f"the targets differ ({joined(targets)})"
    requests = [lane.request for lane in lanes]
    holds = ["not told" if asked is None else format_duration(asked.hold_seconds) for asked in requests]
    if len(set(holds)) > 1:
        yield f"the holds differ ({joined(holds)})"
    strategies = ["not told" if asked is None else asked.strategy for asked in requests]
    if len(set(strategies)) > 1:
        yield f"the strategies differ ({joined(strategies)})"
