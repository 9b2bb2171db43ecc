"""Proxies, certificates and addresses of the environment that is given: used, or refused in one line."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import certifi
import httpx
import pytest

from reservation_cli.domain.deployment import CloudflareDeployment
from reservation_cli.errors import NotConfiguredError, NotFoundError, PlatformError
from reservation_cli.platforms.cloudflare import CloudflareClient
from reservation_cli.platforms.cloudflare_connection import options
from reservation_cli.platforms.cloudflare_http import Retries
from support.doctor import free_port
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


@pytest.mark.parametrize("proxy", ["http://127.0.0.1:{}", "127.0.0.1:{}", "http://user:geheim@127.0.0.1:{}"])
def test_calls_go_by_the_proxy_that_is_named(proxy: str) -> None:
    with serving() as server:
        server.give("POST", "*", json.dumps({"error": "No.", "code": "reservation_not_found"}), 404)
        environ = {"ALL_PROXY": proxy.format(server.url.rpartition(":")[2])}
        client = CloudflareClient.cloud(replace(DEPLOYMENT, url="http://worker.test"), environ)
        with pytest.raises(NotFoundError):
            client.confirm("r-1")
        client.close()
        assert [path for _, path, _ in server.seen] == ["http://worker.test/confirm/r-1"]


def test_a_proxy_that_is_not_there_is_named_without_its_password() -> None:
    environ = {"HTTP_PROXY": f"http://user:geheim@127.0.0.1:{free_port()}"}
    client = CloudflareClient.cloud(replace(DEPLOYMENT, url="http://worker.test"), environ, retries=Retries(tries=1))
    with pytest.raises(PlatformError, match=r"worker\.test cannot be reached by the proxy http://127") as caught:
        client.confirm("r-1")
    client.close()
    assert "geheim" not in caught.value.message


def test_a_proxy_that_nobody_knows_is_not_taken_for_a_worker_that_is_gone() -> None:
    environ = {"HTTP_PROXY": "http://proxy.invalid:8080"}
    client = CloudflareClient.cloud(replace(DEPLOYMENT, url="http://worker.test"), environ, retries=Retries(tries=1))
    with pytest.raises(PlatformError, match=r"by the proxy http://proxy\.invalid:8080") as caught:
        client.confirm("r-1")
    client.close()
    assert "torn down" not in str(caught.value.hint)


@pytest.mark.parametrize("spared", ["worker.test", ".test", "other,worker.test", "*", "a.test, *"])
def test_hosts_that_are_spared(spared: str) -> None:
    environ = {"https_proxy": "http://proxy:1", "no_proxy": spared}
    assert options("https://worker.test", environ)["mounts"] == {}
    assert options("https://another.example", {**environ, "no_proxy": "worker.test"})["mounts"]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_no_proxy_stands_between_this_machine_and_itself(host: str) -> None:
    environ = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), "http://proxy:1")
    assert options(f"http://{host}:8787", environ)["mounts"] == {}


def test_certificates_of_the_environment_are_trusted_alone() -> None:
    trusted = options("https://worker.test", {"SSL_CERT_FILE": certifi.where()})["verify"]
    assert trusted.cert_store_stats()["x509_ca"] > 0
    nobody = options("https://worker.test", {"SSL_CERT_DIR": "/dev"})["verify"]
    assert nobody.cert_store_stats()["x509_ca"] == 0
