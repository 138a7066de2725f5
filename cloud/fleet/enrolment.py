"""A machine becomes a gateway: one code, one time, and a certificate for the key it made itself."""

from __future__ import annotations

import base64
import hashlib
import secrets
from dataclasses import dataclass

from sqlalchemy import Engine, delete, update
from sqlalchemy.orm import Session

from cloud.errors import InvalidError
from cloud.events.bus import publish
from cloud.fleet import certificates
from cloud.fleet.registry import find_gateway
from cloud.fleet.status import clear_flag
from cloud.fleet.tables import Certificate, EnrolmentCode, Gateway
from cloud.fleet.tries import counted
from cloud.keys.authority import Authority
from cloud.keys.signing import public_signing_key
from cloud.people import audit
from cloud.settings import Settings
from cloud.storage.engine import transaction
from models.clock import SECOND_NS

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's: no I, L, O, U to mistake
_LETTERS = 16  # 80 bits
_MISREAD = str.maketrans("ILO", "110")


@dataclass(frozen=True)
class Enrolled:
    """What a new gateway is given: PEM texts, and the raw signing key in base64."""

    gateway: str
    certificate: str
    ca: str
    signing_key: str
    host: str
    port: int


def new_code() -> str:
    """A code as people read it out: four groups of four."""
    letters = "".join(secrets.choice(_ALPHABET) for _ in range(_LETTERS))
    return "-".join(letters[start : start + 4] for start in range(0, _LETTERS, 4))


def make_code(session: Session, gateway_id: str, code: str, now: int, hours: float) -> int:
    """Keep `code` (its hash) for a gateway in place of any unused one; when it expires, ns UTC."""
    find_gateway(session, gateway_id)
    unused = delete(EnrolmentCode).where(EnrolmentCode.gateway_id == gateway_id)
    session.execute(unused.where(EnrolmentCode.used_at.is_(None)))
    expires_at = now + round(hours * 3600 * SECOND_NS)
    session.add(
        EnrolmentCode(
            code_hash=_hash(code), gateway_id=gateway_id, created_at=now, expires_at=expires_at, used_at=None
        )
    )
    session.flush()
    return expires_at


def enrol(engine: Engine, settings: Settings, *, code: str, csr: str, source: str, now: int) -> Enrolled:
    """Trade a code and a certificate request for everything a gateway needs.

    InvalidError `code` (the same for unknown, used and expired), `csr`, `csr_name`: each counts against
    `source`; ThrottledError once it has had its share of wrong ones. A code whose request was refused
    can be used again. What the gateway had before is ended, and a revoked one is taken back.
    """
    with counted(engine, settings.enrolment, f"enrol:{source}", now):
        return _enrol(engine, settings, code, csr, now)


def answer(settings: Settings, authority: Authority, row: Certificate) -> Enrolled:
    """What is handed to a gateway together with its certificate."""
    return Enrolled(
        row.gateway_id,
        row.pem,
        authority.pem.decode(),
        base64.b64encode(public_signing_key(settings.keys)).decode(),
        settings.broker.host,
        settings.broker.port,
    )


def _enrol(engine: Engine, settings: Settings, code: str, csr: str, now: int) -> Enrolled:
    authority = Authority.load(settings.keys)
    with transaction(engine) as session:
        gateway = _spend(session, code, now)
        certificates.end_all(session, gateway, certificates.REPLACED, now)
        days = settings.enrolment.certificate_days
        row = certificates.issue(session, authority, gateway.id, csr, now, days)
        audit.record(
            session,
            site_id=gateway.site_id,
            actor=f"gateway:{gateway.id}",
            action="gateway.enrolled",
            subject=gateway.id,
            before={"certificate_serial": gateway.certificate_serial, "revoked_at": gateway.revoked_at},
            after={"certificate_serial": row.serial},
            at=now,
        )
        gateway.enrolled_at, gateway.certificate_serial, gateway.revoked_at = now, row.serial, None
        for flag in (certificates.EXPIRING, certificates.REVOKED):
            clear_flag(session, gateway.id, flag, now)
        publish(
            session,
            site_id=gateway.site_id,
            kind="gateway.changed",
            subject=gateway.id,
            payload={"change": "enrolled"},
            at=now,
        )
        return answer(settings, authority, row)


def _spend(session: Session, code: str, now: int) -> Gateway:
    """Mark the code used, in one statement so that two at once cannot both win; its gateway."""
    good = (
        update(EnrolmentCode)
        .where(EnrolmentCode.code_hash == _hash(code))
        .where(EnrolmentCode.used_at.is_(None), EnrolmentCode.expires_at > now)
        .values(used_at=now)
        .returning(EnrolmentCode.gateway_id)
    )
    gateway_id = session.scalar(good)
    if gateway_id is None:
        raise InvalidError("code", "the code is not good: unknown, used or expired; ask for a new one")
    return find_gateway(session, gateway_id)


def _hash(code: str) -> str:
    """SHA-256 over the code as it is meant: no dashes, capitals, misread letters mended."""
    letters = "".join(letter for letter in code.upper() if letter.isalnum()).translate(_MISREAD)
    return hashlib.sha256(letters.encode()).hexdigest()
