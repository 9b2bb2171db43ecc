"""A run as one HTML file that needs nothing else: no network, no script, light and dark, on a phone and on paper."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from reservation_cli.domain.benchmark import Bench
from reservation_cli.domain.chaos import Chaos
from reservation_cli.domain.comparison import LABELS, metrics
from reservation_cli.domain.costing import Costing, Terms, changes, costing
from reservation_cli.domain.reservation import format_duration
from reservation_cli.domain.run import Run
from reservation_cli.domain.statistics import FEWEST_FOR_NOISE
from reservation_cli.render import html_tables as tables
from reservation_cli.render.answer import Findings, answer, facts, findings, histograms, kept, title, warnings
from reservation_cli.render.bench import certainty
from reservation_cli.render.chaos_tables import grids
from reservation_cli.render.cost import difference, money
from reservation_cli.render.html_tables import Cell, Table
from reservation_cli.render.picture import zero_words
from reservation_cli.render.svg import histogram_figure, lanes_figure
from reservation_cli.render.svg_chaos import kills_figure
from reservation_cli.render.templating import environment, stylesheet
from reservation_cli.render.words import PLATFORM_NAMES, details, printable
from reservation_cli.schema import read

#: The columns of a chaos run that are words.
_WORDS = ("process", "aimed at", "observed", "outcomes")
#: The picture is drawn for each of these widths in pixels; the style sheet shows the one that fits.
_WIDTHS: Mapping[str, int] = {"wide": 912, "middle": 600, "narrow": 328}


@dataclass(frozen=True, slots=True)
class Figure:
    """One picture as SVG for each of `_WIDTHS`, what stands under it, and the same in numbers."""

    heading: str
    drawn: Mapping[str, str]
    caption: str
    summary: str
    tables: tuple[Table, ...]


def render(run: Run) -> str:
    """The whole report; whatever comes from the run is escaped."""
    from markupsafe import Markup

    style = stylesheet("report.css") + stylesheet("figures.css")
    found = findings(run)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return (
        environment()
        .get_template("report.html")
        .render(
            run=run,
            style=Markup(style),  # noqa: S704 - our own text
            # frame-ancestors and the like do nothing in a meta element.
            policy=f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'",
            title=title(run),
            facts=[printable(fact) for fact in facts(run)],
            answer=printable(answer(run, found)).replace(" %", "\N{NO-BREAK SPACE}%"),
            warnings=[printable(sentence) for sentence in warnings(run)],
            lanes=_lanes(run),
            engines=tables.engines(run.lanes),
            surroundings=list(_surroundings(run)),
            definitions=_definitions(run),
            printable=printable,
            **(_of_bench(run, found) if found else _of_lanes(run)),
            **(_of_chaos(run.chaos) if run.chaos else {}),
            **_of_cost(list(_costed(run))),
        )
    )


def _of_lanes(run: Run) -> Mapping[str, object]:
    return {"compared": tables.compared(run.lanes), "outcomes": tables.outcomes(run.lanes), "method": []}


def _of_bench(run: Run, found: Findings) -> Mapping[str, object]:
    return {
        "counts": tables.counts(found),
        "certainty": [line.plain for line in certainty(found.bench)],
        "histograms": list(_histograms(run)),
        "contests": tables.contests(found),
        "drifts": tables.drifts(found.bench),
        "percentiles": [tables.percentiles(found, hold) for hold in found.bench.plan.holds],
        "method": list(_method(found.bench)),
    }


def _of_chaos(chaos: Chaos) -> Mapping[str, object]:
    promised, *more, kills = (
        Table(caption, head, tuple(tuple(map(Cell, row)) for row in rows), _numbers(head))
        for caption, head, rows in grids(chaos)
    )
    figure = Figure(
        heading="Kills",
        drawn={name: _markup(kills_figure(chaos, width)) for name, width in _WIDTHS.items()},
        caption="Point at a kill, or Tab to it, for what it did.",
        summary="Every kill in numbers",
        tables=(kills,),
    )
    return {"kills": figure, "promised": promised, "chaos_tables": more}


def _numbers(head: Sequence[str]) -> list[int]:
    """The columns of numbers."""
    return [index for index, name in enumerate(head) if index and name not in _WORDS]


def _of_cost(costed: Sequence[Costing]) -> Mapping[str, object]:
    terms = Terms()
    return {
        "costs": tables.costs(costed),
        "cost_lines": [tables.cost_lines(one) for one in costed],
        "cheaper": difference(*costed) if len(costed) == 2 else "",
        "changes": [
            f"{PLATFORM_NAMES[one.platform]} {'−' if change.usd < 0 else '+'}{money(abs(change.usd))}: {change.what}"
            for one in costed
            for change in changes(one, terms)
        ],
        "prices_as_of": terms.prices.as_of,
        "sources": list(dict.fromkeys(terms.prices[line.price].source for one in costed for line in one.lines)),
    }


def _surroundings(run: Run) -> Iterator[Table]:
    for caption, head, told in (
        ("Asked for", ("option", "value"), run.configuration),
        ("Software", ("name", "version"), run.software),
        ("Machine and load", ("what", "value"), dict(tables.surroundings(run))),
    ):
        if told:
            yield tables.pairs(caption, head, told)


def _lanes(run: Run) -> Figure:
    names = [
        f"{PLATFORM_NAMES[lane.platform]} {detail}" for lane, detail in zip(run.lanes, details(run.lanes), strict=True)
    ]
    return Figure(
        heading="Timelines",
        drawn={name: _markup(lanes_figure(run, width)) for name, width in _WIDTHS.items()},
        caption=f"{kept(run)} {zero_words(run.lanes)}. Point at a part, or Tab to it, for its times.".strip(),
        summary="Every step, with attempts and errors",
        tables=tuple(tables.steps(lane, name) for lane, name in zip(run.lanes, names, strict=True)),
    )


def _histograms(run: Run) -> Iterator[Figure]:
    found = list(histograms(run))
    for hold, histogram in found:
        yield Figure(
            heading=f"{histogram.title}, hold {format_duration(hold)}" if len(found) > 1 else histogram.title,
            drawn={name: _markup(histogram_figure(histogram, width)) for name, width in _WIDTHS.items()},
            caption="Each lane as a share of its own reservations that ended right.",
            summary="The histogram in numbers",
            tables=(tables.bins(histogram),),
        )


def _markup(svg: str) -> str:
    from markupsafe import Markup

    return Markup(svg)  # noqa: S704 - written by ElementTree, which escapes


def _costed(run: Run) -> Iterator[Costing]:
    """The cost of each lane that is over; of a benchmark one for each platform, as the shape is the same."""
    over = [lane for lane in run.lanes if lane.is_over and lane.spans]
    if run.bench is not None:
        over = list({lane.platform: lane for lane in reversed(over)}.values())[::-1]
    return (costing(lane, Terms()) for lane in over)


def _definitions(run: Run) -> dict[str, str]:
    """What each metric of the run means, by what it is called; as the JSON Schema says it."""
    lanes = [sample.metrics for sample in run.bench.samples] if run.bench else [metrics(lane) for lane in run.lanes]
    known = {name for lane in lanes for name, value in lane.as_json().items() if value is not None}
    properties = read("metrics")["properties"]
    return {
        label.removeprefix("· "): properties[name]["description"] for name, label in LABELS.items() if name in known
    }


def _method(bench: Bench) -> Iterator[tuple[str, str]]:
    plan = bench.plan
    load = f"arrive at {plan.rate:g} a second" if plan.rate else f"keep {plan.concurrency} requests under way"
    yield "load", f"All lanes are interleaved in one run and together {load}; nothing is asked while timers run."
    left_out = f"{plan.warmup} warm-up reservations of each lane" if plan.warmup else "no warm-up reservations"
    yield "left out", f"{left_out}; the percentiles are of those that ended right, the counts are of all."
    yield "percentiles", "Linear interpolation between order statistics: type 7 of Hyndman and Fan (1996), as in numpy."
    yield (
        "intervals",
        (
            "95 %, without assuming a distribution: two of the values, chosen by the binomial distribution"
            " (Conover 1999). A dash is a bound that so few values do not give."
        ),
    )
    yield (
        "differences",
        (
            "Of the medians; of magnitudes where a metric is signed. The interval is the percentile bootstrap's"
            " (Efron and Tibshirani 1993), from a fixed seed."
        ),
    )
    yield (
        "noise floor",
        (
            "A/A: by how much a lane's median differs from itself, the largest of first half against second half, even"
            " against odd, and what 95 % of random halves stay below."
        ),
    )
    yield (
        "who has less",
        (
            f"Is told only where each lane has {FEWEST_FOR_NOISE} values, the interval leaves out zero, and the "
            "difference is above the larger noise floor."
        ),
    )
    yield (
        "not right, at most",
        (
            "The upper bound, with 95 % confidence, of the share that does not end right (Clopper and Pearson 1934):"
            " what was never seen may still be that frequent."
        ),
    )
    if len(plan.holds) > 1:
        yield (
            "constant and proportional",
            "The line through all timer errors by Theil and Sen, with Sen's interval (1968).",
        )
