"""One matter: opened, joined, reopened, acknowledged, resolved; each change a timeline line and an event."""

from __future__ import annotations

import hashlib
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from cloud.errors import ConflictError
from cloud.events.bus import publish
from cloud.incidents.states import IncidentAct, IncidentState, next_state
from cloud.incidents.tables import Incident
from cloud.incidents.timeline import add_entry
from cloud.storage.dialect import insert_new
from models.alert import AlertKind, Severity
from models.clock import SECOND_NS

# A new alert this soon after resolution is the same matter come back.
REOPEN_WITHIN_NS = 10 * 60 * SECOND_NS
_KEY_LENGTH = 128


def open_key(site_id: str, place_id: str | None, hazard: str, kind: str, exercise: bool) -> str:
    """What can be open only once: place x hazard; faults and exercises apart from hazards.

    >>> open_key("street", "street/b1", "fire", "hazard", False)
    'street/b1/fire'
    >>> open_key("street", None, "stuck", "maintenance", True)
    'street:/stuck/maintenance/exercise'
    """
    parts = [place_id or f"{site_id}:", hazard]
    parts += ["maintenance"] * (kind == AlertKind.MAINTENANCE) + ["exercise"] * exercise
    key = "/".join(parts)
    if len(key) <= _KEY_LENGTH:
        return key
    return hashlib.blake2b(key.encode(), digest_size=32).hexdigest()


def derive_id(*parts: str) -> str:
    """Id that whoever computes it from the same cause gets too: 32 hexadecimal digits."""
    return hashlib.blake2b("\x1f".join(parts).encode(), digest_size=16).hexdigest()


def find_open(session: Session, key: str) -> Incident | None:
    """The incident that can be joined under this key."""
    return session.scalar(select(Incident).where(Incident.open_key == key))


def find_resolved(session: Session, like: dict[str, Any], since: int) -> Incident | None:
    """The last incident of the same matter that was resolved at `since` or later.

    `like`: site_id, place_id, hazard, kind, exercise.
    """
    query = select(Incident).filter_by(**like).where(Incident.resolved_at >= since)
    return session.scalar(query.order_by(Incident.resolved_at.desc()).limit(1))


def open_or_find(session: Session, fields: dict[str, Any], now: int) -> tuple[Incident, bool]:
    """The open incident under `fields["open_key"]`, made if there is none; whether it was made.

    Two that open at once get one: the key is unique, and who comes second finds the first's.
    """
    row = fields | {
        "state": IncidentState.OPEN.value,
        "opened_at": now,
        "acknowledged_at": None,
        "acknowledged_by": None,
        "resolved_at": None,
        "quiet_since": None,
        "openings": 1,
        "version": 1,
    }
    existing = find_open(session, fields["open_key"])
    if existing is not None:
        return existing, False
    insert_new(session, Incident.__table__, [row])
    incident = session.scalars(select(Incident).where(Incident.open_key == fields["open_key"])).one()
    return incident, incident.id == fields["id"]


def announce(session: Session, incident: Incident, kind: str, reason: str, at: int) -> None:
    """Tell the live pages; counts one version on."""
    if kind == "incident.changed":
        incident.version += 1
    payload = {
        "state": incident.state,
        "severity": incident.severity,
        "hazard": incident.hazard,
        "kind": incident.kind,
        "place": incident.place_id,
        "exercise": incident.exercise,
        "reason": reason,
        "version": incident.version,
    }
    publish(session, site_id=incident.site_id, kind=kind, subject=incident.id, payload=payload, at=at)


def acknowledge(session: Session, incident: Incident, actor: str, account_id: str | None, now: int) -> bool:
    """A person takes charge. False when somebody already had; ConflictError when it is resolved."""
    if not _move(incident, IncidentAct.ACKNOWLEDGE):
        return False
    incident.acknowledged_at, incident.acknowledged_by = now, account_id
    add_entry(session, incident, "acknowledged", actor, now)
    announce(session, incident, "incident.changed", "acknowledged", now)
    return True


def resolve(session: Session, incident: Incident, actor: str, reason: str, now: int) -> bool:
    """The matter is over: it can no longer be joined. False when it was over already."""
    if not _move(incident, IncidentAct.RESOLVE):
        return False
    incident.resolved_at, incident.open_key = now, None
    add_entry(session, incident, "resolved", actor, now, reason=reason)
    announce(session, incident, "incident.changed", "resolved", now)
    return True


def reopen(session: Session, incident: Incident, key: str, actor: str, alert: str | None, now: int) -> bool:
    """It came back. False when it was open anyway."""
    if not _move(incident, IncidentAct.REOPEN):
        return False
    incident.open_key, incident.resolved_at = key, None
    incident.acknowledged_at = incident.acknowledged_by = None
    incident.openings += 1
    add_entry(session, incident, "reopened", actor, now, alert=alert)
    announce(session, incident, "incident.changed", "reopened", now)
    return True


def raise_severity(session: Session, incident: Incident, after: Severity, reason: str, now: int) -> None:
    """Write the higher severity down; the caller has judged it."""
    before, incident.severity = incident.severity, after.value
    add_entry(
        session, incident, "severity_raised", "system", now, before=before, after=after.value, reason=reason
    )


def _move(incident: Incident, act: IncidentAct) -> bool:
    state, reason = next_state(IncidentState(incident.state), act)
    if reason == "refused":
        raise ConflictError("incident_state", f"the incident is {incident.state}: it cannot be {act.value}d")
    incident.state = state.value
    return reason == "moved"
