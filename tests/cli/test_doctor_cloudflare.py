"""resv doctor on Cloudflare, against a local HTTP server; a login against a stand-in for wrangler."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from reservation_cli.domain.deployment import CloudflareDeployment
from support.doctor import (
    CLOUDFLARE_ACCOUNT,
    LOGIN_TOKEN,
    SECRETS,
    WHEN,
    WORKER_TOKEN,
    Machine,
    free_port,
)
from support.http_server import CUT, Answer, Answers


@pytest.fixture
def on_cloudflare(machine: Machine, server: Answers) -> Answers:
    """Cloudflare as it should be: an active token that reaches all, the stage dev answers at /worker."""
    machine.environ |= {
        "CLOUDFLARE_API_TOKEN": SECRETS["CLOUDFLARE_API_TOKEN"],
        "CLOUDFLARE_ACCOUNT_ID": CLOUDFLARE_ACCOUNT,
        "CLOUDFLARE_API_BASE_URL": f"{server.url}/v4",
    }
    server.give("GET", "/v4/user/tokens/verify", result({"id": "t", "status": "active"}))
    server.give("GET", "/v4/accounts", result([{"id": CLOUDFLARE_ACCOUNT, "name": "Acme"}]))
    for path in ("workers/scripts", "workflows", "storage/kv/namespaces"):
        server.give("GET", f"/v4/accounts/{CLOUDFLARE_ACCOUNT}/{path}", result([]))
    server.give("GET", f"/v4/accounts/{CLOUDFLARE_ACCOUNT}/workers/subdomain", result({"subdomain": "acme"}))
    server.give("GET", f"/v4/accounts/{CLOUDFLARE_ACCOUNT}/workflows/reservation-workflow-dev", result({"name": "w"}))
    server.give("GET", "/worker/", json.dumps({"service": "reservation-workflow", "endpoints": []}))
    return server


def result(value: object) -> str:
    return json.dumps({"success": True, "errors": [], "messages": [], "result": value})


def error(code: int, message: str, status: int) -> Answer:
    body = {"success": False, "errors": [{"code": code, "message": message}], "messages": [], "result": None}
    return status, {"content-type": "application/json"}, json.dumps(body).encode()


def a_worker(server: Answers) -> CloudflareDeployment:
    return CloudflareDeployment("dev", CLOUDFLARE_ACCOUNT, f"{server.url}/worker", "v-1", WHEN, WORKER_TOKEN)


def test_all_is_well_on_cloudflare(machine: Machine, on_cloudflare: Answers) -> None:
    machine.deployed(a_worker(on_cloudflare))
    for argv in (["cloudflare"], []):
        code, checks = machine.checks(*argv)
        assert code == 0
        assert checks["cloudflare credentials"]["detail"] == (
            f"CLOUDFLARE_API_TOKEN, active, account {CLOUDFLARE_ACCOUNT}"
        )
        assert "Workers Scripts (edit)" in checks["cloudflare permissions"]["detail"]
        assert checks["cloudflare workers.dev"]["detail"] == "acme.workers.dev"
        assert checks["cloudflare stage dev"]["detail"] == (
            f"{on_cloudflare.url}/worker, version v-1, 2026-11-20 08:30 UTC; the Worker answers."
        )
    assert {method for method, _, _ in on_cloudflare.seen} == {"GET"}


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ((200, {}, result({"status": "expired"}).encode()), "expired"),
        ((200, {}, result({"status": "disabled"}).encode()), "disabled"),
        (error(1000, "Invalid API Token", 401), "does not accept the credentials"),
        (error(6003, f"Invalid request headers: {SECRETS['CLOUDFLARE_API_TOKEN']}", 400), "does not accept"),
        (error(10001, "Internal error", 500), "failed inside"),
        ((200, {"content-type": "text/html"}, b"<html>Log in to the hotel's network"), "JSON"),
        ((200, {}, b"[]"), "JSON"),
        (CUT, "cannot be reached"),
    ],
)
def test_a_token_that_does_not_work(machine: Machine, on_cloudflare: Answers, answer: Answer, told: str) -> None:
    for path in ("/v4/user/tokens/verify", f"/v4/accounts/{CLOUDFLARE_ACCOUNT}/tokens/verify"):
        on_cloudflare.prepared["GET", path] = answer
    code, checks = machine.checks("cloudflare")
    assert code == 6
    assert checks["cloudflare credentials"]["state"] == "missing"
    assert told in checks["cloudflare credentials"]["detail"]
    assert checks["cloudflare credentials"]["fix"]
    assert machine.checks()[1]["cloudflare credentials"]["state"] == "warning"


def test_a_cloudflare_that_cannot_be_reached(machine: Machine, on_cloudflare: Answers) -> None:
    machine.environ["CLOUDFLARE_API_BASE_URL"] = f"http://127.0.0.1:{free_port()}/v4"
    code, checks = machine.checks("cloudflare")
    assert code == 6
    assert "cannot be reached" in checks["cloudflare credentials"]["detail"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CLOUDFLARE_API_TOKEN", f"{SECRETS['CLOUDFLARE_API_TOKEN']}\nmore"),
        ("CLOUDFLARE_API_TOKEN", f"{SECRETS['CLOUDFLARE_API_TOKEN']}ü"),
        ("CLOUDFLARE_ACCOUNT_ID", "my account"),
        ("CLOUDFLARE_API_BASE_URL", "http://[nowhere"),
        ("CLOUDFLARE_API_BASE_URL", "nowhere"),
        ("CLOUDFLARE_API_BASE_URL", "http://host:notaport"),
        ("CLOUDFLARE_API_BASE_URL", "http://host:99999"),
        ("CLOUDFLARE_ACCOUNT_ID", f"{CLOUDFLARE_ACCOUNT}\n{CLOUDFLARE_ACCOUNT}"),
        ("HTTPS_PROXY", "foo:bar"),
        ("https_proxy", "ftp://proxy"),
        ("ALL_PROXY", "socks5://127.0.0.1:1"),
        ("SSL_CERT_FILE", "/dev/null/x"),
        ("SSL_CERT_DIR", "/dev/null/x"),
    ],
)
@pytest.mark.parametrize("named", [True, False])
def test_what_cannot_be_right_is_named(
    machine: Machine, on_cloudflare: Answers, name: str, value: str, named: bool
) -> None:
    if not named:
        del machine.environ["CLOUDFLARE_ACCOUNT_ID"]
    if name not in machine.environ and name != "CLOUDFLARE_ACCOUNT_ID":
        del machine.environ["CLOUDFLARE_API_BASE_URL"]  # what is on this machine needs no proxy and no certificate
    machine.environ[name] = value
    code, checks = machine.checks("cloudflare")
    assert code == 6
    [failing] = [check for check in checks.values() if check["state"] == "missing"]
    assert failing["fix"]
    assert on_cloudflare.seen == []


def test_the_only_account_is_taken(machine: Machine, on_cloudflare: Answers) -> None:
    del machine.environ["CLOUDFLARE_ACCOUNT_ID"]
    assert machine.checks("cloudflare")[0] == 0
    several = [{"id": CLOUDFLARE_ACCOUNT, "name": "Acme"}, {"id": "f" * 32, "name": "Other"}]
    on_cloudflare.give("GET", "/v4/accounts", result(several))
    code, checks = machine.checks("cloudflare")
    assert code == 6
    assert "Acme" in checks["cloudflare account"]["detail"]
    assert "CLOUDFLARE_ACCOUNT_ID" in checks["cloudflare account"]["fix"]


def test_a_token_without_permissions(machine: Machine, on_cloudflare: Answers) -> None:
    path = f"/v4/accounts/{CLOUDFLARE_ACCOUNT}/storage/kv/namespaces"
    on_cloudflare.prepared["GET", path] = error(10000, "Authentication error", 403)
    code, checks = machine.checks("cloudflare")
    assert code == 6
    assert checks["cloudflare permissions"]["detail"].startswith("No access to /storage/kv/namespaces.")
    assert checks["cloudflare permissions"]["fix"].startswith("Give the token Workers KV Storage (edit)")
    on_cloudflare.prepared["GET", path] = (502, {}, b"<html>")
    code, checks = machine.checks("cloudflare")
    assert code == 0
    assert checks["cloudflare permissions"]["state"] == "unknown"


def test_an_account_without_a_subdomain(machine: Machine, on_cloudflare: Answers) -> None:
    path = f"/v4/accounts/{CLOUDFLARE_ACCOUNT}/workers/subdomain"
    on_cloudflare.prepared["GET", path] = error(10063, "You need to register a workers.dev subdomain", 404)
    code, checks = machine.checks("cloudflare")
    assert code == 6
    assert "dash.cloudflare.com" in checks["cloudflare workers.dev"]["fix"]


@pytest.mark.parametrize(
    ("answer", "code", "state", "told"),
    [
        ((404, {}, b"<html>There is nothing here yet"), 6, "missing", "the Worker is gone."),
        ((200, {}, b"<html>"), 0, "unknown", "something else than the Worker answered (HTTP 200)."),
        ((200, {}, b'{"service": "another"}'), 0, "unknown", "something else"),
        ((500, {}, b""), 0, "unknown", "(HTTP 500)"),
        (CUT, 0, "unknown", "no answer"),
    ],
)
def test_a_worker_that_is_not_as_it_should_be(
    machine: Machine, on_cloudflare: Answers, answer: Answer, code: int, state: str, told: str
) -> None:
    machine.deployed(a_worker(on_cloudflare))
    on_cloudflare.prepared["GET", "/worker/"] = answer
    for argv in (["cloudflare"], []):
        found, checks = machine.checks(*argv)
        assert (found, checks["cloudflare stage dev"]["state"]) == (code, state)
        assert told in checks["cloudflare stage dev"]["detail"]
        assert checks["cloudflare stage dev"]["fix"]


def test_a_worker_whose_workflow_is_gone(machine: Machine, on_cloudflare: Answers) -> None:
    machine.deployed(a_worker(on_cloudflare))
    path = f"/v4/accounts/{CLOUDFLARE_ACCOUNT}/workflows/reservation-workflow-dev"
    on_cloudflare.prepared["GET", path] = error(10200, "workflow not found", 404)
    code, checks = machine.checks("cloudflare")
    assert code == 6
    assert checks["cloudflare stage dev"]["fix"] == "resv deploy cloudflare --stage dev"


@pytest.mark.parametrize(
    "answer", [error(10000, "Authentication error", 403), error(10001, "Internal error", 500), (502, {}, b"<html>")]
)
def test_a_workflow_that_cannot_be_looked_up_is_not_well(
    machine: Machine, on_cloudflare: Answers, answer: Answer
) -> None:
    machine.deployed(a_worker(on_cloudflare))
    path = f"/v4/accounts/{CLOUDFLARE_ACCOUNT}/workflows/reservation-workflow-dev"
    on_cloudflare.prepared["GET", path] = answer
    code, checks = machine.checks("cloudflare")
    assert code == 0
    assert checks["cloudflare stage dev"]["state"] == "unknown"
    assert "the Worker answers" in checks["cloudflare stage dev"]["detail"]
    assert checks["cloudflare stage dev"]["fix"]


def test_a_worker_of_another_account(machine: Machine, on_cloudflare: Answers) -> None:
    machine.deployed(replace(a_worker(on_cloudflare), account="f" * 32))
    code, checks = machine.checks("cloudflare")
    assert code == 0
    assert checks["cloudflare stage dev"]["state"] == "warning"


def test_a_worker_is_looked_for_without_credentials(machine: Machine, on_cloudflare: Answers) -> None:
    machine.deployed(a_worker(on_cloudflare))
    del machine.environ["CLOUDFLARE_API_TOKEN"]
    code, checks = machine.checks()
    assert code == 6
    assert checks["cloudflare credentials"]["state"] == "missing"
    assert checks["cloudflare stage dev"]["state"] == "ok"


def test_a_wrangler_login(machine: Machine, on_cloudflare: Answers) -> None:
    del machine.environ["CLOUDFLARE_API_TOKEN"]
    login = machine.root / "user" / ".config" / ".wrangler" / "config"
    login.mkdir(parents=True)
    (login / "default.toml").write_text(f'oauth_token = "{LOGIN_TOKEN}"')
    checks = machine.checks("cloudflare")[1]
    assert "there is a `wrangler login`, but no wrangler yet" in checks["cloudflare credentials"]["detail"]
    (machine.root / "bin" / "node").unlink()
    wrangler = machine.root / "checkout" / "cf-workflow" / "node_modules" / "wrangler"
    (wrangler / "wrangler-dist").mkdir(parents=True)
    (wrangler / "package.json").write_text('{"version": "4.155.0"}')
    (machine.root / "checkout" / "cf-workflow" / "package-lock.json").write_text("{}")
    cli = wrangler / "wrangler-dist" / "cli.js"
    cli.write_text(f'console.log(JSON.stringify({{type: "oauth", token: "{LOGIN_TOKEN}"}}))')
    code, checks = machine.checks("cloudflare")
    assert code == 0
    assert checks["tools wrangler"]["detail"].startswith("4.155.0, ")
    assert checks["cloudflare credentials"]["detail"] == f"wrangler login, account {CLOUDFLARE_ACCOUNT}"
    assert set(on_cloudflare.authorizations) == {f"Bearer {LOGIN_TOKEN}"}
    cli.write_text("process.exit(1)")
    code, checks = machine.checks("cloudflare")
    assert code == 6
    assert checks["cloudflare credentials"]["detail"] == "None found; the `wrangler login` has expired."
