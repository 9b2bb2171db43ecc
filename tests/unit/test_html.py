"""The HTML report: what is in it, that it needs nothing else, and that nothing in a run becomes markup."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from html.parser import HTMLParser
from itertools import pairwise

import pytest

from reservation_cli.domain import statistics
from reservation_cli.domain.benchmark import Sample
from reservation_cli.domain.comparison import Metrics
from reservation_cli.domain.run import Run
from reservation_cli.domain.timeline import Engine, Timeline
from reservation_cli.render import html
from support import benches, timelines
from support.exports import every, odd, of

HOSTILE = "<script>alert(1)</script>\"'><img src=https://evil.example/x onerror=alert(1)>{{ 7*7 }}</style>"
_EMPTY = frozenset({"meta", "br", "link", "img", "input", "hr"})


@dataclass
class Node:
    """An element with its attributes, its children, and all text within it."""

    tag: str
    attributes: Mapping[str, str] = field(default_factory=dict)
    children: list[Node] = field(default_factory=list)
    text: str = ""

    def find(self, tag: str, **attributes: str) -> list[Node]:
        return [node for node in self.walk() if node.tag == tag and attributes.items() <= {**node.attributes}.items()]

    def walk(self) -> Iterator[Node]:
        yield self
        for child in self.children:
            yield from child.walk()


class _Tree(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open = [Node("document")]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        node = Node(tag, {name: value or "" for name, value in attrs})
        self.open[-1].children.append(node)
        if tag not in _EMPTY:
            self.open.append(node)

    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1].tag == tag, f"</{tag}> closes <{self.open[-1].tag}>"
        self.open.pop()

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open[-1].children.append(Node(tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        for node in self.open:
            node.text += data


@cache
def rendered(name: str) -> str:
    return html.render(RUNS[name])


def page(run: Run | str) -> Node:
    """The report, or the one that is named in RUNS, as a tree; fails where elements are not nested."""
    tree = _Tree()
    tree.feed(rendered(run) if isinstance(run, str) else html.render(run))
    tree.close()
    assert [node.tag for node in tree.open] == ["document"]
    return tree.open[0]


def table(root: Node, caption: str) -> list[list[str]]:
    """The cells of the table whose caption begins like that, header first; notes are parted by a bar."""
    (found,) = (node for node in root.find("table") if node.find("caption")[0].text.startswith(caption))
    return [
        [" | ".join(part.text for part in cell.children) or cell.text for cell in row.children]
        for row in found.find("tr")
    ]


def headings(root: Node) -> list[tuple[int, str]]:
    return [(int(node.tag[1]), node.text) for node in root.walk() if re.fullmatch("h[1-6]", node.tag)]


RUNS = {
    "compare": benches.compared(),
    "bench": benches.run(),
    "sweep": benches.run(benches.bench(40, (1, 10))),
    "retried": of(*timelines.retried()),
    "failed": of(*timelines.failed()),
    "four": of(*timelines.four()),
    "mid-hold": of(*timelines.mid_hold()),
    "absent": of(timelines.cloudflare_expired(), timelines.absent("aws")),
    "nothing": of(timelines.absent("cloudflare"), timelines.absent("aws")),
    "no samples": benches.run(replace(benches.bench(1), samples=())),
    "bare": Run(kind="compare", lanes=timelines.expired()),
}


@pytest.mark.parametrize("run", RUNS)
def test_structure(run: str) -> None:
    root = page(run)
    assert root.find("html")[0].attributes["lang"] == "en"
    assert root.find("title")[0].text
    assert len(root.find("main")) == 1
    levels = [level for level, _ in headings(root)]
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels)), "no level is left out"
    ids = [node.attributes["id"] for node in root.walk() if "id" in node.attributes]
    assert len(ids) == len(set(ids))
    for link in root.find("a"):
        assert link.attributes["href"].removeprefix("#") in ids
    for node in root.walk():
        assert node.attributes.get("aria-labelledby", ids[0]) in ids


@pytest.mark.parametrize("run", RUNS)
def test_every_table_has_a_caption_and_scopes(run: str) -> None:
    for found in page(run).find("table"):
        assert found.find("caption")[0].text
        rows = found.find("tr")
        assert {len(row.children) for row in rows} == {len(rows[0].children)}
        for row in rows[1:]:
            assert (row.children[0].tag, row.children[0].attributes["scope"]) == ("th", "row")
        assert all(cell.attributes.get("scope") == "col" for cell in rows[0].children if cell.text)


@pytest.mark.parametrize("lane", every(), ids=lambda lane: f"{lane.platform}-{lane.status}")
def test_every_lane_has_its_steps_with_their_errors(lane: Timeline) -> None:
    root = page(of(lane))
    steps = table(root, "Every step of")
    attempts = [attempt for span in lane.spans for attempt in span.attempts if attempt.error]
    assert sum("✗ failed" in row and row[0].startswith("attempt") for row in steps) == len(attempts)
    assert len(steps) > len(lane.spans)


@pytest.mark.parametrize("run", RUNS)
def test_nothing_is_fetched_and_nothing_runs(run: str) -> None:
    root = page(run)
    for node in root.walk():
        assert node.tag not in ("script", "link", "img", "iframe", "object", "embed", "base", "form", "image", "use")
        for name, value in node.attributes.items():
            assert not name.startswith("on")
            assert name not in ("src", "srcset", "style", "action")
            assert name not in ("href", "xlink:href") or value.startswith("#")
    (style,) = root.find("style")
    assert not re.search(r"url\(|@import|@font-face|expression", style.text)


def test_the_policy_allows_this_style_only() -> None:
    text = rendered("compare")
    (policy,) = page("compare").find("meta", **{"http-equiv": "Content-Security-Policy"})
    style = text.partition("<style>")[2].partition("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy.attributes["content"] == (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
    assert text.index("Content-Security-Policy") < text.index("<style>")


def hostile() -> Run:
    lane = odd()
    asked = replace(timelines.request(), seat=HOSTILE[:64].strip(), user=HOSTILE)
    lane = replace(
        lane,
        label=f"AWS · {HOSTILE}",
        ref=HOSTILE,
        reservation_id=HOSTILE,
        endpoint=HOSTILE,
        error=HOSTILE,
        notes=(HOSTILE,),
        engine=Engine(HOSTILE, HOSTILE),
        request=asked,
        spans=tuple(replace(span, name=HOSTILE, error=HOSTILE, status="failed") for span in lane.spans),
    )
    return replace(of(lane), id=HOSTILE, configuration={HOSTILE: [HOSTILE, None]}, software={HOSTILE: HOSTILE})


def test_what_is_named_by_others_is_text() -> None:
    run = hostile()
    root = page(run)
    assert {node.tag for node in root.walk()} == {node.tag for node in page(of(odd())).walk()}
    assert root.text.count("<script>alert(1)</script>") >= 10
    assert "49" not in root.find("h1")[0].text
    assert "{{ 7*7 }}" in root.text


def test_names_of_a_benchmark_are_text_as_well() -> None:
    bench = benches.bench(4)
    bad = tuple(
        replace(sample, verdict="wrong", error=HOSTILE, reservation_id=HOSTILE, label=HOSTILE)
        for sample in bench.samples
    )
    root = page(benches.run(replace(bench, samples=bad)))
    assert not root.find("script")
    assert not root.find("img")
    assert "<script>alert(1)</script>" in root.text


def test_a_comparison_says_what_it_found_and_what_that_is_worth() -> None:
    root = page("compare")
    assert "Both expired; timer error +6.0 ms on Cloudflare and +9.0 ms on AWS, measured once." in root.text
    assert "Local engines show how the programming models behave, not how fast the clouds are." in root.text
    assert "One run is an anecdote" in root.text
    assert [text for level, text in headings(root) if level == 2] == [
        "Timelines", "Metrics", "Cost", "Configuration", "Method",
    ]  # fmt: skip
    assert ["timer error", "+6.0 ms", "+9.0 ms", "AWS +3.0 ms"] in table(root, "Metrics of each lane")
    assert "finalize body began, minus (wait began plus nominal hold)" in root.text


def test_a_benchmark_has_counts_percentiles_and_method() -> None:
    root = page("bench")
    assert [text for level, text in headings(root) if level == 2] == [
        "Timelines", "Outcomes", "Histogram", "What differs", "Percentiles", "Cost", "Configuration", "Method",
    ]  # fmt: skip
    limit = statistics.share_limit(0, 200)
    assert limit is not None
    counts = table(root, "What became of the reservations")
    assert counts[1][:6] == ["Cloudflare | local", "200", "200", "0", "0", "0"]
    assert f"{limit:.2%}" in counts[1]
    assert "Seats that two reservations held at once: 0." in root.text
    percentiles = table(root, "Percentiles of a hold of 5s")
    assert percentiles[0] == ["metric, ms", "lane", "p50", "p90", "p99", "max", "n", "noise floor"]
    (row,) = (row for row in percentiles if row[:2] == ["timer error", "Cloudflare"])
    assert re.fullmatch(r"\+6\.0 \| \+5\.\d … \+6\.\d", row[2])
    assert row[6] == "200"
    for word in ("Hyndman and Fan", "Conover", "Efron and Tibshirani", "Clopper and Pearson", "5 warm-up reservations"):
        assert word in root.text


def test_a_winner_is_named_above_the_noise_only() -> None:
    found = {row[0]: row[1] for row in table(page("bench"), "AWS minus Cloudflare")}
    assert found["timer error"] == "Cloudflare nearer to zero"
    assert found["first step"] == "no difference above the noise"


def test_a_sweep_parts_the_constant_from_the_proportional() -> None:
    root = page(benches.run(benches.bench(60, (1, 10, 60))))
    drifts = table(root, "Timer error against the hold")
    assert [row[0] for row in drifts] == ["lane", "Cloudflare", "AWS"]
    assert all(row[4] in ("grows with the hold", "not told from none") for row in drifts[1:])
    assert "Theil and Sen" in root.text
    assert len([text for _, text in headings(root) if text.startswith("Timer error, hold")]) == 3


def test_what_ended_wrong_is_marked_by_more_than_colour() -> None:
    bench = benches.bench(10)

    def lost(sample: Sample) -> Sample:
        return replace(sample, verdict="lost", error="no end within 60 s", metrics=Metrics())

    bench = replace(bench, samples=(lost(bench.samples[0]), *bench.samples[1:]), double_held=1)
    root = page(benches.run(bench))
    assert "19 of 20 reservations ended right (1 lost)" in root.text
    assert "✗ 1" in table(root, "What became of the reservations")[1]
    assert "no end within 60 s" in root.text
    assert "✗ 1 seats were held twice at once" in root.text


def test_cost_lines_say_what_was_recorded_and_what_is_assumed() -> None:
    root = page("compare")
    lines = table(root, "Every cost line of AWS")
    assert lines[1][:2] == ["operations | start, steps, waits, retries", "● recorded"]
    assert "○ assumed" in {row[1] for row in lines}
    assert "https://aws.amazon.com/lambda/pricing/" in root.text
    assert root.text.count("List prices of 2026-11") == 1


def test_configuration_names_all_that_took_part() -> None:
    root = page("bench")
    assert ["n", "200"] in table(root, "Asked for")
    assert ["wrangler", "4.155.0"] in table(root, "Software")
    assert ["machine", "Linux 6.1, x86_64, 2 CPUs, 24 GiB"] in table(root, "Machine and load")
    assert ["requests made", "Cloudflare 403, AWS 404"] in table(root, "Machine and load")
    assert timelines.ARN in table(root, "What each lane ran on")[4]
    assert "resv compare bench-20261123-090022-1f2e" in root.text
    assert "2026-11-23 09:00:22 UTC" in root.find("header")[0].text


def test_lanes_that_are_not_there_or_failed_are_told() -> None:
    absent = page("absent")
    assert "not on AWS" in absent.text
    assert "Cloudflare expired and AWS is absent; timer error +6.0 ms on Cloudflare." in absent.text
    failed = page("failed")
    assert "Cloudflare failed and AWS expired" in failed.text
    assert failed.text.count("Error: D1_ERROR: seat store unavailable") > 6
