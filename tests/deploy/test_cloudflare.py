"""Real `wrangler deploy` and the teardown, against a fake of Cloudflare's API on 127.0.0.1."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from reservation_cli.deploy.change import Change
from reservation_cli.deploy.cloudflare import CloudflareDeployer, CloudflareRemover
from reservation_cli.deploy.cloudflare_api import PATIENT, Account, find_credentials
from reservation_cli.errors import NotConfiguredError, PlatformError, ResvError, TimedOutError
from reservation_cli.local.node import Node, find_node
from reservation_cli.local.processes import table
from reservation_cli.platforms.wrangler import Wrangler
from support.fake_cloudflare import ACCOUNT, TOKEN, VERSION, FakeCloudflare, Fault, Worker, refused, serving
from support.waiting import until

NAME = "reservation-workflow-dev"
KV = f"{NAME}-reservations-kv"
FOLDER = Path(__file__).parents[2] / "cf-workflow"
BEARER = "bearer-token-of-an-earlier-deploy"


@pytest.fixture
def fake() -> Iterator[FakeCloudflare]:
    with serving() as server:
        yield server


@pytest.fixture(scope="session")
def node() -> Node:
    return find_node({"PATH": os.environ["PATH"]})


class Kit:
    """Deployers and removers that work on the fake, in an environment and with temporary files of their own."""

    def __init__(self, fake: FakeCloudflare, home: Path, node: Node) -> None:
        self.home, self.node = home, node
        self.temporary = home / "tmp"
        self.temporary.mkdir()
        self.environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "XDG_CONFIG_HOME": str(home / "config"),
            "TMPDIR": str(self.temporary),
            "NO_PROXY": "127.0.0.1",
            "CLOUDFLARE_API_BASE_URL": fake.url,
            "CLOUDFLARE_API_TOKEN": TOKEN,
            "CLOUDFLARE_ACCOUNT_ID": ACCOUNT,
        }
        self.progress: list[Change] = []
        self.waited: list[float] = []
        self.retries = replace(PATIENT, sleep=self.waited.append)

    def without(self, *names: str) -> None:
        self.environ = {name: value for name, value in self.environ.items() if name not in names}

    @property
    def wrangler(self) -> Wrangler:
        return Wrangler(self.node, FOLDER, self.environ)

    @property
    def account(self) -> Account:
        credentials = find_credentials(self.environ, lambda: None)
        assert credentials is not None
        return Account.of(credentials, self.environ, self.retries)

    def deployer(self, token: str = "", public: bool = False) -> CloudflareDeployer:
        return CloudflareDeployer("dev", self.environ, lambda: self.wrangler, public, token, self.retries)

    def remover(self) -> CloudflareRemover:
        return CloudflareRemover("dev", self.environ, lambda: self.wrangler, self.retries)

    def told(self, change: Change) -> None:
        self.progress.append(change)


@pytest.fixture
def kit(fake: FakeCloudflare, tmp_path: Path, node: Node) -> Kit:
    return Kit(fake, tmp_path, node)


def populate(fake: FakeCloudflare) -> None:
    fake.workers[NAME] = Worker(secrets={"API_TOKEN": BEARER})
    fake.workflows[NAME] = {"script_name": NAME}
    fake.instances[NAME] = {"waiting": 2, "running": 1, "complete": 5}
    fake.namespaces["a" * 32] = KV


def shown(changes: list[Change]) -> list[tuple[str, str]]:
    return [(change.verb, change.kind) for change in changes]


def detail(changes: list[Change], kind: str) -> str:
    return next(change.detail for change in changes if change.kind == kind)


def one_line(error: ResvError) -> bool:
    return "\n" not in error.message and bool(error.hint) and len(error.message) < 600


@pytest.mark.stack
def test_deploy_redeploy_teardown(fake: FakeCloudflare, kit: Kit) -> None:
    plan = kit.deployer().changes()
    assert shown(plan) == [
        ("create", "KV namespace"),
        ("create", "Worker"),
        ("create", "secret"),
        ("create", "Workflow"),
    ]
    assert fake.writes == []
    first = kit.deployer().apply(kit.told)
    assert kit.progress == plan
    assert (first.stage, first.account, first.version) == ("dev", ACCOUNT, VERSION)
    assert first.url == f"https://{NAME}.acme.workers.dev"
    assert first.url in detail(plan, "Worker")
    assert len(first.token) >= 32
    assert fake.workers[NAME].secrets == {"API_TOKEN": first.token}
    assert list(fake.namespaces.values()) == [KV]
    assert fake.workflows[NAME]["script_name"] == NAME
    fake.calls.clear()

    assert shown(kit.deployer(first.token).changes()) == [
        ("keep", "KV namespace"),
        ("update", "Worker"),
        ("keep", "secret"),
        ("update", "Workflow"),
    ]
    again = kit.deployer(first.token).apply(kit.told)
    assert again.token == first.token
    assert fake.workers[NAME].secrets == {"API_TOKEN": first.token}
    assert ("POST", f"/workers/scripts/{NAME}/versions") in fake.calls
    assert ("POST", "/storage/kv/namespaces") not in fake.calls
    assert kit.remover().remove(kit.told) == []
    assert fake.empty
    assert list(kit.temporary.iterdir()) == []


@pytest.mark.stack
def test_the_secret_through_a_lost_state_and_a_public_deploy(fake: FakeCloudflare, kit: Kit) -> None:
    populate(fake)
    fake.workers[NAME].secrets["OTHER"] = "set by hand"
    lost = kit.deployer().changes()
    assert ("update", "secret") in shown(lost)
    assert "earlier ones stop working" in detail(lost, "secret")
    renewed = kit.deployer().apply(kit.told)
    assert renewed.token != BEARER
    assert fake.workers[NAME].secrets == {"API_TOKEN": renewed.token, "OTHER": "set by hand"}

    public = kit.deployer(renewed.token, public=True)
    assert shown(public.changes())[-1] == ("delete", "secret")
    assert public.apply(kit.told).token == ""
    assert fake.workers[NAME].secrets == {"OTHER": "set by hand"}
    assert "secret" not in {kind for _, kind in shown(public.changes())}


@pytest.mark.stack
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/storage/kv/namespaces"),
        ("PUT", f"/workers/scripts/{NAME}"),
        ("POST", f"/workers/scripts/{NAME}/subdomain"),
        ("PUT", f"/workflows/{NAME}"),
    ],
)
def test_a_fault_in_each_phase_of_a_deploy(fake: FakeCloudflare, kit: Kit, method: str, path: str) -> None:
    fake.faults = [Fault(method, path, times=3)]  # wrangler itself tries some of the calls three times
    with pytest.raises(PlatformError) as raised:
        kit.deployer().apply(kit.told)
    assert raised.value.code == "cloudflare_failed"
    assert one_line(raised.value)
    fake.faults = []
    kit.deployer().apply(kit.told)
    assert list(fake.namespaces.values()) == [KV]
    assert kit.remover().remove(kit.told) == []
    assert fake.empty
    assert list(kit.temporary.iterdir()) == []


@pytest.mark.stack
@pytest.mark.parametrize(
    ("fault", "kind", "code"),
    [
        (Fault("PUT", "/workflows/", status=0), PlatformError, "unreachable"),
        (Fault("PUT", "/workflows/", status=200, body=b"<h1>Welcome</h1>"), PlatformError, "not_understood"),
        (Fault("POST", "/storage", status=429, body=b"{}", headers={"retry-after": "300"}), PlatformError, "throttled"),
        (
            Fault("GET", "/workers/subdomain", status=404, body=refused(10007, "none"), spared=1),
            NotConfiguredError,
            "subdomain_missing",
        ),
    ],
)
def test_what_wrangler_meets(fake: FakeCloudflare, kit: Kit, fault: Fault, kind: type[ResvError], code: str) -> None:
    fake.faults = [replace(fault)]
    with pytest.raises(kind) as raised:
        kit.deployer().apply(kit.told)
    assert raised.value.code == code
    assert one_line(raised.value)


@pytest.mark.stack
def test_a_workflow_that_another_worker_takes_meanwhile_is_not_taken_over(fake: FakeCloudflare, kit: Kit) -> None:
    def taken(_: Change) -> None:
        fake.workflows[NAME] = {"script_name": "other"}

    with pytest.raises(PlatformError) as raised:
        kit.deployer().apply(taken)
    assert raised.value.code == "workflow_taken"
    assert fake.workflows[NAME] == {"script_name": "other"}
    assert fake.writes == []


@pytest.mark.stack
@pytest.mark.parametrize("stage", ["dev", "test"])
def test_a_worker_that_was_changed_elsewhere_is_kept_and_its_stage_is_named(
    fake: FakeCloudflare, kit: Kit, stage: str
) -> None:
    fake.workers[f"reservation-workflow-{stage}"] = Worker(deployed_from="api")
    with pytest.raises(PlatformError) as raised:
        replace(kit.deployer(), stage=stage).apply(kit.told)
    assert raised.value.code == "changed_elsewhere"
    assert str(raised.value.hint).endswith(f"resv teardown cloudflare --stage {stage}")


@pytest.mark.stack
def test_neither_token_is_told(
    fake: FakeCloudflare, kit: Kit, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    recorder = tmp_path / "node"
    recorder.write_text(
        f"""#!/bin/sh
