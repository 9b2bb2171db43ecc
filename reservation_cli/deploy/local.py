"""The teardown of the local stack: it is stopped, and its state is deleted."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from reservation_cli import store
from reservation_cli.deploy.change import Change, Leftover
from reservation_cli.local import functions, locks, stack
from reservation_cli.local.plan import LOGS, PLAN, STACK, USED

#: What the local stack keeps in RESV_HOME. Its locks stay: somebody may be waiting for them.
_STATE = (
    ("Cloudflare state", ("cloudflare",), "Durable Objects, workflows and KV"),
    ("AWS state", ("aws",), "executions and seats"),
    ("functions", (functions.FILE,), "of your own, for the local endpoint to serve"),
    ("logs", (LOGS,), ""),
    ("run files", (PLAN, STACK, USED, "decided"), ""),
)


@dataclass(frozen=True, slots=True)
class LocalRemover:
    """The state of the local stack in `home`."""

    home: Path

    def where(self) -> list[tuple[str, str]]:
        """See Deployer.where."""
        return [("folder", str(self.home))]

    def removals(self) -> list[Change]:
        """See Remover.removals."""
        running = stack.running(self.home) is not None
        return [Change("stop" if running else "gone", "local stack", "both engines"), *self._files()]

    def remove(self, progress: Callable[[Change], None]) -> list[Leftover]:
        """See Remover.remove."""
        leftovers: list[Leftover] = []
        if not self.home.is_dir():
            return []
        # Nobody starts it anew between its end and that of its state.
        with locks.held(self.home / stack.STARTING, lambda: None):
            progress(self.removals()[0])
            stack.stop(self.home, lambda _: None)
            for change, (_, names, _) in zip(list(self._files()), _STATE, strict=True):
                progress(change)
                try:
                    for name in names:
                        _delete(self.home / name)
                except OSError as error:
                    leftovers.append(Leftover(change.kind, change.name, error.strerror or str(error)))
            store.forget_local(self.home)
        return leftovers

    def _files(self) -> Iterator[Change]:
        for kind, names, what in _STATE:
            there = [name for name in names if (self.home / name).exists()]
            yield Change("delete" if there else "gone", kind, ", ".join(there or names), what)


def _delete(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
