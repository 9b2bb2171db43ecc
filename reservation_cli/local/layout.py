"""What the local stack consists of: wrangler dev, the Node host with the Lambda bundles, and AWS's engine."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from reservation_cli.errors import NotConfiguredError
from reservation_cli.local import functions, halves, ports
from reservation_cli.local.functions import OwnFunctions
from reservation_cli.local.node import Node, find_node
from reservation_cli.local.plan import KEY, LOGS, Child, Plan
from reservation_cli.settings import Settings

REGION = "us-east-2"
ACCOUNT = "000000000000"
WORKFLOW = "reservation-workflow-dev"
FUNCTION = "reservation-workflow-dev"
QUALIFIER = "live"
SEATS_FUNCTION = "reservation-seats-dev"
#: What the stack serves itself.
RESERVED = (FUNCTION, SEATS_FUNCTION)

_ENGINE = "aws-durable-execution-sdk-python-testing"

#: What a developer has set for the clouds must not reach the local engines.
_CLOUD_VARIABLES = ("AWS_", "CLOUDFLARE_", "CF_", "WRANGLER_")
#: It opens a debugger, or loads code, in each of them: --inspect, --require. They talk to nobody but this machine, so
#: that none of its options for the network is needed either; certificates are in NODE_EXTRA_CA_CERTS, which stays.
_OF_ALL_NODES = "NODE_OPTIONS"


def child_environ(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment of all children: `environ` without what is meant for the clouds or for every Node.js, and with
    no proxy between.
    """
    meant_for_others = (*_CLOUD_VARIABLES, _OF_ALL_NODES)
    kept = {name: value for name, value in environ.items() if not name.startswith(meant_for_others)}
    direct = ",".join(filter(None, [environ.get("NO_PROXY") or environ.get("no_proxy"), "127.0.0.1,localhost"]))
    # Compiled scripts: with them wrangler's start is a tenth of a second shorter.
    kept["NODE_COMPILE_CACHE"] = str(halves.cache_folder(environ) / "node")
    kept |= {"NO_PROXY": direct, "no_proxy": direct, "NO_COLOR": "1"}
    if (halves.PACKAGE.parent / "pyproject.toml").is_file():
        # A checkout, installed or not: the supervisor and the engine are modules of it.
        paths = [str(halves.PACKAGE.parent), environ.get("PYTHONPATH", "")]
        kept["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    return kept


def plan(settings: Settings, progress: Callable[[str], None]) -> Plan:
    """The plan for the stack of `settings.home`, its packages installed and its ports chosen.

    Raises NotConfiguredError when a part is missing.
    """
    if importlib.util.find_spec(_ENGINE.replace("-", "_")) is None:
        raise NotConfiguredError(
            "The local stack needs AWS's durable-execution engine, which is not installed.",
            hint="pip install 'reservation-cli[local]'",
        )
    node = find_node(settings.environ)
    cloudflare, aws = (
        halves.prepare(half, node, settings.environ, settings.home / LOGS / f"npm-{half}.log", progress)
        for half in ("cf-workflow", "aws-durable")
    )
    own = functions.remembered(settings.home, progress)
    taken: set[int] = set()
    cloudflare_port = _port("Cloudflare", settings.cloudflare_port, taken, progress)
    aws_port = _port("AWS", settings.aws_port, taken, progress)
    host_port, dynamodb_port = ports.choose(0, taken), ports.choose(0, taken)
    return Plan(
        home=str(settings.home),
        # In the order of their start: wrangler takes longest.
        children=(
            _wrangler(node, cloudflare, settings.home, cloudflare_port),
            _host(node, aws, settings.home, host_port, dynamodb_port, aws_port, own),
            _engine(settings.home, aws_port, host_port, own),
        ),
        idle_seconds=settings.idle_minutes * 60,
        facts={
            "cloudflare_url": f"http://127.0.0.1:{cloudflare_port}",
            "workflow": WORKFLOW,
            "aws_endpoint_url": f"http://127.0.0.1:{aws_port}",
            "dynamodb_url": f"http://127.0.0.1:{dynamodb_port}",
            "region": REGION,
            "account": ACCOUNT,
            "function": FUNCTION,
            "qualifier": QUALIFIER,
            "seats_function": SEATS_FUNCTION,
            "functions": own,
            "engines": _engines(node, cloudflare),
        },
    )


def _port(platform: str, wanted: int, taken: set[int], progress: Callable[[str], None]) -> int:
    port = ports.choose(wanted, taken)
    if port != wanted:
        progress(f"Port {wanted} is taken; {platform} gets {port}.")
    return port


def _engines(node: Node, cloudflare: Path) -> dict[str, str]:
    from importlib.metadata import version  # deferred: 20 ms that `running` does not need

    wrangler = json.loads((cloudflare / "node_modules" / "wrangler" / "package.json").read_text())["version"]
    return {"cloudflare": f"wrangler {wrangler}", "aws": f"{_ENGINE} {version(_ENGINE)}", "node": node.version}


def _wrangler(node: Node, folder: Path, home: Path, port: int) -> Child:
    state = home / "cloudflare"
    return Child(
        name="cloudflare",
        # `wrangler dev` itself cannot go without workerd's inspector, which lets any web page run code in the Worker.
        argv=(
            *(str(node.path), "--no-warnings", str(folder / "local" / "wrangler-dev.mjs")),
            *("--port", str(port), "--persist-to", str(state)),
        ),
        cwd=str(folder),
        port=port,
        path="/cdn-cgi/local/explorer/api/workflows",
        env={
            "CI": "1",
            "DO_NOT_TRACK": "1",
            "WRANGLER_SEND_METRICS": "false",
            "WRANGLER_SEND_ERROR_REPORTS": "false",
            "WRANGLER_HIDE_BANNER": "true",
            "WRANGLER_WRITE_LOGS": "false",
            "CLOUDFLARE_CF_FETCH_ENABLED": "false",
            "CLOUDFLARE_LOAD_DEV_VARS_FROM_DOT_ENV": "false",
            # Traces for wrangler's own explorer: they slow a thousand runs by half, and nothing here reads them.
            "X_LOCAL_OBSERVABILITY": "false",
        },
        crash_line="The Workers runtime crashed unexpectedly",
        workflow=WORKFLOW,
        sources=(str(folder / "src"), str(folder / "wrangler.jsonc")),
    )


def function_environ(aws_port: int) -> dict[str, str]:
    """What a function finds in its environment, beside that of all children."""
    return {
        "AWS_ENDPOINT_URL_LAMBDA": f"http://127.0.0.1:{aws_port}",
        "AWS_REGION": REGION,
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": KEY,
    }


def _host(
    node: Node, folder: Path, home: Path, port: int, dynamodb_port: int, aws_port: int, own: OwnFunctions
) -> Child:
    bundles = {FUNCTION: "handler.mjs", SEATS_FUNCTION: "seats-api.mjs"}
    served = [f"--function={name}={folder / halves.BUNDLE / file}" for name, file in bundles.items()]
    sandboxed = [f"--sandboxed-function={name}={function['bundle']}" for name, function in own.items()]
    return Child(
        name="host",
        argv=(
            *(str(node.path), str(folder / "dist" / "host.mjs")),
            *("--port", str(port), "--dynamodb-port", str(dynamodb_port), "--data", str(home / "aws" / "host")),
            *served,
            *sandboxed,
            "--exit-with-parent",
        ),
        cwd=str(folder),
        port=port,
        path="/health",
        env=function_environ(aws_port),
    )


def _engine(home: Path, port: int, host_port: int, own: OwnFunctions) -> Child:
    durable = [f"--function={FUNCTION}"]
    durable += [f"--function={name}={function['execution_timeout']}" for name, function in own.items()]
    return Child(
        name="aws",
        argv=(
            *(sys.executable, "-P", "-m", "reservation_cli.local.aws_engine"),
            *("--port", str(port), "--host-url", f"http://127.0.0.1:{host_port}"),
            *("--data", str(home / "aws" / "engine"), "--region", REGION, "--exit-with-parent"),
            *durable,
            f"--plain-function={SEATS_FUNCTION}",
        ),
        cwd=str(home),
        port=port,
        path="/health",
        # All at once they would slow wrangler down, which takes longest: a fifth of a second on two cores.
        after="host",
        reports_use=True,
    )
