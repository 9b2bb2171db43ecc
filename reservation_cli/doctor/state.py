"""What is kept on this machine: RESV_HOME, state.json, the cache, and the disk that they are on."""

from __future__ import annotations

import os
import shlex
import shutil
import stat
from pathlib import Path

from reservation_cli import store
from reservation_cli.doctor.check import Check, attempt, lacking
from reservation_cli.errors import ResvError
from reservation_cli.local import halves
from reservation_cli.settings import Settings

#: The packages of both halves take 400 MB; the rest is what workflows leave behind.
_ROOM = 600_000_000


def state(settings: Settings) -> list[Check]:
    """The home with its state, the cache, the disk. All commands need the first two."""
    home = settings.home
    return [_folder("home", home, "RESV_HOME"), _state_file(home), _cache(settings), _disk(home)]


def _folder(name: str, folder: Path, variable: str) -> Check:
    """Whether `folder` can be written in, or made."""
    there = _nearest(folder)
    writable = os.path.isdir(there) and os.access(there, os.W_OK | os.X_OK)
    fix = f"export {variable}=FOLDER, one of yours."
    if not writable:
        why = "cannot be written" if os.path.isdir(there) else "is no folder"
        where = f"{folder}: {there} {why}" if there != folder else f"{folder} {why}"
        return lacking("state", name, f"{where}; nothing can be kept.", fix, needed=True)
    if there != folder:
        return Check("state", name, "ok", f"{folder}, made when it is first needed.", needed=True)
    mode = stat.S_IMODE(folder.stat().st_mode)
    if mode & stat.S_IWOTH:
        return Check(
            "state", name, "warning", f"{folder}, mode {mode:04o}: everybody may write in it.", _chmod("o-w", folder)
        )
    return Check("state", name, "ok", f"{folder}, mode {mode:04o}", needed=True)


def _state_file(home: Path) -> Check:
    path = home / "state.json"
    read = attempt(lambda: store.deployments(home, "aws"))
    if isinstance(read, ResvError):
        fix = f"mv {shlex.quote(str(path))} {shlex.quote(str(path) + '.broken')}"
        return lacking("state", "state.json", read.message, fix, needed=True)
    if not path.is_file():
        return Check("state", "state.json", "ok", "None yet: nothing has been reserved or deployed from here.")
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        detail = f"Readable, mode {mode:04o}: others may read the Workers' tokens in it."
        return Check("state", "state.json", "warning", detail, _chmod("600", path))
    return Check("state", "state.json", "ok", f"Readable, mode {mode:04o}", needed=True)


def _cache(settings: Settings) -> Check:
    try:
        folder = halves.cache_folder(settings.environ)
    except RuntimeError as error:  # the home of a user that there is not
        return lacking(
            "state", "cache", f"RESV_CACHE is no folder that can be found: {error}", "unset RESV_CACHE", True
        )
    return _folder("cache", folder, "RESV_CACHE")


def _disk(home: Path) -> Check:
    try:
        free = shutil.disk_usage(_nearest(home)).free
    except OSError as error:
        return Check("state", "disk", "unknown", f"Its free space cannot be told: {error.strerror}.")
    if free < _ROOM:
        detail = f"{free / 1e6:.0f} MB free; the local stack's packages take 400 MB."
        return Check("state", "disk", "warning", detail, f"df -h {shlex.quote(str(_nearest(home)))}")
    return Check("state", "disk", "ok", f"{free / 1e9:.1f} GB free")


def _nearest(path: Path) -> Path:
    """`path`, or the nearest above it that exists."""
    return next((each for each in (path, *path.parents) if os.path.lexists(each)), Path("/"))


def _chmod(mode: str, path: Path) -> str:
    return f"chmod {mode} {shlex.quote(str(path))}"
