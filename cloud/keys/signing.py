"""The Ed25519 key under every desired document; gateways pin its public half at enrolment."""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cloud.errors import ConfigurationError
from cloud.keys.files import write_private

FILE_NAME = "signing.key"
_BYTES = 32


def create_signing_key(folder: Path) -> None:
    """Make the key in `folder` (32 raw bytes), unless it is there."""
    if not (folder / FILE_NAME).exists():
        write_private(folder / FILE_NAME, Ed25519PrivateKey.generate().private_bytes_raw())


def load_signing_key(folder: Path) -> bytes:
    """The private key, 32 raw bytes; ConfigurationError when it is missing or damaged."""
    path = folder / FILE_NAME
    try:
        raw = path.read_bytes()
    except OSError as wrong:
        raise ConfigurationError(
            f"the signing key cannot be read: {wrong}", file=str(path), expected="run init first"
        ) from wrong
    if len(raw) != _BYTES:
        raise ConfigurationError("the signing key is damaged", file=str(path), expected="32 bytes")
    return raw


def public_signing_key(folder: Path) -> bytes:
    """The public key, 32 raw bytes: what a gateway pins."""
    private = Ed25519PrivateKey.from_private_bytes(load_signing_key(folder))
    return private.public_key().public_bytes_raw()
