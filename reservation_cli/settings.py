"""Where settings come from: flags > environment > .env > state > default. The only reader of os.environ."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from reservation_cli.domain.deployment import check_stage
from reservation_cli.domain.reservation import InvalidInputError
from reservation_cli.errors import NotConfiguredError, UsageError

_WHERE = "It is set in the environment or in .env."

_AWS_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
_AWS_TOKENS = ("AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN")
_OTLP = ("HEADERS", "COMPRESSION", "TIMEOUT")
#: What .env may set. It comes with the folder that one works in, from whoever wrote that: nothing in it may name what
#: is run or trusted, as NODE_OPTIONS, RESV_CACHE, a proxy, a certificate, or a configuration of AWS with commands does.
_OF_DOTENV = frozenset(
    {
        *("RESV_HOME", "RESV_STAGE", "RESV_CLOUDFLARE_PORT", "RESV_AWS_PORT", "RESV_IDLE_MINUTES"),
        *(*_AWS_KEYS, *_AWS_TOKENS, "AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION"),
        *("AWS_EC2_METADATA_DISABLED", "AWS_METADATA_SERVICE_TIMEOUT", "AWS_METADATA_SERVICE_NUM_ATTEMPTS"),
        *("CLOUDFLARE_API_TOKEN", "CLOUDFLARE_ACCOUNT_ID", "CLOUDFLARE_API_KEY", "CLOUDFLARE_EMAIL"),
        *("OTEL_SDK_DISABLED", *(f"OTEL_EXPORTER_OTLP_{scope}{name}" for scope in ("", "TRACES_") for name in _OTLP)),
    }
)
#: Where credentials are sent.
_CLOUDFLARE_ADDRESS, _AWS_ADDRESS = "CLOUDFLARE_API_BASE_URL", "AWS_ENDPOINT_URL"


@dataclass(frozen=True, slots=True)
class Settings:
    """What a command needs to know of its surroundings.

    `environ` is the environment with .env beneath it: what child processes and credential look-ups get;
    `from_dotenv` are the names whose value .env gave. `stage` and `region` are None unless set, and `region` is
    as it was given: the local stack does without it.
    """

    home: Path
    environ: Mapping[str, str]
    from_dotenv: frozenset[str]
    stage: str | None
    region: str | None
    cloudflare_port: int
    aws_port: int
    idle_minutes: float


def load(environ: Mapping[str, str] | None = None, directory: Path | None = None) -> Settings:
    """Settings from the environment and the .env file in `directory` (the current one unless given).

    Raises UsageError when .env cannot be parsed or a number in it is none, NotConfiguredError when it would send
    credentials that it has not given to an address of its own.
    """
    above = dict(os.environ if environ is None else environ)
    file = (directory or Path()) / ".env"
    beneath = _dotenv(file)
    merged = {**beneath, **above}
    from_dotenv = frozenset(beneath.keys() - above.keys())
    _check_addresses(merged, from_dotenv, file)
    return Settings(
        home=_home(merged),
        environ=merged,
        from_dotenv=from_dotenv,
        stage=_stage(merged),
        region=merged.get("AWS_REGION") or merged.get("AWS_DEFAULT_REGION") or None,
        cloudflare_port=_port(merged, "RESV_CLOUDFLARE_PORT", 8787),
        aws_port=_port(merged, "RESV_AWS_PORT", 9014),
        idle_minutes=_number(merged, "RESV_IDLE_MINUTES", 30.0),
    )


def _home(environ: Mapping[str, str]) -> Path:
    if named := environ.get("RESV_HOME"):
        try:
            # One folder, one path: it is a part of the command lines of what runs in it.
            return Path(named).expanduser().resolve()
        except (RuntimeError, OSError, ValueError) as error:
            raise UsageError(f"RESV_HOME is no folder that can be found: {named!r}.", hint=_WHERE) from error
    from platformdirs import user_state_path  # deferred: 5 ms that a set RESV_HOME does not need

    return user_state_path("resv", appauthor=False).resolve()


def _dotenv(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    from dotenv.parser import parse_stream  # deferred: most directories have no .env

    values: dict[str, str] = {}
    try:
        with path.open(encoding="utf-8") as stream:
            for binding in parse_stream(stream):
                if binding.error:
                    raise UsageError(
                        f"{path.name} line {binding.original.line} cannot be read as NAME=value.",
                        hint=f"Mend that line of {path}, or move the file away.",
                    )
                if binding.value is not None and _is_of_dotenv(binding.key or ""):
                    values[str(binding.key)] = binding.value
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path.name} cannot be read: {error}.", hint=f"Mend {path}, or move it away.") from error
    return values


def _is_of_dotenv(name: str) -> bool:
    return name in _OF_DOTENV or name == _CLOUDFLARE_ADDRESS or name.startswith(_AWS_ADDRESS)


def _check_addresses(environ: Mapping[str, str], from_dotenv: frozenset[str], file: Path) -> None:
    """Raises NotConfiguredError for an address of .env that would get somebody else's credentials.

    Those may also be of a login or a profile: so the file must have given them all.
    """
    for name in sorted(name for name in from_dotenv if environ[name]):
        if name == _CLOUDFLARE_ADDRESS:
            needed = ["CLOUDFLARE_API_TOKEN"]
        elif name.startswith(_AWS_ADDRESS):
            needed = [*_AWS_KEYS, *(token for token in _AWS_TOKENS if environ.get(token))]
        else:
            continue
        if any(given not in from_dotenv or not environ[given] for given in needed):
            raise NotConfiguredError(
                f".env sets {name} without {' and '.join(needed)}: it would get credentials that are not its own.",
                hint=f"If you mean it, set {name} in the environment; else take it out of {file.absolute()}.",
                code="dotenv_address",
            )


def _stage(environ: Mapping[str, str]) -> str | None:
    named = environ.get("RESV_STAGE")
    try:
        return check_stage(named) if named else None
    except InvalidInputError as error:
        raise UsageError(f"RESV_STAGE: {error}", hint=_WHERE) from error


def _port(environ: Mapping[str, str], name: str, default: int) -> int:
    value = environ.get(name, str(default))
    # Python refuses to make a number of thousands of digits.
    if not (value.isascii() and value.isdigit() and len(value) < 20 and 1 <= int(value) <= 65535):
        raise UsageError(f"{name} must be a port from 1 to 65535, not {value!r}.", hint=_WHERE)
    return int(value)


def _number(environ: Mapping[str, str], name: str, default: float) -> float:
    value = environ.get(name, str(default))
    try:
        number = float(value)
    except ValueError as error:
        raise UsageError(f"{name} must be a number, not {value!r}.", hint=_WHERE) from error
    if not 0 < number < float("inf"):
        raise UsageError(f"{name} must be above 0, not {value!r}.", hint=_WHERE)
    return number
