"""Where text goes: data to stdout, all else to stderr. The one sink of the commands, who say what they mean."""

from __future__ import annotations

import json
import os
import sys
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from reservation_cli.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

#: Control and format characters, halves of characters, and breaks of lines: those of other people's texts would move
#: the cursor, ring the bell, turn the direction of writing, or stop the encoder.
_OBEYED = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})

#: No terminal has as many columns as take so many digits.
_DIGITS = 6

View = Callable[[int], "RenderableType"]


def plain(text: str, kept: str = "\t") -> str:
    """`text` without what a terminal would obey, each such sign a space instead; those in `kept` stay."""
    if text.isprintable():
        return text
    return "".join(sign if sign in kept or unicodedata.category(sign) not in _OBEYED else " " for sign in text)


def json_text(value: Mapping[str, object], indent: int | None = None) -> str:
    """`value` as JSON; what a terminal would obey is escaped, which is the same to whoever reads it as JSON."""
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    if text.isprintable():
        return text
    return "".join(
        sign if sign == "\n" or unicodedata.category(sign) not in _OBEYED else json.dumps(sign)[1:-1] for sign in text
    )


class Output:
    """stdout and stderr of one command, as text for people or as JSON for programs."""

    def __init__(self, *, as_json: bool, environ: Mapping[str, str]) -> None:
        self.as_json = as_json
        self._environ = environ

    def data(self, value: Mapping[str, object]) -> None:
        """One JSON document on stdout."""
        print(json_text(value, indent=2), flush=True)  # noqa: T201 - the sink itself

    def line(self, value: Mapping[str, object]) -> None:
        """One line of NDJSON on stdout."""
        print(json_text(value), flush=True)  # noqa: T201 - the sink itself

    def text(self, value: str) -> None:
        """Plain text on stdout, of one line or of several."""
        print(plain(value, "\t\n"), flush=True)  # noqa: T201 - the sink itself

    def view(self, view: View) -> None:
        """A drawing on stdout."""
        console = self._console()
        console.print(view(console.width), crop=False)

    def draft(self, view: View) -> None:
        """A drawing on stderr: what a question is about, or what went wrong with a command's data."""
        console = self._console(stderr=True)
        console.print(view(console.width), crop=False)

    def note(self, message: str) -> None:
        """A line of progress, a hint or a warning, on stderr."""
        print(plain(message, "\t\n"), file=sys.stderr, flush=True)  # noqa: T201 - the sink itself

    def ask(self, question: str) -> bool:
        """The answer of the person at the terminal, No unless it is yes; UsageError when there is none to ask."""
        hint = "--dry-run shows what it would do; --yes does it without asking."
        if self.as_json:
            raise UsageError("This changes things, and with --json nobody is asked.", hint=hint, code="consent")
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            raise UsageError(
                "This changes things, and nobody is there to be asked.",
                hint=hint,
                code="consent",
            )
        print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)  # noqa: T201 - the sink itself
        try:
            return sys.stdin.readline().strip().lower() in ("y", "yes")
        except KeyboardInterrupt:
            print(file=sys.stderr)  # noqa: T201 - the line of the question ends
            raise

    @property
    def is_live(self) -> bool:
        """Whether frames may be redrawn: a person looks at a terminal that can."""
        return not self.as_json and sys.stdout.isatty() and self._environ.get("TERM") != "dumb"

    @contextmanager
    def live(self) -> Iterator[Callable[[View], None]]:
        """Gives a function that redraws, and leaves nothing behind. Only when `is_live`."""
        from rich.live import Live  # deferred: 20 ms that no other command needs

        console = self._console()
        with Live(console=console, auto_refresh=False, transient=True) as live:
            yield lambda view: live.update(view(console.width), refresh=True)

    @contextmanager
    def progress(self) -> Iterator[Callable[[str, float, float, str], None]]:
        """Gives a function that tells how far a long work is: (what is done, how much of it, of how much, more words).

        A bar on a terminal's stderr, which leaves nothing behind; elsewhere one line for each thing that is begun.
        """
        if not (sys.stderr.isatty() and self._environ.get("TERM") != "dumb"):
            begun: set[str] = set()

            def tell(what: str, _done: float, _total: float, _more: str) -> None:
                if what not in begun:
                    begun.add(what)
                    self.note(f"{what[0].upper()}{what[1:]}…")

            yield tell
            return
        from rich.progress import BarColumn, Progress, TextColumn  # deferred: as in live()

        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[count]}"))
        with Progress(*columns, console=self._console(stderr=True), transient=True) as bar:
            task = bar.add_task("", count="")

            def draw(what: str, done: float, total: float, more: str) -> None:
                count = f"{done:.0f} of {total:.0f}" + (f" · {more}" if more else "")
                bar.update(task, description=what, completed=done, total=max(total, 1e-9), count=count)

            yield draw

    def _console(self, *, stderr: bool = False) -> Console:
        from reservation_cli.render.terminal import PlainConsole  # deferred: rich, 30 ms that --json does not need

        width = self._environ.get("COLUMNS", "")
        is_number = width.isascii() and width.isdigit() and len(width) < _DIGITS
        fixed = int(width) if is_number and int(width) > 0 else None
        if fixed is None and not (sys.stderr if stderr else sys.stdout).isatty():
            fixed = 80
        return PlainConsole(highlight=False, stderr=stderr, width=fixed, _environ=dict(self._environ))


def flush_quietly() -> None:
    """After a reader such as `head` has gone: keep the interpreter from complaining about it at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
