"""Calls on a real platform, recorded as the judges of `support.witnesses` need them: each call with its answer, each
error of a server, and what every reader says in the end.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any, TypeVar

import httpx
from botocore.exceptions import ConnectionError, HTTPClientError, IncompleteReadError

from reservation_cli.domain.reservation import ReservationRequest
from reservation_cli.domain.timeline import ENDED, ExecutionStatus
from reservation_cli.errors import NotFoundError, PlatformError, ResvError, TimedOutError
from reservation_cli.platforms import PlatformClient
from reservation_cli.platforms.aws import AwsClient
from reservation_cli.platforms.cloudflare import CloudflareClient
from reservation_cli.platforms.pace import Pace
from support.waiting import until
from support.witnesses import Act, Answer, Witnesses

Found = TypeVar("Found")

#: Readers at the end, and how many reservations they look at a second: each opens its files in workerd again.
READERS, READS_A_SECOND = 6, 60.0
_LOOK_SECONDS = 0.4
#: What the clients' PlatformError comes from when no answer came. They call it `platform`, as they do other failures.
_NO_ANSWER = (httpx.TransportError, ConnectionError, HTTPClientError, IncompleteReadError)


def now_ms() -> float:
    """This machine's clock, in epoch milliseconds."""
    return time.time() * 1000


def call(client: PlatformClient, act: Act, request: ReservationRequest) -> Answer:
    """Make the call, and record what it was told."""
    sent = now_ms()
    try:
        if act == "reserve":
            lane = client.reserve(request)
            return Answer(act, request, sent, now_ms(), lane.reservation, ref=lane.ref)
        ask = {"confirm": client.confirm, "cancel": client.cancel, "read": client.reservation}[act]
        record = ask(request.reservation_id)
    except ResvError as error:
        is_unreachable = isinstance(error, PlatformError) and isinstance(error.__cause__, _NO_ANSWER)
        code = "unreachable" if is_unreachable else error.code
        return Answer(act, request, sent, now_ms(), refusal=code, message=error.message)
    return Answer(act, request, sent, now_ms(), record)


def server_errors(client: PlatformClient) -> list[str]:
    """A list to which each HTTP 5xx is added that `client` is answered from now on.

    Also one that it gets over by asking again, or that its reserve makes a note of.
    """
    found: list[str] = []

    def from_cloudflare(response: httpx.Response) -> None:
        if response.status_code >= 500:
            asked = response.request
            found.append(f"{asked.method} {asked.url.path} was answered with HTTP {response.status_code}")

    def from_aws(event_name: str, parsed_response: Mapping[str, Any] | None, **_: object) -> None:
        status = (parsed_response or {}).get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if parsed_response and status >= 500:
            told = parsed_response.get("Error", {})
            operation = event_name.rpartition(".")[2]
            found.append(f"{operation} was answered with HTTP {status}: {told.get('Code')}: {told.get('Message')}")

    if isinstance(client, CloudflareClient):
        for http in (client.worker, client.instances):
            if http is not None:
                http.event_hooks["response"].append(from_cloudflare)
    else:
        assert isinstance(client, AwsClient)
        client.api.meta.events.register("response-received.lambda", from_aws)
    return found


def witnesses_of(client: PlatformClient, names: Sequence[str], since: datetime, seconds: float) -> dict[str, Witnesses]:
    """What every reader says of each reservation once all executions have ended, which may take `seconds`.

    `since` is when the first of them may have begun.
    """
    listed: Mapping[str, ExecutionStatus] = {}

    def have_ended() -> bool:
        nonlocal listed
        listed = patiently(lambda: client.statuses(since))
        going = any(listed[name] not in ENDED for name in names if name in listed)
        if going:
            time.sleep(_LOOK_SECONDS)  # the list may have thousands
        return not going

    until(have_ended, f"{len(names)} reservations to end", seconds=seconds)
    pace = Pace(READERS, READS_A_SECOND)

    def look(name: str) -> Witnesses:
        pace.wait()
        seat = _known(lambda: client.reservation(name))
        return Witnesses(seat, _known(lambda: client.timeline(name)), listed.get(name))

    with ThreadPoolExecutor(READERS) as pool:
        return dict(zip(names, pool.map(look, names), strict=True))


def _known(ask: Callable[[], Found]) -> Found | None:
    """What is asked for, or None where it is not found."""
    try:
        return patiently(ask)
    except NotFoundError:
        return None


def patiently(ask: Callable[[], Found]) -> Found:
    """What is asked for, also of an engine that its supervisor is just starting again: of a busy machine it may."""
    deadline = time.monotonic() + 60
    while True:
        try:
            return ask()
        except (PlatformError, TimedOutError):
            if time.monotonic() > deadline:
                raise
            time.sleep(_LOOK_SECONDS)
