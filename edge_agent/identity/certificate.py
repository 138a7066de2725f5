"""What a certificate of ours says: whose it is, from when till when."""

from __future__ import annotations

import contextlib
import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edge_agent.identity.keys import load_key, public_bytes
from edge_agent.state import replace_file
from models.clock import SECOND_NS
from models.errors import LastmileError


class CertificateError(LastmileError):
    """Not a certificate, or not for this gateway's key."""


_KEPT = "facts.json"


@dataclass(frozen=True, slots=True)
class Facts:
    """`serial` hexadecimal; times ns UTC."""

    serial: str
    begins_at: int
    ends_at: int

    def at_share(self, share: float) -> int:
        """The moment when this share of its life is gone."""
        return self.begins_at + round(share * (self.ends_at - self.begins_at))


def read_certificate(pem: bytes, key: Any, gateway: str) -> Facts:
    """Facts of a certificate; CertificateError unless it is for `gateway` and the public half of `key`."""
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    try:
        certificate = x509.load_pem_x509_certificate(pem)
    except ValueError as wrong:
        raise CertificateError(f"no certificate: {wrong}") from wrong
    names = [str(a.value) for a in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    if names != [gateway] or public_bytes(certificate.public_key()) != public_bytes(key.public_key()):
        raise CertificateError(f"the certificate is for {names}, not for this gateway's key as {gateway!r}")
    return Facts(
        f"{certificate.serial_number:x}",
        round(certificate.not_valid_before_utc.timestamp()) * SECOND_NS,
        round(certificate.not_valid_after_utc.timestamp()) * SECOND_NS,
    )


def facts_of(certificate: Path, key: Path, gateway: str) -> Facts:
    """Facts of the certificate in use, kept beside it: the library that reads one is dear to load.

    Raises what `read_certificate` raises, and OSError.
    """
    pem = certificate.read_bytes()
    digest = hashlib.sha256(pem + gateway.encode()).hexdigest()
    kept = certificate.with_name(_KEPT)
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        told = json.loads(kept.read_text())
        if told["of"] == digest:
            return Facts(str(told["serial"]), int(told["begins_at"]), int(told["ends_at"]))
    facts = read_certificate(pem, load_key(key), gateway)
    replace_file(kept, json.dumps({"of": digest, **asdict(facts)}).encode(), durable=False)
    return facts


def is_signed_by(pem: bytes, authority: bytes) -> bool:
    """Whether a certificate (PEM) was signed by this authority (PEM)."""
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature

    try:
        signer = x509.load_pem_x509_certificate(authority)
        x509.load_pem_x509_certificate(pem).verify_directly_issued_by(signer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True
