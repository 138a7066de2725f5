"""Orders to gateways: numbered, signed, queued, and their answers."""

from __future__ import annotations

import secrets
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from cloud.errors import InvalidError
from cloud.events.bus import publish
from cloud.fleet.desired import queue_downlink
from cloud.fleet.registry import find_gateway
from cloud.fleet.status import raise_flag
from cloud.fleet.tables import CommandRow, Downlink
from cloud.people import audit
from models.clock import SECOND_NS
from models.wire.messages import Command, CommandName, CommandResult, CommandState
from models.wire.signing import sign_command
from models.wire.topics import Down

SENT = "sent"
COMMAND_REFUSED = "command_refused"
LIFE_S = 600.0
# Orders that no gateway should ever be given: somebody or something between us and it is not sound.
_HOSTILE = frozenset({"size", "undecodable", "key", "signature", "document", "address", "replay", "unpinned"})
_MILLISECOND_NS = 1_000_000


def send_command(
    session: Session,
    *,
    gateway_id: str,
    name: str,
    parameters: dict[str, Any],
    signing_key: bytes,
    actor: str,
    reason: str,
    now: int,
    life_s: float = LIFE_S,
) -> Command:
    """Number, sign and queue an order, good for `life_s`. InvalidError `command` for an unknown name."""
    if name not in list(CommandName):
        known = ", ".join(CommandName)
        raise InvalidError("command", f"{name!r} is no command; known are {known}")
    gateway = find_gateway(session, gateway_id)
    command = Command(
        id=secrets.token_hex(16),
        name=name,
        parameters=parameters,
        issued_at=now,
        expires_at=now + round(life_s * SECOND_NS),
        gateway=gateway_id,
        counter=_next_counter(session, gateway_id, now),
    )
    session.add(
        CommandRow(
            id=command.id,
            site_id=gateway.site_id,
            gateway_id=gateway_id,
            counter=command.counter,
            name=name,
            parameters=parameters,
            reason=reason,
            issued_by=actor,
            issued_at=now,
            expires_at=command.expires_at,
            state=SENT,
            result={},
        )
    )
    payload = sign_command(command, signing_key).model_dump_json().encode()
    queue_downlink(session, gateway.site_id, gateway_id, Down.COMMAND, payload, now, retained=False)
    audit.record(
        session,
        site_id=gateway.site_id,
        actor=actor,
        action="gateway.command",
        subject=gateway_id,
        before={},
        after={"id": command.id, "name": name, "parameters": parameters, "reason": reason},
        at=now,
    )
    session.flush()
    return command


def send_again(session: Session, gateway_id: str, now: int) -> int:
    """The gateway has just connected: queue again what it has not answered and may still obey; how many.

    The broker keeps nothing for a gateway that was away for long. One that was obeyed is not obeyed again.
    """
    waiting = select(CommandRow.issued_at).where(
        CommandRow.gateway_id == gateway_id, CommandRow.state == SENT, CommandRow.expires_at > now
    )
    moments = session.scalars(waiting).all()
    if not moments:
        return 0
    ours = update(Downlink).where(
        Downlink.gateway_id == gateway_id,
        Downlink.kind == Down.COMMAND.value,
        Downlink.created_at.in_(moments),
        Downlink.sent_at.is_not(None),
    )
    return len(session.scalars(ours.values(sent_at=None).returning(Downlink.id)).all())


def take_result(session: Session, gateway_id: str, site_id: str, result: CommandResult, now: int) -> None:
    """Keep what a gateway says of an order; flag it when it was offered one that is not ours."""
    row = session.get(CommandRow, result.id)
    if result.state is CommandState.REFUSED and result.reason in _HOSTILE:
        detail = {"reason": result.reason, "name": result.name, "detail": result.detail[:200]}
        raise_flag(session, gateway_id, site_id, COMMAND_REFUSED, detail, now)
    # The answer to an order that was heard twice must not stand above that of the first time.
    if row is None or row.gateway_id != gateway_id or row.answered_at is not None:
        return
    row.state, row.answered_at = result.state.value, now
    row.result = result.model_dump(mode="json", include={"reason", "detail", "output", "at"})
    payload = {"command": row.name, "id": row.id, "state": row.state, "reason": result.reason}
    publish(session, site_id=site_id, kind="gateway.changed", subject=gateway_id, payload=payload, at=now)


def _next_counter(session: Session, gateway_id: str, now: int) -> int:
    """Above every counter given before, and above those of a database that was lost: time rises by itself."""
    last = session.scalar(select(func.max(CommandRow.counter)).filter_by(gateway_id=gateway_id)) or 0
    return max(last + 1, now // _MILLISECOND_NS)
