"""AWS's own conformance cases for durable execution SDKs, on the local stack, with handlers of our own in TypeScript.

The cases are those of PyPI's aws-durable-execution-conformance-tests; their handlers are in aws-durable/conformance.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reservation_cli import settings
from reservation_cli.local import stack
from support.aws_engine_kit import free_port

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".tools" / "conformance" / "bin" / "python"
BUNDLE = ROOT / "aws-durable" / "dist" / "conformance" / "handler.mjs"
CASES = 148

pytestmark = pytest.mark.soak


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[stack.Stack]:
    """A stack that serves the handlers as conf-1-1, conf-1-2, ..."""
    home = tmp_path_factory.mktemp("conformance-home")
    environ = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "CLOUDFLARE_", "RESV_"))},
        "RESV_HOME": str(home),
        "RESV_CLOUDFLARE_PORT": str(free_port()),
        "RESV_AWS_PORT": str(free_port()),
        # A handler that crashes leaves word here for the next process.
        "TMPDIR": str(tmp_path_factory.mktemp("marks")),
    }
    python = [sys.executable, "-m"]
    build = [*python, "reservation_cli.local.npm", "aws-durable", "run", "build:conformance"]
    subprocess.run(build, cwd=ROOT, env=environ, check=True)
    up = [*python, "reservation_cli", "up", "--function", f"conf-*={BUNDLE}"]
    try:
        subprocess.run(up, cwd=ROOT, env=environ, check=True)
        running = stack.running(home)
        assert running is not None
        yield running
    finally:
        stack.stop(settings.load(environ, home).home, print)


def test_every_case_passes(serving: stack.Stack, tmp_path: Path) -> None:
    assert PYTHON.exists(), "make .tools/conformance/.installed"
    run = subprocess.run(
        [
            *(str(PYTHON), str(Path(__file__).with_name("run_cases.py"))),
            *("--endpoint", serving.aws_endpoint_url, "--region", serving.region),
            *("--host-log", str(serving.log_dir / "host.log"), "--histories", str(tmp_path)),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-2000:]
    reports: list[dict[str, Any]] = [json.loads(line) for line in run.stdout.splitlines()]
    passed = Counter(report["suite"] for report in reports if report["passed"])
    total = Counter(report["suite"] for report in reports)
    sys.stdout.write(_listed(reports))
    for suite, count in sorted(total.items()):
        sys.stdout.write(f"{suite:<20}{passed[suite]:>4} of {count}\n")
    sys.stdout.write(f"{'all':<20}{passed.total():>4} of {total.total()}\n")
    assert (passed.total(), total.total()) == (CASES, CASES)


def _listed(reports: list[dict[str, Any]]) -> str:
    lines = [""]
    for report in reports:
        lines.append(f"{'pass' if report['passed'] else 'FAIL'}  {report['id']:<5}  {report['description']}")
        lines.extend(f"      {error}" for error in report["errors"])
    return "\n".join(lines) + "\n\n"
