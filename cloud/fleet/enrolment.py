"""A machine becomes a gateway: one code, one time, and a certificate for the key it made itself."""

from __future__ import annotations

import base64
import hashlib
import secrets
from dataclasses import dataclass

from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import Engine, delete, func, select, update
from sqlalchemy.orm import Session

from cloud.errors import InvalidError, RefusedError, ThrottledError
from cloud.events.bus import publish
from cloud.fleet.registry import find_gateway
from cloud.fleet.tables import EnrolmentCode, Gateway
from cloud.keys.authority import Authority
from cloud.keys.signing import public_signing_key
from cloud.people import audit
from cloud.people.tables import LoginAttempt
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
    can be used again.
    """
    source = f"enrol:{source}"[:128]
    _refuse_if_throttled(engine, settings, source, now)
    try:
        return _enrol(engine, settings, code, csr, now)
    except RefusedError:
        with transaction(engine) as session:
            session.add(LoginAttempt(source=source, at=now))
        raise


def _enrol(engine: Engine, settings: Settings, code: str, csr: str, now: int) -> Enrolled:
    authority = Authority.load(settings.keys)
    with transaction(engine) as session:
        gateway = _spend(session, code, now)
        days = settings.enrolment.certificate_days
        certificate = authority.sign_request(csr, gateway.id, now, days)
        serial = f"{certificate.serial_number:x}"
        audit.record(
            session,
            site_id=gateway.site_id,
            actor=f"gateway:{gateway.id}",
            action="gateway.enrolled",
            subject=gateway.id,
            before={"certificate_serial": gateway.certificate_serial},
            after={"certificate_serial": serial},
            at=now,
        )
        gateway.enrolled_at, gateway.certificate_serial = now, serial
        publish(
            session,
            site_id=gateway.site_id,
            kind="gateway.changed",
            subject=gateway.id,
            payload={"change": "enrolled"},
            at=now,
        )
    return Enrolled(
        gateway.id,
        certificate.public_bytes(Encoding.PEM).decode(),
        authority.pem.decode(),
        base64.b64encode(public_signing_key(settings.keys)).decode(),
        settings.broker.host,
        settings.broker.port,
    )


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


def _refuse_if_throttled(engine: Engine, settings: Settings, source: str, now: int) -> None:
    window_ns = round(settings.enrolment.window_s * SECOND_NS)
    recent = select(func.count(), func.min(LoginAttempt.at)).where(
        LoginAttempt.source == source, LoginAttempt.at > now - window_ns
    )
    with transaction(engine) as session:
        count, first = session.execute(recent).one()
        session.execute(delete(LoginAttempt).where(LoginAttempt.at < now - 24 * 3600 * SECOND_NS))
    if count >= settings.enrolment.wrong_codes:
        wait_s = (first + window_ns - now) / SECOND_NS
        raise ThrottledError("throttled", "too many wrong codes; wait before trying again", wait_s)


def _hash(code: str) -> str:
    """SHA-256 over the code as it is meant: no dashes, capitals, misread letters mended."""
    letters = "".join(letter for letter in code.upper() if letter.isalnum()).translate(_MISREAD)
    return hashlib.sha256(letters.encode()).hexdigest()
