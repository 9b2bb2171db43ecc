"""A benchmark for the terminal: what became of the reservations, percentiles, the histogram, and what differs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.constrain import Constrain
from rich.table import Table
from rich.text import Text

from reservation_cli.domain import benchmark, statistics
from reservation_cli.domain.benchmark import SIGNED, Bench, Contest, Drift, Plan, Summary, Verdict
from reservation_cli.domain.comparison import LABELS
from reservation_cli.domain.reservation import format_duration
from reservation_cli.domain.run import Run
from reservation_cli.domain.statistics import Interval, Statistics
from reservation_cli.domain.verdict import Missed
from reservation_cli.render.histogram import histogram_view
from reservation_cli.render.table import LOCAL
from reservation_cli.render.words import DIM, FAILED, LANE_STYLES, PLATFORM_NAMES, UNKNOWN, WARNING, printable, utc

_WIDE = 100
# From here on a tenth of a millisecond is noise, and its digits cost the table its width.
_ROUND_MS = 1000
_SHOWN = (
    "accept_ms",
    "first_step_ms",
    "create_hold_ms",
    "finalize_ms",
    "timer_error_ms",
    "engine_lateness_ms",
    "resume_ms",
    "signal_to_resume_ms",
    "overhead_ms",
)
_VERDICTS: tuple[Verdict, ...] = ("right", "lost", "duplicated", "wrong", "refused", "unfinished")


def bench_view(run: Run, width: int) -> RenderableType:
    """The whole benchmark; `run.bench` is there."""
    bench = run.bench
    if bench is None:
        raise ValueError("The run is no benchmark.")
    summaries = benchmark.summaries(bench)
    parts: list[RenderableType] = [*_heading(run, bench), Text(), _counts(summaries, bench, width), *certainty(bench)]
    for hold in bench.plan.holds:
        lanes = [summary for summary in summaries if summary.hold_seconds == hold]
        if not lanes:
            continue  # interrupted before any of them was sent
        if len(bench.plan.holds) > 1:
            parts += [Text(), Text(f"hold {format_duration(hold)}", "bold")]
        parts += [Text(), _percentiles(lanes, width)]
        parts += _histogram(bench, hold, width)
    parts += _differences(bench, summaries)
    parts += [Text(), *(Text(line, DIM) for line in method(run, bench, summaries))]
    return Constrain(Group(*parts), width)


def missed_sentence(missed: Missed) -> str:
    """'aws.timer_error_ms.p95 > 200: AWS has 212.5 (hold 5s)'."""
    value = "nothing to judge by" if missed.value is None else f"{missed.value:.4g}"
    return (
        f"{missed.threshold.text}: {PLATFORM_NAMES[missed.platform]} has {value}"
        f" (hold {format_duration(missed.hold_seconds)})"
    )


def facts(plan: Plan) -> list[str]:
    """What was asked for, fact by fact."""
    told = [
        f"n = {plan.count} on each",
        f"hold {', '.join(format_duration(hold) for hold in plan.holds)}",
        f"strategy {plan.strategy}",
        f"{plan.rate:g} a second" if plan.rate else f"{plan.concurrency} requests at once",
    ]
    if plan.confirm_after is not None:
        told.append(f"confirmed after {plan.confirm_after:g} s")
    if plan.herd:
        told.append("all ending at once")
    if plan.warmup:
        told.append(f"{plan.warmup} warm-ups left out")
    return told


def main_metric(plan: Plan) -> str:
    """What the benchmark is about: how soon a signal wakes the workflow, or else how exact its timer is."""
    return "signal_to_resume_ms" if plan.confirm_after and plan.strategy == "event" else "timer_error_ms"


def _heading(run: Run, bench: Bench) -> Iterator[Text]:
    yield Text.assemble(("benchmark", "bold"), *((f" · {fact}", "") for fact in facts(bench.plan)))
    if run.recorded_at:
        yield Text(f"{utc(run.recorded_at)} · {run.id}", DIM)
    if bench.interrupted:
        yield Text("Interrupted: what had been measured until then.", FAILED)


def _counts(summaries: Sequence[Summary], bench: Bench, width: int) -> Table:
    table = _table()
    table.add_column(Text("lane", DIM), no_wrap=True)
    several = len(bench.plan.holds) > 1
    if several:
        table.add_column(Text("hold", DIM), justify="right", no_wrap=True)
    shown = [
        verdict
        for verdict in _VERDICTS
        if verdict not in ("refused", "unfinished") or any(summary.counts.get(verdict) for summary in summaries)
    ]
    more = ("retries", "started/s") if not several or width >= _WIDE else ()
    for name in ("asked", *shown, *more):
        table.add_column(Text(name, DIM), justify="right", no_wrap=True)
    for summary in summaries:
        cells: list[str | Text] = [_lane(summary)]
        if several:
            cells.append(format_duration(summary.hold_seconds))
        cells.append(str(summary.n))
        for verdict in shown:
            number = summary.counts.get(verdict, 0)
            bad = verdict != "right" and number > 0
            cells.append(Text(f"✗ {number}" if bad else str(number), FAILED if bad else ""))
        rate = summary.started_per_second
        cells += [str(summary.retries), UNKNOWN if rate is None else f"{rate:.1f}"] if more else []
        table.add_row(*cells)
    return table


def certainty(bench: Bench) -> Iterator[Text]:
    """What a count of none proves, and the first reasons of those that are some."""
    ended = [sample for sample in bench.samples if sample.verdict != "unfinished"]
    bad = [sample for sample in ended if sample.verdict != "right"]
    limit = statistics.share_limit(len(bad), len(ended))
    if not bad and limit is not None:
        yield Text(f"All {len(ended)} ended right: with 95 % confidence fewer than {limit:.2%} do not.", DIM)
    for sample in bad[:3]:
        reason = printable(sample.error or "no reason told")
        yield Text(
            f"✗ {sample.verdict}: {sample.reservation_id} on {PLATFORM_NAMES[sample.platform]}: {reason}", FAILED
        )
    if len(bad) > 3:
        yield Text(f"… and {len(bad) - 3} more, all in the recorded run", DIM)
    if bench.double_held:
        yield Text(f"✗ {bench.double_held} seats were held twice at once", FAILED)
    reached = benchmark.behind(bench)
    if reached is not None:
        yield Text(
            f"The rate was not kept: {reached:.1f} a second of {bench.plan.rate:g}, since all {bench.plan.concurrency} "
            "requests were waiting for answers. A larger --concurrency sends on.",
            WARNING,
        )


def _percentiles(lanes: Sequence[Summary], width: int) -> Table:
    table = _table()
    table.add_column(Text("ms", DIM), no_wrap=True)
    table.add_column("", no_wrap=True, min_width=max(len(PLATFORM_NAMES[lane.platform]) for lane in lanes))
    wide = width >= _WIDE
    for name in ("p50", "95 % interval", "p90", "p99", "max", *(("n", "noise floor") if wide else ())):
        table.add_column(Text(name, DIM), justify="right", no_wrap=True)
    for metric in _SHOWN:
        known = [lane for lane in lanes if metric in lane.statistics]
        for index, lane in enumerate(known):
            found = lane.statistics[metric]
            floor = lane.noise.get(metric)
            cells: list[str | Text] = [
                LABELS[metric] if index == 0 else "",
                Text(PLATFORM_NAMES[lane.platform], LANE_STYLES[lane.platform]),
            ]
            cells += _values(found, metric in SIGNED)
            cells += [UNKNOWN if floor is None else f"{floor:.1f}"] if wide else []
            table.add_row(*cells)
    return table


def _values(found: Statistics, signed: bool) -> list[Text]:
    return [
        Text(ms(found.p50.value, signed)),
        Text(interval(found.p50.interval, signed), DIM),
        *(Text(ms(value, signed)) for value in (found.p90.value, found.p99.value, found.maximum)),
    ]


def _histogram(bench: Bench, hold: int, width: int) -> list[Text]:
    metric = main_metric(bench.plan)
    lanes = [
        (
            PLATFORM_NAMES[platform],
            LANE_STYLES[platform],
            benchmark.measured(benchmark.of(bench, platform, hold), metric),
        )
        for platform in bench.plan.platforms
    ]
    if not any(values for _, _, values in lanes):
        return []
    return [Text(), *histogram_view(lanes, width, LABELS[metric], signed=metric in SIGNED)]


def _differences(bench: Bench, summaries: Sequence[Summary]) -> Iterator[Text]:
    contests, drifts = benchmark.contests(bench, summaries), benchmark.drifts(bench)
    if contests:
        yield Text()
        yield Text("What differs", "bold")
        several = len(bench.plan.holds) > 1
        for contest in contests:
            yield Text(f"  {contest_sentence(contest, several)}", "" if contest.winner else DIM)
    if drifts:
        yield Text()
        yield Text("Timer error against the hold", "bold")
        for drift in drifts:
            yield Text(f"  {drift_sentence(drift)}")


def contest_sentence(contest: Contest, several: bool) -> str:
    """Who has less of a metric, by how much and how surely; `several` names the hold as well."""
    label = LABELS[contest.metric].removeprefix("· ")
    where = f"{label}, hold {format_duration(contest.hold_seconds)}" if several else label
    low, high = contest.difference.interval.low, contest.difference.interval.high
    if contest.winner is None:
        return f"{where}: no difference above the noise ({contest.floor:.1f} ms)"
    bounds = sorted(abs(bound) for bound in (low, high) if bound is not None)
    span = f", 95 % interval {bounds[0]:.1f} to {bounds[1]:.1f}" if len(bounds) == 2 else ""
    nearer = "nearer to zero" if contest.metric in SIGNED else "less"
    return (
        f"{where}: {PLATFORM_NAMES[contest.winner]} {abs(contest.difference.value):.1f} ms {nearer}"
        f" (medians{span}; noise floor {contest.floor:.1f})"
    )


def drift_sentence(drift: Drift) -> str:
    """The constant and the proportional part of a platform's timer error."""
    line = drift.line
    slope = f"{line.slope:+.3f} ms for each second of hold"
    low, high = line.slope_interval.low, line.slope_interval.high
    certain = low is not None and high is not None and (low > 0 or high < 0)
    told = "" if certain else ": not told from none"
    bounds = f" (95 % interval {low:+.3f} to {high:+.3f}{told})" if low is not None and high is not None else ""
    return f"{PLATFORM_NAMES[drift.platform]}: {line.constant:+.1f} ms constant, {slope}{bounds}"


