"""What people do about a gateway: order it, revoke it, take a flag down."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import Field
from sqlalchemy import select

from cloud.errors import NotFoundError
from cloud.fleet.orders import LIFE_S, send_command
from cloud.fleet.revocation import revoke
from cloud.fleet.status import clear_flag
from cloud.fleet.tables import CommandRow
from cloud.keys.signing import load_signing_key
from cloud.people.roles import Permission
from cloud.web.api.answers import Answer, Page
from cloud.web.api.gateways import find
from cloud.web.api.moments import Moment
from cloud.web.security.access import Access, needs
from cloud.web.state import State

router = APIRouter(tags=["fleet"])
_NEWEST = 100
_Words = Annotated[str, Field(min_length=1, max_length=1000)]


class Why(Answer):
    """Why it is done; kept in the audit."""

    reason: _Words


class Order(Answer):
    """A command of the closed list, and why."""

    name: Annotated[str, Field(max_length=64)]
    parameters: Annotated[dict[str, str | int | float | bool], Field(default_factory=dict, max_length=16)]
    reason: _Words
    life_s: Annotated[float, Field(gt=0, le=7 * 86_400)] = LIFE_S


class CommandAnswer(Answer):
    """An order and what became of it: `state` is sent, done, refused or failed."""

    id: str
    gateway_id: str
    name: str
    parameters: Any
    reason: str
    issued_by: str
    issued_at: Moment
    expires_at: Moment
    state: str
    result: Any
    answered_at: Moment | None


class Done(Answer):
    """What was done."""

    gateway: str
    done: str


@router.get("/gateways/{gateway_id}/commands")
def list_commands(
    gateway_id: str, state: State, access: Access = needs(Permission.SEE_LEDGER)
) -> Page[CommandAnswer]:
    """The newest hundred orders, the newest first."""
    with state.reading() as session:
        find(session, gateway_id, access)
        rows = select(CommandRow).filter_by(gateway_id=gateway_id)
        newest = session.scalars(rows.order_by(CommandRow.counter.desc()).limit(_NEWEST))
        return Page(items=[CommandAnswer.model_validate(row) for row in newest])


@router.post("/gateways/{gateway_id}/commands")
def order_gateway(
    gateway_id: str, given: Order, state: State, access: Access = needs(Permission.CONFIGURE)
) -> CommandAnswer:
    """Sign and queue an order."""
    with state.reading() as session:
        find(session, gateway_id, access)
    key = load_signing_key(state.settings.keys)
    with state.writing() as session:
        command = send_command(
            session,
            gateway_id=gateway_id,
            name=given.name,
            parameters=dict(given.parameters),
            signing_key=key,
            actor=access.actor.name,
            reason=given.reason,
            now=state.now,
            life_s=given.life_s,
        )
        return CommandAnswer.model_validate(session.get_one(CommandRow, command.id))


@router.post("/gateways/{gateway_id}/revoke")
def revoke_gateway(
    gateway_id: str, given: Why, state: State, access: Access = needs(Permission.CONFIGURE)
) -> Done:
    """End all its certificates; a live connection is cut off within a minute."""
    with state.writing() as session:
        find(session, gateway_id, access)
        revoke(session, gateway_id, actor=access.actor.name, reason=given.reason, now=state.now)
    return Done(gateway=gateway_id, done="revoked")


@router.post("/gateways/{gateway_id}/flags/{code}/clear")
def clear_gateway_flag(
    gateway_id: str, code: str, given: Why, state: State, access: Access = needs(Permission.CONFIGURE)
) -> Done:
    """Take a flag down; it comes up again, and is told again, when its cause does."""
    with state.writing() as session:
        find(session, gateway_id, access)
        actor = access.actor.name
        if not clear_flag(session, gateway_id, code, state.now, actor=actor, reason=given.reason):
            raise NotFoundError("flag", f"{gateway_id} has no flag {code!r}")
    return Done(gateway=gateway_id, done="cleared")
