"""Recorded runs: a JSON file each in RESV_HOME/runs, schema `resv.run/1`, named after its kind and its time."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from reservation_cli.domain import json_text
from reservation_cli.domain.record import NewerSchemaError, run_as_json, run_from_json
from reservation_cli.domain.reservation import InvalidInputError, whole_ms
from reservation_cli.domain.run import Run, RunKind
from reservation_cli.domain.timeline import Timeline
from reservation_cli.errors import NotFoundError, ResvError, UsageError
from reservation_cli.files import own_folder, write_whole
from reservation_cli.store import unwritable

if TYPE_CHECKING:
    from reservation_cli.domain.benchmark import Bench
    from reservation_cli.domain.chaos import Chaos

FOLDER = "runs"
_KINDS = ("compare", "bench", "chaos")
_ENDING = ".json"


def made(
    kind: RunKind,
    lanes: Sequence[Timeline],
    configuration: Mapping[str, object],
    bench: Bench | None = None,
    chaos: Chaos | None = None,
) -> Run:
    """The run of now, with its id and its surroundings. `configuration` is what was asked for."""
    from reservation_cli.software import host, software  # deferred: what only a recording needs

    now = whole_ms(datetime.now(UTC))
    return Run(
        kind=kind,
        lanes=tuple(lanes),
        id=f"{kind}-{now:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}",
        recorded_at=now,
        configuration=configuration,
        software=software(),
        host=host(),
        bench=bench,
        chaos=chaos,
    )


def record(home: Path, run: Run) -> None:
    """Keep the run in RESV_HOME. Raises NotConfiguredError when it cannot be written."""
    folder = home / FOLDER
    try:
        own_folder(folder)
        write_whole(_file(home, run.id), text(run))
    except OSError as error:
        raise unwritable(home, error) from error


def text(run: Run) -> str:
    """The run as it is written."""
    return json.dumps(run_as_json(run), ensure_ascii=False, indent=1) + "\n"


def is_named(home: Path, name: str) -> bool:
    """Whether `name` is a run (a file, or the id of one recorded here) and neither a reservation nor an ARN."""
    return not name.startswith("arn:") and (name.endswith(_ENDING) or os.sep in name or _is_file(_file(home, name)))


def find(home: Path, name: str) -> Run:
    """The run in the file `name`, or recorded here under that id; `last` is the newest.

    Raises NotFoundError when there is none, UsageError when the file is no run or one of a newer resv.
    """
    if name == "last":
        newest = next(_files(home), None)
        if newest is None:
            raise NotFoundError("No run has been recorded here yet.", hint="Make one: resv compare")
        return load(newest)
    recorded = _file(home, name)
    return load(recorded if _is_file(recorded) else Path(name))


def load(path: Path) -> Run:
    """The run in a file; raises as `find` does."""
    try:
        run = run_from_json(json_text.loads(path.read_text(encoding="utf-8")))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NotFoundError(f"There is no run {path}.", hint="`resv runs` lists what was recorded here.") from error
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read: {error.strerror}.", hint="Give a file that resv has written."
        ) from error
    except NewerSchemaError as error:
        raise UsageError(f"{path}: {error}", hint="Update resv.", code="newer_schema") from error
    except InvalidInputError as error:
        raise UsageError(f"{path}: {error}", hint="`resv runs` lists what was recorded here.", code="no_run") from error
    except ValueError as error:
        raise UsageError(
            f"{path} is no JSON: {error}.", hint="Give a file that resv has written.", code="no_run"
        ) from error
    return run if run.id else replace(run, id=path.stem)


def listed(home: Path, limit: int) -> Iterator[tuple[Path, Run | ResvError]]:
    """The newest recorded runs, newest first; the error in the place of one that cannot be read."""
    for _, path in zip(range(limit), _files(home), strict=False):
        try:
            yield path, load(path)
        except (UsageError, NotFoundError) as error:
            yield path, error


def size(home: Path) -> tuple[int, int]:
    """How many runs are recorded, and how many bytes they take: they are kept until somebody deletes them."""
    sizes = []
    for path in _files(home):
        with suppress(FileNotFoundError):  # deleted meanwhile
            sizes.append(path.stat().st_size)
    return len(sizes), sum(sizes)


def _file(home: Path, name: str) -> Path:
    return home / FOLDER / f"{name}{_ENDING}"


def _is_file(path: Path) -> bool:
    # Path.is_file raises for a name that is too long.
    return os.path.isfile(path)


def _files(home: Path) -> Iterator[Path]:
    """Newest first, by the time in their names."""
    found = [path for kind in _KINDS for path in (home / FOLDER).glob(f"{kind}-*{_ENDING}")]
    return iter(sorted(found, key=lambda path: path.name.partition("-")[2], reverse=True))
