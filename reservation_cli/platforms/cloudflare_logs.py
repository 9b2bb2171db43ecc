"""The logs of a Worker in the cloud: what it wrote, by Workers Observability; what it writes, by `wrangler tail`."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from urllib.parse import urlsplit

import httpx

from reservation_cli.domain import json_text
from reservation_cli.domain.deployment import CloudflareDeployment
from reservation_cli.domain.reservation import format_time, parse_time
from reservation_cli.domain.timeline import Engine
from reservation_cli.errors import NotConfiguredError, ResvError
from reservation_cli.logs import LogLine
from reservation_cli.platforms.cloudflare_answers import api_body, not_understood, unreachable
from reservation_cli.platforms.cloudflare_http import Retries, api, api_token
from reservation_cli.platforms.payloads import Lane, as_list, error_text
from reservation_cli.platforms.wrangler import Wrangler

#: What the telemetry API asks of a token.
PERMISSION = "Workers Observability (edit)"
PAGE = 1000

_LOG = "cloudflare"
_USUAL_LEVELS = ("log", "info", "")


def past(
    deployment: CloudflareDeployment,
    environ: Mapping[str, str],
    since: datetime,
    about: str | None,
    newest: int,
    progress: Callable[[str], None] = lambda _message: None,
    retries: Retries | None = None,
) -> Iterator[LogLine]:
    """The lines of the `newest` events since then, oldest first; with `about` only events that mention it anywhere.

    From POST /accounts/{account}/workers/observability/telemetry/query. Raises NotConfiguredError without a token
    that may ask it.
    """
    lane = Lane("cloud", deployment.url, Engine("Cloudflare Workflows"), deployment.label, deployment.stage)
    token = api_token(environ)
    if not token:
        raise NotConfiguredError(
            f"{deployment.label}: its logs are read from Cloudflare's REST API, and CLOUDFLARE_API_TOKEN is not set.",
            hint=f"Set it in the environment or in .env, to a token with the permission {PERMISSION}.",
            code="credentials",
        )
    with api(f"/accounts/{deployment.account}", token, environ, progress, retries) as client:
        events = _events(client, lane, _query(deployment.workflow, since, about), newest)
    for event in sorted(events, key=_time_of):
        yield from _lines(_time_of(event), _told(event))


@contextmanager
def follow(deployment: CloudflareDeployment, wrangler: Wrangler, about: str | None) -> Generator[Generator[LogLine]]:
    """Lines as the Worker writes them, without end; with `about` only those of events that mention it anywhere.

    `wrangler tail` runs as long as the context does, whichever thread reads. Raises NotConfiguredError without
    credentials (a token, or `wrangler login`), PlatformError when the tail breaks off.
    """

    def lines(said: Iterable[str], ended: Callable[[], ResvError | None]) -> Generator[LogLine]:
        for event in objects(said):
            if ("outcome" in event or "event" in event) and (
                about is None or about in json.dumps(event, ensure_ascii=False)
            ):
                for at, text in _tailed(event):
                    yield from _lines(at, text)
        if (error := ended()) is not None:
            raise error

    with wrangler.tail(deployment.account, deployment.workflow) as (said, ended):
        yield lines(said, ended)


def _query(worker: str, since: datetime, about: str | None) -> dict[str, object]:
    filters = [{"key": "$metadata.service", "operation": "eq", "type": "string", "value": worker}]
    parameters: dict[str, object] = {"filterCombination": "and", "filters": filters}
    if about is not None:
        parameters["needle"] = {"value": about, "matchCase": True}
    frame = {"from": int(since.timestamp() * 1000), "to": int(datetime.now(UTC).timestamp() * 1000) + 60_000}
    # `dry`: it is run all the same, but not kept as a query of the account.
    return {"queryId": "resv-logs", "view": "events", "dry": True, "timeframe": frame, "parameters": parameters}


def _events(client: httpx.Client, lane: Lane, query: Mapping[str, object], newest: int) -> list[Mapping[str, object]]:
    """The `newest` events that match, page after page, each page beginning behind the event of `offset`."""
    events: list[Mapping[str, object]] = []
    offset: dict[str, object] = {}
    while len(events) < newest:
        limit = min(PAGE, newest - len(events))
        try:
            response = client.post("/workers/observability/telemetry/query", json={**query, **offset, "limit": limit})
        except httpx.HTTPError as error:
            raise unreachable(error, lane) from error
        result = api_body(response, lane, "its logs", PERMISSION).get("result")
        view = result.get("events") if isinstance(result, Mapping) else None
        if not isinstance(view, Mapping):
            raise not_understood(response, lane)
        page = as_list(view.get("events"))
        events += page
        last = page[-1].get("$metadata") if page else None
        name = last.get("id") if isinstance(last, Mapping) else None
        if len(page) < limit or not name or name == offset.get("offset"):
            break
        offset = {"offset": name, "offsetDirection": "next"}
    return events


def _time_of(event: Mapping[str, object]) -> datetime:
    return parse_time(event.get("timestamp")) or datetime.fromtimestamp(0, UTC)


def _told(event: Mapping[str, object]) -> str:
    """What an event of the telemetry says: the Worker's line, or an invocation and how it ended."""
    meta, workers, source = _object(event.get("$metadata")), _object(event.get("$workers")), event.get("source")
    message = meta.get("message") or (source if isinstance(source, str) else _object(source).get("message"))
    text = _text(message or meta.get("error") or meta.get("trigger") or workers.get("eventType") or "event")
    error, outcome = meta.get("error"), workers.get("outcome")
    if error and _text(error) not in text:
        text = f"{text}: {_text(error)}"
    ending = f" ({outcome})" if meta.get("type") == "cf-worker-event" and outcome else ""
    return f"{_leveled(meta.get('level'), text)}{ending}"


