"""Only a document that is signed, addressed, newer and in date is obeyed."""

from __future__ import annotations

import base64
import json

import pytest
from edge_rig import START
from fault_results import record

from edge_agent.obedience import DesiredStore, pinned_keys, read_offer, read_public_key
from edge_agent.state import StateFolder, replace_file
from models.configuration import GatewayDocument
from models.errors import LastmileError
from models.wire.messages import SignedDocument
from models.wire.signing import sign_document

KEY = bytes(range(32))


def public_of(private: bytes) -> bytes:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    key = Ed25519PrivateKey.from_private_bytes(private).public_key()
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)


def signed(version: int = 5, gateway: str = "gw-1", expires_at: int | None = None, key: bytes = KEY) -> bytes:
    document = GatewayDocument(gateway=gateway, version=version, issued_at=START, expires_at=expires_at)
    return sign_document(document, key).model_dump_json().encode()


def offer(raw: bytes, in_force: int = 4, text: str = ""):
    return read_offer(
        raw, key=public_of(KEY), gateway="gw-1", in_force=in_force, in_force_text=text, now_ns=START
    )


def flipped() -> bytes:
    document = json.loads(signed())
    document["document"] = document["document"].replace('"version":5', '"version":6')
    return json.dumps(document).encode()


def unsigned() -> bytes:
    document = json.loads(signed())
    document["signature"] = base64.b64encode(bytes(64)).decode()
    return json.dumps(document).encode()


HOSTILE = {
    "older": (signed(version=3), "version"),
    "as old, other content": (signed(version=4), "version"),
    "another gateway's": (signed(gateway="gw-2"), "address"),
    "another key's": (signed(key=bytes(32)), "key"),
    "one bit changed": (flipped(), "signature"),
    "not signed": (unsigned(), "signature"),
    "expired": (signed(expires_at=START), "expired"),
    "truncated": (signed()[:-20], "undecodable"),
    "empty": (b"", "undecodable"),
    "no JSON": (b"\xff" * 100, "undecodable"),
    "huge": (b" " * (2 << 20), "size"),
}


@pytest.mark.row("B8")
@pytest.mark.row("A17")
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_document_is_refused_with_its_reason(name):
    raw, reason = HOSTILE[name]
    verdict = offer(raw)
    assert (verdict.document, verdict.reason) == (None, reason)


@pytest.mark.row("B8")
@pytest.mark.soak
def test_document_with_any_bit_changed_or_any_end_missing_is_never_another_document():
    """A bit may be one that base64 does not use: then what is obeyed is what was signed, to the letter."""
    raw = signed()
    meant = offer(raw).document
    tried = [raw[:length] for length in range(len(raw))]
    for bit in range(8 * len(raw)):
        wrong = bytearray(raw)
        wrong[bit // 8] ^= 1 << bit % 8
        tried.append(bytes(wrong))
    obeyed = [verdict.document for verdict in map(offer, tried) if verdict.document is not None]
    record(
        "B8", "any bit changed, any end missing", runs=len(tried), unit="applied", ok=not any(
            document != meant for document in obeyed
        ),
        figure=sum(document != meant for document in obeyed), target="0 applied, last good kept",
        command="python -m pytest -m soak tests/edge/test_edge_obedience.py",
        note=f"{len(obeyed)} were the document as it was signed: a bit that base64 does not use",
    )  # fmt: skip
    assert all(document == meant for document in obeyed)
    assert len(obeyed) < 8


def test_newer_document_for_us_in_date_is_obeyed():
    verdict = offer(signed(expires_at=START + 1))
    assert verdict.document is not None
    assert (verdict.reason, verdict.version) == ("", 5)


def test_document_in_force_heard_again_is_no_fault():
    raw = signed(version=4)
    text = SignedDocument.model_validate_json(raw).document
    assert offer(raw, text=text).is_repeated


def test_document_is_refused_where_no_key_was_pinned():
    verdict = read_offer(signed(), key=None, gateway="gw-1", in_force=0, in_force_text="", now_ns=START)
    assert verdict.reason == "unpinned"


def test_document_obeyed_is_in_force_after_a_restart_even_when_expired_since(tmp_path):
    state = StateFolder(tmp_path)
    replace_file(state.signing_key, base64.b64encode(public_of(KEY)))
    DesiredStore(state).save(signed(expires_at=START + 1))
    in_force = DesiredStore(state).load(pinned_keys(state), "gw-1")
    assert in_force is not None
    assert in_force.version == 5


def test_document_tampered_with_on_disk_is_not_obeyed_after_a_restart(tmp_path):
    state = StateFolder(tmp_path)
    DesiredStore(state).save(flipped())
    assert DesiredStore(state).load([public_of(KEY)], "gw-1") is None


def test_key_is_read_in_every_way_it_is_written():
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    raw = public_of(KEY)
    key = Ed25519PublicKey.from_public_bytes(raw)
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    assert [read_public_key(t) for t in (pem, raw.hex(), base64.b64encode(raw).decode() + "\n")] == [raw] * 3
    with pytest.raises(LastmileError):
        read_public_key("AAAA")
