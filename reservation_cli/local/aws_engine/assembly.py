"""Putting the parts together: store, scheduler, executor, recovery and the HTTP front."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from aws_durable_execution_sdk_python_testing.__about__ import __version__

from reservation_cli.local.aws_engine.api import Api
from reservation_cli.local.aws_engine.chained import LocalChildDispatcher
from reservation_cli.local.aws_engine.clock import MillisecondClock, WallClockScheduler
from reservation_cli.local.aws_engine.executor import LocalExecutor
from reservation_cli.local.aws_engine.functions import Function, Functions
from reservation_cli.local.aws_engine.host import HandlerHost
from reservation_cli.local.aws_engine.invoke import InvokeApi
from reservation_cli.local.aws_engine.recovery import forget_hourly, recover
from reservation_cli.local.aws_engine.server import EngineServer
from reservation_cli.local.aws_engine.store import SqliteStore, StoreError

ENGINE = "aws-durable-execution-sdk-python-testing"
ENGINE_VERSION = "1.4.0"


class UnusableError(Exception):
    """The engine cannot start; the message says why."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What the endpoint serves, for whom, and where it keeps it."""

    host_url: str
    data: Path
    region: str
    functions: list[Function]


class EngineProcess:
    """The running parts of the endpoint."""

    def __init__(self, server: EngineServer, store: SqliteStore, clock: MillisecondClock) -> None:
        self._server = server
        self._store = store
        self._clock = clock
        self._ended = threading.Event()

    def start(self) -> None:
        threading.Thread(target=self._server.serve_forever, name="http", daemon=True).start()
        parts = (self._store, self._clock, self._ended)
        threading.Thread(target=forget_hourly, args=parts, name="forget", daemon=True).start()

    def close(self) -> None:
        """Stop accepting, then let the write in progress finish and release the store."""
        self._ended.set()
        self._server.socket.close()
        self._store.close()


def assemble(settings: Settings, listener: socket.socket) -> EngineProcess:
    """Load the store, resume what was running, and put an HTTP server on `listener`.

    Raises `UnusableError` when the store cannot be opened or the installed engine is not the one this was written for.
    """
    if __version__ != ENGINE_VERSION:
        # The subclasses override internals of the engine, which another version is free to change.
        raise UnusableError(f"{ENGINE} {ENGINE_VERSION} is required, {__version__} is installed")
    try:
        store = SqliteStore(settings.data)
        host = HandlerHost(settings.host_url, still_running=store.is_live)
    except (StoreError, ValueError) as error:
        raise UnusableError(str(error)) from error
    clock = MillisecondClock()
    scheduler = WallClockScheduler()
    # The engine leaves `start` without annotations.
    start_scheduler: Callable[[], None] = scheduler.start
    start_scheduler()
    functions = Functions(settings.region, settings.functions)
    executor = LocalExecutor(store, scheduler, host, clock, functions, LocalChildDispatcher(functions, host))
    recover(executor, store, clock)
    api = Api(functions, executor, store, InvokeApi(functions, executor, store, host))
    server = EngineServer(
        listener, api.handle, {"engine": ENGINE, "version": __version__}, running=lambda: store.running
    )
    return EngineProcess(server, store, clock)
