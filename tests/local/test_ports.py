"""Which port is free: one that can be bound, and that nobody listens on."""

from __future__ import annotations

import socket
from types import SimpleNamespace

import pytest

from reservation_cli.local import ports


class BsdSocket(socket.socket):
    """On BSD, SO_REUSEADDR lets a socket have 127.0.0.1 of a port whose 0.0.0.0 another has."""

    def bind(self, address: object) -> None:
        del address


def test_a_port_that_somebody_listens_on_is_not_free(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert not ports.is_free(port)
        monkeypatch.setattr(ports, "socket", SimpleNamespace(**vars(socket) | {"socket": BsdSocket}))
        assert not ports.is_free(port)
    assert ports.is_free(port)


def test_a_port_whose_last_connections_are_being_closed_is_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as client:
            accepted, _ = server.accept()
            accepted.close()  # first: so the closing state is on the server's port
            assert client.recv(1) == b""
    assert ports.is_free(port)
