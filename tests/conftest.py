"""Fixtures for all suites. The real stack is started once a session, in a RESV_HOME and on ports of its own."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from reservation_cli import settings
from reservation_cli.local import stack
from support import schemas
from support.fake_platform import FakePlatform

# A shell that starts a job in the background has it ignore Ctrl-C, and so would every command that is tried.
signal.signal(signal.SIGINT, signal.default_int_handler)


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def stack_environ(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    """The environment in which `resv` uses the session's real stack, which runs and is stopped at the end."""
    home = tmp_path_factory.mktemp("stack-home")
    environ = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "CLOUDFLARE_", "RESV_"))},
        "RESV_HOME": str(home),
        "RESV_CLOUDFLARE_PORT": str(free_port()),
        "RESV_AWS_PORT": str(free_port()),
    }
    stack.ensure(settings.load(environ, home), print)
    yield environ
    stack.stop(home, print)


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """An environment with a RESV_HOME of its own and a terminal of 100 columns."""
    return {"RESV_HOME": str(tmp_path / "home"), "COLUMNS": "100", "NO_COLOR": "1"}


@pytest.fixture
def cloudflare() -> FakePlatform:
    return FakePlatform("cloudflare")


@pytest.fixture
def aws() -> FakePlatform:
    return FakePlatform("aws")


@pytest.fixture
def run_resv(
    environ: dict[str, str], cloudflare: FakePlatform, aws: FakePlatform, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Run `resv` on the two fakes: gives exit code, stdout and stderr; what `--json` prints is valid."""
    from reservation_cli.cli import main

    fakes = {"cloudflare": cloudflare, "aws": aws}

    def run(*argv: str) -> tuple[int, str, str]:
        code = main(argv, environ, connect=lambda _settings, platform, _place, _progress: fakes[platform])
        out, err = capsys.readouterr()
        schemas.check(argv, code, out, err)
        return code, out, err

    return run
