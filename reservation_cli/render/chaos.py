"""A chaos run for the terminal: a timeline with the kills marked, each kill, how soon it was got over, the ledger."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import get_args

from rich.console import Group, RenderableType
from rich.constrain import Constrain
from rich.table import Table
from rich.text import Text

from reservation_cli.domain import chaos_verdict, statistics
from reservation_cli.domain.chaos import MOMENTS, VICTIMS, Chaos, Plan
from reservation_cli.domain.chaos_aftermath import Aftermath, aftermaths
from reservation_cli.domain.reservation import Outcome, format_duration
from reservation_cli.domain.run import Run
from reservation_cli.render import chaos_tables as tables
from reservation_cli.render.table import LOCAL
from reservation_cli.render.words import (
    CONFIRMED,
    DIM,
    FAILED,
    LANE_STYLES,
    PLATFORM_NAMES,
    WARNING,
    clock,
    ms_between,
    printable,
    reservation_state,
    utc,
)

_KILL, _DOWN, _IDLE = "✗", "═", "·"
_BARS = " ▁▂▃▄▅▆▇█"
_NAME = 12
_FEW = 3
#: From here on there is room for the outcomes.
_WIDE = 84


def chaos_view(run: Run, width: int) -> RenderableType:
    """The whole run; `run.chaos` is there."""
    chaos = run.chaos
    if chaos is None:
        raise ValueError("The run is no chaos run.")
    after = aftermaths(chaos)
    parts: list[RenderableType] = [*_heading(run, chaos), Text(), *_promises(chaos, after), Text()]
    parts += timeline(chaos, after, width)
    if after:
        parts += [Text(), _recovery(after), Text()]
        parts += [_drawn(_table("kills that caught", *MOMENTS), tables.coverage(after)), Text(), _kills(after, width)]
        if width >= _WIDE:
            parts.append(Text("outcomes of what was made for it: ○ expired, ✓ confirmed, ⊘ cancelled, ✗ rejected", DIM))
    parts += [Text(), _ledger(chaos)]
    parts += [Text(), *(Text(line, DIM) for line in method(run))]
    return Constrain(Group(*parts), width)


def facts(plan: Plan) -> list[str]:
    """What was asked for, fact by fact."""
    return [
        f"{plan.kills} kills",
        f"seed {plan.seed}",
        f"hold {format_duration(plan.hold_seconds)}",
        f"strategy {' and '.join(plan.strategies)}",
        " and ".join(PLATFORM_NAMES[platform] for platform in plan.platforms),
    ]


def timeline(chaos: Chaos, after: Sequence[Aftermath], width: int) -> Iterator[Text]:
    """A row for each process with its kills and how long each was felt, and one for each platform with what it did."""
    columns = max(20, min(width, 120) - _NAME - 2)
    end = max([chaos.seconds * 1000, *(ms_between(chaos.begun, one.kill.at) for one in after)], default=1.0) or 1.0

    def column(ms: float) -> int:
        return min(columns - 1, max(0, int(ms / end * columns)))

    left, middle, right = clock(0, 0), clock(end / 2, 0), clock(end, 0)
    axis = left + " " * max(1, columns // 2 - len(left) - len(middle) // 2) + middle
    yield Text(" " * _NAME + axis + " " * max(1, columns - len(axis) - len(right)) + right, DIM)
    for victim in VICTIMS:
        mine = [one for one in after if one.kill.victim == victim]
        if not mine:
            continue
        row = [(_IDLE, DIM)] * columns
        for one in mine:
            at = ms_between(chaos.begun, one.kill.at)
            for index in range(column(at), column(at + (one.recovered_ms or 0)) + 1):
                row[index] = (_DOWN, WARNING)
        for one in mine:
            row[column(ms_between(chaos.begun, one.kill.at))] = (_KILL, FAILED)
        yield Text(f"{victim:<{_NAME}}").append_text(Text.assemble(*row))
    for platform in chaos.plan.platforms:
        done = [0] * columns
        for booking in chaos.bookings:
            if booking.ask.platform == platform:
                for moment in (booking.held, booking.finalized):
                    if moment is not None:
                        done[column(ms_between(chaos.begun, moment))] += 1
        most = max(done) or 1
        bars = "".join(_BARS[-(-number * (len(_BARS) - 1) // most)] for number in done)
        yield Text(f"{PLATFORM_NAMES[platform]:<{_NAME}}").append(bars, LANE_STYLES[platform])
    yield Text(
        f"{' ' * _NAME}{_KILL} kill -9   {_DOWN} until all had recovered   ▁ to █: steps done, up to the most", DIM
    )


def method(run: Run) -> Iterator[str]:
    """How it was found, with what, and on what."""
    yield LOCAL
    yield (
        "Times after a kill, by this machine's clock: progress, until any step began or ended, in a process that lived "
        "on as well; served, until a request sent after the kill had its hold; resumed, the longest wait of what was "
        "under way or became due; recovered, the later of the two, with its p99 and maximum. A killed supervisor is "
        "started by the next command; here that comes at once."
    )
    yield (
        "Attempts: step bodies that began, as the engine's history or the handler's log tells (and, where the history "
        "has forgotten a killed one, the record that it left), and confirmations and cancels sent. Effects: changes of "
        "records, as the seats' own storage counts them; of create-hold, one record, no younger than its step."
    )
    if run.host:
        load = run.chaos.load if run.chaos else None
        told = f" with a load average of {load:g}" if load is not None else ""
        yield f"{run.host.system}, {run.host.machine}, {run.host.cpus} CPUs{told}."
    if run.software:
        yield ", ".join(f"{name} {version}" for name, version in run.software.items())


def _heading(run: Run, chaos: Chaos) -> Iterator[Text]:
    yield Text.assemble(("chaos", "bold"), *((f" · {fact}", "") for fact in facts(chaos.plan)))
    if run.recorded_at:
        yield Text(f"{utc(run.recorded_at)} · {run.id}", DIM)
    if chaos.interrupted:
        yield Text(f"Interrupted after {len(chaos.kills)} kills: what had been found until then.", FAILED)
    if chaos.failed:
        yield Text(f"✗ The stack did not come back after kill {len(chaos.kills)}: {printable(chaos.failed)}", FAILED)


def _promises(chaos: Chaos, after: Sequence[Aftermath]) -> Iterator[Text]:
    told = tables.promises(chaos)
    right, all_ = chaos_verdict.counts(chaos)["right"], len(chaos.bookings)
    line = Text(f"{len(chaos.kills)} kills, {all_} reservations, {right} right: ")
    for index, (name, number) in enumerate(told):
        line.append(", " if index else "").append(f"{number} {name}", FAILED if number else CONFIRMED)
    yield line
    bad = [one for one in chaos_verdict.judged(chaos) if one.verdict not in ("right", "unfinished")]
    # A kill is what is tried; what it met is not independent of each other.
    limit = statistics.share_limit(0, len(after))
    if not bad and limit is not None and not chaos.interrupted and not chaos.failed:
        yield Text(f"With 95 % confidence fewer than {limit:.1%} of such kills break a promise.", DIM)
    for one in bad[:_FEW]:
        ask = one.booking.ask
        name = f"{ask.reservation_id} on {PLATFORM_NAMES[ask.platform]}"
        yield Text(f"✗ {one.verdict}: {name}: {printable(one.reason or 'no reason told')}", FAILED)
    if len(bad) > _FEW:
        yield Text(f"… and {len(bad) - _FEW} more, all in the recorded run", DIM)


def _kills(after: Sequence[Aftermath], width: int) -> Table:
    is_wide = width >= _WIDE
    table = _table("kill", "process", "moment", "progress", "recovered", "again", *(("outcomes",) if is_wide else ()))
    for index in (1, 2, *((6,) if is_wide else ())):
        table.columns[index].justify = "left"
    for one in after:
        hit = one.observed == one.kill.wanted
        moment = one.kill.wanted if hit else f"{one.kill.wanted} → {one.observed or 'none'}"
        table.add_row(
            str(one.kill.number + 1),
            one.kill.victim,
            Text(moment, "" if hit else DIM),
            tables.ms(one.progress_ms),
            tables.ms(one.recovered_ms),
            str(one.again),
            *((_outcomes(one),) if is_wide else ()),
        )
    return table


def _outcomes(one: Aftermath) -> Text:
    """'6 ○  1 ✓  1 ⊘  1 ✗': the signs of the outcomes, which the legend tells."""
    if one.broken:
        return Text(f"✗ {one.broken} broken", FAILED)
    shown = Text()
    for name, number in sorted(one.outcomes.items(), key=lambda item: -item[1]):
        known = next((outcome for outcome in get_args(Outcome) if outcome == name), None)
        state = reservation_state(known) if known else None
        shown.append(f"{number} {state.sign if state else printable(name)}  ", state.style if state else "")
    return shown


def _recovery(after: Sequence[Aftermath]) -> Table:
    rows = tables.recovery(after)
    if len(rows) > 1:
        rows.append(tables.recovery_row("all", after))
    return _drawn(_table("p50, ms after", "kills", *tables.RECOVERY, "p99", "max"), rows)


def _ledger(chaos: Chaos) -> Table:
    table = _table("ledger", "step", "of", "attempts", "again", "effects", "wanted")
    table.columns[1].justify = "left"
    steps = {"finalize": "finalize, confirm, cancel"}
    return _drawn(table, [(row[0], steps.get(row[1], row[1]), *row[2:]) for row in tables.ledger(chaos)])


def _drawn(table: Table, rows: Sequence[tables.Row]) -> Table:
    styles = {PLATFORM_NAMES[platform]: LANE_STYLES[platform] for platform in PLATFORM_NAMES}
    for row in rows:
        cells = (Text(cell, FAILED if cell.startswith(tables.UNEVEN) else "") for cell in row[1:])
        table.add_row(Text(row[0], styles.get(row[0], DIM if row[0] == "all" else "")), *cells)
    return table


def _table(first: str, *names: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="")
    table.add_column(Text(first, DIM), no_wrap=True)
    for name in names:
        table.add_column(Text(name, DIM), justify="right", no_wrap=True)
    return table
