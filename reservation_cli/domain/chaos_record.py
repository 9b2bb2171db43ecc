"""A chaos run as JSON, the parts `chaos` and `summary` of schema `resv.run/1`, in both directions."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any, get_args

from reservation_cli.domain import chaos_aftermath, chaos_verdict
from reservation_cli.domain.benchmark import Verdict
from reservation_cli.domain.chaos import MOMENTS, VICTIMS, Chaos
from reservation_cli.domain.chaos_aftermath import METRICS, Aftermath
from reservation_cli.domain.reading import built
from reservation_cli.domain.reservation import format_time
from reservation_cli.domain.statistics import Statistics


def chaos_as_json(chaos: Chaos) -> dict[str, object]:
    """What was seen: the plan, the kills, and every reservation."""
    told: dict[str, object] = _plain(asdict(chaos))
    return told


def chaos_from_json(told: object) -> Chaos:
    """The chaos that `chaos_as_json` gave. InvalidInputError says what is missing or of the wrong kind."""
    return built(Chaos, told, "chaos")


def chaos_summary_as_json(chaos: Chaos) -> dict[str, object]:
    """What it says: counts, each kill, percentiles by process, the ledger, and what is not right."""
    count, after = chaos_verdict.counts(chaos), chaos_aftermath.aftermaths(chaos)
    killed = [victim for victim in VICTIMS if any(one.kill.victim == victim for one in after)]
    return {
        **{verdict: count[verdict] for verdict in get_args(Verdict)},
        "double_held": chaos_verdict.double_held(chaos.bookings),
        "still_held": chaos_verdict.still_held(chaos),
        "broken": list(chaos_verdict.broken(chaos)),
        "kills": [_kill(one) for one in after],
        "processes": {
            victim: {metric: _statistics(chaos_aftermath.recovery(after, metric, victim)) for metric in METRICS}
            for victim in killed
        },
        "caught": {
            victim: {moment: count.get(moment, 0) for moment in MOMENTS}
            for victim, count in chaos_aftermath.coverage(after).items()
        },
        "ledger": [asdict(entry) for entry in chaos_verdict.ledger(chaos)],
        "not_right": [
            {
                "reservation_id": one.booking.ask.reservation_id,
                "platform": one.booking.ask.platform,
                "verdict": one.verdict,
                "reason": one.reason,
            }
            for one in chaos_verdict.judged(chaos)
            if one.verdict != "right"
        ],
    }


def _kill(after: Aftermath) -> dict[str, object]:
    kill = after.kill
    return {
        "number": kill.number,
        "victim": kill.victim,
        "pid": kill.pid,
        "at": format_time(kill.at),
        "platforms": list(kill.platforms),
        "wanted": kill.wanted,
        "observed": after.observed,
        "caught": dict(after.caught),
        **{metric: getattr(after, metric) for metric in METRICS},
        "stuck": after.stuck,
        "again": after.again,
        "outcomes": dict(after.outcomes),
        "broken": after.broken,
    }


def _statistics(found: Statistics | None) -> dict[str, object] | None:
    if found is None:
        return None
    return {
        "p50": found.p50.value,
        "p90": found.p90.value,
        "p99": found.p99.value,
        "max": found.maximum,
        "n": found.n,
    }


def _plain(value: Any) -> Any:
    """As JSON has it: times as text, tuples as arrays."""
    if isinstance(value, datetime):
        return format_time(value)
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
