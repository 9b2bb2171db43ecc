"""A local stack as its stack.json tells it, for clients in front of prepared answers."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from reservation_cli.local.stack import Stack


def a_stack(url: str, folder: Path) -> Stack:
    """What a running stack tells of itself whose AWS engine answers at `url`."""
    return Stack(
        pid=1,
        started_at=datetime.now(UTC),
        cloudflare_url="",
        workflow="",
        aws_endpoint_url=url,
        dynamodb_url="",
        region="us-east-2",
        account="000000000000",
        function="reservation-workflow-dev",
        qualifier="live",
        seats_function="reservation-seats-dev",
        engines={"aws": "engine 1.4.0"},
        log_dir=folder,
    )
