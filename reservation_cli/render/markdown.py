"""A run as GitHub-flavoured Markdown: what it says in tables, and its lanes as Mermaid charts.

What came from outside (seats, users, ids, errors) stands in code spans, so that it is neither markup nor a mention.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from reservation_cli.domain import benchmark
from reservation_cli.domain.benchmark import SIGNED, Bench, Summary, Verdict
from reservation_cli.domain.chaos import Chaos
from reservation_cli.domain.comparison import LABELS, metrics, rows
from reservation_cli.domain.cost import PRICES_AS_OF, CostLine, lines
from reservation_cli.domain.reservation import format_duration
from reservation_cli.domain.run import Run
from reservation_cli.domain.timeline import Timeline
from reservation_cli.render.answer import answer, title, warnings
from reservation_cli.render.bench import certainty, contest_sentence, drift_sentence, facts, interval, method, ms
from reservation_cli.render.chaos import facts as chaos_facts
from reservation_cli.render.chaos_tables import grids
from reservation_cli.render.mermaid import charts
from reservation_cli.render.picture import zero_words
from reservation_cli.render.table import LOCAL, clocks, difference, sentences, values
from reservation_cli.render.words import (
    PLATFORM_NAMES,
    UNKNOWN,
    asked,
    details,
    is_absent,
    joined,
    lane_name,
    lane_state,
    printable,
    second_name,
    utc,
)

_MILLION = 1_000_000
_MARKUP = re.compile(r"[\\`*_\[\]<>|~&$#]")


def render(run: Run) -> str:
    """The whole report."""
    parts = _parts(run)
    return "\n\n".join([*parts, *_charts(run), *_cost(run), *_surroundings(run)]) + "\n"


def _parts(run: Run) -> Iterator[str]:
    if run.chaos is not None:
        return _chaos(run, run.chaos)
    return _benchmark(run, run.bench) if run.bench is not None else _comparison(run)


def _chaos(run: Run, chaos: Chaos) -> Iterator[str]:
    yield f"# {title(run)}"
    yield " · ".join(map(_text, chaos_facts(chaos.plan)))
    yield _recorded(run)
    yield _text(answer(run, None))
    yield "\n>\n".join(f"> {_text(sentence)}" for sentence in warnings(run))
    for caption, head, rows_ in grids(chaos):
        yield f"## {caption}"
        yield _table(list(head), [[_text(cell) for cell in row] for row in rows_], "lr")


def _comparison(run: Run) -> Iterator[str]:
    requests = asked(run.lanes)
    yield "# One reservation, two engines"
    if requests:
        yield (
            f"Seat {joined([_code(fact.seat) for fact in requests])}"
            f" · user {joined([_code(fact.user) for fact in requests])}"
            f" · hold {joined([format_duration(fact.hold_seconds) for fact in requests])}"
            f" · strategy {joined([fact.strategy for fact in requests])}"
        )
    yield _recorded(run)
    yield "\n>\n".join(f"> {_text(sentence)}" for sentence in sentences(run.lanes)) or f"> {LOCAL}"
    lanes = _present(run)
    table = rows(metrics(lane) for lane in lanes)
    if table:
        yield "## Metrics"
        more = ["difference"] if len(lanes) == 2 else []
        yield _table(
            ["metric", *_names(lanes), *more],
            [[row.label, *values(row), *([difference(row, second_name(lanes))] if more else [])] for row in table],
            "lr",
        )
        yield _text(" ".join(clocks()))
    yield "## Outcome"
    yield _table(
        ["lane", "outcome", "execution", "error"],
        [
            [_text(lane_name(lane)), str(lane_state(lane)), lane.status, _code(lane.error) if lane.error else ""]
            for lane in run.lanes
        ],
        "l",
    )


def _benchmark(run: Run, bench: Bench) -> Iterator[str]:
    plan = bench.plan
    summaries = benchmark.summaries(bench)
    yield f"# Benchmark: {joined([PLATFORM_NAMES[platform] for platform in plan.platforms])}"
    yield " · ".join(facts(plan))
    yield _recorded(run)
    if any(summary.target == "local" for summary in summaries):
        yield f"> {LOCAL}"
    if bench.interrupted:
        yield "**Interrupted: what had been measured until then.**"
    yield "## Outcomes"
    yield _counts(summaries)
    yield from (_text(line.plain) for line in certainty(bench))
    for hold in plan.holds:
        lanes = [summary for summary in summaries if summary.hold_seconds == hold]
        yield f"## Percentiles, hold {format_duration(hold)}"
        yield _percentiles(lanes)
    yield from _findings(bench, summaries)
    yield "## Method"
    yield "\n".join(f"- {_text(line)}" for line in method(run, bench, summaries) if line != LOCAL)


def _counts(summaries: Sequence[Summary]) -> str:
    verdicts: tuple[Verdict, ...] = ("right", "lost", "duplicated", "wrong", "refused", "unfinished")
    return _table(
        ["lane", "hold", "asked", *verdicts, "retries", "started/s"],
        [
            [
                _text(summary.label or PLATFORM_NAMES[summary.platform]),
                format_duration(summary.hold_seconds),
                str(summary.n),
                *(str(summary.counts.get(verdict, 0)) for verdict in verdicts),
                str(summary.retries),
                UNKNOWN if summary.started_per_second is None else f"{summary.started_per_second:.1f}",
            ]
            for summary in summaries
        ],
        "lr",
    )


def _percentiles(lanes: Sequence[Summary]) -> str:
    found = []
    for metric, label in LABELS.items():
        if not metric.endswith("_ms"):
            continue
        for lane in lanes:
            if (told := lane.statistics.get(metric)) is None:
                continue
            signed, floor = metric in SIGNED, lane.noise.get(metric)
            cells = [label, PLATFORM_NAMES[lane.platform], str(told.n)]
            for quantile in (told.p50, told.p90, told.p99):
                cells.append(f"{ms(quantile.value, signed)} ({interval(quantile.interval, signed)})")
            found.append([*cells, ms(told.maximum, signed), UNKNOWN if floor is None else f"{floor:.1f}"])
    header = ["ms", "", "n", "p50 (95 % interval)", "p90 (95 % interval)", "p99 (95 % interval)", "max", "noise floor"]
    return _table(header, found, "llr")


def _findings(bench: Bench, summaries: Sequence[Summary]) -> Iterator[str]:
    contests, drifts = benchmark.contests(bench, summaries), benchmark.drifts(bench)
    several = len(bench.plan.holds) > 1
    if contests:
        yield "## What differs"
        yield "\n".join(f"- {_text(contest_sentence(contest, several))}" for contest in contests)
    if drifts:
        yield "## Timer error against the hold"
        yield "\n".join(f"- {_text(drift_sentence(drift))}" for drift in drifts)


def _charts(run: Run) -> Iterator[str]:
    found = list(charts(run.lanes))
    if not found:
        return
    yield "## Timeline"
    kept = "The lanes that the run keeps: of each platform the median one and the worst. " if run.bench else ""
    yield _text(f"{kept}{zero_words(run.lanes)}.")
    yield from (f"```mermaid\n{chart}\n```" for chart in found)


def _cost(run: Run) -> Iterator[str]:
    over = [lane for lane in run.lanes if lane.is_over and lane.spans]
    if run.bench is not None:
        # One of each platform is enough: the shape is the same.
        over = list({lane.platform: lane for lane in reversed(over)}.values())[::-1]
    if not over:
        return
    yield "## Cost"
    yield (
        f"US dollars for a million such reservations in the cloud, list prices of {PRICES_AS_OF}, free allowances left"
        " aside. Recorded: what the timeline tells; the rest is counted in the code, measured or estimated."
    )
    bills = [lines(lane) for lane in over]
    purposes = list(dict.fromkeys(line.purpose for bill in bills for line in bill))
    parts = [[[line for line in bill if line.purpose == purpose] for bill in bills] for purpose in purposes]
    body = [[purpose, *map(_dollars, part)] for purpose, part in zip(purposes, parts, strict=True)]
    recorded = [_dollars([line for line in bill if line.basis == "recorded"]) for bill in bills]
    yield _table(
        ["for", *_names(over)],
        [*body, ["**total**", *(f"**{_dollars(bill)}**" for bill in bills)], ["of it recorded", *recorded]],
        "lr",
    )


def _dollars(bill: Sequence[CostLine]) -> str:
    return f"{sum(line.cost_usd for line in bill) * _MILLION:.2f}" if bill else UNKNOWN


def _surroundings(run: Run) -> Iterator[str]:
    yield "## Configuration"
    if run.configuration:
        asked_for = ((_text(name), _code(str(value))) for name, value in run.configuration.items())
        yield _table(["option", "value"], asked_for, "l")
    entries = list(dict.fromkeys(entry for lane in run.lanes for entry in _ran_on(lane)))
    if entries:
        yield _table(["lane", "", ""], entries, "l")
    if run.bench is not None:
        # The method has told the rest.
        return
    if run.host:
        memory = f", {run.host.memory_bytes / 2**30:.0f} GiB" if run.host.memory_bytes else ""
        yield f"{_text(run.host.system)}, {_text(run.host.machine)}, {run.host.cpus} CPUs{memory}."
    if run.software:
        yield ", ".join(f"{_code(name)} {_text(version)}" for name, version in run.software.items())


def _ran_on(lane: Timeline) -> Iterator[tuple[str, str, str]]:
    name = _text(lane_name(lane))
    yield name, "engine", _text(lane.engine.name + (f" {lane.engine.version}" if lane.engine.version else ""))
    yield name, "endpoint", _code(lane.endpoint)
    yield name, "reservation", _code(lane.reservation_id)
    if lane.ref != lane.reservation_id:
        yield name, "ref", _code(lane.ref)


def _recorded(run: Run) -> str:
    return f"Recorded {utc(run.recorded_at)} as {_code(run.id)}; {_code(f'resv compare {run.id}')} draws it again."


def _present(run: Run) -> list[Timeline]:
    return [lane for lane in run.lanes if not is_absent(lane)]


def _names(lanes: Sequence[Timeline]) -> list[str]:
    return [
        f"{PLATFORM_NAMES[lane.platform]} {_text(detail)}" for lane, detail in zip(lanes, details(lanes), strict=True)
    ]


def _table(header: Sequence[str], body: Iterable[Sequence[str]], align: str) -> str:
    """A table of cells that are Markdown; `align` has `l` or `r` for each column, the last one for all that follow."""
    signs = {"l": "---", "r": "---:"}
    rule = [signs[align[min(column, len(align) - 1)]] for column in range(len(header))]
    return "\n".join(f"| {' | '.join(row)} |" for row in (header, rule, *body))


def _text(text: str) -> str:
    """Text as it is, in one line: what would be markup is escaped, a bar so that no table takes it for its own."""
    return _MARKUP.sub(lambda found: "&#124;" if found[0] == "|" else f"\\{found[0]}", printable(text))


def _code(text: str) -> str:
    """A code span of any text; a dash for none."""
    shown = printable(text)
    if not shown:
        return UNKNOWN
    if "|" in shown:
        # In a table no code span can hold every bar.
        return f"<code>{_MARKUP.sub(lambda found: f'&#{ord(found[0])};', shown)}</code>"
    fence = "`" * (max((len(run) for run in re.findall("`+", shown)), default=0) + 1)
    edge = " " if shown[0] == "`" or shown[-1] == "`" else ""
    return f"{fence}{edge}{shown}{edge}{fence}"
