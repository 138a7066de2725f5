"""The cloud's own certificate authority: who is a gateway, who is the broker, who is ingest.

P-256 throughout (RFC 5480); a gateway's key is made on the gateway and never comes here, only its request.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from cloud.errors import ConfigurationError, InvalidError
from cloud.keys.files import make_private_folder, write_private, write_public
from models.clock import SECOND_NS

CLOUD_CLIENTS = ("cloud-urgent", "cloud-bulk")
RESERVED_PREFIX = "cloud-"  # names of the cloud's own sessions; no gateway may have one
_AUTHORITY_DAYS = 7300
_OWN_DAYS = 3650
# A machine whose clock is a little behind must not take a new certificate for one of the future.
_LEEWAY = timedelta(days=1)
_LEEWAY_SHARE = 10  # of a short life, so that the middle of a certificate stays near half its life


@dataclass(frozen=True)
class Authority:
    """The authority's key and certificate, loaded."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @classmethod
    def create(cls, folder: Path, now: int) -> Authority:
        """Make ca.key and ca.crt in `folder`, unless they are there: then load them."""
        if (folder / "ca.key").exists():
            return cls.load(folder)
        make_private_folder(folder)
        key = ec.generate_private_key(ec.SECP256R1())
        name = _name("Lastmile CA")
        certificate = (
            _builder(name, name, key.public_key(), now, _AUTHORITY_DAYS)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .sign(key, hashes.SHA256())
        )
        write_public(folder / "ca.crt", certificate.public_bytes(Encoding.PEM))
        write_private(folder / "ca.key", key_bytes(key))
        return cls(key, certificate)

    @classmethod
    def load(cls, folder: Path) -> Authority:
        """Read the authority; ConfigurationError when its files are missing or damaged."""
        try:
            key = load_pem_private_key((folder / "ca.key").read_bytes(), None)
            certificate = x509.load_pem_x509_certificate((folder / "ca.crt").read_bytes())
        except (OSError, ValueError, UnsupportedAlgorithm) as wrong:
            raise ConfigurationError(
                f"the authority cannot be read: {wrong}", file=str(folder / "ca.key"), expected="a PEM key"
            ) from wrong
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        return cls(key, certificate)

    @property
    def pem(self) -> bytes:
        """The authority's certificate, which everybody may have."""
        return self.certificate.public_bytes(Encoding.PEM)

    def issue_server(self, folder: Path, stem: str, names: Iterable[str], now: int) -> None:
        """Make `stem`.key and `stem`.crt for a server reached by `names` (host names or addresses)."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = list(dict.fromkeys(names))
        builder = self._leaf(names[0], key.public_key(), now, _OWN_DAYS, ExtendedKeyUsageOID.SERVER_AUTH)
        builder = builder.add_extension(
            x509.SubjectAlternativeName([_alternative(name) for name in names]), critical=False
        )
        self._write(folder, stem, key, builder)

    def issue_client(self, folder: Path, name: str, now: int, days: float = _OWN_DAYS) -> None:
        """Make `name`.key and `name`.crt for a client whose common name is `name`."""
        key = ec.generate_private_key(ec.SECP256R1())
        self._write(
            folder,
            name,
            key,
            self._leaf(name, key.public_key(), now, days, ExtendedKeyUsageOID.CLIENT_AUTH),
        )

    def sign_request(self, csr_pem: str, gateway: str, now: int, days: float) -> x509.Certificate:
        """A client certificate from a request whose common name is `gateway` and nothing else.

        Only the name and the public key are taken over. InvalidError `csr` for anything that is not a sound
        request with a P-256 key, `csr_name` when it names another gateway.
        """
        try:
            request = x509.load_pem_x509_csr(csr_pem.encode())
            key = request.public_key()
            is_sound = request.is_signature_valid
        except (ValueError, TypeError, UnsupportedAlgorithm) as wrong:
            raise InvalidError("csr", "not a certificate request in PEM") from wrong
        if not is_sound:
            raise InvalidError("csr", "the request is not signed by its own key")
        if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
            raise InvalidError("csr", "the key must be an elliptic-curve key on P-256")
        names = [attribute.value for attribute in request.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
        if names != [gateway]:
            raise InvalidError("csr_name", f"the request names {names}, the code is for {gateway!r}")
        builder = self._leaf(gateway, key, now, days, ExtendedKeyUsageOID.CLIENT_AUTH)
        return builder.sign(self.key, hashes.SHA256())

    def revocations(self, serials: Iterable[int], now: int) -> bytes:
        """The list of revoked certificates, PEM; read by the broker from a file, so it lives long."""
        at = _moment(now)
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.certificate.subject)
            .last_update(at - _LEEWAY)
            .next_update(at + timedelta(days=_AUTHORITY_DAYS))
        )
        for serial in serials:
            revoked = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(at).build()
            builder = builder.add_revoked_certificate(revoked)
        return builder.sign(self.key, hashes.SHA256()).public_bytes(Encoding.PEM)

    def _leaf(
        self, name: str, key: ec.EllipticCurvePublicKey, now: int, days: float, use: x509.ObjectIdentifier
    ) -> x509.CertificateBuilder:
        issuer_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        return (
            _builder(_name(name), self.certificate.subject, key, now, days)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([use]), critical=False)
            .add_extension(issuer_key, critical=False)
        )

    def has_signed(self, certificate: x509.Certificate) -> bool:
        """Whether a certificate is one of ours; says nothing of its dates or of its being ended."""
        try:
            certificate.verify_directly_issued_by(self.certificate)
        except (ValueError, TypeError, InvalidSignature):
            return False
        return True

    def _write(
        self, folder: Path, stem: str, key: ec.EllipticCurvePrivateKey, builder: x509.CertificateBuilder
    ) -> None:
        certificate = builder.sign(self.key, hashes.SHA256())
        write_private(folder / f"{stem}.key", key_bytes(key))
        write_public(folder / f"{stem}.crt", certificate.public_bytes(Encoding.PEM))


def key_bytes(key: ec.EllipticCurvePrivateKey) -> bytes:
    """A private key as unencrypted PKCS 8 in PEM."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _moment(now: int) -> datetime:
    return datetime.fromtimestamp(now // SECOND_NS, UTC)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: int, days: float
) -> x509.CertificateBuilder:
    at, life = _moment(now), timedelta(days=days)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(at - min(_LEEWAY, life / _LEEWAY_SHARE))
        .not_valid_after(at + life)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
