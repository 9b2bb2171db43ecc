"""One Lambda function of a deploy with botocore: created or brought up to date, published, and named `live`."""

from __future__ import annotations

import base64
import hashlib
import io
import re
import zipfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reservation_cli.deploy.aws_account import Account
from reservation_cli.deploy.aws_calls import (
    created,
    found,
    function_tags,
    is_being_deleted,
    is_there_already,
    refusals,
    repeated,
    told,
    wait_until_gone,
)
from reservation_cli.deploy.aws_parts import AwsParts, FunctionParts, Step, refuse_foreign
from reservation_cli.deploy.change import Change
from reservation_cli.domain.deployment import QUALIFIER
from reservation_cli.errors import NotConfiguredError, PlatformError

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

RUNTIME = "nodejs24.x"
ARCHITECTURE = "arm64"
MEMORY_MB = 256
TIMEOUT_SECONDS = 30
DURABLE = {"ExecutionTimeout": 32 * 86_400, "RetentionPeriodInDays": 14}

#: A new role is not yet known everywhere: to Lambda, or to KMS, which encrypts the environment for it.
_ROLE_UNKNOWN = re.compile(
    r"cannot be assumed by Lambda|KMS key is invalid for CreateGrant|not refer to a valid principal"
)


def package(file: Path) -> bytes:
    """`file` in a zip as Lambda takes it. The same code gives the same bytes, so that a redeploy can tell."""
    try:
        code = file.read_bytes()
    except FileNotFoundError as error:
        raise NotConfiguredError(
            f"The code for Lambda is not built: {file.name} is missing in {file.parent}.",
            hint="Run `npm run build` in aws-durable.",
        ) from error
    entry = zipfile.ZipInfo(file.name, date_time=(1980, 1, 1, 0, 0, 0))
    entry.create_system = 3  # Unix, also when made on Windows: part of the bytes
    entry.external_attr = 0o100644 << 16
    entry.compress_type = zipfile.ZIP_DEFLATED
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(entry, code)
    return content.getvalue()


def description(function: FunctionParts, region: str) -> str:
    """What a plan says of a function."""
    plain = f"{region}, {RUNTIME} on {ARCHITECTURE}, {MEMORY_MB} MB, timeout {TIMEOUT_SECONDS} s"
    if not function.durable:
        return plain
    days = DURABLE["ExecutionTimeout"] // 86_400
    return f"{plain}, executions of up to {days} days, kept for {DURABLE['RetentionPeriodInDays']} days"


def unknown_lines(function: FunctionParts, region: str) -> list[Change]:
    """The lines of a function's steps when nothing can be looked up."""
    return [
        Change("unknown", function.kind, function.name, description(function, region)),
        Change("unknown", "version", function.name),
        Change("unknown", "alias", f"{function.name}:{QUALIFIER}"),
    ]


@dataclass(frozen=True, slots=True)
class Found:
    """A function as it is: its unpublished state, its newest version, and the version that `live` names ("" if none).

    `config` is None when there is no such function; `broken` when it lacks DurableConfig and is to be created anew;
    `leaving` when its deletion has begun.
    """

    config: Mapping[str, Any] | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    last: Mapping[str, Any] | None = None
    named: str = ""
    broken: bool = False
    leaving: bool = False


