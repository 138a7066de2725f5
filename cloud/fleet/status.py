"""The latest a gateway said of itself, and whether it still says anything."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from cloud.events.bus import publish
from cloud.fleet.tables import GatewayFlag, GatewayStatus
from cloud.people import audit
from models.clock import SECOND_NS
from models.wire.messages import Health, Presence, Reported, ReportedState

SILENT = "silent"
CLOUD = "cloud"  # who did it, where no person did
CONFIG_REFUSED = "config_refused"
# Documents that no gateway should ever be offered: somebody or something between us and it is not sound.
_HOSTILE = frozenset(
    {"size", "undecodable", "key", "signature", "document", "address", "version", "expired", "unpinned"}
)


def take_health(
    session: Session, gateway_id: str, site_id: str, health: Health, now: int, *, is_live: bool
) -> None:
    """Keep a heartbeat or a last will; tell of it when presence changed or the gateway just connected.

    `is_live` false is a retained copy: it says what was last said, not that the gateway is there now.
    """
    row = session.get(GatewayStatus, gateway_id)
    if row is None:
        row = _row(gateway_id, site_id, now if is_live else health.sent_at)
        session.add(row)
    elif not is_live:
        return
    before, row.presence = row.presence, health.presence.value
    row.site_id, row.health = site_id, health.model_dump(mode="json")
    if is_live and health.presence is Presence.ONLINE:
        row.heard_at = now
    if before != row.presence or health.hello:
        _tell(session, site_id, gateway_id, {"presence": row.presence, "before": before}, now)


def take_reported(session: Session, gateway_id: str, site_id: str, reported: Reported, now: int) -> None:
    """Keep what configuration is in force; tell of it when it changed."""
    row = session.get(GatewayStatus, gateway_id)
    if row is None:
        row = _row(gateway_id, site_id, now)
        session.add(row)
    said = reported.model_dump(mode="json")
    if {**row.reported, "sent_at": 0} != {**said, "sent_at": 0}:
        told = ("version", "offered", "state", "reason", "phase", "parameters")
        payload = {key: said[key] for key in told if key in said}
        publish(session, site_id=site_id, kind="config.reported", subject=gateway_id, payload=payload, at=now)
        if reported.state is ReportedState.REFUSED and reported.reason in _HOSTILE:
            detail = {"reason": reported.reason, "offered": reported.offered, "detail": reported.detail[:200]}
            raise_flag(session, gateway_id, site_id, CONFIG_REFUSED, detail, now)
    row.site_id, row.reported = site_id, said


def mark_silent(session: Session, now: int, silent_s: float, listening_since: int) -> list[str]:
    """Gateways that said they were online and were not heard for `silent_s`: mark and tell of them.

    While ingest itself was away nobody could be heard, so silence counts from `listening_since` at least.
    """
    limit = now - round(silent_s * SECOND_NS)
    if listening_since > limit:
        return []
    late = select(GatewayStatus).where(
        GatewayStatus.presence == Presence.ONLINE.value, GatewayStatus.heard_at < limit
    )
    rows = session.scalars(late).all()
    for row in rows:
        row.presence = SILENT
        payload = {"presence": SILENT, "before": Presence.ONLINE.value, "heard_at": row.heard_at}
        _tell(session, row.site_id, row.gateway_id, payload, now)
    return [row.gateway_id for row in rows]


def raise_flag(
    session: Session,
    gateway_id: str,
    site_id: str,
    code: str,
    detail: dict[str, Any],
    now: int,
    *,
    again: bool = True,
) -> bool:
    """Note something a person must know about a gateway; told and audited when it is new or had been cleared.

    True then. Without `again`, a flag that is up already is left as it is.
    """
    flag = session.scalar(select(GatewayFlag).filter_by(gateway_id=gateway_id, code=code))
    if flag is None:
        flag = GatewayFlag(site_id=site_id, gateway_id=gateway_id, code=code, first_at=now, count=0)
        session.add(flag)
    is_news = flag.count == 0 or flag.cleared_at is not None
    if not is_news and not again:
        return False
    flag.last_at, flag.detail, flag.cleared_at = now, detail, None
    flag.count += 1
    session.flush()
    if is_news:
        _tell(session, site_id, gateway_id, {"flag": code}, now)
        _audit_flag(session, flag, {}, detail, now)
    return is_news


def clear_flag(
    session: Session, gateway_id: str, code: str, now: int, *, actor: str = CLOUD, reason: str = ""
) -> bool:
    """Take a flag down; False when it was not up."""
    flag = session.scalar(select(GatewayFlag).filter_by(gateway_id=gateway_id, code=code, cleared_at=None))
    if flag is None:
        return False
    flag.cleared_at = now
    _tell(session, flag.site_id, gateway_id, {"flag_cleared": code}, now)
    _audit_flag(session, flag, {"count": flag.count}, {"reason": reason}, now, actor)
    return True


def _audit_flag(
    session: Session,
    flag: GatewayFlag,
    before: dict[str, Any],
    after: dict[str, Any],
    now: int,
    actor: str = CLOUD,
) -> None:
    audit.record(
        session,
        site_id=flag.site_id,
        actor=actor,
        action="gateway.flag_cleared" if flag.cleared_at else "gateway.flagged",
        subject=flag.gateway_id,
        before=before,
        after={"flag": flag.code, **after},
        at=now,
    )


def _row(gateway_id: str, site_id: str, heard_at: int) -> GatewayStatus:
    return GatewayStatus(
        gateway_id=gateway_id, site_id=site_id, presence="unknown", heard_at=heard_at, health={}, reported={}
    )


def _tell(session: Session, site_id: str, gateway_id: str, payload: dict[str, Any], now: int) -> None:
    publish(session, site_id=site_id, kind="gateway.changed", subject=gateway_id, payload=payload, at=now)
