"""What confirm and cancel share: the same call on each platform that knows the reservation."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Literal

from reservation_cli import lanes, store
from reservation_cli.domain.reservation import Reservation, format_time
from reservation_cli.errors import NotConfiguredError, NotFoundError, ResvError
from reservation_cli.options import Command, On, platforms_of
from reservation_cli.platforms import NAMES, PlatformClient


def decide(me: Command, action: Literal["confirm", "cancel"], ref: str, on: On) -> None:
    """Do it on all lanes at once, show what was decided, then raise the first refusal, if any.

    A platform that does not know the reservation is named, and is an error only when no other knows it.
    """
    name = lanes.resolve(me.settings.home, ref)
    clients = me.clients(platforms_of(on, name), name)
    calls = [partial(client.confirm if action == "confirm" else client.cancel, name) for client in clients]
    answers = list(zip(clients, lanes.together(calls), strict=True))
    decided = [(client, answer) for client, answer in answers if isinstance(answer, Reservation)]
    refused = [answer for _, answer in answers if isinstance(answer, ResvError)]
    if decided:
        missing = [client for client, answer in answers if isinstance(answer, NotFoundError)]
        refused = [error for error in refused if not isinstance(error, NotFoundError)]
        for client in missing:
            me.output.note(f"{NAMES[client.platform]} does not know {name}.")
    elif all(isinstance(error, NotFoundError) for error in refused):
        raise lanes.unknown(name, [client.platform for client in clients])
    if decided and me.output.as_json:
        me.output.data({"lanes": [_lane_json(client, reservation) for client, reservation in decided]})
    elif decided:
        for client, reservation in decided:
            me.output.text(f"{client.label}: seat {reservation.seat} is {reservation.status}.")
    if decided:
        try:
            store.mark_decision(me.settings.home)
        except NotConfiguredError as error:  # what a platform refused is told as well, and first
            refused.append(error)
    if refused:
        first = refused[0]
        first.message = " ".join(dict.fromkeys(error.message for error in refused))
        raise first


def _lane_json(client: PlatformClient, reservation: Reservation) -> Mapping[str, object]:
    return {
        "platform": client.platform,
        "target": client.target,
        "reservation_id": reservation.reservation_id,
        "seat": reservation.seat,
        "status": reservation.status,
        "at": format_time(reservation.ended_at),
    }
