"""moto's server in a child process, and a proxy in front of it that records each call, injects faults, and adds durable
executions, which moto has not: DurableConfig is kept and given back, executions are listed and stopped."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qs, unquote, urlsplit

from botocore.session import Session

from support.waiting import until

MOTO = Path(__file__).parents[2] / ".tools" / "moto" / "bin" / "moto_server"
ACCOUNT = "123456789012"
REGION = "us-east-2"
SECRET = "wJalrXUtnFEMI-K7MDENG-bPxRfiCY"
PAGE = 2

Answer = tuple[int, dict[str, str], bytes]


@dataclass(frozen=True, slots=True)
class Call:
    """A call as it came in; `invocation` is the same for all tries of one call."""

    service: str
    operation: str
    path: str
    body: bytes
    invocation: str

    @property
    def is_read(self) -> bool:
        """Whether it changes nothing."""
        return self.operation.startswith(("Get", "List", "Describe"))

    def json(self) -> dict[str, Any]:
        """The body of a JSON protocol."""
        parsed: dict[str, Any] = json.loads(self.body or b"{}")
        return parsed


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer instead of moto's."""

    status: int
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Reply:
    """A good answer instead of moto's, which is not asked: JSON, or what is inside the result of a query protocol."""

    result: str = ""


#: `dropped`: the connection is closed and nothing done; `lost`: it is done, but the answer does not arrive.
Fault = Refusal | Reply | Literal["dropped", "lost"]


def denied(call: Call) -> Refusal:
    """What IAM says when the permission for `call` is missing."""
    user = f"arn:aws:iam::{ACCOUNT}:user/moto"
    message = f"User: {user} is not authorized to perform: {call.service}:{call.operation} on resource: *"
    return Refusal(403, "AccessDenied" if call.service in ("iam", "s3", "sts") else "AccessDeniedException", message)


def empty(call: Call) -> Reply:
    """A good answer to `call` with nothing in it."""
    return Reply("" if call.service in _QUERY else "{}")


def no_trouble(_number: int, _call: Call) -> None:
    """No fault at any call."""


