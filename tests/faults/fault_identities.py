"""Identities a broker must refuse, and whether it does."""

from __future__ import annotations

import socket
import ssl
import time
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from real_parts import Identity, enrol_gateway

from cloud.keys.authority import Authority
from cloud.settings import Settings
from models.clock import SECOND_NS

_CONNECT = bytes.fromhex("10 14 00 04 4d515454 05 02 003c 00 0007") + b"visitor"
_ANSWER_S = 3.0


def self_signed(folder: Path, name: str) -> Identity:
    """An identity nobody vouches for but itself."""
    own = Authority.create(folder / "self", time.time_ns())
    own.issue_client(folder / "self", name, time.time_ns())
    return _identity(folder / "self", name, folder / "self" / f"{name}.crt")


def of_another_authority(folder: Path, name: str) -> Identity:
    """An identity of an authority with the same name as ours, and another key."""
    other = Authority.create(folder / "other", time.time_ns())
    other.issue_client(folder / "other", name, time.time_ns())
    return _identity(folder / "other", name, folder / "other" / "ca.crt")


def expired(settings: Settings, folder: Path, name: str) -> Identity:
    """An identity of ours that ended a day ago."""
    folder = folder / "expired"
    folder.mkdir()
    yesterday = time.time_ns() - 2 * 86_400 * SECOND_NS
    Authority.load(settings.keys).issue_client(folder, name, yesterday, days=1.0)
    return _identity(folder, name, settings.keys / "ca.crt")


def is_let_in(port: int, authority: Path, identity: Identity | None) -> bool:
    """Whether the broker answers an MQTT CONNECT with a CONNACK that says yes."""
    context = ssl.create_default_context(cafile=str(authority))
    if identity is not None:
        context.load_cert_chain(str(identity.certificate), str(identity.key))
    try:
        with (
            socket.create_connection(("127.0.0.1", port), _ANSWER_S) as plain,
            context.wrap_socket(plain, server_hostname="127.0.0.1") as connection,
        ):
            connection.sendall(_CONNECT)
            answer = connection.recv(64)
    except (ssl.SSLError, OSError):
        return False
    return len(answer) >= 4 and answer[0] == 0x20 and answer[3] < 0x80


def serial_of(identity: Identity) -> int:
    return x509.load_pem_x509_certificate(identity.certificate.read_bytes()).serial_number


def enrolled(settings: Settings, name: str) -> Identity:
    """A fresh identity; its key and certificate belong together."""
    identity = enrol_gateway(settings, name)
    key = load_pem_private_key(identity.key.read_bytes(), None)
    certificate = x509.load_pem_x509_certificate(identity.certificate.read_bytes())
    assert key.public_key() == certificate.public_key()
    return identity


def _identity(folder: Path, name: str, authority: Path) -> Identity:
    return Identity(name, authority, folder / f"{name}.crt", folder / f"{name}.key")
