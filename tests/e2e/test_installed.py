"""The installed command against the real local stack, as a user runs it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest

from reservation_cli import schema
from reservation_cli.local import stack
from support import schemas
from support.waiting import until

pytestmark = pytest.mark.stack
RESV = str(Path(sys.executable).with_name("resv"))
Resv = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def resv(stack_environ: Mapping[str, str]) -> Resv:
    def run(*argv: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run([RESV, *argv], env=stack_environ, capture_output=True, text=True, timeout=120)
        schemas.check(argv, done.returncode, done.stdout, done.stderr)
        return done

    return run


def as_json(done: subprocess.CompletedProcess[str]) -> Any:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_seed_by_hand(resv: Resv) -> None:
    seat = f"A{os.getpid()}"
    body = as_json(resv("reserve", "--seat", seat, "--user", "user123", "--hold", "2s", "--json"))
    assert [lane["reservation"]["status"] for lane in body["lanes"]] == ["held", "held"]
    name, arn = body["lanes"][0]["ref"], body["lanes"][1]["ref"]
    assert as_json(resv("status", "last", "--json"))["request"]["reservation_id"] == name
    assert as_json(resv("status", arn, "--json"))["lanes"][0]["ref"] == arn
    compared = as_json(resv("compare", name, "--json"))
    assert [lane["outcome"] for lane in compared["lanes"]] == ["expired", "expired"]
    late = resv("confirm", "--json")
    assert late.returncode == 4
    assert json.loads(late.stderr)["error"]["code"] == "too_late"
    listed = as_json(resv("list", "--seat", seat, "--json"))["reservations"]
    assert [lane["reservation"]["status"] for lane in listed] == ["expired", "expired"]


def test_compare_draws_without_control_codes_into_a_pipe(resv: Resv) -> None:
    done = resv("compare", "--hold", "1s", "--strategy", "both")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("expired") >= 4
    assert "\x1b" not in done.stdout + done.stderr
    assert "Local engines" in done.stdout


@pytest.mark.parametrize("argv", ["--help", "list", "list --json"])
def test_a_reader_that_has_seen_enough_is_no_error(stack_environ: Mapping[str, str], argv: str) -> None:
    shell = ["bash", "-c", f"{RESV} {argv} | true; exit ${{PIPESTATUS[0]}}"]
    done = subprocess.run(shell, env=stack_environ, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_curl_on_the_worker(resv: Resv) -> None:
    url = as_json(resv("up", "--json"))["cloudflare"]["url"]
    answer = httpx.post(f"{url}/reserve", json={"seatId": f"curl{os.getpid()}", "userId": "user123"})
    assert answer.status_code == 201
    record = answer.json()["reservation"]
    assert (record["status"], record["holdSeconds"]) == ("held", 900)
    assert as_json(resv("status", record["reservationId"], "--json"))["lanes"][0]["platform"] == "cloudflare"


def test_plain_boto3_on_the_aws_endpoint(resv: Resv) -> None:
    exports = as_json(resv("env", "--json"))
    api = boto3.client(
        "lambda",
        endpoint_url=exports["AWS_ENDPOINT_URL_LAMBDA"],
        region_name=exports["AWS_REGION"],
        aws_access_key_id="local",
        aws_secret_access_key="local",
    )
    payload = json.dumps({"seatId": f"boto{os.getpid()}", "userId": "user123"}).encode()
    answer = api.invoke(
        FunctionName="reservation-workflow-dev", Qualifier="live", InvocationType="Event", Payload=payload
    )
    assert answer["StatusCode"] == 202
    execution = api.get_durable_execution(DurableExecutionArn=answer["DurableExecutionArn"])
    assert execution["Status"] == "RUNNING"
    lane = as_json(resv("status", answer["DurableExecutionArn"], "--json"))["lanes"][0]
    assert lane["reservation"]["status"] == "held"
    assert as_json(resv("cancel", lane["ref"], "--json"))["lanes"][0]["status"] == "cancelled"


def test_a_foreign_arn_is_refused(resv: Resv) -> None:
    arn = "arn:aws:lambda:us-east-2:999999999999:function:reservation-workflow-dev:1/durable-execution/a/b"
    done = resv("status", arn)
    assert (done.returncode, done.stdout) == (2, "")
    assert "account 999999999999" in done.stderr


@pytest.fixture
def own_stack(stack_environ: Mapping[str, str], tmp_path: Path) -> Iterator[dict[str, str]]:
    """A second stack beside the session's, which a test may ill-treat."""
    environ = {**stack_environ, "RESV_HOME": str(tmp_path / "home")}
    yield environ
    stack.stop(tmp_path / "home", print)


