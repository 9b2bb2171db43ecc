"""The command line: registration of the commands, and the one place that catches errors."""

from __future__ import annotations

import errno
import re
import sys
import traceback
from collections.abc import Mapping, Sequence
from typing import Annotated

import typer

from reservation_cli import __version__
from reservation_cli.commands import (
    bench,
    cancel,
    chaos,
    compare,
    confirm,
    cost,
    deploy,
    differences,
    doctor,
    down,
    env,
    list_,
    logs,
    report,
    reserve,
    runs,
    schema,
    status,
    teardown,
    up,
)
from reservation_cli.domain.reservation import InvalidInputError
from reservation_cli.errors import Interrupted, ResvError, UsageError
from reservation_cli.options import Connect, Surroundings
from reservation_cli.output import flush_quietly, json_text, plain
from reservation_cli.platforms import connect

app = typer.Typer(
    name="resv",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    help="One ticket reservation as a durable workflow on Cloudflare Workflows and on AWS Lambda durable functions: "
    "run it on both engines, on this machine or in the clouds, and compare the two timelines.",
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"resv {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


for _command in (
    reserve,
    confirm,
    cancel,
    status,
    list_,
    compare,
    bench,
    chaos,
    cost,
    runs,
    report,
    differences,
    logs,
    deploy,
    teardown,
    doctor,
    up,
    down,
    env,
    schema,
):
    app.command(_command.__name__.rpartition(".")[2].rstrip("_"))(_command.command)


_INTERRUPTED = Interrupted("Interrupted.", hint="Whatever was reserved goes on: resv status last")
#: A value that is longer than any that is right: an ARN has some 200 characters.
_ENDLESS, _SHORT = re.compile(r"\S{400,}"), 100
#: What a stdout says that nothing can be written to: a full disk, a quota, a closed descriptor, an I/O error.
_UNWRITABLE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EBADF, errno.EIO})


def main(
    argv: Sequence[str] | None = None, environ: Mapping[str, str] | None = None, connect: Connect = connect
) -> int:
    """Run one command. Gives the exit code; writes data to stdout and everything else to stderr."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    as_json = "--json" in arguments
    try:
        result = app(arguments, prog_name="resv", standalone_mode=False, obj=Surroundings(environ, connect))
    except ResvError as error:
        return _fail(error, as_json)
    except InvalidInputError as error:
        return _fail(UsageError(str(error), hint=f"`resv {arguments[0]} --help` shows what it takes."), as_json)
    except typer.TyperException as error:
        return _fail(_usage(error), as_json)
    except (KeyboardInterrupt, typer.Abort):
        return _fail(_INTERRUPTED, as_json)
    except (BrokenPipeError, SystemExit):
        # The reader, such as `head`, has seen enough; Typer makes a SystemExit of that in commands of its own.
        flush_quietly()
        return 0
    except OSError as error:
        if error.errno not in _UNWRITABLE:
            return _bug()
        # A full disk behind a redirection: what is told of it goes to stderr.
        flush_quietly()
        return _fail(ResvError(f"The output cannot be written: {error.strerror}.", code="output"), as_json)
    except Exception:  # the boundary itself: a bug keeps its traceback  # noqa: BLE001
        return _bug()
    if result == Interrupted.exit_code:
        # Typer makes that of Ctrl-C wherever no command has said more of it.
        return _fail(_INTERRUPTED, as_json)
    return result if isinstance(result, int) else 0


def _bug() -> int:
    traceback.print_exc()
    print("resv: this is a bug in resv; the traceback above tells where.", file=sys.stderr)  # noqa: T201
    return 1


def _usage(error: typer.TyperException) -> ResvError:
    message = getattr(error, "format_message", lambda: str(error))()
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "resv"
    return UsageError(" ".join(str(message).split()), hint=f"`{command} --help` shows how it is used.")


def _told(text: str) -> str:
    """One line of it, without what a terminal would obey; of what nobody would read whole, the beginning."""
    return _ENDLESS.sub(lambda word: f"{word[0][:_SHORT]}…", plain(text, ""))


def _fail(error: ResvError, as_json: bool) -> int:
    # Some of it was said by a platform: it is to be one line, and to leave the terminal as it is.
    message, hint = _told(error.message), _told(error.hint) if error.hint else None
    if as_json:
        body = {"error": {"code": error.code, "message": message, "hint": hint}}
        text = json_text(body)
    else:
        text = f"Error: {message}" + (f"\nHint: {hint}" if hint else "")
    print(text, file=sys.stderr)  # noqa: T201 - the error boundary
    return error.exit_code
