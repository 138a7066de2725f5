"""Signed documents: what was not signed exactly so, by the pinned key, is refused."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from wire_samples import SIGNING_KEY, document, signed

from models.errors import BodyError
from models.wire.messages import Command, SignedDocument
from models.wire.signing import key_id, sign_command, sign_document, verify_command, verify_document

PUBLIC = Ed25519PrivateKey.from_private_bytes(SIGNING_KEY).public_key().public_bytes_raw()
OTHER_KEY = bytes(range(32, 64))
OTHER_PUBLIC = Ed25519PrivateKey.from_private_bytes(OTHER_KEY).public_key().public_bytes_raw()

pytestmark = pytest.mark.row("B8")


def code_of(offered: SignedDocument, public: bytes = PUBLIC) -> str:
    with pytest.raises(BodyError) as caught:
        verify_document(offered, public)
    return caught.value.code


def test_document_signed_by_the_pinned_key_is_taken():
    assert verify_document(signed(), PUBLIC) == document()


def test_document_survives_the_wire():
    arrived = SignedDocument.model_validate_json(signed().model_dump_json())
    assert verify_document(arrived, PUBLIC) == document()


def test_document_with_any_flipped_bit_is_refused():
    text = signed().document.encode()
    for place in range(0, len(text) * 8, 3):
        flipped = bytearray(text)
        flipped[place >> 3] ^= 1 << (place & 7)
        changed = signed().model_copy(update={"document": bytes(flipped).decode("latin-1")})
        assert code_of(changed) == "signature"


def test_signature_with_any_flipped_bit_is_refused():
    signature = base64.b64decode(signed().signature)
    for place in range(len(signature) * 8):
        flipped = bytearray(signature)
        flipped[place >> 3] ^= 1 << (place & 7)
        changed = signed().model_copy(update={"signature": base64.b64encode(flipped).decode()})
        assert code_of(changed) == "signature"


@pytest.mark.parametrize("size", [0, 1, 100, -1])
def test_truncated_document_is_refused(size):
    assert code_of(signed().model_copy(update={"document": signed().document[:size]})) == "signature"


@pytest.mark.parametrize("signature", ["", "AA==", "not base64 at all", "\u00e9", "A" * 88])
def test_signature_that_is_none_is_refused(signature):
    assert code_of(signed().model_copy(update={"signature": signature})) == "signature"


def test_document_signed_by_another_key_is_refused():
    assert code_of(sign_document(document(), OTHER_KEY)) == "key"


def test_document_signed_by_another_key_that_claims_ours_is_refused():
    forged = sign_document(document(), OTHER_KEY).model_copy(update={"key": key_id(PUBLIC)})
    assert code_of(forged) == "signature"


def test_document_under_a_key_that_was_not_pinned_is_refused():
    assert code_of(signed(), OTHER_PUBLIC) == "key"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"gateway": "gw-b1", "version": 0, "issued_at": 1}'])
def test_signed_text_that_is_no_document_is_refused(text):
    key = Ed25519PrivateKey.from_private_bytes(SIGNING_KEY)
    signature = base64.b64encode(key.sign(text.encode())).decode()
    offered = SignedDocument(document=text, signature=signature, key=key_id(PUBLIC))
    assert code_of(offered) == "document"


COMMAND = Command(
    id="1" * 32, name="send_status", issued_at=1, expires_at=2, gateway="gw-1", counter=7, parameters={"a": 1}
)


def test_command_is_taken_by_the_pinned_key_alone():
    offered = sign_command(COMMAND, SIGNING_KEY)
    assert verify_command(SignedDocument.model_validate_json(offered.model_dump_json()), PUBLIC) == COMMAND
    with pytest.raises(BodyError, match="pinned"):
        verify_command(offered, OTHER_PUBLIC)


def test_neither_is_taken_for_the_other():
    with pytest.raises(BodyError) as caught:
        verify_command(signed(), PUBLIC)
    assert caught.value.code == "signature"
    assert code_of(sign_command(COMMAND, SIGNING_KEY)) == "signature"
