"""Evidence of alerts, and what came after it: one row an alert, whichever of the two arrives first."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from cloud.errors import ConflictError
from cloud.incidents.tables import AlertRow, EvidenceRow
from models.alert import Aftermath, Evidence

_AFTER = "after"


def take_evidence(session: Session, site_id: str, gateway_id: str, evidence: Evidence, now: int) -> bool:
    """Keep an alert's evidence, once; whether it is new. ConflictError: the alert is another gateway's."""
    _refuse_foreign(session, gateway_id, evidence.alert)
    row = session.get(EvidenceRow, evidence.alert)
    body = evidence.model_dump(mode="json")
    if row is None:
        session.add(EvidenceRow(alert_id=evidence.alert, site_id=site_id, received_at=now, body=body))
        return True
    if is_evidence(row.body):
        return False
    row.body = body | row.body
    return True


def take_aftermath(session: Session, site_id: str, gateway_id: str, after: Aftermath, now: int) -> bool:
    """Keep what came after an alert's evidence, once; whether it is new. ConflictError as above."""
    _refuse_foreign(session, gateway_id, after.alert)
    row = session.get(EvidenceRow, after.alert)
    told = {_AFTER: after.model_dump(mode="json", exclude={"alert"})}
    if row is None:
        session.add(EvidenceRow(alert_id=after.alert, site_id=site_id, received_at=now, body=told))
        return True
    if _AFTER in row.body:
        return False
    row.body = row.body | told
    return True


def is_evidence(body: Any) -> bool:
    """Whether a row holds the evidence itself, and not only what came after it."""
    return isinstance(body, dict) and "window" in body


def _refuse_foreign(session: Session, gateway_id: str, alert_id: str) -> None:
    alert = session.get(AlertRow, alert_id)
    if alert is not None and alert.gateway_id != gateway_id:
        raise ConflictError("foreign", f"the alert {alert_id} is not one of {gateway_id}")
