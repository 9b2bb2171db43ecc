"""The tables of a chaos run as data: for the terminal, the HTML report and Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from reservation_cli.domain import chaos_aftermath, chaos_verdict
from reservation_cli.domain.chaos import MOMENTS, VICTIMS, Chaos, Victim
from reservation_cli.domain.chaos_aftermath import METRICS, Aftermath
from reservation_cli.render.words import PLATFORM_NAMES, UNKNOWN

#: The first cell of a row is its header.
Row = tuple[str, ...]
#: A caption, the head, and the rows.
Grid = tuple[str, Row, list[Row]]

#: How each part of the time after a kill is called.
RECOVERY = tuple(metric.removesuffix("_ms") for metric in METRICS)
#: Before the number of effects of a line of the ledger that does not come out even.
UNEVEN = "✗ "


def grids(chaos: Chaos) -> Iterator[Grid]:
    """What must be 0, how soon each process was got over, what was caught, the ledger, and every kill."""
    found = chaos_aftermath.aftermaths(chaos)
    yield "What must be 0", ("promise", "broken"), [(name, str(number)) for name, number in promises(chaos)]
    head = ("process", "kills", *(f"{name} p50" for name in RECOVERY), "recovered p99", "max")
    yield "Milliseconds after the kill", head, recovery(found)
    yield "Kills that caught at least one reservation", ("process", *MOMENTS), coverage(found)
    head = ("platform and step", "of", "attempts", "again", "effects", "wanted")
    yield "Attempts against effects", head, [(f"{row[0]} {row[1]}", *row[2:]) for row in ledger(chaos)]
    head = ("kill", "process", "aimed at", "observed", "progress", "recovered", "again", "outcomes")
    yield "Every kill", head, [_kill(one) for one in found]


def promises(chaos: Chaos) -> list[tuple[str, int]]:
    """What must be 0, by name."""
    count = chaos_verdict.counts(chaos)
    return [
        ("reservations lost", count["lost"]),
        ("seats held twice", chaos_verdict.double_held(chaos.bookings)),
        ("wrong outcomes", count["wrong"]),
        ("effects done twice", count["duplicated"]),
        ("never accepted", count["refused"]),
        ("holds not ended", chaos_verdict.still_held(chaos)),
    ]


def recovery(found: Sequence[Aftermath]) -> list[Row]:
    """A row for each process that was killed: kills, medians, and p99 and maximum of `recovered`.

    'kills' is '19 of 20' when one of the 20 was never got over.
    """
    return [recovery_row(victim, [one for one in found if one.kill.victim == victim]) for victim in _killed(found)]


def recovery_row(name: str, kills: Sequence[Aftermath]) -> Row:
    """One such row, of these kills."""
    told = [chaos_aftermath.recovery(kills, metric) for metric in METRICS]
    whole = told[METRICS.index("recovered_ms")]
    over = whole.n if whole else 0
    return (
        name,
        str(len(kills)) if over == len(kills) else f"{over} of {len(kills)}",
        *(ms(one.p50.value if one else None) for one in told),
        ms(whole.p99.value if whole else None),
        ms(whole.maximum if whole else None),
    )


def coverage(found: Sequence[Aftermath]) -> list[Row]:
    """Of each process, how many kills caught a reservation in each of MOMENTS."""
    caught = chaos_aftermath.coverage(found)
    return [(victim, *(str(caught[victim].get(moment, 0)) for moment in MOMENTS)) for victim in _killed(found)]


def ledger(chaos: Chaos) -> list[Row]:
    """Platform, step, reservations, attempts, again, effects and wanted."""
    return [
        (
            PLATFORM_NAMES[entry.platform],
            entry.step,
            *map(str, (entry.reservations, entry.attempts, entry.again)),
            f"{'' if entry.effects == entry.wanted else UNEVEN}{entry.effects}",
            str(entry.wanted),
        )
        for entry in chaos_verdict.ledger(chaos)
    ]


def ms(value: float | None) -> str:
    """'1 234', or the sign for what is not known."""
    return UNKNOWN if value is None else f"{value:,.0f}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def _kill(one: Aftermath) -> Row:
    return (
        str(one.kill.number + 1),
        one.kill.victim,
        one.kill.wanted,
        one.observed or UNKNOWN,
        ms(one.progress_ms),
        ms(one.recovered_ms),
        str(one.again),
        ", ".join(f"{number} {name}" for name, number in sorted(one.outcomes.items())),
    )


def _killed(found: Sequence[Aftermath]) -> list[Victim]:
    return [victim for victim in VICTIMS if any(one.kill.victim == victim for one in found)]
