"""A child of the supervisor's tests: an HTTP server with flaws on request. Run as a script."""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Handler(BaseHTTPRequestHandler):
    """GET anything: 200, and the JSON in the file `health` of the folder. Each one adds a dot to the file `asked`."""

    folder = Path()

    def do_GET(self) -> None:
        with (self.folder / "asked").open("a") as asked:
            asked.write(".")
        health = self.folder / "health"
        body = health.read_bytes() if health.exists() else json.dumps(facts()).encode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        return


def facts() -> dict[str, object]:
    """What a test may want to know of this process."""
    return {
        "pid": os.getpid(),
        "open_files": resource.getrlimit(resource.RLIMIT_NOFILE)[0],
        "temporary": tempfile.gettempdir(),
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--fail", type=int, default=0, help="so many starts fail")
    parser.add_argument("--gate", type=Path, help="serves only once this file exists")
    parser.add_argument("--stubborn", action="store_true", help="ignores TERM")
    parser.add_argument("--helper", action="store_true", help="starts a process of its own, as wrangler does")
    arguments = parser.parse_args()

    Handler.folder = arguments.folder
    with (arguments.folder / "starts").open("a") as starts:
        starts.write(f"{os.getpid()}\n")
    if len((arguments.folder / "starts").read_text().split()) <= arguments.fail:
        sys.exit("Error: this stand-in fails on purpose\nand says more")
    if arguments.stubborn:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if arguments.helper:
        start_helper(arguments.folder)
    tick = threading.Event()
    while arguments.gate and not arguments.gate.exists():
        tick.wait(0.02)
    server = ThreadingHTTPServer(("127.0.0.1", arguments.port), Handler)
    threading.Thread(target=obey, args=(arguments.folder, server), daemon=True).start()
    server.serve_forever()
    signal.pause()  # it was closed, and lives on


def obey(folder: Path, server: ThreadingHTTPServer) -> None:
    """Says what is written to `say`, starts another helper when there is `start-helper`, and closes the port when there
    is `close`; then removes them.
    """
    say, start, close = folder / "say", folder / "start-helper", folder / "close"
    while not threading.Event().wait(0.02):
        if say.exists():
            sys.stdout.write(say.read_text())
            sys.stdout.flush()
            say.unlink()
        if start.exists():
            start_helper(folder)
            start.unlink()
        if close.exists():
            server.shutdown()
            server.server_close()
            close.unlink()


def start_helper(folder: Path) -> None:
    helper = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
    (folder / "helper").write_text(str(helper.pid))


if __name__ == "__main__":
    main()
