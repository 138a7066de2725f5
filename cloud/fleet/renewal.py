"""A gateway that has a certificate asks for the next: proved by its old key, over a request for the new one.

The proof is a signature and no TLS client certificate, so it still holds when the certificate has expired: a
gateway comes back from a long absence the way it renews. A request that is heard again gives the same
certificate for the same key again, which is of use to nobody but the owner of that key.
"""

from __future__ import annotations

import base64
import binascii

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from cloud.errors import ForbiddenError, InvalidError, NotFoundError
from cloud.fleet import certificates
from cloud.fleet.clones import CLONE
from cloud.fleet.enrolment import Enrolled, answer
from cloud.fleet.registry import find_gateway
from cloud.fleet.status import raise_flag
from cloud.fleet.tables import Certificate, Gateway
from cloud.fleet.tries import counted
from cloud.keys.authority import Authority
from cloud.people import audit
from cloud.settings import Settings
from cloud.storage.engine import transaction
from models.clock import SECOND_NS

PURPOSE = b"lastmile renewal\n"  # what is signed begins so, then the text of the request
_DAY_NS = 86_400 * SECOND_NS
_AGAIN = "; enrol this gateway again with a new code"


def renew(
    engine: Engine, settings: Settings, *, certificate: str, csr: str, signature: str, source: str, now: int
) -> Enrolled:
    """Trade an old certificate and a request signed by its key for the next certificate.

    InvalidError `certificate`, `proof`, `csr`, `csr_name` (counted against `source`), ThrottledError;
    ForbiddenError `revoked`, `superseded`, `expired`: only a new code helps.
    """
    authority = Authority.load(settings.keys)
    with counted(engine, settings.enrolment, f"renew:{source}", now):
        old = _prove(authority, certificate, csr, signature)
        name = _name_of(old)
    with transaction(engine) as session:
        gateway = _find(session, name)
        row = certificates.adopt(session, gateway.id, old, now)
        refusal = _refusal(gateway, row, settings.enrolment.grace_days, now)
        if refusal is None:
            return _issue(session, settings, authority, gateway, row, csr, now)
        if refusal.code == certificates.SUPERSEDED:
            # Kept although the request is refused: who still has the old key is a copy or a restored image.
            detail = {"detail": "asked for a renewal with a replaced certificate", "serial": row.serial}
            raise_flag(session, gateway.id, gateway.site_id, CLONE, detail, now)
    raise refusal


def _issue(
    session: Session,
    settings: Settings,
    authority: Authority,
    gateway: Gateway,
    old: Certificate,
    csr: str,
    now: int,
) -> Enrolled:
    days = settings.enrolment.certificate_days
    row = certificates.issue(session, authority, gateway.id, csr, now, days)
    if row.issued_at == now:
        audit.record(
            session,
            site_id=gateway.site_id,
            actor=f"gateway:{gateway.id}",
            action="gateway.renewed",
            subject=gateway.id,
            before={"certificate_serial": old.serial, "expires_at": old.expires_at},
            after={"certificate_serial": row.serial, "expires_at": row.expires_at},
            at=now,
        )
    return answer(settings, authority, row)


def _prove(authority: Authority, pem: str, csr: str, signature: str) -> x509.Certificate:
    try:
        certificate = x509.load_pem_x509_certificate(pem.encode())
    except ValueError as wrong:
        raise InvalidError("certificate", "not a certificate in PEM") from wrong
    key = certificate.public_key()
    if not authority.has_signed(certificate) or not isinstance(key, ec.EllipticCurvePublicKey):
        raise InvalidError("certificate", "this certificate is not one of ours" + _AGAIN)
    try:
        signed = PURPOSE + csr.encode()
        key.verify(base64.b64decode(signature, validate=True), signed, ec.ECDSA(hashes.SHA256()))
    except (InvalidSignature, binascii.Error, ValueError) as wrong:
        raise InvalidError("proof", "the request is not signed by the certificate's key") from wrong
    return certificate


def _name_of(certificate: x509.Certificate) -> str:
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value) if names else ""


def _find(session: Session, name: str) -> Gateway:
    try:
        return find_gateway(session, name)
    except NotFoundError as wrong:
        raise ForbiddenError("unknown_gateway", f"no gateway {name!r} is registered here") from wrong


def _refusal(gateway: Gateway, row: Certificate, grace_days: float, now: int) -> ForbiddenError | None:
    if gateway.revoked_at is not None or row.end_reason == certificates.REVOKED:
        return ForbiddenError(certificates.REVOKED, "this gateway was revoked" + _AGAIN)
    if row.ended_at is not None:
        said = "this certificate was replaced by a newer one: a copy, or a restored image"
        return ForbiddenError(certificates.SUPERSEDED, said + _AGAIN)
    if now > row.expires_at + round(grace_days * _DAY_NS):
        return ForbiddenError("expired", "this certificate ended too long ago" + _AGAIN)
    return None
