"""The logs of a deployment on AWS, out of CloudWatch Logs: of the workflow's function, and of the seats function.

Lambda marks the lines of an invocation with its RequestId, and the durable SDK's logger writes the execution's ARN, in
which its name stands. So the lines about one execution are those with its name, or with a RequestId that its history
tells; an invocation is in the history once it has ended.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from reservation_cli.domain.deployment import AwsDeployment
from reservation_cli.domain.reservation import parse_time
from reservation_cli.errors import NotFoundError, PlatformError, TimedOutError
from reservation_cli.logs import LogLine
from reservation_cli.platforms.aws import UNREADABLE, AwsClient
from reservation_cli.platforms.aws_errors import translated, unreadable
from reservation_cli.platforms.aws_history import request_ids
from reservation_cli.platforms.aws_session import Aws
from reservation_cli.platforms.payloads import as_list

LOOK_AGAIN_SECONDS = 2.0
#: Failures in a row before following ends: each has been tried five times already.
PATIENCE = 10
# How far back of now each look goes until there are lines enough: the groups keep 14 days.
_WINDOWS = tuple(timedelta(minutes=minutes) for minutes in (10, 60, 24 * 60, 14 * 24 * 60))
# Lines are a few seconds late, and those of an invocation are known for its execution's only when it has ended.
_OVERLAP_MS = 60_000
# AWS refuses what is signed by a clock that is further off.
_SKEW = timedelta(minutes=5)
_LONGEST_PATTERN = 1024


@dataclass(frozen=True, slots=True)
class Scope:
    """What lines to show: those with one of `words` in them, from `since` on. Without words, all."""

    words: tuple[str, ...] = ()
    since: datetime | None = None

    @property
    def pattern(self) -> str:
        """A filter pattern that lets the lines through; "" when there are too many words for one."""
        pattern = " ".join(f'?"{word}"' for word in self.words)
        return pattern if len(pattern) <= _LONGEST_PATTERN else ""

    def has(self, text: str) -> bool:
        """Whether a line belongs: r-1 stands in `/r-1/`, but not in `/r-12/`."""
        return not self.words or any(
            re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", text) is not None for word in self.words
        )


EVERYTHING = Scope()
# Epoch milliseconds, and the message.
Event = tuple[int, str]


def scope_of(client: AwsClient, ref: str) -> Scope:
    """The lines about the execution `ref`: one look at its history. Raises what AwsClient.timeline raises."""
    arn, events = client.history(ref)
    times = [at for event in events if (at := parse_time(event.get("EventTimestamp")))]
    return Scope((arn.split("/")[-2], *request_ids(events)), min(times, default=None))


@dataclass(slots=True)
class CloudLogs:
    """The log groups of one deployment, read from where `past` and `follow` have come to."""

    api: Any
    groups: Mapping[str, str]
    label: str
    sleep: Callable[[float], object] = time.sleep
    _seen: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        deployment: AwsDeployment,
        environ: Mapping[str, str],
        config: Config | None = None,
        sleep: Callable[[float], object] = time.sleep,
    ) -> CloudLogs:
        """The logs of `deployment`: `aws` of the workflow, `seats` of the seats function.

        Raises NotConfiguredError without credentials, before any call. `sleep` takes seconds.
        """
        aws = Aws.of(environ)
        aws.require_credentials(deployment.label)
        groups = {"aws": f"/aws/lambda/{deployment.function}", "seats": f"/aws/lambda/{deployment.seats_function}"}
        return cls(aws.client("logs", deployment.region, config), groups, deployment.label, sleep)

    def past(self, newest: int, scope: Scope = EVERYTHING, now: datetime | None = None) -> Iterator[LogLine]:
        """The `newest` lines of each log, in the order of their times, at most 14 days old.

        Raises NotFoundError when neither log exists yet, and PlatformError, TimedOutError, NotConfiguredError.
        """
        now = now or datetime.now(UTC)
        found = {name: self._newest(group, newest, scope, now) for name, group in self.groups.items()}
        if all(events is None for events in found.values()):
            raise NotFoundError(
                f"{self.label}: nothing has been logged yet.",
                hint="The first reservation makes the logs: resv reserve --seat A1 --on aws",
            )
        yield from _lines({name: events or [] for name, events in found.items()})

    def follow(self, scope: Callable[[], Scope] = lambda: EVERYTHING) -> Iterator[LogLine]:
        """The lines that come after those that `past` has read, without end; `scope` is asked for before each look.

        A log that does not exist yet is waited for. Raises what `past` and `scope` raise; what may pass by itself only
        after `PATIENCE` failures in a row.
        """
        begun, failures = _millis(datetime.now(UTC) - _SKEW), 0
        while True:
            since = max([begun, *self._seen.values()]) - _OVERLAP_MS
            self._seen = {event: at for event, at in self._seen.items() if at >= since}
            found: dict[str, list[Event]] = {}
            try:
                wanted = scope()
                for name, group in self.groups.items():
                    found[name] = self._read(group, wanted, since) or []
                failures = 0
            except (PlatformError, TimedOutError):
                failures += 1
                if failures > PATIENCE:
                    raise
            yield from _lines(found)
            self.sleep(LOOK_AGAIN_SECONDS)

    def close(self) -> None:
        """Close the connections."""
        self.api.close()

    def _newest(self, group: str, newest: int, scope: Scope, now: datetime) -> list[Event] | None:
        """The newest events of a log, oldest first; None when there is no such log."""
        windows = [_millis(now - window) for window in _WINDOWS]
        begins = [_millis(scope.since) - _OVERLAP_MS] if scope.since else windows
        events: list[Event] = []
        until: int | None = None
        for begin in begins:
            earlier = self._read(group, scope, begin, until)
            if earlier is None:
                return None
            events = earlier + events
            if len(events) >= newest:
                break
            until = begin - 1
        return events[-newest:] if newest else []

    def _read(self, group: str, scope: Scope, since: int, until: int | None = None) -> list[Event] | None:
        """The events of that time, in epoch milliseconds, that have not been read before, oldest first.

        None when there is no such log.
        """
        asked: dict[str, object] = {"logGroupName": group, "startTime": since}
        if until is not None:
            asked["endTime"] = until
        if scope.pattern:
            asked["filterPattern"] = scope.pattern
        fresh: dict[str, Event] = {}
        pages: set[object] = set()
        while True:
            answer = self._call(asked)
            if answer is None:
                return None
            for event in as_list(answer.get("events")):
                message, at = event.get("message"), event.get("timestamp")
                if not (isinstance(message, str) and isinstance(at, int) and scope.has(message)):
                    continue
                name = str(event.get("eventId") or (event.get("logStreamName"), at, message))
                if name not in self._seen:
                    fresh[name] = (at, message)
            if not (token := answer.get("nextToken")):
                self._seen.update((name, at) for name, (at, _) in fresh.items())
                return list(fresh.values())
            if token in pages:  # it would go on for ever
                raise unreadable(self.label)
            pages.add(token)
            asked["nextToken"] = token

    def _call(self, asked: Mapping[str, object]) -> Mapping[str, Any] | None:
        try:
            answer: Mapping[str, Any] = self.api.filter_log_events(**asked)
        except (ClientError, BotoCoreError) as error:
            if isinstance(error, ClientError) and error.response["Error"].get("Code") == "ResourceNotFoundException":
                return None
            raise translated(error, self.label, "read the logs") from error
        except UNREADABLE as error:
            raise unreadable(self.label) from error
        return answer


def _lines(found: Mapping[str, Sequence[Event]]) -> Iterator[LogLine]:
    """The events of all logs in the order of their times."""
    merged = sorted(((at, log, text) for log, events in found.items() for at, text in events), key=lambda line: line[0])
    for _, log, text in merged:
        # Lambda writes the lines of one message, a stack trace, with \r between them.
        yield LogLine(log, text.rstrip("\r\n").replace("\r", "\n"))


def _millis(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
