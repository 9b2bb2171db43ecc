"""This project's own source files, in a checkout and in an installation."""

from __future__ import annotations

from pathlib import PurePosixPath

from reservation_cli.errors import NotConfiguredError
from reservation_cli.local.halves import PACKAGE


def read(path: str) -> str:
    """The text of the file at `path`, counted from the top of a checkout.

    Raises NotConfiguredError when an installation lacks it.
    """
    # An installed package has both halves, and infra, inside it.
    for top in (PACKAGE.parent, PACKAGE / "_halves"):
        file = top / path
        if file.is_file():
            return file.read_text(encoding="utf-8")
    raise NotConfiguredError(f"This installation of resv lacks {path}.", hint=f"Install it again: {file} is missing.")


def read_if_shipped(path: str) -> str | None:
    """As `read`; None for the tests of the halves, which are in a checkout only."""
    is_test = PurePosixPath(path).parts[1:2] == ("test",)
    return None if is_test and not (PACKAGE.parent / path).is_file() else read(path)
