"""The commands as a user meets them, on two fakes: exit code, stdout and stderr apart."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from reservation_cli import store
from reservation_cli.domain.deployment import AwsDeployment
from reservation_cli.domain.reservation import ReservationRequest
from reservation_cli.errors import NotConfiguredError, PlatformError, TimedOutError
from support.fake_platform import FakePlatform

Run = Callable[..., tuple[int, str, str]]
ARN = "arn:aws:lambda:us-east-2:000000000000:function:reservation-workflow-dev:1/durable-execution/r-1/a1b2"


def a_reservation(run: Run, *options: str) -> dict[str, Any]:
    code, out, err = run("reserve", "--seat", "A1", "--user", "user123", "--json", *options)
    assert (code, err) == (0, "")
    body: dict[str, Any] = json.loads(out)
    return body


def test_reserve_holds_the_seat_on_both(run_resv: Run) -> None:
    code, out, err = run_resv("reserve", "--seat", "A1", "--user", "user123")
    assert (code, err) == (0, "")
    assert out.count("held") >= 2
    assert "A1" in out


def test_reserve_as_json_is_a_run(run_resv: Run) -> None:
    body = a_reservation(run_resv, "--hold", "5s")
    assert body["schema"] == "resv.run/1"
    assert body["request"]["seat"] == "A1"
    assert body["request"]["hold_seconds"] == 5
    assert [lane["platform"] for lane in body["lanes"]] == ["cloudflare", "aws"]
    assert {lane["reservation"]["status"] for lane in body["lanes"]} == {"held"}


def test_a_taken_seat_is_a_conflict(run_resv: Run) -> None:
    a_reservation(run_resv)
    code, out, _ = run_resv("reserve", "--seat", "A1", "--json")
    assert code == 4
    assert [lane["outcome"] for lane in json.loads(out)["lanes"]] == ["rejected", "rejected"]


def test_a_seat_taken_on_one_platform_only(run_resv: Run) -> None:
    run_resv("reserve", "--seat", "A1", "--on", "aws")
    code, out, _ = run_resv("reserve", "--seat", "A1", "--json")
    assert code == 4
    assert [lane["outcome"] for lane in json.loads(out)["lanes"]] == [None, "rejected"]


def test_last_is_what_was_reserved_last(run_resv: Run) -> None:
    name = a_reservation(run_resv)["request"]["reservation_id"]
    code, out, err = run_resv("status", "last", "--json")
    assert (code, err) == (0, "")
    assert json.loads(out)["request"]["reservation_id"] == name
    assert json.loads(out)["lanes"][0]["requested_at"] is not None


def test_an_arn_is_one_lane(run_resv: Run) -> None:
    arn = a_reservation(run_resv)["lanes"][1]["ref"]
    code, out, _ = run_resv("status", arn, "--json")
    assert code == 0
    assert [lane["ref"] for lane in json.loads(out)["lanes"]] == [arn]


def test_confirm_without_a_ref_takes_the_last(run_resv: Run) -> None:
    a_reservation(run_resv)
    code, out, err = run_resv("confirm")
    assert (code, err) == (0, "")
    assert out.splitlines() == ["Cloudflare · local: seat A1 is confirmed.", "AWS · local: seat A1 is confirmed."]
    code, out, _ = run_resv("status", "--json")
    assert [lane["outcome"] for lane in json.loads(out)["lanes"]] == ["confirmed", "confirmed"]


def test_cancel_frees_the_seat(run_resv: Run) -> None:
    a_reservation(run_resv)
    code, out, _ = run_resv("cancel", "--json")
    assert code == 0
    assert [lane["status"] for lane in json.loads(out)["lanes"]] == ["cancelled", "cancelled"]
    a_reservation(run_resv)


def test_confirm_after_expiry_is_too_late(run_resv: Run) -> None:
    code, _, _ = run_resv("reserve", "--seat", "A1", "--hold", "1s", "--watch")
    assert code == 0
    code, out, err = run_resv("confirm", "--json")
    assert code == 4
    assert out == ""
    assert json.loads(err)["error"]["code"] == "too_late"


def test_confirm_that_one_platform_refuses_tells_both(run_resv: Run, aws: FakePlatform) -> None:
    name = a_reservation(run_resv)["request"]["reservation_id"]
    aws.cancel(name)
    code, out, err = run_resv("confirm")
    assert code == 4
    assert out == "Cloudflare · local: seat A1 is confirmed.\n"
    assert err.startswith("Error: Seat A1 is cancelled.")


def test_what_one_platform_does_not_know_is_named(run_resv: Run) -> None:
    code, out, _ = run_resv("reserve", "--seat", "A1", "--on", "cloudflare", "--json")
    name = json.loads(out)["request"]["reservation_id"]
    code, out, err = run_resv("status", name, "--json")
    assert code == 0
    assert [lane["platform"] for lane in json.loads(out)["lanes"]] == ["cloudflare"]
    assert err == f"AWS does not know {name}.\n"


def test_what_nobody_knows_is_not_found(run_resv: Run) -> None:
    code, out, err = run_resv("status", "r-nobody")
    assert (code, out) == (3, "")
    assert err == (
        "Error: There is no reservation r-nobody on Cloudflare or AWS.\nHint: `resv list` shows what there is.\n"
    )


def test_last_of_nothing_is_not_found(run_resv: Run) -> None:
    code, out, err = run_resv("confirm", "--json")
    assert (code, out) == (3, "")
    assert json.loads(err)["error"]["code"] == "not_found"
    assert "resv reserve" in json.loads(err)["error"]["hint"]


def test_list_filters(run_resv: Run) -> None:
    a_reservation(run_resv)
    run_resv("confirm")
    run_resv("reserve", "--seat", "B2")
    for options, count in (
        ((), 4),
        (("--status", "confirmed"), 2),
        (("--seat", "B2"), 2),
        (("--seat", "B2", "--on", "aws"), 1),
        (("--seat", "Z9"), 0),
    ):
        code, out, _ = run_resv("list", "--json", *options)
        assert code == 0
        assert len(json.loads(out)["reservations"]) == count, options


def test_compare_draws_both_to_the_end(run_resv: Run) -> None:
    code, out, err = run_resv("compare", "--hold", "1s")
    assert code == 0
    assert re.fullmatch(r"Recorded: resv compare compare-\S+ draws it again\.\n", err)
    assert out.count("expired") >= 2
    assert "\x1b" not in out
    assert "timer error" in out


def test_compare_with_both_strategies_has_four_lanes(run_resv: Run) -> None:
    code, out, _ = run_resv("compare", "--hold", "1s", "--strategy", "both", "--json")
    assert code == 0
    lanes = json.loads(out)["lanes"]
    assert [lane["platform"] for lane in lanes] == ["cloudflare", "aws", "cloudflare", "aws"]
    assert len({lane["reservation_id"] for lane in lanes}) == 2


def test_compare_confirms_on_the_way(run_resv: Run) -> None:
    code, out, err = run_resv("compare", "--hold", "1h", "--strategy", "event", "--confirm-after", "200ms", "--json")
    assert (code, err) == (0, "")
    lanes = json.loads(out)["lanes"]
    assert [lane["outcome"] for lane in lanes] == ["confirmed", "confirmed"]
    assert all(lane["metrics"]["signal_to_resume_ms"] is not None for lane in lanes)


def test_compare_existing_references(run_resv: Run) -> None:
    name = a_reservation(run_resv, "--hold", "1s")["request"]["reservation_id"]
    code, out, _ = run_resv("compare", name, "--json")
    assert code == 0
    assert [lane["outcome"] for lane in json.loads(out)["lanes"]] == ["expired", "expired"]


def test_watch_as_ndjson(run_resv: Run) -> None:
    a_reservation(run_resv, "--hold", "1s")
    code, out, _ = run_resv("status", "--watch", "--json")
    frames = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert frames[0]["lanes"][0]["status"] == "waiting"
    assert [lane["outcome"] for lane in frames[-1]["lanes"]] == ["expired", "expired"]


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("reserve", "--seat", ""), "The seat is empty."),
        (("reserve", "--seat", "A1", "--id", "last"), "'last' means something else as a reference."),
        (("status", ARN.replace("000000000000", "999999999999")), "That ARN is of account 999999999999"),
        (("confirm", ARN.replace("us-east-2", "eu-west-1")), "That ARN is of region eu-west-1"),
        (("compare", "--seat", ""), "The seat is empty."),
        (("reserve", "--seat", "A1", "--id", ""), "A reservation id has 1 to 64 letters"),
        (("reserve", "--seat", "x" * 300), "The seat has 300 characters; at most 64 are allowed."),
        (("reserve", "--seat", "A\x1b1"), "The seat has a control character in it."),
        (("reserve", "--seat", "A1", "--user", "\u202e"), "The user has a control character in it."),
        (("reserve", "--seat", "A1", "--hold", "0"), "A hold lasts from 1 second to 30 days, not 0."),
        (("reserve", "--seat", "A1", "--hold", "banana"), "'banana' is not a duration; write it like 10s"),
        (("reserve", "--seat", "A1", "--hold", "400d"), "A hold lasts from 1 second to 30 days, not 400d."),
        (("reserve", "--seat", "A1", "--hold", "1.5s"), "A hold is a whole number of seconds"),
        (("reserve", "--seat", "A1", "--hold", "-5"), "'-5' is not a duration"),
        (("reserve", "--seat", "A1", "--id", "-x"), "A reservation id has 1 to 64 letters"),
        (("reserve", "--seat", "A1", "--on", "azure"), "Invalid value for '--on'"),
        (("reserve",), "Missing option '--seat'"),
        (("status", "arn:aws:lambda:nowhere"), "That is not the ARN of a durable execution"),
        (("status", ARN, "--on", "cloudflare"), "An ARN names an execution on AWS"),
        (("status", "no such id"), "A reservation id has 1 to 64 letters"),
        (("compare", "--confirm-after", "soon"), "'soon' is not a duration"),
        (("list", "--status", "lost"), "'lost' is no status of a reservation."),
        (("frobnicate",), "No such command 'frobnicate'"),
    ],
)
def test_bad_input_is_one_line_and_starts_nothing(
    run_resv: Run, cloudflare: FakePlatform, aws: FakePlatform, argv: tuple[str, ...], said: str
) -> None:
    code, out, err = run_resv(*argv)
    assert (code, out) == (2, "")
    assert err.startswith("Error: ")
    assert said in err.splitlines()[0]
    assert err.splitlines()[1].startswith("Hint: ")
    assert "\x1b" not in err
    assert cloudflare.calls == aws.calls == {}
    code, out, err = run_resv(*argv, "--json")
    assert (code, out) == (2, "")
    assert said in json.loads(err)["error"]["message"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RESV_AWS_PORT", "banana"),
        ("RESV_CLOUDFLARE_PORT", "70000"),
        ("RESV_IDLE_MINUTES", "0"),
        ("RESV_IDLE_MINUTES", "x"),
    ],
)
def test_a_broken_setting_is_named(run_resv: Run, environ: dict[str, str], name: str, value: str) -> None:
    environ[name] = value
    code, out, err = run_resv("list")
    assert (code, out) == (2, "")
    assert err.startswith(f"Error: {name} must be ")


def test_a_broken_env_file_is_named(run_resv: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("GOOD=1\nthis is no assignment =\n")
    monkeypatch.chdir(tmp_path)
    code, out, err = run_resv("list")
    assert (code, out) == (2, "")
    assert err.startswith("Error: .env line 2 cannot be read as NAME=value.")


def test_an_unwritable_home_loses_no_reservation_silently(
    run_resv: Run, environ: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    environ["RESV_HOME"] = str(tmp_path / "file" / "home")
    code, _, err = run_resv("reserve", "--seat", "A1")
    assert code == 6
    assert "cannot be written" in err
    assert "RESV_HOME" in err


def test_a_platform_that_fails_while_reserving_tells_of_the_other(run_resv: Run, aws: FakePlatform) -> None:
    aws.fail = PlatformError("AWS is gone.", hint="Wait.")
    code, out, err = run_resv("reserve", "--seat", "A1", "--id", "pair-1")
    assert (code, out) == (5, "")
    assert err == (
        "Error: AWS is gone.\nHint: Wait. AWS was asked for pair-1; what it knows of it: resv status pair-1 --local."
        " Cloudflare has pair-1, and goes on.\n"
    )
    aws.fail = None
    code, _, _ = run_resv("status", "pair-1")
    assert code == 0


@pytest.mark.parametrize("hint", [None, "Ask again."])
@pytest.mark.parametrize("command", [("reserve", "--seat", "A1"), ("compare",)])
def test_a_reservation_that_may_have_been_made_is_named(
    run_resv: Run, aws: FakePlatform, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...], hint: str | None
) -> None:
    asked: list[str] = []

    def refuse(request: ReservationRequest) -> None:
        asked.append(request.reservation_id)
        raise TimedOutError("No answer in time.", hint=hint)

    monkeypatch.setattr(aws, "reserve", refuse)
    code, out, err = run_resv(*command, "--json")
    told = json.loads(err)["error"]["hint"]
    assert (code, out) == (7, "")
    assert told.startswith(hint or "AWS was asked for ")
    assert f"AWS was asked for {asked[0]}; what it knows of it: resv status {asked[0]} --local." in told


def test_a_reservation_that_a_cloud_may_have_is_named(run_resv: Run, cloudflare: FakePlatform) -> None:
    cloudflare.target, cloudflare.fail = "cloud", PlatformError("Gone.")
    _, _, err = run_resv("reserve", "--seat", "A1", "--id", "r-7", "--on", "cloudflare")
    assert err == "Error: Gone.\nHint: Cloudflare was asked for r-7; what it knows of it: resv status r-7.\n"


def test_a_bug_keeps_its_traceback(run_resv: Run, aws: FakePlatform, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(aws, "reserve", broken)
    code, _, err = run_resv("reserve", "--seat", "A1")
    assert code == 1
    assert "ZeroDivisionError: a bug" in err
    assert err.endswith("this is a bug in resv; the traceback above tells where.\n")


def test_list_shows_what_the_seat_decided_before_the_workflow_knows(run_resv: Run) -> None:
    a_reservation(run_resv, "--hold", "1h")
    run_resv("confirm")
    _, out, _ = run_resv("list", "--status", "confirmed", "--json")
    assert [lane["status"] for lane in json.loads(out)["reservations"]] == ["waiting", "waiting"]


def test_a_broken_state_file_is_told_before_anything_is_reserved(
    run_resv: Run, environ: dict[str, str], aws: FakePlatform
) -> None:
    home = Path(environ["RESV_HOME"])
    home.mkdir()
    (home / "state.json").write_text("{bad")
    code, out, err = run_resv("reserve", "--seat", "A1")
    assert (code, out) == (6, "")
    assert "state.json cannot be read" in err
    assert aws.calls == {}


def test_a_confirmation_long_after_the_hold_is_refused(run_resv: Run, aws: FakePlatform) -> None:
    for after in ("1m", "99999999999s"):
        code, _, err = run_resv("compare", "--hold", "2s", "--confirm-after", after)
        assert code == 2
        assert "The hold is over long before" in err
    assert aws.calls == {}


def test_a_late_confirmation_is_told_beside_the_picture(run_resv: Run) -> None:
    code, out, err = run_resv("compare", "--hold", "1s", "--confirm-after", "1500ms")
    assert code == 0
    assert out.count("expired") >= 2
    *refusals, recorded = err.splitlines()
    assert refusals == ["Seat " + line[5:] for line in refusals]
    assert err.count("is expired") == 2
    assert recorded.startswith("Recorded: ")


def test_help_and_version(run_resv: Run) -> None:
    code, out, _ = run_resv("--help")
    assert code == 0
    assert "compare" in out
    code, out, _ = run_resv("--version")
    assert (code, out) == (0, "resv 0.1.0\n")


DEV = AwsDeployment("dev", "us-east-2", "000000000000", "api", "1", datetime(2026, 11, 25, tzinfo=UTC))


def test_what_was_reserved_in_a_cloud_alone_is_asked_for_there_alone(
    run_resv: Run, environ: dict[str, str], cloudflare: FakePlatform, aws: FakePlatform
) -> None:
    store.remember_deployment(Path(environ["RESV_HOME"]), DEV)
    aws.target, aws.stage = "cloud", "dev"
    assert run_resv("reserve", "--seat", "A1", "--on", "aws")[0] == 0
    for command in ("status", "confirm"):
        code, out, err = run_resv(command)
        assert (code, err) == (0, "")
        assert "Cloudflare" not in out
    assert cloudflare.calls == {}
    assert run_resv("status", "last", "--on", "cloudflare")[0] == 3


def test_another_place_is_asked_by_the_id(run_resv: Run, environ: dict[str, str], aws: FakePlatform) -> None:
    name = a_reservation(run_resv)["request"]["reservation_id"]
    store.remember_deployment(Path(environ["RESV_HOME"]), DEV)
    aws.stage = "dev"
    assert run_resv("status", name, "--stage", "dev", "--on", "aws")[0] == 0
    assert aws.asked[-1] == name
    aws.stage = None
    assert run_resv("status", name, "--local", "--on", "aws")[0] == 0
    assert aws.asked[-1].startswith("arn:")


def test_a_list_that_one_platform_refuses_shows_the_other(run_resv: Run, aws: FakePlatform) -> None:
    a_reservation(run_resv)
    aws.fail = PlatformError("AWS is gone.")
    code, out, err = run_resv("list", "--json")
    assert code == 5
    assert [lane["platform"] for lane in json.loads(out)["reservations"]] == ["cloudflare"]
    assert "AWS is gone." in err


def test_a_crowd_without_a_list_is_followed_one_by_one(run_resv: Run, cloudflare: FakePlatform) -> None:
    cloudflare.lists = False
    names = [a_reservation(run_resv, "--hold", "1s", "--seat", f"S{n}")["request"]["reservation_id"] for n in range(21)]
    code, out, _ = run_resv("compare", *names, "--json")
    assert code == 0
    assert {lane["outcome"] for lane in json.loads(out)["lanes"]} == {"expired"}
    assert "statuses" not in cloudflare.calls


def test_what_is_torn_down_on_one_platform_lives_on_on_the_other(
    run_resv: Run, environ: dict[str, str], aws: FakePlatform
) -> None:
    aws.target, aws.stage = "cloud", "dev"
    store.remember_deployment(Path(environ["RESV_HOME"]), DEV)
    a_reservation(run_resv)
    store.forget_deployment(Path(environ["RESV_HOME"]), "aws", "dev")
    for command in ("status", "confirm"):
        code, out, err = run_resv(command)
        assert (code, "Cloudflare" in out) == (0, True)
        assert "ran on stage dev of AWS, which is not deployed any more" in err


@pytest.mark.parametrize("as_json", [False, True])
def test_ctrl_c_anywhere_says_so(
    run_resv: Run, aws: FakePlatform, monkeypatch: pytest.MonkeyPatch, as_json: bool
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(aws, "executions", interrupted)
    code, out, err = run_resv("list", "--on", "aws", *(["--json"] if as_json else []))
    assert (code, out) == (130, "")
    assert (json.loads(err)["error"]["code"] == "interrupted") if as_json else err.startswith("Error: Interrupted.")


def test_what_a_platform_says_leaves_the_terminal_alone(run_resv: Run, aws: FakePlatform) -> None:
    aws.fail = PlatformError("Seat \x1b[31mred\x1b]0;pwn\x07\nline 2")
    code, _, err = run_resv("list", "--on", "aws")
    assert code == 5
    assert err == "Error: Seat  [31mred ]0;pwn  line 2\n"


def test_an_error_while_it_is_followed_tells_the_way_back(run_resv: Run, aws: FakePlatform) -> None:
    name = a_reservation(run_resv, "--hold", "1h")["request"]["reservation_id"]
    aws.fail_from_second = NotConfiguredError("The credentials have expired.", hint="Look at the network.")
    code, _, err = run_resv("compare", name, "--confirm-after", "10ms")
    assert code == 6
    assert f"Look at the network. {name} goes on; come back to it: resv compare {name}" in err
