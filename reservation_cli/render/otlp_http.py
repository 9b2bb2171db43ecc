"""Spans on their way to an OTLP endpoint, by OpenTelemetry's exporter over HTTP.

The exporter logs what goes wrong and gives only that it did; it takes a redirection for success and passes over spans
that were rejected. So its session keeps the last answer, and that is what is judged.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit
from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]  # typeshed has it for macOS only

import requests
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.util.re import parse_env_headers

from reservation_cli.errors import NotConfiguredError, PlatformError

Answer = requests.Response | requests.RequestException | None

_TIMEOUT_SECONDS = 10.0
_GRPC_PORT = 4317
_MOST_TEXT = 200
# Without a handler of its own its warnings would go to stderr, in several lines.
logging.getLogger("opentelemetry").addHandler(logging.NullHandler())


def deliver(spans: Sequence[ReadableSpan], address: str, name: str, environ: Mapping[str, str]) -> None:
    """Send the spans to `address`, which is called `name` in errors.

    From `environ` come OTEL_EXPORTER_OTLP_HEADERS, _CERTIFICATE, _COMPRESSION and _TIMEOUT (seconds), each also as
    OTEL_EXPORTER_OTLP_TRACES_…, and the proxy. Raises PlatformError unless all spans are taken, NotConfiguredError for
    a setting that is none.
    """
    timeout = _timeout(environ)
    session = _Session(address, environ)
    exporter = OTLPSpanExporter(
        endpoint=address,
        certificate_file=_setting(environ, "CERTIFICATE") or environ.get("SSL_CERT_FILE") or None,
        headers=parse_env_headers(_setting(environ, "HEADERS"), liberal=True),
        timeout=timeout,
        compression=Compression.Gzip if _setting(environ, "COMPRESSION") == "gzip" else Compression.NoCompression,
        session=session,
    )
    taken = False
    # Older exporters let it through; the session has kept it.
    with suppress(requests.RequestException):
        taken = exporter.export(spans) is SpanExportResult.SUCCESS
    exporter.shutdown()  # type: ignore[no-untyped-call]
    answer = session.last
    refusal = _failure(answer, timeout) if isinstance(answer, Exception) else _refusal(answer, len(spans))
    if refusal or not taken:
        raise PlatformError(
            f"{name} did not take the spans: {refusal or 'no reason told'}.", hint=_hint(answer, address)
        )


class _Session(requests.Session):
    """A session that keeps what came of its last request, and takes its proxy from the given environment."""

    def __init__(self, address: str, environ: Mapping[str, str]) -> None:
        super().__init__()
        self.last: Answer = None
        self.trust_env = False
        parts = urlsplit(address)
        spared = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
        if not proxy_bypass_environment(parts.hostname or "", {"no": spared}):
            names = (f"{parts.scheme}_proxy", "all_proxy")
            proxy = next((found for name in names if (found := environ.get(name) or environ.get(name.upper()))), None)
            self.proxies = {parts.scheme: proxy} if proxy else {}

    def request(self, *args: Any, **options: Any) -> requests.Response:
        try:
            answer = super().request(*args, **options)
        except requests.RequestException as error:
            self.last = error
            raise
        self.last = answer
        return answer


def _failure(error: Exception, timeout: float) -> str:
    """Why there was no answer. A request's own text is left out: it may quote a header."""
    if isinstance(error, requests.Timeout):
        return f"no answer within {timeout:g} s"
    told = [found for found in _causes(error) if isinstance(found, OSError) and found.strerror]
    if told:
        return str(told[-1].strerror)
    return "the connection was cut" if isinstance(error, requests.ConnectionError) else type(error).__name__


def _causes(error: BaseException) -> Iterator[BaseException]:
    found: BaseException | None = error
    while found is not None:
        yield found
        found = found.__cause__ or found.__context__


def _refusal(answer: requests.Response | None, sent: int) -> str | None:
    """What an answer has against the spans; None when it has taken them all, or there is none."""
    if answer is None:
        return None
    is_protobuf = answer.headers.get("content-type", "").startswith("application/x-protobuf")
    try:
        if answer.status_code >= 300:
            text: str = Status.FromString(answer.content).message if is_protobuf else _text(answer)
            return f"HTTP {answer.status_code} {answer.reason}" + (f": {text.strip().rstrip('.')}" if text else "")
        partial = ExportTraceServiceResponse.FromString(answer.content if is_protobuf else b"").partial_success
    except DecodeError:
        return f"HTTP {answer.status_code} with an answer that is not OTLP's"
    if not partial.rejected_spans:
        return None
    why = f": {partial.error_message.rstrip('.')}" if partial.error_message else ""
    return f"{partial.rejected_spans} of {sent} were rejected{why}"


def _text(answer: requests.Response) -> str:
    kind = answer.headers.get("content-type", "")
    return answer.text[:_MOST_TEXT] if kind.startswith(("text/plain", "application/json")) else ""


def _hint(answer: Answer, address: str) -> str:
    status = getattr(answer, "status_code", None)
    if status in (401, 403):
        return "OTEL_EXPORTER_OTLP_HEADERS carries the key: name=value, comma-separated."
    if status in (404, 405):
        return "Give the endpoint of OTLP over HTTP; the spans go to /v1/traces beneath it."
    if urlsplit(address).port == _GRPC_PORT:
        return f"{_GRPC_PORT} is gRPC's port as a rule; OTLP over HTTP listens on 4318."
    return "Is a collector listening there, with OTLP over HTTP?"


def _setting(environ: Mapping[str, str], name: str) -> str:
    return environ.get(f"OTEL_EXPORTER_OTLP_TRACES_{name}") or environ.get(f"OTEL_EXPORTER_OTLP_{name}") or ""


def _timeout(environ: Mapping[str, str]) -> float:
    value = _setting(environ, "TIMEOUT") or str(_TIMEOUT_SECONDS)
    try:
        seconds = float(value)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise NotConfiguredError(
            f"OTEL_EXPORTER_OTLP_TIMEOUT is no number of seconds: {value!r}.", hint="Set it to 10, or not at all."
        )
    return seconds
