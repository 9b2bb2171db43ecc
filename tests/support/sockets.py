"""Which sockets the processes of a local stack listen on, and what a server answers to a request byte by byte."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import NamedTuple

from reservation_cli.local import processes, stack

_LISTEN = "0A"


class Listener(NamedTuple):
    """A TCP socket that a process accepts connections on."""

    pid: int
    address: IPv4Address | IPv6Address
    port: int


def members(home: Path) -> list[processes.Process]:
    """All processes of the stack that runs in `home`: the supervisor, and the groups of its children."""
    running = stack.running(home)
    assert running is not None
    children = {child["pid"] for child in json.loads((home / "children.json").read_text())}
    return [each for each in processes.table() if each.pid == running.pid or each.group in children]


def listeners(pids: set[int]) -> list[Listener]:
    """The sockets that these processes listen on."""
    return _from_proc(pids) if Path("/proc/net/tcp").exists() else _from_lsof(pids)


def _from_proc(pids: set[int]) -> list[Listener]:
    owners: dict[str, int] = {}
    for pid in pids:
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            try:
                target = os.readlink(descriptor)
            except OSError:  # closed meanwhile
                continue
            if target.startswith("socket:["):
                owners[target[8:-1]] = pid
    found = []
    for table in ("tcp", "tcp6"):
        path = Path("/proc/net", table)
        for line in path.read_text().splitlines()[1:] if path.exists() else ():
            _, local, _, state, *rest = line.split()
            if state == _LISTEN and rest[5] in owners:
                address, port = local.split(":")
                found.append(Listener(owners[rest[5]], _decoded(address), int(port, 16)))
    return found


def _decoded(address: str) -> IPv4Address | IPv6Address:
    """An address as /proc/net has it: words of 32 bits in the order of this machine."""
    words = [bytes.fromhex(address[at : at + 8])[::-1] for at in range(0, len(address), 8)]
    return ip_address(b"".join(words))


def _from_lsof(pids: set[int]) -> list[Listener]:
    asked = ["lsof", "-nP", "-iTCP", "-sTCP:LISTEN", "-a", "-p", ",".join(map(str, pids)), "-Fpn"]
    found, pid = [], 0
    for line in subprocess.run(asked, capture_output=True, text=True).stdout.splitlines():
        if line.startswith("p"):
            pid = int(line[1:])
        elif match := re.fullmatch(r"n(?:\[(.+)\]|([^:]+)):(\d+)", line):
            address = match[1] or match[2]
            found.append(Listener(pid, ip_address("0.0.0.0" if address == "*" else address), int(match[3])))
    return found


def status(port: int, method: str, path: str, headers: Mapping[str, str]) -> int:
    """The status of the answer to a request with these headers and no others; 0 when there is none that is HTTP."""
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    lines += ["Connection: close", "Content-Length: 0"]
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        try:
            words = connection.makefile("rb").readline().split()
        except ConnectionError:
            return 0
    return int(words[1]) if len(words) > 1 and words[0].startswith(b"HTTP/") else 0
