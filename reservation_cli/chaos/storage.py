"""The seats' own storage, read past the code that writes it: SQLite in Durable Objects, and items in DynamoDB."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from reservation_cli.domain.chaos import Stored
from reservation_cli.domain.reservation import STATUSES, parse_time
from reservation_cli.errors import PlatformError
from reservation_cli.local import localhttp
from reservation_cli.local.plan import KEY

_OBJECTS = "/cdn-cgi/local/explorer/api/workers/durable_objects/namespaces"
_SEATS = "Seat"
_QUERY = "SELECT reservation_id, status, revision, created_at, ended_at FROM reservations"
_SECONDS = 30.0


def durable_objects(url: str) -> Mapping[str, Stored]:
    """All records of all seats on the local Cloudflare stack at `url`, by reservation id.

    Through the SQL interface of wrangler's explorer. Raises PlatformError.
    """
    port = urlsplit(url).port or 0
    try:
        return {name: stored for row in _rows(port) for name, stored in [_from_row(row)]}
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise PlatformError(f"The storage of Cloudflare's seats cannot be read: {error}") from error


def dynamodb(url: str, region: str, table: str) -> Mapping[str, Stored]:
    """All records of the table at `url`, by reservation id: on their seats, or put by with their entry.

    Raises PlatformError.
    """
    from botocore.config import Config  # deferred: 130 ms
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.session import Session

    none, empty = (None, None, None, None), (None, None, os.devnull, None)
    session = Session(session_vars={"profile": none, "config_file": empty, "credentials_file": empty})
    client: Any = session.create_client(
        "dynamodb",
        region_name=region,
        endpoint_url=url,
        aws_access_key_id=KEY,
        aws_secret_access_key=KEY,
        config=Config(proxies={"no": "proxy"}),
    )
    try:
        pages = client.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
        items = [item for page in pages for item in page["Items"]]
        records = [item["outcome"]["M"] for item in items if "outcome" in item]
        records += [item for item in items if item["pk"]["S"].startswith("seat#")]
        return {record["reservationId"]["S"]: _from_item(record) for record in records}
    except (BotoCoreError, ClientError, KeyError, TypeError, ValueError) as error:
        raise PlatformError(f"The storage of AWS's seats cannot be read: {error}") from error
    finally:
        client.close()


def _rows(port: int) -> Iterator[Mapping[str, Any]]:
    namespaces = localhttp.get(port, _OBJECTS, _SECONDS)["result"]
    for namespace in namespaces:
        if namespace["class"] != _SEATS:
            continue
        folder = f"{_OBJECTS}/{quote(namespace['id'])}"
        for seat in _seats(port, folder):
            asked = {"durable_object_id": seat, "queries": [{"sql": _QUERY}]}
            connection = localhttp.connect(port, _SECONDS)
            for result in localhttp.call(connection, "POST", f"{folder}/query", asked)["result"]:
                yield from (dict(zip(result["columns"], row, strict=True)) for row in result["rows"])


def _seats(port: int, folder: str) -> Iterator[str]:
    cursor = ""
    while True:
        listing = localhttp.get(port, f"{folder}/objects?limit=100&cursor={quote(cursor)}", _SECONDS)
        yield from (item["id"] for item in listing["result"])
        cursor = listing["result_info"].get("cursor") or ""
        if not cursor:
            return


def _from_row(row: Mapping[str, Any]) -> tuple[str, Stored]:
    stored = Stored(
        _status(row["status"]), int(row["revision"]), parse_time(row["created_at"]), parse_time(row["ended_at"])
    )
    return str(row["reservation_id"]), stored


def _from_item(item: Mapping[str, Any]) -> Stored:
    status = _status(item["status"]["S"])
    created, ended = (item.get(name, {}).get("S") for name in ("createdAt", f"{status}At"))
    return Stored(status, int(item["revision"]["N"]), parse_time(created), parse_time(ended))


def _status(value: object) -> Any:
    if value not in STATUSES:
        raise ValueError(f"a record has the status {value!r}")
    return value
