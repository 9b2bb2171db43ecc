"""The examination: all groups at once, each with a time limit."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from reservation_cli import store
from reservation_cli.doctor import local, state, tools
from reservation_cli.doctor.check import AGAIN, Check, Group, Report, attempt, lacking, refused
from reservation_cli.doctor.settings import rows, scrubbed, secrets
from reservation_cli.domain.deployment import AwsDeployment, CloudflareDeployment, Deployment
from reservation_cli.domain.reservation import Platform
from reservation_cli.errors import ResvError
from reservation_cli.local import halves
from reservation_cli.local.node import find_node
from reservation_cli.settings import Settings

#: Longer than any one call may take, shorter than anybody's patience.
LIMIT_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class _Part:
    """A part of the examination, and whether what it looks at is needed."""

    group: Group
    name: str
    look: Callable[[], list[Check]]
    needed: bool = False


def examine(settings: Settings, only: str | None, limit: float = LIMIT_SECONDS) -> Report:
    """Look at what `only` ("aws", "cloudflare" or "local") needs; at everything, as far as it is in use, for None.

    Everything is what the local stack needs, and what a cloud needs on which something is deployed from here. Takes
    `limit` seconds at most. Raises no error of ours: what is wrong is in the report.
    """
    known: dict[Platform, list[Deployment]] = {"aws": [], "cloudflare": []}
    for platform in known:
        found = attempt(partial(store.deployments, settings.home, platform))
        known[platform] = [] if isinstance(found, ResvError) else list(found.values())
    checks = _together(list(_parts(settings, only, known)), limit)
    hidden = secrets(settings.environ, known)
    platforms: list[Platform] = [platform for platform in known if only in (None, platform)]
    return Report(
        tuple(
            replace(check, detail=scrubbed(check.detail, hidden), fix=scrubbed(check.fix, hidden)) for check in checks
        ),
        tuple(rows(settings, known, platforms)),
    )


def _parts(settings: Settings, only: str | None, known: dict[Platform, list[Deployment]]) -> Iterator[_Part]:
    environ = settings.environ
    on_aws = [each for each in known["aws"] if isinstance(each, AwsDeployment)]
    on_cloudflare = [each for each in known["cloudflare"] if isinstance(each, CloudflareDeployment)]
    node = attempt(partial(find_node, environ))
    # A deploy to AWS needs Node.js to build the code, once.
    needs_node = only != "aws" or halves.ready("aws-durable", environ) is None
    yield _Part("tools", "Node.js", partial(tools.node_and_npm, node, environ, needs_node), needs_node)
    if only != "aws":
        yield _Part("tools", "wrangler", partial(tools.wrangler, environ))
    if only in (None, "aws"):
        yield _Part("tools", "sam", partial(tools.sam, environ))
        yield _Part("tools", "aws", partial(tools.aws_cli, environ))
    if only in (None, "local"):
        yield _Part("local", "stack", partial(local.local, settings, True), needed=True)
    yield _Part("state", "home", partial(state.state, settings), needed=True)
    if only in (None, "aws"):
        from reservation_cli.doctor.aws import aws  # deferred: botocore, 100 ms

        needed = only == "aws" or bool(on_aws)
        yield _Part("aws", "credentials", partial(aws, settings, on_aws, needed), needed)
    if only in (None, "cloudflare"):
        from reservation_cli.doctor.cloudflare import cloudflare  # deferred: httpx, 60 ms

        needed = only == "cloudflare" or bool(on_cloudflare)
        look = partial(cloudflare, settings, on_cloudflare, node, needed)
        yield _Part("cloudflare", "credentials", look, needed)


def _together(parts: Sequence[_Part], limit: float) -> list[Check]:
    """All parts' checks in order; one line that says so for a part that takes longer than `limit` seconds."""
    answers: queue.SimpleQueue[tuple[int, list[Check] | BaseException]] = queue.SimpleQueue()

    def run(index: int, look: Callable[[], list[Check]]) -> None:
        try:
            answers.put((index, look()))
        except BaseException as error:  # noqa: BLE001 - handed to the caller's thread below
            answers.put((index, error))

    for index, part in enumerate(parts):
        # Daemons: what still waits for an answer must not keep the command from ending.
        threading.Thread(target=run, args=(index, part.look), daemon=True).start()
    found: dict[int, list[Check]] = {}
    deadline = time.monotonic() + limit
    while len(found) < len(parts):
        try:
            index, answer = answers.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            break
        if isinstance(answer, ResvError):
            part = parts[index]
            answer = [refused(part.group, part.name, answer, part.needed)]
        if isinstance(answer, BaseException):
            raise answer
        found[index] = answer
    return [check for index, part in enumerate(parts) for check in found.get(index) or [_late(part, limit)]]


def _late(part: _Part, limit: float) -> Check:
    detail = f"No answer within {limit:g} s."
    return lacking(part.group, part.name, detail, AGAIN, part.needed)
