"""Whole views for the terminal: what a command shows once it has its timelines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from rich.console import Group, RenderableType
from rich.constrain import Constrain
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from reservation_cli.domain.reservation import format_duration
from reservation_cli.domain.timeline import Timeline
from reservation_cli.render.picture import heading, picture
from reservation_cli.render.steps import step_rows
from reservation_cli.render.table import clocks, configuration, fact_lines, metric_table, sentences
from reservation_cli.render.words import (
    DIM,
    FAILED,
    LANE_STYLES,
    PLATFORM_NAMES,
    UNKNOWN,
    State,
    duration,
    execution_state,
    is_absent,
    lane_name,
    lane_state,
    left,
    ms_between,
    printable,
    reservation_state,
    utc,
)

_WIDE_LIST = 116


def comparison_view(lanes: Sequence[Timeline], width: int, now: datetime | None = None) -> RenderableType:
    """The result of a comparison; with `now` one frame of the live view, without what does not change."""
    parts: list[RenderableType] = [*picture(lanes, width, now)]
    table = metric_table(lanes)
    if table is not None:
        parts += [Text(), table]
    if now is None:
        parts += [Text(), *(Text(line, DIM) for line in clocks())]
        parts += [*configuration(lanes), Text(), *(Text(line) for line in sentences(lanes))]
    return Constrain(Group(*parts), width)


def status_view(lanes: Sequence[Timeline], width: int, now: datetime | None = None) -> RenderableType:
    """One reservation on one platform or on both: picture, facts, and every step with its attempts and errors."""
    parts: list[RenderableType] = [*picture(lanes, width, now)]
    for lane in lanes:
        parts += [Text(), Text(lane_name(lane), f"bold {LANE_STYLES[lane.platform]}")]
        parts += fact_lines(list(_facts(lane, now)))
        if lane.spans:
            parts += [Text(), Padding(_steps(lane), (0, 0, 0, 2), expand=False)]
    notes = list(dict.fromkeys(f"{lane_name(lane)}: {printable(note)}" for lane in lanes for note in lane.remarks))
    if notes:
        parts += [Text(), *(Text(note) for note in notes)]
    return Constrain(Group(*parts), width)


def reserve_view(lanes: Sequence[Timeline], width: int) -> RenderableType:
    """What became of `reserve`, lane by lane: held until when, or taken; and the ref to come back with."""
    parts: list[RenderableType] = [*heading(lanes, width)]
    for lane in lanes:
        facts: list[tuple[str, str | Text]] = [("reservation", _standing(lane))]
        if lane.accept_ms is not None:
            facts.append(("accepted", f"in {duration(lane.accept_ms)}"))
        facts.append(("ref", lane.ref))
        if lane.error:
            facts.append(("error", Text(f"✗ {printable(lane.error)}", FAILED)))
        facts += [("note", note) for note in lane.notes]
        parts += [Text(), Text(lane_name(lane), f"bold {LANE_STYLES[lane.platform]}")]
        parts += fact_lines(facts)
    return Constrain(Group(*parts), width)


def list_view(rows: Sequence[Timeline], width: int) -> RenderableType:
    """Executions, one a line. On a narrow terminal platform and target share a column, as do status and outcome."""
    if not rows:
        return Text("No reservations.", DIM)
    is_wide = width >= _WIDE_LIST
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("id", overflow="fold", min_width=12)
    for name in ("platform", "target") if is_wide else ("on",):
        table.add_column(name, no_wrap=True)
    for name in ("seat", "user"):
        table.add_column(name, no_wrap=True, overflow="ellipsis", max_width=24 if is_wide else 10)
    for name in ("status", "outcome", "started", "hold") if is_wide else ("status", "started, UTC", "hold"):
        table.add_column(name, no_wrap=True)
    for lane in rows:
        table.add_row(*(_wide_row(lane) if is_wide else _narrow_row(lane)))
    return Constrain(table, width)


def _wide_row(lane: Timeline) -> Iterator[Text]:
    seat, user, hold = _asked(lane)
    outcome = reservation_state(lane.outcome) if lane.outcome else None
    yield Text(printable(lane.reservation_id))
    yield Text(PLATFORM_NAMES[lane.platform], LANE_STYLES[lane.platform])
    yield Text(lane.stage or lane.target)
    yield Text(seat)
    yield Text(user)
    yield _shown(execution_state(lane.status))
    yield _shown(outcome) if outcome else Text(UNKNOWN, DIM)
    yield Text(utc(lane.started))
    yield Text(hold)


def _narrow_row(lane: Timeline) -> Iterator[Text]:
    seat, user, hold = _asked(lane)
    on = Text(PLATFORM_NAMES[lane.platform], LANE_STYLES[lane.platform])
    yield Text(printable(lane.reservation_id))
    yield on.append(f" {lane.stage or lane.target}", DIM)
    yield Text(seat)
    yield Text(user)
    yield _shown(lane_state(lane))
    yield Text(lane.started.strftime("%m-%d %H:%M:%S") if lane.started else UNKNOWN)
    yield Text(hold)


def _asked(lane: Timeline) -> tuple[str, str, str]:
    facts = lane.request or lane.reservation
    if facts is None:
        return UNKNOWN, UNKNOWN, UNKNOWN
    return printable(facts.seat), printable(facts.user), format_duration(facts.hold_seconds)


def _shown(state: State) -> Text:
    return Text(str(state), state.style)


def _standing(lane: Timeline) -> Text:
    state, record = lane_state(lane), lane.reservation
    shown = _shown(state)
    if record and record.status == "held" and record.expires_at:
        shown.append(f" until {utc(record.expires_at)}")
    if record and record.status == "rejected":
        until = f"until {utc(record.held_until)}" if record.held_until else "for good"
        shown.append(f": seat {printable(record.seat)} is taken {until}")
    return shown


def _facts(lane: Timeline, now: datetime | None) -> Iterator[tuple[str, str | Text]]:
    if is_absent(lane):
        yield "execution", f"{UNKNOWN} not on {PLATFORM_NAMES[lane.platform]}"
        return
    record = lane.reservation
    if record:
        yield "reservation", _shown(reservation_state(record.status))
        if record.status == "held":
            until = utc(record.expires_at)
            if record.expires_at and lane.status != "paused":
                until += f" ({left(ms_between(now or lane.as_of, record.expires_at))})"
            yield "held until", until
        elif record.ended_at:
            yield "since", utc(record.ended_at, decimals=True)
        if record.status == "rejected":
            yield "seat taken", f"until {utc(record.held_until)}" if record.held_until else "for good"
    yield "execution", _shown(execution_state(lane.status))
    yield "started", utc(lane.started, decimals=True)
    if lane.is_over:
        yield "ended", utc(lane.ended, decimals=True)
    yield "engine", lane.engine.name + (f" {lane.engine.version}" if lane.engine.version else "")
    yield "endpoint", lane.endpoint
    yield "id", lane.reservation_id
    if lane.ref != lane.reservation_id:
        yield "ref", lane.ref
    if lane.error:
        yield "error", Text(f"✗ {printable(lane.error)}", FAILED)


def _steps(lane: Timeline) -> Table:
    """Every span in the order of its start; the times are those of the picture's axis."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("at", justify="right", no_wrap=True)
    table.add_column("step", no_wrap=True)
    table.add_column("status", no_wrap=True)
    table.add_column("took", justify="right", no_wrap=True)
    table.add_column("", overflow="fold")
    for row in step_rows(lane):
        name = Text(f"  {row.name}", DIM) if row.is_attempt else Text(row.name)
        remark = Text(row.remark, FAILED if row.is_attempt else "")
        table.add_row(row.at, name, _shown(row.state), row.took, remark)
    return table
