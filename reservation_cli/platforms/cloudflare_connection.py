"""How Cloudflare's cloud is reached: proxies and certificates as a given environment has them.

httpx would take them from os.environ, which .env is no part of, and stumble over those that it cannot use.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any
from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]  # typeshed has it for macOS only

import httpx

from reservation_cli.errors import NotConfiguredError

LOCAL = frozenset({"127.0.0.1", "localhost", "::1"})


def options(base_url: str, environ: Mapping[str, str], secret: bool = False) -> dict[str, Any]:
    """What httpx.Client takes for `base_url`: its URL, its proxy and whom to trust.

    Raises NotConfiguredError for a URL, a proxy or certificates that cannot be used; also for plain http to another
    machine when what is sent is `secret`.
    """
    hint = "Look at CLOUDFLARE_API_BASE_URL."
    try:
        url = httpx.URL(base_url)
    except httpx.InvalidURL as error:
        raise _unusable("The address", base_url, error, hint) from error
    if url.scheme not in ("http", "https") or not url.host:
        raise _unusable("The address", base_url, "it does not begin with https://", hint)
    if not _is_port(url.port):
        raise _unusable("The address", base_url, "there is no such port", hint)
    if secret and url.scheme == "http" and url.host not in LOCAL:
        raise _unusable("The address", base_url, "a token would go there unencrypted; it takes https://", hint)
    # A plain address has no certificate: to load those takes 25 ms.
    trusted = (
        _trusted(_named(environ, "SSL_CERT_FILE"), _named(environ, "SSL_CERT_DIR"))
        if url.scheme == "https"
        else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    )
    # No proxy of the environment may stand between this machine and itself.
    mounts = {} if url.host in LOCAL else _through(url, environ, trusted)
    return {"base_url": url, "verify": trusted, "trust_env": False, "mounts": mounts}


def proxy_of(base_url: str, environ: Mapping[str, str]) -> str:
    """The address of the proxy between here and `base_url`, without its password; "" without one."""
    url = httpx.URL(base_url)
    return "" if url.host in LOCAL else _shown(_proxy(url, environ)[1])


def _proxy(url: httpx.URL, environ: Mapping[str, str]) -> tuple[str, str]:
    """The variable that names the proxy for `url`, and the proxy; "" for both without one."""
    spared = _named(environ, "NO_PROXY")
    if "*" in map(str.strip, spared.split(",")) or proxy_bypass_environment(url.host, {"no": spared}):
        return "", ""
    name = next((name for name in (f"{url.scheme.upper()}_PROXY", "ALL_PROXY") if _named(environ, name)), "")
    proxy = _named(environ, name)
    # As curl has it, a proxy without a scheme speaks HTTP.
    return name, proxy if not proxy or "://" in proxy else f"http://{proxy}"


def _through(url: httpx.URL, environ: Mapping[str, str], trusted: ssl.SSLContext) -> dict[str, httpx.BaseTransport]:
    name, proxy = _proxy(url, environ)
    if not proxy:
        return {}
    what, hint = "The proxy", f"Look at {name} in the environment."
    try:
        address = httpx.URL(proxy)
        if not (address.host and _is_port(address.port)):
            raise _unusable(what, _shown(proxy), "it is no proxy's address", hint)
        return {"all://": httpx.HTTPTransport(proxy=proxy, verify=trusted, trust_env=False)}
    except ImportError as error:
        raise _unusable(
            what,
            _shown(proxy),
            "a SOCKS proxy needs the package socksio",
            f"pip install socksio; or name an HTTP proxy in {name}.",
        ) from error
    except (ValueError, httpx.InvalidURL) as error:
        raise _unusable(what, _shown(proxy), "it is no proxy's address", hint) from error


def _is_port(port: int | None) -> bool:
    return port is None or 0 < port < 65536


@cache
def _trusted(file: str, folder: str) -> ssl.SSLContext:
    """Loaded once, which takes 25 ms."""
    if not file and not folder:
        return httpx.create_ssl_context(trust_env=False)
    hint = "Look at SSL_CERT_FILE and SSL_CERT_DIR."
    # OpenSSL says nothing of a folder that is not there.
    if folder and not Path(folder).is_dir():
        raise _unusable("The certificates", folder, "it is no folder", hint)
    try:
        return ssl.create_default_context(cafile=file or None, capath=folder or None)
    except OSError as error:  # ssl.SSLError is one
        raise _unusable("The certificates", file, error, hint) from error


def _named(environ: Mapping[str, str], name: str) -> str:
    return environ.get(name.lower()) or environ.get(name) or ""


def _shown(url: str) -> str:
    """A URL as it may be shown: without a user's name and password."""
    scheme, mark, rest = url.rpartition("://")
    return f"{scheme}{mark}{rest.rpartition('@')[2]}"


def _unusable(what: str, value: str, why: object, hint: str) -> NotConfiguredError:
    reason = getattr(why, "strerror", None) or str(why)
    told = f"{what} {_shown(value)} cannot be used: {reason.rstrip('.')}."
    shown = "".join(character if character.isprintable() else "?" for character in told)
    return NotConfiguredError(shown, hint=hint, code="connection")
