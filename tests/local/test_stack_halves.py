"""Installing and building the halves, with a stand-in for npm."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from reservation_cli.errors import NotConfiguredError
from reservation_cli.local import halves, processes
from reservation_cli.local.node import Node
from support.waiting import until

#: `npm ci` removes node_modules first and `npm run build` writes dist. `plan` beside the halves says what befalls it.
NPM = """
import pathlib, shutil, sys, time
here = pathlib.Path.cwd()
plan = here.parent / "plan"
with (here.parent / "calls").open("a") as calls:
    calls.write(f"{here.name} {' '.join(sys.argv[1:])}\\n")
if sys.argv[1] == "ci":
    shutil.rmtree(here / "node_modules", ignore_errors=True)
    (here / "node_modules").mkdir()
    if plan.exists() and plan.read_text() == "fail":
        print("npm error code E404")
        print("npm error 404 Not Found - GET https://registry.example/left-pad")
        print("npm error A complete log of this run can be found in: /x")
        sys.exit(1)
    while plan.exists():
        time.sleep(0.02)
    (here / "node_modules" / "whole").touch()
else:
    (here / "dist").mkdir(exist_ok=True)
    (here / "dist" / "host.mjs").write_text((here / "src" / "handler.ts").read_text())
"""


@dataclass
class Workshop:
    """A checkout with both halves, and npm's stand-in."""

    root: Path
    node: Node
    said: list[str] = field(default_factory=list)

    def prepare(self, half: str = "aws-durable") -> Path:
        environ = {**os.environ, "RESV_CACHE": str(self.root / "cache")}
        return halves.prepare(half, self.node, environ, self.root / "npm.log", self.said.append)

    def calls(self) -> list[str]:
        path = self.root / "calls"
        return path.read_text().splitlines() if path.exists() else []

    def befall(self, what: str | None) -> None:
        plan = self.root / "plan"
        plan.unlink(missing_ok=True)
        if what:
            plan.write_text(what)


CI = "aws-durable ci --no-audit --no-fund"
BUILD = "aws-durable run build"


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workshop:
    for half in ("cf-workflow", "aws-durable"):
        (tmp_path / half / "src").mkdir(parents=True)
        (tmp_path / half / "package-lock.json").write_text("{}")
        (tmp_path / half / "src" / "handler.ts").write_text("one")
    npm = tmp_path / "npm.py"
    npm.write_text(NPM)
    monkeypatch.setattr(halves, "PACKAGE", tmp_path / "reservation_cli")
    return Workshop(tmp_path, Node(Path(sys.executable), "24.19.0", [sys.executable, str(npm)]))


def test_packages_are_installed_and_the_bundle_is_built_once(shop: Workshop) -> None:
    assert shop.prepare() == shop.root / "aws-durable"
    assert shop.said == [
        "Installing packages for aws-durable (first use, or they have changed)…",
        "Building aws-durable…",
    ]
    shop.prepare()
    assert shop.calls() == [CI, BUILD]
    shop.prepare("cf-workflow")
    assert shop.calls()[2:] == ["cf-workflow ci --no-audit --no-fund"]


def test_other_packages_another_node_and_other_sources_are_noticed(shop: Workshop) -> None:
    shop.prepare()
    (shop.root / "aws-durable/package-lock.json").write_text('{"other": 1}')
    shop.prepare()
    assert shop.calls()[2:] == [CI]
    shop.node = Node(shop.node.path, "26.0.0", shop.node.npm)
    shop.prepare()
    assert shop.calls()[3:] == [CI]
    (shop.root / "aws-durable/src/handler.ts").write_text("two")
    shop.prepare()
    assert shop.calls()[4:] == [BUILD]
    assert (shop.root / "aws-durable/dist/host.mjs").read_text() == "two"


def test_an_install_that_fails_half_way_is_told_and_repaired(shop: Workshop) -> None:
    shop.befall("fail")
    with pytest.raises(NotConfiguredError) as caught:
        shop.prepare()
    assert caught.value.exit_code == 6
    expected = "npm ci failed in aws-durable: 404 Not Found - GET https://registry.example/left-pad"
    assert caught.value.message == expected
    assert str(shop.root / "npm.log") in (caught.value.hint or "")
    shop.befall(None)
    folder = shop.prepare()
    assert (folder / "node_modules/whole").exists()


def npm_pids(shop: Workshop) -> list[int]:
    return [process.pid for process in processes.table() if f"{shop.root / 'npm.py'} ci" in process.command]


def test_an_interrupt_ends_npm_and_the_next_try_repairs(shop: Workshop) -> None:
    shop.befall("wait")
    pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            shop.prepare()
        except KeyboardInterrupt:
            os._exit(130)
        finally:
            os._exit(1)  # whatever happens: a second pytest must not go on from here
    until(lambda: (shop.root / "aws-durable/node_modules").exists(), "npm's start")
    os.kill(pid, signal.SIGINT)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 130
    assert npm_pids(shop) == []
    shop.befall(None)
    assert (shop.prepare() / "node_modules/whole").exists()


def test_two_at_a_time_install_once(shop: Workshop) -> None:
    shop.befall("wait")
    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(shop.prepare) for _ in range(2)]
        waiting = "Another process is preparing aws-durable; waiting for it…"
        until(lambda: waiting in shop.said, "the word of the one that waits")
        shop.befall(None)
        assert both[0].result() == both[1].result()
    assert shop.calls() == [CI, BUILD]


def test_npm_outlives_a_killed_command_and_keeps_others_waiting(shop: Workshop) -> None:
    shop.befall("wait")
    pid = os.fork()
    if pid == 0:
        try:
            shop.prepare()
        finally:
            os._exit(0)
    until(lambda: (shop.root / "aws-durable/node_modules").exists(), "npm's start")
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    with ThreadPoolExecutor(1) as pool:
        second = pool.submit(shop.prepare)
        until(lambda: "Another process is preparing aws-durable; waiting for it…" in shop.said, "the wait")
        assert npm_pids(shop) != []
        shop.befall(None)
        second.result()
    assert shop.calls() == [CI, CI, BUILD]


def test_an_installed_package_uses_copies_outside_itself(shop: Workshop) -> None:
    shipped = shop.root / "reservation_cli" / "_halves"
    shipped.mkdir(parents=True)
    shutil.move(shop.root / "aws-durable", shipped / "aws-durable")
    folder = shop.prepare()
    assert folder.parent == shop.root / "cache"
    assert folder.name.startswith("aws-durable-")
    assert (folder / "dist/host.mjs").read_text() == "one"
    assert sorted(path.name for path in (shipped / "aws-durable").iterdir()) == ["package-lock.json", "src"]
    assert shop.prepare() == folder
    (shipped / "aws-durable/src/handler.ts").write_text("two")
    assert shop.prepare() != folder


def test_an_installation_without_a_half_says_so(shop: Workshop) -> None:
    shutil.rmtree(shop.root / "aws-durable")
    with pytest.raises(NotConfiguredError, match="lacks aws-durable"):
        shop.prepare()
