"""What `resv` remembers between commands, in RESV_HOME/state.json (0600): what is deployed, with the Workers' tokens,
and the reservations made here.

Written whole to a new file that then replaces the old one, under a lock that is held from reading to writing, so that
a crash or a second `resv` at the same moment loses nothing. A file that is damaged is named and left as it is.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from reservation_cli.domain.deployment import Deployment, from_record, to_record
from reservation_cli.domain.reservation import PLATFORMS, Platform, format_time, parse_time
from reservation_cli.domain.timeline import Timeline
from reservation_cli.errors import NotConfiguredError, NotFoundError
from reservation_cli.files import is_full, own_folder, remove_unfinished, write_whole

REMEMBERED = 500
#: Version of what stands in state.json. A file without one is of the first.
FORMAT = 1
_FILE = "state.json"


@dataclass(frozen=True, slots=True)
class KnownLane:
    """Where a reservation made here runs on one platform: `stage` is None for the local stack."""

    ref: str
    stage: str | None


def last(home: Path) -> str:
    """The id of the last reservation made here; NotFoundError when there is none."""
    found = _read(home).get("last")
    if not isinstance(found, str):
        raise NotFoundError(
            "No reservation has been made from here yet.", hint="Make one: resv reserve --seat A1 --user user123"
        )
    return found


def known_lanes(home: Path, reservation_id: str) -> dict[Platform, KnownLane]:
    """The lanes of a reservation made here, by platform; empty for others."""
    lanes = _lanes(_read(home), reservation_id)
    found: dict[Platform, KnownLane] = {}
    for platform in PLATFORMS:
        lane = _object(lanes.get(platform))
        ref, stage = lane.get("ref"), lane.get("stage")
        if isinstance(ref, str):
            found[platform] = KnownLane(ref, stage if isinstance(stage, str) else None)
    return found


def deployments(home: Path, platform: Platform) -> dict[str, Deployment]:
    """What is deployed on `platform`, by stage; the one deployed last stands last."""
    records = _object(_object(_read(home).get("deployments")).get(platform))
    read = {stage: from_record(platform, _object(record)) for stage, record in records.items()}
    return {stage: deployment for stage, deployment in read.items() if deployment is not None}


def remember_deployment(home: Path, deployment: Deployment) -> None:
    """Keep where a stage is deployed now."""
    _change_deployments(home, deployment.platform, deployment.stage, to_record(deployment))


def forget_deployment(home: Path, platform: Platform, stage: str) -> None:
    """A stage is torn down: nothing runs there any more."""
    _change_deployments(home, platform, stage, None)


def forget_local(home: Path) -> None:
    """The local stack's state is deleted: its lanes are no longer known."""
    with _locked(home):
        state = dict(_read(home))
        kept: dict[str, object] = {}
        for reservation_id, lanes in _object(state.get("reservations")).items():
            cloud = {name: lane for name, lane in _object(lanes).items() if _object(lane).get("stage") is not None}
            if cloud:
                kept[reservation_id] = cloud
        state["reservations"] = kept
        if state.get("last") not in kept:
            state["last"] = list(kept)[-1] if kept else None
        _write(home, state)


def _change_deployments(home: Path, platform: Platform, stage: str, record: Mapping[str, object] | None) -> None:
    with _locked(home):
        state = dict(_read(home))
        known = dict(_object(state.get("deployments")))
        stages = dict(_object(known.get(platform)))
        stages.pop(stage, None)
        if record is not None:
            stages[stage] = record
        known[platform] = stages
        _write(home, {**state, "deployments": known})


def with_client_clock(home: Path, lane: Timeline) -> Timeline:
    """`lane` with when its request was sent and accepted, if it was sent from here."""
    known = _object(_lanes(_read(home), lane.reservation_id).get(lane.platform))
    accept_ms = known.get("accept_ms")
    if not _is_of(known, lane):
        return lane
    return replace(
        lane,
        requested_at=parse_time(known.get("requested_at")),
        accept_ms=accept_ms if isinstance(accept_ms, float) else None,
    )


def check(home: Path) -> None:
    """Raises NotConfiguredError unless the state can be read and written now: before anything is deployed."""
    with _locked(home):
        _write(home, _read(home))


def check_readable(home: Path) -> None:
    """Raises NotConfiguredError for a damaged state: before anything is reserved."""
    _read(home)


