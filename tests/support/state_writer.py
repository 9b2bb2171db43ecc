"""A process that writes to the state: `python state_writer.py HOME PREFIX COUNT`, a line for each one remembered.

The line comes once `remember` has returned: what it names must be in the state from then on, whatever happens.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from reservation_cli import store
from reservation_cli.domain.reservation import ReservationRequest
from support.fake_platform import FakePlatform


def remember(home: Path, prefix: str, number: int) -> str:
    """Remember reservation PREFIX-NUMBER on both platforms; gives its id."""
    name = f"{prefix}-{number}"
    fakes = (FakePlatform("cloudflare"), FakePlatform("aws"))
    lanes = [fake.reserve(ReservationRequest(name, f"S{number}", "user123", 900)) for fake in fakes]
    store.remember(home, [replace(lane, ref=f"{name}-{lane.platform}") for lane in lanes])
    return name


def main(home: Path, prefix: str, count: int) -> None:
    for number in range(count):
        sys.stdout.write(remember(home, prefix, number) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
