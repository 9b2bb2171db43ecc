"""A run as Chrome trace events, which Perfetto and chrome://tracing open.

A process for each lane and a thread for each kind of bar, so that no thread has bars that overlap without nesting.
The format: "Trace Event Format", the JSON object form, times in microseconds.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta

from reservation_cli.domain.reservation import format_time
from reservation_cli.domain.run import Run
from reservation_cli.domain.timeline import Timeline
from reservation_cli.render.bars import Bar, BarKind, execution, held, moments
from reservation_cli.render.words import lane_name

Event = dict[str, object]

#: The threads of a process, from top to bottom.
_THREADS = ("execution", "steps", "attempts", "waits", "invocations", "seat")
_THREAD_OF: dict[BarKind, str] = {
    "execution": "execution",
    "step": "steps",
    "attempt": "attempts",
    "wait": "waits",
    "event": "waits",
    "invocation": "invocations",
    "seat": "seat",
}
_ALIGNED = (
    "The lanes are laid over each other at their t = 0 (ts = t0_us), when the request was sent, or else as t0_is says;"
    " each lane's t0 is that moment by the clock. Durations are the platforms' own."
)


def render(run: Run) -> str:
    """The run's lanes, laid over each other at their t = 0, as a JSON object. Of a benchmark, those that it keeps."""
    lanes = [(lane, bar, lane.origin or bar.start) for lane in run.lanes if (bar := execution(lane))]
    # Viewers drop what lies before 0.
    base = max((_earliest(lane, bar, origin) for lane, bar, origin in lanes), default=timedelta())
    events = [
        event
        for pid, (lane, bar, origin) in enumerate(lanes, 1)
        for event in _process(pid, lane, bar, origin, origin - base)
    ]
    about = {
        "run": run.id,
        "kind": run.kind,
        "recorded_at": format_time(run.recorded_at),
        "alignment": _ALIGNED,
        "t0_us": _us(base),
        "software": dict(run.software),
    }
    # A line for each event: so that two files can be compared.
    told = ",\n".join(json.dumps(event, ensure_ascii=False) for event in events)
    return (
        f'{{"displayTimeUnit": "ms",\n"otherData": {json.dumps(about, ensure_ascii=False)},\n'
        f'"traceEvents": [\n{told}\n]}}\n'
    )


def _earliest(lane: Timeline, root: Bar, origin: datetime) -> timedelta:
    """By how much a lane begins before its t = 0: clocks differ a little."""
    starts = [bar.start for bar in root.walk()] + [moment.at for moment in moments(lane)]
    return max(timedelta(), origin - min(starts))


def _process(pid: int, lane: Timeline, root: Bar, origin: datetime, zero: datetime) -> Iterator[Event]:
    """The events of one lane; `zero` is the moment of ts = 0."""
    seat = held(lane)
    bars = [*root.walk(), *([seat] if seat else [])]
    used = [name for name in _THREADS if any(_THREAD_OF[bar.kind] == name for bar in bars)]
    yield _named("process_name", pid, 0, name=lane_name(lane))
    yield _named("process_sort_index", pid, 0, sort_index=pid)
    for name in used:
        yield _named("thread_name", pid, _tid(name), name=name)
        yield _named("thread_sort_index", pid, _tid(name), sort_index=_tid(name))
    # A bar comes before those that it holds.
    for bar in sorted(bars, key=lambda bar: (bar.start, -(bar.end - bar.start))):
        args = _args(bar)
        if bar is root:
            args = {"t0": format_time(origin), "t0_is": lane.zero[0] if lane.zero else "start", **args}
        yield {
            "name": bar.name,
            "cat": bar.kind,
            "ph": "X",
            "ts": _us(bar.start - zero),
            "dur": _us(bar.end - bar.start),
            "pid": pid,
            "tid": _tid(_THREAD_OF[bar.kind]),
            "args": args,
        }
    for moment in moments(lane):
        yield {
            "name": f"{moment.kind}: {moment.word}" if moment.word else moment.kind,
            "cat": "moment",
            "ph": "i",
            "s": "p",
            "ts": _us(moment.at - zero),
            "pid": pid,
            "tid": _tid("execution"),
        }


def _args(bar: Bar) -> dict[str, object]:
    args: dict[str, object] = {"status": bar.status, **bar.details}
    if bar.is_open:
        args["still_going_on"] = True
    if bar.error:
        args["error"] = bar.error
    return args


def _named(what: str, pid: int, tid: int, **args: object) -> Event:
    return {"name": what, "ph": "M", "pid": pid, "tid": tid, "args": args}


def _tid(thread: str) -> int:
    return _THREADS.index(thread) + 1


def _us(length: timedelta) -> int:
    return length // timedelta(microseconds=1)
