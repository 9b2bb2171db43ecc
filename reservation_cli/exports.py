"""Where a run is written to by the endings of file names, and which formats there are."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path

from reservation_cli import runs
from reservation_cli.domain.run import Run
from reservation_cli.errors import ResvError, UsageError
from reservation_cli.files import write_whole

#: Ending -> the module of reservation_cli.render whose `render(run)` writes it; `.json` is the run itself.
_FORMATS = {
    ".html": "html",
    ".json": None,
    ".csv": "csv",
    ".svg": "svg",
    ".md": "markdown",
    ".trace.json": "trace",
}
ENDINGS = tuple(_FORMATS)
_URLS = ("http://", "https://")
_KNOWN = f"Known are {' '.join(ENDINGS)}, and http(s)://… for an OTLP endpoint."


def check(paths: Sequence[str]) -> None:
    """Whether `paths` can be written to later, before anything is measured.

    A path is a file, whose ending tells the format, or the URL of an OTLP endpoint. Raises UsageError for what is
    neither or can't be written to, NotConfiguredError when the packages for OTLP are not installed.
    """
    seen: set[str] = set()
    for path in paths:
        if _is_url(path):
            from reservation_cli.render import otlp  # deferred: 180 ms that nothing else needs

            same = otlp.check(path)
        else:
            _ending(path)
            same = str(_checked(Path(path)))
        if same in seen:
            raise UsageError(f"{path} is given twice.", hint="Give each file once.")
        seen.add(same)


def write(run: Run, paths: Sequence[str], environ: Mapping[str, str] | None = None) -> list[str]:
    """Write the run to each of `paths`, a file whole or not at all; gives them as they may be shown.

    `environ` has the headers, the certificate and the timeout for an OTLP endpoint, by their OTEL_ names. Raises
    ResvError for a file that cannot be written, and what `otlp.send` raises; what was written before stays.
    """
    written = []
    for path in paths:
        if _is_url(path):
            from reservation_cli.render import otlp

            written.append(otlp.send(run, path, environ or {}))
        else:
            _write(Path(path), _content(run, _ending(path)))
            written.append(path)
    return written


def _is_url(path: str) -> bool:
    return path.lower().startswith(_URLS)


def _ending(path: str) -> str:
    """The longest known ending of `path`; UsageError without one."""
    if path == "-":
        raise UsageError("--output writes files, not to stdout.", hint="--json writes the run to stdout.")
    if path.lower().startswith(("otlp:", "grpc:")):
        raise UsageError(f"{path} is no file.", hint="Spans are sent to a URL: --output http://localhost:4318")
    name = os.path.basename(path).lower()
    found = [ending for ending in ENDINGS if name.endswith(ending) and name != ending]
    if found:
        return max(found, key=len)
    suffix = os.path.splitext(name)[1]
    if not suffix:
        raise UsageError(f"{path or 'An empty name'} has no ending that tells its format.", hint=_KNOWN)
    import difflib  # deferred: 2 ms that only a mistake needs

    close = difflib.get_close_matches(suffix, ENDINGS, n=1, cutoff=0.5)
    hint = f"Did you mean {close[0]}? {_KNOWN}" if close else _KNOWN
    raise UsageError(f"{path} ends in {suffix}, which is no format.", hint=hint)


def _checked(path: Path) -> Path:
    """Where `path` is; UsageError when no file can be written there."""
    folder = path.parent
    try:
        if not folder.is_dir():
            raise UsageError(f"{path}: there is no folder {folder}.", hint=f"mkdir -p {shlex.quote(str(folder))}")
        if path.is_dir():
            raise UsageError(f"{path} is a folder.", hint="Give the name of a file.")
        if path.exists() and not path.is_file():
            # A device would be replaced by a file.
            raise UsageError(f"{path} is no regular file.", hint="Give the name of a file.")
        found = path.resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise UsageError(f"{path} cannot be written: {_reason(error)}.", hint="Give another name.") from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UsageError(f"{path} cannot be written: {folder} is read-only.", hint="Give a folder of yours.")
    return found


def _content(run: Run, ending: str) -> str:
    module = _FORMATS[ending]
    if module is None:
        return runs.text(run)
    # Deferred: each format brings its own libraries.
    content: str = import_module(f"reservation_cli.render.{module}").render(run)
    return content


def _write(path: Path, content: str) -> None:
    # A link keeps pointing to what it names.
    target = path.resolve()
    try:
        write_whole(target, content, _mode(target))
    except OSError as error:
        raise ResvError(
            f"{path} cannot be written: {_reason(error)}.",
            hint="The run itself is recorded: `resv report last --output FILE` writes it again.",
            code="output",
        ) from error


def _mode(path: Path) -> int:
    """The permissions of the file that is there, or else those that a new file gets."""
    try:
        return path.stat().st_mode & 0o7777
    except FileNotFoundError:
        return 0o644


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error).rstrip(".")
