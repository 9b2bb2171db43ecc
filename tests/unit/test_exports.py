"""Exports: what is written is what a reader of each format gets, whatever the names in it are."""

from __future__ import annotations

import csv
import io
import json
import re
import sys
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from reservation_cli import exports, runs
from reservation_cli.domain.comparison import Metrics
from reservation_cli.domain.run import Run
from reservation_cli.domain.timeline import Timeline
from reservation_cli.errors import NotConfiguredError, ResvError, UsageError
from reservation_cli.render import csv as csv_format
from reservation_cli.render import markdown, mermaid, trace
from support import benches, timelines
from support.exports import FOLDER, ODD, every, invoked, odd, of, written


@pytest.mark.parametrize("name", sorted(path.name for path in FOLDER.iterdir()))
def test_whole_files(name: str) -> None:
    assert written()[name] == (FOLDER / name).read_bytes().decode(), "PYTHONPATH=tests python -m support.exports"


def test_every_whole_file_is_kept() -> None:
    assert sorted(written()) == sorted(path.name for path in FOLDER.iterdir())


# Which format, and where to


@pytest.mark.parametrize(
    ("path", "told", "hint"),
    [
        ("run.htm", "run.htm ends in .htm, which is no format.", "Did you mean .html? Known are .html .json .csv"),
        ("run.mdd", "run.mdd ends in .mdd", "Did you mean .md?"),
        ("run.docx", "run.docx ends in .docx", "Known are .html"),
        ("run", "run has no ending that tells its format.", "Known are .html"),
        (".csv", ".csv has no ending", "Known are .html"),
        ("", "An empty name has no ending", "Known are .html"),
        ("-", "--output writes files, not to stdout.", "--json writes the run to stdout."),
        ("otlp://localhost:4317", "otlp://localhost:4317 is no file.", "--output http://localhost:4318"),
        ("no/such/run.md", "no/such/run.md: there is no folder no/such.", "mkdir -p no/such"),
        ("a\0b.md", "cannot be written", "Give another name."),
        ("http://", "http:// is no address.", "http://localhost:4318"),
        ("http://localhost:port", "http://localhost:port is no address", "http://localhost:4318"),
    ],
)
def test_what_cannot_be_written_to_is_told_before(path: str, told: str, hint: str) -> None:
    with pytest.raises(UsageError, match=re.escape(told)) as caught:
        exports.check([path])
    assert hint in str(caught.value.hint)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "run.md").mkdir()
    with pytest.raises(UsageError, match="is a folder"):
        exports.check([str(tmp_path / "run.md")])


def test_the_same_file_twice(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is given twice"):
        exports.check([str(tmp_path / "run.md"), f"{tmp_path}/../{tmp_path.name}/run.md"])


def test_the_same_endpoint_twice() -> None:
    with pytest.raises(UsageError, match="is given twice"):
        exports.check(["http://localhost:4318", "http://localhost:4318/v1/traces"])


def test_spans_need_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(NotConfiguredError) as caught:
        exports.check(["http://localhost:4318"])
    assert caught.value.hint == "pip install 'reservation-cli[otlp]'"


def test_the_longest_ending_wins_in_any_case(tmp_path: Path) -> None:
    paths = [str(tmp_path / name) for name in ("RUN.TRACE.JSON", "run.Json", "a.b.csv")]
    exports.check(paths)
    assert exports.write(benches.compared(), paths) == paths
    assert "traceEvents" in json.loads(Path(paths[0]).read_text())
    assert json.loads(Path(paths[1]).read_text())["schema"] == "resv.run/1"
    assert Path(paths[2]).read_text().startswith("run,kind,platform")


@pytest.mark.parametrize("run", [benches.compared(), benches.run()], ids=["compare", "bench"])
def test_json_is_the_run_itself(run: Run, tmp_path: Path) -> None:
    exports.write(run, [str(tmp_path / "run.json")])
    assert runs.load(tmp_path / "run.json") == run


def test_a_file_that_cannot_be_written_stays_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "run.md"
    path.write_text("before")
    gone = tmp_path / "gone" / "run.csv"
    with pytest.raises(ResvError, match=r"gone/run\.csv cannot be written: No such file or directory\.") as caught:
        exports.write(benches.compared(), [str(gone)])
    assert caught.value.code == "output"
    assert path.read_text() == "before"
    assert [found.name for found in tmp_path.iterdir()] == ["run.md"]


def test_what_stood_there_is_replaced_with_its_permissions_and_through_links(tmp_path: Path) -> None:
    path, link = tmp_path / "run.md", tmp_path / "link.md"
    path.write_text("before")
    path.chmod(0o600)
    link.symlink_to(path)
    exports.write(benches.compared(), [str(link)])
    assert link.is_symlink()
    assert path.read_text().startswith("# One reservation")
    assert path.stat().st_mode & 0o777 == 0o600


def test_halves_of_characters_are_written_as_question_marks(tmp_path: Path) -> None:
    lane = replace(timelines.cloudflare_expired(), label="\ud800")
    paths = [str(tmp_path / name) for name in ("a.json", "a.csv", "a.trace.json", "a.md")]
    exports.write(of(lane), paths)
    assert all(Path(path).read_text(encoding="utf-8") for path in paths)


# CSV


def rows(run: Run) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(csv_format.render(run), newline="")))


