"""Which Node.js the stack takes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from reservation_cli.errors import NotConfiguredError
from reservation_cli.local import node

SHELL = "#!/bin/sh\n"


def script(path: Path, body: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(SHELL + body)
    path.chmod(0o755)
    return path


def install(folder: Path, version: str) -> Path:
    """A Node.js as its own installer lays it out; gives its bin folder."""
    script(folder / "bin" / "node", f"echo {version}\n")
    cli = script(folder / "lib/node_modules/npm/bin/npm-cli.js", "")
    (folder / "bin" / "npm").symlink_to(cli)
    return folder / "bin"


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    install(tmp_path / "wheel", "v24.19.0")
    (tmp_path / "wheel/bin/npm").unlink()
    script(tmp_path / "wheel/bin/npm", "exit 1\n")  # as shipped, it does not work
    monkeypatch.setattr(node, "_wheel", lambda: tmp_path / "wheel")
    return tmp_path / "wheel"


def test_the_first_new_enough_node_on_path_is_taken(tmp_path: Path, wheel: Path) -> None:
    folders = [
        install(tmp_path / "old", "v22.11.0"),
        script(tmp_path / "failing/node", "exit 1\n").parent,
        script(tmp_path / "talking/node", "echo welcome\n").parent,
        tmp_path / "absent",
        install(tmp_path / "new", "v22.12.0"),
        install(tmp_path / "newer", "v26.0.1"),
    ]
    found = node.find_node({"PATH": os.pathsep.join(map(str, folders))})
    assert found.path == tmp_path / "new/bin/node"
    assert (found.version, found.major) == ("22.12.0", 22)
    assert found.npm == [str(found.path), str(tmp_path / "new/lib/node_modules/npm/bin/npm-cli.js")]
    assert found.environ({"PATH": "/x", "A": "b"}) == {"PATH": f"{tmp_path / 'new/bin'}{os.pathsep}/x", "A": "b"}


def test_without_one_the_package_brings_node_and_npm(tmp_path: Path, wheel: Path) -> None:
    found = node.find_node({"PATH": str(install(tmp_path / "old", "v20.20.2"))})
    assert found.path == wheel / "bin/node"
    assert found.npm == [str(found.path), str(wheel / "lib/node_modules/npm/bin/npm-cli.js")]


def test_a_node_without_npm_gets_that_of_the_package(tmp_path: Path, wheel: Path) -> None:
    alone = script(tmp_path / "alone/node", "echo v24.1.0\n")
    found = node.find_node({"PATH": str(alone.parent)})
    assert found.npm == [str(alone), str(wheel / "lib/node_modules/npm/bin/npm-cli.js")]


def test_without_any_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(node, "_wheel", lambda: None)
    with pytest.raises(NotConfiguredError, match=r"Node\.js 22\.12 or newer") as caught:
        node.find_node({"PATH": str(tmp_path)})
    assert "pip install 'reservation-cli[local]'" in (caught.value.hint or "")
