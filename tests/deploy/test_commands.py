"""`resv deploy` and `resv teardown` as a user meets them: exit code, both streams apart, and what is remembered."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from reservation_cli import store
from reservation_cli.domain.deployment import AwsDeployment, CloudflareDeployment
from reservation_cli.local import functions, locks
from support import fake_cloudflare
from support.fake_cloudflare import FakeCloudflare, Fault
from support.moto_front import Front

Run = Callable[..., tuple[int, str, str]]
NAME = "reservation-workflow-dev"
AT = datetime(2026, 11, 25, tzinfo=UTC)


@pytest.fixture
def cloud_environ(environ: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """No credentials at all, and nothing of this machine's but PATH."""
    nowhere = str(tmp_path / "nowhere")
    environ |= {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
        "NO_PROXY": "127.0.0.1",
        "AWS_CONFIG_FILE": nowhere,
        "AWS_SHARED_CREDENTIALS_FILE": nowhere,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    return environ


@pytest.fixture
def fake(cloud_environ: dict[str, str]) -> Iterator[FakeCloudflare]:
    with fake_cloudflare.serving() as server:
        cloud_environ |= {
            "CLOUDFLARE_API_BASE_URL": server.url,
            "CLOUDFLARE_API_TOKEN": fake_cloudflare.TOKEN,
            "CLOUDFLARE_ACCOUNT_ID": fake_cloudflare.ACCOUNT,
        }
        yield server


@pytest.fixture
def front(cloud_environ: dict[str, str], aws_front: Front) -> Front:
    cloud_environ |= aws_front.environ
    return aws_front


def home(environ: dict[str, str]) -> Path:
    return Path(environ["RESV_HOME"])


def changes(out: str) -> list[tuple[str, str]]:
    plan: dict[str, Any] = json.loads(out)["plan"]
    return [(change["verb"], change["kind"]) for change in plan["changes"]]


@pytest.mark.parametrize("platform", ["aws", "cloudflare"])
@pytest.mark.usefixtures("cloud_environ")
def test_a_dry_run_needs_no_credentials(run_resv: Run, platform: str) -> None:
    for command in ("deploy", "teardown"):
        code, out, err = run_resv(command, platform, "--dry-run", "--json")
        assert (code, err.count("\n")) == (0, 1)
        assert {verb for verb, _ in changes(out)} == {"unknown"}
        code, out, err = run_resv(command, platform, "--yes")
        assert (code, out) == (6, "")
        assert re.search("There are no (AWS|Cloudflare) credentials", err)


def test_without_yes_and_without_a_terminal_nothing_is_done(run_resv: Run, fake: FakeCloudflare) -> None:
    code, out, err = run_resv("deploy", "cloudflare")
    assert (code, out) == (2, "")
    assert "nobody is there to be asked" in err
    assert "--yes" in err
    code, _, err = run_resv("deploy", "cloudflare", "--json")
    assert code == 2
    assert json.loads(err.splitlines()[-1])["error"]["code"] == "consent"
    assert fake.writes == []


@pytest.mark.parametrize("answer", ["n", "", "y"])
def test_a_terminal_is_asked(run_resv: Run, fake: FakeCloudflare, monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    class Terminal(StringIO):
        def isatty(self) -> bool:
            return True

    fake.namespaces["a" * 32] = f"{NAME}-reservations-kv"
    monkeypatch.setattr(sys, "stdin", Terminal(f"{answer}\n"))
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    code, out, err = run_resv("teardown", "cloudflare")
    assert code == 0
    assert ("is left" in out, "Nothing has been changed." in err) == (answer == "y", answer != "y")
    assert bool(fake.namespaces) is (answer != "y")


@pytest.mark.stack
def test_cloudflare_from_nothing_to_nothing(run_resv: Run, cloud_environ: dict[str, str], fake: FakeCloudflare) -> None:
    code, out, err = run_resv("deploy", "cloudflare", "--yes")
    assert code == 0, err
    assert out == f"Cloudflare · {NAME}.acme.workers.dev  version {fake_cloudflare.VERSION}\n"
    assert "create    Worker" in err
    assert "[2/4] create Worker" in err
    assert err.endswith("Next: resv reserve --seat A1 --user user123 --on cloudflare\n")
    known = store.deployments(home(cloud_environ), "cloudflare")["dev"]
    assert isinstance(known, CloudflareDeployment)
    assert known.token
    code, again, told = run_resv("deploy", "cloudflare", "--yes", "--json")
    assert code == 0
    assert json.loads(again)["deployment"]["token"] == "set"
    kept = store.deployments(home(cloud_environ), "cloudflare")["dev"]
    assert isinstance(kept, CloudflareDeployment)
    assert kept.token == known.token
    for secret in (known.token, fake_cloudflare.TOKEN):
        assert secret not in out + err + again + told
    code, out, err = run_resv("teardown", "cloudflare", "--yes")
    assert (code, out) == (0, "Nothing of stage dev on Cloudflare is left.\n")
    assert fake.empty
    assert store.deployments(home(cloud_environ), "cloudflare") == {}
    code, out, _ = run_resv("teardown", "cloudflare", "--yes")
    assert (code, out) == (0, "Nothing of stage dev on Cloudflare is left.\n")


def test_what_could_not_be_removed_is_listed(run_resv: Run, fake: FakeCloudflare) -> None:
    fake.namespaces["a" * 32] = f"{NAME}-reservations-kv"
    fake.faults = [Fault("DELETE", "/storage/kv", times=99)]
    code, out, err = run_resv("teardown", "cloudflare", "--yes", "--json")
    assert code == 5
    (left,) = json.loads(out)["leftovers"]
    assert (left["kind"], left["name"]) == ("KV namespace", f"{NAME}-reservations-kv")
    told = json.loads(err.splitlines()[-1])["error"]
    assert told["code"] == "leftovers"
    assert "10013" in told["message"]


@pytest.mark.moto
@pytest.mark.stack
@pytest.mark.usefixtures("front")
def test_aws_from_nothing_to_nothing(run_resv: Run, cloud_environ: dict[str, str]) -> None:
    code, out, err = run_resv("deploy", "aws", "--via", "api", "--dry-run", "--json")
    assert code == 0, err
    assert {verb for verb, _ in changes(out)} == {"create"}
    assert json.loads(out)["plan"]["region"] == "us-east-2"
    code, out, err = run_resv("deploy", "aws", "--via", "api", "--yes")
    assert code == 0, err
    assert out == f"AWS · us-east-2 · {NAME}:live  version 1\n"
    assert err.endswith("Next: resv reserve --seat A1 --user user123 --on aws\n")
    known = store.deployments(home(cloud_environ), "aws")["dev"]
    assert isinstance(known, AwsDeployment)
    assert (known.account, known.via, known.version) == ("123456789012", "api", "1")
    code, out, err = run_resv("deploy", "aws", "--yes", "--json")
    assert code == 0, err
    assert json.loads(out)["deployment"]["version"] == "1"
    code, _, err = run_resv("deploy", "aws", "--region", "eu-west-1", "--yes")
    assert code == 4
    assert "Stage dev is deployed to us-east-2, not to eu-west-1." in err
    code, out, err = run_resv("teardown", "aws", "--yes")
    assert (code, out) == (0, "Nothing of stage dev on AWS is left.\n"), err
    assert store.deployments(home(cloud_environ), "aws") == {}


@pytest.mark.moto
@pytest.mark.usefixtures("front")
def test_a_stage_of_another_account_is_left_alone(run_resv: Run, cloud_environ: dict[str, str]) -> None:
    theirs = AwsDeployment("dev", "us-east-2", "999999999999", "api", "1", AT)
    store.remember_deployment(home(cloud_environ), theirs)
    for command in ("deploy", "teardown"):
        code, out, err = run_resv(command, "aws", "--yes")
        assert (code, out) == (4, "")
        assert "Stage dev of AWS is in account 999999999999; these credentials are of 123456789012." in err
    assert store.deployments(home(cloud_environ), "aws") == {"dev": theirs}


@pytest.mark.moto
@pytest.mark.usefixtures("front")
def test_teardown_looks_where_the_stage_is_and_not_where_the_environment_points(
    run_resv: Run, cloud_environ: dict[str, str]
) -> None:
    cloud_environ["AWS_REGION"] = "us-east-2"
    ours = AwsDeployment("dev", "eu-west-1", "123456789012", "api", "1", AT)
    store.remember_deployment(home(cloud_environ), ours)
    code, out, _ = run_resv("teardown", "aws", "--dry-run", "--json")
    assert (code, json.loads(out)["plan"]["region"]) == (0, "eu-west-1")
    code, _, err = run_resv("teardown", "aws", "--region", "us-east-2", "--yes")
    assert code == 0, err
    assert store.deployments(home(cloud_environ), "aws") == {"dev": ours}
    code, _, err = run_resv("teardown", "aws", "--yes")
    assert code == 0, err
    assert store.deployments(home(cloud_environ), "aws") == {}


def test_another_deploy_of_the_stage_is_waited_for(cloud_environ: dict[str, str], fake: FakeCloudflare) -> None:
    home(cloud_environ).mkdir()
    with locks.held(home(cloud_environ) / "deploy-cloudflare-dev.lock", lambda: None):
        other = subprocess.Popen(
            [sys.executable, "-m", "reservation_cli", "teardown", "cloudflare", "--yes"],
            env=cloud_environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert other.stderr is not None
        assert "Another resv deploys or tears down this stage" in other.stderr.readline()
        assert fake.calls == []
    out, _ = other.communicate(timeout=60)
    assert (other.returncode, out) == (0, "Nothing of stage dev on Cloudflare is left.\n")


def test_local_state_is_removed(run_resv: Run, environ: dict[str, str]) -> None:
    folder = home(environ) / "cloudflare"
    folder.mkdir(parents=True)
    functions.remember(home(environ), {"hello": {"bundle": "/hello.mjs", "execution_timeout": 60}})
    run_resv("reserve", "--seat", "A1")
    code, out, _ = run_resv("teardown", "local", "--dry-run", "--json")
    assert ("delete", "Cloudflare state") in changes(out)
    assert ("delete", "functions") in changes(out)
    code, out, _ = run_resv("teardown", "local", "--yes")
    assert (code, out) == (0, "Nothing of the local stack is left.\n")
    assert not folder.exists()
    assert functions.remembered(home(environ), print) == {}
    code, _, err = run_resv("status")
    assert code == 3
    assert "No reservation has been made from here yet." in err


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("deploy", "azure"), "Invalid value for"),
        (("deploy", "aws", "--stage", "Prod"), "A stage is 1 to 16 lower-case letters"),
        (("deploy", "aws", "--region", "mars"), "'mars' is no AWS region"),
        (("deploy", "aws", "--via", "cdk"), "Invalid value for '--via'"),
        (("deploy", "aws", "--via", "sam", "--recreate"), "--recreate is of --via api"),
        (("deploy", "aws", "--public"), "--public is of Cloudflare"),
        (("deploy", "cloudflare", "--region", "us-east-2"), "--region is of AWS"),
        (("deploy", "cloudflare", "--via", "api"), "--via is of AWS"),
        (("teardown", "local", "--region", "us-east-2"), "--region is of AWS only"),
        (("reserve", "--seat", "A1", "--local", "--stage", "dev"), "--local and --stage exclude each other"),
        (("reserve", "--seat", "A1", "--stage", "../x"), "A stage is 1 to 16 lower-case letters"),
    ],
)
@pytest.mark.usefixtures("cloud_environ")
def test_bad_input_is_one_line(run_resv: Run, argv: tuple[str, ...], said: str) -> None:
    code, out, err = run_resv(*argv)
    assert (code, out) == (2, "")
    assert said in err.splitlines()[0]
    assert err.splitlines()[1].startswith("Hint: ")


def test_a_stage_that_is_not_deployed_is_named(run_resv: Run) -> None:
    code, out, err = run_resv("reserve", "--seat", "A1", "--stage", "prod")
    assert (code, out) == (6, "")
    assert "has no stage prod" in err
    assert "resv deploy cloudflare --stage prod" in err
