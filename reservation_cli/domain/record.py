"""A run as JSON, schema `resv.run/1`, in both directions.

Reading says what is wrong with a file in one line; a run that was written by a newer `resv` is refused.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import get_args

from reservation_cli.domain import benchmark
from reservation_cli.domain.benchmark import Bench, Contest, Drift, Sample, Summary, Verdict
from reservation_cli.domain.chaos_record import chaos_as_json, chaos_from_json, chaos_summary_as_json
from reservation_cli.domain.cost import PRICES_AS_OF
from reservation_cli.domain.lane_record import SCHEMA, lane_from_json, lanes_as_json
from reservation_cli.domain.reading import broken, built, choice, each, mapping, moment, text
from reservation_cli.domain.reservation import InvalidInputError, format_time
from reservation_cli.domain.run import Host, Run, RunKind
from reservation_cli.domain.statistics import Interval, Quantile, Statistics


class NewerSchemaError(InvalidInputError):
    """The run was recorded by a `resv` that knows more than this one."""


def run_as_json(run: Run) -> dict[str, object]:
    """The whole run; what it does not have (a host, a benchmark) is left out."""
    told = lanes_as_json(run.kind, run.lanes)
    if run.id:
        told |= {"id": run.id, "recorded_at": format_time(run.recorded_at)}
    if run.configuration:
        told["configuration"] = dict(run.configuration)
    if run.software:
        told["software"] = dict(run.software)
    if run.host:
        told["host"] = asdict(run.host)
    if run.bench:
        told["bench"] = _bench_as_json(run.bench)
        told["summary"] = summary_as_json(run.bench)
    if run.chaos:
        told["chaos"] = chaos_as_json(run.chaos)
        told["summary"] = chaos_summary_as_json(run.chaos)
    if run.id:
        told["prices_as_of"] = PRICES_AS_OF
    return told


def run_from_json(told: object) -> Run:
    """The run that `run_as_json` gave. InvalidInputError says what is missing or of the wrong kind."""
    body = mapping(told, "the run")
    schema = body.get("schema")
    if schema != SCHEMA:
        raise _other_schema(schema)
    lanes = each(body, "lanes", "the run", lane_from_json)
    return Run(
        kind=choice(body.get("kind", "compare"), RunKind, "kind"),
        lanes=lanes,
        id=text(body.get("id", ""), "id"),
        recorded_at=moment(body, "recorded_at", "the run"),
        configuration=mapping(body.get("configuration", {}), "configuration"),
        software={name: str(value) for name, value in mapping(body.get("software", {}), "software").items()},
        host=built(Host, body["host"], "host") if body.get("host") else None,
        bench=built(Bench, body["bench"], "bench") if body.get("bench") else None,
        chaos=chaos_from_json(body["chaos"]) if body.get("chaos") else None,
    )


def summary_as_json(bench: Bench) -> dict[str, object]:
    """The counts over all lanes, and the statistics of each platform and hold."""
    count, found = benchmark.counts(bench), benchmark.summaries(bench)
    return {
        "lost": count["lost"],
        "duplicated": count["duplicated"],
        "wrong": count["wrong"],
        "double_held": bench.double_held,
        "refused": count["refused"],
        "unfinished": count["unfinished"],
        "right": count["right"],
        "lanes": [_lane_summary(summary) for summary in found],
        "differences": [_contest_as_json(contest) for contest in benchmark.contests(bench, found)],
        "drift": [_drift_as_json(drift) for drift in benchmark.drifts(bench)],
    }


def _lane_summary(summary: Summary) -> dict[str, object]:
    return {
        "platform": summary.platform,
        "target": summary.target,
        "label": summary.label,
        "hold_seconds": summary.hold_seconds,
        "n": summary.n,
        **{verdict: summary.counts.get(verdict, 0) for verdict in get_args(Verdict)},
        "retries": summary.retries,
        "started_per_second": summary.started_per_second,
        "metrics": {
            metric: {**_statistics_as_json(found), "noise_floor": summary.noise.get(metric)}
            for metric, found in summary.statistics.items()
        },
    }


def _statistics_as_json(found: Statistics) -> dict[str, object]:
    quantiles = {"p50": found.p50, "p90": found.p90, "p99": found.p99}
    return {
        **{name: quantile.value for name, quantile in quantiles.items()},
        "max": found.maximum,
        "min": found.minimum,
        "mean": found.mean,
        "n": found.n,
        "confidence_intervals": {name: _interval(quantile) for name, quantile in quantiles.items()},
    }


def _interval(quantile: Quantile) -> list[float | None]:
    return _bounds(quantile.interval)


def _bounds(interval: Interval) -> list[float | None]:
    return [interval.low, interval.high]


def _contest_as_json(contest: Contest) -> dict[str, object]:
    return {
        "metric": contest.metric,
        "hold_seconds": contest.hold_seconds,
        "lanes": list(contest.lanes),
        "difference_of_medians": contest.difference.value,
        "confidence_interval": _bounds(contest.difference.interval),
        "noise_floor": contest.floor,
        "winner": contest.winner,
    }


def _drift_as_json(drift: Drift) -> dict[str, object]:
    return {
        "platform": drift.platform,
        "constant_ms": drift.line.constant,
        "ms_per_second_of_hold": drift.line.slope,
        "confidence_interval": _bounds(drift.line.slope_interval),
    }


def _bench_as_json(bench: Bench) -> dict[str, object]:
    return {
        "plan": {**asdict(bench.plan), "platforms": list(bench.plan.platforms), "holds": list(bench.plan.holds)},
        "requests": dict(bench.requests),
        "seconds": bench.seconds,
        "cpu_seconds": bench.cpu_seconds,
        "interrupted": bench.interrupted,
        "double_held": bench.double_held,
        "samples": [_sample_as_json(sample) for sample in bench.samples],
    }


def _sample_as_json(sample: Sample) -> dict[str, object]:
    return {**asdict(sample), "sent_at": format_time(sample.sent_at), "metrics": sample.metrics.as_json()}


def _other_schema(schema: object) -> InvalidInputError:
    family, _, version = str(schema).partition("/")
    if family == SCHEMA.partition("/")[0] and version.isdigit() and int(version) > 1:
        return NewerSchemaError(f"It was recorded as {schema} by a newer resv; this one reads {SCHEMA}.")
    return broken(f"its schema is {schema!r}, not {SCHEMA}")
