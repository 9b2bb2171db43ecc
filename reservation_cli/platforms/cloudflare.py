"""Cloudflare Workflows: the Worker's HTTP interface for the seat, the REST API for the instance and its steps."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import httpx

from reservation_cli.domain.deployment import CloudflareDeployment
from reservation_cli.domain.reservation import (
    Platform,
    Reservation,
    ReservationRequest,
    Target,
    check_reservation_id,
    reservation_from_record,
)
from reservation_cli.domain.timeline import Engine, ExecutionStatus, Timeline
from reservation_cli.errors import ConflictError, NotFoundError, PlatformError, ResvError, TimedOutError, UsageError
from reservation_cli.local.stack import Stack
from reservation_cli.platforms.cloudflare_instance import timeline_from_instance
from reservation_cli.platforms.payloads import Lane, as_list

TIMEOUT_SECONDS = 10.0
PAGE = 100
_CONFLICTS = frozenset(
    {"seat_taken", "reservation_conflict", "already_confirmed", "already_cancelled", "rejected", "too_late"}
)


@dataclass(frozen=True, slots=True)
class CloudflareClient:
    """One Worker and its Workflow. Both base URLs end without a slash."""

    worker: httpx.Client
    instances: httpx.Client
    lane: Lane
    target: Target
    platform: Platform = "cloudflare"

    @classmethod
    def local(cls, stack: Stack) -> CloudflareClient:
        """The Worker of the local stack; its REST API is wrangler's local explorer, shaped like the cloud's."""
        explorer = f"{stack.cloudflare_url}/cdn-cgi/local/explorer/api/workflows/{stack.workflow}/instances"
        # No proxy of the environment may stand between this machine and itself.
        client = httpx.Client(base_url=stack.cloudflare_url, timeout=TIMEOUT_SECONDS, trust_env=False)
        instances = httpx.Client(base_url=explorer, timeout=TIMEOUT_SECONDS, trust_env=False)
        name, _, version = stack.engines["cloudflare"].rpartition(" ")
        lane = Lane("local", stack.cloudflare_url, Engine(name, version), "Cloudflare · local")
        return cls(client, instances, lane, "local")

    @classmethod
    def cloud(cls, deployment: CloudflareDeployment, environ: Mapping[str, str]) -> CloudflareClient:
        """The Worker of `deployment`, and the REST API of its account."""
        base = environ.get("CLOUDFLARE_API_BASE_URL") or "https://api.cloudflare.com/client/v4"
        bearer = {"authorization": f"Bearer {deployment.token}"} if deployment.token else {}
        worker = httpx.Client(base_url=deployment.url, timeout=TIMEOUT_SECONDS, headers=bearer)
        instances = httpx.Client(
            base_url=f"{base}/accounts/{deployment.account}/workflows/{deployment.workflow}/instances",
            timeout=TIMEOUT_SECONDS,
            headers={"authorization": f"Bearer {environ.get('CLOUDFLARE_API_TOKEN', '')}"},
        )
        lane = Lane("cloud", deployment.url, Engine("Cloudflare Workflows"), deployment.label, deployment.stage)
        return cls(worker, instances, lane, "cloud")

    def reserve(self, request: ReservationRequest) -> Timeline:
        """See PlatformClient.reserve: the Worker answers once the hold exists, or after 2 s without it."""
        requested_at, sent = datetime.now(UTC), time.perf_counter()
        response = self._call(self.worker, "POST", "/reserve", json=request.payload())
        accept_ms = (time.perf_counter() - sent) * 1000
        body = _object(response)
        if response.is_error and body.get("code") != "seat_taken":
            raise _worker_error(response, body, request.reservation_id)
        return replace(
            self._told_by_seat(request.reservation_id, "running", _record(body)),
            request=request,
            requested_at=requested_at,
            accept_ms=round(accept_ms, 3),
        )

    def confirm(self, ref: str) -> Reservation:
        """See PlatformClient.confirm."""
        return self._decide("confirm", ref)

    def cancel(self, ref: str) -> Reservation:
        """See PlatformClient.cancel."""
        return self._decide("cancel", ref)

    def timeline(self, ref: str) -> Timeline:
        """See PlatformClient.timeline: GET .../instances/{id}."""
        instance_id = _own(ref)
        response = self._call(self.instances, "GET", f"/{instance_id}")
        body = _object(response)
        if response.status_code == 404:
            # Not created yet, or pruned: only its seat tells of it.
            lane = self._told_by_seat(instance_id, "unknown", self.reservation(instance_id))
            return replace(lane, notes=("The Workflow has no instance of this reservation.",))
        if response.is_error:
            raise _api_error(response, body)
        result = body.get("result")
        if not isinstance(result, Mapping):
            raise _not_understood(response)
        return timeline_from_instance(instance_id, result, self.lane)

    def reservation(self, ref: str) -> Reservation:
        """See PlatformClient.reservation: GET /reservation/:id."""
        response = self._call(self.worker, "GET", f"/reservation/{_own(ref)}")
        body = _object(response)
        if response.is_error:
            raise _worker_error(response, body, ref)
        record = _record(body)
        if record is None:
            raise NotFoundError(f"The hold of {ref} does not exist yet on Cloudflare.", hint="Ask again in a moment.")
        return record

    def executions(self, limit: int) -> Sequence[Timeline]:
        """See PlatformClient.executions: pages of instances, newest first, then each one's details."""
        names: list[str] = []
        page = 1
        while len(names) < limit:
            response = self._call(
                self.instances, "GET", str(self.instances.base_url).rstrip("/"), params={"page": page, "per_page": PAGE}
            )
            body = _object(response)
            if response.is_error:
                raise _api_error(response, body)
            listed = as_list(body.get("result"))
            # Asking for an id that does not exist leaves an entry without a status in the local engine's list.
            names += [str(item["id"]) for item in listed if item.get("id") and item.get("status")]
            if len(listed) < PAGE:
                break
            page += 1
        return [self.timeline(name) for name in names[:limit]]

    def close(self) -> None:
        """See PlatformClient.close."""
        self.worker.close()
        self.instances.close()

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
        body = _object(response)
        record = _record(body)
        if response.is_error or record is None:
            raise _worker_error(response, body, ref)
        return record

    def _call(self, client: httpx.Client, method: str, path: str, **options: object) -> httpx.Response:
        try:
            return client.request(method, path, **options)  # type: ignore[arg-type]  # httpx types each option apart
        except httpx.TimeoutException as error:
            raise TimedOutError(
                f"{self.lane.label} did not answer within {TIMEOUT_SECONDS:.0f} s.",
                hint="Look at `resv logs cloudflare`, and ask again.",
            ) from error
        except httpx.HTTPError as error:
            raise PlatformError(
                f"{self.lane.label} cannot be reached at {self.lane.endpoint}: {error}.",
                hint="`resv up` starts the local stack; `resv logs cloudflare` shows what happened to it.",
            ) from error


