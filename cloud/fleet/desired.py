"""Desired configuration: checked, numbered, signed, stored, and queued for the gateway."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cloud.errors import ConflictError, InvalidError
from cloud.fleet.registry import find_gateway
from cloud.fleet.tables import Desired, Downlink
from cloud.people import audit
from models.configuration import GatewayDocument
from models.wire.messages import SignedDocument
from models.wire.signing import sign_document
from models.wire.topics import Down


def put_desired(
    session: Session,
    *,
    gateway_id: str,
    document: dict[str, Any],
    signing_key: bytes,
    actor: str,
    reason: str,
    now: int,
) -> int:
    """Make `document` what the gateway shall do, and queue it; the version it got.

    `document` is a GatewayDocument in which gateway, version and issued_at may be missing. A version that is
    given must be above the last one (ConflictError `version`). InvalidError `document` when it cannot be
    obeyed.
    """
    gateway = find_gateway(session, gateway_id)
    last = latest_version(session, gateway_id)
    checked = _check(document, gateway_id, last, now)
    signed = sign_document(checked, signing_key)
    session.add(
        Desired(
            gateway_id=gateway_id,
            version=checked.version,
            site_id=gateway.site_id,
            signed=signed.model_dump(mode="json"),
            created_at=now,
            created_by=actor,
            reason=reason,
        )
    )
    queue_downlink(
        session,
        gateway.site_id,
        gateway_id,
        Down.DESIRED,
        signed.model_dump_json().encode(),
        now,
        retained=True,
    )
    audit.record(
        session,
        site_id=gateway.site_id,
        actor=actor,
        action="gateway.desired",
        subject=gateway_id,
        before={"version": last},
        after={"version": checked.version, "reason": reason},
        at=now,
    )
    session.flush()
    return checked.version


def latest_version(session: Session, gateway_id: str) -> int:
    """Version last desired; 0 when there was none."""
    return session.scalar(select(func.max(Desired.version)).filter_by(gateway_id=gateway_id)) or 0


def latest_desired(session: Session, gateway_id: str) -> tuple[Desired, GatewayDocument] | None:
    """What the gateway shall do now, with its row; None when nothing was desired yet."""
    row = session.get(Desired, (gateway_id, latest_version(session, gateway_id)))
    if row is None:
        return None
    signed = SignedDocument.model_validate(row.signed)
    return row, GatewayDocument.model_validate_json(signed.document)


def queue_downlink(
    session: Session, site_id: str, gateway_id: str, kind: Down, payload: bytes, now: int, *, retained: bool
) -> None:
    """Leave a message for ingest, which publishes it and marks it sent."""
    session.add(
        Downlink(
            site_id=site_id,
            gateway_id=gateway_id,
            kind=kind.value,
            payload=payload,
            retained=retained,
            created_at=now,
            sent_at=None,
        )
    )


def _check(document: dict[str, Any], gateway_id: str, last: int, now: int) -> GatewayDocument:
    given = {"gateway": gateway_id, "version": last + 1} | document | {"issued_at": now}
    try:
        checked = GatewayDocument.model_validate(given)
    except ValidationError as wrong:
        first = wrong.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise InvalidError("document", f"{key}: {first['msg']}") from wrong
    if checked.gateway != gateway_id:
        raise InvalidError("document", f"it is addressed to {checked.gateway!r}, not {gateway_id!r}")
    if checked.version <= last:
        raise ConflictError("version", f"version {checked.version} is not above {last}")
    return checked
