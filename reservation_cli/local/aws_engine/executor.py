"""The engine's executor with what the Lambda service does and the pinned engine does not."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from threading import Condition, Lock
from typing import TypeVar
from uuid import uuid4

from aws_durable_execution_sdk_python.execution import DurableExecutionInvocationInput
from aws_durable_execution_sdk_python.lambda_service import (
    CallbackOptions,
    CallbackTimeoutType,
    ErrorObject,
    Operation,
    OperationAction,
    OperationStatus,
    OperationType,
    OperationUpdate,
)
from aws_durable_execution_sdk_python_testing.checkpoint.processor import CheckpointProcessor
from aws_durable_execution_sdk_python_testing.checkpoint.processors.callback import CallbackProcessor
from aws_durable_execution_sdk_python_testing.checkpoint.processors.context import ContextProcessor
from aws_durable_execution_sdk_python_testing.checkpoint.processors.execution import ExecutionProcessor
from aws_durable_execution_sdk_python_testing.checkpoint.processors.invoke import ChainedInvokeProcessor
from aws_durable_execution_sdk_python_testing.checkpoint.processors.step import StepProcessor
from aws_durable_execution_sdk_python_testing.checkpoint.processors.wait import WaitProcessor
from aws_durable_execution_sdk_python_testing.checkpoint.transformer import CheckpointRequestDispatcher
from aws_durable_execution_sdk_python_testing.child_dispatcher import ChildDispatcher
from aws_durable_execution_sdk_python_testing.exceptions import (
    InvalidInvocationOutputError,
    ResourceNotFoundException,
)
from aws_durable_execution_sdk_python_testing.execution import Execution
from aws_durable_execution_sdk_python_testing.executor import Executor
from aws_durable_execution_sdk_python_testing.invoker import InvokeResponse
from aws_durable_execution_sdk_python_testing.model import (
    StartDurableExecutionInput,
    StopDurableExecutionResponse,
    executed_version,
)
from aws_durable_execution_sdk_python_testing.observer import ExecutionNotifier
from aws_durable_execution_sdk_python_testing.threads import DaemonThreadPool
from aws_durable_execution_sdk_python_testing.token import CallbackToken
from aws_durable_execution_sdk_python_testing.worker.checkpoint_tasks import CallableTask
from aws_durable_execution_sdk_python_testing.worker.status import InvocationState

from reservation_cli.local.aws_engine.clock import MillisecondClock, WallClockScheduler
from reservation_cli.local.aws_engine.errors import callback_closed, invalid_parameter, not_found, not_stored
from reservation_cli.local.aws_engine.execution import LocalExecution
from reservation_cli.local.aws_engine.functions import Functions
from reservation_cli.local.aws_engine.host import (
    HandlerHost,
    HostUnavailableError,
    InvocationAbandonedError,
    InvocationFailedError,
)
from reservation_cli.local.aws_engine.lanes import LaneRegistry, PriorityPool
from reservation_cli.local.aws_engine.store import NoRoomError, SqliteStore

logger = logging.getLogger(__name__)
T = TypeVar("T")

#: For each deployment: handlers that never yield hold up no others than their own.
_INVOCATION_THREADS = 64
#: What has begun goes before what begins: the service has room for both, and one machine must not fire timers late
#: because new executions arrive.
_RESUMING, _STARTING = 0, 1
_INVOCATION_ERRORS = (
    HostUnavailableError,
    InvalidInvocationOutputError,
    InvocationAbandonedError,
    InvocationFailedError,
    ResourceNotFoundException,
    TimeoutError,
)
_ABSENCE_RETRY_SECONDS = 0.2
# A bundle that is being built is away for longer than a host that is started again.
_MISSING_RETRY_SECONDS = 2.0
#: Seconds after which a caller looks whether the lane it waits for stands still.
_STALL_SECONDS = 0.5
# The service takes longer to start the target of a chained invoke than its caller to suspend, so that a target ends
# after the caller's invocation. Here a target would be the faster one: it waits for its caller, but not longer than
# this, as the caller may have other things to do.
_CHAINED_INVOKE_SECONDS = 0.5
# After a crash the host is usually back within a second, and `HandlerHost` waits for it; the growing delay is for a
# handler that crashes its process every time. The last attempt has no delay: it fails the execution.
_CRASH_RETRY_SECONDS = (0.1, 0.3, 1.0, 2.0)


class _StepProcessor(StepProcessor):
    """Keeps the state of a wait-for-condition when its next attempt starts, as the service does."""

    def process(
        self,
        update: OperationUpdate,
        current_op: Operation | None,
        notifier: ExecutionNotifier,
        execution_arn: str,
        now: datetime,
    ) -> Operation:
        operation = super().process(update, current_op, notifier, execution_arn, now)
        previous = current_op.step_details if current_op is not None else None
        if update.action is OperationAction.START and previous is not None and operation.step_details is not None:
            return replace(operation, step_details=replace(operation.step_details, result=previous.result))
        return operation


class LocalExecutor(Executor):
    """Starts, resumes and ends durable executions, and survives a restart (see `recovery`)."""

    def __init__(
        self,
        store: SqliteStore,
        scheduler: WallClockScheduler,
        host: HandlerHost,
        clock: MillisecondClock,
        functions: Functions,
        child_dispatcher: ChildDispatcher | None = None,
    ) -> None:
        super().__init__(
            store=store,
            scheduler=scheduler,
            invoker=host,
            checkpoint_processor=CheckpointProcessor(store, scheduler, clock),
            registry=LaneRegistry(store, scheduler),
            clock=clock,
            region=functions.region,
            child_dispatcher=child_dispatcher,
        )
        self._executions = store
        self._functions = functions
        self._pools: dict[str, DaemonThreadPool] = {}
        self._invocations: dict[str, PriorityPool] = {}
        self._pools_lock = Lock()
        self._missing: set[str] = set()
        self._dispatcher = CheckpointRequestDispatcher(
            {
                OperationType.STEP: _StepProcessor(),
                OperationType.WAIT: WaitProcessor(),
                OperationType.CONTEXT: ContextProcessor(),
                OperationType.CALLBACK: CallbackProcessor(),
                OperationType.EXECUTION: ExecutionProcessor(),
                OperationType.CHAINED_INVOKE: ChainedInvokeProcessor(self.preflight_chained_invoke),
            }
        )
        self._ended = Condition()
        self._held: dict[str, list[Callable[[], None]]] = {}
        self._held_lock = Lock()

    # Start and end

    def _create_execution(
        self, input: StartDurableExecutionInput, parent_execution_arn: str | None = None
    ) -> LocalExecution:
        """Create and store an execution with an ARN of the service's shape.

        Raises sqlite3.Error when nobody's chained invoke starts it and it cannot be stored: then there is none.
        """
        start = replace(input, invocation_id=input.invocation_id or str(uuid4()))
        version = executed_version(start.function_qualifier)
        execution = LocalExecution(
            f"arn:aws:lambda:{self.region}:{start.account_id}:function:{start.function_name}:{version}"
            f"/durable-execution/{start.execution_name}/{start.invocation_id}",
            start,
            [],
        )
        execution.region = self.region
        execution.parent_execution_arn = parent_execution_arn
        execution.start(now=self._clock.now())
        if parent_execution_arn is None:
            self._executions.write(execution)
        else:  # its caller waits for it, whatever happens
            self._store.update(execution)
        return execution

    def _launch_execution(self, execution: Execution, timeout_seconds: int) -> None:
        arn = execution.durable_execution_arn
        self.arm_execution_timeout(self._executions.load(arn))
        self._submit_invocation(_STARTING, arn)

    def stop_execution(self, execution_arn: str, error: ErrorObject | None = None) -> StopDurableExecutionResponse:
        """Stop an execution. Raises `ApiError` 500 when that could not be stored."""
        self._require_room(execution_arn)
        return super().stop_execution(execution_arn, error)

    def look(self, execution: LocalExecution, look: Callable[[], T]) -> T:
        """What `look` sees of an execution between its changes, not in the middle of one."""
        arn = execution.durable_execution_arn
        if not self._executions.is_live(arn):
            return look()
        try:
            return self._on_moving_lane(arn, look)
        except NoRoomError:  # then its lane stands still, or will before the execution changes
            return look()

    def _require_room(self, arn: str) -> None:
        """Refuse what somebody asks for when it could not be stored: otherwise the answer waits until there is room."""
        execution = self.find(arn)
        try:
            self._on_moving_lane(arn, lambda: self._executions.write(execution))
        except (NoRoomError, sqlite3.OperationalError) as error:
            raise not_stored(error) from error

    def _on_moving_lane(self, arn: str, work: Callable[[], T]) -> T:
        """As `_on_lane`. Raises `NoRoomError`, and `work` is not done, while lanes wait for room on the disk."""
        if (reason := self._executions.no_room) is not None:
            raise NoRoomError(reason)
        future = self._registry.submit(arn, CallableTask(work))
        while True:
            try:
                return future.result(_STALL_SECONDS)
            except TimeoutError as error:
                reason = self._executions.no_room
                if reason is not None and future.cancel():
                    raise NoRoomError(reason) from error

    def shutdown(self) -> None:
        super().shutdown()
        for pool in self._pools.values():
            pool.shutdown()

    def wait_for_end(self, arn: str) -> LocalExecution:
        """Block until the execution has ended and its end is on disk."""
        with self._ended:
            self._ended.wait_for(lambda: not self._executions.is_live(arn))
        return self.find(arn)

    def find(self, arn: str) -> LocalExecution:
        """The execution with that ARN. Raises `ApiError` 404 when there is none."""
        try:
            return self._executions.load(arn)
        except KeyError as error:
            raise not_found(f"Durable execution not found: {arn}") from error

    def _complete_events(self, execution_arn: str) -> None:
        super()._complete_events(execution_arn)
        with self._pending_wakeup_lock:
            wakeup = self._pending_wakeup.pop(execution_arn, None)
        if wakeup is not None:
            wakeup.cancel()
        for operation in self._executions.load(execution_arn).operations:
            if operation.callback_details is not None:
                self._cleanup_callback_timeouts(operation.callback_details.callback_id)
        with self._ended:
            self._ended.notify_all()

    # Invocations

    def _invoke_execution(self, execution_arn: str, delay: float = 0) -> None:
        """Invoke the handler on a thread of the pool, after `delay` seconds."""
        if delay == 0:
            self._submit_invocation(_RESUMING, execution_arn)
            return

        async def later() -> None:
            self._submit_invocation(_RESUMING, execution_arn)

        self._scheduler.call_later(later, delay=delay)

    def _submit_invocation(self, priority: int, arn: str) -> None:
        name = self._executions.load(arn).start_input.function_name
        deployment = self._functions.deployment(name)
        if deployment is None:
            # It may be served after a restart, which then takes up what is due.
            self._tell_missing(name)
            return
        with self._pools_lock:
            invocations = self._invocations.get(deployment)
            if invocations is None:
                pool = DaemonThreadPool(max_workers=_INVOCATION_THREADS, thread_name_prefix="invocation")
                self._pools[deployment] = pool
                invocations = self._invocations[deployment] = PriorityPool(pool)
        invocations.submit(priority, partial(self._invoke, arn))

    def _tell_missing(self, name: str) -> None:
        if name not in self._missing:
            self._missing.add(name)
            logger.warning("the function %s is not there; its executions wait for it", name)

    def _invoke(self, arn: str) -> None:
        try:
            claim = self._on_lane(arn, lambda: self._begin_invocation(arn))
            if claim is None:
                return
            execution, invocation_input, seq = claim
            start_input = execution.start_input
            started = self._clock.now()
            try:
                response = self._invoker.invoke(
                    f"{start_input.function_name}:{execution.executed_version()}",
                    invocation_input,
                    tenant_id=start_input.tenant_id,
                )
            except _INVOCATION_ERRORS as error:
                self._end_failed_invocation(arn, error, started)
                return
            ended = self._clock.now()
            self._missing.discard(start_input.function_name)
            self._on_lane(arn, lambda: self._finish_invocation(arn, response, started, ended, seq))
        except Exception:  # the end of a pool's thread: nobody above it would ever read the error
            logger.exception("[%s] the engine failed around an invocation", arn)

    def _end_failed_invocation(self, arn: str, error: Exception, started: datetime) -> None:
        ended = self._clock.now()
        match error:
            case InvocationFailedError():
                failure = error
                self._on_lane(arn, lambda: self._retry_after_failure(arn, failure, started, ended))
            case InvocationAbandonedError():
                self._on_lane(arn, lambda: self._set_invocation_gate(arn, InvocationState.COMPLETED))
            case ResourceNotFoundException():
                self._tell_missing(self._executions.load(arn).start_input.function_name)
                self._on_lane(arn, lambda: self._retry_after_absence(arn, _MISSING_RETRY_SECONDS))
            case InvalidInvocationOutputError(request_id=request_id):
                invalid = self._invalid_output_error(str(error))
                self._on_lane(arn, lambda: self._fail_after_invalid_output(arn, invalid, started, ended, request_id))
            case TimeoutError():
                late = ErrorObject.from_message("The function did not answer in time")
                self._on_lane(arn, lambda: self._retry_after_timeout(arn, late, started, ended))
            case _:
                logger.warning("[%s] still waiting for its handler: %s", arn, error)
                self._on_lane(arn, lambda: self._retry_after_absence(arn))

    def _on_lane(self, arn: str, work: Callable[[], T]) -> T:
        return self._registry.submit(arn, CallableTask(work)).result()

    def _begin_invocation(self, execution_arn: str) -> tuple[Execution, DurableExecutionInvocationInput, int] | None:
        """Also write down that an invocation is due until it has ended: a kill in between must invoke again."""
        claim = super()._begin_invocation(execution_arn)
        if claim is not None:
            execution = self._executions.load(execution_arn)
            execution.invocation_due = True
            self._store.save(execution)
        return claim

    def _finish_invocation(
        self,
        execution_arn: str,
        invoke_response: InvokeResponse,
        invocation_start: datetime,
        invocation_end: datetime,
        invocation_seq: int | None = None,
    ) -> None:
        super()._finish_invocation(execution_arn, invoke_response, invocation_start, invocation_end, invocation_seq)
        execution = self._executions.load(execution_arn)
        # A failed validation has counted an attempt, and its retry is still due.
        if not execution.is_complete and execution.consecutive_failed_invocation_attempts == 0:
            execution.invocation_due = False
            self._store.save(execution)

    def _retry_after_failure(
        self, arn: str, failure: InvocationFailedError, started: datetime, ended: datetime
    ) -> None:
        """Record a crashed invocation, then invoke again or, after too many in a row, fail the execution."""
        execution = self._executions.load(arn)
        execution.record_invocation_completion(started, ended, failure.request_id)
        execution.invocation_errors[failure.request_id] = failure.error
        self._store.save(execution)
        if execution.is_complete:
            self._set_invocation_gate(arn, InvocationState.COMPLETED)
            return
        self._set_invocation_gate(arn, InvocationState.PRE_INVOKE)
        execution.consecutive_failed_invocation_attempts += 1
        failures = execution.consecutive_failed_invocation_attempts
        logger.warning("[%s] invocation failed (%d in a row): %s", arn, failures, failure)
        if failures >= self.MAX_CONSECUTIVE_FAILED_ATTEMPTS:
            self._fail_workflow(arn, failure.error)
            return
        delay = _CRASH_RETRY_SECONDS[failures - 1] if failure.crashed else self.RETRY_BACKOFF_SECONDS
        self._invoke_execution(arn, delay=delay)

    def _retry_after_absence(self, arn: str, delay: float = _ABSENCE_RETRY_SECONDS) -> None:
        """Invoke again when there was no host, or no bundle: no code has run, so no attempt is counted."""
        self._set_invocation_gate(arn, InvocationState.PRE_INVOKE)
        self._invoke_execution(arn, delay=delay)

    # Timers

    def arm_execution_timeout(self, execution: LocalExecution) -> None:
        """Time the execution out when its time, counted from its start, is over."""
        arn = execution.durable_execution_arn
        seconds = execution.start_input.execution_timeout_seconds
        error = ErrorObject.from_message(f"Execution timed out after {seconds} seconds.")

        async def time_out() -> None:
            await self._lane_future(arn, lambda: self._apply_timeout(arn, error))

        at = execution.started + timedelta(seconds=seconds)
        self._execution_timeouts[arn] = self._scheduler.call_later(time_out, delay=self._clock.arm(at))

    def _apply_timeout(self, execution_arn: str, error: ErrorObject) -> None:
        if self._executions.load(execution_arn).is_complete:
            return
        super()._apply_timeout(execution_arn, error)
        self._complete_events(execution_arn)

    def arm_wakeup(self, arn: str) -> None:
        """After a restart: wake the execution when its next wait or step retry is due, or its chained invokes end."""
        self._schedule_earliest_pending(arn)
        self._resume_chained_invokes(self._executions.load(arn))

    def _fire_due_and_invoke_handler(self, execution_arn: str) -> Callable[[], Awaitable[None]]:
        """End the waits and step retries that are due, and invoke the handler, in one task of the lane.

        The engine invokes after it has waited for that task. An invocation that ends meanwhile cancels what waits,
        as nothing is pending any more: the execution would never be invoked again.
        """

        def fire() -> None:
            if self._fire_due_operations(execution_arn):
                self._invoke_execution(execution_arn)
            self._schedule_earliest_pending(execution_arn)

        async def fire_due() -> None:
            await self._lane_future(execution_arn, fire)

        return fire_due

    def invoke(self, arn: str) -> None:
        """Invoke the handler of an execution that has not ended."""
        self._invoke_execution(arn)

    def _schedule_callback_timeouts(
        self, execution_arn: str, callback_options: CallbackOptions | None, callback_id: str
    ) -> None:
        execution = self._executions.load(execution_arn)
        _, operation = execution.find_callback_operation(callback_id)
        self.arm_callback(execution, operation)

    def arm_callback(self, execution: LocalExecution, operation: Operation) -> None:
        """Arm what is left of an open callback's timeout and of its heartbeat timeout."""
        details, created = operation.callback_details, operation.start_timestamp
        if details is None or created is None:
            raise ValueError(f"operation {operation.operation_id} is not a started callback")
        options = execution.callback_options(operation.operation_id)
        arn, callback_id = execution.durable_execution_arn, details.callback_id
        self._cleanup_callback_timeouts(callback_id)
        if options.timeout_seconds > 0:
            at = created + timedelta(seconds=options.timeout_seconds)
            error = _callback_error(CallbackTimeoutType.TIMEOUT, "Callback timed out")
            self._callback_timeouts[callback_id] = self._scheduler.call_later(
                self._callback_timer(arn, callback_id, error), delay=self._clock.arm(at)
            )
        if options.heartbeat_timeout_seconds > 0:
            beat = execution.heartbeats.get(operation.operation_id, created)
            at = beat + timedelta(seconds=options.heartbeat_timeout_seconds)
            error = _callback_error(CallbackTimeoutType.HEARTBEAT, "Callback timed out on heartbeat")
            self._callback_heartbeats[callback_id] = self._scheduler.call_later(
                self._callback_timer(arn, callback_id, error), delay=self._clock.arm(at)
            )

    def _callback_timer(self, arn: str, callback_id: str, error: ErrorObject) -> Callable[[], object]:
        async def time_out() -> None:
            await self._lane_future(arn, lambda: self._apply_callback_timeout(callback_id, error))

        return time_out

    def _apply_callback_timeout(self, callback_id: str, error: ErrorObject) -> None:
        execution = self._executions.load(CallbackToken.from_str(callback_id).execution_arn)
        _, operation = execution.find_callback_operation(callback_id)
        if execution.is_complete or operation.status is not OperationStatus.STARTED:
            return
        execution.complete_callback_timeout(callback_id, error, now=self._clock.now())
        self._store.update(execution)
        self._cleanup_callback_timeouts(callback_id)
        self._invoke_execution(execution.durable_execution_arn)

    def _lane_future(self, arn: str, work: Callable[[], T]) -> asyncio.Future[T]:
        return asyncio.wrap_future(self._registry.submit(arn, CallableTask(work)))

    # Chained invokes

    def on_chained_invoke_started(
        self, execution_arn: str, operation_id: str, function_name: str, tenant_id: str | None, payload: str | None
    ) -> None:
        """Start the target once the caller's invocation has ended, or soon: see `_CHAINED_INVOKE_SECONDS`."""
        start = partial(
            super().on_chained_invoke_started, execution_arn, operation_id, function_name, tenant_id, payload
        )
        with self._held_lock:
            self._held.setdefault(execution_arn, []).append(start)

        async def release() -> None:
            self._start_chained_invokes(execution_arn)

        self._scheduler.call_later(release, delay=_CHAINED_INVOKE_SECONDS)

    def _set_invocation_gate(self, arn: str, status: InvocationState) -> None:
        super()._set_invocation_gate(arn, status)
        if status is not InvocationState.INVOKING:
            self._start_chained_invokes(arn)

    def _start_chained_invokes(self, arn: str) -> None:
        with self._held_lock:
            held = self._held.pop(arn, [])
        for start in held:
            start()

    def _resume_chained_invokes(self, execution: LocalExecution) -> None:
        """Take up the chained invokes that a crash has cut off: before their target began, or after it ended."""
        arn = execution.durable_execution_arn
        for update in execution.open_chained_invokes():
            operation_id, options = update.operation_id, update.chained_invoke_options
            child = execution.chained_invoke_children.get(operation_id)
            if child is None and options is not None:
                super().on_chained_invoke_started(
                    arn, operation_id, options.function_name, options.tenant_id, update.payload
                )
            elif child is not None and self.find(child).is_complete:
                self._notify_parent_of_terminal_child(child)

    def _start_child_execution(
        self, parent_arn: str, operation_id: str, child_start: StartDurableExecutionInput
    ) -> None:
        # The name is made from the caller's operation: one that is there was started before a crash.
        child = self._executions.find(child_start.function_name, child_start.execution_name)
        if child is None:
            super()._start_child_execution(parent_arn, operation_id, child_start)
            return
        child_arn = child.durable_execution_arn
        self._on_lane(parent_arn, lambda: self._record_child_on_parent(parent_arn, operation_id, child_arn))
        if child.is_complete:
            self._notify_parent_of_terminal_child(child_arn)

    # Callbacks

    def succeed_callback(self, callback_id: str, result: bytes) -> None:
        """Complete a callback. Raises `ApiError`: 400 for a malformed or closed one, 404 for an unknown one."""
        self._answer_callback(
            callback_id, lambda execution: execution.complete_callback_success(callback_id, result, self._clock.now())
        )

    def fail_callback(self, callback_id: str, error: ErrorObject) -> None:
        """Fail a callback. Raises as `succeed_callback` does."""
        self._answer_callback(
            callback_id, lambda execution: execution.complete_callback_failure(callback_id, error, self._clock.now())
        )

    def beat_callback(self, callback_id: str) -> None:
        """Restart a callback's heartbeat timeout. Raises as `succeed_callback` does."""
        execution, _ = self._open_callback(callback_id)
        self._require_room(execution.durable_execution_arn)

        def beat() -> None:
            execution, operation = self._open_callback(callback_id)
            execution.heartbeats[operation.operation_id] = self._clock.now()
            self._store.update(execution)
            self.arm_callback(execution, operation)

        self._on_lane(execution.durable_execution_arn, beat)

    def _answer_callback(self, callback_id: str, complete: Callable[[LocalExecution], Operation]) -> None:
        execution, _ = self._open_callback(callback_id)
        arn = execution.durable_execution_arn
        self._require_room(arn)

        def answer() -> None:
            execution, _ = self._open_callback(callback_id)
            complete(execution)
            self._store.update(execution)
            self._cleanup_callback_timeouts(callback_id)

        self._on_lane(arn, answer)
        self._invoke_execution(arn)

    def _open_callback(self, callback_id: str) -> tuple[LocalExecution, Operation]:
        try:
            token = CallbackToken.from_str(callback_id)
        except (ValueError, KeyError, TypeError) as error:
            raise invalid_parameter(f"Invalid callback id: {callback_id}") from error
        execution = self.find(token.execution_arn)
        for operation in execution.operations:
            if operation.callback_details is not None and operation.callback_details.callback_id == callback_id:
                if execution.is_complete or operation.status is not OperationStatus.STARTED:
                    raise callback_closed(callback_id)
                return execution, operation
        raise not_found(f"Callback not found: {callback_id}")


def _callback_error(kind: CallbackTimeoutType, message: str) -> ErrorObject:
    return ErrorObject(message=message, type=kind.value, data=None, stack_trace=None)