def _own(ref: str) -> str:
    try:
        return check_reservation_id(ref)
    except ValueError as error:
        raise UsageError(str(error)) from error


def _object(response: httpx.Response) -> Mapping[str, object]:
    try:
        body = response.json()
    except ValueError as error:
        raise _not_understood(response) from error
    if not isinstance(body, Mapping):
        raise _not_understood(response)
    return body


def _record(body: Mapping[str, object]) -> Reservation | None:
    record = body.get("reservation")
    return reservation_from_record(record) if isinstance(record, Mapping) else None


def _worker_error(response: httpx.Response, body: Mapping[str, object], ref: str) -> ResvError:
    code, message = str(body.get("code") or ""), str(body.get("error") or f"HTTP {response.status_code}")
    if code == "reservation_not_found":
        return NotFoundError(f"There is no reservation {ref} on Cloudflare.", hint="`resv list` shows what there is.")
    if code in _CONFLICTS:
        return ConflictError(f"Cloudflare: {message}", code=code)
    return PlatformError(f"Cloudflare refused ({response.status_code}): {message}", code=code or None)


def _api_error(response: httpx.Response, body: Mapping[str, object]) -> ResvError:
    errors = as_list(body.get("errors"))
    said = "; ".join(f"{error.get('message')} ({error.get('code')})" for error in errors)
    return PlatformError(f"Cloudflare's API refused ({response.status_code}): {said or 'no reason given'}.")


def _not_understood(response: httpx.Response) -> ResvError:
    kind = response.headers.get("content-type", "no content type")
    return PlatformError(
        f"Cloudflare answered {response.status_code} with something that is not the JSON it documents ({kind})."
    )