def started(environ: Mapping[str, str], *argv: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [RESV, *argv], env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def last_reservation(home: Path) -> str | None:
    state = home / "state.json"
    return json.loads(state.read_text())["last"] if state.exists() else None


def test_ctrl_c_loses_nothing(own_stack: dict[str, str]) -> None:
    home = Path(own_stack["RESV_HOME"])
    process = started(own_stack, "compare", "--hold", "1h", "--strategy", "event")
    name = until(lambda: last_reservation(home), "the reservation", seconds=60)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in out + err
    assert f"resv compare {name}" in err
    done = subprocess.run([RESV, "confirm", "--json"], env=own_stack, capture_output=True, text=True)
    assert [lane["status"] for lane in as_json(done)["lanes"]] == ["confirmed", "confirmed"]


def test_a_stack_killed_during_compare_is_told_and_goes_on_later(own_stack: dict[str, str]) -> None:
    home = Path(own_stack["RESV_HOME"])
    process = started(own_stack, "compare", "--hold", "3s")
    name = until(lambda: last_reservation(home), "the reservation", seconds=60)
    running = stack.running(home)
    assert running is not None
    os.kill(running.pid, signal.SIGKILL)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 5
    assert out.count("held") >= 1
    assert "Traceback" not in err
    assert "cannot be reached" in err
    done = subprocess.run([RESV, "compare", name, "--json"], env=own_stack, capture_output=True, text=True, timeout=90)
    assert [lane["outcome"] for lane in as_json(done)["lanes"]] == ["expired", "expired"]


def test_a_wheel_works_without_a_checkout(stack_environ: Mapping[str, str], tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path / "dist"), str(root)]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    environ = {
        **stack_environ,
        "RESV_HOME": str(tmp_path / "home"),
        "RESV_CACHE": str(tmp_path / "cache"),
        "PYTHONPATH": str(tmp_path / "site"),
    }
    run = [sys.executable, "-m", "reservation_cli"]
    try:
        done = subprocess.run(
            [*run, "compare", "--hold", "1s", "--json"], env=environ, cwd=tmp_path, capture_output=True, text=True
        )
        assert [lane["outcome"] for lane in as_json(done)["lanes"]] == ["expired", "expired"]
        assert "Installing packages for cf-workflow" in done.stderr
        # What a deploy reads travels along.
        infra = tmp_path / "site" / "reservation_cli" / "_halves" / "infra"
        assert {path.name for path in (infra / "policies").iterdir()} >= {"functions.json", "trust.json"}
        nobody = {**environ, "AWS_EC2_METADATA_DISABLED": "true", "HOME": str(tmp_path)}
        plan = subprocess.run(
            [*run, "deploy", "aws", "--dry-run", "--json"], env=nobody, cwd=tmp_path, capture_output=True, text=True
        )
        assert as_json(plan)["plan"]["changes"]
        printed = subprocess.run([*run, "schema"], env=environ, cwd=tmp_path, capture_output=True, text=True)
        assert as_json(printed) == schema.bundled("run")
    finally:
        subprocess.run([*run, "down"], env=environ, cwd=tmp_path, check=True, capture_output=True)


def test_a_benchmark_is_recorded_drawn_again_and_written(resv: Resv, tmp_path: Path) -> None:
    files = [
        str(tmp_path / name) for name in ("run.json", "run.csv", "run.md", "run.trace.json", "run.html", "run.svg")
    ]
    outputs = [part for file in files for part in ("--output", file)]
    done = resv("bench", "-n", "20", "-c", "10", "--hold", "1s", *outputs)
    assert done.returncode == 0, done.stderr
    assert "All 40 ended right" in done.stdout
    assert all(Path(file).stat().st_size > 0 for file in files)
    again = resv("compare", files[0])
    assert (again.returncode, again.stdout) == (0, done.stdout)
    summary = as_json(resv("compare", files[0], "--json"))["summary"]
    assert {name: summary[name] for name in ("lost", "duplicated", "wrong", "double_held", "right")} == {
        "lost": 0,
        "duplicated": 0,
        "wrong": 0,
        "double_held": 0,
        "right": 40,
    }
    assert all(lane["metrics"]["timer_error_ms"]["n"] == 20 for lane in summary["lanes"])


def test_signals_are_measured_on_both_engines(resv: Resv) -> None:
    run = as_json(resv("bench", "-n", "6", "--hold", "1h", "--strategy", "event", "--confirm-after", "300ms", "--json"))
    assert {sample["outcome"] for sample in run["bench"]["samples"]} == {"confirmed"}
    assert [lane["metrics"]["signal_to_resume_ms"]["n"] for lane in run["summary"]["lanes"]] == [6, 6]


def test_ctrl_c_ends_a_benchmark_with_what_it_has(stack_environ: Mapping[str, str]) -> None:
    argv = [RESV, "bench", "-n", "6", "--hold", "1h", "--warmup", "0", "--json"]
    going = subprocess.Popen(argv, env=stack_environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert going.stderr is not None
    until(lambda: going.stderr is not None and going.stderr.readline().startswith("Holding"), "it holds")
    going.send_signal(signal.SIGINT)
    out, err = going.communicate(timeout=60)
    assert going.returncode == 130
    assert json.loads(out)["summary"]["unfinished"] == 12
    assert json.loads(err.splitlines()[-1])["error"]["code"] == "interrupted"
