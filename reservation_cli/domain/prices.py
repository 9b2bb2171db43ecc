"""The vendors' list prices in US dollars, in one dated table: what `cost` multiplies by.

A price is as its page writes it: `usd` for each `per` units, and what the plan includes a month (Cloudflare: Workers
Paid, $5 a month; AWS: the free tier that does not end, us-east-2, arm64). Where sources disagree:

- Workflows steps: pages before July 2026 know none; the changelog of 2026-07-07 adds them, billed from 2026-08-10 on.
- Durable Object duration: older pages bill the 10 seconds an idle object stays in memory, the present page and FAQ do
  not, if the object could hibernate; ours can (no open socket, no timer left). By the old rule each wake is $16 a
  million.
- An empty SQLite database: 12 KB by the FAQ; 8 KB was measured on workerd. The FAQ's is taken.
- DynamoDB: pages before November 2024 have twice these request prices.

Named tuples here and in `cost`, which every command loads: a dataclass of that size takes 1.5 ms to make.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from reservation_cli.domain.reservation import InvalidInputError

PRICES_AS_OF = "2026-11"

_WORKERS = "https://developers.cloudflare.com/workers/platform/pricing/"
_WORKFLOWS = "https://developers.cloudflare.com/workflows/reference/pricing/"
_OBJECTS = "https://developers.cloudflare.com/durable-objects/platform/pricing/"
_KV = "https://developers.cloudflare.com/kv/platform/pricing/"
_WORKERS_LOGS = "https://developers.cloudflare.com/workers/observability/logs/workers-logs/"
_LAMBDA = "https://aws.amazon.com/lambda/pricing/"
_DYNAMODB = "https://aws.amazon.com/dynamodb/pricing/on-demand/"
_API_GATEWAY = "https://aws.amazon.com/api-gateway/pricing/"
_CLOUDWATCH = "https://aws.amazon.com/cloudwatch/pricing/"

_MILLION = 1e6


class Price(NamedTuple):
    """`usd` for each `per` units; `included` units a month go with the plan."""

    usd: float
    per: float
    unit: str
    source: str
    included: float = 0.0

    @property
    def each(self) -> float:
        """US dollars for one unit."""
        return self.usd / self.per


@dataclass(frozen=True, slots=True)
class Prices:
    """The table by names such as `cloudflare.steps`; `cloudflare.plan` is what the plan costs a month."""

    as_of: str
    table: Mapping[str, Price]

    def __getitem__(self, name: str) -> Price:
        return self.table[name]


PRICES = Prices(
    as_of=PRICES_AS_OF,
    table={
        "cloudflare.steps": Price(0.80, 100_000, "step", _WORKFLOWS, included=500_000),
        "cloudflare.requests": Price(0.30, _MILLION, "request", _WORKERS, included=10e6),
        "cloudflare.cpu": Price(0.02, _MILLION, "ms", _WORKERS, included=30e6),
        "cloudflare.state": Price(0.20, 1, "GB-month", _WORKFLOWS, included=1),
        "cloudflare.object_requests": Price(0.15, _MILLION, "request", _OBJECTS, included=1e6),
        "cloudflare.object_duration": Price(12.50, _MILLION, "GB-s", _OBJECTS, included=400_000),
        "cloudflare.rows_written": Price(1.00, _MILLION, "row", _OBJECTS, included=50e6),
        "cloudflare.rows_read": Price(0.001, _MILLION, "row", _OBJECTS, included=25e9),
        "cloudflare.object_storage": Price(0.20, 1, "GB-month", _OBJECTS, included=5),
        "cloudflare.kv_writes": Price(5.00, _MILLION, "write", _KV, included=1e6),
        "cloudflare.kv_storage": Price(0.50, 1, "GB-month", _KV, included=1),
        "cloudflare.log_events": Price(0.60, _MILLION, "event", _WORKERS_LOGS, included=20e6),
        "aws.operations": Price(8.00, _MILLION, "operation", _LAMBDA),
        "aws.written": Price(0.25, 1, "GB", _LAMBDA),
        "aws.retained": Price(0.15, 1, "GB-month", _LAMBDA),
        "aws.requests": Price(0.20, _MILLION, "request", _LAMBDA, included=1e6),
        "aws.compute": Price(0.0000133334, 1, "GB-s", _LAMBDA, included=400_000),
        "aws.writes": Price(0.625, _MILLION, "write", _DYNAMODB),
        "aws.reads": Price(0.125, _MILLION, "read", _DYNAMODB),
        "aws.table_storage": Price(0.25, 1, "GB-month", _DYNAMODB, included=25),
        "aws.log_data": Price(0.50, 1, "GB", _CLOUDWATCH, included=5),
        # In no bill of ours: what an HTTP front would cost.
        "aws.http_api": Price(1.00, _MILLION, "request", _API_GATEWAY),
        "cloudflare.plan": Price(5.00, 1, "month", _WORKERS),
    },
)


def read_prices(text: str) -> Prices:
    """The table with other prices in it, from TOML: `as_of = "2027-01"`, `[cloudflare] steps = 0.60`, `[aws] ...`.

    A number is US dollars for as many units as the table has it for. InvalidInputError says what is wrong.
    """
    import tomllib  # deferred: every command loads this module

    try:
        told = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidInputError(f"It is no TOML: {error}.") from error
    as_of = told.pop("as_of", None)
    if not isinstance(as_of, str) or not as_of:
        raise InvalidInputError('It says nowhere when the prices were agreed: as_of = "2027-01".')
    table = dict(PRICES.table)
    for platform, prices in told.items():
        for name, usd in prices.items() if isinstance(prices, dict) else [("", prices)]:
            full = f"{platform}.{name}" if name else platform
            if full not in table:
                raise InvalidInputError(f"There is no price {full}; there are {', '.join(table)}.")
            if isinstance(usd, bool) or not isinstance(usd, int | float) or not 0 <= usd < float("inf"):
                raise InvalidInputError(f"{full} is no price in US dollars: {usd!r}.")
            table[full] = table[full]._replace(usd=float(usd), source="your prices")
    return replace(PRICES, as_of=as_of, table=table)
