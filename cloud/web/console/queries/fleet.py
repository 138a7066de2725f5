"""Gateways as people see them: heard or not, how much waits, which configuration is in force."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cloud.fleet.tables import Channel, Desired, Gateway, GatewayFlag, GatewayStatus
from cloud.ingest.tables import Quarantine
from cloud.web.console.queries.scope import read_places, read_sites, within
from models.clock import SECOND_NS

SILENT_AFTER_NS = 90 * SECOND_NS
NOT_HEARD = ("offline", "silent", "never")


@dataclass(frozen=True, slots=True)
class Flag:
    """Something about a gateway a person must know."""

    code: str
    last_at: int
    count: int


@dataclass(frozen=True, slots=True)
class GatewayRow:
    """A gateway as the fleet page shows it."""

    id: str
    name: str
    site_id: str
    site: str
    zone: str
    place: tuple[str, ...]
    state: str  # online | silent | offline | never | not_enrolled
    heard_at: int | None
    backlog: int | None
    code_version: str
    clock_trusted: bool
    measures: dict[str, float]
    desired: int
    reported: dict[str, Any]
    channels: int
    quarantined: int
    flags: tuple[Flag, ...] = field(default=())


def fleet(session: Session, sites: Collection[str], now: int) -> list[GatewayRow]:
    """Gateways, those that need somebody first, then by name."""
    gateways = session.scalars(select(Gateway).where(within(Gateway.site_id, sites))).all()
    ids = [row.id for row in gateways]
    names = read_sites(session, {row.site_id for row in gateways})
    places = read_places(session, (row.place_id for row in gateways))
    statuses = {
        row.gateway_id: row
        for row in session.scalars(select(GatewayStatus).where(GatewayStatus.gateway_id.in_(ids)))
    }
    wanted = _numbers(session, select(Desired.gateway_id, func.max(Desired.version)), Desired.gateway_id, ids)
    channels = _numbers(session, select(Channel.gateway_id, func.count()), Channel.gateway_id, ids)
    bad = _numbers(session, select(Quarantine.gateway_id, func.count()), Quarantine.gateway_id, ids)
    flags = _flags(session, ids)
    rows = []
    for row in gateways:
        status = statuses.get(row.id)
        health = status.health if status else {}
        rows.append(
            GatewayRow(
                id=row.id,
                name=row.name,
                site_id=row.site_id,
                site=names[row.site_id].name,
                zone=names[row.site_id].zone,
                place=places.get(row.place_id or "", ()),
                state=gateway_state(row.enrolled_at, status, now),
                heard_at=status.heard_at if status else None,
                backlog=health.get("backlog_messages"),
                code_version=str(health.get("code_version", "")),
                clock_trusted=bool(health.get("clock_trusted", True)),
                measures=_measures(health),
                desired=wanted.get(row.id, 0),
                reported=status.reported if status else {},
                channels=channels.get(row.id, 0),
                quarantined=bad.get(row.id, 0),
                flags=tuple(flags.get(row.id, ())),
            )
        )
    return sorted(rows, key=_urgency)


def gateway_state(enrolled_at: int | None, status: GatewayStatus | None, now: int) -> str:
    """What is true of a gateway now: what it last said, unless that is too long ago."""
    if status is None:
        return "not_enrolled" if enrolled_at is None else "never"
    if status.presence == "unknown":
        return "never"
    if status.presence != "online":
        return "silent" if status.presence == "silent" else "offline"
    return "silent" if now - status.heard_at > SILENT_AFTER_NS else "online"


def presence(session: Session, sites: Collection[str], now: int) -> tuple[int, int]:
    """How many enrolled gateways there are, and how many of them are not heard."""
    query = (
        select(Gateway.enrolled_at, GatewayStatus)
        .outerjoin(GatewayStatus, GatewayStatus.gateway_id == Gateway.id)
        .where(within(Gateway.site_id, sites))
    )
    states = [gateway_state(enrolled_at, status, now) for enrolled_at, status in session.execute(query)]
    known = [state for state in states if state != "not_enrolled"]
    return len(known), sum(state in NOT_HEARD for state in known)


def _measures(health: dict[str, Any]) -> dict[str, float]:
    found = health.get("measures")
    return found if isinstance(found, dict) else {}


def _numbers(session: Session, query: Any, key: Any, ids: Collection[str]) -> dict[str, int]:
    return dict(session.execute(query.where(key.in_(ids)).group_by(key)).all())


def _flags(session: Session, ids: Collection[str]) -> dict[str, list[Flag]]:
    query = select(GatewayFlag).where(GatewayFlag.gateway_id.in_(ids), GatewayFlag.cleared_at.is_(None))
    found: dict[str, list[Flag]] = defaultdict(list)
    for row in session.scalars(query.order_by(GatewayFlag.first_at)):
        found[row.gateway_id].append(Flag(row.code, row.last_at, row.count))
    return found


def _urgency(row: GatewayRow) -> tuple[bool, bool, int, str]:
    order = ("offline", "silent", "never", "online", "not_enrolled")
    return not row.flags, row.state not in NOT_HEARD, order.index(row.state), row.id