def remember(home: Path, lanes: Sequence[Timeline]) -> None:
    """Keep the refs of a reservation just made; it becomes `last`."""
    if not lanes:
        return
    with _locked(home):
        state = dict(_read(home))
        reservations = dict(_object(state.get("reservations")))
        for lane in lanes:
            reservation_id = lane.reservation_id
            known = dict(_object(reservations.pop(reservation_id, None)))
            if not _is_of(_object(known.get(lane.platform)), lane):
                known[lane.platform] = {
                    "target": lane.target,
                    "stage": lane.stage,
                    "ref": lane.ref,
                    "requested_at": format_time(lane.requested_at),
                    "accept_ms": lane.accept_ms,
                }
            reservations[reservation_id] = known
            state["last"] = reservation_id
        state["reservations"] = dict(list(reservations.items())[-REMEMBERED:])
        _write(home, state)


def mark_decision(home: Path) -> None:
    """Tell every `resv` that follows a reservation on this machine that something was decided just now."""
    try:
        (home / "decided").touch(mode=0o600)
    except OSError as error:
        raise unwritable(home, error) from error


def last_decision(home: Path) -> int:
    """When `mark_decision` was last called, in nanoseconds; 0 for never. One stat: cheap enough for every frame."""
    try:
        return (home / "decided").stat().st_mtime_ns
    except OSError:
        return 0


def _is_of(known: Mapping[str, object], lane: Timeline) -> bool:
    """Whether what is remembered is this execution: on Cloudflare the same id may be on several stages."""
    return (known.get("ref"), known.get("stage")) == (lane.ref, lane.stage)


def _lanes(state: Mapping[str, object], reservation_id: str) -> Mapping[str, object]:
    return _object(_object(state.get("reservations")).get(reservation_id))


def _object(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _read(home: Path) -> Mapping[str, object]:
    path = home / _FILE
    try:
        state = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise _damaged(f"{path} cannot be read: {error.strerror or error}.") from error
    except (ValueError, RecursionError) as error:
        raise _damaged(f"{path} cannot be read: it is no JSON ({error}).") from error
    if isinstance(state, dict) and state.get("format", FORMAT) != FORMAT:
        raise NotConfiguredError(
            f"{path} is of format {state['format']}; this resv knows format {FORMAT} only.",
            hint="Update resv, or set RESV_HOME to another folder.",
            code="state_unreadable",
        )
    if not _is_state(state):
        raise _damaged(f"{path} cannot be read: it is no state of resv.")
    return cast("Mapping[str, object]", state)


def _is_state(state: object) -> bool:
    """Whether the outline is right: what is there in another shape would be dropped by the next write."""
    if not isinstance(state, dict) or not isinstance(state.get("last"), str | None):
        return False
    tables = [state.get(name, {}) for name in ("deployments", "reservations")]
    return all(isinstance(table, dict) and all(isinstance(row, dict) for row in table.values()) for table in tables)


def _damaged(message: str) -> NotConfiguredError:
    return NotConfiguredError(
        message,
        hint="Mend the file, or move it away: reservations stay, and a deploy makes what is there known again.",
        code="state_unreadable",
    )


@contextmanager
def _locked(home: Path) -> Iterator[None]:
    with ExitStack() as held:
        try:
            own_folder(home)
            lock = os.open(home / "state.lock", os.O_RDWR | os.O_CREAT, 0o600)
            held.callback(os.close, lock)
            fcntl.flock(lock, fcntl.LOCK_EX)
        except OSError as error:
            raise unwritable(home, error) from error
        yield


def _write(home: Path, state: Mapping[str, object]) -> None:
    path = home / _FILE
    try:
        remove_unfinished(path)
        # The owner's alone: there are tokens in it.
        write_whole(path, json.dumps({"format": FORMAT, **state}, indent=1))
    except OSError as error:
        raise unwritable(home, error) from error


def unwritable(home: Path, error: OSError) -> NotConfiguredError:
    """The error for a RESV_HOME in which nothing can be written, or no more."""
    # "File exists" is what mkdir says of a file in its place.
    reason = "it is no folder" if isinstance(error, FileExistsError) else error.strerror or error
    return NotConfiguredError(
        f"{home} cannot be written: {reason}.",
        hint="Free some space there, or set RESV_HOME to a folder on another disk."
        if is_full(error)
        else "Set RESV_HOME to a folder of yours.",
        code="home_unwritable",
    )