@dataclass(slots=True)
class FunctionDeploy:
    """The three steps of one function. `client` is botocore's for Lambda.

    `zipped` is the function's code; None, for a plan only, when it is not built. `version` is the published version
    that `live` names when all steps are done.
    """

    account: Account
    client: Any
    parts: AwsParts
    function: FunctionParts
    zipped: bytes | None
    recreate: bool
    pause: Callable[[float], object]
    version: str = field(default="", init=False)

    @property
    def _description(self) -> str:
        return description(self.function, self.parts.region)

    def steps(self) -> list[Step]:
        """Look, and give the steps for the function, its version and its alias.

        Raises PlatformError when the function is another project's, or is to be durable and was created without.
        """
        with refusals(self.parts, f"look for {self.function.kind} {self.function.name}"):
            there = self._look()
        new = self._needs_version(there)
        return [self._function_step(there), self._version_step(there, new), self._alias_step(there, new)]

    def _look(self) -> Found:
        name, client = self.function.name, self.client
        answer = found(client.get_function, FunctionName=name)
        if answer is None:
            return Found()
        if is_being_deleted(answer):
            return Found(leaving=True)
        config, tags = answer["Configuration"], function_tags(client, answer)
        if "project" in tags:
            refuse_foreign(self.function.kind, name, tags)
        # Before the question whose it is: `recreate` is the consent to delete one that was made by hand.
        if self.function.durable and not config.get("DurableConfig"):
            if self.recreate:
                return Found(broken=True)
            raise PlatformError(
                f"The function {name} exists without DurableConfig, which can be given at its creation only.",
                hint=f"It is deleted and created anew by: {self.parts.aimed('resv deploy aws')} --via api --recreate",
                code="durable_config_missing",
            )
        refuse_foreign(self.function.kind, name, tags)
        pages = client.get_paginator("list_versions_by_function").paginate(FunctionName=name)
        versions = [each for page in pages for each in page["Versions"] if each["Version"] != "$LATEST"]
        alias = found(client.get_alias, FunctionName=name, Name=QUALIFIER)
        return Found(
            config,
            tags,
            max(versions, key=lambda each: int(each["Version"]), default=None),
            alias["FunctionVersion"] if alias else "",
        )

    def _needs_version(self, there: Found) -> bool | None:
        """Whether the newest version is not what is wanted; None when that depends on code that is not built."""
        if there.last is None or self._code_differs(there.last) or self._differences(there.last):
            return True
        return None if self.zipped is None else False

    def _function_step(self, there: Found) -> Step:
        kind, name = self.function.kind, self.function.name
        if there.broken:
            detail = f"it lacks DurableConfig: deleted and created anew; {self._description}"
            return Step(Change("recreate", kind, name, detail), self._recreate)
        if there.leaving:
            detail = f"once Lambda has deleted the one that was there; {self._description}"
            return Step(Change("create", kind, name, detail), self._create_after)
        if there.config is None:
            return Step(Change("create", kind, name, self._description), self._create)
        code, settings = self._code_differs(there.config), self._differences(there.config)
        tags = [] if self.parts.tags.items() <= there.tags.items() else ["tags"]
        changes = [*(["new code"] if code else []), *settings, *tags]
        if self.zipped is None:
            return Step(Change("update", kind, name, "; ".join([*changes, "code, if it has changed"])))
        if not changes:
            return Step(Change("keep", kind, name, self._description))

        def update() -> None:
            if code:
                self._update_code()
            if settings:
                self._update_settings()
            if tags:
                arn = self.account.arn("lambda", f"function:{name}")
                self.client.tag_resource(Resource=arn, Tags=self.parts.tags)

        return Step(Change("update", kind, name, "; ".join(changes)), update)

    def _version_step(self, there: Found, new: bool | None) -> Step:
        name, number = self.function.name, there.last["Version"] if there.last else ""
        if new is False:
            self.version = number
            return Step(Change("keep", "version", name, f"version {number}"))
        detail = f"version {number} → {int(number) + 1}" if number else "the first"
        if new is None:
            return Step(Change("update", "version", name, f"{detail}, if the code has changed"))
        return Step(Change("create", "version", name, detail), self._publish)

    def _alias_step(self, there: Found, new: bool | None) -> Step:
        name = f"{self.function.name}:{QUALIFIER}"
        number = there.last["Version"] if there.last else ""
        target = "the first" if not number else number if new is False else str(int(number) + 1)
        if not there.named:
            return Step(Change("create", "alias", name, f"version {target}" if number else ""), self._name_live)
        if new is False and there.named == number:
            return Step(Change("keep", "alias", name, f"version {target}"))
        detail = f"version {there.named} → {target}"
        if new is None:
            return Step(Change("update", "alias", name, f"{detail}, if the code has changed"))
        return Step(Change("update", "alias", name, detail), self._move_live)

    def _code_differs(self, config: Mapping[str, Any]) -> bool:
        if self.zipped is None:
            return False
        return bool(config["CodeSha256"] != self._digest or config["Architectures"] != [ARCHITECTURE])

    def _differences(self, config: Mapping[str, Any]) -> list[str]:
        """The settings of `config` that are not as wanted; of those that are short, what they are and shall be."""
        changes = []
        for key, wanted in self._settings.items():
            now = config.get(key)
            # AWS may add to DurableConfig: the key by which it encrypts.
            if now != wanted and not (key == "DurableConfig" and now and wanted.items() <= now.items()):
                told_in_full = isinstance(wanted, int) or key in ("Handler", "Runtime")
                changes.append(f"{key} {now} → {wanted}" if told_in_full else key)
        return changes

    @property
    def _settings(self) -> dict[str, Any]:
        settings: dict[str, Any] = {
            "Role": self.account.arn("iam", f"role/{self.parts.role}"),
            "Handler": self.function.handler,
            "Runtime": RUNTIME,
            "Timeout": TIMEOUT_SECONDS,
            "MemorySize": MEMORY_MB,
            "Environment": {"Variables": {"SEATS_TABLE": self.parts.table}},
        }
        return settings | ({"DurableConfig": DURABLE} if self.function.durable else {})

    @property
    def _digest(self) -> str:
        """Lambda's CodeSha256 of `zipped`."""
        return base64.b64encode(hashlib.sha256(self.zipped or b"").digest()).decode()

    def _create(self) -> None:
        creation = {
            "FunctionName": self.function.name,
            "Code": {"ZipFile": self.zipped},
            "Architectures": [ARCHITECTURE],
            "Tags": self.parts.tags,
            **self._settings,
        }
        created(lambda: self._settled(lambda: self.client.create_function(**creation)))
        self._ready()

    def _recreate(self) -> None:
        found(self.client.delete_function, FunctionName=self.function.name)
        self._create_after()

    def _create_after(self) -> None:
        wait_until_gone(self.client, self.function.name, self.pause)
        self._create()

    def _update_code(self) -> None:
        self._settled(
            lambda: self.client.update_function_code(
                FunctionName=self.function.name, ZipFile=self.zipped, Architectures=[ARCHITECTURE]
            )
        )
        self._ready()

    def _update_settings(self) -> None:
        self._settled(
            lambda: self.client.update_function_configuration(FunctionName=self.function.name, **self._settings)
        )
        self._ready()

    def _publish(self) -> None:
        # The digest guards against another deploy that has put its code there meanwhile.
        answer = self._settled(
            lambda: self.client.publish_version(FunctionName=self.function.name, CodeSha256=self._digest)
        )
        self.version = answer["Version"]
        self._ready(Qualifier=self.version)

    def _name_live(self) -> None:
        if not created(lambda: self._settled(lambda: self.client.create_alias(**self._live))):
            self._move_live()

    def _move_live(self) -> None:
        self._settled(lambda: self.client.update_alias(**self._live))

    @property
    def _live(self) -> dict[str, str]:
        return {"FunctionName": self.function.name, "Name": QUALIFIER, "FunctionVersion": self.version}

    def _ready(self, **qualifier: str) -> None:
        for state in ("function_active_v2", "function_updated_v2"):
            self.client.get_waiter(state).wait(FunctionName=self.function.name, **qualifier)

    def _settled(self, call: Callable[[], Any]) -> Any:
        """What `call` answers, tried again while AWS will take it in a moment: a new role, an update under way."""
        return repeated(call, self._will_pass, self.pause)

    def _will_pass(self, error: ClientError) -> bool:
        from botocore.exceptions import WaiterError

        said = told(error)
        if said.startswith("ResourceConflictException") and not is_there_already(error):
            with suppress(WaiterError):  # when it cannot be waited for, the next try tells why
                self._ready()
            return True
        return bool(_ROLE_UNKNOWN.search(said))
