"""Which source each setting is from, secrets redacted; and the secrets themselves, to be kept out of everything."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from reservation_cli.doctor.check import Setting, Source, attempt
from reservation_cli.domain.deployment import DEFAULT_REGION, DEFAULT_STAGE, CloudflareDeployment, Deployment
from reservation_cli.domain.reservation import Platform
from reservation_cli.errors import ResvError
from reservation_cli.local import halves
from reservation_cli.places import Where, place
from reservation_cli.settings import Settings

_SECRETS = (
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_BEARER_TOKEN_BEDROCK",
    "CLOUDFLARE_API_TOKEN",
    "CLOUDFLARE_API_KEY",
    "CF_API_TOKEN",
)
#: Not secret, but nobody's business in a pasted report.
_REDACTED = (*_SECRETS, "AWS_ACCESS_KEY_ID")

_OF_AWS = ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
_OF_AWS_IF_SET = ("AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE")
_OF_CLOUDFLARE = ("CLOUDFLARE_API_TOKEN", "CLOUDFLARE_ACCOUNT_ID")
_OF_CLOUDFLARE_IF_SET = ("CLOUDFLARE_API_BASE_URL",)

#: From this length on, four characters give nothing away.
_LONG = 20


def rows(
    settings: Settings, deployed: Mapping[Platform, Sequence[Deployment]], platforms: Iterable[Platform]
) -> Iterator[Setting]:
    """The settings of the local stack and of `platforms`, with what each lane would run on."""
    yield _row(settings, "RESV_HOME", str(settings.home))
    yield _row(settings, "RESV_STAGE", settings.stage or DEFAULT_STAGE)
    yield _row(settings, "RESV_CLOUDFLARE_PORT", str(settings.cloudflare_port))
    yield _row(settings, "RESV_AWS_PORT", str(settings.aws_port))
    yield _row(settings, "RESV_IDLE_MINUTES", f"{settings.idle_minutes:g}")
    yield _row(settings, "RESV_CACHE", _cache(settings))
    for platform in platforms:
        if platform == "aws":
            yield region(settings, deployed["aws"])
            names = [*_OF_AWS, *_set(settings, _OF_AWS_IF_SET), *endpoints(settings.environ)]
        else:
            names = [*_OF_CLOUDFLARE, *_set(settings, _OF_CLOUDFLARE_IF_SET)]
        yield from (_row(settings, name, None) for name in names)
        yield _target(settings, platform)


def region(settings: Settings, deployed: Sequence[Deployment]) -> Setting:
    """The region that a deploy to AWS takes; the one where its stage is deployed counts if none is set."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        if value := settings.environ.get(name):
            return Setting(name, value, _source(settings, name))
    stage = settings.stage or DEFAULT_STAGE
    recorded = next((each.region for each in deployed if each.platform == "aws" and each.stage == stage), None)
    return Setting("AWS_REGION", recorded or DEFAULT_REGION, "state" if recorded else "default")


def endpoints(environ: Mapping[str, str]) -> list[str]:
    """The variables that send calls elsewhere than to AWS."""
    return sorted(name for name, value in environ.items() if name.startswith("AWS_ENDPOINT_URL") and value)


def secrets(environ: Mapping[str, str], deployed: Mapping[Platform, Sequence[Deployment]]) -> set[str]:
    """All that must not be shown, whatever an error may quote."""
    tokens = {each.token for each in deployed["cloudflare"] if isinstance(each, CloudflareDeployment)}
    return {secret for secret in ({environ.get(name, "").strip() for name in _SECRETS} | tokens) if secret}


def scrubbed(text: str, hidden: Iterable[str]) -> str:
    """`text` without what is hidden."""
    for secret in hidden:
        # As a word of its own: a short one, such as that of a local endpoint, may stand in any text.
        text = re.sub(rf"(?<![\w-]){re.escape(secret)}(?![\w-])", "***", text)
    return text


def _row(settings: Settings, name: str, default: str | None) -> Setting:
    value = settings.environ.get(name)
    if not value:
        return Setting(name, default, "not set" if default is None else "default")
    shown = _redacted(name, value) if default is None else default
    return Setting(name, shown, _source(settings, name))


def _set(settings: Settings, names: Iterable[str]) -> list[str]:
    return [name for name in names if settings.environ.get(name)]


def _source(settings: Settings, name: str) -> Source:
    return ".env" if name in settings.from_dotenv else "environment"


def _redacted(name: str, value: str) -> str:
    if name in _REDACTED:
        return f"set, ends in {value[-4:]}" if len(value) >= _LONG else "set"
    # A user and a password may stand in an address.
    return re.sub(r"//[^/]*@", "//", value)


def _cache(settings: Settings) -> str:
    try:
        return str(halves.cache_folder(settings.environ))
    except RuntimeError:
        return settings.environ.get("RESV_CACHE", "")


def _target(settings: Settings, platform: Platform) -> Setting:
    """Where a reservation made now would run on `platform`."""
    found = attempt(lambda: place(settings.home, platform, Where(stage=settings.stage)))
    name = f"{platform} runs on"
    source: Source = _source(settings, "RESV_STAGE") if settings.stage else "state" if found else "default"
    if isinstance(found, ResvError):
        return Setting(name, found.message, source)
    return Setting(name, found.label if found else "the local stack", source)
