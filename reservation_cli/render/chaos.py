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
from reservation_cli.domain.chaos_verdict import Aftermath, Entry
from reservation_cli.domain.reservation import Outcome, format_duration
from reservation_cli.domain.run import Run
from reservation_cli.render.table import LOCAL
from reservation_cli.render.words import (
    CONFIRMED,
    DIM,
    FAILED,
    LANE_STYLES,
    PLATFORM_NAMES,
    UNKNOWN,
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
#: How each part of the time after a kill is called.
RECOVERY = {
    "progress_ms": "progress",
    "served_ms": "served",
    "resumed_ms": "resumed",
    "recovered_ms": "recovered",
}


def chaos_view(run: Run, width: int) -> RenderableType:
    """The whole run; `run.chaos` is there."""
    chaos = run.chaos
    if chaos is None:
        raise ValueError("The run is no chaos run.")
    after = chaos_verdict.aftermaths(chaos)
    parts: list[RenderableType] = [*_heading(run, chaos), Text(), *_promises(chaos), Text()]
    parts += timeline(chaos, after, width)
    if after:
        parts += [Text(), _recovery(after), Text(), _coverage(after), Text(), _kills(after, width)]
        if width >= _WIDE:
            parts.append(Text("outcomes of what was made for it: ○ expired, ✓ confirmed, ⊘ cancelled, ✗ rejected", DIM))
    parts += [Text(), _ledger(chaos_verdict.ledger(chaos))]
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


def promises(chaos: Chaos) -> list[tuple[str, int]]:
    """What must be 0, by name."""
    count = chaos_verdict.counts(chaos)
    return [
        ("reservations lost", count["lost"]),
        ("seats held twice", chaos_verdict.double_held(chaos.bookings)),
        ("wrong outcomes", count["wrong"]),
        ("effects done twice", count["duplicated"]),
        ("never accepted", count["refused"]),
        ("holds not ended", chaos_verdict.still_held(chaos.bookings)),
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
        "Times after a kill, by this machine's clock: progress, until any step began or ended; served, until a request "
        "sent after the kill had its hold; resumed, the longest wait of what was under way or became due; "
        "recovered, the later of the two, with its p99 and maximum. A killed supervisor is started by the next "
        "command; here that comes at once."
    )
    yield (
        "Attempts: step bodies that began, as the engine's history or the handler's log tells, and confirmations and "
        "cancels sent. Effects: changes of records, as the seats' own storage counts them."
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


def _promises(chaos: Chaos) -> Iterator[Text]:
    told = promises(chaos)
    right, all_ = chaos_verdict.counts(chaos)["right"], len(chaos.bookings)
    line = Text(f"{len(chaos.kills)} kills, {all_} reservations, {right} right: ")
    for index, (name, number) in enumerate(told):
        line.append(", " if index else "").append(f"{number} {name}", FAILED if number else CONFIRMED)
    yield line
    bad = [one for one in chaos_verdict.judged(chaos) if one.verdict not in ("right", "unfinished")]
    limit = statistics.share_limit(len(bad), all_)
    if not bad and limit is not None and not chaos.interrupted:
        yield Text(f"With 95 % confidence fewer than {limit:.2%} of reservations are hurt by such kills.", DIM)
    for one in bad[:_FEW]:
        ask = one.booking.ask
        name = f"{ask.reservation_id} on {PLATFORM_NAMES[ask.platform]}"
        yield Text(f"✗ {one.verdict}: {name}: {printable(one.reason or 'no reason told')}", FAILED)
    if len(bad) > _FEW:
        yield Text(f"… and {len(bad) - _FEW} more, all in the recorded run", DIM)


def _recovery(after: Sequence[Aftermath]) -> Table:
    table = _table("p50, ms after", "kills", *RECOVERY.values(), "p99", "max")
    for victim in (*VICTIMS, None):
        mine = [one for one in after if victim in (None, one.kill.victim)]
        if not mine or (victim is None and len({one.kill.victim for one in after}) == 1):
            continue
        found = {metric: chaos_verdict.recovery(mine, metric) for metric in RECOVERY}
        whole = found["recovered_ms"]
        table.add_row(
            victim or Text("all", DIM),
            str(len(mine)),
            *(_ms(one.p50.value if one else None) for one in found.values()),
            _ms(whole.p99.value if whole else None),
            _ms(whole.maximum if whole else None),
        )
    return table


def _coverage(after: Sequence[Aftermath]) -> Table:
    table = _table("kills that caught", *MOMENTS)
    counted = chaos_verdict.coverage(after)
    for victim in VICTIMS:
        if victim in counted:
            table.add_row(victim, *(str(counted[victim].get(moment, 0)) for moment in MOMENTS))
    return table


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
            _ms(one.progress_ms),
            _ms(one.recovered_ms),
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


def _ledger(entries: Sequence[Entry]) -> Table:
    table = _table("ledger", "step", "of", "attempts", "again", "effects", "wanted")
    table.columns[1].justify = "left"
    for entry in entries:
        is_right = entry.effects == entry.wanted
        table.add_row(
            Text(PLATFORM_NAMES[entry.platform], LANE_STYLES[entry.platform]),
            "create-hold" if entry.step == "create-hold" else "finalize, confirm, cancel",
            str(entry.reservations),
            str(entry.attempts),
            str(entry.again),
            Text(f"{entry.effects}" if is_right else f"✗ {entry.effects}", "" if is_right else FAILED),
            str(entry.wanted),
        )
    return table


def _table(first: str, *names: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="")
    table.add_column(Text(first, DIM), no_wrap=True)
    for name in names:
        table.add_column(Text(name, DIM), justify="right", no_wrap=True)
    return table


def _ms(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:,.0f}".replace(",", "\N{NARROW NO-BREAK SPACE}")
