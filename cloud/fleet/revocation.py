"""A person takes a gateway's identity away. Ingest sees to it that the broker follows."""

from __future__ import annotations

from sqlalchemy.orm import Session

from cloud.errors import ConflictError
from cloud.events.bus import publish
from cloud.fleet import certificates
from cloud.fleet.registry import find_gateway
from cloud.fleet.status import raise_flag
from cloud.fleet.tables import GatewayStatus
from cloud.people import audit
from models.wire.messages import Presence


def revoke(session: Session, gateway_id: str, *, actor: str, reason: str, now: int) -> list[str]:
    """End all certificates of a gateway and take none of its messages; serial numbers of those ended.

    NotFoundError; ConflictError `revoked` when it is revoked already. A new code takes it back.
    """
    gateway = find_gateway(session, gateway_id)
    if gateway.revoked_at is not None:
        raise ConflictError("revoked", f"{gateway_id} is revoked already")
    ended = certificates.end_all(session, gateway, certificates.REVOKED, now)
    gateway.revoked_at = now
    if status := session.get(GatewayStatus, gateway_id):
        status.presence = Presence.OFFLINE.value
    audit.record(
        session,
        site_id=gateway.site_id,
        actor=actor,
        action="gateway.revoked",
        subject=gateway_id,
        before={"certificate_serial": gateway.certificate_serial},
        after={"reason": reason, "ended": ended},
        at=now,
    )
    publish(
        session,
        site_id=gateway.site_id,
        kind="gateway.changed",
        subject=gateway_id,
        payload={"change": "revoked"},
        at=now,
    )
    raise_flag(session, gateway_id, gateway.site_id, certificates.REVOKED, {"detail": reason}, now)
    return ended
