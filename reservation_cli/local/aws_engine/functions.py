"""The functions the endpoint knows, and how a caller may refer to them."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from reservation_cli.local.aws_engine.errors import invalid_parameter, not_found

ACCOUNT_ID = "000000000000"
# What a deployment publishes: one version, and the alias that points at it.
ALIASES = {"live": "1"}
VERSIONS = ("1", "$LATEST")


def version_of(qualifier: str | None) -> str | None:
    """The version that an alias or version leads to; None for none."""
    return ALIASES.get(qualifier, qualifier) if qualifier else None


# The pattern of `NamespacedFunctionName` in botocore's model of Lambda.
_REFERENCE = re.compile(
    r"(arn:(aws[a-zA-Z-]*)?:lambda:)?(?P<region>(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?"
    r"(?P<account>\d{12}:)?(function:)?"
    r"(?P<name>[a-zA-Z0-9-_\.]+)(:(?P<qualifier>\$LATEST(\.PUBLISHED)?|[a-zA-Z0-9-_]+))?"
)
_QUALIFIER = re.compile(r"\$(LATEST(\.PUBLISHED)?)|[a-zA-Z0-9-_$]+")


@dataclass(frozen=True, slots=True)
class Function:
    """A deployed function. A durable one has an execution timeout in seconds, a plain one has none.

    A `*` in the name stands for anything: it is one deployment under many names.
    """

    name: str
    execution_timeout: int | None

    @property
    def durable(self) -> bool:
        return self.execution_timeout is not None


@dataclass(frozen=True, slots=True)
class Target:
    """What a reference names: a function, and the version when the reference was qualified."""

    function: Function
    version: str | None

    @property
    def identifier(self) -> str:
        """What the handler host is asked for: `name`, or `name:version`."""
        return self.function.name if self.version is None else f"{self.function.name}:{self.version}"


class Functions:
    """The functions of one region. A name goes before a pattern, and an earlier pattern before a later one."""

    def __init__(self, region: str, functions: list[Function]) -> None:
        self.region = region
        self._by_name = {function.name: function for function in functions if "*" not in function.name}
        self._patterns = [function for function in functions if "*" in function.name]

    def arn(self, name: str, qualifier: str | None = None) -> str:
        suffix = f":{qualifier}" if qualifier else ""
        return f"arn:aws:lambda:{self.region}:{ACCOUNT_ID}:function:{name}{suffix}"

    def resolve(self, reference: str, qualifier: str | None) -> Target:
        """Find what `reference` (a name, partial ARN or ARN, qualified or not) and the `Qualifier` parameter name.

        Raises `ApiError`: 400 for a malformed or contradictory reference, 404 for what does not exist.
        """
        match = _REFERENCE.fullmatch(reference)
        if match is None or len(reference) > 256:
            raise invalid_parameter(
                f"1 validation error detected: Value '{reference}' at 'functionName' failed to satisfy constraint: "
                "Member must satisfy regular expression pattern for a function name or ARN"
            )
        if qualifier is not None and (_QUALIFIER.fullmatch(qualifier) is None or len(qualifier) > 128):
            raise invalid_parameter(
                f"1 validation error detected: Value '{qualifier}' at 'qualifier' failed to satisfy constraint: "
                "Member must satisfy regular expression pattern for a version or alias"
            )
        name, own_qualifier = match["name"], match["qualifier"]
        if qualifier and own_qualifier and qualifier != own_qualifier:
            raise invalid_parameter(
                "The derived qualifier from the function name does not match the specified qualifier."
            )
        wanted = own_qualifier or qualifier
        function = self._find(name)
        version = version_of(wanted)
        elsewhere = match["region"] not in (None, f"{self.region}:") or match["account"] not in (None, f"{ACCOUNT_ID}:")
        foreign = elsewhere or (reference.startswith("arn:") and not reference.startswith(self.arn(name)))
        if function is None or foreign or (version is not None and version not in VERSIONS):
            raise not_found(f"Function not found: {reference if foreign else self.arn(name, wanted)}")
        return Target(function, version)

    def deployment(self, name: str) -> str | None:
        """The name or pattern that serves the function `name`; None when it is not served."""
        if name in self._by_name:
            return name
        return next((function.name for function in self._patterns if fnmatchcase(name, function.name)), None)

    def _find(self, name: str) -> Function | None:
        if name in self._by_name:
            return self._by_name[name]
        pattern = next((function for function in self._patterns if fnmatchcase(name, function.name)), None)
        return None if pattern is None else replace(pattern, name=name)
