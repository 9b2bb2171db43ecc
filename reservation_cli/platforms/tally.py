"""Counting the HTTP requests of a client, each repetition and each page by itself."""

from __future__ import annotations

import threading


class Tally:
    """A count that the threads of a process share."""

    def __init__(self) -> None:
        self.count = 0
        self._lock = threading.Lock()

    def add(self, *_: object, **__: object) -> None:
        """Count one: takes whatever httpx and botocore tell their hooks, and answers neither."""
        with self._lock:
            self.count += 1
