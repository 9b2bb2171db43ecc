"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def write_whole(path: Path, content: str, mode: int | None = None) -> None:
    """Write a new file beside `path` that then takes its place: what stood there stays if anything fails.

    Its owner alone may read it unless `mode` says otherwise. Halves of characters become '?'. Raises OSError.
    """
    with tempfile.NamedTemporaryFile("wb", dir=path.parent, prefix=".resv-", delete=False) as file:
        new = Path(file.name)
        try:
            file.write(content.encode(errors="replace"))
            file.flush()
            os.fsync(file.fileno())
            if mode is not None:
                new.chmod(mode)
            new.replace(path)
        except BaseException:
            # Also when interrupted: nothing half-written is left behind.
            new.unlink(missing_ok=True)
            raise
