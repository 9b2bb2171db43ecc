"""Real `wrangler deploy` and the teardown, against a fake of Cloudflare's API on 127.0.0.1."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from reservation_cli.deploy.change import Change
from reservation_cli.deploy.cloudflare import CloudflareDeployer
from reservation_cli.errors import NotConfiguredError, PlatformError
from reservation_cli.local.node import find_node
from support.fake_cloudflare import ACCOUNT, TOKEN, VERSION, FakeCloudflare, serving

NAME = "reservation-workflow-dev"
KV = f"{NAME}-reservations-kv"
FOLDER = Path(__file__).parents[2] / "cf-workflow"


@pytest.fixture
def fake() -> Iterator[FakeCloudflare]:
    with serving() as server:
        yield server


def deployer(fake: FakeCloudflare, home: Path, api_token: str = "") -> CloudflareDeployer:
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "NO_PROXY": "127.0.0.1",
        "CLOUDFLARE_API_BASE_URL": fake.url,
        "CLOUDFLARE_API_TOKEN": TOKEN,
        "CLOUDFLARE_ACCOUNT_ID": ACCOUNT,
    }
    return CloudflareDeployer("dev", environ, find_node(environ), FOLDER, api_token=api_token)


def populate(fake: FakeCloudflare) -> None:
    fake.workers[NAME] = b""
    fake.workflows[NAME] = {"script_name": NAME}
    fake.namespaces["a" * 32] = KV


def ignore(_: Change) -> None:
    pass


@pytest.mark.stack
def test_deploy_redeploy_teardown(fake: FakeCloudflare, tmp_path: Path) -> None:
    first = deployer(fake, tmp_path).apply(ignore)
    assert first["url"] == f"https://{NAME}.acme.workers.dev"
    assert first["version_id"] == VERSION
    assert first["api_token"].encode() in fake.workers[NAME]
    assert ("POST", "/storage/kv/namespaces") in fake.calls
    assert list(fake.namespaces.values()) == [KV]
    assert fake.workflows[NAME]["script_name"] == NAME
    fake.calls.clear()
    again = deployer(fake, tmp_path, first["api_token"]).apply(ignore)
    assert again["api_token"] == first["api_token"]
    assert ("POST", f"/workers/scripts/{NAME}/versions") in fake.calls
    assert ("POST", "/storage/kv/namespaces") not in fake.calls
    assert deployer(fake, tmp_path).remove(ignore) == []
    assert fake.empty


@pytest.mark.stack
def test_a_missing_subdomain_is_named(fake: FakeCloudflare, tmp_path: Path) -> None:
    fake.subdomain = None
    with pytest.raises(NotConfiguredError) as raised:
        deployer(fake, tmp_path).apply(ignore)
    assert raised.value.code == "subdomain_missing"


def test_plans_write_nothing(fake: FakeCloudflare, tmp_path: Path) -> None:
    assert {change.verb for change in deployer(fake, tmp_path).changes()} == {"create"}
    assert {change.verb for change in deployer(fake, tmp_path).removals()} == {"gone"}
    populate(fake)
    assert {change.verb for change in deployer(fake, tmp_path).removals()} == {"delete"}
    assert fake.writes == []


def test_without_credentials_all_is_unknown(fake: FakeCloudflare, tmp_path: Path) -> None:
    known = deployer(fake, tmp_path)
    blind = CloudflareDeployer("dev", {}, known.node, FOLDER)
    assert {change.verb for change in [*blind.changes(), *blind.removals()]} == {"unknown"}
    assert fake.calls == []


def test_a_workflow_of_another_worker_is_left_alone(fake: FakeCloudflare, tmp_path: Path) -> None:
    fake.workflows[NAME] = {"script_name": "other"}
    with pytest.raises(PlatformError) as raised:
        deployer(fake, tmp_path).apply(ignore)
    assert raised.value.code == "workflow_taken"
    assert [left.kind for left in deployer(fake, tmp_path).remove(ignore)] == ["Workflow"]
    assert fake.writes == []


@pytest.mark.parametrize("call", range(1, 8))
def test_a_fault_at_each_call_of_teardown(fake: FakeCloudflare, tmp_path: Path, call: int) -> None:
    populate(fake)
    fake.fault = call
    left = deployer(fake, tmp_path).remove(ignore)
    assert len(left) == 1
    assert "10013" in left[0].reason
    fake.fault = None
    assert deployer(fake, tmp_path).remove(ignore) == []
    assert fake.empty
    said: list[Change] = []
    assert deployer(fake, tmp_path).remove(said.append) == []
    assert {change.verb for change in said} == {"gone"}
