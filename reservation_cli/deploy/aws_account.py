"""The account that a stage is deployed to: whose credentials there are, and botocore's clients in one region."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from reservation_cli.deploy.aws_calls import asking, readable
from reservation_cli.deploy.aws_parts import MANAGED_POLICY, AwsParts
from reservation_cli.deploy.change import UNKNOWN
from reservation_cli.errors import NotConfiguredError
from reservation_cli.local.halves import infra_folder

if TYPE_CHECKING:
    from reservation_cli.platforms.aws_session import Aws


@dataclass(frozen=True, slots=True)
class Account:
    """One region of the account that the credentials are for. `partition` is aws, aws-cn or aws-us-gov."""

    id: str
    partition: str
    region: str
    aws: Aws
    clients: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def of(cls, environ: Mapping[str, str], region: str) -> Account | None:
        """The account; None when there are no credentials. Asks AWS whose credentials they are."""
        from reservation_cli.platforms.aws_session import Aws  # deferred: botocore, 100 ms

        aws = Aws.of(environ)
        if aws.credentials() is None:
            return None
        with asking(region, "ask whose credentials these are"):
            caller = aws.client("sts", region).get_caller_identity()
            return cls(caller["Account"], caller["Arn"].split(":")[1], region, aws)

    @property
    def secrets(self) -> list[str]:
        """What of the credentials nobody may read."""
        known = self.aws.credentials()
        return [secret for secret in (known.secret_key, known.token) if secret] if known else []

    def client(self, service: str) -> Any:
        """botocore's client of `service` in this region, made once: it takes up to 100 ms."""
        if service not in self.clients:
            self.clients[service] = readable(self.aws.client(service, self.region))
        return self.clients[service]

    def arn(self, service: str, resource: str) -> str:
        """The ARN of a resource in this region; of one in the account for IAM, whose resources have no region."""
        region = "" if service == "iam" else self.region
        return f"arn:{self.partition}:{service}:{region}:{self.id}:{resource}"

    @property
    def managed_policy(self) -> str:
        """The ARN of AWS's policy for the role of a durable function."""
        return f"arn:{self.partition}:iam::aws:policy/{MANAGED_POLICY}"

    def policy(self, name: str, stage: str) -> dict[str, object]:
        """The policy document infra/policies/`name`.json, for this account, region and `stage`."""
        text = (infra_folder() / "policies" / f"{name}.json").read_text(encoding="utf-8")
        values = {
            "AWS::Partition": self.partition,
            "AWS::Region": self.region,
            "AWS::AccountId": self.id,
            "Stage": stage,
        }
        for variable, value in values.items():
            text = text.replace(f"${{{variable}}}", value)
        document: dict[str, object] = json.loads(text)
        return document


@dataclass(frozen=True)
class AwsStage:
    """One stage in one region, with the credentials that `environ` has: what all ways of deploying share."""

    stage: str
    region: str
    environ: Mapping[str, str] = field(repr=False)

    @cached_property
    def account(self) -> Account | None:
        """The account; None without credentials. Asked for once, for the plan and for the doing of it."""
        return Account.of(self.environ, self.region)

    def required_account(self) -> Account:
        """The same; NotConfiguredError without credentials."""
        from reservation_cli.platforms.aws_errors import CREDENTIALS_HINT  # deferred: botocore, 100 ms

        if self.account is None:
            raise NotConfiguredError("There are no AWS credentials.", hint=CREDENTIALS_HINT, code="credentials")
        return self.account

    @property
    def parts(self) -> AwsParts:
        """What the resources are called."""
        return AwsParts(self.stage, self.region)

    def where(self) -> list[tuple[str, str]]:
        """See Deployer.where."""
        return [("account", self.account.id if self.account else UNKNOWN), ("region", self.region)]
