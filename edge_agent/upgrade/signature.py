"""Who made a release: an Ed25519 signature by the key that was pinned when this gateway was installed."""

from __future__ import annotations

from pathlib import Path

from edge_agent.obedience import read_public_key
from edge_agent.upgrade.errors import UpgradeError
from models.errors import LastmileError


def check_signature(manifest: bytes, signature: bytes, key: Path) -> None:
    """UpgradeError `signature` unless `key` signed exactly these bytes."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        public = Ed25519PublicKey.from_public_bytes(read_public_key(key.read_text()))
        public.verify(signature, manifest)
    except (OSError, LastmileError) as wrong:
        raise UpgradeError("signature", f"no release key at {key}: {wrong}; install again") from wrong
    except InvalidSignature as forged:
        raise UpgradeError("signature", f"not signed by the key in {key}") from forged
