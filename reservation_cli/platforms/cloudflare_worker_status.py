"""A Workflows instance as the Worker tells of it, as a Timeline: what there is without a token for the REST API.

Shape: `GET /workflow/:id` of the Worker, `{instance: {status, output?, error?} | null, reservation | null}`. It tells
no step and no time of the engine's. The steps' bodies have read the clock, and the output tells it at the end.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from reservation_cli.domain.comparison import CREATE_HOLD, FINALIZE
from reservation_cli.domain.reservation import Reservation, ReservationRequest
from reservation_cli.domain.timeline import ExecutionStatus, Span, SpanKind, SpanStatus, Timeline
from reservation_cli.platforms.cloudflare_instance import execution_status
from reservation_cli.platforms.payloads import (
    Lane,
    clock_of,
    decoded,
    error_text,
    newest_reservation,
    record_of,
    request_from_input,
)

COARSER = (
    "Told by the Worker, without the engine's own steps: coarser. "
    "With CLOUDFLARE_API_TOKEN set, the REST API tells them."
)
NO_INSTANCE = "The Workflow has no instance of this reservation."


def timeline_from_worker(instance_id: str, body: Mapping[str, object], lane: Lane) -> Timeline:
    """`body` is the Worker's answer. The engine's times are None, so that no metric is made of guesses."""
    instance = body.get("instance")
    told: Mapping[str, object] = instance if isinstance(instance, Mapping) else {}
    output = _own(instance_id, decoded(told.get("output")))
    of_seat = _own(instance_id, body)
    reservation = newest_reservation(instance_id, [of_seat, output])
    request = request_from_input(instance_id, record_of(of_seat) or record_of(output))
    status = _status(told.get("status"), reservation)
    return Timeline(
        platform="cloudflare",
        target=lane.target,
        ref=instance_id,
        reservation_id=instance_id,
        endpoint=lane.endpoint,
        engine=lane.engine,
        label=lane.label,
        stage=lane.stage,
        status=status,
        as_of=datetime.now(UTC),
        request=request,
        reservation=reservation,
        outcome=reservation.outcome if reservation else None,
        spans=_spans(output, status, request, reservation),
        error=error_text(told.get("error")),
        notes=(COARSER,) if told else (NO_INSTANCE,),
    )


def _status(status: object, reservation: Reservation | None) -> ExecutionStatus:
    """The Worker says `running` during sleeps and waits; the seat tells what the workflow is doing then.

    It waits while the seat is held, and with strategy `sleep` also after a confirmation or cancel.
    """
    known = execution_status(status)
    if known != "running" or reservation is None:
        return known
    decided = reservation.status in ("confirmed", "cancelled")
    return "waiting" if reservation.status == "held" or (decided and reservation.strategy == "sleep") else known


def _spans(
    output: object, status: ExecutionStatus, request: ReservationRequest | None, reservation: Reservation | None
) -> tuple[Span, ...]:
    """The steps that the output's clock tells of, and the wait between them; of one that goes on, the wait."""
    hold = _step(CREATE_HOLD, output)
    final = _step(FINALIZE, output)
    if status == "waiting" and reservation is not None and request is not None:
        # The hold and its end by the seat's clock, close to those of the wait. Once it has ended, that is not said
        # any more: a timer error would be made of it.
        kind, name = _wait_of(request)
        return (Span(kind, name, reservation.created_at, status="running", scheduled_end=reservation.expires_at),)
    if hold is None:
        return ()
    if final is None or request is None:
        return tuple(step for step in (hold, final) if step)
    kind, name = _wait_of(request)
    return hold, Span(kind, name, hold.ended, status=_wait_status(kind, final, reservation)), final


def _wait_of(request: ReservationRequest) -> tuple[SpanKind, str]:
    return ("wait", "hold-window") if request.strategy == "sleep" else ("event", "await-confirmation")


def _wait_status(kind: SpanKind, final: Span, reservation: Reservation | None) -> SpanStatus:
    """How the wait ended, where that is certain: a finalize before the seat's expiry was woken by an event."""
    if kind == "wait":
        return "succeeded"
    if reservation is None or reservation.expires_at is None or final.began is None:
        return "unknown"
    if final.began < reservation.expires_at:
        return "succeeded"
    return "timed_out" if reservation.status == "expired" else "unknown"


def _step(name: str, output: object) -> Span | None:
    clocks = output.get("clock") if isinstance(output, Mapping) else None
    began, ended = clock_of({"clock": clocks.get(name)}) if isinstance(clocks, Mapping) else (None, None)
    return Span("step", name, None, status="succeeded", began=began, ended=ended) if began and ended else None


def _own(instance_id: str, output: object) -> object:
    """`output`; None when it has the record of another reservation: then nothing in it tells of this one."""
    record = record_of(output)
    return output if record is None or record.get("reservationId") == instance_id else None
