"""The two workflow files next to each other: which lines of one correspond to which of the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from reservation_cli.domain.quotes import line_of

CLOUDFLARE_FILE = "cf-workflow/src/workflow.ts"
AWS_FILE = "aws-durable/src/handler.ts"


@dataclass(frozen=True, slots=True)
class Twin:
    """Two lines that do the same, by texts that stand once in their files. With a title, a section begins there."""

    cloudflare: str
    aws: str
    title: str | None = None


#: In the order of both files, whose first lines are twins as well.
TWINS = (
    Twin("const RETRIES = {", "const backoff = createRetryStrategy({", "Retries"),
    Twin("/** Holds a seat, waits", "/** Holds a seat, waits", "The workflow"),
    Twin("override async run(", "async (event: unknown, context: DurableContext)"),
    Twin('await step.do("create-hold"', 'await context.step("create-hold"', "Step create-hold"),
    Twin('if (hold.reservation.status === "rejected")', 'if (hold.reservation.status === "rejected")'),
    Twin("const decision =", "const decision =", "The wait"),
    Twin('await step.do("finalize"', 'await context.step("finalize"', "Step finalize"),
    Twin("async #createHold(", "async function createHold(", "What the steps do"),
    Twin("SEAT.getByName(request.seatId).hold(request)", "seats.hold(request, callbackId)"),
    Twin("async #finalize(", "async function finalize("),
    Twin("/** Sleeps the whole hold", "/** Sleeps the whole hold", "Strategy sleep"),
    Twin("/** Wakes at once on", "/** Wakes at once on", "Strategy event"),
    Twin('return payload?.action === "cancel"', "return decisionOf(await confirmation)"),
    Twin("/** An error that comes from the engine", "/** A signal confirms, unless", "What each needs besides"),
)


@dataclass(frozen=True, slots=True)
class Part:
    """Some lines of a file, with the number of the first."""

    file: str
    line: int
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Block:
    """Lines that begin next to each other, perhaps fewer on one side. `title` begins a section."""

    title: str | None
    cloudflare: Part
    aws: Part


def side_by_side(cloudflare: str, aws: str, twins: Sequence[Twin] = TWINS) -> list[Block]:
    """The two files, all of both, cut where `twins` stand.

    Raises ValueError when a twin is not there once, or does not come after the one before it.
    """
    lefts = _parts(CLOUDFLARE_FILE, cloudflare, [twin.cloudflare for twin in twins])
    rights = _parts(AWS_FILE, aws, [twin.aws for twin in twins])
    titles = ["Imports", *(twin.title for twin in twins)]
    return [Block(*block) for block in zip(titles, lefts, rights, strict=True)]


def _parts(file: str, source: str, texts: Sequence[str]) -> list[Part]:
    lines = source.splitlines()
    starts = [1, *(line_of(source, text) for text in texts), len(lines) + 1]
    for number, (start, end) in enumerate(pairwise(starts)):
        if start >= end:
            raise ValueError(f"{file}: {texts[number]!r} stands in line {end}, not after line {start}.")
    return [Part(file, start, tuple(lines[start - 1 : end - 1])) for start, end in pairwise(starts)]
