"""Serial lanes that share threads.

The engine gives every running execution a thread of its own. A local stack holds a thousand sleeping executions, so
here a lane takes a thread from a common pool only while it has work.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from itertools import count
from queue import PriorityQueue
from threading import Lock
from typing import TypeVar

from aws_durable_execution_sdk_python_testing.scheduler import Scheduler
from aws_durable_execution_sdk_python_testing.threads import DaemonThreadPool
from aws_durable_execution_sdk_python_testing.worker.execution_worker import ExecutionWorker
from aws_durable_execution_sdk_python_testing.worker.lane import SerialTaskLane
from aws_durable_execution_sdk_python_testing.worker.registry import ExecutionRegistry
from aws_durable_execution_sdk_python_testing.worker.task import ExecutionTask

from reservation_cli.local.aws_engine.store import SqliteStore

T = TypeVar("T")

_LANE_THREADS = 32


class PooledLane(SerialTaskLane):
    """Runs tasks one at a time, in order, on whatever pool thread is free.

    The base's constructor is left out: it makes the thread that this class does without.
    """

    def __init__(self, pool: DaemonThreadPool, after_task: Callable[[], None]) -> None:
        self._pool = pool
        self._after_task = after_task
        self._tasks: deque[Callable[[], None]] = deque()
        self._guard = Lock()
        self._draining = False
        self._closed = False

    def submit(self, fn: Callable[[], T]) -> Future[T]:
        future: Future[T] = Future()

        def run() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                try:
                    result = fn()
                finally:
                    self._after_task()
            except BaseException as error:  # noqa: BLE001 - relayed to whoever waits for the task
                future.set_exception(error)
            else:
                future.set_result(result)

        with self._guard:
            if self._closed:
                raise RuntimeError("the lane is stopped")
            self._tasks.append(run)
            start = not self._draining
            self._draining = True
        if start:
            self._pool.submit(self._drain)
        return future

    def _drain(self) -> None:
        while True:
            with self._guard:
                if not self._tasks:
                    self._draining = False
                    return
                task = self._tasks.popleft()
            task()

    def stop(self, *, wait: bool = True) -> None:
        """Refuse further tasks; those already submitted still run. Never waits, whatever `wait` says."""
        with self._guard:
            self._closed = True

    def is_running(self) -> bool:
        with self._guard:
            return self._draining


class PriorityPool:
    """Runs calls on the threads of a pool: those with the lowest number first, equal ones in their order."""

    def __init__(self, pool: DaemonThreadPool) -> None:
        self._pool = pool
        self._waiting: PriorityQueue[tuple[int, int, Callable[[], None]]] = PriorityQueue()
        self._order = count()

    def submit(self, priority: int, call: Callable[[], None]) -> None:
        self._waiting.put((priority, next(self._order), call))
        self._pool.submit(self._run_next)

    def _run_next(self) -> None:
        _, _, call = self._waiting.get_nowait()
        call()


class PooledWorker(ExecutionWorker):
    """A worker that also leaves the registry when a task fails on an execution that has ended."""

    def _run(self, task: ExecutionTask[T]) -> T:
        try:
            return super()._run(task)
        except Exception:
            if self.reload().is_complete:
                self._teardown()
            raise


class LaneRegistry(ExecutionRegistry):
    """The engine's registry of workers, on pooled lanes that write the store after each task."""

    def __init__(self, store: SqliteStore, scheduler: Scheduler) -> None:
        super().__init__(store, scheduler)
        self._executions = store
        self._pool = DaemonThreadPool(max_workers=_LANE_THREADS, thread_name_prefix="lane")

    def get_or_create(self, execution_arn: str) -> ExecutionWorker:
        with self._lock:
            worker = self._workers.get(execution_arn)
            if worker is None:
                lane = PooledLane(self._pool, lambda: self._executions.flush(execution_arn))
                worker = PooledWorker(execution_arn, self._store, self._scheduler, self, lane)
                self._workers[execution_arn] = worker
            return worker
