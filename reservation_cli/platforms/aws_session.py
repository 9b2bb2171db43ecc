"""botocore clients for the cloud, with credentials from a given environment: os.environ with .env beneath it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.config import Config
from botocore.credentials import EnvProvider
from botocore.exceptions import BotoCoreError
from botocore.session import Session

from reservation_cli.platforms.aws_errors import translated

if TYPE_CHECKING:
    from botocore.credentials import ReadOnlyCredentials


@dataclass(frozen=True, slots=True)
class Aws:
    """An account's API as `environ` reaches it.

    AWS_ENDPOINT_URL and AWS_ENDPOINT_URL_<SERVICE> of `environ` are honoured, so that tests and proxies work.
    """

    session: Session
    environ: Mapping[str, str]

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Aws:
        """The API for the credentials that `environ`, the AWS profile it names, or this machine's role has.

        Raises NotConfiguredError when the profile does not exist.
        """
        session = Session(profile=environ.get("AWS_PROFILE") or environ.get("AWS_DEFAULT_PROFILE"))
        for variable, name in (("config_file", "AWS_CONFIG_FILE"), ("credentials_file", "AWS_SHARED_CREDENTIALS_FILE")):
            if value := environ.get(name):
                session.set_config_variable(variable, value)
        try:
            resolver = session.get_component("credential_provider")
        except BotoCoreError as error:
            raise translated(error, "AWS") from error
        # botocore's own reads os.environ, which .env is no part of. As in AWS's own tools, keys win over a profile.
        resolver.remove("env")
        resolver.providers.insert(0, EnvProvider(environ))
        if environ.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true":
            resolver.remove("iam-role")
        return cls(session, environ)

    def credentials(self) -> ReadOnlyCredentials | None:
        """The credentials as they are now; None when there are none. Raises NotConfiguredError for broken ones."""
        try:
            found = self.session.get_credentials()
            return found.get_frozen_credentials() if found else None
        except BotoCoreError as error:
            raise translated(error, "AWS") from error

    def client(self, service: str, region: str, config: Config | None = None) -> Any:
        """A client of `service`: throttled and failed calls are tried again, 5 times in all, with back-off."""
        upper = service.upper().replace("-", "_")
        endpoint = self.environ.get(f"AWS_ENDPOINT_URL_{upper}") or self.environ.get("AWS_ENDPOINT_URL")
        known = Config(connect_timeout=5, read_timeout=30, retries={"mode": "standard", "total_max_attempts": 5})
        try:
            return self.session.create_client(
                service,
                region_name=region,
                endpoint_url=endpoint or None,
                config=known.merge(config) if config else known,
            )
        except BotoCoreError as error:
            raise translated(error, "AWS") from error
