"""`resv up --function`: what is refused, what is kept, and what the local stack then serves."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from mypy_boto3_lambda import LambdaClient

from reservation_cli.local import functions, stack
from reservation_cli.local.layout import RESERVED
from support.aws_engine_kit import free_port
from support.waiting import until

HANDLER = """
export const handler = async (event, context) => {
  if (event.do === "exit") process.exit(3);
  return { Status: "SUCCEEDED", Result: JSON.stringify({ name: context.functionName, text: "TEXT" }) };
};
"""

Resv = Callable[..., tuple[int, str, str]]


def write(path: Path, text: str) -> Path:
    path.write_text(HANDLER.replace("TEXT", text))
    return path


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return write(tmp_path / "own.mjs", "first")


# What is refused


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("hello", "--function takes NAME=BUNDLE, not 'hello'."),
        ("", "--function takes NAME=BUNDLE, not ''."),
        ("=BUNDLE", "--function takes NAME=BUNDLE"),
        ("hello=", "--function takes NAME=BUNDLE, not 'hello='."),
        ("he llo=BUNDLE", "'he llo' is no name for a function."),
        ("x" * 65 + "=BUNDLE", "is no name for a function."),
        ("hello=/nowhere/own.mjs", "'/nowhere/own.mjs' does not exist."),
        ("hello=" + "x" * 5000, "does not exist."),
        ("hello=\0", "does not exist."),
        ("hello=/", "'/' is no file."),
        ("reservation-workflow-dev=BUNDLE", "that is a function of the reservation."),
        ("reservation-*=BUNDLE", "it would stand for reservation-workflow-dev, a function of the reservation."),
        ("*=BUNDLE", "it would stand for reservation-workflow-dev"),
    ],
)
def test_a_wrong_function_is_a_usage_error(run_resv: Resv, bundle: Path, value: str, message: str) -> None:
    code, out, err = run_resv("up", "--function", value.replace("BUNDLE", str(bundle)))
    assert (code, out) == (2, "")
    assert message in err.splitlines()[0]


def test_a_name_given_twice_is_a_usage_error(run_resv: Resv, bundle: Path) -> None:
    code, _, err = run_resv("up", "--function", f"a={bundle}", "--function", f"a={bundle}")
    assert code == 2
    assert "--function names a twice." in err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("export const other = 1;", "it exports no function named handler"),
        ("export const handler = 1;", "it exports no function named handler"),
        ("export const handler = (;", "SyntaxError"),
        ('import "no-such-package";', "Cannot find package 'no-such-package'"),
        ('throw new TypeError("at its\\nstart");', "TypeError: at its start"),
        ("process.exit(7);", "Node.js ended with 7"),
    ],
)
def test_a_bundle_without_a_handler_is_a_usage_error(run_resv: Resv, tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "broken.mjs"
    file.write_text(text)
    code, out, err = run_resv("up", "--function", f"hello={file}", "--json")
    assert (code, out) == (2, "")
    error = json.loads(err)["error"]
    assert error["message"].startswith(f"{file} cannot be served: ")
    assert message in error["message"]


@pytest.mark.parametrize(
    "options",
    [
        ["--no-functions", "--function", "a=BUNDLE"],
        ["--execution-timeout", "1h"],
        ["--execution-timeout", "soon", "--function", "a=BUNDLE"],
        ["--execution-timeout", "0s", "--function", "a=BUNDLE"],
        ["--execution-timeout", "1.5s", "--function", "a=BUNDLE"],
        ["--execution-timeout", "367d", "--function", "a=BUNDLE"],
        ["--execution-timeout", "9" * 400, "--function", "a=BUNDLE"],
    ],
)
def test_wrong_options_are_usage_errors(run_resv: Resv, bundle: Path, options: list[str]) -> None:
    code, out, _ = run_resv("up", *[option.replace("BUNDLE", str(bundle)) for option in options])
    assert (code, out) == (2, "")


# What is kept


def test_functions_are_kept_by_name_and_absolute_path(
    tmp_path: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    parsed = functions.parse(["conf-*=own.mjs", "a=./own.mjs"], 60, RESERVED)
    assert parsed == {
        "conf-*": {"bundle": str(bundle), "execution_timeout": 60},
        "a": {"bundle": str(bundle), "execution_timeout": 60},
    }
    home = tmp_path / "home"
    functions.remember(home, parsed)
    assert functions.remembered(home, print) == parsed


def test_a_function_whose_bundle_is_gone_is_told_and_kept(tmp_path: Path, bundle: Path) -> None:
    kept = write(tmp_path / "kept.mjs", "kept")
    parsed = functions.parse([f"a={bundle}", f"b={kept}"], 60, RESERVED)
    functions.remember(tmp_path, parsed)
    bundle.unlink()
    told: list[str] = []
    assert functions.remembered(tmp_path, told.append) == parsed
    assert told == [f"The bundle {bundle} is gone; executions of a wait until it is there again."]


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '{"a": {}}', '{"a": {"bundle": "x", "execution_timeout": "y"}}'])
def test_a_broken_file_of_functions_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / functions.FILE).write_text(text)
    told: list[str] = []
    assert functions.remembered(tmp_path, told.append) == {}
    assert len(told) == 1


# What is served


@pytest.fixture(scope="module")
def own_environ(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of a stack of its own."""
    home = tmp_path_factory.mktemp("functions-home")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "CLOUDFLARE_", "RESV_"))}
    yield {
        **kept,
        "RESV_HOME": str(home),
        "RESV_CLOUDFLARE_PORT": str(free_port()),
        "RESV_AWS_PORT": str(free_port()),
    }
    stack.stop(home, print)


