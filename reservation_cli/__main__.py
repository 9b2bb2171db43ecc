"""The installed command: `resv`, or `python -m reservation_cli`."""

from __future__ import annotations

import gc
import io
import os
import sys
from contextlib import suppress


def run() -> None:
    """Run the command line and end the process with its exit code."""
    if sys.stdout is None:  # closed by the caller
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - for as long as the process lasts
    for stream in (sys.stdout, sys.stderr):
        # A terminal of another encoding gets a `?` for a sign that it does not have, not a traceback.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    # Looking for garbage each 700 objects costs a fifth of a short command: most of its objects are modules.
    gc.set_threshold(50_000)
    try:
        from reservation_cli.cli import main  # deferred: after the line above

        code = main()
    except KeyboardInterrupt:  # before there was anything to interrupt
        print("Error: Interrupted.", file=sys.stderr)  # noqa: T201
        code = 130
    with suppress(OSError):  # told already
        sys.stdout.flush()
    with suppress(OSError):
        sys.stderr.flush()
    # Skips the interpreter's tear-down, 20 ms: the streams are flushed, and threads of ours hold no data.
    os._exit(code)


if __name__ == "__main__":
    run()
