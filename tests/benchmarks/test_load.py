"""The figures of `resv bench` itself, on the local stack. `make bench` prints them.

The bare load tool is wrk (from PATH), with the same body against the same Worker, at the same time as ours.
"""

from __future__ import annotations

import gc
import json
import re
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from reservation_cli import settings
from reservation_cli.bench import collecting
from reservation_cli.bench.sending import Sender, Sent
from reservation_cli.bench.tickets import tickets
from reservation_cli.domain.benchmark import Plan
from reservation_cli.domain.reservation import PLATFORMS, Platform
from reservation_cli.platforms import PlatformClient, connect

pytestmark = [pytest.mark.bench, pytest.mark.stack]
RESV = str(Path(sys.executable).with_name("resv"))
CONCURRENCY = 50
SECONDS = 10
#: Until the holds of a turn have ended and workerd has closed the files of its seats (it may open 20,000 or fewer).
PAUSE_SECONDS = 15
#: wrk's script: the body that `resv bench` sends, with an id and a seat of its own for each request.
BODY = """
local thread, count = 0, 0
function setup(t) t:set("id", thread); thread = thread + 1 end
function request()
  count = count + 1
  local name = string.format("w%s-%d-%d", stamp, id, count)
  local body = string.format(
    '{"reservationId":"%s","seatId":"%s","userId":"bench","holdSeconds":5,"strategy":"sleep"}', name, name)
  return wrk.format("POST", "/reserve", {["Content-Type"] = "application/json"}, body)
end
"""


@pytest.fixture
def clients(stack_environ: Mapping[str, str], tmp_path: Path) -> Iterator[dict[Platform, PlatformClient]]:
    loaded = settings.load(stack_environ, tmp_path)
    made = {platform: connect(loaded, platform, None, print) for platform in PLATFORMS}
    # As the installed command has it.
    before = gc.get_threshold()
    gc.set_threshold(50_000)
    yield made
    gc.set_threshold(*before)
    for client in made.values():
        client.close()


def test_the_load_generator_starts_as_many_as_a_bare_load_tool(
    clients: dict[Platform, PlatformClient], tmp_path: Path
) -> None:
    """Both load the Worker at the same time, each with half of the requests under way.

    In turns they can't be told apart: the Worker's own rate differs by a factor of five from one minute to the next.
    """
    wrk = shutil.which("wrk")
    assert wrk, "wrk is needed to compare with: install Debian's or Homebrew's wrk"
    url = clients["cloudflare"].timeline(_warm(clients)).endpoint
    pairs: list[tuple[float, float]] = []
    for turn in range(6):
        with ThreadPoolExecutor(1) as pool:
            theirs = pool.submit(_wrk, wrk, url, tmp_path, turn)
            pairs.append((_ours(clients), theirs.result()))
        time.sleep(PAUSE_SECONDS)
    ratios = [ours / theirs for ours, theirs in pairs]
    ours, theirs_ = (sum(rates) / len(pairs) for rates in zip(*pairs, strict=True))
    print(
        f"\nstarts a second on the Worker, {CONCURRENCY // 2} under way each, at the same time: {ours:.1f} against "
        f"wrk's {theirs_:.1f} = {ours / theirs_:.2f} x (goal 0.90; pairs {min(ratios):.2f} to {max(ratios):.2f}, "
        f"n = {len(pairs)})"
    )
    assert ours / theirs_ >= 0.9


def test_following_costs_little(clients: dict[Platform, PlatformClient]) -> None:
    plan = Plan(platforms=PLATFORMS, count=500, concurrency=CONCURRENCY, holds=(5,))
    sent = _sent(plan, clients)
    time.sleep(collecting.quiet_seconds(sent, None))
    before = _cpu_seconds()
    deadline = time.monotonic() + 120
    ended = [item for item in collecting.finals(clients, sent, lambda: time.monotonic() > deadline, {}) if item]
    used = (_cpu_seconds() - before) / len(ended) * 100
    print(f"\nfollowing {len(ended)} reservations: {used:.3f} CPU-seconds each 100 (goal 0.25)")
    assert len(ended) == 1000
    assert used < 0.25


def test_a_thousand_executions_on_the_aws_engine(stack_environ: Mapping[str, str]) -> None:
    argv = [RESV, "bench", "-n", "1000", "-c", "100", "--hold", "5s", "--on", "aws", "--json"]
    run = json.loads(subprocess.run(argv, env=stack_environ, check=True, capture_output=True).stdout)
    lane = run["summary"]["lanes"][0]
    seconds, p99 = 1000 / lane["started_per_second"], lane["metrics"]["timer_error_ms"]["p99"]
    print(f"\n1000 starts on the AWS engine: {seconds:.2f} s (goal 15); p99 timer error {p99:.0f} ms (goal 2000)")
    assert (lane["right"], lane["lost"], lane["wrong"]) == (1000, 0, 0)
    assert seconds < 15
    assert p99 < 2000


def _warm(clients: Mapping[Platform, PlatformClient]) -> str:
    plan = Plan(platforms=("cloudflare",), count=20, concurrency=10, holds=(1,))
    return _sent(plan, clients)[-1].lane.ref


def _ours(clients: Mapping[Platform, PlatformClient]) -> float:
    """Accepted a second within the first SECONDS, what is under way then left out: as wrk counts."""
    sender = Sender(clients, CONCURRENCY // 2)
    plan = Plan(platforms=("cloudflare",), count=5000, concurrency=CONCURRENCY // 2, holds=(5,))
    begun, sent = time.monotonic(), []
    for one in sender.send(tickets(plan)):
        if time.monotonic() > begun + SECONDS:
            sender.stop()
        if one:
            sent.append(one)
    assert not [one for one in sent if one.error]
    return sum(one.accepted_at <= begun + SECONDS for one in sent) / SECONDS


def _wrk(wrk: str, url: str, folder: Path, turn: int) -> float:
    script = folder / f"reserve-{turn}.lua"
    script.write_text(f'stamp = "{time.time_ns()}"\n{BODY}')
    argv = [wrk, "-t1", f"-c{CONCURRENCY // 2}", f"-d{SECONDS}s", "--timeout", "30s", "-s", str(script), url]
    told = subprocess.run(argv, check=True, capture_output=True, text=True).stdout
    assert "Non-2xx" not in told, told
    found = re.search(r"Requests/sec:\s*([\d.]+)", told)
    assert found, told
    return float(found[1])


def _sent(plan: Plan, clients: Mapping[Platform, PlatformClient]) -> list[Sent]:
    sent = [one for one in Sender(clients, plan.concurrency).send(tickets(plan)) if one]
    assert not [one for one in sent if one.error]
    return sent


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
