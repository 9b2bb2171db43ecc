"""What confirm and cancel share: the same call on each platform that knows the reservation."""

from __future__ import annotations

from typing import Literal

from reservation_cli import lanes
from reservation_cli.domain.reservation import Reservation, format_time
from reservation_cli.errors import NotFoundError, ResvError
from reservation_cli.options import Command, On, platforms_of
from reservation_cli.platforms import NAMES


def decide(me: Command, action: Literal["confirm", "cancel"], ref: str, on: On) -> None:
    """Do it on both lanes at once, show what was decided, then raise the first error, if any."""
    name = lanes.resolve(me.settings.home, ref)
    clients = me.clients(platforms_of(on, name))
    calls = [client.confirm if action == "confirm" else client.cancel for client in clients]
    answers = lanes.together([lambda call=call: call(name) for call in calls])
    done = [
        {
            "platform": client.platform,
            "target": client.target,
            "reservation_id": answer.reservation_id,
            "seat": answer.seat,
            "status": answer.status,
            "at": format_time(answer.ended_at),
        }
        for client, answer in zip(clients, answers, strict=True)
        if isinstance(answer, Reservation)
    ]
    if me.output.as_json:
        me.output.data({"lanes": done})
    for lane, client in zip(done, clients, strict=False) if not me.output.as_json else ():
        me.output.text(f"{NAMES[client.platform]} · {lane['target']}: seat {lane['seat']} is {lane['status']}.")
    missing = [client for client, answer in zip(clients, answers, strict=True) if isinstance(answer, NotFoundError)]
    failures = [answer for answer in answers if isinstance(answer, ResvError)]
    for client in missing if done else ():
        me.output.note(f"{NAMES[client.platform]} does not know {name}.")
    refused = [error for error in failures if not (done and isinstance(error, NotFoundError))]
    for error in refused[1:]:
        me.output.note(error.message)
    if refused:
        raise refused[0]
