"""botocore clients for the cloud, with credentials from a given environment: os.environ with .env beneath it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.config import Config
from botocore.configprovider import ConfigChainFactory
from botocore.credentials import EnvProvider
from botocore.exceptions import BotoCoreError
from botocore.session import Session

from reservation_cli.domain import json_text
from reservation_cli.errors import NotConfiguredError
from reservation_cli.local.plan import KEY
from reservation_cli.platforms.aws_errors import CREDENTIALS_HINT, UnreadableAnswerError, cleaned, translated
from reservation_cli.platforms.pace import Pace

if TYPE_CHECKING:
    from botocore.credentials import ReadOnlyCredentials
    from botocore.model import OperationModel

# AWS allows 15 calls of GetDurableExecutionHistory a second; other processes share them, and try again when refused.
HISTORY_BURST, HISTORIES_A_SECOND = 4, 10
#: As many as threads of a benchmark may call at once: beyond it, each call would open a connection and close it.
CONNECTIONS = 256
HISTORY_PACE = Pace(HISTORY_BURST, HISTORIES_A_SECOND)
# AWS_ENDPOINT_URL_<SERVICE> has the service's id, which is mostly the client's name.
_SERVICE_IDS = {"logs": "CLOUDWATCH_LOGS"}


@dataclass(frozen=True, slots=True)
class Aws:
    """An account's API as `environ` reaches it.

    AWS_ENDPOINT_URL and AWS_ENDPOINT_URL_<SERVICE> of `environ` are honoured, so that tests and proxies work.
    """

    session: Session
    environ: Mapping[str, str] = field(repr=False)

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Aws:
        """The API for the credentials that `environ`, the AWS profile it names, or this machine's role has.

        Raises NotConfiguredError when the profile does not exist, and for the environment of `resv env`.
        """
        if environ.get("AWS_ACCESS_KEY_ID") == KEY:
            raise NotConfiguredError(
                "The environment points at the local stack, by `resv env`, not at AWS.",
                hint="Take a fresh shell (or unset the AWS_* that `resv env` prints), or work --local.",
                code="local_environment",
            )
        session = Session(profile=environ.get("AWS_PROFILE") or environ.get("AWS_DEFAULT_PROFILE"))
        # botocore's own chains read os.environ, which .env is no part of.
        chains, store = ConfigChainFactory(session, environ), session.get_component("config_store")
        for name, (in_file, variables, default, convert) in session.SESSION_VARIABLES.items():
            store.set_config_provider(name, chains.create_config_chain(name, variables, in_file, default, convert))
        try:
            resolver = session.get_component("credential_provider")
        except BotoCoreError as error:
            raise translated(error, "AWS") from error
        except ValueError as error:
            raise _unusable(error) from error
        # As in AWS's own tools, keys win over a profile.
        resolver.remove("env")
        resolver.providers.insert(0, EnvProvider(environ))
        if environ.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true":
            resolver.remove("iam-role")
        return cls(session, environ)

    def credentials(self) -> ReadOnlyCredentials | None:
        """The credentials as they are now; None when there are none. Raises NotConfiguredError for broken ones.

        Without any, the metadata service of a machine in the cloud is waited for: a second each for two requests,
        which AWS_METADATA_SERVICE_TIMEOUT changes and AWS_EC2_METADATA_DISABLED=true leaves out.
        """
        try:
            found = self.session.get_credentials()
            return found.get_frozen_credentials() if found else None
        except BotoCoreError as error:
            raise translated(error, "AWS") from error
        except (OSError, ValueError) as error:
            raise _unusable(error) from error

    def require_credentials(self, label: str) -> None:
        """Raises NotConfiguredError unless there are credentials, so that no call is tried without."""
        if self.credentials() is None:
            raise NotConfiguredError(
                f"{label}: there are no AWS credentials.", hint=CREDENTIALS_HINT, code="credentials"
            )

    def client(self, service: str, region: str, config: Config | None = None) -> Any:
        """A client of `service`: throttled and failed calls are tried again, 5 times in all, with back-off."""
        upper = _SERVICE_IDS.get(service, service.upper().replace("-", "_"))
        endpoint = self.environ.get(f"AWS_ENDPOINT_URL_{upper}") or self.environ.get("AWS_ENDPOINT_URL")
        known = Config(
            connect_timeout=5,
            read_timeout=30,
            retries={"mode": "standard", "total_max_attempts": 5},
            max_pool_connections=CONNECTIONS,
        )
        try:
            client = self.session.create_client(
                service,
                region_name=region,
                endpoint_url=endpoint or None,
                config=known.merge(config) if config else known,
            )
        except BotoCoreError as error:
            raise translated(error, "AWS") from error
        except ValueError as error:
            raise _unusable(error) from error
        client.meta.events.register("before-parse", _require_json)
        return client


def _unusable(error: OSError | ValueError) -> NotConfiguredError:
    """For a setting that botocore converts, opens, or hands on, without a look at it."""
    # A user and a password may stand in an address, and botocore quotes it whole.
    told = re.sub(r"//\S*@", "//", cleaned(str(error)))
    return NotConfiguredError(
        f"A setting of AWS cannot be used: {told.rstrip('.')}.",
        hint="Look at the AWS_* variables in the environment and in .env, and at ~/.aws/config.",
        code="aws_setting",
    )


def _require_json(operation_model: OperationModel, response_dict: Mapping[str, Any], **_: object) -> None:
    """Raises UnreadableAnswerError for a good answer that is not whole JSON, which botocore takes for an empty one."""
    body, output = response_dict["body"], operation_model.output_shape
    is_json = "json" in operation_model.service_model.resolved_protocol
    if not is_json or response_dict["status_code"] >= 300 or not isinstance(body, bytes):
        return
    in_body = output is not None and any("location" not in member.serialization for member in output.members.values())
    if not body and not in_body:
        return
    try:
        json_text.loads(body)
    except ValueError as error:
        raise UnreadableAnswerError(operation=operation_model.name) from error
