"""The supervisor against stand-in children: what it starts, it keeps alive, and it leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from reservation_cli.errors import NotConfiguredError, PlatformError
from reservation_cli.local import halves, leftovers, localhttp, plan, ports, processes, stack

STAND_IN = Path(__file__).with_name("stand_in.py")
FACTS = {
    "cloudflare_url": "",
    "workflow": "w",
    "aws_endpoint_url": "",
    "dynamodb_url": "",
    "region": "us-east-2",
    "account": "000000000000",
    "function": "f",
    "qualifier": "live",
    "seats_function": "s",
    "engines": {"node": "24.0.0"},
}


def until[T](condition: Callable[[], T]) -> T:
    """The first truthy value of `condition`, waited for at most 30 s."""
    deadline = time.monotonic() + 30
    pause = threading.Event()
    while not (value := condition()):
        assert time.monotonic() < deadline, "it did not happen"
        pause.wait(0.02)
    return value


def alive(pid: int) -> bool:
    return any(process.pid == pid for process in processes.table())
