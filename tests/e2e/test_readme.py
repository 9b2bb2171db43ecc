"""Every `resv` command that README shows, run in its order on the real stack."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

pytestmark = pytest.mark.stack
README = (Path(__file__).parents[2] / "README.md").read_text()
RESV = Path(sys.executable).with_name("resv")
#: README's own order but for these: they are covered by name elsewhere, or would end what the others need.
ELSEWHERE = ("resv down", "resv up")


def commands() -> Iterator[str]:
    table = README.partition("## Commands")[2].partition("Exit codes:")[0]
    for row in table.splitlines():
        for command in re.findall(r"`(resv [^`]*)`", row) if row.startswith("|") else ():
            if command not in ELSEWHERE:
                yield command


def test_every_command_of_readme_runs(stack_environ: Mapping[str, str], tmp_path: Path) -> None:
    def run(command: str) -> subprocess.CompletedProcess[str]:
        argv = command.replace("resv", str(RESV), 1)
        return subprocess.run(
            argv, shell=True, cwd=tmp_path, env=stack_environ, capture_output=True, text=True, timeout=300
        )

    assert len(list(commands())) > 12
    for command in commands():
        last = json.loads(run("resv status last --json").stdout or "{}")
        refs = {lane["platform"]: lane["ref"] for lane in last.get("lanes", [])}
        # A placeholder is the last reservation; nothing but Ctrl-C ends --follow.
        filled = re.sub(r"<reservation id>|<id>", last.get("request", {}).get("reservation_id", ""), command)
        filled = filled.replace("<ARN>", refs.get("aws", "")).replace(" --follow", "")
        if "<run>" in filled or "RUN.json" in filled:
            newest = json.loads(run("resv runs --json").stdout)["runs"][0]
            filled = filled.replace("<run>", newest["id"]).replace("RUN.json", newest["path"])
        done = run(filled)
        # `resv cancel` comes right after `resv confirm`, and is told that it is too late; a machine may be slow.
        wanted = {4} if command == "resv cancel" else {0, 8} if "--fail-if" in command else {0}
        assert done.returncode in wanted, f"{filled}: {done.stderr}"
