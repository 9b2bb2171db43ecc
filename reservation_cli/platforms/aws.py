"""AWS Lambda durable functions through boto3: the durable function runs it, the seats function decides.

The client is made by botocore, boto3's own core: it is the same client, without the 50 ms that `import boto3` spends
on S3 transfers.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, cast

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ConnectTimeoutError, ReadTimeoutError
from botocore.session import Session

from reservation_cli.domain import json_text
from reservation_cli.domain.arn import parse_arn
from reservation_cli.domain.deployment import QUALIFIER, AwsDeployment
from reservation_cli.domain.reservation import (
    Platform,
    Reservation,
    ReservationRequest,
    Target,
    reservation_from_record,
    whole_ms,
)
from reservation_cli.domain.timeline import Engine, ExecutionStatus, Timeline
from reservation_cli.errors import ConflictError, NotFoundError, PlatformError, ResvError, TimedOutError, UsageError
from reservation_cli.local.plan import KEY
from reservation_cli.local.stack import Stack
from reservation_cli.platforms.aws_history import Event, timeline_from_history
from reservation_cli.platforms.payloads import Lane, as_list
from reservation_cli.platforms.tally import Tally

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

    from reservation_cli.platforms.pace import Pace

HOLD_WAIT_SECONDS = 5.0
PAGE = 1000
#: As many as threads of a benchmark may call at once (CONNECTIONS of aws_session, which the local stack does without).
CONNECTIONS = 256
AT_ONCE = 4
# PAUSING still runs, up to its next checkpoint. DELETING is not here: it has ended, but no longer says how.
_STATUSES: dict[str, ExecutionStatus] = {
    "RUNNING": "running",
    "PAUSING": "running",
    "PAUSED": "paused",
    "SUCCEEDED": "succeeded",
    "FAILED": "failed",
    "TIMED_OUT": "timed_out",
    "STOPPED": "stopped",
}
#: What botocore's parser, which takes the shape of an answer for granted, dies of.
UNREADABLE = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)
_CONFLICTS = frozenset({"reservation_conflict", "already_confirmed", "already_cancelled", "rejected", "too_late"})


@dataclass(frozen=True, slots=True)
class AwsClient:
    """One durable function and its seats function, in one account and region."""

    api: LambdaClient
    lane: Lane
    target: Target
    region: str
    account: str
    function: str
    qualifier: str
    seats_function: str
    platform: Platform = "aws"
    #: what stands before a function's name in a call: in a cloud its ARN, so that another account's credentials
    #: are refused before anything starts
    functions_arn: str = ""
    tally: Tally = field(default_factory=Tally)

    def __post_init__(self) -> None:
        """Every request is counted on its way out."""
        self.api.meta.events.register("before-send.lambda", self.tally.add)

    @classmethod
    def local(cls, stack: Stack) -> AwsClient:
        """The function on the local stack."""
        # No proxy of the environment may stand between this machine and itself.
        config = Config(
            connect_timeout=3,
            read_timeout=15,
            retries={"total_max_attempts": 3},
            proxies={"no": "proxy"},
            max_pool_connections=CONNECTIONS,
        )
        # The user's AWS profiles, right or wrong, are for the cloud: these take the place of what would read them.
        none, empty = (None, None, None, None), (None, None, os.devnull, None)
        session = Session(session_vars={"profile": none, "config_file": empty, "credentials_file": empty})
        api = session.create_client(
            "lambda",
            region_name=stack.region,
            endpoint_url=stack.aws_endpoint_url,
            aws_access_key_id=KEY,
            aws_secret_access_key=KEY,
            config=config,
        )
        name, _, version = stack.engines["aws"].rpartition(" ")
        lane = Lane("local", stack.aws_endpoint_url, Engine(name, version), "AWS · local")
        return cls(
            cast("LambdaClient", api),
            lane,
            "local",
            stack.region,
            stack.account,
            stack.function,
            stack.qualifier,
            stack.seats_function,
        )

    @classmethod
    def cloud(
        cls,
        deployment: AwsDeployment,
        environ: Mapping[str, str],
        config: Config | None = None,
        pace: Pace | None = None,
    ) -> AwsClient:
        """The functions of `deployment`. Raises NotConfiguredError without credentials, before any call.

        `config` changes how the client calls (time limits, attempts), `pace` how often it asks for a history.
        """
        from reservation_cli.platforms.aws_errors import without_user  # deferred: 3 ms, for the cloud only
        from reservation_cli.platforms.aws_session import HISTORY_PACE, Aws

        aws = Aws.of(environ)
        aws.require_credentials(deployment.label)
        api = aws.client("lambda", deployment.region, config)
        turn = pace or HISTORY_PACE

        def wait(**_: object) -> None:
            turn.wait()

        # Here, and not around the call: botocore's own repetitions wait for their turn, too.
        api.meta.events.register("before-send.lambda.GetDurableExecutionHistory", wait)
        engine = Engine("AWS Lambda durable functions")
        lane = Lane("cloud", without_user(api.meta.endpoint_url), engine, deployment.label, deployment.stage)
        return cls(
            api,
            lane,
            "cloud",
            deployment.region,
            deployment.account,
            deployment.function,
            QUALIFIER,
            deployment.seats_function,
            functions_arn=deployment.functions_arn,
        )

    @property
    def requests(self) -> int:
        """See PlatformClient.requests."""
        return self.tally.count

    @property
    def stage(self) -> str | None:
        """See PlatformClient.stage."""
        return self.lane.stage

    @property
    def label(self) -> str:
        """See PlatformClient.label."""
        return self.lane.label

    @property
    def lists(self) -> bool:
        """See PlatformClient.lists."""
        return True

    def reserve(self, request: ReservationRequest) -> Timeline:
        """See PlatformClient.reserve: Invoke answers at once, so the hold is looked for in the history."""
        started = self.start(request)
        try:
            lane = self._held(started.ref)
        except ResvError as error:
            # It has been accepted, and goes on: what cannot be looked at is not lost for that, whatever the reason.
            return replace(started, polls=1, notes=(f"Its hold could not be looked at: {error.message}",))
        return replace(lane, requested_at=started.requested_at, accept_ms=started.accept_ms)

    def start(self, request: ReservationRequest) -> Timeline:
        """See PlatformClient.start: one Invoke."""
        requested_at, sent = whole_ms(datetime.now(UTC)), time.perf_counter()
        answer = self._call(
            self.api.invoke,
            FunctionName=f"{self.functions_arn}{self.function}",
            Qualifier=self.qualifier,
            InvocationType="Event",
            DurableExecutionName=request.reservation_id,
            Payload=json.dumps(request.payload(), ensure_ascii=False).encode(),
        )
        accept_ms = round((time.perf_counter() - sent) * 1000, 3)
        answer["Payload"].close()  # empty; an unread stream would keep its connection
        arn = answer.get("DurableExecutionArn")
        if not isinstance(arn, str):
            raise PlatformError(
                f"{self.lane.label} started the function, but named no durable execution.",
                hint="If it does so again, it was created without DurableConfig: delete it and deploy it anew.",
            )
        try:
            if self._name(arn) != request.reservation_id:
                raise self._unreadable()
        except UsageError as error:  # not one of ours: nothing that can be asked for again
            raise self._unreadable() from error
        return Timeline(
            platform=self.platform,
            target=self.target,
            ref=arn,
            reservation_id=request.reservation_id,
            endpoint=self.lane.endpoint,
            engine=self.lane.engine,
            label=self.lane.label,
            stage=self.lane.stage,
            status="running",
            as_of=datetime.now(UTC),
            request=request,
            requested_at=requested_at,
            accept_ms=accept_ms,
        )

    def confirm(self, ref: str) -> Reservation:
        """See PlatformClient.confirm."""
        return self._seat("confirm", ref)

    def cancel(self, ref: str) -> Reservation:
        """See PlatformClient.cancel."""
        return self._seat("cancel", ref)

    def reservation(self, ref: str) -> Reservation:
        """See PlatformClient.reservation."""
        return self._seat("get", ref)

    def timeline(self, ref: str) -> Timeline:
        """See PlatformClient.timeline: GetDurableExecutionHistory, after a look-up by name when `ref` is no ARN."""
        arn, events = self.history(ref)
        return timeline_from_history(arn, self._name(arn), events, self.lane)

    def history(self, ref: str) -> tuple[str, list[Event]]:
        """The ARN of the execution `ref`, and its events, oldest first."""
        arn = ref if ref.startswith("arn:") else self._arn(ref)
        self._name(arn)
        events: list[Event] = []
        page: dict[str, str] = {}
        seen: set[str] = set()
        while True:
            answer = self._call(
                self.api.get_durable_execution_history,
                DurableExecutionArn=arn,
                IncludeExecutionData=True,
                MaxItems=PAGE,
                **page,
            )
            if "Events" not in answer:
                raise PlatformError(f"{self.lane.label} answered without a history for {arn}.", hint="Ask again.")
            events += answer["Events"]
            if not (marker := answer.get("NextMarker")):
                return arn, events
            page = self._next(seen, marker)

    def executions(self, limit: int) -> Sequence[Timeline]:
        """See PlatformClient.executions: the list, then each one's history, a few at a time."""
        from concurrent.futures import ThreadPoolExecutor  # deferred: needed by the list alone

        arns = [str(item.get("DurableExecutionArn")) for item in islice(self._listed(min(limit, PAGE)), limit)]
        pool = ThreadPoolExecutor(max_workers=AT_ONCE)
        try:
            return [lane for lane in pool.map(self._if_there, arns) if lane is not None]
        finally:
            # Whoever interrupts this does not want to wait for the rest of the list.
            pool.shutdown(wait=False, cancel_futures=True)

    def statuses(self, since: datetime) -> Mapping[str, ExecutionStatus]:
        """See PlatformClient.statuses: list calls of a thousand executions each, and no history."""
        found: dict[str, ExecutionStatus] = {}
        for item in self._listed(PAGE, StartedAfter=since):
            # Newest first: an older one of the same name has outlived its retention.
            name = item.get("DurableExecutionName")
            if isinstance(name, str):
                found.setdefault(name, _STATUSES.get(str(item.get("Status")), "unknown"))
        return found

    def close(self) -> None:
        """See PlatformClient.close."""
        self.api.close()

    def _held(self, arn: str) -> Timeline:
        """The timeline once create-hold is over, or as it is after HOLD_WAIT_SECONDS."""
        # A cold start in the cloud takes most of a second, and its histories are rationed.
        pause, longest = (0.01, 0.25) if self.target == "local" else (0.2, 1.0)
        deadline, polls = time.monotonic() + HOLD_WAIT_SECONDS, 0
        while True:
            polls += 1
            lane = replace(self.timeline(arn), polls=polls)
            if lane.reservation or lane.is_over or time.monotonic() > deadline:
                return lane
            time.sleep(pause)
            pause = min(pause * 1.5, longest)

    def _if_there(self, arn: str) -> Timeline | None:
        """The timeline; None when the execution has been deleted since it was listed."""
        try:
            return self.timeline(arn)
        except NotFoundError:
            return None

    def _arn(self, name: str) -> str:
        """The newest execution of that name."""
        for item in self._listed(PAGE, DurableExecutionName=name):
            # Documented as "matches" here and as "contains" there: only the very name will do.
            if item.get("DurableExecutionName") == name:
                return str(item.get("DurableExecutionArn"))
        raise NotFoundError(f"There is no reservation {name} on AWS.", hint="`resv list` shows what there is.")

    def _listed(self, size: int, **filters: object) -> Iterator[Mapping[str, object]]:
        """The function's executions, newest first, in pages of `size`.

        Of all versions, so without a Qualifier: each redeployment makes a new one.
        """
        page: dict[str, str] = {}
        seen: set[str] = set()
        while True:
            answer = self._call(
                self.api.list_durable_executions_by_function,
                FunctionName=f"{self.functions_arn}{self.function}",
                MaxItems=size,
                **filters,
                **page,
            )
            for item in as_list(answer.get("DurableExecutions")):
                if isinstance(item.get("DurableExecutionArn"), str):
                    yield item
            if not (marker := answer.get("NextMarker")):
                return
            page = self._next(seen, marker)

    def _next(self, seen: set[str], marker: str) -> dict[str, str]:
        """What asks for the next page; raises for one that was asked for before, as that would go on for ever."""
        if marker in seen:
            raise self._unreadable()
        seen.add(marker)
        return {"Marker": marker}

    def _name(self, arn: str) -> str:
        """The execution's name; UsageError unless the ARN is one of this function, account and region."""
        parts = parse_arn(arn)
        parts.require(self.region, self.account, self.function, self.lane.label)
        return parts.name

    def _seat(self, action: str, ref: str) -> Reservation:
        name = ref
        if ref.startswith("arn:"):
            name = self._name(ref)
            if action != "get":
                # An ARN names one execution; the seat knows only names, which another execution could have.
                self._call(self.api.get_durable_execution, DurableExecutionArn=ref)
        answer = self._call(
            self.api.invoke,
            FunctionName=f"{self.functions_arn}{self.seats_function}",
            Qualifier=self.qualifier,
            Payload=json.dumps({"action": action, "reservationId": name}).encode(),
        )
        body = _json(self._call(lambda: {"data": answer["Payload"].read()})["data"])
        if answer.get("FunctionError"):
            raise PlatformError(
                f"The function {self.seats_function} failed: {body.get('errorMessage', 'no message')}.",
                hint="`resv logs aws` shows what happened in it.",
            )
        record = body.get("reservation")
        found = reservation_from_record(record) if isinstance(record, Mapping) else None
        if body.get("ok") is not True:
            raise _seat_error(body, name)
        if found is None or found.reservation_id != name:
            raise self._unreadable()
        return found

    def _call(self, operation: Callable[..., Any], **arguments: object) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = operation(**arguments)
        except (ClientError, BotoCoreError) as error:
            raise self._told(error) from error
        except UNREADABLE as error:
            raise self._unreadable() from error
        return answer

    def _told(self, error: ClientError | BotoCoreError) -> ResvError:
        if self.target == "local":
            return _local_error(error, self.lane)
        from reservation_cli.platforms.aws_errors import translated  # deferred: as in cloud()

        return translated(error, self.lane.label)

    def _unreadable(self) -> ResvError:
        if self.target == "local":
            return PlatformError(
                f"{self.lane.label} answered with something that cannot be read.",
                hint="`resv logs aws` shows what happened to it.",
            )
        from reservation_cli.platforms.aws_errors import unreadable  # deferred: as in cloud()

        return unreadable(self.lane.label)


