"""What any test gets from `resv … --json` is held against the schema that `resv schema` prints for it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from reservation_cli import schema

METASCHEMA = "the metaschema"


def check(argv: Sequence[str], code: int, out: str, err: str) -> None:
    """Nothing without `--json`; with it, AssertionError unless stdout and a failure's last line on stderr are valid.

    A command that fails and has nothing to show says why.
    """
    if "--json" not in argv:
        return
    if out:
        name = printed_by(argv)
        is_ndjson = name == "log" or "--watch" in argv
        for document in out.splitlines() if is_ndjson else [out]:
            assert_valid(json.loads(document), name)
    last = "".join(err.splitlines()[-1:])
    if last.startswith("{"):
        assert code != 0, f"An error, and exit code 0: {last}"
        assert_valid(json.loads(last), "error")
    else:
        assert out or code == 0, f"Exit code {code}, and no error: {err!r}"


def printed_by(argv: Sequence[str]) -> str:
    """The name of the schema of what this command line prints."""
    for name, commands in schema.OUTPUTS.items():
        for command in commands:
            if command.split()[0] == argv[0] and set(command.split()) <= set(argv):
                return name
    assert argv[0] == "schema", f"`resv {argv[0]}` has no schema: write one in reservation_cli/schema."
    return METASCHEMA


def assert_valid(document: object, name: str) -> None:
    """AssertionError that names the place in the document and what the schema has against it."""
    error = best_match(_validator(name).iter_errors(document))
    assert error is None, f"{name}: {error.json_path}: {error.message}"


@cache
def _validator(name: str) -> Draft202012Validator:
    return Draft202012Validator(Draft202012Validator.META_SCHEMA if name == METASCHEMA else schema.bundled(name))
