"""schemathesis against the Worker: requests made after its OpenAPI description, right and wrong ones."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_TESTS = Path(__file__).parents[1]
#: All of them but what needs a token, which no local Worker asks for.
_LEFT_OUT = "ignored_auth"


@dataclass(frozen=True, slots=True)
class Report:
    """How many requests were made, what was wrong with the answers, and all that was said."""

    cases: int
    failures: list[Any]
    text: str


def run(url: str, folder: Path, examples: int, seed: int, phases: str = "coverage,fuzzing,stateful") -> Report:
    """Up to `examples` requests for each operation in each phase: at the schema's edges, at random, and in sequences.

    The same seed generates the same requests. What it writes stands in `folder`.
    """
    path = folder / "report.json"
    options = {
        "seed": seed,
        "phases": phases,
        "max-examples": examples,
        "generation-database": "none",
        "exclude-checks": _LEFT_OUT,
        "report": "json",
        "report-json-path": path,
    }
    argv = [f"--{name}={value}" for name, value in options.items()]
    kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    done = subprocess.run(
        [sys.executable, "-m", "schemathesis.cli", "run", f"{url}/openapi.json", "--no-color", *argv],
        cwd=folder,
        env={**kept, "PYTHONPATH": str(_TESTS), "SCHEMATHESIS_HOOKS": "support.schemathesis_hooks"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if not path.is_file():
        return Report(0, ["no report"], done.stdout)
    told = json.loads(path.read_text(encoding="utf-8"))
    failures = [*told["failures"], *told["errors"], *([] if done.returncode == 0 else [f"exit code {done.returncode}"])]
    return Report(int(told["test_cases"]["generated"]), failures, done.stdout)