def resv_up(environ: dict[str, str], *options: str) -> tuple[dict[str, Any], str]:
    done = subprocess.run(
        [sys.executable, "-m", "reservation_cli", "up", "--json", *options],
        env=environ,
        capture_output=True,
        text=True,
        check=True,
    )
    aws: dict[str, Any] = json.loads(done.stdout)["aws"]
    return aws, done.stderr


def client_of(aws: dict[str, Any]) -> LambdaClient:
    return boto3.client(
        "lambda",
        endpoint_url=aws["endpoint_url"],
        region_name=aws["region"],
        aws_access_key_id="local",
        aws_secret_access_key="local",
    )


def ended(client: LambdaClient, arn: str) -> dict[str, Any] | None:
    execution = client.get_durable_execution(DurableExecutionArn=arn)
    return None if execution["Status"] == "RUNNING" else dict(execution)


def call(aws: dict[str, Any], function: str, event: object = None) -> dict[str, Any]:
    payload = json.dumps(event or {}, ensure_ascii=False)
    answer = client_of(aws).invoke(FunctionName=function, Qualifier=aws["qualifier"], Payload=payload)
    return {**answer, "Payload": json.loads(answer["Payload"].read())}


@pytest.mark.stack
def test_the_stack_serves_them_until_others_are_named(own_environ: dict[str, str], bundle: Path) -> None:
    aws, _ = resv_up(own_environ, "--function", f"own-*={bundle}")
    assert aws["functions"] == [{"name": "own-*", "bundle": str(bundle), "execution_timeout": 900}]
    assert call(aws, "own-1")["Payload"] == {"name": "own-1", "text": "first"}
    # A bundle that is built anew is taken up with the next invocation.
    stamp = bundle.stat().st_mtime_ns
    until(lambda: write(bundle, "second").stat().st_mtime_ns != stamp, "the file system's clock")
    assert call(aws, "own-2")["Payload"] == {"name": "own-2", "text": "second"}

    same, told = resv_up(own_environ)
    assert (same, told) == (aws, "")

    other, told = resv_up(own_environ, "--function", f"other={bundle}", "--execution-timeout", "1h")
    assert "The local stack runs with other functions; starting it anew." in told
    assert other["functions"] == [{"name": "other", "bundle": str(bundle), "execution_timeout": 3600}]

    none, _ = resv_up(own_environ, "--no-functions")
    assert none["functions"] == []


SIZE = """
export const handler = async (event) => {
  const [{ ExecutionDetails }] = event.InitialExecutionState.Operations;
  return { Status: "SUCCEEDED", Result: JSON.stringify(ExecutionDetails.InputPayload.length) };
};
"""


@pytest.mark.stack
def test_a_function_gets_all_of_an_input_that_lambda_allows(own_environ: dict[str, str], tmp_path: Path) -> None:
    bundle = tmp_path / "size.mjs"
    bundle.write_text(SIZE)
    aws, _ = resv_up(own_environ, "--function", f"size={bundle}")
    # 5.7 MiB as UTF-8, and twice as much in the ASCII in which the engine passes it on.
    assert call(aws, "size", "\u5ea7" * 2_000_000)["Payload"] == 2_000_002


@pytest.mark.stack
def test_a_bundle_that_is_missing_at_the_start_is_waited_for(own_environ: dict[str, str], tmp_path: Path) -> None:
    bundle = write(tmp_path / "rebuilt.mjs", "rebuilt")
    resv_up(own_environ, "--function", f"rebuilt={bundle}")
    stack.stop(Path(own_environ["RESV_HOME"]), print)
    bundle.unlink()
    aws, told = resv_up(own_environ)
    assert f"The bundle {bundle} is gone; executions of rebuilt wait until it is there again." in told
    client = client_of(aws)
    arn = client.invoke(FunctionName="rebuilt:live", InvocationType="Event")["DurableExecutionArn"]
    log = Path(own_environ["RESV_HOME"]) / "logs" / "aws.log"
    until(lambda: "the function rebuilt is not there" in log.read_text(), "a try without the bundle")
    assert client.get_durable_execution(DurableExecutionArn=arn)["Status"] == "RUNNING"
    write(bundle, "rebuilt")
    execution = until(lambda: ended(client, arn), "the end of the execution")
    assert json.loads(execution["Result"])["text"] == "rebuilt"
