"""npm in one of the two halves: `python -m reservation_cli.local.npm cf-workflow test`, for the Makefile.

The half is prepared first (packages installed, bundle built), with the Node.js that the local stack uses.
"""

from __future__ import annotations

import os
import sys

from reservation_cli import settings
from reservation_cli.files import own_folder
from reservation_cli.local import halves
from reservation_cli.local.node import find_node


def main(half: str, *arguments: str) -> None:
    """Become npm in the half's folder."""
    known = settings.load()
    node = find_node(known.environ)
    own_folder(known.home / "logs")
    log = known.home / "logs" / "npm.log"
    folder = halves.prepare(half, node, known.environ, log, lambda line: print(line, file=sys.stderr))  # noqa: T201
    os.chdir(folder)
    os.execve(node.npm[0], [*node.npm, *arguments], node.environ(known.environ))  # noqa: S606 - the caller's own argv


if __name__ == "__main__":
    main(*sys.argv[1:])
