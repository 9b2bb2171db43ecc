"""The schemas say what the dataclasses do, all of it, and nothing more."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import fields
from importlib.resources import files
from typing import Any, get_args

import pytest
from jsonschema import Draft202012Validator

from reservation_cli import schema
from reservation_cli.cli import app
from reservation_cli.deploy.change import Change, Leftover, Verb
from reservation_cli.doctor.check import Check, Group, Setting, Source, State
from reservation_cli.domain import benchmark
from reservation_cli.domain.benchmark import Bench, Plan, Sample, Verdict
from reservation_cli.domain.comparison import Metrics
from reservation_cli.domain.cost import Basis, Purpose
from reservation_cli.domain.deployment import AwsDeployment, CloudflareDeployment, Via
from reservation_cli.domain.differences import Quoted, QuotedSide
from reservation_cli.domain.lane_record import SCHEMA
from reservation_cli.domain.quotes import Quote
from reservation_cli.domain.record import run_as_json
from reservation_cli.domain.reservation import (
    Outcome,
    Platform,
    Reservation,
    ReservationRequest,
    ReservationStatus,
    Strategy,
    Target,
)
from reservation_cli.domain.run import Host, Run, RunKind
from reservation_cli.domain.timeline import Attempt, Engine, ExecutionStatus, SpanKind, SpanStatus, Timeline
from reservation_cli.domain.twins import Block, Part
from support import benches, schemas, timelines

Json = dict[str, Any]
NAMES = sorted(path.name.removesuffix(".json") for path in files(schema).iterdir() if path.name.endswith(".json"))


def at(path: str) -> Any:
    """A part of a schema's file: 'lane.$defs.span'."""
    name, *keys = path.split(".")
    part: Any = schema.read(name)
    for key in keys:
        part = part[key]
    return part


def parts(part: Any, path: str) -> Iterator[tuple[str, Json]]:
    """Every object in a schema, with where it stands."""
    if isinstance(part, dict):
        yield path, part
    for key, value in part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ():
        yield from parts(value, f"{path}.{key}")


@pytest.mark.parametrize("name", NAMES)
def test_each_file_is_a_schema_that_stands_alone_once_it_is_bundled(name: str) -> None:
    bundled = schema.bundled(name)
    Draft202012Validator.check_schema(bundled)
    assert bundled["$id"] == f"urn:resv:{name}:1"
    ids = {part["$id"] for _, part in parts(bundled, name) if isinstance(part.get("$id"), str)}
    refs = {part["$ref"] for _, part in parts(bundled, name) if isinstance(part.get("$ref"), str)}
    assert {ref.partition("#")[0] for ref in refs if not ref.startswith("#")} <= ids


def referred(ref: str, name: str) -> Json:
    """What a reference in the file `name` refers to; {} for none."""
    if not ref:
        return {}
    where, _, fragment = ref.partition("#")
    file = where.removeprefix("urn:resv:").partition(":")[0] or name
    part: Json = at(".".join([file, *fragment.split("/")[1:]]))
    return part


@pytest.mark.parametrize("name", NAMES)
def test_each_field_is_described_and_each_object_is_closed(name: str) -> None:
    for path, part in parts(schema.read(name), name):
        if part.get("type") in ("object", ["object", "null"]):
            assert "additionalProperties" in part, f"{path} is open"
            assert set(part.get("required", ())) <= part.get("properties", {}).keys(), path
        for field, told in part.items() if path.endswith(".properties") else ():
            described = told.get("description") or referred(told.get("$ref", ""), name).get("description")
            assert described, f"{path}.{field} is not described"


def test_every_command_has_one() -> None:
    commands = {info.name for info in app.registered_commands}
    with_schema = {command.split()[0] for printed_by in schema.OUTPUTS.values() for command in printed_by}
    assert commands - with_schema == set()
    assert with_schema - commands == set()


def test_every_file_is_printed_or_referred_to() -> None:
    used = {id_.split(":")[2] for name in schema.OUTPUTS for id_ in schema.bundled(name).get("$defs", {}) if ":" in id_}
    assert set(NAMES) == schema.OUTPUTS.keys() | used


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("common.$defs.platform", Platform),
        ("common.$defs.target", Target),
        ("common.$defs.strategy", Strategy),
        ("common.$defs.reservation_status", ReservationStatus),
        ("common.$defs.execution_status", ExecutionStatus),
        ("common.$defs.verdict", Verdict),
        ("lane.$defs.span_status", SpanStatus),
        ("lane.$defs.span.properties.kind", SpanKind),
        ("bench.$defs.sample.properties.expected", Outcome),
        ("run.properties.kind", RunKind),
        ("plan.$defs.change.properties.verb", Verb),
        ("deployment.$defs.aws.properties.via", Via),
        ("cost.$defs.line.properties.basis", Basis),
        ("cost.$defs.line.properties.purpose", Purpose),
        ("doctor.$defs.check.properties.group", Group),
        ("doctor.$defs.check.properties.state", State),
        ("doctor.$defs.setting.properties.source", Source),
    ],
)
def test_enumerations_are_those_of_the_program(path: str, values: object) -> None:
    assert at(path)["enum"] == list(get_args(values))


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("common.$defs.outcome_or_null", Outcome),
        ("run.properties.request.properties.strategy", Strategy),
        ("summary.$defs.difference.properties.winner", Platform),
        ("cost.$defs.lane.properties.target", Target),
    ],
)
def test_enumerations_with_null_too(path: str, values: object) -> None:
    assert at(path)["enum"] == [*get_args(values), None]


