"""`resv chaos` on two fakes that do not answer for a moment when they are killed; and once on the real engines."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from reservation_cli import settings
from reservation_cli.chaos.bodies import Bodies, Body
from reservation_cli.chaos.ground import FOLDER, Clients, Key, LocalGround, end_abandoned
from reservation_cli.domain.chaos import HIT, MOMENTS, VICTIMS, Stored, Victim
from reservation_cli.domain.reservation import Platform, ReservationStatus
from reservation_cli.errors import PlatformError
from reservation_cli.local import processes
from support import schemas
from support.fake_platform import FakePlatform
from support.waiting import until

Run = Callable[..., tuple[int, str, str]]
DOWN_SECONDS = 0.05


@dataclass
class FakeGround:
    """Kills make a fake's calls fail for a moment. `revisions` are what its storage tells instead of the truth."""

    fakes: Mapping[Platform, FakePlatform]
    clients: Clients
    revisions: dict[ReservationStatus, int] = field(default_factory=dict)
    killed: list[Victim] = field(default_factory=list)
    on_kill: Callable[[], None] = lambda: None
    on_stored: Callable[[], None] = lambda: None
    gone_after: int = 1000
    closed: bool = False

    def find(self, victim: Victim, where: float) -> int:
        assert 0 <= where < 1
        if len(self.killed) >= self.gone_after:
            raise PlatformError(f"The local stack has no process {victim}.")
        return VICTIMS.index(victim)

    def is_in_step(self, platform: Platform, ids: Sequence[str]) -> bool | None:
        return True if platform == "cloudflare" else None

    def kill(self, pid: int) -> datetime | None:
        self.killed.append(VICTIMS[pid])
        for platform in HIT[VICTIMS[pid]]:
            fake = self.fakes[platform]
            fake.fail = PlatformError("Killed.")
            if VICTIMS[pid] != "supervisor":
                threading.Timer(DOWN_SECONDS, self.mend, [fake]).start()
        self.on_kill()
        return datetime.now(UTC)

    def mend(self, fake: FakePlatform) -> None:
        fake.fail = None

    def revive(self, killed: int = 0) -> None:
        for fake in self.fakes.values():
            self.mend(fake)

    def bodies(self) -> Sequence[Body]:
        return []

    def stored(self) -> Mapping[Key, Stored]:
        self.on_stored()
        found: dict[Key, Stored] = {}
        for platform, fake in self.fakes.items():
            for name in list(fake.reservations):
                one = fake.reservation(name)
                revision = self.revisions.get(one.status, 1 if one.status in ("held", "rejected") else 2)
                found[platform, name] = Stored(one.status, revision, one.created_at, one.ended_at)
        return found

    def close(self) -> None:
        self.closed = True

    def keep_logs(self) -> Path:
        return Path("logs-of-the-run")


@pytest.fixture
def ground(monkeypatch: pytest.MonkeyPatch, cloudflare: FakePlatform, aws: FakePlatform) -> FakeGround:
    fakes: dict[Platform, FakePlatform] = {"cloudflare": cloudflare, "aws": aws}
    made = FakeGround(fakes, {})

    def opened(_settings: object, platforms: Sequence[Platform], *_rest: object) -> FakeGround:
        made.clients = {platform: fakes[platform] for platform in platforms}
        return made

    monkeypatch.setattr(LocalGround, "open", opened)
    return made


