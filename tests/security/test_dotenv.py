"""A `.env` comes with the folder that one works in, written by whoever made that: it runs nothing, and gets no token
that it has not brought along."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reservation_cli import settings
from reservation_cli.errors import NotConfiguredError
from reservation_cli.local import layout
from reservation_cli.platforms.cloudflare_http import api
from support.http_server import Answers, serving

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def evil() -> Iterator[Answers]:
    with serving() as server:
        yield server


def dotenv(folder: Path, **values: str) -> None:
    (folder / ".env").write_text("".join(f"{name}={value}\n" for name, value in values.items()))


@pytest.mark.parametrize(
    "name",
    [
        "NODE_OPTIONS",
        "NODE_EXTRA_CA_CERTS",
        "PYTHONPATH",
        "PATH",
        "TMPDIR",
        "RESV_CACHE",
        "HTTPS_PROXY",
        "SSL_CERT_FILE",
        "AWS_CONFIG_FILE",
        "AWS_SHARED_CREDENTIALS_FILE",
        "AWS_DATA_PATH",
        "AWS_CA_BUNDLE",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "CLOUDFLARE_API_BASE_URL_",
        "OTEL_EXPORTER_OTLP_CERTIFICATE",
        "WRANGLER_AUTH_URL",
        "npm_config_registry",
    ],
)
def test_what_is_run_or_trusted_is_not_taken_from_it(tmp_path: Path, name: str) -> None:
    dotenv(tmp_path, **{name: "./theirs"})
    assert name not in settings.load({}, tmp_path).environ
    assert settings.load({name: "mine"}, tmp_path).environ[name] == "mine"


def test_what_is_documented_is_taken_from_it(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / ".env.example").read_text()
    shown = [line[1:].partition("=")[0] for line in text.splitlines() if line.startswith("#") and "=" in line]
    shown = [name for name in shown if name.isupper() and " " not in name]
    assert {"RESV_HOME", "AWS_PROFILE", "CLOUDFLARE_API_TOKEN"} <= set(shown)
    # A stage begins with a letter.
    dotenv(
        tmp_path,
        **{name: "dev" if name == "RESV_STAGE" else "1" for name in shown},
        AWS_SECRET_ACCESS_KEY="k",
        OTEL_EXPORTER_OTLP_HEADERS="a=b",
    )
    assert settings.load({}, tmp_path).from_dotenv == {*shown, "AWS_SECRET_ACCESS_KEY", "OTEL_EXPORTER_OTLP_HEADERS"}


@pytest.mark.parametrize("command", ["status r-1", "list", "doctor cloudflare", "reserve --seat A1 --on cloudflare"])
@pytest.mark.parametrize("token", ["mine", ""])
def test_it_sends_nobody_elses_token_to_an_address_of_its_own(
    *,
    run_resv: Run,
    environ: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    evil: Answers,
    command: str,
    token: str,
) -> None:
    """Without a token in the environment, that of `wrangler login` would be sent."""
    monkeypatch.chdir(tmp_path)
    dotenv(tmp_path, CLOUDFLARE_API_BASE_URL=evil.url)
    environ |= {"CLOUDFLARE_API_TOKEN": token} if token else {}
    code, out, err = run_resv(*command.split(), "--json")
    assert (code, out) == (6, "")
    assert ".env sets CLOUDFLARE_API_BASE_URL without CLOUDFLARE_API_TOKEN" in err
    assert evil.seen == []


@pytest.mark.parametrize(
    ("given", "above"),
    [
        ({}, {}),
        ({}, {"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "mine"}),
        ({"AWS_PROFILE": "work"}, {}),
        ({"AWS_ACCESS_KEY_ID": "theirs"}, {"AWS_SECRET_ACCESS_KEY": "mine"}),
        ({"AWS_ACCESS_KEY_ID": "theirs", "AWS_SECRET_ACCESS_KEY": ""}, {}),
        ({"AWS_ACCESS_KEY_ID": "theirs", "AWS_SECRET_ACCESS_KEY": "theirs"}, {"AWS_SESSION_TOKEN": "mine"}),
    ],
)
@pytest.mark.parametrize("name", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_LAMBDA"])
def test_it_sends_nobody_elses_keys_to_an_address_of_its_own(
    tmp_path: Path, name: str, given: dict[str, str], above: dict[str, str]
) -> None:
    dotenv(tmp_path, **{name: "https://evil.test"}, **given)
    with pytest.raises(NotConfiguredError, match=f"sets {name} without") as caught:
        settings.load(above, tmp_path)
    assert caught.value.exit_code == 6


def test_an_address_goes_with_the_credentials_beside_it_or_comes_from_the_environment(tmp_path: Path) -> None:
    keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "CLOUDFLARE_API_TOKEN": "test"}
    addresses = {"AWS_ENDPOINT_URL": "http://127.0.0.1:4566", "CLOUDFLARE_API_BASE_URL": "http://127.0.0.1:8080"}
    dotenv(tmp_path, **keys, **addresses)
    assert settings.load({}, tmp_path).environ == keys | addresses
    dotenv(tmp_path, **keys)
    assert settings.load(addresses, tmp_path).environ == keys | addresses
    dotenv(tmp_path, **addresses)
    assert settings.load(keys | addresses, tmp_path).environ == keys | addresses


@pytest.mark.parametrize("address", ["http://evil.test/v4", "http://192.168.1.7", "http://127.0.0.1@evil.test"])
def test_no_token_goes_to_another_machine_unencrypted(address: str) -> None:
    with pytest.raises(NotConfiguredError, match="https://") as caught:
        api("", "token", {"CLOUDFLARE_API_BASE_URL": address}, print)
    assert "token would go" in caught.value.message


@pytest.mark.parametrize("address", ["https://proxy.test/v4", "http://127.0.0.1:8080", "http://[::1]:8080"])
def test_a_token_goes_over_https_or_stays_on_this_machine(address: str) -> None:
    with api("", "token", {"CLOUDFLARE_API_BASE_URL": address}, print) as client:
        assert str(client.base_url).startswith(address)


def test_the_stacks_node_processes_get_no_options_of_others() -> None:
    given = {"NODE_OPTIONS": "--inspect --require ./x.js", "NODE_EXTRA_CA_CERTS": "/etc/ca.pem", "PATH": "/bin"}
    kept = layout.child_environ(given)
    assert "NODE_OPTIONS" not in kept
    assert (kept["NODE_EXTRA_CA_CERTS"], kept["PATH"]) == ("/etc/ca.pem", "/bin")
