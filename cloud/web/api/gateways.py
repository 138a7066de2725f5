"""Gateways, their channels, and what they are told to do."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import Field
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cloud.errors import NotFoundError
from cloud.fleet.desired import latest_desired, put_desired
from cloud.fleet.tables import Channel, Desired, Gateway, GatewayFlag, GatewayStatus
from cloud.keys.signing import load_signing_key
from cloud.people.roles import Permission
from cloud.web.api.answers import Answer, Page
from cloud.web.api.moments import Moment
from cloud.web.security.access import Access, needs, within
from cloud.web.state import State

router = APIRouter(tags=["fleet"])


class Flag(Answer):
    """Something a person must know about a gateway."""

    code: str
    first_at: Moment
    last_at: Moment
    count: int
    detail: Any


class GatewayAnswer(Answer):
    """A gateway with the latest it said of itself; `desired_version` 0: nothing was desired."""

    id: str
    site_id: str
    place_id: str | None
    name: str
    enrolled_at: Moment | None
    revoked_at: Moment | None
    certificate_serial: str | None
    presence: str
    heard_at: Moment | None
    health: Any
    reported: Any
    desired_version: int
    flags: list[Flag]


class DesiredAnswer(Answer):
    """What a gateway shall do; `document` null: nothing was desired."""

    gateway: str
    version: int
    document: Any
    created_at: Moment | None
    created_by: str | None
    reason: str | None


class Wish(Answer):
    """A document to be desired, and why."""

    document: dict[str, Any]
    reason: Annotated[str, Field(min_length=1, max_length=1000)]


class ChannelAnswer(Answer):
    """One measured quantity."""

    id: int
    site_id: str
    gateway_id: str
    name: str
    device: str
    kind: str
    unit: str
    resolution: float
    place_id: str | None


@router.get("/gateways")
def list_gateways(
    state: State, site: str | None = None, access: Access = needs(Permission.SEE)
) -> Page[GatewayAnswer]:
    """Gateways with their status."""
    with state.reading() as session:
        query = select(Gateway).where(within(Gateway.site_id, access.narrow(site))).order_by(Gateway.id)
        return Page(items=_describe(session, list(session.scalars(query))))


@router.get("/gateways/{gateway_id}")
def get_gateway(gateway_id: str, state: State, access: Access = needs(Permission.SEE)) -> GatewayAnswer:
    """One gateway."""
    with state.reading() as session:
        return _describe(session, [find(session, gateway_id, access)])[0]


@router.get("/gateways/{gateway_id}/desired")
def get_desired(gateway_id: str, state: State, access: Access = needs(Permission.SEE)) -> DesiredAnswer:
    """What the gateway shall do."""
    with state.reading() as session:
        find(session, gateway_id, access)
        return _desired(session, gateway_id)


@router.put("/gateways/{gateway_id}/desired")
def set_desired(
    gateway_id: str, given: Wish, state: State, access: Access = needs(Permission.CONFIGURE)
) -> DesiredAnswer:
    """Check, sign, number and queue a document for the gateway."""
    with state.reading() as session:
        find(session, gateway_id, access)
    key = load_signing_key(state.settings.keys)
    with state.writing() as session:
        put_desired(
            session,
            gateway_id=gateway_id,
            document=given.document,
            signing_key=key,
            actor=access.actor.name,
            reason=given.reason,
            now=state.now,
        )
    with state.reading() as session:
        return _desired(session, gateway_id)


@router.get("/channels")
def list_channels(
    state: State,
    site: str | None = None,
    gateway: str | None = None,
    access: Access = needs(Permission.SEE),
) -> Page[ChannelAnswer]:
    """Channels of a site or a gateway."""
    with state.reading() as session:
        query = select(Channel).where(within(Channel.site_id, access.narrow(site)))
        if gateway is not None:
            query = query.where(Channel.gateway_id == gateway)
        rows = session.scalars(query.order_by(Channel.gateway_id, Channel.name))
        return Page(items=[ChannelAnswer.model_validate(row) for row in rows])


def find(session: Session, gateway_id: str, access: Access) -> Gateway:
    """The gateway if the asker may do here what the route is for."""
    row = session.get(Gateway, gateway_id)
    if row is None:
        raise NotFoundError("not_found", "no such thing, or not for you")
    access.check(row.site_id)
    return row


def _describe(session: Session, rows: list[Gateway]) -> list[GatewayAnswer]:
    ids = [row.id for row in rows]
    statuses = {
        one.gateway_id: one
        for one in session.scalars(select(GatewayStatus).where(GatewayStatus.gateway_id.in_(ids)))
    }
    versions = dict(
        session.execute(
            select(Desired.gateway_id, func.max(Desired.version))
            .where(Desired.gateway_id.in_(ids))
            .group_by(Desired.gateway_id)
        ).all()
    )
    flags: dict[str, list[Flag]] = {id: [] for id in ids}
    raised = select(GatewayFlag).where(GatewayFlag.gateway_id.in_(ids), GatewayFlag.cleared_at.is_(None))
    for one in session.scalars(raised.order_by(GatewayFlag.id)):
        flags[one.gateway_id].append(Flag.model_validate(one))
    return [_one(row, statuses.get(row.id), versions.get(row.id, 0), flags[row.id]) for row in rows]


def _one(row: Gateway, status: GatewayStatus | None, version: int, flags: list[Flag]) -> GatewayAnswer:
    return GatewayAnswer(
        id=row.id,
        site_id=row.site_id,
        place_id=row.place_id,
        name=row.name,
        enrolled_at=row.enrolled_at,
        revoked_at=row.revoked_at,
        certificate_serial=row.certificate_serial,
        presence=status.presence if status else "unknown",
        heard_at=status.heard_at if status else None,
        health=status.health if status else {},
        reported=status.reported if status else {},
        desired_version=version,
        flags=flags,
    )


def _desired(session: Session, gateway_id: str) -> DesiredAnswer:
    found = latest_desired(session, gateway_id)
    if found is None:
        return DesiredAnswer(
            gateway=gateway_id, version=0, document=None, created_at=None, created_by=None, reason=None
        )
    row, document = found
    return DesiredAnswer(
        gateway=gateway_id,
        version=row.version,
        document=document.model_dump(mode="json"),
        created_at=row.created_at,
        created_by=row.created_by,
        reason=row.reason,
    )
