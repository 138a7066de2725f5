"""Desired documents: which are obeyed, which refused and why. Refused ones change nothing."""

from __future__ import annotations

import base64
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from edge_agent.drivers.table import make_driver
from edge_agent.state import StateFolder, replace_file, sync_folder
from models.clock import Clock
from models.configuration import GatewayDocument
from models.errors import BodyError, LastmileError
from models.wire.messages import SignedDocument
from models.wire.signing import key_id, verify_document

log = logging.getLogger(__name__)
MAX_DOCUMENT_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Offer:
    """A document that was offered, and the verdict: obeyed when `reason` is empty."""

    document: GatewayDocument | None
    reason: str = ""
    detail: str = ""
    version: int = 0

    @property
    def is_repeated(self) -> bool:
        """It is the very document in force: nothing to do, nothing wrong."""
        return self.reason == "same"


def read_offer(
    raw: bytes, *, key: bytes | None, gateway: str, in_force: int, in_force_text: str, now_ns: int
) -> Offer:
    """Judge a signed document: signature by the pinned `key`, address, version above `in_force`, expiry.

    Reasons: `undecodable, size, unpinned, key, signature, document, address, version, same, expired`.
    """
    if len(raw) > MAX_DOCUMENT_BYTES:
        return Offer(None, "size", f"{len(raw)} bytes, at most {MAX_DOCUMENT_BYTES} are taken")
    if key is None:
        return Offer(None, "unpinned", "no signing key was pinned; enrol this gateway")
    try:
        signed = SignedDocument.model_validate_json(raw)
        document = verify_document(signed, key)
    except ValidationError:
        return Offer(None, "undecodable", "not a signed document")
    except BodyError as wrong:
        return Offer(None, wrong.code, str(wrong))
    return _judge(document, signed.document, gateway, in_force, in_force_text, now_ns)


def _judge(
    document: GatewayDocument, text: str, gateway: str, in_force: int, in_force_text: str, now_ns: int
) -> Offer:
    version = document.version
    if document.gateway != gateway:
        return Offer(None, "address", f"addressed to {document.gateway}", version)
    if version == in_force and text == in_force_text:
        return Offer(document, "same", "", version)
    if version <= in_force:
        return Offer(None, "version", f"version {version}, in force is {in_force}", version)
    if document.expires_at is not None and document.expires_at <= now_ns:
        return Offer(None, "expired", f"expired at {document.expires_at}", version)
    return Offer(document, "", "", version)


def check_devices(document: GatewayDocument, clock: Clock) -> None:
    """Every device has a driver that takes its settings; ConfigurationError otherwise."""
    for device in document.devices:
        make_driver(device, clock)


@dataclass(frozen=True, slots=True)
class InForce:
    """The configuration a gateway works by. Version 0 is its own file."""

    document: GatewayDocument
    version: int
    text: str = ""


class DesiredStore:
    """desired.json: the last document obeyed, signed as it came."""

    def __init__(self, state: StateFolder) -> None:
        self._path: Path = state.desired

    def save(self, raw: bytes) -> None:
        replace_file(self._path, raw)

    def raw(self) -> str:
        """What lies there, as it came; "" when nothing does."""
        try:
            return self._path.read_text()
        except FileNotFoundError:
            return ""

    def put_back(self, raw: str) -> None:
        """Store an earlier document again; "" leaves gateway.toml in force."""
        if raw:
            self.save(raw.encode())
        elif self._path.exists():
            self._path.unlink()
            sync_folder(self._path.parent)

    def load(self, keys: Sequence[bytes], gateway: str) -> InForce | None:
        """What was obeyed before a restart, checked again; None when there is nothing sound."""
        try:
            raw = self._path.read_bytes()
        except FileNotFoundError:
            return None
        # Expiry is judged when a document is taken, not each time a gateway without a network starts.
        key = fitting_key(raw, keys)
        offer = read_offer(raw, key=key, gateway=gateway, in_force=0, in_force_text="", now_ns=0)
        if offer.document is None:
            log.error(
                "desired.json is not obeyed (%s: %s); going by gateway.toml", offer.reason, offer.detail
            )
            return None
        text = SignedDocument.model_validate_json(raw).document
        return InForce(offer.document, offer.document.version, text)


def pinned_keys(state: StateFolder) -> list[bytes]:
    """The keys whose word counts: the one pinned at enrolment, and the next while both are good."""
    found = (pinned_key(path) for path in (state.signing_key, state.next_signing_key))
    return [key for key in found if key is not None]


def fitting_key(raw: bytes, keys: Sequence[bytes]) -> bytes | None:
    """Of `keys` the one this signed text names, else the first, which will refuse it; None without any."""
    try:
        named = SignedDocument.model_validate_json(raw).key
    except ValidationError:
        named = ""
    return next((key for key in keys if key_id(key) == named), keys[0] if keys else None)


def pinned_key(path: Path) -> bytes | None:
    """The raw Ed25519 key that was pinned at enrolment; None when there is none."""
    try:
        text = path.read_text()
    except FileNotFoundError:
        return None
    return read_public_key(text)


def read_public_key(text: str) -> bytes:
    """32 raw bytes of an Ed25519 public key written as PEM, base64 or hexadecimal.

    LastmileError when it is none of these.
    """
    stripped = text.strip()
    try:
        if "BEGIN" in stripped:
            from cryptography.hazmat.primitives.serialization import (
                Encoding,
                PublicFormat,
                load_pem_public_key,
            )

            return load_pem_public_key(stripped.encode()).public_bytes(Encoding.Raw, PublicFormat.Raw)
        raw = bytes.fromhex(stripped) if len(stripped) == 64 else base64.b64decode(stripped, validate=True)
    except ValueError as wrong:
        raise LastmileError(f"not a public key: {stripped[:20]!r}...") from wrong
    if len(raw) != 32:
        raise LastmileError(f"not an Ed25519 public key: {len(raw)} bytes, expected 32")
    return raw
