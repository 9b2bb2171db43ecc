"""The local stack: AWS's engine, the ports, and whether it runs and answers."""

from __future__ import annotations

from functools import partial
from importlib.metadata import PackageNotFoundError, version
from urllib.parse import urlsplit

from reservation_cli.doctor.check import Check, attempt, lacking, refused
from reservation_cli.errors import ResvError
from reservation_cli.lanes import together
from reservation_cli.local import limits, localhttp, ports, stack
from reservation_cli.local.stack import Stack
from reservation_cli.settings import Settings

_ENGINE = "aws-durable-execution-sdk-python-testing"
_ANSWER_SECONDS = 5.0
#: With fewer reservations at once than that the limit of open files is worth a warning: `resv bench` makes as many.
_FEW = 1000


def local(settings: Settings, needed: bool) -> list[Check]:
    """The stack of `settings.home`; it is not started."""
    found = attempt(lambda: stack.running(settings.home))
    running = found if isinstance(found, Stack) else None
    return [
        _engine(needed),
        _open_files(),
        _port(
            "Cloudflare", "RESV_CLOUDFLARE_PORT", settings.cloudflare_port, running.cloudflare_url if running else None
        ),
        _port("AWS", "RESV_AWS_PORT", settings.aws_port, running.aws_endpoint_url if running else None),
        refused("local", "stack", found, needed) if isinstance(found, ResvError) else _stack(running, needed),
    ]


def _engine(needed: bool) -> Check:
    try:
        found = version(_ENGINE)
    except PackageNotFoundError:
        return lacking(
            "local", "AWS engine", f"{_ENGINE} is not installed.", "pip install 'reservation-cli[local]'", needed
        )
    return Check("local", "AWS engine", "ok", f"{_ENGINE} {found}", needed=needed)


def _open_files() -> Check:
    """What the stack, started from here, would get: it raises the soft limit to the hard one."""
    limit = limits.raise_open_files()
    number = limits.at_once(limit)
    detail = f"{limit:,} at most, for {number:,} reservations within {limits.BUSY_SECONDS} s."
    if number < _FEW:
        return Check(
            "local", "open files", "warning", detail, f"ulimit -Hn shows the limit; {limits.MOST:,} is plenty."
        )
    return Check("local", "open files", "ok", detail)


def _port(platform: str, variable: str, wanted: int, url: str | None) -> Check:
    name = f"{platform} port"
    used = urlsplit(url).port if url else None
    if used == wanted:
        return Check("local", name, "ok", f"{wanted}, used by the running stack.")
    if url is None and ports.is_free(wanted):
        return Check("local", name, "ok", f"{wanted} is free.")
    if used is not None:
        return Check("local", name, "ok", f"{wanted} was taken; the running stack has {used}.")
    return Check(
        "local",
        name,
        "warning",
        f"{wanted} is taken by another program; the stack takes any free port instead.",
        f"`lsof -i :{wanted}` shows which one; or set {variable}.",
    )


def _stack(running: Stack | None, needed: bool) -> Check:
    if running is None:
        return Check("local", "stack", "optional", "Not running; the first command that needs it starts it.", "resv up")
    asked = [(running.cloudflare_url, "/"), (running.aws_endpoint_url, "/health")]
    silent = [url for url in together([partial(_silent, url, path) for url, path in asked]) if url]
    where = f"Cloudflare {running.cloudflare_url}, AWS {running.aws_endpoint_url}, process {running.pid}"
    if silent:
        return lacking(
            "local",
            "stack",
            f"{where}: no answer from {' and '.join(map(str, silent))}.",
            "resv down && resv up",
            needed,
        )
    return Check("local", "stack", "ok", f"Running: {where}, since {running.started_at:%Y-%m-%d %H:%M} UTC.")


def _silent(url: str, path: str) -> str:
    """`url` unless it answers."""
    try:
        localhttp.get(urlsplit(url).port or 80, path, _ANSWER_SECONDS)
    except OSError:
        return url
    return ""
