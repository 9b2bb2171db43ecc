"""AWS's conformance cases against a local endpoint: `.tools/conformance/bin/python run_cases.py --help`.

Runs in an environment of its own, where AWS's package is. The package deploys with SAM and reads CloudFormation and
CloudWatch; here the functions are served already, and stand-ins answer for both. What is invoked, asked and compared is
the package's own code.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import MappingProxyType
from typing import Any

import boto3
import yaml
from aws_durable_execution_conformance_tests.clients import AwsClients  # type: ignore[import-not-found]
from aws_durable_execution_conformance_tests.config import TESTS_DIR  # type: ignore[import-not-found]
from aws_durable_execution_conformance_tests.sam import Invoker  # type: ignore[import-not-found]
from aws_durable_execution_conformance_tests.validate import (  # type: ignore[import-not-found]
    discover_test_files,
    validate_description,
)
from botocore.config import Config

PREFIX = "conf-"
STACK = "conformance"
#: It asks for an OpenTelemetry plugin of the SDK, not for the endpoint.
LEFT_OUT = ("plugin",)


class Functions:
    """CloudFormation, of a stack whose logical and physical names are the same."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names

    def get_paginator(self, operation: str) -> Functions:
        if operation != "list_stack_resources":
            raise NotImplementedError(operation)
        return self

    def paginate(self, **_: str) -> Iterator[dict[str, Any]]:
        rows = [
            {"ResourceType": "AWS::Lambda::Function", "LogicalResourceId": name, "PhysicalResourceId": name}
            for name in self._names
        ]
        yield {"StackResourceSummaries": rows}

    def describe_stack_resource(self, **asked: str) -> dict[str, Any]:
        return {"StackResourceDetail": {"PhysicalResourceId": asked["LogicalResourceId"]}}


class Logs:
    """CloudWatch Logs, read from the host's log."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def filter_log_events(self, **asked: Any) -> dict[str, Any]:
        arn = re.search(r'executionArn = "([^"]*)"', asked["filterPattern"])
        if arn is None:
            raise NotImplementedError(asked["filterPattern"])
        lines = self._file.read_text(errors="replace").splitlines()
        return {"events": [{"message": line} for line in lines if f'"executionArn":"{arn[1]}"' in line]}


def main(argv: list[str]) -> int:
    """One line of JSON a case on stdout: id, suite, description, passed, errors. The exit status is 0."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--endpoint", required=True, help="where Lambda's API is answered")
    parser.add_argument("--region", required=True)
    parser.add_argument("--host-log", type=Path, required=True, help="what the functions print")
    parser.add_argument("--histories", type=Path, required=True, help="folder for the execution histories")
    parser.add_argument("--only", nargs="*", help="ids of cases; all unless given")
    parser.add_argument("--workers", type=int, default=4)
    arguments = parser.parse_args(argv)

    files = {
        case: Path(file)
        for case, file in discover_test_files(TESTS_DIR).items()
        if Path(file).parent.name not in LEFT_OUT and (not arguments.only or case in arguments.only)
    }
    cases = sorted(files, key=lambda case: [int(part) for part in case.split("-")])
    client = boto3.client(
        "lambda",
        endpoint_url=arguments.endpoint,
        region_name=arguments.region,
        aws_access_key_id="local",
        aws_secret_access_key="local",
        config=Config(retries={"max_attempts": 0}, read_timeout=120, max_pool_connections=32),
    )
    functions = Functions([f"{PREFIX}{case}" for case in cases])
    clients = AwsClients(
        MappingProxyType({"lambda": client, "cloudformation": functions, "logs": Logs(arguments.host_log)})
    )
    invoker = Invoker(STACK, region=arguments.region, lambda_client=client, cfn_client=functions)

    def validate(case: str) -> dict[str, Any]:
        result = validate_description(
            f"{PREFIX}{case}",
            case,
            str(files[case]),
            invoker,
            events,
            arguments.region,
            clients,
            output_dir=str(arguments.histories),
        )
        description = yaml.safe_load(files[case].read_text())["description"]
        suite = files[case].parent.name
        return {
            "id": case,
            "suite": suite,
            "description": description,
            "passed": result.passed,
            "errors": list(result.errors),
        }

    stdout = sys.stdout
    # The package tells its progress on standard output.
    with (
        contextlib.redirect_stdout(sys.stderr),
        tempfile.TemporaryDirectory() as events,
        ThreadPoolExecutor(arguments.workers) as pool,
    ):
        for report in pool.map(validate, cases):
            stdout.write(json.dumps(report) + "\n")
            stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
