"""The engine on a disk that gets full: `python -m support.aws_engine_disk ENGINE-ARGUMENTS`.

Each SIGUSR1 fills the disk or frees it, which is said in a line on standard output. It is full for real: past
RLIMIT_FSIZE the kernel refuses every write to a file (EFBIG, since Python ignores SIGXFSZ). With RESV_TEST_FULL_DISK in
the environment it is full from the start.
"""

from __future__ import annotations

import os
import resource
import signal
import sys

from reservation_cli.local.aws_engine.__main__ import main

_, _HARD = resource.getrlimit(resource.RLIMIT_FSIZE)


def toggle(*_: object) -> None:
    full = resource.getrlimit(resource.RLIMIT_FSIZE)[0] == 0
    resource.setrlimit(resource.RLIMIT_FSIZE, (_HARD if full else 0, _HARD))
    os.write(sys.stdout.fileno(), b"free\n" if full else b"full\n")


if __name__ == "__main__":
    signal.signal(signal.SIGUSR1, toggle)
    if "RESV_TEST_FULL_DISK" in os.environ:
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, _HARD))
    status = main(sys.argv[1:])
    sys.stderr.flush()
    os._exit(status)
