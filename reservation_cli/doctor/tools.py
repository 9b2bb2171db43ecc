"""The tools: Node.js and npm, wrangler, and the two of AWS that are of use but not needed."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

from reservation_cli.deploy import preflight
from reservation_cli.deploy.preflight import Tool
from reservation_cli.doctor.check import Check, lacking
from reservation_cli.errors import ResvError
from reservation_cli.local import halves, tool
from reservation_cli.local.node import Node

_ANSWER_SECONDS = 10.0


def node_and_npm(node: Node | ResvError, environ: Mapping[str, str], needed: bool) -> list[Check]:
    """Node.js and the npm that belongs to it."""
    if isinstance(node, ResvError):
        return [lacking("tools", "Node.js", node.message, node.hint or "", needed)]
    return [Check("tools", "Node.js", "ok", f"{node.version}, {node.path}", needed=needed), _npm(node, environ, needed)]


def _npm(node: Node, environ: Mapping[str, str], needed: bool) -> Check:
    said: list[str] = []
    asked = {**node.environ(environ), "npm_config_update_notifier": "false"}
    try:
        code = tool.run([*node.npm, "--version"], asked, _ANSWER_SECONDS, said.append)
        why = f"exit code {code}"
    except OSError as error:  # it cannot be started, or TimeoutError
        why = str(error)
    version = next((line for line in said if re.fullmatch(r"\d+\.\d+\.\d+\S*", line)), None)
    if version is not None:
        return Check("tools", "npm", "ok", version, needed=needed)
    fix = "pip install 'reservation-cli[local]', or install Node.js from https://nodejs.org."
    return lacking("tools", "npm", f"{node.npm[-1]} does not say its version: {why}.", fix, needed)


def wrangler(environ: Mapping[str, str]) -> list[Check]:
    """The wrangler of cf-workflow: npm installs it before it is first used."""
    folder = wrangler_folder(environ)
    if folder is None:
        return [Check("tools", "wrangler", "optional", "Not installed yet; the first start does it.", "resv up")]
    return [Check("tools", "wrangler", "ok", f"{_wrangler_version(folder)}, {folder}")]


def wrangler_folder(environ: Mapping[str, str]) -> Path | None:
    """cf-workflow, if wrangler is installed in it."""
    try:
        folder = halves.ready("cf-workflow", environ)
    except RuntimeError:  # RESV_CACHE is in the home of a user that there is not
        return None
    return folder if folder and _wrangler_version(folder) else None


def _wrangler_version(folder: Path) -> str | None:
    try:
        described = json.loads((folder / "node_modules/wrangler/package.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    version = described.get("version") if isinstance(described, dict) else None
    return version if isinstance(version, str) else None


def sam(environ: Mapping[str, str]) -> list[Check]:
    """The SAM CLI, without which deploying goes by the API alone."""
    fix = f"pip install --upgrade 'aws-sam-cli>={preflight.SAM_MINIMUM}'"
    return [_of_aws("sam", preflight.sam(environ), "deploys go by AWS's API", fix)]


def aws_cli(environ: Mapping[str, str]) -> list[Check]:
    """The AWS CLI, which makes credentials and which nothing here runs."""
    fix = "https://aws.amazon.com/cli/"
    return [_of_aws("aws", preflight.aws_cli(environ), "nothing of resv runs it", fix)]


def _of_aws(name: str, tool: Tool | None, without: str, fix: str) -> Check:
    if tool is None:
        return Check("tools", name, "optional", f"None on PATH that works; {without}.", fix)
    found = f"{tool.version}, {tool.path}"
    if tool.good_enough:
        return Check("tools", name, "ok", found)
    return Check("tools", name, "warning", f"{found}: older than {tool.minimum}; {without}.", fix)
