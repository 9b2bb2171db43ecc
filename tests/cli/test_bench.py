"""`resv bench` and recorded runs on two fakes: exit code, stdout and stderr apart."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reservation_cli.domain.reservation import Reservation, ReservationRequest
from reservation_cli.domain.timeline import Timeline
from reservation_cli.errors import ConflictError, NotConfiguredError, NotFoundError, PlatformError
from reservation_cli.exports import ENDINGS
from support.fake_platform import FakePlatform

Run = Callable[..., tuple[int, str, str]]
SHORT = ("--hold", "1s", "--warmup", "0")


def benched(run: Run, *options: str) -> dict[str, Any]:
    code, out, err = run("bench", "--json", *options)
    assert code == 0, err
    body: dict[str, Any] = json.loads(out)
    return body


def test_it_reports_both_lanes_and_is_drawn_again_from_its_file(run_resv: Run) -> None:
    code, out, err = run_resv("bench", "-n", "12", "-c", "4", *SHORT)
    assert code == 0, err
    assert "All 24 ended right" in out
    assert "timer error" in out
    assert "Local engines" in out
    name = err.splitlines()[-1].removeprefix("Recorded: resv compare ").removesuffix(" draws it again.")
    assert err.splitlines()[:-1] == ["Sending…", "Holding…", "Collecting…", "Asking the seats…"]
    assert run_resv("compare", name) == (0, out, "")


def test_as_json_it_is_a_run_with_samples_and_a_summary(run_resv: Run, cloudflare: FakePlatform) -> None:
    run = benched(run_resv, "-n", "10", "-c", "5", *SHORT)
    assert (run["schema"], run["kind"]) == ("resv.run/1", "bench")
    assert {key: run["summary"][key] for key in ("lost", "duplicated", "wrong", "double_held", "right")} == {
        "lost": 0,
        "duplicated": 0,
        "wrong": 0,
        "double_held": 0,
        "right": 20,
    }
    for lane in run["summary"]["lanes"]:
        error = lane["metrics"]["timer_error_ms"]
        assert error["n"] == 10
        assert error["p50"] <= error["p90"] <= error["p99"] <= error["max"]
    order = [sample["platform"] for sample in run["bench"]["samples"]]
    assert order[:4] == ["cloudflare", "aws", "aws", "cloudflare"]
    assert run["bench"]["requests"]["cloudflare"] == cloudflare.requests
    assert run["configuration"]["count"] == 10
    assert {lane["platform"] for lane in run["lanes"]} == {"cloudflare", "aws"}


def test_warm_ups_do_not_count(run_resv: Run, aws: FakePlatform) -> None:
    run = benched(run_resv, "-n", "3", "--hold", "1s", "--warmup", "2", "--on", "aws")
    assert len(run["bench"]["samples"]) == 3
    assert len(aws.known) == 5


def test_a_sweep_tells_constant_from_proportional_error(run_resv: Run) -> None:
    run = benched(run_resv, "-n", "4", "--sweep", "1s,2s", "--warmup", "0")
    assert [(lane["hold_seconds"], lane["n"]) for lane in run["summary"]["lanes"]] == [(1, 4), (1, 4), (2, 4), (2, 4)]
    assert [drift["platform"] for drift in run["summary"]["drift"]] == ["cloudflare", "aws"]


def test_a_herd_ends_at_one_instant(run_resv: Run, cloudflare: FakePlatform) -> None:
    benched(run_resv, "-n", "4", "-c", "4", "--hold", "3s", "--herd", "--warmup", "0")
    ends = [record.expires_at for record in cloudflare.reservations.values() if record.expires_at]
    assert {request.hold_seconds for request in cloudflare.known.values()} == {3, 2}
    assert (max(ends) - min(ends)).total_seconds() < 0.9


def test_confirmed_on_the_way(run_resv: Run) -> None:
    run = benched(
        run_resv, "-n", "4", "--hold", "2s", "--strategy", "event", "--confirm-after", "300ms", "--warmup", "0"
    )
    assert {sample["outcome"] for sample in run["bench"]["samples"]} == {"confirmed"}
    assert run["summary"]["lanes"][0]["metrics"]["signal_to_resume_ms"]["n"] == 4


@pytest.mark.parametrize(
    ("threshold", "missed"),
    [("aws.timer_error_ms.p95 > 100000", False), ("total_ms.p50 > 1s", True)],
)
def test_a_threshold_that_is_missed_fails_the_command(run_resv: Run, threshold: str, missed: bool) -> None:
    code, out, err = run_resv("bench", "-n", "2", *SHORT, "--fail-if", threshold, "--json")
    assert code == (8 if missed else 0)
    assert json.loads(out)["kind"] == "bench"
    if missed:
        assert json.loads(err.splitlines()[-1])["error"]["code"] == "threshold"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--hold", "2s", "--sweep", "1s,2s"), "exclude each other"),
        (("--sweep", "5s"), "at least two different holds"),
        (("--hold", "2s", "--confirm-after", "3s"), "a hold of 2 s is over"),
        (("--herd", "--rate", "5"), "--herd goes with one --hold"),
        (("--herd", "-n", "100", "-c", "1", "--hold", "5s"), "longer than the hold"),
        (("--fail-if", "aws.timer_eror_ms.p95 > 1"), "did you mean timer_error_ms?"),
        (("--output", "run.docx"), ".docx"),
        (("-n", "0"), "not in the range"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_runs(
    run_resv: Run, aws: FakePlatform, options: tuple[str, ...], told: str
) -> None:
    code, out, err = run_resv("bench", *options)
    assert (code, out) == (2, "")
    assert told in err
    assert not aws.known


def test_what_was_refused_and_what_ended_wrong_is_told(
    run_resv: Run, monkeypatch: pytest.MonkeyPatch, cloudflare: FakePlatform, aws: FakePlatform
) -> None:
    def refuse(_request: ReservationRequest) -> Timeline:
        raise ConflictError("The seat is taken.")

    def other(ref: str) -> Reservation:
        return replace(FakePlatform.reservation(cloudflare, ref), status="confirmed")

    monkeypatch.setattr(aws, "start", refuse)
    monkeypatch.setattr(cloudflare, "reservation", other)
    code, out, _ = run_resv("bench", "-n", "3", *SHORT)
    assert code == 5
    assert "its workflow says expired, its seat confirmed" in out
    assert "✗ refused" in out
    code, out, _ = run_resv("bench", "-n", "3", *SHORT, "--json")
    assert code == 5
    assert {key: json.loads(out)["summary"][key] for key in ("wrong", "refused")} == {"wrong": 3, "refused": 3}


def test_an_answer_that_never_came_is_looked_for(
    run_resv: Run, monkeypatch: pytest.MonkeyPatch, aws: FakePlatform
) -> None:
    def cut(request: ReservationRequest) -> Timeline:
        if len(aws.known) < 2:
            FakePlatform.reserve(aws, request)
        raise PlatformError("The connection was cut.")

    monkeypatch.setattr(aws, "start", cut)
    code, out, _ = run_resv("bench", "-n", "3", *SHORT, "--on", "aws", "--json")
    summary = json.loads(out)["summary"]
    assert (code, summary["right"], summary["refused"]) == (5, 2, 1)


def test_a_platform_that_stops_answering_takes_nothing_with_it(
    run_resv: Run, monkeypatch: pytest.MonkeyPatch, aws: FakePlatform
) -> None:
    from reservation_cli import crowd

    def gone(*_: object) -> None:
        raise PlatformError("AWS does not answer.")

    monkeypatch.setattr(aws, "statuses", gone)
    monkeypatch.setattr(crowd, "PATIENCE", 0)
    code, out, _ = run_resv("bench", "-n", "3", *SHORT, "--json")
    run = json.loads(out)
    assert (code, run["summary"]["right"], run["summary"]["lost"]) == (5, 3, 3)
    assert {sample["error"] for sample in run["bench"]["samples"]} == {None, "AWS does not answer."}


def test_a_confirmation_that_was_refused_is_the_reason(
    run_resv: Run, monkeypatch: pytest.MonkeyPatch, aws: FakePlatform
) -> None:
    def refuse(_ref: str) -> Reservation:
        raise ConflictError("The seat will not have it.")

    monkeypatch.setattr(aws, "confirm", refuse)
    code, out, _ = run_resv("bench", "-n", "2", *SHORT, "--on", "aws", "--confirm-after", "100ms", "--json")
    told = {sample["error"] for sample in json.loads(out)["bench"]["samples"]}
    assert (code, told) == (5, {"it ended expired, not confirmed; The seat will not have it."})


def test_without_credentials_it_is_that_that_is_told(
    run_resv: Run, monkeypatch: pytest.MonkeyPatch, aws: FakePlatform
) -> None:
    def refuse(_request: ReservationRequest) -> Timeline:
        raise NotConfiguredError("There are no credentials.", code="credentials")

    monkeypatch.setattr(aws, "start", refuse)
    code, out, err = run_resv("bench", "-n", "3", "--on", "aws")
    assert (code, out) == (6, "")
    assert "There are no credentials." in err


def test_what_was_measured_is_shown_though_it_cannot_be_kept(run_resv: Run, environ: dict[str, str]) -> None:
    home = Path(environ["RESV_HOME"])
    home.mkdir(parents=True)
    (home / "runs").write_text("no folder")
    code, out, err = run_resv("bench", "-n", "2", *SHORT)
    assert code == 6
    assert "All 4 ended right" in out
    assert "cannot be written" in err


def test_what_does_not_end_is_lost(run_resv: Run, monkeypatch: pytest.MonkeyPatch, aws: FakePlatform) -> None:
    from reservation_cli.bench import measure

    stuck: dict[str, bool] = {}

    def never(ref: str) -> Timeline:
        lane = FakePlatform.timeline(aws, ref)
        first = stuck.setdefault(lane.reservation_id, not stuck)
        return replace(lane, status="running", outcome=None, reservation=None) if first else lane

    monkeypatch.setattr(aws, "timeline", never)
    monkeypatch.setattr(measure, "PATIENCE_SECONDS", 3.0)
    code, out, _ = run_resv("bench", "-n", "3", *SHORT, "--on", "aws", "--json")
    summary = json.loads(out)["summary"]
    assert (code, summary["lost"], summary["right"]) == (5, 1, 2)


def test_ctrl_c_reports_what_was_measured(
    run_resv: Run, monkeypatch: pytest.MonkeyPatch, cloudflare: FakePlatform, aws: FakePlatform
) -> None:
    from reservation_cli.bench import measure

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(measure, "_collect", interrupted)
    code, out, err = run_resv("bench", "-n", "4", *SHORT, "--json")
    assert code == 130
    run = json.loads(out)
    assert run["bench"]["interrupted"]
    assert run["summary"]["right"] == 8
    assert "8 reservations had been measured" in err


@pytest.mark.parametrize("phase", ["_warm_up", "_send"])
def test_ctrl_c_before_anything_was_measured(
    run_resv: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, phase: str
) -> None:
    from reservation_cli.bench import measure

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(measure, phase, interrupted)
    files = [str(tmp_path / f"run{ending}") for ending in ENDINGS]
    code, out, err = run_resv("bench", *(part for file in files for part in ("--output", file)))
    assert code == 130, err
    assert "Interrupted" in out
    assert all(Path(file).is_file() for file in files)


def test_a_run_of_a_newer_resv_is_refused(run_resv: Run, tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_text('{"schema": "resv.run/9", "lanes": []}')
    code, out, err = run_resv("compare", str(path))
    assert (code, out) == (2, "")
    assert "newer resv" in err


def test_an_arn_is_a_reservation_and_no_file(run_resv: Run) -> None:
    code, out, _ = run_resv("reserve", "--seat", "A1", "--hold", "1s", "--on", "aws", "--json")
    arn = json.loads(out)["lanes"][0]["ref"]
    assert arn.startswith("arn:")
    code, out, err = run_resv("compare", arn, "--json")
    assert code == 0, err
    assert [lane["ref"] for lane in json.loads(out)["lanes"]] == [arn]
    assert run_resv("cost", arn)[0] == 0


def test_a_comparison_is_recorded_and_drawn_again(run_resv: Run, cloudflare: FakePlatform, aws: FakePlatform) -> None:
    code, out, err = run_resv("compare", "--hold", "1s")
    name = err.split()[3]
    cloudflare.fail = aws.fail = NotFoundError("Neither platform is asked.")
    code, again, err = run_resv("compare", name)
    assert (code, err) == (0, "")
    assert again.splitlines()[1:] == out.splitlines()
    assert run_resv("compare", f"{name}.json")[0] == 3
