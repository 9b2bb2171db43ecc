"""The parts of a chaos run: the aim, the bodies in a log, and what was never asked for."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from reservation_cli.chaos.bodies import Bodies
from reservation_cli.chaos.callers import Call
from reservation_cli.chaos.collecting import booking as collected
from reservation_cli.chaos.pace import Pace
from reservation_cli.domain.chaos import Stored
from support import timelines
from support.chaos import at, booking

ARN = "arn:aws:lambda:us-east-2:000000000000:function:reservation-workflow-dev:1/durable-execution/k0001-aws-hot/1"


def line(message: str, request: str = "r1", time: str = "2026-11-24T12:00:00.005Z", arn: str = ARN) -> str:
    return json.dumps({"time": time, "requestId": request, "level": "INFO", "message": message, "executionArn": arn})


def test_bodies_are_read_from_a_log_that_is_rotated_and_cut_short(tmp_path: Path) -> None:
    log = tmp_path / "host.log"
    bodies = Bodies(log)
    assert bodies.read() == ()
    log.write_text("\n".join(["ready", line("create-hold begins"), line("REPORT"), line("finalize begins")[:40]]))
    (found,) = bodies.read()
    assert (found.reservation_id, found.step, found.began) == ("k0001-aws-hot", "create-hold", at(0.005))
    log.replace(tmp_path / "host.log.1")
    log.write_text(line("create-hold begins", "r2", "2026-11-24T12:00:01.000Z") + "\n")
    assert [body.began for body in bodies.read()] == [at(0.005), at(1)]
    (tmp_path / "host.log.1").unlink()
    log.write_text(line("finalize begins", "r3") + "\n")
    assert [body.step for body in bodies.read()] == ["create-hold", "create-hold", "finalize"], "what was seen is kept"


@pytest.mark.parametrize(
    "odd",
    ["{", "[]", '"create-hold begins"', line("create-hold begins", arn="nothing"), line("create-hold begins")[1:]],
)
def test_odd_lines_are_no_bodies(tmp_path: Path, odd: str) -> None:
    (tmp_path / "host.log").write_text(odd + '"create-hold begins"\n')
    assert Bodies(tmp_path / "host.log").read() == ()


def test_a_kill_is_aimed_by_what_was_seen() -> None:
    pace = Pace()
    assert pace.aim("aws", "mid-step", 0.5, 2)[0] == "sent", "something is assumed before anything was seen"
    for number in range(3):
        pace.learn(booking(f"r{number}"))
    anchor, seconds = pace.aim("aws", "mid-step", 0.5, 2)
    assert anchor == "sent"
    assert 0.005 <= seconds < 0.013, "the body's time"
    anchor, seconds = pace.aim("aws", "before-hold", 0.5, 2)
    assert anchor == "sent"
    assert 0 <= seconds < 0.005
    anchor, seconds = pace.aim("aws", "mid-wait", 0.5, 2)
    assert anchor == "held"
    assert 0 < seconds < 2
    anchor, seconds = pace.aim("aws", "at-due", 0.5, 2)
    assert anchor == "due"
    assert abs(seconds) < 0.01
    anchor, seconds = pace.aim("aws", "mid-finalize", 0.5, 2)
    assert anchor == "due"
    assert 0.005 <= seconds < 0.028
    assert pace.spread("aws", 15) == pytest.approx(15 * 0.005 / 2.5)


def test_what_was_disturbed_teaches_nothing() -> None:
    pace = Pace()
    before = pace.aim("aws", "mid-step", 0.5, 2)
    pace.learn(booking("again", hold_bodies=(at(0.005), at(9)), held=at(9.1), final_bodies=()))
    assert pace.aim("aws", "mid-step", 0.5, 2) == before


def test_a_body_that_the_engine_forgot_is_told_by_the_record_that_it_left() -> None:
    lane = timelines.cloudflare_expired()
    first = lane.span("create-hold")
    assert first is not None
    began = min(attempt.start for attempt in first.attempts if attempt.start)
    call = Call(booking().ask, 0, sent=at(0))
    for wrote, bodies in ((began - timedelta(seconds=1), 2), (began, 1), (began + timedelta(seconds=1), 1)):
        found = collected(call, lane, Stored("expired", 2, wrote, None), {})
        assert (len(found.hold_bodies), found.hold_bodies[0]) == (bodies, min(wrote, began))


def test_what_was_never_sent_is_no_reservation() -> None:
    with pytest.raises(ValueError, match="never sent"):
        collected(Call(booking().ask, 0), timelines.aws_expired(), None, {})
