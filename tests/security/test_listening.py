"""Who can reach the local stack: programs on this machine, by its own names. No other machine, and no web page."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from contextlib import closing, suppress
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from reservation_cli.local import stack
from reservation_cli.local.stack import Stack
from support.sockets import Listener, listeners, members, status

pytestmark = pytest.mark.stack

EXPLORER = "/cdn-cgi/local/explorer/api/workflows"
#: One of each kind that any of the servers has something behind.
REQUESTS = (
    ("GET", "/"),
    ("GET", "/health"),
    ("GET", EXPLORER),
    ("GET", "/workflow/nobody"),
    ("GET", "/json"),
    ("GET", "/2025-12-01/functions/reservation-workflow-dev/durable-executions"),
    ("POST", "/"),
    ("POST", "/confirm/nobody"),
    ("POST", f"{EXPLORER}/reservation-workflow-dev/instances"),
    ("POST", "/2015-03-31/functions/reservation-workflow-dev/invocations"),
)
STRANGERS: tuple[tuple[str, Mapping[str, str]], ...] = (
    ("a rebound name", {"Host": "evil.test"}),
    ("a rebound name with the port", {"Host": "evil.test:PORT"}),
    ("a rebound name, its page's POST", {"Host": "evil.test:PORT", "Origin": "http://evil.test:PORT"}),
    ("a name that begins like ours", {"Host": "127.0.0.1.evil.test:PORT"}),
    ("a name that ends like ours", {"Host": "evil.localhost.test:PORT"}),
    ("every address", {"Host": "0.0.0.0:PORT"}),
    ("every address of IPv6", {"Host": "[::]:PORT"}),
    ("IPv4 within IPv6", {"Host": "[::ffff:127.0.0.1]:PORT"}),
    ("another machine", {"Host": "192.168.1.7:PORT"}),
    ("an empty Host", {"Host": ""}),
    ("no Host", {}),
    ("another site", {"Host": "127.0.0.1:PORT", "Origin": "https://evil.test"}),
    ("a page in a sandbox", {"Host": "127.0.0.1:PORT", "Origin": "null"}),
)


@pytest.fixture(scope="module")
def running(stack_environ: Mapping[str, str]) -> Stack:
    found = stack.running(Path(stack_environ["RESV_HOME"]))
    assert found is not None
    return found


@pytest.fixture(scope="module")
def open_sockets(stack_environ: Mapping[str, str], running: Stack) -> list[Listener]:
    processes = members(Path(stack_environ["RESV_HOME"]))
    found = listeners({process.pid for process in processes})
    urls = (running.cloudflare_url, running.aws_endpoint_url, running.dynamodb_url)
    assert {urlsplit(url).port for url in urls} < {each.port for each in found}
    return found


def test_all_listen_on_this_machine_only(open_sockets: list[Listener]) -> None:
    assert [each for each in open_sockets if not each.address.is_loopback] == []


def test_nothing_listens_but_what_is_needed(open_sockets: list[Listener]) -> None:
    """The Worker's front and its runtime with a way back to wrangler each; the host and DynamoDB; the AWS engine.

    workerd's inspector, which is open to every web page, would be one more.
    """
    assert len(open_sockets) == 7


def test_not_even_this_machine_reaches_them_by_another_address(open_sockets: list[Listener]) -> None:
    addresses = ["127.0.0.2"]  # another one of the loopback interface
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, suppress(OSError):  # OSError: it has no network
        probe.connect(("192.0.2.1", 9))  # sends nothing: it asks which address this machine has
        addresses.append(probe.getsockname()[0])
    for listener in open_sockets:
        for address in addresses:
            with socket.socket() as connection:
                connection.settimeout(5)  # macOS has the address, and nobody there who would refuse
                assert connection.connect_ex((address, listener.port)) != 0
        if socket.has_ipv6:
            with socket.socket(socket.AF_INET6) as connection:
                assert connection.connect_ex(("::1", listener.port)) != 0


@pytest.mark.parametrize("headers", [headers for _, headers in STRANGERS], ids=[name for name, _ in STRANGERS])
def test_strangers_are_refused_everywhere(open_sockets: list[Listener], headers: Mapping[str, str]) -> None:
    answered = {}
    for listener in open_sockets:
        sent = {name: value.replace("PORT", str(listener.port)) for name, value in headers.items()}
        for method, path in REQUESTS:
            answer = status(listener.port, method, path, sent)
            if answer not in (0, 400, 403):
                answered[listener.port, method, path] = answer
    assert answered == {}


def test_a_host_that_is_none_reaches_nothing(open_sockets: list[Listener]) -> None:
    for listener in open_sockets:
        for host in ("127.0.0.1:x", "a b", "%"):
            assert status(listener.port, "GET", "/", {"Host": host}) in (0, 400, 403, 500)


def test_wranglers_own_header_lets_no_page_act(open_sockets: list[Listener]) -> None:
    """wrangler takes a request's address from MF-Original-URL, which a page at a rebound name may send.

    What a page posts has its Origin, and wrangler's explorer looks at the Host itself. See docs/security.md for GET.
    """
    for listener in open_sockets:
        local = f"http://127.0.0.1:{listener.port}"
        for address in (f"{local}/confirm/nobody", f"{local}/reserve", f"{local}{EXPLORER}"):
            rebound = {"Host": f"evil.test:{listener.port}", "MF-Original-URL": address}
            posted = {**rebound, "Origin": f"http://evil.test:{listener.port}"}
            assert status(listener.port, "POST", "/", posted) in (0, 400, 403)
        forged = {"Host": f"evil.test:{listener.port}", "MF-Original-URL": f"{local}{EXPLORER}"}
        assert status(listener.port, "GET", "/", forged) in (0, 400, 403)


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_what_a_page_sends_without_an_origin_changes_nothing(open_sockets: list[Listener], site: str) -> None:
    """A browser sends an Origin with every POST; this is the second bolt. wrangler's explorer has none."""
    for listener in open_sockets:
        sent = {"Host": f"127.0.0.1:{listener.port}", "Sec-Fetch-Site": site}
        for path in ("/", "/confirm/nobody", "/2015-03-31/functions/reservation-workflow-dev/invocations"):
            assert status(listener.port, "POST", path, sent) in (0, 400, 403)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LocalHost"])
def test_programs_of_this_machine_are_welcome(running: Stack, host: str) -> None:
    for url, path in (
        (running.cloudflare_url, "/"),
        (running.cloudflare_url, EXPLORER),
        (running.aws_endpoint_url, "/health"),
    ):
        port = urlsplit(url).port or 0
        for with_port in (f"{host}:{port}", host):
            assert status(port, "GET", path, {"Host": with_port}) == 200
    port = urlsplit(running.dynamodb_url).port or 0
    assert status(port, "POST", "/", {"Host": f"{host}:{port}"}) not in (0, 403)


def test_nobody_debugs_the_worker(open_sockets: list[Listener]) -> None:
    """What a debugger asks workerd's inspector first: the list of what it can run code in."""
    for listener in open_sockets:
        connection = HTTPConnection("127.0.0.1", listener.port, timeout=30)
        with closing(connection):
            connection.request("GET", "/json")
            assert b"webSocketDebuggerUrl" not in connection.getresponse().read()
