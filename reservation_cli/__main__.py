"""The installed command: `resv`, or `python -m reservation_cli`."""

from __future__ import annotations

import gc
import io
import os
import sys


def run() -> None:
    """Run the command line and end the process with its exit code."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal of another encoding gets a `?` for a sign that it does not have, not a traceback.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    # Looking for garbage each 700 objects costs a fifth of a short command: most of its objects are modules.
    gc.set_threshold(50_000)
    from reservation_cli.cli import main  # deferred: after the line above

    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # Skips the interpreter's tear-down, 20 ms: the streams are flushed, and threads of ours hold no data.
    os._exit(code)


if __name__ == "__main__":
    run()