def method(run: Run, bench: Bench, summaries: Sequence[Summary]) -> Iterator[str]:
    """How it was measured, with what, and on what."""
    if any(summary.target == "local" for summary in summaries):
        yield LOCAL
    requests = ", ".join(f"{PLATFORM_NAMES[platform]} {count}" for platform, count in bench.requests.items())
    yield f"Requests made: {requests}. resv itself used {bench.cpu_seconds:.1f} s of CPU in {bench.seconds:.1f} s."
    yield (
        "Service-side clocks; accepted: this machine's clock, and Cloudflare's answer waits for the hold. Both lanes "
        "interleaved; nothing is asked while timers run. Percentiles of those that ended right; intervals from order "
        "statistics; noise floor: what a lane's median differs by from itself (A/A)."
    )
    if run.host:
        memory = f", {run.host.memory_bytes / 2**30:.0f} GiB" if run.host.memory_bytes else ""
        yield f"{run.host.system}, {run.host.machine}, {run.host.cpus} CPUs{memory}."
    if run.software:
        yield ", ".join(f"{name} {version}" for name, version in run.software.items())


def ms(value: float, signed: bool = False) -> str:
    """A number of milliseconds, with a sign where the metric has one."""
    decimals = 1 if abs(value) < _ROUND_MS else 0
    shown = f"{value:+,.{decimals}f}" if signed else f"{value:,.{decimals}f}"
    return shown.replace(",", "\N{NARROW NO-BREAK SPACE}").replace("-", "−")


def interval(found: Interval, signed: bool = False) -> str:
    """'5.8 … 6.2'; a bound that the data do not give is a dash."""
    low, high = (UNKNOWN if bound is None else ms(bound, signed) for bound in (found.low, found.high))
    return f"{low} … {high}"


def _lane(summary: Summary) -> Text:
    name = Text(PLATFORM_NAMES[summary.platform], f"bold {LANE_STYLES[summary.platform]}")
    return name.append(f" {summary.label.partition(' · ')[2] or summary.target}", DIM)


def _table() -> Table:
    return Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="")
