"""What a report says first: its title, the answer in one sentence, and what a reader must know before believing it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import islice

from reservation_cli.domain import benchmark, chaos_verdict
from reservation_cli.domain.benchmark import SIGNED, Bench, Contest, Summary
from reservation_cli.domain.chaos import Chaos
from reservation_cli.domain.comparison import LABELS, Row, metrics, rows
from reservation_cli.domain.reservation import format_duration
from reservation_cli.domain.run import Run
from reservation_cli.domain.timeline import Timeline
from reservation_cli.render import bench as told_of
from reservation_cli.render.bench import contest_sentence, main_metric, ms
from reservation_cli.render.chaos import facts as chaos_facts
from reservation_cli.render.chaos import method as chaos_method
from reservation_cli.render.chaos_tables import promises
from reservation_cli.render.picture import heading
from reservation_cli.render.svg_histogram import Histogram
from reservation_cli.render.table import LOCAL, clocks, sentences, values
from reservation_cli.render.words import (
    PLATFORM_NAMES,
    details,
    is_absent,
    joined,
    lane_name,
    lane_state,
    printable,
    utc,
)

#: What a comparison is about: the first of these that a lane has.
_TELLING = ("signal_to_resume_ms", "timer_error_ms", "total_ms")
_WIDEST_HEADING = 10_000


class Findings:
    """What a benchmark's samples say, each worked out once: the intervals of 2000 samples take seconds."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench

    @cached_property
    def summaries(self) -> tuple[Summary, ...]:
        """One for each hold and platform."""
        return benchmark.summaries(self.bench)

    @cached_property
    def contests(self) -> tuple[Contest, ...]:
        """What differs between the lanes, and what does not."""
        return benchmark.contests(self.bench, self.summaries)


def findings(run: Run) -> Findings | None:
    """Those of a benchmark; None for a comparison."""
    return Findings(run.bench) if run.bench is not None else None


def title(run: Run) -> str:
    """What the report is about."""
    if run.chaos is not None:
        return f"Chaos: {len(run.chaos.kills)} kills"
    if run.bench is not None:
        return f"Benchmark: {joined([PLATFORM_NAMES[platform] for platform in run.bench.plan.platforms])}"
    platforms = joined([PLATFORM_NAMES[lane.platform] for lane in run.lanes])
    return "One reservation, two engines" if " and " in platforms else f"One reservation on {platforms}"


def facts(run: Run) -> list[str]:
    """What was asked for, and when it was recorded."""
    if run.chaos is not None:
        told = chaos_facts(run.chaos.plan)
    else:
        told = told_of.facts(run.bench.plan) if run.bench else _asked(run.lanes)
    return [*told, *([utc(run.recorded_at)] if run.recorded_at else [])]


def answer(run: Run, found: Findings | None) -> str:
    """What came of it, in one sentence."""
    if run.chaos is not None:
        return _of_chaos(run.chaos)
    return _of_bench(found) if found is not None else _of_lanes(run.lanes)


def warnings(run: Run) -> list[str]:
    """What a reader must know before drawing conclusions: where it ran, how often, and by whose clocks."""
    if run.chaos is not None:
        interrupted = ["Interrupted: this is what had been found until then."] if run.chaos.interrupted else []
        return [*interrupted, *islice(chaos_method(run), 3)]
    if run.bench is None:
        return [*sentences(run.lanes), next(clocks())]
    found = [LOCAL] if any(sample.target == "local" for sample in run.bench.samples) else []
    targets = {(sample.platform, sample.target) for sample in run.bench.samples}
    if len({target for _, target in targets}) > 1:
        names = joined([f"{PLATFORM_NAMES[platform]} {target}" for platform, target in sorted(targets)])
        found.append(f"Not like for like: the targets differ ({names}).")
    found += dict.fromkeys(f"{lane_name(lane)}: {printable(note)}" for lane in run.lanes for note in lane.remarks)
    if run.bench.interrupted:
        found.append("Interrupted: this is what had been measured until then.")
    lanes = Counter((sample.platform, sample.hold_seconds) for sample in run.bench.samples)
    counts = joined([str(n) for n in lanes.values()]) or "0"
    found.append(f"n = {counts} in each lane. Service-side clocks; accepted: this machine's clock.")
    return found


def kept(run: Run) -> str:
    """Which of a benchmark's lanes are drawn; nothing where all are."""
    if run.chaos is not None:
        return "Of each process, what its worst kill kept waiting longest." if run.lanes else ""
    if run.bench is None:
        return ""
    several = ", of the longest hold" if len(run.bench.plan.holds) > 1 else ""
    if len({lane.platform for lane in run.lanes}) == len(run.lanes):
        return f"Of each platform the median reservation{several}."
    return f"Of each platform first the median reservation, then the worst{several}."


