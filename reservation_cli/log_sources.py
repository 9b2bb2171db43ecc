"""Whose lines `resv logs` shows: of the local stack's parts, of a deployment on AWS, of one on Cloudflare."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from reservation_cli import lanes, logs
from reservation_cli.domain.arn import parse_arn
from reservation_cli.domain.deployment import AwsDeployment, CloudflareDeployment
from reservation_cli.domain.reservation import PLATFORMS, Platform
from reservation_cli.errors import NotFoundError
from reservation_cli.logs import LogLine
from reservation_cli.options import Command, On, platforms_of

#: How long Workers Observability keeps logs, at most.
_CLOUDFLARE_KEEPS = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Source:
    """Where lines come from: `past` gives the newest ones, oldest first; `follow` further ones, without end.

    What `follow` starts lasts as long as its context.
    """

    past: Callable[[], Iterator[LogLine]]
    follow: Callable[[], AbstractContextManager[Iterator[LogLine]]]


def sources(me: Command, what: str, newest: int) -> list[Source]:
    """The sources for `all`, a platform or a ref, with `newest` lines each."""
    if what == "all":
        about, ref, platforms = None, "", PLATFORMS
    elif what in PLATFORMS:
        about, ref, platforms = None, "", tuple(platform for platform in PLATFORMS if platform == what)
    else:
        ref = lanes.resolve(me.settings.home, what)
        about, platforms = parse_arn(ref).name if ref.startswith("arn:") else ref, platforms_of(On.both, ref)
    places = me.places(platforms, ref)
    found: list[Source] = []
    local = [platform for platform, where in places.items() if where is None]
    if local:
        found.append(_local(me, local, about, newest))
    for where in places.values():
        if isinstance(where, AwsDeployment):
            found.append(_aws(me, where, ref, newest))
        elif isinstance(where, CloudflareDeployment):
            found.append(_cloudflare(me, where, about, newest))
    return found


def past(sources: Sequence[Source], about: str = "") -> Generator[LogLine]:
    """What all of them have; NotFoundError only when none has a log (`about` that ref), any other error as it is."""
    missing: list[NotFoundError] = []
    for source in sources:
        try:
            yield from source.past()
        except NotFoundError as error:
            missing.append(error)
    if missing and len(missing) == len(sources):
        raise unmentioned(about) if about else missing[0]


def unmentioned(ref: str) -> NotFoundError:
    """The error for a ref that no log mentions."""
    return NotFoundError(f"No log mentions {ref}.", hint="Logs are kept for a while only: README says how long.")


def follow(sources: Sequence[Source]) -> Generator[LogLine]:
    """Their further lines as they come; the first error of one ends it. What they have started ends with this."""
    news: queue.SimpleQueue[LogLine | BaseException] = queue.SimpleQueue()

    def run(lines: Iterator[LogLine]) -> None:
        try:
            for line in lines:
                news.put(line)
        except BaseException as error:  # noqa: BLE001 - handed to the caller's thread below
            news.put(error)

    with ExitStack() as begun:
        streams = [begun.enter_context(source.follow()) for source in sources]
        if len(streams) == 1:
            yield from streams[0]
            return
        for lines in streams:
            threading.Thread(target=run, args=(lines,), daemon=True).start()
        while True:
            item = news.get()
            if isinstance(item, BaseException):
                raise item
            yield item


def _local(me: Command, platforms: Sequence[Platform], about: str | None, newest: int) -> Source:
    home = me.settings.home
    names = logs.LOGS["all"] if len(platforms) == len(PLATFORMS) else logs.LOGS[platforms[0]]
    return Source(lambda: logs.tail(home, names, about, newest), lambda: nullcontext(logs.grow(home, names, about)))


def _aws(me: Command, deployment: AwsDeployment, ref: str, newest: int) -> Source:
    from reservation_cli.platforms import aws_logs  # deferred: botocore, 130 ms
    from reservation_cli.platforms.aws import AwsClient

    read = aws_logs.CloudLogs.of(deployment, me.settings.environ)
    if not ref:
        return Source(lambda: read.past(newest), lambda: nullcontext(read.follow()))
    client = AwsClient.cloud(deployment, me.settings.environ)
    return Source(
        lambda: read.past(newest, aws_logs.scope_of(client, ref)),
        lambda: nullcontext(read.follow(lambda: aws_logs.scope_of(client, ref))),
    )


def _cloudflare(me: Command, deployment: CloudflareDeployment, about: str | None, newest: int) -> Source:
    from reservation_cli.deploy import ways  # deferred: httpx, and Node.js
    from reservation_cli.platforms import cloudflare_logs

    environ, note = me.settings.environ, me.output.note
    since = datetime.now(UTC) - _CLOUDFLARE_KEEPS

    def tailed() -> AbstractContextManager[Iterator[LogLine]]:
        return cloudflare_logs.follow(deployment, ways.wrangler(me.settings, note), about)

    return Source(lambda: cloudflare_logs.past(deployment, environ, since, about, newest, note), tailed)
