"""A Lambda host for the engine's tests: `python aws_engine_host.py --port P --engine URL --folder DIR`.

It runs real durable handlers with AWS's Python SDK. The function `flow` is told in its input what to do, one operation
after the other, so that a test reads as a script. What a step does outside (its runs, its waiting) goes through files
in the folder, where the test can see it.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote
from uuid import uuid4

import boto3
from aws_durable_execution_sdk_python import DurableContext, StepContext, durable_execution
from aws_durable_execution_sdk_python.config import CallbackConfig, Duration, InvokeConfig, StepConfig
from aws_durable_execution_sdk_python.retries import RetryDecision
from aws_durable_execution_sdk_python.types import WaitForConditionCheckContext
from aws_durable_execution_sdk_python.waits import WaitForConditionConfig, WaitForConditionDecision
from botocore.config import Config
from botocore.model import OperationModel

from support.aws_model import ModelError, check_answer

FOLDER = Path()


def _wait_for(path: Path) -> None:
    while not path.exists():
        time.sleep(0.005)


def _fail(message: str) -> None:
    raise ValueError(message)


def _do(item: Mapping[str, Any], context: DurableContext) -> Any:
    name = item.get("name", item["do"])

    def record() -> int:
        """Count this run in the folder; gives how many there have been."""
        path = FOLDER / f"{item.get('file', name)}.runs"
        with path.open("a") as runs:
            runs.write(f"{time.time()}\n")
        return len(path.read_text().splitlines())

    def step(_: StepContext) -> Any:
        runs = record()
        if runs <= item.get("crashes", 0):
            os._exit(1)
        if runs <= item.get("failures", 0):
            raise RuntimeError(f"attempt {runs} failed")
        if "until" in item:
            _wait_for(FOLDER / item["until"])
        return {
            "name": name,
            "at": time.time(),
            **({"data": item["data"] * item.get("times", 1)} if "data" in item else {}),
        }

    def check(state: int, _: WaitForConditionCheckContext) -> int:
        record()
        return state + 1

    def decide(state: int, _: int) -> WaitForConditionDecision:
        if state >= item["target"]:
            return WaitForConditionDecision.stop_polling()
        return WaitForConditionDecision.continue_waiting(Duration(1))

    match item["do"]:
        case "step":
            retry = Duration(item.get("delay", 1))
            config = StepConfig(retry_strategy=lambda _, attempt: RetryDecision(attempt < 6, retry))
            return context.step(step, name=name, config=config)
        case "wait":
            context.wait(Duration(item["seconds"]), name=name)
            return None
        case "callback":
            timeouts = CallbackConfig(
                timeout=Duration(item.get("timeout", 0)), heartbeat_timeout=Duration(item.get("heartbeat", 0))
            )
            return context.create_callback(name=name, config=timeouts).result()
        case "poll":
            return context.wait_for_condition(check, WaitForConditionConfig(decide, 0), name=name)
        case "child" if "error" in item:
            return context.run_in_child_context(lambda _: _fail(item["error"]), name=name)
        case "child":
            return context.run_in_child_context(lambda child: child.step(step, name="inner"), name=name)
        case "invoke":
            tenant: InvokeConfig[Any, Any] = InvokeConfig(tenant_id=item.get("tenant"))
            return context.invoke(item["function"], item.get("input"), name=item.get("name"), config=tenant)
        case "function":
            return getattr(context.lambda_context, "function_name", None)
        case "fail":
            _fail(item.get("message", "the plan says so"))
    raise ValueError(f"unknown operation {item['do']}")


def flow(event: Mapping[str, Any], context: DurableContext) -> list[Any]:
    results = [(item, _do(item, context)) for item in event.get("plan", [])]
    return [None if "times" in item else result for item, result in results]


def echo(event: Any, context: SimpleNamespace) -> Any:
    if event == {"fail": True}:
        raise ValueError("the plain function failed")
    return {
        "event": event,
        "function": context.function_name,
        "version": context.function_version,
        "tenant": context.tenant_id,
    }


def _context(identifier: str, tenant: str | None) -> SimpleNamespace:
    name, _, version = identifier.partition(":")
    return SimpleNamespace(
        aws_request_id=str(uuid4()),
        function_name=name,
        function_version=version or "$LATEST",
        memory_limit_in_mb="128",
        invoked_function_arn=f"arn:aws:lambda:us-east-2:000000000000:function:{identifier}",
        log_group_name=f"/aws/lambda/{name}",
        log_stream_name="local",
        tenant_id=tenant,
        client_context=None,
        identity=None,
        get_remaining_time_in_millis=lambda: 900_000,
        log=lambda _: None,
    )


def _record_answer(operation_model: OperationModel, response_dict: Mapping[str, Any], **_: object) -> None:
    try:
        check_answer(operation_model, response_dict)
        line = " ".join(filter(None, (operation_model.name, response_dict["headers"].get("x-amzn-errortype"))))
    except ModelError as error:
        line = str(error)
    with (FOLDER / "answers").open("a") as answers:
        answers.write(f"{line}\n")


def serve(port: int, engine: str) -> None:
    client = boto3.client(
        "lambda",
        endpoint_url=engine,
        region_name="us-east-2",
        aws_access_key_id="local",
        aws_secret_access_key="local",
        config=Config(max_pool_connections=64, retries={"max_attempts": 1}),
    )
    client.meta.events.register("before-parse.lambda.*", _record_answer)
    durable = durable_execution(flow, boto3_client=client)
    handlers: dict[str, Callable[[Any, Any], Any]] = {
        "flow": durable,
        "sync-flow": durable,
        "brief": durable,
        "echo": echo,
    }

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            identifier = unquote(self.path.split("/")[3])
            body = self.rfile.read(int(self.headers["Content-Length"]))
            name = identifier.partition(":")[0]
            handler = durable if name.startswith("many-") else handlers.get(name)
            context = _context(identifier, self.headers.get("X-Amz-Tenant-Id"))
            headers = {"x-amzn-requestid": context.aws_request_id}
            status, answer = 200, b""
            if handler is None:
                status, answer = 404, b'{"Message": "Function not found"}'
            else:
                try:
                    answer = json.dumps(handler(json.loads(body), context)).encode()
                except Exception as error:  # noqa: BLE001 - this is what a Lambda runtime does
                    headers["x-amz-function-error"] = "Unhandled"
                    answer = json.dumps({"errorType": type(error).__name__, "errorMessage": str(error)}).encode()
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(answer))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 1024

    Thread(target=Server(("127.0.0.1", port), Handler).serve_forever, daemon=True).start()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--engine", required=True)
    parser.add_argument("--folder", type=Path, required=True)
    arguments = parser.parse_args()
    FOLDER = arguments.folder
    serve(arguments.port, arguments.engine)
    # The host ends with the test that started it, which holds the other end.
    sys.stdin.read()
