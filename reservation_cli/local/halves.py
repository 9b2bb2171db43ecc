"""The two halves, cf-workflow and aws-durable: where their sources are, their packages, their builds; and infra."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

from reservation_cli.errors import NotConfiguredError
from reservation_cli.files import own_file
from reservation_cli.local import locks, tool
from reservation_cli.local.node import Node

PACKAGE = Path(__file__).resolve().parents[1]

#: What is deployed to AWS, in the folder of aws-durable: the code of both functions, and nothing else.
BUNDLE = Path("dist", "lambda")

#: What `npm run build` of a half reads and writes; a half without an entry runs from its sources.
_BUILT_FROM = {"aws-durable": ("src", "local", "build.mjs", "package.json", "tsconfig.json")}

#: Stamps, inside what they vouch for: `npm ci` begins by removing node_modules, and the stamp with it.
_INSTALLED = Path("node_modules", ".resv-installed")
_BUILT = Path("dist", ".resv-built")

_NPM_DETAIL = re.compile(r"(code|errno|syscall|path|command|type|workspace|location|A complete log) ")


def prepare(half: str, node: Node, environ: Mapping[str, str], log: Path, progress: Callable[[str], None]) -> Path:
    """The folder of `half`, with its packages installed and its bundle built for `node`. Quick when all is there.

    What npm says goes to the file `log`. Raises NotConfiguredError when npm fails.
    """
    cache = cache_folder(environ)
    folder = _source(half)
    if folder is None:
        folder = _copy(half, cache, progress)
    if not (_is_installed(folder, node) and _is_built(half, folder)):
        with _locked(cache, folder, half, progress) as lock:
            # Looked at again: who held the lock may have done it.
            if not _is_installed(folder, node):
                progress(f"Installing packages for {half} (first use, or they have changed)…")
                _npm(node, folder, ["ci", "--no-audit", "--no-fund"], environ, log, lock)
                (folder / _INSTALLED).write_text(_install_stamp(folder, node))
            if not _is_built(half, folder):
                progress(f"Building {half}…")
                (folder / _BUILT).unlink(missing_ok=True)
                _npm(node, folder, ["run", "build"], environ, log, lock)
                (folder / _BUILT).write_text(_hash(folder, _BUILT_FROM[half]))
    return folder


def ready(half: str, environ: Mapping[str, str]) -> Path | None:
    """The folder of `half` when its bundle is built and up to date; None when `prepare` has that to do."""
    folder = _place(half, environ)
    return folder if folder.is_dir() and _is_built(half, folder) else None


def installed(half: str, node: Node, environ: Mapping[str, str]) -> Path | None:
    """The folder of `half` when its packages are installed for `node`; None when `prepare` has that to do."""
    folder = _place(half, environ)
    return folder if _is_installed(folder, node) else None


def infra_folder() -> Path:
    """The folder of template.yaml and policies/, in a checkout or in an installation.

    Raises NotConfiguredError when it is missing.
    """
    for folder in (PACKAGE.parent / "infra", PACKAGE / "_halves" / "infra"):
        if (folder / "template.yaml").is_file():
            return folder
    raise NotConfiguredError(
        "This installation of resv lacks its description of what to deploy.",
        hint=f"Install it again: {folder} is missing.",
    )


def _source(half: str) -> Path | None:
    """The folder in a checkout, used in place; None for an installed package."""
    folder = PACKAGE.parent / half
    return folder if (folder / "package-lock.json").is_file() else None


def cache_folder(environ: Mapping[str, str]) -> Path:
    """What can be made again, for all RESV_HOMEs: RESV_CACHE, or the user's cache folder."""
    if named := environ.get("RESV_CACHE"):
        return Path(named).expanduser().absolute()
    from platformdirs import user_cache_path  # deferred: 5 ms that a set RESV_CACHE does not need

    return user_cache_path("resv", appauthor=False)


def _copy(half: str, cache: Path, progress: Callable[[str], None]) -> Path:
    """A copy outside site-packages, where npm may write. A new version of the package gets a new one."""
    shipped = PACKAGE / "_halves" / half
    if not shipped.is_dir():
        raise NotConfiguredError(
            f"This installation of resv lacks {half}.", hint=f"Install it again: {shipped} is missing."
        )
    folder = _copied(half, cache)
    if not folder.is_dir():
        with _locked(cache, folder, half, progress):
            beside = folder.with_name(folder.name + ".new")
            shutil.rmtree(beside, ignore_errors=True)
            if not folder.is_dir():
                shutil.copytree(shipped, beside)
                beside.rename(folder)
    return folder


def _place(half: str, environ: Mapping[str, str]) -> Path:
    return _source(half) or _copied(half, cache_folder(environ))


def _copied(half: str, cache: Path) -> Path:
    """Where the copy of the installed package's half is, or will be."""
    return cache / f"{half}-{_hash(PACKAGE / '_halves' / half, ['.'])[:16]}"


def _locked(cache: Path, folder: Path, half: str, progress: Callable[[str], None]) -> AbstractContextManager[int]:
    (cache / "locks").mkdir(parents=True, exist_ok=True)
    name = hashlib.sha256(str(folder).encode()).hexdigest()[:16]
    return locks.held(
        cache / "locks" / f"{half}-{name}.lock",
        lambda: progress(f"Another process is preparing {half}; waiting for it…"),
    )


def _is_installed(folder: Path, node: Node) -> bool:
    return _text(folder / _INSTALLED) == _install_stamp(folder, node)


def _install_stamp(folder: Path, node: Node) -> str:
    return f"{_hash(folder, ['package-lock.json'])} node {node.major}"


def _is_built(half: str, folder: Path) -> bool:
    return half not in _BUILT_FROM or _text(folder / _BUILT) == _hash(folder, _BUILT_FROM[half])


def _text(path: Path) -> str | None:
    return path.read_text() if path.is_file() else None


def _hash(folder: Path, names: Iterable[str]) -> str:
    """A digest of the files `names` in `folder`, and of the files in those that are folders."""
    digest = hashlib.sha256()
    for name in names:
        top = folder / name
        for path in sorted(top.rglob("*")) if top.is_dir() else [top]:
            if path.is_file():
                content = path.read_bytes()
                digest.update(f"{path.relative_to(folder).as_posix()}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def _npm(node: Node, folder: Path, arguments: list[str], environ: Mapping[str, str], log: Path, lock: int) -> None:
    asked = {**node.environ(environ), "npm_config_update_notifier": "false", "NO_COLOR": "1"}
    with (
        open(log, "w", encoding="utf-8", opener=own_file) as output,
        # It inherits the lock, which so lasts as long as npm does when this process is killed.
        tool.running([*node.npm, *arguments], asked, folder, stdout=output, keep=[lock]) as npm,
    ):
        code = npm.wait()
    if code != 0:
        raise NotConfiguredError(
            f"npm {arguments[0]} failed in {folder.name}: {_npm_error(log, code)}",
            hint=f"The whole of npm's output is in {log}. The next start tries again.",
        )


def _npm_error(log: Path, code: int) -> str:
    """The line of npm's output that says most: the first error that is more than a code."""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    errors = [line.removeprefix("npm error").strip() for line in lines if line.startswith("npm error")]
    telling = [line for line in errors if line and not _NPM_DETAIL.match(line)]
    return (telling or errors or lines[-1:] or [f"exit code {code}"])[0][:300]