def test_five_kills_are_one_of_each_process_at_each_moment(run_resv: Run, ground: FakeGround) -> None:
    code, out, err = run_resv("chaos", "--kills", "5", "--seed", "1", "--json")
    assert code == 0, err
    told = json.loads(out)
    assert sorted(ground.killed) == sorted(VICTIMS)
    assert ground.closed
    summary = told["summary"]
    assert {kill["wanted"] for kill in summary["kills"]} == set(MOMENTS)
    assert [summary[name] for name in ("lost", "wrong", "duplicated", "double_held", "refused", "still_held")] == [
        0
    ] * 6
    assert summary["right"] == len(told["chaos"]["bookings"])
    assert all(kill["recovered_ms"] >= 0 for kill in summary["kills"])
    assert all(entry["effects"] == entry["wanted"] > 0 for entry in summary["ledger"])
    assert told["configuration"]["seed"] == 1
    # It is recorded, listed, and drawn again without anything that runs.
    assert json.loads(run_resv("runs", "--json")[1])["runs"][0]["kind"] == "chaos"
    again, drawn, _ = run_resv("compare", told["id"])
    assert again == 0
    assert "chaos · 5 kills · seed 1 · hold 2s · strategy sleep and event" in drawn
    assert json.loads(run_resv("compare", told["id"], "--json")[1]) == told


def test_what_is_chosen_is_all_that_is_killed_and_a_seed_is_drawn(run_resv: Run, ground: FakeGround) -> None:
    argv = ("--kills", "2", "--target", "host", "--moment", "mid-wait", "--on", "aws", "--strategy", "sleep")
    code, out, err = run_resv("chaos", *argv)
    assert code == 0, err
    assert ground.killed == ["host", "host"]
    assert out.startswith("chaos · 2 kills · seed ")
    assert "Cloudflare" not in out.split("Local engines")[0]
    assert "Recorded: resv compare chaos-" in err


def test_a_broken_promise_is_exit_code_8_and_is_recorded(run_resv: Run, ground: FakeGround) -> None:
    ground.revisions["expired"] = 3
    code, out, err = run_resv("chaos", "--kills", "1", "--on", "aws", "--target", "host", "--seed", "5", "--json")
    assert code == 8
    summary = json.loads(out)["summary"]
    assert summary["duplicated"] > 0
    assert "written 3 times, not 2" in summary["not_right"][0]["reason"]
    error = json.loads(err.splitlines()[-1])["error"]
    assert error["code"] == "invariant"
    assert "changed more than once" in error["message"]
    assert "`resv chaos --kills 1 --seed 5 --target host --on aws` plans the same" in error["hint"]
    assert "The engines' logs are kept: logs-of-the-run" in err
    assert json.loads(run_resv("runs", "--json")[1])["runs"][0]["counts"]["duplicated"] > 0


def test_ctrl_c_tells_what_was_found_and_ends_the_stack(run_resv: Run, ground: FakeGround) -> None:
    ground.on_kill = lambda: os.kill(os.getpid(), signal.SIGINT)
    code, out, err = run_resv("chaos", "--kills", "9", "--seed", "1", "--json")
    assert code == 130
    told = json.loads(out)
    assert told["chaos"]["interrupted"] is True
    assert told["summary"]["broken"] == []
    assert told["summary"]["unfinished"] > 0
    assert ground.closed
    assert json.loads(err.splitlines()[-1])["error"]["code"] == "interrupted"


def test_ctrl_c_while_everybody_is_asked_loses_none_of_the_kills(run_resv: Run, ground: FakeGround) -> None:
    ground.on_stored = lambda: os.kill(os.getpid(), signal.SIGINT)
    code, out, _ = run_resv("chaos", "--kills", "2", "--seed", "1", "--json")
    assert code == 130
    told = json.loads(out)["chaos"]
    assert (len(told["kills"]), told["interrupted"]) == (2, True)
    assert ground.closed


def test_a_second_ctrl_c_ends_it_at_once(run_resv: Run, ground: FakeGround) -> None:
    ground.on_kill = ground.on_stored = lambda: os.kill(os.getpid(), signal.SIGINT)
    code, out, err = run_resv("chaos", "--kills", "2", "--seed", "1", "--json")
    assert (code, out) == (130, "")
    error = json.loads(err.splitlines()[-1])["error"]
    assert (error["message"], error["hint"]) == (
        "Interrupted before anything was found out.",
        "Its stack has been ended.",
    )
    assert ground.closed


