"""The Ed25519 keys under every desired document and order; gateways pin the public half at enrolment.

While the key is being changed there are two: the one that signs, and the next, which gateways are told of.
"""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cloud.errors import ConfigurationError, ConflictError
from cloud.keys.files import write_private

FILE_NAME = "signing.key"
NEXT_NAME = "signing.next.key"
OLD_NAME = "signing.old.key"
_BYTES = 32


def create_signing_key(folder: Path, name: str = FILE_NAME) -> None:
    """Make the key in `folder` (32 raw bytes), unless it is there."""
    if not (folder / name).exists():
        write_private(folder / name, Ed25519PrivateKey.generate().private_bytes_raw())


def load_signing_key(folder: Path, name: str = FILE_NAME) -> bytes:
    """The private key, 32 raw bytes; ConfigurationError when it is missing or damaged."""
    path = folder / name
    try:
        raw = path.read_bytes()
    except OSError as wrong:
        raise ConfigurationError(
            f"the signing key cannot be read: {wrong}", file=str(path), expected="run init first"
        ) from wrong
    if len(raw) != _BYTES:
        raise ConfigurationError("the signing key is damaged", file=str(path), expected="32 bytes")
    return raw


def public_signing_key(folder: Path, name: str = FILE_NAME) -> bytes:
    """The public key, 32 raw bytes: what a gateway pins."""
    private = Ed25519PrivateKey.from_private_bytes(load_signing_key(folder, name))
    return private.public_key().public_bytes_raw()


def switch_signing_key(folder: Path) -> None:
    """Sign with the next key from now on; the old one is kept aside until it is forgotten.

    ConflictError `signing_key` when there is no next one. Killed in the middle, it is gone on with.
    """
    if not (folder / NEXT_NAME).exists():
        raise ConflictError("signing_key", "there is no next signing key; begin with one")
    if not (folder / OLD_NAME).exists():
        write_private(folder / OLD_NAME, load_signing_key(folder))
    (folder / NEXT_NAME).replace(folder / FILE_NAME)