def _tailed(event: Mapping[str, object]) -> Iterator[tuple[datetime | None, str]]:
    """What an event of the tail says, each with its time: the invocation, its console's lines, its exceptions."""
    about, at = _object(event.get("event")), parse_time(event.get("eventTimestamp"))
    yield at, f"{_invocation(event, about)} ({event.get('outcome') or 'unknown'})"
    for line in as_list(event.get("logs")):
        message = line.get("message")
        text = " ".join(map(_text, message)) if isinstance(message, list) else _text(message)
        yield parse_time(line.get("timestamp")) or at, _leveled(line.get("level"), text)
    for exception in as_list(event.get("exceptions")):
        yield parse_time(exception.get("timestamp")) or at, f"exception: {error_text(exception) or 'no reason told'}"


def _invocation(event: Mapping[str, object], about: Mapping[str, object]) -> str:
    request, response = _object(about.get("request")), _object(about.get("response"))
    if request:
        status = f" {response['status']}" if response.get("status") else ""
        return f"{request.get('method')} {urlsplit(str(request.get('url') or '')).path}{status}"
    where = f"{event.get('entrypoint')}." if event.get("entrypoint") else ""
    if about.get("rpcMethod"):
        return f"{where}{about['rpcMethod']}"
    if about.get("message"):
        return f"{about.get('type') or 'tail'}: {about['message']}"
    return f"{where}{'alarm' if 'scheduledTime' in about else 'event'}"


def _leveled(level: object, text: str) -> str:
    return text if str(level or "") in _USUAL_LEVELS else f"{level}: {text}"


def _lines(at: datetime | None, text: str) -> Iterator[LogLine]:
    """One line for each of the text's, with its time, and without what would move a terminal's cursor."""
    for line in text.splitlines() or [""]:
        plain = "".join(character if character.isprintable() else " " for character in line)
        yield LogLine(_LOG, f"{format_time(at) or ''} {plain}".strip())


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _object(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def objects(lines: Iterable[str]) -> Iterator[Mapping[str, object]]:
    """The JSON objects in a stream of lines, each of one line or of many; other lines are passed over."""
    begun = ""
    for line in lines:
        if line.startswith("{"):
            begun = ""  # what was begun before has been broken off: within an object, lines are indented
        elif not begun:
            continue
        begun += line
        if not line.rstrip().endswith("}"):
            continue
        with suppress(ValueError):
            value = json_text.loads(begun)
            begun = ""
            if isinstance(value, Mapping):
                yield value
