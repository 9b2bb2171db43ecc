"""Command lines that nobody would type: every option and argument of every command, with any value."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any
from unittest import mock

import typer.main
from hypothesis import strategies as st

from reservation_cli import errors
from reservation_cli.cli import app, main
from reservation_cli.domain.deployment import Deployment
from reservation_cli.domain.reservation import Platform
from reservation_cli.errors import NotConfiguredError
from reservation_cli.platforms import PlatformClient
from reservation_cli.settings import Settings
from support import schemas
from support.bad_input import is_tame, texts
from support.fake_platform import FakePlatform

ARN = "arn:aws:lambda:us-east-2:000000000000:function:reservation-workflow-dev:1/durable-execution/r-1/a1b2"
#: Values that are right for some option or other, so that others are reached behind them.
_RIGHT = ("A1", "user123", "1s", "15m", "2d", "event", "sleep", "both", "aws", "cloudflare", "local", "dev", "last")
_RIGHT_TOO = ("r-1", ARN, "us-east-2", "held", "5", "1M", "retries", "run", "expired", "aws.timer_error_ms.p95 > 200")
#: What these would start if all else were right is no work for a generated test.
_STARTING = ("up", "env", "doctor", "down")
_DRY = ("deploy", "teardown")
_MEASURING = ("compare", "bench", "chaos", "logs")
_ENDLESS = ("--watch", "--follow", "-f")
_SPOILT = "--no-such-option"
#: `chaos` starts a stack of its own once all is right: it is to fail at the last that it looks at.
_NOBODY = ("--target", "nobody")
#: 1 is not among them: that is a bug.
EXIT_CODES = frozenset({0, *(kind.exit_code for kind in errors.ResvError.__subclasses__())})


@dataclass(frozen=True, slots=True)
class Line:
    """A command line, and whether the platforms can be reached."""

    argv: tuple[str, ...]
    reachable: bool


def commands() -> Mapping[str, Any]:
    """The commands of `resv` by name, with their parameters."""
    found: Mapping[str, Any] = _group().commands
    return found


@cache
def _group() -> Any:
    return typer.main.get_command(app)


def _values() -> st.SearchStrategy[str]:
    return st.sampled_from(_RIGHT + _RIGHT_TOO) | texts()


@st.composite
def lines(draw: st.DrawFn) -> Line:
    """A command with options and arguments of its own, and now and then with some of nobody's."""
    name = draw(st.sampled_from(sorted(commands())))
    argv: list[str] = [name]
    for parameter in draw(st.lists(st.sampled_from(commands()[name].params), max_size=5)):
        value = draw(_values())
        if parameter.param_type_name == "argument":
            argv.append(value)
        elif parameter.is_flag:
            argv.append(draw(st.sampled_from(parameter.opts)))
        else:
            option = draw(st.sampled_from(parameter.opts))
            argv += draw(st.sampled_from([[option, value], [f"{option}={value}"], [option]]))
    if name == "reserve" and draw(st.booleans()):
        argv += ["--seat", draw(_values())]
    argv += draw(st.lists(texts(), max_size=1))
    if name in _STARTING or set(argv) & set(_ENDLESS) or any(word.startswith("-f") for word in argv):
        argv.insert(1, _SPOILT)
    if name == "chaos":
        argv += _NOBODY
    if name in _DRY:
        argv.insert(1, "--dry-run")
    if draw(st.booleans()):
        argv.insert(1, "--json")
    return Line(tuple(argv), name not in _MEASURING and draw(st.booleans()))


def check(line: Line, environ: Mapping[str, str]) -> int:
    """Run it. AssertionError unless it ends as documented; gives the exit code."""
    fakes: dict[Platform, FakePlatform] = {"cloudflare": FakePlatform("cloudflare"), "aws": FakePlatform("aws")}

    def connect(
        _settings: Settings, platform: Platform, _place: Deployment | None, _progress: object
    ) -> PlatformClient:
        if not line.reachable:
            raise NotConfiguredError("There is no platform here.", hint="None is needed.")
        return fakes[platform]

    out, err = io.StringIO(), io.StringIO()
    # Typer makes its commands anew at each call, which takes longer than most bad input.
    made_once = mock.patch("typer.main.get_command", return_value=_group())
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), made_once:
        code = main(line.argv, environ, connect)
    _judge(line.argv, code, out.getvalue(), err.getvalue())
    return code


def _judge(argv: Sequence[str], code: int, out: str, err: str) -> None:
    """AssertionError that says what is wrong with how it ended."""
    for complaint in _complaints(argv, code, out, err):
        raise AssertionError(f"{complaint}: {argv!r:.2000} -> {code}\n{out[-2000:]}\n{err[-3000:]}")
    # As the value of another option it is no flag: `--seat --json`.
    if "--json" in argv and (code != 0 or out.startswith("{")):
        schemas.check(argv, code, out, err)


def _complaints(argv: Sequence[str], code: int, out: str, err: str) -> Iterator[str]:
    lines = err.splitlines()
    if code not in EXIT_CODES:
        yield "no documented exit code"
    if "Traceback (most recent" in err:
        yield "a traceback"
    if not (is_tame(out) and is_tame(err)):
        yield "signs that a terminal obeys"
    if code == errors.UsageError.exit_code and out:
        yield "data after bad usage"
    if code == 0:
        return
    if "--json" in argv:
        if not lines or not lines[-1].startswith("{"):
            yield "no error as JSON"
        return
    error = [line for line in lines if line.startswith(("Error: ", "Hint: "))]
    if not error or not error[0].startswith("Error: ") or len(error) > 2 or lines[-len(error) :] != error:
        yield "an error of another form"
    elif max(map(len, error)) > 3000:
        yield "an endless line"


def environment(home: str) -> dict[str, str]:
    """An environment in which nothing of this machine is found, neither credentials nor tools."""
    nowhere = f"{home}/nowhere"
    return {
        "RESV_HOME": f"{home}/home",
        "RESV_CACHE": f"{home}/cache",
        "HOME": home,
        "PATH": nowhere,
        "COLUMNS": "100",
        "NO_COLOR": "1",
        "AWS_CONFIG_FILE": nowhere,
        "AWS_SHARED_CREDENTIALS_FILE": nowhere,
        "AWS_EC2_METADATA_DISABLED": "true",
        "XDG_CONFIG_HOME": nowhere,
        "TMPDIR": "/tmp" if sys.platform != "win32" else home,
    }
