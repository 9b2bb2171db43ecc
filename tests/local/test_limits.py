"""The limit of open files: what is asked for, on every kind of system, and how many reservations it is enough for."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest

from reservation_cli.doctor.local import local
from reservation_cli.local import limits
from reservation_cli.settings import load

UNLIMITED = resource.RLIM_INFINITY


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """A system with limits of its own; `kernel` is the most that it gives, whatever the hard limit says."""
    system = {"soft": 256, "hard": UNLIMITED, "kernel": 1 << 20}

    def change(_: int, wanted: tuple[int, int]) -> None:
        if wanted[0] > system["kernel"] or (system["hard"] != UNLIMITED and wanted[0] > system["hard"]):
            raise ValueError("current limit exceeds maximum limit")
        system["soft"], system["hard"] = wanted

    monkeypatch.setattr(resource, "getrlimit", lambda _: (system["soft"], system["hard"]))
    monkeypatch.setattr(resource, "setrlimit", change)
    return system


@pytest.mark.parametrize(
    ("soft", "hard", "kernel", "expected"),
    [
        (1024, 524_288, 1 << 20, limits.MOST),  # systemd
        (1024, 4096, 1 << 20, 4096),  # older Linux
        (1024, 1024, 1 << 20, 1024),
        (256, UNLIMITED, 1 << 20, limits.MOST),  # macOS
        (256, UNLIMITED, 10_240, 10_240),  # macOS, whose kernel gives no more
        (256, UNLIMITED, 512, 256),
        (1_048_576, 1_048_576, 1 << 20, 1_048_576),  # containers: never lowered
        (UNLIMITED, UNLIMITED, 1 << 20, limits.MOST),
    ],
)
def test_the_soft_limit_is_raised_as_far_as_it_goes(
    system: dict[str, int], soft: int, hard: int, kernel: int, expected: int
) -> None:
    system |= {"soft": soft, "hard": hard, "kernel": kernel}
    assert limits.raise_open_files() == expected
    assert system["soft"] == (soft if soft == UNLIMITED else expected)
    assert system["hard"] == hard


@pytest.mark.parametrize(("hard", "state", "number"), [(1024, "warning", "102"), (20_000, "ok", "2,211")])
def test_the_doctor_says_how_many_reservations_it_is_enough_for(
    system: dict[str, int], tmp_path: Path, hard: int, state: str, number: str
) -> None:
    system["hard"] = hard
    settings = load({"RESV_HOME": str(tmp_path)}, tmp_path)
    (check,) = [check for check in local(settings, needed=False) if check.name == "open files"]
    assert (check.state, check.detail) == (
        state,
        f"{hard:,} at most, for {number} reservations within 10 s.",
    )
    assert bool(check.fix) == (state == "warning")
