"""Where a lane runs: what was said, what an ARN tells, where it was reserved, what was deployed last."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from reservation_cli import store
from reservation_cli.domain.deployment import AwsDeployment, CloudflareDeployment, public_record
from reservation_cli.domain.reservation import ReservationRequest
from reservation_cli.errors import NotConfiguredError, NotFoundError, UsageError
from reservation_cli.places import Where, place
from support.fake_platform import FakePlatform

AT = datetime(2026, 11, 25, 9, 0, tzinfo=UTC)
DEV = AwsDeployment("dev", "us-east-2", "123456789012", "api", "1", AT)
PROD = AwsDeployment("prod", "eu-west-1", "123456789012", "sam", "7", AT)
WORKER = CloudflareDeployment("dev", "a" * 32, "https://reservation-workflow-dev.acme.workers.dev", "v1", AT, "secret")


def arn(deployment: AwsDeployment) -> str:
    function = f"arn:aws:lambda:{deployment.region}:{deployment.account}:function:{deployment.function}:3"
    return f"{function}/durable-execution/r-1/a1b2"


def test_nothing_deployed_is_local(tmp_path: Path) -> None:
    assert place(tmp_path, "aws", Where()) is None
    assert place(tmp_path, "cloudflare", Where(), "r-1") is None


def test_the_stage_deployed_last_is_the_default(tmp_path: Path) -> None:
    for deployment in (DEV, PROD, WORKER):
        store.remember_deployment(tmp_path, deployment)
    assert place(tmp_path, "aws", Where()) == PROD
    assert place(tmp_path, "cloudflare", Where()) == WORKER
    store.remember_deployment(tmp_path, replace(DEV, version="2"))
    assert place(tmp_path, "aws", Where()) == replace(DEV, version="2")


def test_what_is_said_comes_first(tmp_path: Path) -> None:
    for deployment in (DEV, PROD):
        store.remember_deployment(tmp_path, deployment)
    assert place(tmp_path, "aws", Where(stage="dev")) == DEV
    assert place(tmp_path, "aws", Where(local=True)) is None
    with pytest.raises(NotConfiguredError, match="AWS has no stage test"):
        place(tmp_path, "aws", Where(stage="test"))


def test_an_arn_names_its_deployment(tmp_path: Path) -> None:
    for deployment in (DEV, PROD):
        store.remember_deployment(tmp_path, deployment)
    assert place(tmp_path, "aws", Where(), arn(DEV)) == DEV
    assert place(tmp_path, "aws", Where(), arn(PROD)) == PROD
    assert place(tmp_path, "aws", Where(stage="prod"), arn(PROD)) == PROD
    assert place(tmp_path, "aws", Where(), arn(replace(DEV, account="000000000000"))) is None
    for elsewhere in (replace(DEV, region="eu-west-1"), replace(DEV, account="999999999999"), replace(DEV, stage="x")):
        with pytest.raises(UsageError, match="That ARN is of"):
            place(tmp_path, "aws", Where(), arn(elsewhere))
    with pytest.raises(UsageError, match="That ARN is of"):
        place(tmp_path, "aws", Where(stage="prod"), arn(DEV))
    with pytest.raises(UsageError, match="That ARN is of"):
        place(tmp_path, "aws", Where(local=True), arn(DEV))


def test_a_reservation_is_looked_for_where_it_was_made(tmp_path: Path) -> None:
    fake = FakePlatform("aws")
    store.remember(tmp_path, [fake.reserve(ReservationRequest("made-locally", "A1"))])
    store.remember_deployment(tmp_path, DEV)
    store.remember(tmp_path, [replace(fake.reserve(ReservationRequest("made-on-dev", "A2")), stage="dev")])
    store.remember_deployment(tmp_path, PROD)
    assert place(tmp_path, "aws", Where(), "made-locally") is None
    assert place(tmp_path, "aws", Where(), "made-on-dev") == DEV
    assert place(tmp_path, "aws", Where(), "made-elsewhere") == PROD
    store.forget_deployment(tmp_path, "aws", "dev")
    with pytest.raises(NotFoundError, match="not deployed any more"):
        place(tmp_path, "aws", Where(), "made-on-dev")


def test_the_same_id_on_another_stage_is_another_execution(tmp_path: Path) -> None:
    fake = FakePlatform("cloudflare")
    lane = fake.reserve(ReservationRequest("demo", "A1"))
    store.remember(tmp_path, [lane])
    store.remember_deployment(tmp_path, WORKER)
    store.remember(tmp_path, [replace(lane, stage="dev")])
    assert place(tmp_path, "cloudflare", Where(), "demo") == WORKER
    assert store.with_client_clock(tmp_path, replace(lane, accept_ms=None)).accept_ms is None


def test_a_token_is_kept_and_never_shown(tmp_path: Path) -> None:
    store.remember_deployment(tmp_path, WORKER)
    assert store.deployments(tmp_path, "cloudflare") == {"dev": WORKER}
    assert "secret" not in repr(WORKER)
    assert public_record(WORKER)["token"] == "set"
    assert (tmp_path / "state.json").stat().st_mode & 0o077 == 0


def test_a_record_that_is_none_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text('{"deployments": {"aws": {"dev": {"stage": "dev"}, "x": 7}}}')
    assert store.deployments(tmp_path, "aws") == {}


def test_forgetting_the_local_stack_keeps_what_is_deployed(tmp_path: Path) -> None:
    fake = FakePlatform("aws")
    store.remember_deployment(tmp_path, DEV)
    store.remember(tmp_path, [replace(fake.reserve(ReservationRequest("cloud", "A2")), stage="dev")])
    store.remember(tmp_path, [fake.reserve(ReservationRequest("local", "A1"))])
    store.forget_local(tmp_path)
    assert store.last(tmp_path) == "cloud"
    assert store.known_lanes(tmp_path, "local") == {}
    assert store.deployments(tmp_path, "aws") == {"dev": DEV}
