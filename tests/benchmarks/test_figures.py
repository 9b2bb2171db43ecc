"""The figures that `resv` promises, each as a ratio measured within one run. `make bench` prints them.

Wall time of whole processes, alternating A and B, medians. The aws CLI is taken from PATH.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from reservation_cli import settings
from reservation_cli.local import halves, stack
from reservation_cli.local.node import find_node

pytestmark = [pytest.mark.bench, pytest.mark.stack]
RUNS = 7
RESV = str(Path(sys.executable).with_name("resv"))


def wall(argv: list[str], environ: Mapping[str, str]) -> float:
    """Seconds that one run takes; it must succeed."""
    began = time.perf_counter()
    subprocess.run(argv, env=environ, check=True, capture_output=True)
    return time.perf_counter() - began


def ratio(name: str, ours: Callable[[], float], other: Callable[[], float], goal: float, runs: int = RUNS) -> float:
    """Median of ours over median of the other's, warmed up once, in turns; printed with the goal."""
    ours(), other()
    pairs = [(ours(), other()) for _ in range(runs)]
    mine, theirs = statistics.median(a for a, _ in pairs), statistics.median(b for _, b in pairs)
    spread = sorted(a / b for a, b in pairs)
    print(
        f"\n{name}: {mine:.3f} s against {theirs:.3f} s = {mine / theirs:.2f} x (goal {goal:.2f}; "
        f"pairs {spread[0]:.2f} to {spread[-1]:.2f}, n = {runs})"
    )
    return mine / theirs


@pytest.fixture(scope="module")
def pair(stack_environ: Mapping[str, str]) -> tuple[str, str]:
    """A reservation on both engines: its id and its ARN."""
    argv = [RESV, "reserve", "--seat", f"bench-{time.time_ns()}", "--hold", "1h", "--json"]
    lanes = json.loads(subprocess.run(argv, env=stack_environ, check=True, capture_output=True).stdout)["lanes"]
    return lanes[0]["ref"], lanes[1]["ref"]


def test_compare_adds_at_most_a_second_to_the_hold(stack_environ: Mapping[str, str]) -> None:
    times = [wall([RESV, "compare", "--hold", "10s", "--json"], stack_environ) for _ in range(3)]
    print(f"\ncompare --hold 10s: {statistics.median(times):.2f} s, at most 11.00 (n = 3, worst {max(times):.2f})")
    assert statistics.median(times) <= 11.0


def test_status_of_an_arn_against_the_aws_cli(stack_environ: Mapping[str, str], pair: tuple[str, str]) -> None:
    aws = real_aws()
    exports = json.loads(subprocess.run([RESV, "env", "--json"], env=stack_environ, capture_output=True).stdout)
    get = [aws, "lambda", "get-durable-execution", "--durable-execution-arn", pair[1]]
    assert (
        ratio(
            "status <ARN> --json against aws lambda get-durable-execution",
            lambda: wall([RESV, "status", pair[1], "--json"], stack_environ),
            lambda: wall(get, {**stack_environ, **exports}),
            0.65,
        )
        <= 0.65
    )


def test_status_on_cloudflare_against_wrangler(stack_environ: Mapping[str, str], pair: tuple[str, str]) -> None:
    environ = settings.load(stack_environ)
    node = find_node(stack_environ)
    half = prepared_worker(environ)
    running = stack.running(environ.home)
    assert running is not None
    port = running.cloudflare_url.rpartition(":")[2]
    wrangler = [str(node.path), str(half / "node_modules/wrangler/bin/wrangler.js")]
    describe = [*wrangler, "workflows", "instances", "describe", running.workflow, pair[0], "--local", "--port", port]
    assert (
        ratio(
            "status ID --on cloudflare --json against wrangler workflows instances describe",
            lambda: wall([RESV, "status", pair[0], "--on", "cloudflare", "--json"], stack_environ),
            lambda: wall([*describe, "--json"], {**stack_environ, "WRANGLER_SEND_METRICS": "false", "CI": "1"}),
            0.25,
        )
        <= 0.25
    )


def test_help_against_importing_typer_and_rich(stack_environ: Mapping[str, str]) -> None:
    assert (
        ratio(
            "resv --help against python -c 'import typer, rich'",
            lambda: wall([RESV, "--help"], stack_environ),
            lambda: wall([sys.executable, "-c", "import typer, rich"], stack_environ),
            2.0,
            runs=15,
        )
        <= 2.0
    )


def test_stack_start_against_wrangler_alone(stack_environ: Mapping[str, str], tmp_path: Path) -> None:
    environ = {**stack_environ, "RESV_HOME": str(tmp_path / "home")}
    assert (
        ratio(
            "resv up against wrangler dev alone, to the first answer",
            lambda: start_of_the_stack(environ),
            lambda: start_of_wrangler(environ, tmp_path),
            1.25,
        )
        <= 1.25
    )


def start_of_the_stack(environ: Mapping[str, str]) -> float:
    """Seconds from `resv up` to both engines answering; stopped again afterwards."""
    taken = wall([RESV, "up", "--json"], environ)
    subprocess.run([RESV, "down"], env=environ, check=True, capture_output=True)
    return taken


def start_of_wrangler(environ: Mapping[str, str], directory: Path) -> float:
    """Seconds from starting `wrangler dev` alone, as the stack starts it, to its first answer."""
    node = find_node(environ)
    half = prepared_worker(settings.load(environ))
    port = stack_free_port()
    argv = [str(node.path), "node_modules/wrangler/bin/wrangler.js", "dev", "--ip", "127.0.0.1", "--port", str(port)]
    argv += ["--inspector-port", "0", "--persist-to", str(directory / "alone"), "--log-level", "warn"]
    argv += ["--show-interactive-dev-session=false"]
    quiet = {"CI": "1", "WRANGLER_SEND_METRICS": "false", "WRANGLER_HIDE_BANNER": "true", "DO_NOT_TRACK": "1"}
    began = time.perf_counter()
    process = subprocess.Popen(
        argv,
        cwd=half,
        env={**node.environ(environ), **quiet},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        while not answers(f"http://127.0.0.1:{port}/"):
            time.sleep(0.02)
        return time.perf_counter() - began
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()


def prepared_worker(known: settings.Settings) -> Path:
    """The folder of cf-workflow with its packages."""
    log = known.home / "npm.log"
    return halves.prepare("cf-workflow", find_node(known.environ), known.environ, log, print)


def answers(url: str) -> bool:
    """Whether a GET is answered at all."""
    try:
        with urllib.request.urlopen(url, timeout=2):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


def stack_free_port() -> int:
    """A port that nobody listens on now."""
    from conftest import free_port

    return free_port()


def real_aws() -> str:
    """The aws CLI itself, not a version manager's shim before it, whose own time would flatter us."""
    found = shutil.which("aws")
    if found is None:
        pytest.fail("The aws CLI is not on PATH; the figure is a ratio to it.")
    pyenv = shutil.which("pyenv")
    if pyenv and "shims" in found:
        found = subprocess.run([pyenv, "which", "aws"], check=True, capture_output=True, text=True).stdout.strip()
    return found
