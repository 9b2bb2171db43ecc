"""A run as OpenTelemetry spans, sent to an OTLP endpoint over HTTP by the official SDK (the extra `otlp`)."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit, urlunsplit

from reservation_cli.domain.run import Run
from reservation_cli.errors import NotConfiguredError, UsageError

#: Where OTLP/HTTP takes spans, beneath the endpoint. OpenTelemetry Protocol specification, "OTLP/HTTP Request".
_PATH = "/v1/traces"


def check(url: str) -> str:
    """The address that spans for the endpoint `url` go to: /v1/traces beneath it, unless that is named already.

    Raises UsageError when it is no address, NotConfiguredError when the extra is not installed.
    """
    hint = "Give the endpoint as http://localhost:4318"
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname
    except ValueError as error:
        raise UsageError(f"{shown(url)} is no address: {error}.", hint=hint) from error
    if not host or port == 0:
        raise UsageError(f"{shown(url)} is no address.", hint=hint)
    try:
        import opentelemetry.exporter.otlp.proto.http.trace_exporter
        import opentelemetry.sdk.trace  # noqa: F401
    except ModuleNotFoundError as error:
        raise NotConfiguredError(
            "OpenTelemetry is not installed, so no spans can be sent.", hint="pip install 'reservation-cli[otlp]'"
        ) from error
    path = parts.path.rstrip("/")
    return urlunsplit(parts._replace(path=path if path.endswith(_PATH) else path + _PATH, fragment=""))


def send(run: Run, url: str, environ: Mapping[str, str]) -> str:
    """Send the run's lanes (of a benchmark, those that it keeps) and give what was sent, and where, in words.

    From `environ` come the OTEL_EXPORTER_OTLP_ settings and the proxy. Raises PlatformError when the endpoint does not
    take all spans, UsageError when there are none, NotConfiguredError when the environment forbids them.
    """
    address = check(url)
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        raise NotConfiguredError("OTEL_SDK_DISABLED is set, so no spans can be sent.", hint="Unset it.")
    # Deferred: both are of the extra.
    from reservation_cli.render.otlp_http import deliver
    from reservation_cli.render.otlp_spans import spans_of

    spans = list(spans_of(run))
    if not spans:
        raise UsageError(f"The run {run.id} has no spans to send.", hint="None of its lanes is known to have started.")
    deliver(spans, address, shown(address), environ)
    return f"{len(spans)} spans to {shown(address)}"


def shown(url: str) -> str:
    """The URL as it may be shown: without a user, a password or a query, which may be a key."""
    scheme, mark, rest = url.partition("://")
    rest = rest.partition("#")[0].partition("?")[0]
    host, slash, path = rest.partition("/")
    return f"{scheme}{mark}{host.rpartition('@')[2]}{slash}{path}"
