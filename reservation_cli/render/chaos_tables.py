"""The tables of a chaos run for the HTML report and for Markdown, as data."""

from __future__ import annotations

from collections.abc import Iterator

from reservation_cli.domain import chaos_verdict
from reservation_cli.domain.chaos import MOMENTS, VICTIMS, Chaos
from reservation_cli.render.chaos import RECOVERY, promises
from reservation_cli.render.words import PLATFORM_NAMES, UNKNOWN

#: A caption, the head, and the rows; the first cell of a row is its header.
Grid = tuple[str, tuple[str, ...], list[tuple[str, ...]]]


def grids(chaos: Chaos) -> Iterator[Grid]:
    """What must be 0, how soon each process was got over, what was caught, the ledger, and every kill."""
    found = chaos_verdict.aftermaths(chaos)
    killed = [victim for victim in VICTIMS if any(one.kill.victim == victim for one in found)]
    yield "What must be 0", ("promise", "broken"), [(name, str(number)) for name, number in promises(chaos)]
    head = ("process", "kills", *(f"{name} p50" for name in RECOVERY.values()), "recovered p99", "max")
    rows = []
    for victim in killed:
        told = {metric: chaos_verdict.recovery(found, metric, victim) for metric in RECOVERY}
        whole = told["recovered_ms"]
        rows.append(
            (
                victim,
                str(sum(one.kill.victim == victim for one in found)),
                *(_ms(one.p50.value if one else None) for one in told.values()),
                _ms(whole.p99.value if whole else None),
                _ms(whole.maximum if whole else None),
            )
        )
    yield "Milliseconds after the kill", head, rows
    caught = chaos_verdict.coverage(found)
    counted = [(victim, *(str(caught[victim].get(moment, 0)) for moment in MOMENTS)) for victim in killed]
    yield "Kills that caught at least one reservation", ("process", *MOMENTS), counted
    yield (
        "Attempts against effects",
        ("platform and step", "of", "attempts", "again", "effects", "wanted"),
        [
            (
                f"{PLATFORM_NAMES[entry.platform]} {entry.step}",
                *map(str, (entry.reservations, entry.attempts, entry.again, entry.effects, entry.wanted)),
            )
            for entry in chaos_verdict.ledger(chaos)
        ],
    )
    yield (
        "Every kill",
        ("kill", "process", "aimed at", "observed", "progress", "recovered", "again", "outcomes"),
        [
            (
                str(one.kill.number + 1),
                one.kill.victim,
                one.kill.wanted,
                one.observed or UNKNOWN,
                _ms(one.progress_ms),
                _ms(one.recovered_ms),
                str(one.again),
                ", ".join(f"{number} {name}" for name, number in sorted(one.outcomes.items())),
            )
            for one in found
        ],
    )


def _ms(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:,.0f}".replace(",", "\N{NARROW NO-BREAK SPACE}")
