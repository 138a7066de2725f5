"""Ed25519 over desired documents: made by the cloud, checked by the gateway that pinned the key."""

from __future__ import annotations

import base64
import binascii
import hashlib

from models.configuration import GatewayDocument
from models.errors import BodyError
from models.wire.messages import SignedDocument


def key_id(public_key: bytes) -> str:
    """Short name of a raw 32-byte public key."""
    return hashlib.sha256(public_key).hexdigest()[:16]


def sign_document(document: GatewayDocument, private_key: bytes) -> SignedDocument:
    """Sign with a raw 32-byte Ed25519 private key."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    key = Ed25519PrivateKey.from_private_bytes(private_key)
    text = document.model_dump_json()
    public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    signature = base64.b64encode(key.sign(text.encode())).decode()
    return SignedDocument(document=text, signature=signature, key=key_id(public))


def verify_document(signed: SignedDocument, public_key: bytes) -> GatewayDocument:
    """The document, if `public_key` (raw, 32 bytes) signed exactly it.

    BodyError `key`, `signature` or `document`. Address, version and expiry are the caller's to judge.
    """
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    if signed.key != key_id(public_key):
        raise BodyError("key", f"signed with {signed.key}, this gateway pinned {key_id(public_key)}")
    try:
        signature = base64.b64decode(signed.signature, validate=True)
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, signed.document.encode())
    except (InvalidSignature, binascii.Error, ValueError) as wrong:
        raise BodyError("signature", "the signature does not fit the document") from wrong
    try:
        return GatewayDocument.model_validate_json(signed.document)
    except ValueError as wrong:
        raise BodyError("document", f"signed, but not a document: {wrong}") from wrong
