"""The two platforms behind one protocol; vendor JSON and vendor errors end here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from reservation_cli.domain.deployment import AwsDeployment, CloudflareDeployment, Deployment
from reservation_cli.domain.reservation import Platform, Reservation, ReservationRequest, Target
from reservation_cli.domain.timeline import ExecutionStatus, Timeline
from reservation_cli.settings import Settings

NAMES: dict[Platform, str] = {"cloudflare": "Cloudflare", "aws": "AWS"}


class PlatformClient(Protocol):
    """One platform at one target.

    A ref names an execution: a reservation id, or on AWS also the ARN of a durable execution. Every call raises the
    errors of `reservation_cli.errors` only: NotFoundError, ConflictError, PlatformError, NotConfiguredError,
    TimedOutError, and UsageError for a ref that belongs elsewhere.
    """

    @property
    def platform(self) -> Platform:
        """Which platform it is."""

    @property
    def target(self) -> Target:
        """Where it runs."""

    @property
    def stage(self) -> str | None:
        """The stage of the deployment; None on the local stack."""

    @property
    def label(self) -> str:
        """How outputs name it: "AWS · local", "AWS · us-east-2 · reservation-workflow-dev:live"."""

    @property
    def lists(self) -> bool:
        """Whether `executions` and `statuses` can be asked; where not, they raise NotConfiguredError."""

    @property
    def requests(self) -> int:
        """How many HTTP requests it has made, repetitions and pages included."""

    def reserve(self, request: ReservationRequest) -> Timeline:
        """Start the workflow and wait, for seconds at most, until the hold exists or is refused.

        The same request again returns the same execution. The timeline's reservation is None when the hold is
        not known yet, and `rejected` when somebody else has the seat.
        """

    def start(self, request: ReservationRequest) -> Timeline:
        """As `reserve`, without waiting for the hold where the platform's answer does not: one request."""

    def confirm(self, ref: str) -> Reservation:
        """Confirm the held seat. ConflictError when it is too late or decided otherwise."""

    def cancel(self, ref: str) -> Reservation:
        """Give the held seat back. ConflictError when it is too late or decided otherwise."""

    def timeline(self, ref: str) -> Timeline:
        """The execution as it stands: one request."""

    def reservation(self, ref: str) -> Reservation:
        """The reservation as its seat has it, strongly consistent."""

    def executions(self, limit: int) -> Sequence[Timeline]:
        """The newest executions, newest first."""

    def statuses(self, since: datetime) -> Mapping[str, ExecutionStatus]:
        """The status of each execution started since then, by reservation id: list calls only, so cheap for hundreds.

        `running` may stand for one that waits.
        """

    def close(self) -> None:
        """Close the connections."""


def connect(
    settings: Settings, platform: Platform, place: Deployment | None, progress: Callable[[str], None]
) -> PlatformClient:
    """A client of `platform` at `place`; None is the local stack, which is started when it does not run."""
    if isinstance(place, CloudflareDeployment):
        from reservation_cli.platforms.cloudflare import CloudflareClient  # deferred: httpx, 60 ms

        return CloudflareClient.cloud(place, settings.environ, progress)
    if isinstance(place, AwsDeployment):
        from reservation_cli.platforms.aws import AwsClient  # deferred: botocore, 130 ms

        return AwsClient.cloud(place, settings.environ)
    from reservation_cli.local import stack  # deferred: a client of a cloud needs none of it

    running = stack.ensure(settings, progress)
    stack.touch(settings.home)
    if platform == "cloudflare":
        from reservation_cli.platforms.cloudflare import CloudflareClient

        return CloudflareClient.local(running)
    from reservation_cli.platforms.aws import AwsClient

    return AwsClient.local(running)
