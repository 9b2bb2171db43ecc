"""Cloudflare Workflows: the Worker's HTTP interface for the seat, the REST API for the instance and its steps."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING

import httpx

from reservation_cli.domain.deployment import CloudflareDeployment
from reservation_cli.domain.reservation import (
    RESERVATION_ID,
    Platform,
    Reservation,
    ReservationRequest,
    Target,
    check_reservation_id,
    format_time,
    parse_time,
    reservation_from_record,
    whole_ms,
)
from reservation_cli.domain.timeline import Engine, ExecutionStatus, Timeline
from reservation_cli.errors import NotConfiguredError, NotFoundError, UsageError
from reservation_cli.local.stack import Stack
from reservation_cli.platforms.cloudflare_answers import (
    TIMEOUT_SECONDS,
    api_body,
    not_understood,
    unreachable,
    worker_body,
    worker_error,
)
from reservation_cli.platforms.cloudflare_instance import execution_status, timeline_from_instance
from reservation_cli.platforms.connections import ThreadTransport
from reservation_cli.platforms.payloads import Lane, as_list
from reservation_cli.platforms.tally import Tally

if TYPE_CHECKING:
    from reservation_cli.platforms.cloudflare_http import Retries
    from reservation_cli.platforms.pace import Pace

PAGE = 100
_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class CloudflareClient:
    """One Worker and its Workflow. `instances` is the REST API of the Workflow's instances, None without a token."""

    worker: httpx.Client
    instances: httpx.Client | None
    lane: Lane
    target: Target
    platform: Platform = "cloudflare"
    tally: Tally = field(default_factory=Tally)

    def __post_init__(self) -> None:
        """Every request is counted on its way out."""
        for client in (self.worker, self.instances):
            if client is not None:
                client.event_hooks["request"].append(self.tally.add)

    @classmethod
    def local(cls, stack: Stack) -> CloudflareClient:
        """The Worker of the local stack; its REST API is wrangler's local explorer, shaped like the cloud's."""
        explorer = f"{stack.cloudflare_url}/cdn-cgi/local/explorer/api/workflows/{stack.workflow}/instances"
        # A context without the certificates that plain HTTP does not need: to load them takes 25 ms a client.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        # No proxy of the environment may stand between this machine and itself.
        client, instances = (
            httpx.Client(
                base_url=url,
                timeout=TIMEOUT_SECONDS,
                trust_env=False,
                # To compress an answer of a few hundred bytes takes wrangler dev a fifth of its requests a second.
                headers={"Accept-Encoding": "identity"},
                transport=ThreadTransport(lambda: httpx.HTTPTransport(verify=context, trust_env=False)),
            )
            for url in (stack.cloudflare_url, explorer)
        )
        name, _, version = stack.engines["cloudflare"].rpartition(" ")
        lane = Lane("local", stack.cloudflare_url, Engine(name, version), "Cloudflare · local")
        return cls(client, instances, lane, "local")

    @classmethod
    def cloud(
        cls,
        deployment: CloudflareDeployment,
        environ: Mapping[str, str],
        progress: Callable[[str], None] = lambda _message: None,
        retries: Retries | None = None,
        pace: Pace | None = None,
    ) -> CloudflareClient:
        """The Worker of `deployment`, and the REST API of its account if there is a token for it in `environ`.

        `progress` is told of waits that would look like a hang. Raises NotConfiguredError for a token that is none.
        """
        from reservation_cli.platforms.cloudflare_http import (
            CloudHttp,
            api,
            api_token,
            checked_token,
        )  # deferred: 3 ms, cloud only

        token = checked_token(deployment.token, "The token of the deployment")
        path = f"/accounts/{deployment.account}/workflows/{deployment.workflow}/instances"
        own = api_token(environ)
        instances = api(path, own, environ, progress, retries, pace) if own else None
        worker = CloudHttp(deployment.url, token, environ, progress, retries)
        lane = Lane("cloud", deployment.url, Engine("Cloudflare Workflows"), deployment.label, deployment.stage)
        return cls(worker, instances, lane, "cloud")

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
        """See PlatformClient.lists: not without a token for the REST API."""
        return self.instances is not None

    @property
    def requests(self) -> int:
        """See PlatformClient.requests."""
        return self.tally.count

    def reserve(self, request: ReservationRequest) -> Timeline:
        """See PlatformClient.reserve: the Worker answers once the hold exists, or after 2 s without it."""
        requested_at, sent = whole_ms(datetime.now(UTC)), time.perf_counter()
        response = self._call(self.worker, "POST", "/reserve", json=request.payload())
        accept_ms = (time.perf_counter() - sent) * 1000
        body = worker_body(response, self.lane)
        if response.is_error and body.get("code") != "seat_taken":
            raise worker_error(response, body, request.reservation_id, self.lane)
        return replace(
            self._told_by_seat(request.reservation_id, "running", _record(body, request.reservation_id)),
            request=request,
            requested_at=requested_at,
            accept_ms=round(accept_ms, 3),
        )

    def start(self, request: ReservationRequest) -> Timeline:
        """See PlatformClient.start: the Worker's answer waits for the hold anyway."""
        return self.reserve(request)

    def confirm(self, ref: str) -> Reservation:
        """See PlatformClient.confirm."""
        return self._decide("confirm", ref)

    def cancel(self, ref: str) -> Reservation:
        """See PlatformClient.cancel."""
        return self._decide("cancel", ref)

    def timeline(self, ref: str) -> Timeline:
        """See PlatformClient.timeline: GET .../instances/{id}; without a token the Worker's GET /workflow/:id."""
        instance_id = _own(ref)
        if self.instances is None:
            return self._told_by_worker(instance_id)
        response = self._call(self.instances, "GET", f"/{instance_id}")
        try:
            result = api_body(response, self.lane, f"the status of {instance_id}").get("result")
        except NotFoundError:
            # Not created yet, or pruned: only its seat tells of it.
            lane = self._told_by_seat(instance_id, "unknown", self.reservation(instance_id))
            return replace(lane, notes=("The Workflow has no instance of this reservation.",))
        if not isinstance(result, Mapping):
            raise not_understood(response, self.lane)
        return timeline_from_instance(instance_id, result, self.lane)

    def reservation(self, ref: str) -> Reservation:
        """See PlatformClient.reservation: GET /reservation/:id."""
        response = self._call(self.worker, "GET", f"/reservation/{_own(ref)}")
        body = worker_body(response, self.lane)
        if response.is_error:
            raise worker_error(response, body, ref, self.lane)
        if "reservation" not in body:
            raise NotFoundError(f"The hold of {ref} does not exist yet on Cloudflare.", hint="Ask again in a moment.")
        record = _record(body, ref)
        if record is None:
            raise not_understood(response, self.lane)
        return record

    def executions(self, limit: int) -> Sequence[Timeline]:
        """See PlatformClient.executions: pages of instances, newest first, then each one's details, a few at a time.

        NotConfiguredError without a token for the REST API.
        """
        from concurrent.futures import ThreadPoolExecutor  # deferred: 5 ms that other commands don't need

        names = list(islice(self._listed({}), limit))
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            found = list(pool.map(self._if_there, (str(item["id"]) for item in names)))
        return [lane for lane in found if lane is not None]

    def statuses(self, since: datetime) -> Mapping[str, ExecutionStatus]:
        """See PlatformClient.statuses: pages of the list alone. NotConfiguredError without a token for the REST API."""
        found: dict[str, ExecutionStatus] = {}
        for item in self._listed({"date_start": format_time(since) or ""} if self.target == "cloud" else {}):
            created = parse_time(item.get("created_on"))
            if created is not None and created < since:
                break  # newest first: nothing further down is of interest
            found[str(item["id"])] = execution_status(item["status"])
        return found

    def close(self) -> None:
        """See PlatformClient.close."""
        self.worker.close()
        if self.instances is not None:
            self.instances.close()

    def _listed(self, where: Mapping[str, str]) -> Iterator[Mapping[str, object]]:
        """What the list has of each instance (`id`, `status`, `created_on`, ...), page after page, newest first.

        The cloud's pages are found by cursor, the local engine's by number.
        """
        if self.instances is None:
            raise NotConfiguredError(
                f"{self.lane.label}: only Cloudflare's REST API lists executions, and CLOUDFLARE_API_TOKEN is not set.",
                hint="Set it in the environment or in .env, to a token with the permission Workers Scripts (read).",
                code="credentials",
            )
        url = str(self.instances.base_url).rstrip("/")
        step = {"page": "1"} if self.target == "local" else {"direction": "desc"}
        seen: set[str] = set()
        while True:
            response = self._call(self.instances, "GET", url, params={"per_page": str(PAGE), **where, **step})
            body = api_body(response, self.lane, "the list of executions")
            result = body.get("result")
            if not isinstance(result, list):
                raise not_understood(response, self.lane)
            yield from filter(_is_reservation, as_list(result))
            if self.target == "local":
                if len(result) < PAGE:
                    return
                step = {"page": str(int(step["page"]) + 1)}
            else:
                cursor = _cursor(body)
                if not cursor or cursor in seen:
                    return
                seen.add(cursor)
                step = {"direction": "desc", "cursor": cursor}

    def _if_there(self, name: str) -> Timeline | None:
        """The timeline of an execution that has been listed; None when it has been pruned since."""
        try:
            return self.timeline(name)
        except NotFoundError:
            return None

    def _told_by_worker(self, instance_id: str) -> Timeline:
        """What the Worker tells of an instance: no steps and no times of the engine's."""
        from reservation_cli.platforms.cloudflare_worker_status import (
            timeline_from_worker,
        )  # deferred: 6 ms, rarely used

        response = self._call(self.worker, "GET", f"/workflow/{instance_id}")
        body = worker_body(response, self.lane)
        if response.is_error:
            raise worker_error(response, body, instance_id, self.lane)
        if "instance" not in body:
            raise not_understood(response, self.lane)
        return timeline_from_worker(instance_id, body, self.lane)

    def _told_by_seat(self, reservation_id: str, status: ExecutionStatus, reservation: Reservation | None) -> Timeline:
        """What is known of a reservation without a look at its instance."""
        return Timeline(
            platform=self.platform,
            target=self.target,
            ref=reservation_id,
            reservation_id=reservation_id,
            endpoint=self.lane.endpoint,
            engine=self.lane.engine,
            label=self.lane.label,
            stage=self.lane.stage,
            status=status,
            as_of=datetime.now(UTC),
            reservation=reservation,
            outcome=reservation.outcome if reservation else None,
        )

    def _decide(self, action: str, ref: str) -> Reservation:
        response = self._call(self.worker, "POST", f"/{action}/{_own(ref)}")
        body = worker_body(response, self.lane)
        if response.is_error:
            raise worker_error(response, body, ref, self.lane)
        record = _record(body, ref)
        if record is None:
            raise not_understood(response, self.lane)
        return record

    def _call(self, client: httpx.Client, method: str, path: str, **options: object) -> httpx.Response:
        try:
            return client.request(method, path, **options)  # type: ignore[arg-type]  # httpx types each option apart
        except httpx.HTTPError as error:
            raise unreachable(error, self.lane) from error


def _own(ref: str) -> str:
    try:
        return check_reservation_id(ref)
    except ValueError as error:
        raise UsageError(str(error)) from error


def _is_reservation(item: Mapping[str, object]) -> bool:
    """Whether a listed instance can be one of ours.

    Asking for an id that does not exist leaves an entry without a status in the local engine's list; the cloud's own
    ids (`cf_` and 64 digits) are longer than a reservation's.
    """
    name = item.get("id")
    return isinstance(name, str) and RESERVATION_ID.fullmatch(name) is not None and bool(item.get("status"))


def _cursor(body: Mapping[str, object]) -> str:
    """What asks for the page after this one; "" when it is the last."""
    info = body.get("result_info")
    cursor = info.get("cursor") if isinstance(info, Mapping) else None
    return cursor if isinstance(cursor, str) else ""


def _record(body: Mapping[str, object], reservation_id: str) -> Reservation | None:
    """The record that the seat has of that reservation; None when there is none, or that of another."""
    record = body.get("reservation")
    found = reservation_from_record(record) if isinstance(record, Mapping) else None
    return found if found is not None and found.reservation_id == reservation_id else None
