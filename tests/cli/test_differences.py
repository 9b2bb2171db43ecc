"""resv differences as a user meets it: no stack, no account, no network."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reservation_cli.cli import main
from reservation_cli.domain.differences import topics
from reservation_cli.domain.quotes import line_of

ROOT = Path(__file__).parents[2]
Run = Callable[..., tuple[int, str, str]]

SLEEP_80 = """\
Sleep ──────────────────────────────────────────────────────────────────────────
  Cloudflare  step.sleep(name, "15 minutes"), or a number of milliseconds; 365
              days at most. Asleep, an instance uses no CPU time and does not
              count as running.
              cf-workflow/src/workflow.ts:{cloudflare}
                await step.sleep("hold-window", `${holdSeconds} seconds`);
  AWS         context.wait(name, {seconds}): whole seconds, 1 s to 366 days; it
              cannot be cancelled. The function ends meanwhile, so no compute is
              billed.
              aws-durable/src/handler.ts:{aws}
                await context.wait("hold-window", { seconds: holdSeconds });

By the vendors' documentation of autumn 2026; limits and prices as dated. The
code is this project's own.
Both workflow files whole: resv differences --code
"""

SLEEP_120 = """\
Cloudflare Workflows                                       │ AWS Lambda durable functions
Sleep ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────
step.sleep(name, "15 minutes"), or a number of             │ context.wait(name, {seconds}): whole seconds, 1 s to 366
milliseconds; 365 days at most. Asleep, an instance uses   │ days; it cannot be cancelled. The function ends meanwhile,
no CPU time and does not count as running.                 │ so no compute is billed.
cf-workflow/src/workflow.ts:{cloudflare}                             │ aws-durable/src/handler.ts:{aws}
  await step.sleep("hold-window", `${holdSeconds}          │   await context.wait("hold-window", { seconds:
  ↳ seconds`);                                             │   ↳ holdSeconds });

By the vendors' documentation of autumn 2026; limits and prices as dated. The code is this project's own.
Both workflow files whole: resv differences --code
"""

CODE_100 = """\
Strategy sleep ─────────────────────────────────────────────────────────────────────────────────────
NN  /** Sleeps the whole hold and then looks: a  │  NN  /** Sleeps the whole hold and then looks:
    ↳ confirmation in the meantime has been      │      ↳ a confirmation in the meantime has been
    ↳ decided by the seat. */                    │      ↳ decided by the seat. */