def test_csv_of_a_benchmark_has_a_row_for_each_reservation() -> None:
    measured = benches.bench(count=20, holds=(1, 10))
    found = rows(benches.run(measured))
    assert len(found) == len(measured.samples)
    for row, sample in zip(found, measured.samples, strict=True):
        assert row["reservation_id"] == sample.reservation_id
        assert (row["platform"], row["verdict"], row["hold_seconds"]) == (
            sample.platform,
            "right",
            str(sample.hold_seconds),
        )
        assert {
            name: float(row[name]) if row[name] else None for name in Metrics.__dataclass_fields__
        } == sample.metrics.as_json()


def test_csv_of_a_comparison_has_a_row_for_each_lane() -> None:
    cloudflare, aws = rows(of(*timelines.retried()))
    assert (cloudflare["platform"], aws["platform"]) == ("cloudflare", "aws")
    assert (cloudflare["retries"], aws["retries"]) == ("1", "0")
    assert cloudflare["sent_at"] == "2026-11-23T09:00:00.000Z"
    assert cloudflare["timer_error_ms"] == "7.0"
    assert cloudflare["signal_to_resume_ms"] == "", "what is not known is empty"
    assert cloudflare["verdict"] == ""


def test_csv_of_absent_and_failed_lanes() -> None:
    found = rows(of(timelines.failed()[0], timelines.absent("aws")))
    assert [row["status"] for row in found] == ["failed", "unknown"]
    assert found[0]["error"] == "Error: D1_ERROR: seat store unavailable"
    assert found[0]["retries"] == "5"


def test_csv_is_rfc_4180_and_both_kinds_have_the_same_header() -> None:
    compared, bench = csv_format.render(benches.compared()), csv_format.render(benches.run())
    assert compared.partition("\r\n")[0] == bench.partition("\r\n")[0]
    assert compared.endswith("\r\n")
    assert "\n" not in compared.replace("\r\n", "")


def test_csv_holds_no_formula() -> None:
    (row,) = rows(of(odd()))
    assert row["label"] == f"'{ODD}"
    assert row["error"] == f"'{ODD}"
    lane = replace(timelines.cloudflare_expired(), error="\tx", label="@x", endpoint="-x")
    (row,) = rows(of(lane))
    assert (row["error"], row["label"]) == ("'\tx", "'@x")
    early = benches.bench(count=1)
    sample = replace(early.samples[0], metrics=Metrics(timer_error_ms=-1.5))
    (row,) = rows(benches.run(replace(early, samples=(sample,))))
    assert row["timer_error_ms"] == "-1.5", "numbers are no formulas"


# Chrome trace events


def events(run: Run) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = json.loads(trace.render(run))["traceEvents"]
    return found


@pytest.mark.parametrize("lane", every(), ids=lambda lane: f"{lane.platform}-{lane.status}")
def test_no_thread_has_slices_that_overlap_without_nesting(lane: Timeline) -> None:
    by_thread: dict[tuple[int, int], list[tuple[int, int]]] = defaultdict(list)
    for event in events(of(lane)):
        assert event["ph"] in "MXi"
        if event["ph"] != "M":
            assert event["ts"] >= 0
        if event["ph"] == "X":
            assert event["dur"] >= 0
            by_thread[event["pid"], event["tid"]].append((event["ts"], event["ts"] + event["dur"]))
    for slices in by_thread.values():
        for first in slices:
            for second in slices:
                assert first[1] <= second[0] or second[0] <= first[0] or second[1] <= first[1]


def test_lanes_are_processes_with_a_thread_for_each_kind() -> None:
    named = {(event["name"], event["args"].get("name")) for event in events(of(invoked())) if event["ph"] == "M"}
    assert ("process_name", "AWS · us-east-2 · reservation-workflow-dev:live") in named
    assert {name for kind, name in named if kind == "thread_name"} == {
        "execution",
        "steps",
        "attempts",
        "waits",
        "invocations",
        "seat",
    }


def test_absent_lanes_are_left_out() -> None:
    assert events(of(timelines.absent("aws"))) == []
    assert {event["pid"] for event in events(of(timelines.absent("aws"), timelines.cloudflare_expired()))} == {1}


def test_what_still_goes_on_ends_at_the_last_look() -> None:
    found = {event["name"]: event for event in events(of(timelines.mid_hold()[0])) if event["ph"] != "M"}
    assert found["hold-window"]["args"]["still_going_on"] is True
    assert found["hold-window"]["ts"] + found["hold-window"]["dur"] == 47_600_000
    assert found["due"]["ts"] == 900_030_000


@pytest.mark.parametrize("pair", [timelines.confirmed(), timelines.stopped(), timelines.paused()])
def test_what_never_fell_due_has_no_such_moment(pair: tuple[Timeline, ...]) -> None:
    assert "due" not in [event["name"] for event in events(of(pair[0]))]


