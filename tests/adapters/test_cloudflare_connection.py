"""Proxies, certificates and addresses of the environment that is given: used, or refused in one line."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from reservation_cli.domain.deployment import CloudflareDeployment
from reservation_cli.errors import NotConfiguredError
from reservation_cli.platforms.cloudflare import CloudflareClient
from reservation_cli.platforms.cloudflare_connection import options
from support.http_server import serving

DEPLOYMENT = CloudflareDeployment(
    "dev", "a" * 32, "https://reservation-workflow-dev.acme.workers.dev", "v1", datetime(2026, 11, 25, tzinfo=UTC)
)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("ALL_PROXY", "socks5://127.0.0.1:1080", "needs the package socksio"),
        ("HTTPS_PROXY", "foo:bar", "The proxy http://foo:bar cannot be used"),
        ("HTTPS_PROXY", "http://proxy:99999", "The proxy http://proxy:99999 cannot be used"),
        ("HTTPS_PROXY", "http://", "it is no proxy's address"),
        ("SSL_CERT_DIR", "/dev/null/x", "The certificates /dev/null/x cannot be used"),
        ("CLOUDFLARE_API_BASE_URL", "http://user:geheim@host:99999", "The address http://host:99999"),
        ("https_proxy", "ftp://127.0.0.1", "it is no proxy's address"),
        ("SSL_CERT_FILE", "/nonexistent.pem", "The certificates /nonexistent.pem cannot be used"),
        ("CLOUDFLARE_API_BASE_URL", "http://host:notaport", "The address http://host:notaport"),
        ("CLOUDFLARE_API_BASE_URL", "notaurl", "does not begin with https://"),
        ("CLOUDFLARE_API_BASE_URL", "https://ho\nst", "The address https://ho?st"),
    ],
)
def test_what_cannot_be_used_is_told(name: str, value: str, said: str) -> None:
    with pytest.raises(NotConfiguredError) as caught:
        CloudflareClient.cloud(DEPLOYMENT, {"CLOUDFLARE_API_TOKEN": "token", name: value})
    assert said in caught.value.message
    assert "\n" not in caught.value.message


def test_a_proxy_s_password_is_not_told() -> None:
    with pytest.raises(NotConfiguredError) as caught:
        options("https://api.cloudflare.com", {"HTTPS_PROXY": "socks5://user:geheim@127.0.0.1:1"})
    assert "geheim" not in caught.value.message


def test_a_broken_certificate_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    with pytest.raises(NotConfiguredError, match="The certificates"):
        options("https://api.cloudflare.com", {"SSL_CERT_FILE": str(tmp_path / "ca.pem")})


def test_a_proxy_is_gone_through_unless_the_host_is_spared() -> None:
    with serving() as proxy:
        proxy.give("GET", "*", json.dumps({"ok": True}))
        environ = {"http_proxy": proxy.url}
        with httpx.Client(**options("http://api.test", environ)) as client:
            assert client.get("/there").json() == {"ok": True}
        assert [path for _, path, _ in proxy.seen] == ["http://api.test/there"]
        assert options("http://api.test", {**environ, "NO_PROXY": "api.test"})["mounts"] == {}
        assert options("http://127.0.0.1:8787", environ)["mounts"] == {}