@dataclass
class Front:
    """The proxy. `trouble` is asked about each call, with its number from 1, and gives the fault to inject."""

    moto_port: int
    url: str = ""
    calls: list[Call] = field(default_factory=list)
    trouble: Callable[[int, Call], Fault | None] = no_trouble
    durable: dict[str, dict[str, Any]] = field(default_factory=dict)
    executions: list[dict[str, Any]] = field(default_factory=list)
    clients: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def environ(self) -> dict[str, str]:
        """The environment in which botocore talks to the proxy, with credentials."""
        return self.no_credentials | {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": SECRET}

    @property
    def no_credentials(self) -> dict[str, str]:
        """The same without credentials."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_CONFIG_FILE": "/nonexistent/config",
            "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent/credentials",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    @property
    def operations(self) -> list[str]:
        """The calls so far, by operation."""
        return [call.operation for call in self.calls]

    @property
    def writes(self) -> list[str]:
        """Those that may change something."""
        return [call.operation for call in self.calls if not call.is_read]

    def forget(self) -> None:
        """No calls so far, no trouble: what was made stays."""
        self.calls.clear()
        self.trouble = no_trouble

    def sweep(self) -> None:
        """Nothing is deployed. moto's own reset takes seconds: it makes all its backends anew."""
        self.forget()
        self.durable.clear()
        self.executions.clear()
        for stack in self._there("cloudformation"):
            self.client("cloudformation").delete_stack(StackName=stack)
        for name in self._there("lambda"):
            self.client("lambda").delete_function(FunctionName=name)
        for name in self._there("dynamodb"):
            self.client("dynamodb").delete_table(TableName=name)
        for name in self._there("logs"):
            self.client("logs").delete_log_group(logGroupName=name)
        iam, s3 = self.client("iam"), self.client("s3")
        for name in self._there("iam"):
            for policy in iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]:
                iam.detach_role_policy(RoleName=name, PolicyArn=policy["PolicyArn"])
            for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
                iam.delete_role_policy(RoleName=name, PolicyName=policy)
            iam.delete_role(RoleName=name)
        for name in self._there("s3"):
            for version in self.objects(name):
                s3.delete_object(Bucket=name, Key=version["Key"], VersionId=version["VersionId"])
            s3.delete_bucket(Bucket=name)

    def fail_call(self, wanted: int) -> None:
        """Deny the call with this number, whatever it is."""
        self.trouble = lambda number, call: denied(call) if number == wanted else None

    def lose_first_answers(self, *verbs: str) -> set[str]:
        """Lose the first answer of each operation that begins with one of `verbs`; gives these as they are met."""
        lost: set[str] = set()

        def trouble(_: int, call: Call) -> Fault | None:
            if not call.operation.startswith(verbs) or call.operation in lost:
                return None
            lost.add(call.operation)
            return "lost"

        self.trouble = trouble
        return lost

    def fail(self, operation: str, *faults: Fault) -> None:
        """Give the first calls of `operation` these faults, one each."""
        waiting = list(faults)
        self.trouble = lambda _, call: waiting.pop(0) if call.operation == operation and waiting else None

    def client(self, service: str) -> Any:
        """A client of moto itself, not seen by the proxy."""
        if service not in self.clients:
            self.clients[service] = Session().create_client(
                service,
                region_name=REGION,
                endpoint_url=f"http://127.0.0.1:{self.moto_port}",
                aws_access_key_id="testing",
                aws_secret_access_key=SECRET,
            )
        return self.clients[service]

    def resources(self) -> list[str]:
        """The names of all that there is, in all services that a deploy uses."""
        return [name for service in _LISTS for name in self._there(service)]

    def objects(self, bucket: str) -> list[dict[str, str]]:
        """All versions of all objects, deletions among them."""
        answer = self.client("s3").list_object_versions(Bucket=bucket)
        return [*answer.get("Versions", []), *answer.get("DeleteMarkers", [])]

    def _there(self, service: str) -> list[str]:
        operation, key, name = _LISTS[service]
        listed = getattr(self.client(service), operation)()[key]
        return [each[name] if name else each for each in listed]

    def start_executions(self, function: str, *statuses: str) -> None:
        """Executions of `function` in these statuses."""
        arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{function}"
        for number, status in enumerate(statuses):
            self.executions.append(
                {
                    "DurableExecutionArn": f"{arn}:1/durable-execution/r{number}/0",
                    "DurableExecutionName": f"r{number}",
                    "FunctionArn": f"{arn}:1",
                    "Status": status,
                    "StartTimestamp": 1_780_000_000 + number,
                }
            )

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer | None:
        """moto's answer, ours where moto has none, or a fault; None closes the connection."""
        call = _identify(method, path, headers, body)
        self.calls.append(call)
        match self.trouble(len(self.calls), call):
            case Refusal() as refusal:
                return _refusal(call.service, refusal)
            case Reply() as reply:
                return _reply(call, reply)
            case "dropped":
                return None
            case "lost":
                self._forward(call, method, headers)
                return None
        return self._forward(call, method, headers)

    def _forward(self, call: Call, method: str, headers: Mapping[str, str]) -> Answer:
        if call.operation == "ListDurableExecutionsByFunction":
            return self._list_executions(call)
        if call.operation == "StopDurableExecution":
            return self._stop_execution(call)
        answer = _ask(self.moto_port, method, call.path, headers, call.body)
        return self._with_durable(call, answer) if call.service == "lambda" and answer[0] < 300 else answer

    def _with_durable(self, call: Call, answer: Answer) -> Answer:
        """Keep DurableConfig as it is asked for, and tell it wherever a function's configuration is told."""
        name = call.json()["FunctionName"] if call.operation == "CreateFunction" else _function(call.path)
        wanted = call.json().get("DurableConfig") if call.operation in _SETTING else None
        if call.operation == "UpdateFunctionConfiguration" and wanted and name not in self.durable:
            message = "You cannot add a durable configuration to a function that was originally created with no"
            return _refusal(
                "lambda", Refusal(400, "InvalidParameterValueException", f"{message} durable configuration")
            )
        if wanted:
            self.durable[name] = wanted
        if call.operation == "DeleteFunction" and "Qualifier=" not in call.path:
            self.durable.pop(name, None)
        status, headers, body = answer
        if name not in self.durable or call.operation not in (*_SETTING, *_TELLING):
            return answer
        told = json.loads(body)
        for config in told.get("Versions") or [told.get("Configuration") or told]:
            config["DurableConfig"] = self.durable[name]
        return status, headers, json.dumps(told).encode()

    def _list_executions(self, call: Call) -> Answer:
        query = parse_qs(urlsplit(call.path).query)
        name = f":function:{_function(call.path)}:"
        known = [each for each in self.executions if name in each["FunctionArn"]]
        known = [each for each in known if each["Status"] in query.get("Statuses", [each["Status"]])]
        start = int(query.get("Marker", ["0"])[0])
        told = {"DurableExecutions": known[start : start + PAGE]}
        if start + PAGE < len(known):
            told["NextMarker"] = str(start + PAGE)  # type: ignore[assignment]
        return 200, {"content-type": "application/json"}, json.dumps(told).encode()

    def _stop_execution(self, call: Call) -> Answer:
        arn = unquote(urlsplit(call.path).path.split("/")[3])
        for execution in self.executions:
            if execution["DurableExecutionArn"] == arn:
                execution["Status"] = "STOPPED"
                return 200, {"content-type": "application/json"}, b'{"StopTimestamp": 1780000009}'
        return _refusal("lambda", Refusal(404, "ResourceNotFoundException", f"No such execution: {arn}"))


_SETTING = ("CreateFunction", "UpdateFunctionConfiguration")
_TELLING = ("GetFunction", "GetFunctionConfiguration", "UpdateFunctionCode", "PublishVersion", "ListVersionsByFunction")


_QUERY = ("iam", "sts", "cloudformation")