def test_a_lane_that_began_before_its_request_moves_all_by_as_much() -> None:
    early = replace(timelines.aws_expired(), requested_at=timelines.at(304))
    told = json.loads(trace.render(of(timelines.cloudflare_expired(), early)))
    assert told["otherData"]["t0_us"] == 300_000
    sent = [event["ts"] for event in told["traceEvents"] if event["name"] == "request sent"]
    assert sent == [300_000, 300_000]


# Markdown and Mermaid


def parsed(text: str) -> list[Token]:
    return MarkdownIt("commonmark", {"html": True}).enable("table").parse(text)


def texts(tokens: list[Token]) -> list[str]:
    """What a reader sees of each paragraph, heading and cell."""
    shown = []
    for token in tokens:
        if token.type == "inline":
            shown.append("".join(child.content for child in token.children or [] if child.type != "html_inline"))
    return shown


def charts_of(text: str) -> list[str]:
    return [token.content for token in parsed(text) if token.type == "fence" and token.info == "mermaid"]


def test_markdown_shows_odd_names_as_they_are() -> None:
    tokens = parsed(markdown.render(of(odd())))
    shown = texts(tokens)
    assert f"Seat {ODD} · user {ODD} · hold 15m · strategy sleep" in shown
    assert f"{ODD}: {ODD}" in shown, "the note"
    assert shown.count(ODD) >= 4
    kinds = {child.type for token in tokens for child in token.children or []}
    assert kinds <= {"text", "code_inline", "html_inline", "strong_open", "strong_close", "text_special", "softbreak"}
    assert {child.content for token in tokens for child in token.children or [] if child.type == "html_inline"} == {
        "<code>",
        "</code>",
    }


@pytest.mark.parametrize("run", [of(*timelines.four()), benches.run(), of(odd())], ids=["four", "bench", "odd"])
def test_each_row_of_a_table_has_as_many_cells_as_its_header(run: Run) -> None:
    for table in re.findall(r"(?:^\|.*\n)+", markdown.render(run), re.MULTILINE):
        found = parsed(table)
        width = sum(token.type == "th_open" for token in found)
        bodies = table.strip().splitlines()[2:]
        assert width > 1
        assert sum(token.type == "td_open" for token in found) == width * len(bodies)
        # Beyond the header's cells GFM drops them silently: count the bars themselves.
        assert {line.count("|") for line in table.strip().splitlines()} == {width + 1}


@pytest.mark.parametrize("text", ["a", "`", "``x`", "a|b", "\\|", "  ", "*_<b>[x](y)~$#&amp;"])
def test_code_of_any_text(text: str) -> None:
    cell = texts(parsed(f"| x |\n| --- |\n| {markdown._code(text)} |"))[1]
    assert cell == (text.strip() or "—")


def test_a_lane_that_is_not_there_is_told() -> None:
    shown = texts(parsed(markdown.render(of(timelines.cloudflare_expired(), timelines.absent("aws")))))
    assert "— absent" in shown
    assert "difference" not in shown


def test_nothing_to_draw_is_no_chart() -> None:
    assert charts_of(markdown.render(of(timelines.absent("aws"), timelines.absent("cloudflare")))) == []


_LINE = re.compile(
    r"%%\{init: \{\"gantt\": \{\"leftPadding\": \d+\}\}\}%%|gantt|    title [^:;]+|    dateFormat x"
    r"|    axisFormat %(S\.%L|M:%S)|    todayMarker off|    section [^:;]+"
    r"|    [^:;]+ :((active|done|crit|milestone), )?\d+, \d+ms"
)


@pytest.mark.parametrize("lane", every(), ids=lambda lane: f"{lane.platform}-{lane.status}")
def test_every_line_of_a_chart_is_one_that_mermaid_reads(lane: Timeline) -> None:
    for chart in mermaid.charts([lane]):
        for line in chart.splitlines():
            # Character codes are what Mermaid takes out before it reads a line.
            assert _LINE.fullmatch(re.sub(r"#\d+;", "", line)), line


def test_a_name_is_no_syntax_of_mermaid() -> None:
    spans = timelines.cloudflare_expired().spans
    lane = replace(timelines.cloudflare_expired(), spans=(replace(spans[0], name="section x:y"), *spans[1:]))
    assert "    #115;ection x#58;y 13 ms :done, 14, 13ms" in next(iter(mermaid.charts([lane]))).splitlines()


def test_a_chart_around_the_start_and_one_around_the_end() -> None:
    start, end = mermaid.charts(timelines.expired())
    assert "title seconds since t = 0" in start
    assert "title seconds since 15#58;00.000 after t = 0" in end
    assert "create-hold" in start
    assert "create-hold" not in end
    assert "finalize" in end


def test_there_are_never_more_than_three_charts() -> None:
    assert all(len(list(mermaid.charts([lane]))) <= 3 for lane in every())
    assert len(list(mermaid.charts(timelines.failed()))) == 3


def test_a_lane_that_began_before_t_0_has_no_negative_times() -> None:
    early = replace(timelines.aws_expired(), requested_at=timelines.T0 + timedelta(milliseconds=304))
    assert "title seconds since −0.300 s after t = 0" in next(iter(mermaid.charts([early])))
