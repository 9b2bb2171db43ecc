"""Lines of several logs at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from reservation_cli.errors import NotFoundError, PlatformError
from reservation_cli.log_sources import Source, follow, past
from reservation_cli.logs import LogLine


class Log:
    """A log that has one line, then another once it is followed, and then waits until it is told to end."""

    def __init__(self, name: str, error: Exception | None = None) -> None:
        self.name, self.error = name, error
        self.over = threading.Event()
        self.going = 0
        self.source = Source(self._past, self._follow)

    def _past(self) -> Iterator[LogLine]:
        if self.error is not None:
            raise self.error
        yield LogLine(self.name, "before")

    @contextmanager
    def _follow(self) -> Iterator[Iterator[LogLine]]:
        self.going += 1
        try:
            yield self._lines()
        finally:
            self.going -= 1
            self.over.set()

    def _lines(self) -> Iterator[LogLine]:
        if self.error is not None:
            raise self.error
        yield LogLine(self.name, "after")
        self.over.wait()


@pytest.mark.parametrize("names", [["aws"], ["aws", "cloudflare"]])
def test_what_is_followed_ends_when_nobody_reads_any_more(names: list[str]) -> None:
    logs = [Log(name) for name in names]
    lines = follow([log.source for log in logs])
    assert {next(lines).log for _ in logs} == set(names)
    assert [log.going for log in logs] == [1] * len(names)
    lines.close()
    assert [log.going for log in logs] == [0] * len(names)


def test_the_error_of_one_ends_all() -> None:
    logs = [Log("aws"), Log("cloudflare", PlatformError("gone"))]
    with pytest.raises(PlatformError):
        list(follow([log.source for log in logs]))
    assert [log.going for log in logs] == [0, 0]


def test_a_missing_log_hides_no_other() -> None:
    missing, there = Log("aws", NotFoundError("none")), Log("cloudflare")
    assert [line.log for line in past([missing.source, there.source])] == ["cloudflare"]
    with pytest.raises(NotFoundError):
        list(past([missing.source]))