for argument in "$@"; do
  echo "$argument" >> {tmp_path}/argv
  case "$argument" in */secrets.json) ls -ld "$(dirname "$argument")" "$argument" >> {tmp_path}/modes;; esac
done
exec {kit.node.path} "$@"
"""
    )
    recorder.chmod(0o700)
    kit.node = replace(kit.node, path=recorder)
    told_back = refused(10021, f"cannot use {BEARER} of {TOKEN}")
    fake.faults = [Fault("PUT", "/workers/scripts/", status=400, body=told_back)]
    deployer = kit.deployer(BEARER)
    with pytest.raises(PlatformError) as by_wrangler:
        deployer.apply(kit.told)
    assert "***" in by_wrangler.value.message
    fake.faults = [Fault("GET", "/workers/services/", status=400, body=refused(10021, f"no {TOKEN}"))]
    with pytest.raises(PlatformError) as by_api:
        deployer.apply(kit.told)
    deployed = deployer.apply(kit.told)
    assert deployed.token == BEARER

    folder, file = (tmp_path / "modes").read_text().splitlines()[-2:]
    assert folder.startswith("drwx------")
    assert file.startswith("-rw-------")
    everything = [
        *(f"{error.value!r} {error.value.hint}" for error in (by_wrangler, by_api)),
        *(repr(told) for told in (kit.progress, deployer, deployed, deployer.changes(), deployer.where())),
        *capfd.readouterr(),
        (tmp_path / "argv").read_text(),
        *(path.read_text(errors="replace") for path in tmp_path.rglob("*") if path.is_file()),
    ]
    assert not [text for text in everything if BEARER in text or TOKEN in text]


@pytest.mark.stack
def test_a_login_of_wrangler_serves_as_well(fake: FakeCloudflare, kit: Kit) -> None:
    kit.without("CLOUDFLARE_API_TOKEN", "CLOUDFLARE_ACCOUNT_ID")
    assert kit.deployer().where() == [("account", "unknown")]
    login = kit.home / "config" / ".wrangler" / "config" / "default.toml"
    login.parent.mkdir(parents=True)
    login.write_text(
        'oauth_token = "token-of-the-login"\nrefresh_token = "renews"\nexpiration_time = "2999-01-01T00:00:00.000Z"\n'
    )
    fake.tokens = {"token-of-the-login"}
    deployer = kit.deployer()
    assert deployer.where() == [("account", ACCOUNT), ("credentials", "wrangler login")]
    fake.faults = [Fault("PUT", "/workers/scripts/", status=400, body=refused(10021, "no token-of-the-login here"))]
    with pytest.raises(PlatformError, match=r"no \*\*\* here") as told_back:
        deployer.apply(kit.told)
    assert "token-of-the-login" not in f"{told_back.value!r} {told_back.value.hint} {deployer!r}"
    assert deployer.apply(kit.told).account == ACCOUNT
    assert kit.remover().remove(kit.told) == []
    assert fake.empty


def test_the_account_is_the_only_one_that_the_token_sees(fake: FakeCloudflare, kit: Kit) -> None:
    kit.without("CLOUDFLARE_ACCOUNT_ID")
    assert kit.deployer().where() == [("account", ACCOUNT), ("credentials", "CLOUDFLARE_API_TOKEN")]
    fake.accounts["f" * 32] = "Other"
    with pytest.raises(NotConfiguredError, match=r"Acme.*Other") as raised:
        kit.deployer().changes()
    assert "CLOUDFLARE_ACCOUNT_ID" in str(raised.value.hint)
    fake.accounts.clear()
    with pytest.raises(NotConfiguredError, match="no account"):
        kit.remover().removals()


def test_plans_write_nothing(fake: FakeCloudflare, kit: Kit) -> None:
    assert {verb for verb, _ in shown(kit.deployer().changes())} == {"create"}
    assert {verb for verb, _ in shown(kit.remover().removals())} == {"gone"}
    populate(fake)
    plan = kit.remover().removals()
    assert shown(plan) == [
        ("stop", "executions"),
        ("delete", "Workflow"),
        ("delete", "Worker"),
        ("delete", "KV namespace"),
    ]
    assert detail(plan, "executions") == "3 have not ended"
    assert "Durable Objects" in detail(plan, "Worker")
    assert fake.writes == []


def test_without_credentials_and_without_node_all_is_unknown(fake: FakeCloudflare) -> None:
    def missing() -> Wrangler:
        raise NotConfiguredError("There is no Node.js.")

    deployer, remover = CloudflareDeployer("dev", {}, missing), CloudflareRemover("dev", {}, missing)
    assert {verb for verb, _ in shown([*deployer.changes(), *remover.removals()])} == {"unknown"}
    assert deployer.where() == [("account", "unknown")]
    with pytest.raises(NotConfiguredError) as raised:
        deployer.apply(lambda _: None)
    assert "CLOUDFLARE_API_TOKEN" in str(raised.value.hint)
    assert "wrangler login" in str(raised.value.hint)
    with pytest.raises(NotConfiguredError, match="no Cloudflare credentials"):
        remover.remove(lambda _: None)
    assert fake.calls == []


def test_an_account_without_subdomain_is_told_by_the_plan(fake: FakeCloudflare, kit: Kit) -> None:
    fake.subdomain = None
    with pytest.raises(NotConfiguredError) as raised:
        kit.deployer().changes()
    assert raised.value.code == "subdomain_missing"


def test_a_workflow_of_another_worker_is_left_alone(fake: FakeCloudflare, kit: Kit) -> None:
    populate(fake)
    fake.workflows[NAME] = {"script_name": "other"}
    with pytest.raises(PlatformError) as raised:
        kit.deployer().apply(kit.told)
    assert raised.value.code == "workflow_taken"
    assert fake.writes == []
    assert shown(kit.remover().removals())[0] == ("keep", "Workflow")
    left = kit.remover().remove(kit.told)
    assert [(each.kind, each.reason) for each in left] == [("Workflow", "It belongs to another Worker, other.")]
    assert list(fake.workflows) == [NAME]
    assert fake.workers == {}
    assert fake.namespaces == {}


def test_the_namespace_is_found_on_any_page(fake: FakeCloudflare, kit: Kit) -> None:
    fake.namespaces = {f"{number:032x}": f"other-{number}" for number in range(250)}
    populate(fake)
    assert kit.remover().remove(kit.told) == []
    assert len(fake.namespaces) == 250


def test_teardown_ends_the_workflow_before_its_worker(fake: FakeCloudflare, kit: Kit) -> None:
    populate(fake)
    assert kit.remover().remove(kit.told) == []
    assert shown(kit.progress) == [
        ("stop", "executions"),
        ("delete", "Workflow"),
        ("delete", "Worker"),
        ("delete", "KV namespace"),
    ]
    assert fake.writes == [
        ("PUT", f"/workflows/{NAME}/instances/terminate"),
        ("DELETE", f"/workflows/{NAME}"),
        ("DELETE", f"/workers/scripts/{NAME}"),
        ("DELETE", f"/storage/kv/namespaces/{'a' * 32}"),
    ]


@pytest.mark.parametrize("call", range(1, 8))
def test_a_fault_at_each_call_of_teardown(fake: FakeCloudflare, kit: Kit, call: int) -> None:
    populate(fake)
    fake.faults = [Fault(number=call, times=9)]
    left = kit.remover().remove(kit.told)
    fake.faults = []
    refused = [each for each in left if "10013" in each.reason]
    workflow_left = bool(fake.workflows)
    assert workflow_left == (call in (1, 3))
    assert (NAME in fake.workers) == (workflow_left or call in (4, 5))
    assert len(refused) == (0 if call == 2 else 1), "a failed termination is made good by the deletion"
    assert kit.remover().remove(kit.told) == []
    assert fake.empty
    kit.progress.clear()
    assert kit.remover().remove(kit.told) == []
    assert {verb for verb, _ in shown(kit.progress)} == {"gone"}


@pytest.mark.parametrize("call", range(1, 6))
def test_a_fault_at_each_call_of_a_plan(fake: FakeCloudflare, kit: Kit, call: int) -> None:
    populate(fake)
    fake.faults = [Fault(number=call, times=9)]
    with pytest.raises(PlatformError) as raised:
        kit.deployer().changes()
    assert one_line(raised.value)
    assert len(set(fake.calls)) == call
    assert len(fake.calls) == call - 1 + PATIENT.tries
    assert fake.writes == []


HTML = b"<html>Bad gateway</html>"


@pytest.mark.parametrize(
    ("fault", "kind", "code"),
    [
        (Fault(status=502, body=HTML), PlatformError, "platform"),
        (Fault(status=200, body=HTML), PlatformError, "not_understood"),
        (Fault(status=404, body=HTML), ResvError, "not_found"),
        (Fault(status=0), PlatformError, "unreachable"),
        (Fault(status=401, body=b"{}"), NotConfiguredError, "credentials"),
        (Fault(status=403, body=b"{}"), NotConfiguredError, "credentials"),
        (Fault(status=429, headers={"retry-after": "300"}), PlatformError, "throttled"),
    ],
)
def test_what_the_api_may_answer(
    fake: FakeCloudflare, kit: Kit, fault: Fault, kind: type[ResvError], code: str
) -> None:
    fake.faults = [replace(fault, times=9)]
    with pytest.raises(kind) as raised:
        kit.deployer().changes()
    assert raised.value.code == code
    assert one_line(raised.value)


def test_credentials_that_are_not_accepted_end_a_teardown(fake: FakeCloudflare, kit: Kit) -> None:
    populate(fake)
    fake.tokens = {"another"}
    with pytest.raises(NotConfiguredError) as raised:
        kit.remover().remove(kit.told)
    assert raised.value.code == "credentials"
    assert len(fake.calls) == 1


def test_another_account_is_not_taken_for_an_empty_one(fake: FakeCloudflare, kit: Kit) -> None:
    populate(fake)
    kit.environ["CLOUDFLARE_ACCOUNT_ID"] = "f" * 32
    with pytest.raises(NotConfiguredError, match="credentials") as raised:
        kit.remover().removals()
    assert "CLOUDFLARE_ACCOUNT_ID" in str(raised.value.hint)


def test_a_token_that_may_not_touch_kv_leaves_the_namespace(fake: FakeCloudflare, kit: Kit) -> None:
    populate(fake)
    fake.faults = [Fault("GET", "/storage/kv", status=403, body=b"{}")]
    assert [each.kind for each in kit.remover().remove(kit.told)] == ["KV namespace"]


@pytest.mark.parametrize(("retry_after", "waits"), [("7", [7.0, 7.0, 7.0]), ("300", [])])
def test_throttled_calls_are_made_again_as_cloudflare_asks(
    fake: FakeCloudflare, kit: Kit, retry_after: str, waits: list[float]
) -> None:
    fake.faults = [Fault(status=429, headers={"retry-after": retry_after}, times=9)]
    with kit.account as account, pytest.raises(PlatformError) as raised:
        account.find(f"/workflows/{NAME}")
    assert kit.waited == waits
    assert raised.value.code == "throttled"
    assert raised.value.wait_seconds == float(retry_after)
    assert f"Wait {retry_after} s" in str(raised.value.hint)


def test_a_throttling_without_a_time_is_waited_out_longer_and_longer(fake: FakeCloudflare, kit: Kit) -> None:
    fake.faults = [Fault(status=429, times=3)]
    with kit.account as account:
        assert account.find(f"/workflows/{NAME}") is None
    for most, waited in zip((1.0, 2.0, 4.0), kit.waited, strict=True):
        assert most / 2 <= waited <= most


@pytest.mark.parametrize("status", [0, 500, 502, 503, 504, 520])
def test_what_passes_in_a_moment_is_not_noticed_by_plans(fake: FakeCloudflare, kit: Kit, status: int) -> None:
    populate(fake)
    fake.faults = [Fault(number=call, status=status) for call in (1, 3, 5)]
    assert {verb for verb, _ in shown(kit.remover().removals())} == {"stop", "delete"}
    assert len(kit.waited) == 3


@pytest.mark.parametrize("status", [0, 502, 503, 504])
@pytest.mark.parametrize("path", [f"/workflows/{NAME}", f"/workers/scripts/{NAME}", "/storage/kv/namespaces/"])
def test_a_deletion_whose_answer_is_lost_is_made_again(fake: FakeCloudflare, kit: Kit, path: str, status: int) -> None:
    populate(fake)
    fake.faults = [Fault("DELETE", path, status=status, done=True)]
    assert kit.remover().remove(kit.told) == []
    assert fake.empty
    assert len([call for call in fake.calls if call[0] == "DELETE" and call[1].startswith(path)]) == 2


def test_a_short_throttling_is_not_noticed(fake: FakeCloudflare, kit: Kit) -> None:
    fake.faults = [Fault(status=429, headers={"retry-after": "0"}, times=3)]
    assert {verb for verb, _ in shown(kit.remover().removals())} == {"gone"}


def test_the_status_of_the_token_is_asked_of_user_and_account(fake: FakeCloudflare, kit: Kit) -> None:
    with kit.account as account:
        assert account.token_status() == "active"
        fake.tokens.clear()
        with pytest.raises(NotConfiguredError):
            account.token_status()
    assert fake.calls[-1] == ("GET", "/tokens/verify")


def stub(kit: Kit, script: str, seconds: float) -> Wrangler:
    """A wrangler that is only `script`, and starts a child of its own first."""
    cli = kit.home / "half" / "node_modules" / "wrangler" / "wrangler-dist" / "cli.js"
    cli.parent.mkdir(parents=True)
    cli.write_text(
        "require('child_process').spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], {stdio: 'ignore'});\n"
        f"console.log(process.pid);\n{script}"
    )
    return Wrangler(kit.node, kit.home / "half", kit.environ, seconds)


def nobody_in(group: int) -> Callable[[], bool]:
    return lambda: not [process for process in table() if process.group == group]


def test_an_interrupt_ends_wrangler_and_its_children(kit: Kit) -> None:
    groups: list[int] = []

    def interrupt(line: str) -> None:
        groups.append(int(line))
        raise KeyboardInterrupt

    wrangler = stub(kit, "setInterval(() => {}, 1000);", 300)
    with pytest.raises(KeyboardInterrupt):
        wrangler.deploy(ACCOUNT, {}, {"API_TOKEN": BEARER}, interrupt)
    until(nobody_in(groups[0]), "the group to end")
    assert list(kit.temporary.iterdir()) == []


def test_a_wrangler_that_hangs_is_ended(kit: Kit) -> None:
    groups: list[int] = []
    wrangler = stub(kit, "setInterval(() => {}, 1000);", 1)
    with pytest.raises(TimedOutError, match="within 1 s"):
        wrangler.deploy(ACCOUNT, {}, {}, lambda line: groups.append(int(line)))
    until(nobody_in(groups[0]), "the group to end")


@pytest.mark.parametrize("said", ["key-of-the-account", "Authorization: Bearer renewed-by-wrangler"])
def test_what_wrangler_knows_is_not_told(kit: Kit, said: str) -> None:
    kit.without("CLOUDFLARE_API_TOKEN")
    kit.environ["CLOUDFLARE_API_KEY"] = "key-of-the-account"
    wrangler = stub(kit, f"console.error('[ERROR] cannot use {said}'); process.exit(1);", 300)
    with pytest.raises(PlatformError) as raised:
        wrangler.deploy(ACCOUNT, {}, {}, lambda _: None)
    assert "***" in raised.value.message
    assert "key-of-the-account" not in raised.value.message
    assert "renewed-by-wrangler" not in raised.value.message


def test_no_temporary_folder_is_told(fake: FakeCloudflare, kit: Kit) -> None:
    kit.environ["TMPDIR"] = "/dev/null/x"
    with pytest.raises(NotConfiguredError, match="No temporary folder") as raised:
        kit.deployer().apply(kit.told)
    assert one_line(raised.value)
    assert fake.writes == []


def test_a_node_that_is_gone_is_told(kit: Kit) -> None:
    kit.node = replace(kit.node, path=Path("/dev/null/node"))
    with pytest.raises(NotConfiguredError, match="wrangler cannot be started") as raised:
        kit.wrangler.deploy(ACCOUNT, {}, {}, lambda _: None)
    assert one_line(raised.value)


@pytest.mark.parametrize("broken", ['{"type": "dep', "\\xff\\xfe", "[1, 2]"])
def test_a_broken_line_in_wrangler_s_record_is_passed_over(kit: Kit, broken: str) -> None:
    record = json.dumps({"type": "deploy", "version": 1, "version_id": VERSION, "targets": ["https://x.workers.dev"]})
    lines = f"Buffer.from('{broken}\\n' + {record!r} + '\\n{broken}', 'latin1')"
    wrangler = stub(
        kit, f"require('fs').writeFileSync(process.env.WRANGLER_OUTPUT_FILE_PATH, {lines}); process.exit();", 300
    )
    assert wrangler.deploy(ACCOUNT, {}, {}, lambda _: None).version == VERSION


def test_a_deploy_without_address_is_told(fake: FakeCloudflare, kit: Kit) -> None:
    record = json.dumps({"type": "deploy", "version": 1, "version_id": VERSION, "targets": ["workflow: x"]})
    wrangler = stub(
        kit, f"require('fs').writeFileSync(process.env.WRANGLER_OUTPUT_FILE_PATH, {record!r}); process.exit();", 300
    )
    (kit.home / "half" / "wrangler.jsonc").write_text((FOLDER / "wrangler.jsonc").read_text())
    with pytest.raises(PlatformError) as raised:
        CloudflareDeployer("dev", kit.environ, lambda: wrangler).apply(kit.told)
    assert raised.value.code == "no_address"
