"""How Cloudflare's cloud is reached: proxies and certificates as a given environment has them.

httpx would take them from os.environ, which .env is no part of, and stumble over those that it cannot use.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from functools import cache
from typing import Any
from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]  # typeshed has it for macOS only

import httpx

from reservation_cli.errors import NotConfiguredError

LOCAL = frozenset({"127.0.0.1", "localhost", "::1"})


def options(base_url: str, environ: Mapping[str, str]) -> dict[str, Any]:
    """What httpx.Client takes for `base_url`: its URL, its proxy and whom to trust.

    Raises NotConfiguredError for a URL, a proxy or a certificate file that cannot be used.
    """
    try:
        url = httpx.URL(base_url)
    except httpx.InvalidURL as error:
        raise _unusable("The address", base_url, error, "Look at CLOUDFLARE_API_BASE_URL.") from error
    if url.scheme not in ("http", "https") or not url.host:
        raise _unusable("The address", base_url, "it does not begin with https://", "Look at CLOUDFLARE_API_BASE_URL.")
    is_local = url.host in LOCAL
    # A plain address has no certificate: to load those takes 25 ms.
    trusted = (
        _trusted(_named(environ, "SSL_CERT_FILE"), _named(environ, "SSL_CERT_DIR"))
        if url.scheme == "https"
        else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    )
    # No proxy of the environment may stand between this machine and itself.
    proxy = None if is_local else _proxy(url, environ)
    return {"base_url": url, "verify": trusted, "trust_env": False, "mounts": _through(proxy, trusted)}


def _proxy(url: httpx.URL, environ: Mapping[str, str]) -> str:
    if proxy_bypass_environment(url.host, {"no": _named(environ, "NO_PROXY")}):
        return ""
    return _named(environ, f"{url.scheme.upper()}_PROXY") or _named(environ, "ALL_PROXY")


def _through(proxy: str | None, trusted: ssl.SSLContext) -> dict[str, httpx.BaseTransport]:
    if not proxy:
        return {}
    shown = proxy.rpartition("@")[2]
    hint = "Look at HTTPS_PROXY and ALL_PROXY."
    try:
        return {"all://": httpx.HTTPTransport(proxy=proxy, verify=trusted)}
    except ImportError as error:
        raise _unusable("The proxy", shown, "a SOCKS proxy needs the package socksio", hint) from error
    except (ValueError, httpx.InvalidURL) as error:
        raise _unusable("The proxy", shown, "it is no proxy's address", hint) from error


@cache
def _trusted(file: str, folder: str) -> ssl.SSLContext:
    """Loaded once, which takes 25 ms."""
    if not file and not folder:
        return httpx.create_ssl_context(trust_env=False)
    try:
        return ssl.create_default_context(cafile=file or None, capath=folder or None)
    except OSError as error:  # ssl.SSLError is one
        named = file or folder
        raise _unusable("The certificates", named, error, "Look at SSL_CERT_FILE and SSL_CERT_DIR.") from error


def _named(environ: Mapping[str, str], name: str) -> str:
    return environ.get(name.lower()) or environ.get(name) or ""


def _unusable(what: str, value: str, why: object, hint: str) -> NotConfiguredError:
    reason = getattr(why, "strerror", None) or str(why)
    shown = "".join(character if character.isprintable() else "?" for character in value)
    return NotConfiguredError(f"{what} {shown} cannot be used: {reason.rstrip('.')}.", hint=hint, code="connection")