def test_a_process_that_does_not_come_back_is_a_broken_promise(
    run_resv: Run, ground: FakeGround, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reservation_cli.chaos.run.PATIENCE_SECONDS", 0.2)
    ground.gone_after = 2
    code, out, err = run_resv("chaos", "--kills", "5", "--seed", "1", "--json")
    assert code == 8
    told = json.loads(out)
    assert told["chaos"]["failed"].startswith("The local stack has no process ")
    assert len(told["chaos"]["kills"]) == 2
    assert told["summary"]["broken"][0].startswith("the stack did not come back (The local stack has no process ")
    assert "The engines' logs are kept: logs-of-the-run" in err
    assert "✗ The stack did not come back after kill 2: The local stack" in run_resv("compare", told["id"])[1]


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (("--target", "postgres"), "--target knows no 'postgres'."),
        (("--moment", "never"), "--moment knows no 'never'."),
        (("--hold", "1s"), "from 2 s to 20 s"),
        (("--hold", "15m"), "from 2 s to 20 s"),
        (("--kills", "0"), "kills"),
        (("--seed", "-1"), "seed"),
        (("--on", "aws", "--target", "workerd"), "workerd is no part of aws"),
        (("--output", "run.pdf"), ".pdf"),
    ],
)
def test_bad_input_starts_nothing(run_resv: Run, ground: FakeGround, argv: tuple[str, ...], told: str) -> None:
    code, out, err = run_resv("chaos", *argv, "--json")
    assert (code, out) == (2, "")
    assert told in json.loads(err)["error"]["message"]
    assert ground.clients == {}


def test_what_a_killed_run_left_behind_is_ended_and_a_living_ones_is_not(tmp_path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    left = tmp_path / FOLDER / f"20261128-120000-{dead.pid}"
    own = tmp_path / FOLDER / f"20261128-120000-{os.getpid()}"
    for folder in (left, own):
        (folder / "logs").mkdir(parents=True)
    end_abandoned(tmp_path)
    assert not left.exists()
    assert own.exists()
    end_abandoned(tmp_path / "new")


def test_the_logs_of_a_broken_run_are_put_aside_and_none_are_no_reason_to_lose_it(tmp_path: Path) -> None:
    ground = LocalGround(
        settings.load({"RESV_HOME": str(tmp_path / "run-1")}), {}, print, Bodies(tmp_path / "host.log")
    )
    assert not ground.keep_logs().exists()
    (tmp_path / "run-1" / "logs").mkdir(parents=True)
    (tmp_path / "run-1" / "logs" / "aws.log").write_text("why")
    assert (ground.keep_logs() / "aws.log").read_text() == "why"


@pytest.mark.stack
def test_on_the_real_engines_nothing_is_lost(tmp_path: Path, stack_environ: Mapping[str, str]) -> None:
    """Five kills, one of each process and at each moment; the session's own stack goes on undisturbed."""
    environ = {**stack_environ, "RESV_HOME": str(tmp_path / "home")}
    argv = [sys.executable, "-m", "reservation_cli", "chaos", "--kills", "5", "--seed", "1", "--json"]
    done = subprocess.run(argv, env=environ, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    schemas.assert_valid(told, "run")
    summary = told["summary"]
    assert [summary[name] for name in ("lost", "wrong", "duplicated", "double_held", "refused", "still_held")] == [
        0
    ] * 6
    assert {kill["victim"] for kill in summary["kills"]} == set(VICTIMS)
    assert all(entry["effects"] == entry["wanted"] > 0 for entry in summary["ledger"])
    assert all(kill["recovered_ms"] is not None for kill in summary["kills"])
    until(lambda: not _left(tmp_path), "its stack has ended")
    assert list((tmp_path / "home" / "chaos").iterdir()) == []


def _left(folder: Path) -> list[processes.Process]:
    return [process for process in processes.table() if str(folder) in process.command]