def _seat_error(body: Mapping[str, object], name: str) -> ResvError:
    code, message = str(body.get("code") or ""), str(body.get("error") or "no reason given")
    if code == "reservation_not_found":
        return NotFoundError(f"There is no reservation {name} on AWS.", hint="`resv list` shows what there is.")
    if code in _CONFLICTS:
        return ConflictError(f"AWS: {message}", code=code)
    return PlatformError(f"AWS refused: {message}", code=code or None)


def _local_error(error: ClientError | BotoCoreError, lane: Lane) -> ResvError:
    """Our error for one of the local stack's; the cloud's troubles, and what mends them, are not its."""
    if isinstance(error, ClientError):
        return _local_refusal(error, lane.label)
    if isinstance(error, ConnectTimeoutError | ReadTimeoutError):
        return TimedOutError(f"{lane.label} did not answer in time.", hint="Look at `resv logs aws`, and ask again.")
    return PlatformError(
        f"{lane.label} cannot be reached at {lane.endpoint}: {error}",
        hint="`resv up` starts the local stack; `resv logs aws` shows what happened to it.",
    )


def _local_refusal(error: ClientError, label: str) -> ResvError:
    code = str(error.response.get("Error", {}).get("Code", ""))
    message = str(error.response.get("Error", {}).get("Message", "") or error)
    if code == "ResourceNotFoundException":
        return NotFoundError(f"{label}: {message}", hint="`resv list` shows what there is.")
    if code == "DurableExecutionAlreadyStartedException":
        return ConflictError(
            f"{label}: that reservation id is used with other input.",
            code="reservation_conflict",
            hint="Choose another --id, or repeat the very same request.",
        )
    return PlatformError(f"{label} refused: {message} ({code})", code=code or None)


def _json(data: bytes) -> Mapping[str, Any]:
    try:
        body = json_text.loads(data)
    except ValueError as error:
        raise PlatformError(
            "The seats function answered with something that is not JSON.",
            hint="Ask again; `resv logs aws` shows what happened in it.",
        ) from error
    return body if isinstance(body, Mapping) else {}