#: How the resources of a service are listed: the operation, the key of its answer, the key of a name in that.
_LISTS = {
    "cloudformation": ("describe_stacks", "Stacks", "StackName"),
    "lambda": ("list_functions", "Functions", "FunctionName"),
    "iam": ("list_roles", "Roles", "RoleName"),
    "dynamodb": ("list_tables", "TableNames", ""),
    "logs": ("describe_log_groups", "logGroups", "logGroupName"),
    "s3": ("list_buckets", "Buckets", "Name"),
}


@contextmanager
def serving() -> Iterator[Front]:
    """moto and the proxy, on free ports of 127.0.0.1. moto's packages are in a venv of their own: `make tools`."""
    assert MOTO.is_file(), f"{MOTO} is missing: make tools"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    moto = subprocess.Popen(
        [str(MOTO), "-H", "127.0.0.1", "-p", str(port)],
        env={"MOTO_IAM_LOAD_MANAGED_POLICIES": "true"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        until(lambda: _listens(port), "moto to listen")
        with _proxy(Front(port)) as front:
            yield front
    finally:
        moto.terminate()
        moto.wait()


@contextmanager
def _proxy(front: Front) -> Iterator[Front]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            answer = front.answer(self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body)
            if answer is None:
                self.close_connection = True
                return
            status, headers, content = answer
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _answer

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True  # botocore keeps its connections, which nobody closes
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    front.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield front
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _ask(port: int, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
    moto = HTTPConnection("127.0.0.1", port)
    try:
        kept = {name: value for name, value in headers.items() if name.lower() not in ("host", "connection", "expect")}
        moto.request(method, path, body, kept)
        answer = moto.getresponse()
        hop = ("connection", "content-length", "transfer-encoding", "server", "date")
        told = {name: value for name, value in answer.getheaders() if name.lower() not in hop}
        return answer.status, told, answer.read()
    finally:
        moto.close()


def _identify(method: str, path: str, headers: Mapping[str, str], body: bytes) -> Call:
    signed = re.search(r"Credential=[^/]*/\d+/[^/]*/([^/]*)/", headers.get("authorization", ""))
    service = signed[1] if signed else ""
    if target := headers.get("x-amz-target"):
        operation = target.rpartition(".")[2]
    elif service in _QUERY:
        operation = parse_qs(body.decode())["Action"][0]
    elif service == "lambda":
        operation = _lambda_operation(method, path)
    else:
        operation = _s3_operation(method, path)
    return Call(service, operation, path, body, headers.get("amz-sdk-invocation-id", ""))


def _lambda_operation(method: str, path: str) -> str:
    """The operation in botocore's own description of the API."""
    bare = urlsplit(path).path.rstrip("/")
    return next(name for known, pattern, name in _LAMBDA if known == method and pattern.fullmatch(bare))


def _s3_operation(method: str, path: str) -> str:
    query = urlsplit(path).query.split("&")[0].partition("=")[0]
    known = {("GET", "versions"): "ListObjectVersions", ("POST", "delete"): "DeleteObjects"}
    return known.get((method, query), f"{method} {path}")


def _rest_operations(service: str) -> list[tuple[str, re.Pattern[str], str]]:
    model = Session().get_service_model(service)
    found = []
    for name in model.operation_names:
        http = model.operation_model(name).http
        bare = re.sub(r"\\{[^}]*\\}", "[^/]+", re.escape(http["requestUri"].partition("?")[0].rstrip("/")))
        found.append((http["method"], re.compile(bare), name))
    return found


_LAMBDA = _rest_operations("lambda")


def _function(path: str) -> str:
    """The function's name in a path of Lambda's API."""
    bare = unquote(urlsplit(path).path)
    return bare.split("/")[3].split(":")[-1] if "/functions/" in bare else bare.rpartition(":")[2]


def _reply(call: Call, reply: Reply) -> Answer:
    """The reply in the protocol of the call's service."""
    if call.service not in _QUERY:
        return 200, {"content-type": "application/json"}, reply.result.encode()
    name = call.operation
    xml = f"<{name}Response><{name}Result>{reply.result}</{name}Result></{name}Response>"
    return 200, {"content-type": "text/xml"}, xml.encode()


def _refusal(service: str, refusal: Refusal) -> Answer:
    """The refusal in the protocol of `service`."""
    if service in _QUERY:
        error = f"<Error><Type>Sender</Type><Code>{refusal.code}</Code><Message>{refusal.message}</Message></Error>"
        body = f"<ErrorResponse>{error}<RequestId>0</RequestId></ErrorResponse>"
        return refusal.status, {"content-type": "text/xml"}, body.encode()
    if service == "s3":
        body = f"<Error><Code>{refusal.code}</Code><Message>{refusal.message}</Message></Error>"
        return refusal.status, {"content-type": "application/xml"}, body.encode()
    body = json.dumps({"__type": refusal.code, "message": refusal.message})
    return refusal.status, {"content-type": "application/json", "x-amzn-errortype": refusal.code}, body.encode()