def histograms(run: Run) -> Iterator[tuple[int, Histogram]]:
    """The histogram of what the benchmark is about, by hold in seconds."""
    if run.bench is None:
        return
    metric = main_metric(run.bench.plan)
    for hold in run.bench.plan.holds:
        lanes = tuple(
            (platform, tuple(benchmark.measured(benchmark.of(run.bench, platform, hold), metric)))
            for platform in run.bench.plan.platforms
        )
        if any(found for _, found in lanes):
            yield hold, Histogram(LABELS[metric].capitalize(), metric in SIGNED, lanes)


def _asked(lanes: Sequence[Timeline]) -> list[str]:
    return [part for line in heading(lanes, _WIDEST_HEADING) for part in line.plain.split(" · ") if part]


def _of_lanes(lanes: Sequence[Timeline]) -> str:
    present = [lane for lane in lanes if not is_absent(lane)]
    table = {row.metric: row for row in rows(metrics(lane) for lane in present)}
    telling = next((table[metric] for metric in _TELLING if metric in table), None)
    if telling is None:
        return f"{_endings(lanes)}."
    return f"{_endings(lanes)}; {_measured(present, telling)}{', measured once' if len(present) > 1 else ''}."


def _endings(lanes: Sequence[Timeline]) -> str:
    """'Both expired', or 'Cloudflare failed and AWS expired'."""
    words = [lane_state(lane).word for lane in lanes]
    if len(lanes) > 1 and len(set(words)) == 1:
        return f"{'Both' if len(lanes) == 2 else f'All {len(lanes)}'} {_verb(words[0], 'were', 'are')}"
    return joined([f"{name} {_verb(word, 'was', 'is')}" for name, word in zip(_names(lanes), words, strict=True)])


def _verb(word: str, was: str, is_: str) -> str:
    if word in ("confirmed", "cancelled", "rejected", "stopped"):
        return f"{was} {word}"
    return word if word in ("expired", "failed", "succeeded", "timed out") else f"{is_} {word}"


def _measured(lanes: Sequence[Timeline], row: Row) -> str:
    told = [
        f"{shown} on {name}"
        for name, shown, value in zip(_names(lanes), values(row), row.values, strict=True)
        if value is not None
    ]
    return f"{row.label} {joined(told)}"


def _names(lanes: Sequence[Timeline]) -> list[str]:
    """By the platform alone where that tells the lanes apart."""
    names = [PLATFORM_NAMES[lane.platform] for lane in lanes]
    if len(set(names)) == len(names):
        return names
    return [f"{name} {detail}" for name, detail in zip(names, details(lanes), strict=True)]


def _of_chaos(chaos: Chaos) -> str:
    """'1 011 reservations, all right: 0 reservations lost, 0 seats held twice, ...'."""
    right, all_ = chaos_verdict.counts(chaos)["right"], len(chaos.bookings)
    told = ", ".join(f"{number} {name}" for name, number in promises(chaos))
    failed = f" The stack did not come back: {chaos.failed}" if chaos.failed else ""
    return f"{all_} reservations, {'all' if right == all_ else right} right: {told}.{failed}"


def _of_bench(found: Findings) -> str:
    counts = benchmark.counts(found.bench)
    n = sum(counts.values())
    if not n:
        return "Nothing was measured."
    bad = [f"{count} {verdict}" for verdict, count in counts.items() if verdict != "right"]
    ended = f"{counts['right']} of {n} reservations ended right ({joined(bad)})" if bad else f"All {n} ended right"
    metric = main_metric(found.bench.plan)
    told = [contest for contest in found.contests if contest.metric == metric]
    return "; ".join([ended, *(_contests(told) or _medians(found.summaries, metric))]) + "."


def _contests(found: Sequence[Contest]) -> list[str]:
    return [contest_sentence(contest, several=len(found) > 1) for contest in found]


def _medians(summaries: Sequence[Summary], metric: str) -> list[str]:
    """What there is to say where too few were measured to compare, or one lane only."""
    told = [
        f"{ms(found.p50.value, metric in SIGNED)} ms on {PLATFORM_NAMES[summary.platform]}"
        f" (hold {format_duration(summary.hold_seconds)}, n = {found.n})"
        for summary in summaries
        if (found := summary.statistics.get(metric))
    ]
    return [f"median {LABELS[metric]} {joined(told)}"] if told else []