@pytest.mark.parametrize(
    ("path", "kind", "renamed"),
    [
        ("metrics", Metrics, {}),
        ("bench.properties.plan", Plan, {}),
        ("bench", Bench, {}),
        ("bench.$defs.sample", Sample, {}),
        ("run.properties.host", Host, {}),
        ("lane.$defs.request", ReservationRequest, {}),
        ("lane.$defs.reservation", Reservation, {}),
        ("lane.$defs.attempt", Attempt, {}),
        ("lane.properties.engine", Engine, {}),
        # What the client measured of a lane stands among its metrics.
        ("lane", Timeline, {"accept_ms": "metrics", "polls": "metrics", "invocations": "metrics"}),
        ("doctor.$defs.check", Check, {}),
        ("doctor.$defs.setting", Setting, {}),
        ("plan.$defs.change", Change, {}),
        ("differences.$defs.difference", Quoted, {}),
        ("differences.$defs.side", QuotedSide, {}),
        ("differences.$defs.quote", Quote, {}),
        ("code.$defs.block", Block, {}),
        ("code.$defs.part", Part, {}),
        ("teardown.$defs.leftover", Leftover, {}),
        ("deployment.$defs.aws", AwsDeployment, {}),
        ("deployment.$defs.cloudflare", CloudflareDeployment, {}),
    ],
)
def test_fields_are_those_of_the_dataclass(path: str, kind: Any, renamed: dict[str, str]) -> None:
    told = at(path)
    names = {renamed.get(field.name, field.name) for field in fields(kind)}
    assert told["properties"].keys() == names
    assert set(told["required"]) | set(renamed.values()) == names


def test_metrics_have_the_types_of_the_dataclass() -> None:
    types = {"float | None": ["number", "null"], "int | None": ["integer", "null"]}
    assert {name: told["type"] for name, told in at("metrics.properties").items()} == {
        field.name: types[str(field.type)] for field in fields(Metrics)
    }
    assert at("summary.$defs.metric")["enum"] == [field.name for field in fields(Metrics)]
    assert set(benchmark.COMPARED) <= set(at("summary.$defs.metric")["enum"])


def test_the_schema_of_a_run_is_the_one_that_is_recorded() -> None:
    assert at("run.properties.schema")["const"] == SCHEMA


RUNS = [
    benches.compared(),
    benches.run(),
    benches.run(benches.bench(20, (1, 10), interrupted=True)),
    Run("compare", timelines.four()),
    *(
        Run("status", lanes)
        for lanes in (
            timelines.confirmed(),
            timelines.retried(),
            timelines.rejected(),
            timelines.mid_hold(),
            timelines.failed(),
            timelines.cloud_and_local(),
            timelines.stopped(),
            timelines.paused(),
            timelines.untold(),
            (timelines.absent("aws"),),
        )
    ),
]


@pytest.mark.parametrize("run", RUNS)
def test_every_kind_of_run_is_valid(run: Run) -> None:
    schemas.assert_valid(json.loads(json.dumps(run_as_json(run))), "run")


@pytest.mark.parametrize(
    ("where", "value"),
    [
        (("more",), 1),
        (("schema",), "resv.run/2"),
        (("lanes", 0, "more"), 1),
        (("lanes", 0, "platform"), "gcp"),
        (("lanes", 0, "as_of"), "2026-11-23T09:15:00+00:00"),
        (("lanes", 0, "spans", 0, "body", "began"), 7),
        (("lanes", 0, "metrics", "total_ms"), "7"),
        (("bench", "samples", 3, "more"), 1),
        (("bench", "samples", 3, "verdict"), None),
        (("summary", "lost"), -1),
        (("summary", "lanes", 0, "metrics", "more"), {}),
        (("summary", "lanes", 0, "metrics", "total_ms", "confidence_intervals", "p50"), [1]),
    ],
    ids=str,
)
def test_what_is_not_documented_is_not_valid(where: tuple[str | int, ...], value: object) -> None:
    document = json.loads(json.dumps(run_as_json(benches.run(benches.bench(10)))))
    schemas.assert_valid(document, "run")
    *path, last = where
    part = document
    for key in path:
        part = part[key]
    part[last] = value
    with pytest.raises(AssertionError, match=r"^run: "):
        schemas.assert_valid(document, "run")


@pytest.mark.parametrize("field", ["metrics", "status", "spans"])
def test_what_is_missing_is_not_valid(field: str) -> None:
    document = json.loads(json.dumps(run_as_json(benches.compared())))
    del document["lanes"][0][field]
    with pytest.raises(AssertionError, match=f"'{field}' is a required property"):
        schemas.assert_valid(document, "run")
