"""resv doctor: tools, the local stack, the state, the settings, and what is said with nothing configured."""

from __future__ import annotations

import fcntl
import json
import re
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from reservation_cli.deploy import preflight
from reservation_cli.local import node
from reservation_cli.local.plan import FORMAT, LOCK, STACK
from support.doctor import (
    KEY,
    ON_AWS,
    SECRETS,
    WHEN,
    Machine,
    a_machine,
)
from support.http_server import Answers

# What it says with nothing configured


NOTHING_CONFIGURED = """\
Tools
  ✓ Node.js          24.19.0, /tmp/dROOTROOT/bin/node
  ✓ npm              11.17.0
  – wrangler         Not installed yet; the first start does it. → resv up
  – sam              None on PATH that works; deploys go by AWS's API.
                     → pip install --upgrade 'aws-sam-cli>=1.153.1'
  – aws              None on PATH that works; nothing of resv runs it.
                     → https://aws.amazon.com/cli/

Local stack
  ✓ AWS engine       aws-durable-execution-sdk-python-testing 1.4.0
  ✓ open files       N at most, for N reservations within 10 s.
  ✓ Cloudflare port  NNNNN is free.
  ✓ AWS port         NNNNN is free.
  – stack            Not running; the first command that needs it starts it.
                     → resv up

State
  ✓ home             /tmp/dROOTROOT/home, made when it is first needed.
  ✓ state.json       None yet: nothing has been reserved or deployed from here.
  ✓ cache            /tmp/dROOTROOT/cache, made when it is first needed.
  ✓ disk             N GB free

AWS
  – credentials      None found.
                     → `aws configure` or `aws sso login` makes some; or set
                       AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or
                       AWS_PROFILE.
  ✓ region           us-east-2 (default)
  – permissions      Not checked;
                     /tmp/dROOTROOT/checkout/infra/policies/use.json and
                     /tmp/dROOTROOT/checkout/infra/policies/deploy.json list
                     what is needed.

Cloudflare
  – credentials      None found.
                     → Set CLOUDFLARE_API_TOKEN to a token with Workers Scripts
                       (edit) and Workers KV Storage (edit), or run `npx
                       wrangler login`.

Settings
  RESV_HOME                    /tmp/dROOTROOT/home   environment
  RESV_STAGE                   dev                   default
  RESV_CLOUDFLARE_PORT         NNNNN                 environment
  RESV_AWS_PORT                NNNNN                 environment
  RESV_IDLE_MINUTES            30                    default
  RESV_CACHE                   /tmp/dROOTROOT/cache  environment
  AWS_REGION                   us-east-2             default
  AWS_PROFILE                  —                     not set
  AWS_ACCESS_KEY_ID            —                     not set
  AWS_SECRET_ACCESS_KEY        —                     not set
  AWS_CONFIG_FILE              /tmp/dROOTROOT/none   environment
  AWS_SHARED_CREDENTIALS_FILE  /tmp/dROOTROOT/none   environment
  aws runs on                  the local stack       default
  CLOUDFLARE_API_TOKEN         —                     not set
  CLOUDFLARE_ACCOUNT_ID        —                     not set
  cloudflare runs on           the local stack       default

Nothing that is needed is missing; not set up, and only needed to deploy there:
AWS and Cloudflare.
"""


def test_a_machine_with_nothing_configured(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    # A root whose name is always as long, so that the lines are wrapped at the same words.
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="d") as root:
        machine = a_machine(Path(root), monkeypatch, capsys)
        code, out, err = machine.run()
        monkeypatch.undo()
    assert (code, err) == (0, "")
    assert max(map(len, out.splitlines())) <= 80
    for pattern, name in (
        (root, "/tmp/dROOTROOT"),
        (r"\b\d{5}\b", "NNNNN"),
        (r"[\d.]+ GB", "N GB"),
        (r"[\d,]+ (at most|res)", r"N \1"),
    ):
        out = re.sub(pattern, name, out)
    assert out == NOTHING_CONFIGURED


@pytest.mark.parametrize("platform", ["aws", "cloudflare"])
def test_a_cloud_that_is_asked_about_is_needed(machine: Machine, platform: str) -> None:
    code, out, err = machine.run(platform)
    assert code == 6
    assert re.search(r"✗ credentials +None found\.\n +→ ", out)
    title = {"aws": "AWS", "cloudflare": "Cloudflare"}[platform]
    assert f"\n\nFirst: {title}, credentials → " in out
    assert err == f"Error: 1 needed thing is missing: credentials ({platform}).\n"
    code, out, err = machine.run(platform, "--json")
    assert code == 6
    assert json.loads(out)["ok"] is False
    assert json.loads(err)["error"]["code"] == "not_configured"


