"""AWS: credentials, region, permissions, and whether what was deployed from here is still there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from reservation_cli.deploy.aws_account import Account
from reservation_cli.deploy.aws_calls import asking, found
from reservation_cli.doctor.check import Check, Setting, attempt, lacking, refused
from reservation_cli.doctor.permissions import Caller, permissions
from reservation_cli.doctor.settings import endpoints, region
from reservation_cli.domain.deployment import DEFAULT_REGION, DEFAULT_STAGE, QUALIFIER, AwsDeployment, check_region
from reservation_cli.domain.reservation import InvalidInputError
from reservation_cli.errors import ResvError, UsageError
from reservation_cli.lanes import together
from reservation_cli.local.halves import infra_folder
from reservation_cli.settings import Settings

if TYPE_CHECKING:
    from reservation_cli.platforms.aws_session import Aws

_DAY = 86_400


def aws(settings: Settings, deployed: Sequence[AwsDeployment], needed: bool) -> list[Check]:
    """All of AWS. `needed`: it was asked about, or something is deployed there from here."""
    chosen = region(settings, deployed)
    if unusable := list(_unusable(chosen, settings.environ, needed)):
        return unusable
    where = [_region(chosen), *_endpoint(settings.environ)]
    credentials, caller = _credentials(settings.environ, str(chosen.value), needed)
    if caller is None:
        unchecked = "not looked for, without credentials that work."
        lists = infra_folder() / "policies"
        needs = f"Not checked; {lists / 'use.json'} and {lists / 'deploy.json'} list what is needed."
        return [
            credentials,
            *where,
            Check("aws", "permissions", "unknown" if needed else "optional", needs),
            *(Check("aws", f"stage {each.stage}", "unknown", f"{_told(each)}: {unchecked}") for each in deployed),
        ]
    stage = settings.stage or (deployed[-1].stage if deployed else DEFAULT_STAGE)
    iam = _client(caller.account.aws, "iam", caller.account.region)
    calls: list[Callable[[], Check]] = [
        partial(permissions, caller, iam, stage, "use", needed),
        # Who has deployed already may leave the next deploy to others.
        partial(permissions, caller, iam, stage, "deploy", needed and not deployed),
        *(partial(_stage, caller, deployment) for deployment in deployed),
    ]
    return [
        credentials,
        *where,
        *(each if isinstance(each, Check) else refused("aws", "permissions", each, needed) for each in together(calls)),
    ]


def _unusable(chosen: Setting, environ: Mapping[str, str], needed: bool) -> Iterator[Check]:
    """What botocore could do nothing with."""
    try:
        check_region(str(chosen.value))
    except InvalidInputError as error:
        hint = f"export {chosen.name}={DEFAULT_REGION}"
        yield refused("aws", "region", UsageError(f"{chosen.name}: {error}", hint=hint), needed)
    for name in endpoints(environ):
        if not environ[name].startswith(("http://", "https://")):
            yield refused("aws", "endpoint", UsageError(f"{name} is no http address.", hint=f"unset {name}"), needed)


def _region(chosen: Setting) -> Check:
    name, told = str(chosen.value), f"{chosen.value} ({chosen.source})"
    fix = f"export {chosen.name}={DEFAULT_REGION}"
    import botocore  # deferred: 100 ms
    from botocore.loaders import Loader
    from botocore.regions import EndpointResolver

    # Of the package's own data: nobody is asked, no profile is read.
    resolver = EndpointResolver(Loader().load_data("endpoints"))
    partitions = resolver.get_available_partitions()
    if not any(name in resolver.get_available_endpoints("lambda", partition) for partition in partitions):
        detail = f"{told}: botocore {botocore.__version__} knows no Lambda there."
        return Check("aws", "region", "warning", detail, fix)
    if name != DEFAULT_REGION:
        detail = f"{told}: durable functions are sure to be in {DEFAULT_REGION}; here a deploy finds out."
        return Check("aws", "region", "warning", detail, f"{fix}, unless you know that {name} has them.")
    return Check("aws", "region", "ok", told)


def _endpoint(environ: Mapping[str, str]) -> list[Check]:
    """A warning when calls go elsewhere than to AWS: `resv env` exports such variables."""
    names = endpoints(environ)
    if not names:
        return []
    detail = f"{' and '.join(names)}: calls go there, not to AWS."
    return [Check("aws", "endpoint", "warning", detail, f"unset {' '.join(names)}")]


def _credentials(environ: Mapping[str, str], region: str, needed: bool) -> tuple[Check, Caller | None]:
    from reservation_cli.platforms.aws_errors import CREDENTIALS_HINT
    from reservation_cli.platforms.aws_session import Aws  # deferred: botocore, 100 ms

    def ask() -> tuple[Aws, Mapping[str, Any]] | None:
        aws = Aws.of(environ)
        if aws.credentials() is None:
            return None
        with asking(region, "ask whose credentials these are"):
            return aws, _client(aws, "sts", region).get_caller_identity()

    answer = attempt(ask)
    if answer is None:
        return lacking("aws", "credentials", "None found.", CREDENTIALS_HINT, needed), None
    if isinstance(answer, ResvError):
        return refused("aws", "credentials", answer, needed), None
    aws, told = answer
    arn = str(told.get("Arn", ""))
    if arn.count(":") < 5:
        detail = "What answered for AWS does not say whose they are."
        return lacking("aws", "credentials", detail, "Look at the proxy and at AWS_ENDPOINT_URL.", needed), None
    account = Account(str(told.get("Account")), arn.split(":")[1], region, aws)
    detail = f"account {account.id}, {arn}"
    return Check("aws", "credentials", "ok", detail, needed=needed), Caller(account, arn)


def _stage(caller: Caller, deployment: AwsDeployment) -> Check:
    """Whether the durable function, the seats function and their aliases are there."""
    name = f"stage {deployment.stage}"
    again = f"resv deploy aws --stage {deployment.stage} --region {deployment.region}"
    if deployment.account != caller.account.id:
        detail = f"{_told(deployment)}: in account {deployment.account}; the credentials are of {caller.account.id}."
        return Check("aws", name, "missing", detail, "export AWS_PROFILE=NAME, one of that account.", needed=True)
    client = _client(caller.account.aws, "lambda", deployment.region)

    def ask() -> list[Mapping[str, Any] | None]:
        functions = (deployment.function, deployment.seats_function)
        with asking(deployment.region, f"look for {deployment.function}"):
            config = found(client.get_function_configuration, FunctionName=functions[0], Qualifier=QUALIFIER)
            return [config, *(found(client.get_alias, FunctionName=each, Name=QUALIFIER) for each in functions)]

    answer = attempt(ask)
    if isinstance(answer, ResvError):
        return Check("aws", name, "unknown", f"{_told(deployment)}: {answer.message}", answer.hint or "")
    config, alias, seats = answer
    if config is None or alias is None or seats is None:
        gone = deployment.seats_function if config is not None and alias is not None else deployment.function
        return Check("aws", name, "missing", f"{_told(deployment)}: {gone}:{QUALIFIER} is gone.", again, needed=True)
    durable = config.get("DurableConfig")
    if not durable:
        detail = f"{_told(deployment)}: {deployment.function} has no DurableConfig."
        return Check("aws", name, "missing", detail, f"{again} --recreate", needed=True)
    if config.get("State", "Active") != "Active":
        detail = f"{_told(deployment)}: {deployment.function} is {config['State']}: {config.get('StateReason', '')}"
        return Check("aws", name, "warning", detail, again)
    if alias.get("FunctionVersion") != deployment.version:
        detail = f"{_told(deployment)}: {QUALIFIER} names version {alias.get('FunctionVersion')} now."
        return Check("aws", name, "warning", detail, again)
    days = int(durable.get("ExecutionTimeout", 0)) / _DAY
    kept = durable.get("RetentionPeriodInDays")
    detail = f"{_told(deployment)}; executions of up to {days:g} days, kept for {kept} days."
    return Check("aws", name, "ok", detail, needed=True)


def _told(deployment: AwsDeployment) -> str:
    return (
        f"{deployment.region}, version {deployment.version}, by {deployment.via}, "
        f"{deployment.deployed_at:%Y-%m-%d %H:%M} UTC"
    )


def _client(aws: Aws, service: str, region: str) -> Any:
    from botocore.config import Config  # deferred: botocore, 100 ms

    return aws.client(
        service,
        region,
        Config(connect_timeout=3, read_timeout=6, retries={"mode": "standard", "total_max_attempts": 2}),
    )