NN  async function sleep(step: WorkflowStep, {   │  NN  async function sleep(context:
    ↳ holdSeconds }: ReservationRequest):        │      ↳ DurableContext, { holdSeconds }:
    ↳ Promise<Decision> {                        │      ↳ ReservationRequest): Promise<Decision> {
NN    await step.sleep("hold-window",            │  NN    await context.wait("hold-window", {
      ↳ `${holdSeconds} seconds`);               │        ↳ seconds: holdSeconds });
NN    return "expire";                           │  NN    return "expire";
NN  }                                            │  NN  }
NN                                               │  NN
"""


def numbers() -> dict[str, str]:
    """Where the two lines now stand: the pictures hold whatever is added above them."""
    places = {
        "{cloudflare}": ("cf-workflow/src/workflow.ts", 'step.sleep("hold-window"'),
        "{aws}": ("aws-durable/src/handler.ts", 'context.wait("hold-window"'),
    }
    return {name: str(line_of((ROOT / file).read_text(), text)) for name, (file, text) in places.items()}


def filled(picture: str) -> str:
    for name, number in numbers().items():
        picture = picture.replace(name, number)
    return picture


@pytest.mark.parametrize(("width", "picture"), [("80", SLEEP_80), ("120", SLEEP_120)])
def test_one_topic(run_resv: Run, environ: dict[str, str], width: str, picture: str) -> None:
    environ["COLUMNS"] = width
    assert run_resv("differences", "sleep") == (0, filled(picture), "")


@pytest.mark.parametrize("width", ["80", "120", "160"])
def test_all_topics_in_their_order(run_resv: Run, environ: dict[str, str], width: str) -> None:
    environ["COLUMNS"] = width
    code, out, err = run_resv("differences")
    assert (code, err) == (0, "")
    titles = [line.split(" ─")[0].split(" · ")[0] for line in out.splitlines() if line.endswith("───")]
    assert titles == [topic.replace("-", " ").capitalize() for topic in topics()]
    assert "Limits · as of 2026-11 ─" in out


def test_as_json(run_resv: Run) -> None:
    code, out, err = run_resv("differences", "--json")
    assert (code, err) == (0, "")
    body: dict[str, Any] = json.loads(out)
    assert [difference["topic"] for difference in body["differences"]] == topics()
    quotes = [
        quote
        for difference in body["differences"]
        for platform in ("cloudflare", "aws")
        for quote in difference[platform]["code"]
    ]
    assert len(quotes) >= 2 * len(topics())
    for quote in quotes:
        lines = (ROOT / quote["file"]).read_text().splitlines()
        assert lines[quote["line"] - 1].strip() == quote["text"]


def test_one_topic_as_json(run_resv: Run) -> None:
    code, out, err = run_resv("differences", "Local testing", "--json")
    assert (code, err) == (0, "")
    (difference,) = json.loads(out)["differences"]
    assert difference["topic"] == "local-testing"
    assert set(difference) == {"topic", "cloudflare", "aws", "as_of"}


def test_the_two_files_next_to_each_other(run_resv: Run, environ: dict[str, str]) -> None:
    environ["COLUMNS"] = "100"
    code, out, err = run_resv("differences", "--code")
    assert (code, err) == (0, "")
    assert out.splitlines()[0] == (
        "Cloudflare · cf-workflow/src/workflow.ts         │ AWS · aws-durable/src/handler.ts"
    )
    assert CODE_100 in re.sub(r"(?m)(^|│  )\d\d(?=  |$)", r"\1NN", out)


def test_the_two_files_below_each_other(run_resv: Run, environ: dict[str, str]) -> None:
    environ["COLUMNS"] = "80"
    code, out, err = run_resv("differences", "--code")
    assert (code, err) == (0, "")
    section = out.partition("Strategy sleep ─")[2].partition("Strategy event ─")[0]
    assert "│" not in section
    cloudflare, _, aws = section.partition("AWS · aws-durable/src/handler.ts")
    assert "Cloudflare · cf-workflow/src/workflow.ts" in cloudflare
    assert 'step.sleep("hold-window"' in cloudflare
    assert 'context.wait("hold-window"' in aws


def test_the_two_files_as_json(run_resv: Run) -> None:
    code, out, err = run_resv("differences", "--code", "--json")
    assert (code, err) == (0, "")
    blocks = json.loads(out)["code"]
    for platform in ("cloudflare", "aws"):
        whole = [line for block in blocks for line in block[platform]["lines"]]
        (file,) = {block[platform]["file"] for block in blocks}
        assert whole == (ROOT / file).read_text().splitlines()


@pytest.mark.parametrize(
    ("topic", "hint"),
    [
        ("slep", "Did you mean sleep? The topics: workflow, step, "),
        ("banana", "The topics: workflow, step, "),
        ("", "The topics: workflow, step, "),
    ],
)
def test_a_topic_that_there_is_not(run_resv: Run, topic: str, hint: str) -> None:
    code, out, err = run_resv("differences", topic)
    assert (code, out) == (2, "")
    assert err.startswith(f"Error: There is no topic '{topic}'.\nHint: {hint}")
    assert err.endswith("teardown.\n")


def test_a_topic_that_there_is_not_as_json(run_resv: Run) -> None:
    code, out, err = run_resv("differences", "slep", "--json")
    assert (code, out) == (2, "")
    error = json.loads(err)["error"]
    assert (error["code"], error["message"]) == ("usage", "There is no topic 'slep'.")
    assert error["hint"].startswith("Did you mean sleep? ")


def test_code_takes_no_topic(run_resv: Run) -> None:
    assert run_resv("differences", "sleep", "--code") == (
        2,
        "",
        "Error: --code shows both workflow files whole, without a topic.\n"
        "Hint: resv differences sleep, or resv differences --code\n",
    )


@pytest.mark.parametrize("option", [(), ("--code",)])
def test_no_colour_into_a_pipe(environ: dict[str, str], capsys: pytest.CaptureFixture[str], option: list[str]) -> None:
    def unreachable(*_: object) -> Any:
        raise AssertionError("No platform is needed.")

    del environ["NO_COLOR"]
    assert main(["differences", *option], environ, connect=unreachable) == 0
    out, err = capsys.readouterr()
    assert "\x1b" not in out
    assert err == ""
    assert not Path(environ["RESV_HOME"]).exists()


@pytest.mark.parametrize("option", [(), ("--code",)])
def test_colour_on_a_terminal(environ: dict[str, str], capsys: pytest.CaptureFixture[str], option: list[str]) -> None:
    del environ["NO_COLOR"]
    environ |= {"FORCE_COLOR": "1", "TERM": "xterm-256color"}
    assert main(["differences", *option], environ) == 0
    out, _ = capsys.readouterr()
    # A keyword has its colour, and nothing of what stands before it in its row.
    assert "\x1b[94mawait\x1b[0m" in out
    assert "\x1b[94mconst\x1b[0m" in out
