"""What one reservation would cost in the cloud, from a dated price table.

Sources: the vendors' price pages as of autumn 2026 (Cloudflare Workers Paid plan without its included amounts;
AWS Lambda durable functions, DynamoDB on demand, us-east-2, arm64). Operations are counted from the timeline;
compute, bytes and storage requests are assumed and named in the `_ASSUMED` tables.
"""

from __future__ import annotations

from reservation_cli.domain.timeline import Timeline

PRICES_AS_OF = "2026-11"

CLOUDFLARE = {
    "step": 0.80 / 100_000,
    "request": 0.30 / 1e6,
    "cpu_ms": 0.02 / 1e6,
    "kv_write": 5.00 / 1e6,
    "durable_object_request": 0.15 / 1e6,
}
AWS = {
    "operation": 8.00 / 1e6,
    "written_gb": 0.25,
    "retained_gb_month": 0.15,
    "request": 0.20 / 1e6,
    "gb_second_arm": 0.0000133334,
    "dynamodb_write": 0.625 / 1e6,
    "dynamodb_read": 0.125 / 1e6,
}

CLOUDFLARE_ASSUMED: dict[str, float] = {"requests": 1, "cpu_ms": 10, "kv_writes": 2, "durable_object_requests": 6}
AWS_ASSUMED: dict[str, float] = {
    "billed_ms_per_invocation": 100,
    "memory_gb": 0.25,
    "written_kb": 2,
    "retention_days": 14,
    "dynamodb_writes": 3,
    "dynamodb_reads": 3,
}


def operations(timeline: Timeline) -> int:
    """Billed operations so far: on Cloudflare steps, sleeps and waits; on AWS those, their retries, and the start."""
    billed = [span for span in timeline.spans if span.kind != "invocation"]
    if timeline.platform == "cloudflare":
        return len(billed)
    return 1 + sum(max(1, len(span.attempts)) for span in billed)


def cost_usd(timeline: Timeline) -> float:
    """US dollars for this execution at the prices of `PRICES_AS_OF`, free allowances left aside."""
    count = operations(timeline)
    if timeline.platform == "cloudflare":
        use = CLOUDFLARE_ASSUMED
        return (
            count * CLOUDFLARE["step"]
            + use["requests"] * CLOUDFLARE["request"]
            + use["cpu_ms"] * CLOUDFLARE["cpu_ms"]
            + use["kv_writes"] * CLOUDFLARE["kv_write"]
            + use["durable_object_requests"] * CLOUDFLARE["durable_object_request"]
        )
    use = AWS_ASSUMED
    invocations = timeline.invocations if timeline.invocations is not None else 1
    run_days = (timeline.ended - timeline.started).total_seconds() / 86400 if timeline.ended and timeline.started else 0
    gigabytes = use["written_kb"] / 1e6
    return (
        count * AWS["operation"]
        + gigabytes * AWS["written_gb"]
        + gigabytes * AWS["retained_gb_month"] * (run_days + use["retention_days"]) / 30
        + invocations * AWS["request"]
        + invocations * use["billed_ms_per_invocation"] / 1000 * use["memory_gb"] * AWS["gb_second_arm"]
        + use["dynamodb_writes"] * AWS["dynamodb_write"]
        + use["dynamodb_reads"] * AWS["dynamodb_read"]
    )