def test_the_local_stack_needs_no_cloud(machine: Machine) -> None:
    (machine.root / "bin" / "node").unlink()  # then that of the wheel is taken
    code, checks = machine.checks("local")
    assert code == 0
    assert not [name for name in checks if name.startswith(("aws", "cloudflare", "tools sam"))]
    assert checks["tools npm"]["state"] == "ok"
    assert {name for name, check in checks.items() if check["needed"]} >= {"tools Node.js", "local AWS engine"}


def test_without_node_nothing_works(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    (machine.root / "bin" / "node").unlink()
    monkeypatch.setattr(node, "_wheel", lambda: None)
    code, checks = machine.checks()
    assert code == 6
    assert checks["tools Node.js"]["state"] == "missing"
    assert "pip install 'reservation-cli[local]'" in checks["tools Node.js"]["fix"]
    assert "tools npm" not in checks


def test_what_is_not_a_place_is_refused(machine: Machine) -> None:
    code, out, err = machine.run("azure")
    assert (code, out) == (2, "")
    assert "azure" in err


# Tools of others


@pytest.mark.parametrize(
    ("script", "state", "told"),
    [
        ("echo SAM CLI, version 1.170.0", "ok", "1.170.0, "),
        ("echo SAM CLI, version 1.150.0", "warning", "older than 1.153.1; deploys go by AWS's API."),
        ("exit 1", "optional", "None on PATH that works"),
        ("echo hello", "optional", "None on PATH that works"),
        ("exec /bin/sleep 60", "optional", "None on PATH that works"),
    ],
)
def test_the_sam_cli(machine: Machine, monkeypatch: pytest.MonkeyPatch, script: str, state: str, told: str) -> None:
    if "sleep" in script:
        monkeypatch.setattr(preflight, "_ANSWER_SECONDS", 0.2)
    machine.tool("sam", script)
    code, checks = machine.checks()
    assert code == 0
    assert checks["tools sam"]["state"] == state
    assert told in checks["tools sam"]["detail"]
    assert ("aws-sam-cli>=1.153.1" in checks["tools sam"]["fix"]) == (state != "ok")


def test_the_aws_cli(machine: Machine) -> None:
    path = machine.tool("aws", "echo aws-cli/2.34.0 Python/3.13 Linux")
    assert machine.checks()[1]["tools aws"]["detail"] == f"2.34.0, {path}"
    machine.tool("aws", "echo aws-cli/1.40.2 Python/3.11 Linux")
    assert machine.checks()[1]["tools aws"]["state"] == "warning"


def test_a_broken_npm_is_told(machine: Machine) -> None:
    machine.tool("node", '[ "$1" = --version ] && echo v24.19.0 || exit 3')
    code, checks = machine.checks("local")
    assert code == 6
    assert "does not say its version: exit code 3." in checks["tools npm"]["detail"]


# The local stack and the state


def test_a_taken_port(machine: Machine) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        machine.environ["RESV_AWS_PORT"] = str(port)
        code, checks = machine.checks("local")
    assert code == 0
    assert checks["local AWS port"]["state"] == "warning"
    assert checks["local AWS port"]["detail"].startswith(f"{port} is taken by another program")
    assert f"lsof -i :{port}" in checks["local AWS port"]["fix"]


def test_the_running_stack_has_its_ports(machine: Machine, server: Answers) -> None:
    server.give("GET", "/", "{}")
    server.give("GET", "/health", "{}")
    with a_running_stack(machine, server.url):
        code, checks = machine.checks("local")
        assert code == 0
        assert checks["local Cloudflare port"]["detail"].endswith(", used by the running stack.")
        assert checks["local AWS port"]["state"] == "ok"
        assert checks["local stack"]["detail"].startswith(f"Running: Cloudflare {server.url}, AWS {server.url}")
        server.give("GET", "/health", "oops", 500)
        code, checks = machine.checks("local")
        assert code == 6
        assert checks["local stack"]["fix"] == "resv down && resv up"


@contextmanager
def a_running_stack(machine: Machine, url: str) -> Iterator[None]:
    """What a stack whose engines are both at `url` leaves in RESV_HOME, and its lock."""
    machine.environ["RESV_CLOUDFLARE_PORT"] = machine.environ["RESV_AWS_PORT"] = url.rpartition(":")[2]
    names = ("workflow", "dynamodb_url", "region", "account", "function", "qualifier", "seats_function")
    facts = dict.fromkeys(names, "") | {"cloudflare_url": url, "aws_endpoint_url": url, "engines": {}}
    machine.home.mkdir()
    (machine.home / STACK).write_text(json.dumps({"format": FORMAT, "pid": 7, "started_at": f"{WHEN}", **facts}))
    with (machine.home / LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def test_a_state_file_that_cannot_be_read(machine: Machine) -> None:
    machine.home.mkdir()
    (machine.home / "state.json").write_text("{bad")
    code, checks = machine.checks()
    assert code == 6
    assert "state.json cannot be read" in checks["state state.json"]["detail"]
    assert checks["state state.json"]["fix"].startswith("mv ")


def test_a_home_in_which_nothing_can_be_kept(machine: Machine) -> None:
    (machine.root / "file").write_text("")
    machine.environ["RESV_HOME"] = str(machine.root / "file" / "home")
    code, checks = machine.checks()
    assert code == 6
    assert checks["state home"]["detail"].endswith("/file is no folder; nothing can be kept.")
    assert checks["state home"]["fix"].startswith("export RESV_HOME=")


def test_others_may_not_read_the_tokens(machine: Machine) -> None:
    machine.deployed(ON_AWS)
    path = machine.home / "state.json"
    assert machine.checks("local")[1]["state state.json"]["state"] == "ok"
    path.chmod(0o644)
    machine.home.chmod(0o777)
    code, checks = machine.checks("local")
    assert code == 0
    assert checks["state state.json"]["state"] == checks["state home"]["state"] == "warning"
    assert checks["state state.json"]["fix"] == f"chmod 600 {path}"
    assert checks["state home"]["fix"] == f"chmod o-w {machine.home}"


def test_a_cache_of_a_user_that_there_is_not(machine: Machine) -> None:
    machine.environ["RESV_CACHE"] = "~nobody-of-that-name/cache"
    code, checks = machine.checks("local")
    assert code == 6
    assert checks["state cache"]["fix"] == "unset RESV_CACHE"


# Settings


def test_each_setting_says_where_it_is_from(machine: Machine) -> None:
    token = SECRETS["CLOUDFLARE_API_TOKEN"]
    (machine.root / ".env").write_text(f"AWS_REGION=eu-west-1\nRESV_IDLE_MINUTES=5\nCLOUDFLARE_API_TOKEN={token}\n")
    machine.environ |= {"RESV_IDLE_MINUTES": "7", "AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": "short"}
    # Nobody is asked.
    machine.environ |= {"AWS_ENDPOINT_URL": "ftp://user:password@nowhere", "CLOUDFLARE_ACCOUNT_ID": "mine"}
    found = machine.settings()
    assert found["AWS_REGION"] == ("eu-west-1", ".env")
    assert found["RESV_IDLE_MINUTES"] == ("7", "environment")
    assert found["RESV_STAGE"] == ("dev", "default")
    assert found["AWS_PROFILE"] == (None, "not set")
    assert found["CLOUDFLARE_API_TOKEN"] == ("set, ends in 6789", ".env")
    assert found["AWS_ACCESS_KEY_ID"] == ("set, ends in MPLE", "environment")
    assert found["AWS_SECRET_ACCESS_KEY"] == ("set", "environment")
    assert found["AWS_ENDPOINT_URL"] == ("ftp://nowhere", "environment")
    assert found["aws runs on"] == ("the local stack", "default")


def test_where_a_stage_is_deployed_is_a_setting_of_the_state(machine: Machine) -> None:
    machine.deployed(replace(ON_AWS, region="eu-central-1"))
    machine.environ["AWS_EC2_METADATA_DISABLED"] = "true"
    found = machine.settings("aws")
    assert found["AWS_REGION"] == ("eu-central-1", "state")
    assert found["aws runs on"] == ("AWS · eu-central-1 · reservation-workflow-dev:live", "state")
    machine.environ["RESV_STAGE"] = "prod"
    value, source = machine.settings("aws")["aws runs on"]
    assert source == "environment"
    assert value is not None
    assert "no stage prod" in value
