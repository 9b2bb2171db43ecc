"""Settings, values and files that somebody has mistyped, edited or half written, and the parsers that take them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from reservation_cli import exports, runs
from reservation_cli.domain import deployment, reservation
from reservation_cli.domain.arn import parse_arn
from reservation_cli.domain.costing import parse_count
from reservation_cli.domain.prices import read_prices
from reservation_cli.domain.reservation import InvalidInputError, ReservationRequest
from reservation_cli.domain.threshold import METRICS, parse_threshold
from reservation_cli.errors import ResvError
from reservation_cli.platforms.cloudflare_http import checked_token
from reservation_cli.render.otlp import check as check_otlp
from support import benches, timelines
from support.bad_cli import Line, check, environment
from support.bad_input import bodies, texts

#: What takes one text: a value of a flag, a reference, a setting.
PARSERS: Mapping[str, Callable[[str], object]] = {
    "duration": reservation.parse_duration,
    "hold": reservation.parse_hold,
    "time": reservation.parse_time,
    "id": reservation.check_reservation_id,
    "seat": lambda text: ReservationRequest("r-1", text),
    "user": lambda text: ReservationRequest("r-1", "A1", text),
    "arn": parse_arn,
    "count": parse_count,
    "threshold": parse_threshold,
    "prices": read_prices,
    "stage": deployment.check_stage,
    "region": deployment.check_region,
    "token": lambda text: checked_token(text, "TOKEN"),
    "otlp": check_otlp,
    "output": lambda text: exports.check([text]),
}
#: What a right value is made of: so that most of a wrong one is right.
_PIECES = (
    *("1", "15", "0", ".", "e9", "999999999", "s", "ms", "m", "h", "d", " ", "k", "M", "B", "-", "_", "+"),
    *("r-", "A1", "arn:aws:lambda:us-east-2:", "000000000000", ":function:", "durable-execution", "/", "last"),
    *("aws.", "cloudflare.", *METRICS[:4], ".p95", ".p0", ".p99.999", ".max", ">", "<=", "==", "200", "lost"),
    *("as_of", " = ", '"2027-01"', "\n", "[cloudflare]", "[aws]", "steps", "[", "]", "{", "}", '"', "nan", "inf"),
    *("http://", "https://", "localhost", ":4318", "user:pass@", "[::1", ":99999", "?", "#", "%zz", ".html", ".json"),
    *("2026-11-28", "T10:00:00", ".123456789", "Z", "+25:00", "24:00"),
)
_ENVIRONMENT = ("RESV_HOME", "RESV_STAGE", "RESV_CLOUDFLARE_PORT", "RESV_AWS_PORT", "RESV_IDLE_MINUTES", "COLUMNS")


def values() -> st.SearchStrategy[str]:
    """Texts that are nearly right for one of the parsers, or for none."""
    return st.lists(st.sampled_from(_PIECES), max_size=8).map("".join) | texts()


def parse(name: str, text: str) -> None:
    """AssertionError unless the parser takes the text or says in its own words what is wrong with it."""
    said = "taken"
    try:
        PARSERS[name](text)
    except (InvalidInputError, ResvError) as error:
        said = str(error)
    assert said.strip(), (name, text)


@dataclass(frozen=True, slots=True)
class Broken:
    """One thing that is not as it should be, and the command line that meets it.

    `path` is within the folder that the command is run in, "" when it is the environment that is broken.
    """

    path: str
    content: bytes
    environ: Mapping[str, str]
    argv: tuple[str, ...]


@cache
def _states() -> list[Any]:
    at = "2026-11-25T10:00:00.000Z"
    aws = {"stage": "dev", "region": "us-east-2", "account": "123456789012", "via": "api", "version": "3"}
    cloudflare = {"stage": "dev", "account": "0" * 32, "url": "https://x.workers.dev", "version": "1", "token": "t"}
    lane = {"target": "local", "stage": None, "ref": "r-1", "requested_at": at, "accept_ms": 5.0}
    deployed = {"aws": {"dev": {**aws, "deployed_at": at}}, "cloudflare": {"dev": {**cloudflare, "deployed_at": at}}}
    state = {"last": "r-1", "reservations": {"r-1": {"cloudflare": lane, "aws": lane}}}
    return [state, {**state, "deployments": deployed}]


@cache
def _runs() -> list[Any]:
    lanes = (timelines.expired(), timelines.retried(), timelines.mid_hold(), timelines.failed())
    recorded = [runs.made("compare", pair, {"hold": "15m"}) for pair in lanes]
    return [json.loads(runs.text(run)) for run in (*recorded, benches.run(benches.bench(8)))]


_RUN_LINES = (
    ("compare", "run.json"),
    ("compare", "run.json", "--json"),
    ("cost", "run.json"),
    ("cost", "run.json", "--details", "--free"),
    ("cost", "run.json", "--json"),
    ("report", "run.json", *(part for ending in exports.ENDINGS for part in ("-o", f"written{ending}"))),
)
_STATE_LINES = (("status",), ("status", "--json"), ("list",), ("confirm", "--json"), ("reserve", "--seat", "A1"))
_SETTING_LINES = (("status",), ("runs", "--json"), ("differences", "sleep"))
_PRICES_LINES = (("cost", "--prices", "prices.toml"), ("cost", "--prices", "prices.toml", "--json"))
_RIGHT_PRICES = 'as_of = "2027-01"\n[cloudflare]\nsteps = 0.60\n[aws]\noperations = 8\n'


@st.composite
def broken(draw: st.DrawFn) -> Broken:
    """A run, a state, a .env, a table of prices or an environment that is not as it should be."""
    kind = draw(st.sampled_from(("run", "run", "state", "dotenv", "prices", "environment")))
    if kind == "run":
        return Broken("run.json", draw(bodies(_runs())), {}, draw(st.sampled_from(_RUN_LINES)))
    if kind == "state":
        return Broken("home/state.json", draw(bodies(_states())), {}, draw(st.sampled_from(_STATE_LINES)))
    if kind == "environment":
        given = draw(st.dictionaries(st.sampled_from(_ENVIRONMENT), values(), min_size=1))
        # In a real one is no NUL.
        environ = {name: value.replace("\0", "") for name, value in given.items()}
        return Broken("", b"", environ, draw(st.sampled_from(_SETTING_LINES)))
    if kind == "dotenv":
        rows = st.tuples(st.sampled_from(("", "export ", "# ")), st.sampled_from((*_ENVIRONMENT, "X", "")), values())
        text = "\n".join(f"{before}{name}={value}" for before, name, value in draw(st.lists(rows, max_size=4)))
        content = text.encode("utf-8", "surrogatepass") + draw(st.binary(max_size=3))
        return Broken(".env", content, {}, draw(st.sampled_from(_SETTING_LINES)))
    at = draw(st.integers(0, len(_RIGHT_PRICES)))
    text = _RIGHT_PRICES[:at] + draw(values()) + _RIGHT_PRICES[at + draw(st.integers(0, 20)) :]
    return Broken("prices.toml", text.encode("utf-8", "surrogatepass"), {}, draw(st.sampled_from(_PRICES_LINES)))


def meet(thing: Broken, folder: Path) -> int:
    """Run the command in `folder`, which is the current one. AssertionError unless it ends as documented."""
    environ = environment(str(folder)) | dict(thing.environ)
    path = folder / thing.path
    if thing.path:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(thing.content)
    if thing.path == ".env":
        # What .env says counts only where the environment says nothing.
        environ = {name: value for name, value in environ.items() if name not in _ENVIRONMENT}
    try:
        return check(Line(thing.argv, reachable=True), environ)
    finally:
        if thing.path:
            path.unlink()
