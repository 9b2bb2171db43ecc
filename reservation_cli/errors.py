"""What can go wrong, as one tree.

ResvError                    exit code, stable code
├── UsageError               2   usage            what was typed is not valid
├── NotFoundError            3   not_found        no such reservation, execution or run
├── ConflictError            4   conflict         the seat is taken, or the call came too late
├── PlatformError            5   platform         the platform refused or did not answer
├── NotConfiguredError       6   not_configured   a tool, a credential or a deployment is missing
├── TimedOutError            7   timed_out        it did not happen in the time given
├── ThresholdError           8   threshold        a --fail-if threshold was missed, or chaos broke a promise
└── Interrupted              130 interrupted      Ctrl-C while something goes on without us

Only `cli.main` catches them. Each says what happened to which thing; the hint says what to do about it.
"""

from __future__ import annotations


class ResvError(Exception):
    """An error that a user can act on."""

    exit_code = 1
    code = "error"
    #: How long the platform asks to be left alone, in seconds; None when it does not say.
    wait_seconds: float | None = None

    def __init__(self, message: str, *, hint: str | None = None, code: str | None = None) -> None:
        """`message` is one line; `hint` is what to do next; `code` refines the class's stable code."""
        super().__init__(message)
        self.message = message
        self.hint = hint
        if code is not None:
            self.code = code


class UsageError(ResvError):
    """What was typed (a flag, a reference, a file) is not valid."""

    exit_code = 2
    code = "usage"


class NotFoundError(ResvError):
    """There is no such reservation, execution or run."""

    exit_code = 3
    code = "not_found"


class ConflictError(ResvError):
    """The seat is taken, the id is used for something else, or the call came too late."""

    exit_code = 4
    code = "conflict"


class PlatformError(ResvError):
    """The platform refused, or did not answer in its own terms."""

    exit_code = 5
    code = "platform"


class NotConfiguredError(ResvError):
    """A tool, a credential or a deployment is missing."""

    exit_code = 6
    code = "not_configured"


class TimedOutError(ResvError):
    """It did not happen in the time given."""

    exit_code = 7
    code = "timed_out"


class ThresholdError(ResvError):
    """A `--fail-if` threshold was missed, or `resv chaos` found a broken promise (code `invariant`)."""

    exit_code = 8
    code = "threshold"


class Interrupted(ResvError):
    """Ctrl-C while a reservation is followed; it goes on by itself."""

    exit_code = 130
    code = "interrupted"
