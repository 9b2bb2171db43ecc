"""The tables of the HTML report, as data: what stands in each cell, and how it is to be read."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from reservation_cli.domain import benchmark, statistics
from reservation_cli.domain.benchmark import SIGNED, Bench, Summary, Verdict
from reservation_cli.domain.comparison import LABELS, metrics, rows
from reservation_cli.domain.costing import MILLION, Costing
from reservation_cli.domain.reservation import Platform, format_duration
from reservation_cli.domain.run import Run
from reservation_cli.domain.statistics import Quantile
from reservation_cli.domain.timeline import Timeline
from reservation_cli.render.answer import Findings
from reservation_cli.render.bench import interval, ms
from reservation_cli.render.cost import money, quantity, unit_price
from reservation_cli.render.steps import step_rows
from reservation_cli.render.svg_histogram import Histogram
from reservation_cli.render.table import difference, values
from reservation_cli.render.words import (
    PLATFORM_NAMES,
    UNKNOWN,
    details,
    execution_state,
    is_absent,
    lane_name,
    lane_state,
    printable,
    second_name,
)

_VERDICTS: tuple[Verdict, ...] = ("right", "lost", "duplicated", "wrong", "refused", "unfinished")
#: Not shown where there is none.
_RARE: tuple[Verdict, ...] = ("refused", "unfinished")


@dataclass(frozen=True, slots=True)
class Cell:
    """What stands in a cell; `note` is smaller and below it, `classes` are of the style sheet."""

    text: str
    note: str = ""
    classes: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """The first cell of a row is its header; `numbers` are the columns of numbers, all but the first unless told."""

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    numbers: Collection[int] = range(1, 99)


def compared(lanes: Sequence[Timeline]) -> Table | None:
    """The metrics of a comparison; None when nothing is known."""
    present = [lane for lane in lanes if not is_absent(lane)]
    found = rows(metrics(lane) for lane in present)
    if not found:
        return None
    names = [
        f"{PLATFORM_NAMES[lane.platform]} {detail}" for lane, detail in zip(present, details(present), strict=True)
    ]
    is_pair = len(present) == 2
    body = []
    for row in found:
        cells = [Cell(row.label), *(Cell(value) for value in values(row))]
        body.append((*cells, *([Cell(difference(row, second_name(present)))] if is_pair else [])))
    return Table("Metrics of each lane", ("metric", *names, *(["difference"] if is_pair else [])), tuple(body))


def outcomes(lanes: Sequence[Timeline]) -> Table:
    """How each lane ended."""
    body = (
        (
            _named(lane),
            Cell(str(lane_state(lane))),
            Cell(str(execution_state(lane.status))),
            Cell(printable(lane.error or ""), classes="bad"),
        )
        for lane in lanes
    )
    return Table("How each lane ended", ("lane", "reservation", "execution", "error"), tuple(body), numbers=())


def steps(lane: Timeline, name: str) -> Table:
    """Every step of a lane, with its attempts and errors."""
    body = tuple(
        (
            Cell(row.name, classes="attempt" if row.is_attempt else ""),
            Cell(row.at),
            Cell(row.took),
            Cell(str(row.state)),
            Cell(row.remark, classes="long bad" if row.is_attempt else "long"),
        )
        for row in step_rows(lane)
    )
    return Table(f"Every step of {name}", ("step", "at", "took", "status", "remark"), body, numbers=(1, 2))


def counts(found: Findings) -> Table:
    """What became of the reservations of each lane, and what share at most may not end right."""
    summaries = found.summaries
    rare = [verdict for verdict in _RARE if not any(summary.counts.get(verdict) for summary in summaries)]
    shown = [verdict for verdict in _VERDICTS if verdict not in rare]
    body = []
    for summary in summaries:
        bad = summary.n - summary.counts.get("right", 0) - summary.counts.get("unfinished", 0)
        limit = statistics.share_limit(bad, summary.n)
        rate = summary.started_per_second
        body.append(
            (
                _lane(summary, with_hold=len(found.bench.plan.holds) > 1),
                Cell(str(summary.n)),
                *(_count(verdict, summary.counts.get(verdict, 0)) for verdict in shown),
                Cell(UNKNOWN if limit is None else f"{limit:.2%}"),
                Cell(str(summary.retries)),
                Cell(UNKNOWN if rate is None else f"{rate:.1f}"),
            )
        )
    head = ("lane", "asked", *shown, "not right, at most", "retries", "started/s")
    return Table("What became of the reservations", head, tuple(body))


def percentiles(found: Findings, hold: int) -> Table:
    """Each metric of each lane: percentiles with their intervals, how many values, and the noise floor."""
    lanes = [summary for summary in found.summaries if summary.hold_seconds == hold]
    body = []
    for metric, label in LABELS.items():
        known = [lane for lane in lanes if metric in lane.statistics] if metric.endswith("_ms") else []
        for number, lane in enumerate(known):
            told, floor, signed = lane.statistics[metric], lane.noise.get(metric), metric in SIGNED
            body.append(
                (
                    Cell(label, classes="again" if number else "first"),
                    Cell(PLATFORM_NAMES[lane.platform], classes=f"lane {lane.platform}"),
                    *(_quantile(one, signed) for one in (told.p50, told.p90, told.p99)),
                    Cell(ms(told.maximum, signed)),
                    Cell(str(told.n)),
                    Cell(UNKNOWN if floor is None else f"{floor:.1f}"),
                )
            )
    head = ("metric, ms", "lane", "p50", "p90", "p99", "max", "n", "noise floor")
    caption = f"Percentiles of a hold of {format_duration(hold)}; below each its 95 % confidence interval"
    return Table(caption, head, tuple(body), numbers=range(2, 99))


def contests(found: Findings) -> Table | None:
    """What differs between the lanes and what does not; None where nothing can be compared."""
    if not found.contests:
        return None
    body = []
    for contest in found.contests:
        label = LABELS[contest.metric].removeprefix("· ")
        hold = f"hold {format_duration(contest.hold_seconds)}" if len(found.bench.plan.holds) > 1 else ""
        verdict = Cell("no difference above the noise", classes="dim")
        if contest.winner:
            nearer = "nearer to zero" if contest.metric in SIGNED else "less"
            verdict = Cell(f"{PLATFORM_NAMES[contest.winner]} {nearer}", classes=f"strong {contest.winner}")
        body.append(
            (
                Cell(label, note=hold),
                verdict,
                Cell(ms(contest.difference.value, signed=True).replace("+0.0", "0.0")),
                Cell(interval(contest.difference.interval, signed=True)),
                Cell(f"{contest.floor:.1f}"),
            )
        )
    first, second = (PLATFORM_NAMES[lane] for lane in found.contests[0].lanes)
    return Table(
        f"{second} minus {first}: the difference of the medians in ms, of magnitudes for signed metrics",
        ("metric", "who has less", "difference", "95 % interval", "noise floor"),
        tuple(body),
        numbers=range(2, 99),
    )


def drifts(bench: Bench) -> Table | None:
    """How the timer error grows with the hold; None unless holds differ."""
    found = benchmark.drifts(bench)
    if not found:
        return None
    body = []
    for drift in found:
        line = drift.line
        low, high = line.slope_interval.low, line.slope_interval.high
        is_certain = low is not None and high is not None and (low > 0 or high < 0)
        body.append(
            (
                Cell(PLATFORM_NAMES[drift.platform], classes=f"lane {drift.platform}"),
                Cell(f"{ms(line.constant, signed=True)} ms"),
                Cell(f"{_slope(line.slope)} ms/s"),
                Cell(f"{_slope(low)} … {_slope(high)}"),
                Cell(
                    "grows with the hold" if is_certain else "not told from none", classes="" if is_certain else "dim"
                ),
            )
        )
    head = ("lane", "constant", "for each second of hold", "95 % interval", "what it says")
    return Table("Timer error against the hold: a constant part and a proportional one", head, tuple(body))


def bins(histogram: Histogram) -> Table:
    """The histogram in numbers."""
    body = tuple(
        (Cell(label.strip()), *(Cell(str(count)) for count in row.counts))
        for row, label in zip(histogram.rows, histogram.labels, strict=True)
        if not row.is_gap
    )
    return Table(
        f"{histogram.title}: how many reservations in each bin",
        (histogram.title, *(PLATFORM_NAMES[platform] for platform, _ in histogram.lanes)),
        body,
    )


def costs(costed: Sequence[Costing]) -> Table:
    """A million by what it is for, platform beside platform."""
    purposes = list(dict.fromkeys(line.line.purpose for one in costed for line in one.bill))
    body = []
    for purpose in purposes:
        parts = [[line.cost_usd for line in one.bill if line.line.purpose == purpose] for one in costed]
        body.append((Cell(purpose), *(Cell(money(sum(part)) if part else UNKNOWN) for part in parts)))
    recorded = [sum(line.cost_usd for line in one.bill if line.line.basis == "recorded") for one in costed]
    body.append((Cell("total", classes="total"), *(Cell(money(one.total_usd), classes="total") for one in costed)))
    body.append((Cell("of it from recorded quantities"), *(Cell(money(usd)) for usd in recorded)))
    lanes = [one.lane for one in costed if one.lane]
    names = [f"{PLATFORM_NAMES[lane.platform]} {detail}" for lane, detail in zip(lanes, details(lanes), strict=True)]
    return Table(f"US dollars for {MILLION:,} such reservations in the cloud", ("for", *names), tuple(body))


def cost_lines(one: Costing) -> Table:
    """Every line of a bill: what is used, at which price, and whether that was recorded or is assumed."""
    body = tuple(
        (
            Cell(billed.line.item, note=billed.line.ground),
            Cell("● recorded" if billed.line.basis == "recorded" else "○ assumed"),
            Cell(quantity(billed.line)),
            Cell(unit_price(billed.line)),
            Cell(money(billed.cost_usd)),
        )
        for billed in one.bill
    )
    head = ("item", "quantity is", "each uses", "price", "a million")
    name = lane_name(one.lane) if one.lane else PLATFORM_NAMES[one.platform]
    return Table(f"Every cost line of {name}", head, body, numbers=range(2, 99))


def engines(lanes: Sequence[Timeline]) -> Table:
    """What each lane ran on, and what names it: a column for each lane."""
    told = {
        "engine": [f"{lane.engine.name} {lane.engine.version or ''}" for lane in lanes],
        "endpoint": [lane.endpoint for lane in lanes],
        "reservation": [lane.reservation_id for lane in lanes],
        "ref": [lane.ref for lane in lanes],
    }
    body = ((Cell(name), *(Cell(printable(value), classes="code") for value in cells)) for name, cells in told.items())
    return Table("What each lane ran on", ("", *(lane_name(lane) for lane in lanes)), tuple(body), numbers=())


def pairs(caption: str, head: tuple[str, str], told: Mapping[str, object]) -> Table:
    """Names and values."""
    body = ((Cell(printable(name)), Cell(_value(value), classes="code")) for name, value in told.items())
    return Table(caption, head, tuple(body), numbers=())


def surroundings(run: Run) -> Iterator[tuple[str, str]]:
    """The machine, and what the load generator did, as names and values."""
    if run.host:
        memory = f", {run.host.memory_bytes / 2**30:.0f} GiB" if run.host.memory_bytes else ""
        yield "machine", f"{run.host.system}, {run.host.machine}, {run.host.cpus} CPUs{memory}"
    if run.bench:
        yield (
            "requests made",
            ", ".join(f"{PLATFORM_NAMES[name]} {count}" for name, count in run.bench.requests.items()),
        )
        yield "length of the run", f"{run.bench.seconds:.1f} s"
        yield "CPU used by resv itself", f"{run.bench.cpu_seconds:.1f} s"


def _value(value: object) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(_value(one) for one in value)
    return UNKNOWN if value in (None, "") else printable(str(value))


def _named(lane: Timeline) -> Cell:
    return _place(lane.platform, lane_name(lane))


def _lane(summary: Summary, with_hold: bool) -> Cell:
    cell = _place(
        summary.platform, printable(summary.label) or f"{PLATFORM_NAMES[summary.platform]} · {summary.target}"
    )
    hold = f"hold {format_duration(summary.hold_seconds)}"
    return Cell(cell.text, f"{cell.note}, {hold}" if with_hold else cell.note, cell.classes)


def _place(platform: Platform, label: str) -> Cell:
    """'Cloudflare · local' as the platform's name and a note."""
    name, _, target = label.partition(" · ")
    return Cell(name, target, f"lane {platform}")


def _count(verdict: Verdict, count: int) -> Cell:
    return Cell(f"✗ {count}", classes="bad strong") if verdict != "right" and count else Cell(str(count))


def _quantile(found: Quantile, signed: bool) -> Cell:
    return Cell(ms(found.value, signed), note=interval(found.interval, signed))


def _slope(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:+.3f}".replace("-", "−")
