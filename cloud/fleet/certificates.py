"""Certificates of gateways: which are good, which was replaced, which a person took away.

A new one ends nothing by itself. The old one is given up when the new one has been in use for a while, so
that a gateway whose disk forgot the new one still has an identity.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from cloud.fleet.status import clear_flag, raise_flag
from cloud.fleet.tables import Certificate, Gateway
from cloud.keys.authority import Authority
from models.clock import SECOND_NS

SUPERSEDED, REVOKED, REPLACED = "superseded", "revoked", "replaced"
EXPIRING = "certificate_expiring"
_DAY_NS = 86_400 * SECOND_NS
_LONGEST_NS = 3650 * _DAY_NS


def issue(
    session: Session, authority: Authority, gateway_id: str, csr: str, now: int, days: float
) -> Certificate:
    """A certificate for a request; the same again for a key that has one still good for half its life.

    InvalidError as `Authority.sign_request`.
    """
    signed = authority.sign_request(csr, gateway_id, now, days)
    key_hash = key_hash_of(signed)
    known = select(Certificate).filter_by(gateway_id=gateway_id, key_hash=key_hash, ended_at=None)
    for row in session.scalars(known):
        if now < (row.issued_at + row.expires_at) // 2:
            return row
    return _keep(session, gateway_id, signed, now)


def adopt(session: Session, gateway_id: str, certificate: x509.Certificate, now: int) -> Certificate:
    """The row of a certificate this cloud signed; made for one that is older than this table."""
    row = session.get(Certificate, serial_of(certificate))
    if row is not None:
        return row
    return _keep(session, gateway_id, certificate, _ns(certificate.not_valid_before_utc))


def note_use(session: Session, gateway: Gateway, serial: str, now: int) -> bool:
    """The gateway said hello with this certificate; False when a newer one was in use before it."""
    row = session.get(Certificate, serial)
    if row is None or row.gateway_id != gateway.id:
        return True
    row.used_at = row.used_at or now
    row.heard_at = now
    newest = _newest_used(session, gateway.id)
    assert newest is not None
    if newest.serial != serial:
        return False
    if gateway.certificate_serial != serial:
        gateway.certificate_serial = serial
        clear_flag(session, gateway.id, EXPIRING, now)
    return True


def settle(session: Session, now: int, overlap_days: float) -> list[str]:
    """End what was replaced: older certificates of gateways whose newer one is in use for `overlap_days`.

    Nothing is ended while an older one is heard after the newer, which a person must look into.
    """
    ended = []
    since = now - round(overlap_days * _DAY_NS)
    used = select(Certificate).where(Certificate.ended_at.is_(None), Certificate.used_at <= since)
    for row in session.scalars(used.order_by(Certificate.gateway_id, Certificate.issued_at.desc())).all():
        older = _live(session, row.gateway_id, Certificate.issued_at < row.issued_at)
        if any((one.heard_at or 0) > (row.used_at or 0) for one in older):
            continue
        for one in older:
            end(one, SUPERSEDED, now)
            ended.append(one.serial)
    return ended


def end(row: Certificate, reason: str, now: int) -> None:
    """From now on it proves nothing."""
    row.ended_at, row.end_reason = row.ended_at or now, row.end_reason or reason


def end_all(session: Session, gateway: Gateway, reason: str, now: int) -> list[str]:
    """End every certificate of a gateway; their serial numbers."""
    serial = gateway.certificate_serial
    if serial and session.get(Certificate, serial) is None:
        _remember(session, gateway.id, serial, gateway.enrolled_at or now)
    rows = _live(session, gateway.id)
    for row in rows:
        end(row, reason, now)
    return [row.serial for row in rows]


def ended_serials(session: Session, now: int) -> dict[str, str]:
    """Serial numbers the broker must refuse, and why: ended before their time, which is not over yet."""
    gone = Certificate.ended_at.is_not(None)
    kept = Certificate.expires_at > now - _DAY_NS  # the broker's clock may be behind ours
    rows = session.execute(select(Certificate.serial, Certificate.end_reason).where(gone, kept))
    return {serial: reason or "" for serial, reason in rows}


def flag_expiring(session: Session, now: int) -> list[str]:
    """Flag gateways whose newest certificate has less than a quarter of its life left."""
    late = []
    rows = session.scalars(select(Certificate).where(Certificate.ended_at.is_(None)))
    for row in _newest_of_each(rows):
        if now < row.expires_at - (row.expires_at - row.issued_at) // 4:
            continue
        gateway = session.get_one(Gateway, row.gateway_id)
        if gateway.revoked_at is None:
            detail = {"serial": row.serial, "expires_at": row.expires_at}
            if raise_flag(session, gateway.id, gateway.site_id, EXPIRING, detail, now, again=False):
                late.append(gateway.id)
    return late


def serial_of(certificate: x509.Certificate) -> str:
    """A serial number as it is kept and shown: hexadecimal."""
    return f"{certificate.serial_number:x}"


def key_hash_of(certificate: x509.Certificate) -> str:
    """SHA-256 of its public key."""
    public = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(public).hexdigest()


def _keep(session: Session, gateway_id: str, certificate: x509.Certificate, issued_at: int) -> Certificate:
    row = Certificate(
        serial=serial_of(certificate),
        gateway_id=gateway_id,
        key_hash=key_hash_of(certificate),
        pem=certificate.public_bytes(Encoding.PEM).decode(),
        issued_at=issued_at,
        expires_at=_ns(certificate.not_valid_after_utc),
    )
    session.add(row)
    session.flush()
    return row


def _remember(session: Session, gateway_id: str, serial: str, issued_at: int) -> None:
    """A row for a certificate that is older than this table and was never seen here since."""
    expires_at = issued_at + _LONGEST_NS
    row = Certificate(
        serial=serial, gateway_id=gateway_id, key_hash="", pem="", issued_at=issued_at, expires_at=expires_at
    )
    session.add(row)
    session.flush()


def _ns(moment: datetime) -> int:
    return round(moment.timestamp()) * SECOND_NS


def _live(session: Session, gateway_id: str, *conditions: ColumnElement[bool]) -> list[Certificate]:
    live = select(Certificate).where(
        Certificate.gateway_id == gateway_id, Certificate.ended_at.is_(None), *conditions
    )
    return list(session.scalars(live))


def _newest_used(session: Session, gateway_id: str) -> Certificate | None:
    used = select(Certificate).where(
        Certificate.gateway_id == gateway_id, Certificate.used_at.is_not(None), Certificate.ended_at.is_(None)
    )
    return session.scalars(used.order_by(Certificate.issued_at.desc()).limit(1)).first()


def _newest_of_each(rows: Iterable[Certificate]) -> list[Certificate]:
    newest: dict[str, Certificate] = {}
    for row in rows:
        known = newest.get(row.gateway_id)
        if known is None or row.issued_at > known.issued_at:
            newest[row.gateway_id] = row
    return list(newest.values())
