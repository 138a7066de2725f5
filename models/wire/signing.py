"""Ed25519 over desired documents and commands: made by the cloud, checked by the gateway that pinned the key.

What is signed of a command begins with words of its own, so that neither can be taken for the other.
"""

from __future__ import annotations

import base64
import binascii
import hashlib

from models.configuration import GatewayDocument
from models.errors import BodyError
from models.wire.messages import Command, SignedDocument

_DOCUMENT = b""
_COMMAND = b"lastmile command\n"


def key_id(public_key: bytes) -> str:
    """Short name of a raw 32-byte public key."""
    return hashlib.sha256(public_key).hexdigest()[:16]


def sign_document(document: GatewayDocument, private_key: bytes) -> SignedDocument:
    """Sign with a raw 32-byte Ed25519 private key."""
    return _sign(document.model_dump_json(), private_key, _DOCUMENT)


def sign_again(signed: SignedDocument, private_key: bytes) -> SignedDocument:
    """The very words of a signed document, under another key."""
    return _sign(signed.document, private_key, _DOCUMENT)


def sign_command(command: Command, private_key: bytes) -> SignedDocument:
    """As `sign_document`; the command names its gateway and its counter."""
    return _sign(command.model_dump_json(), private_key, _COMMAND)


def verify_document(signed: SignedDocument, public_key: bytes) -> GatewayDocument:
    """The document, if `public_key` (raw, 32 bytes) signed exactly it.

    BodyError `key`, `signature` or `document`. Address, version and expiry are the caller's to judge.
    """
    _verify(signed, public_key, _DOCUMENT)
    try:
        return GatewayDocument.model_validate_json(signed.document)
    except ValueError as wrong:
        raise BodyError("document", f"signed, but not a document: {wrong}") from wrong


def verify_command(signed: SignedDocument, public_key: bytes) -> Command:
    """The command, if `public_key` (raw, 32 bytes) signed exactly it.

    BodyError `key`, `signature` or `document`. Address, counter and expiry are the caller's to judge.
    """
    _verify(signed, public_key, _COMMAND)
    try:
        return Command.model_validate_json(signed.document)
    except ValueError as wrong:
        raise BodyError("document", f"signed, but not a command: {wrong}") from wrong


def _sign(text: str, private_key: bytes, purpose: bytes) -> SignedDocument:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    key = Ed25519PrivateKey.from_private_bytes(private_key)
    public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    signature = base64.b64encode(key.sign(purpose + text.encode())).decode()
    return SignedDocument(document=text, signature=signature, key=key_id(public))


def _verify(signed: SignedDocument, public_key: bytes, purpose: bytes) -> None:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    if signed.key != key_id(public_key):
        raise BodyError("key", f"signed with {signed.key}, this gateway pinned {key_id(public_key)}")
    try:
        signature = base64.b64decode(signed.signature, validate=True)
        text = purpose + signed.document.encode()
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, text)
    except (InvalidSignature, binascii.Error, ValueError) as wrong:
        raise BodyError("signature", "the signature does not fit the document") from wrong
