"""The exports that tests/unit/test_exports.py compares whole, and how to write them anew.

After a change that is meant:  PYTHONPATH=tests python -m support.exports  - then look at each file that changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

from reservation_cli.domain.run import Run
from reservation_cli.domain.timeline import Span, Timeline
from reservation_cli.render import markdown, trace
from support import benches, timelines

FOLDER = Path(__file__).parent.parent / "fixtures" / "exports"
#: A name with what CSV, Markdown, Mermaid and a spreadsheet each take for syntax.
ODD = "=cmd|'x'!A1:b;#c%%`d`<e>&\\|\"f\" @g"


def of(*lanes: Timeline) -> Run:
    """A comparison of these lanes."""
    return replace(benches.compared(), lanes=lanes)


def invoked() -> Timeline:
    """AWS in the cloud, whose history tells its two invocations."""
    aws = timelines.cloud_and_local()[1]
    invocations = (
        Span("invocation", "invocation", timelines.at(400), timelines.at(490), "succeeded"),
        Span("invocation", "invocation", timelines.at(901_300), timelines.at(901_440), "succeeded"),
    )
    return replace(aws, spans=(*invocations, *aws.spans), stage="prod")


def odd() -> Timeline:
    """A lane in which whatever may be named by somebody else has an odd name."""
    lane = timelines.cloudflare_expired()
    asked = replace(timelines.request(), seat=ODD, user=ODD)
    return replace(
        lane,
        label=ODD,
        ref=ODD,
        endpoint=ODD,
        error=ODD,
        request=asked,
        reservation=lane.reservation and replace(lane.reservation, seat=ODD, user=ODD),
        spans=tuple(replace(span, name=ODD) for span in lane.spans),
        notes=(ODD,),
    )


def every() -> Sequence[Timeline]:
    """Every ready-made lane there is, with the odd ones."""
    pairs = (
        timelines.expired,
        timelines.confirmed,
        timelines.retried,
        timelines.rejected,
        timelines.mid_hold,
        timelines.failed,
        timelines.four,
        timelines.cloud_and_local,
        timelines.stopped,
        timelines.paused,
        timelines.untold,
    )
    return [*(lane for pair in pairs for lane in pair()), invoked(), odd(), timelines.absent("aws")]


@cache
def written() -> Mapping[str, str]:
    """The content of each file that is kept, by its name."""
    return {
        "compare.md": markdown.render(benches.compared()),
        "bench.md": markdown.render(benches.run(benches.bench(holds=(1, 10), count=40))),
        "failed.md": markdown.render(of(*timelines.failed())),
        "compare.trace.json": trace.render(benches.compared()),
        "retried.trace.json": trace.render(of(timelines.retried()[0], invoked())),
    }


def rewrite() -> None:
    """Write all files."""
    FOLDER.mkdir(exist_ok=True)
    for name, content in written().items():
        (FOLDER / name).write_bytes(content.encode())


if __name__ == "__main__":
    rewrite()
