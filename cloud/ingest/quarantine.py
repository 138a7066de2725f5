"""What could not be used is kept, counted once, and shown; nothing waits for it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sqlalchemy import select
from sqlalchemy.orm import Session

from cloud.errors import NotFoundError
from cloud.fleet.status import raise_flag
from cloud.ingest.tables import Quarantine

if TYPE_CHECKING:
    # Listing needs no compiled kernels, and the command line should answer at once.
    from cloud.ingest.inspection import Poison

# Codes that say something about the sender and not about one message; a person must know.
FLAGGED = frozenset({"clone", "spoofed", "revoked"})


def keep(session: Session, topic: str, payload: bytes, poison: Poison, now: int) -> bool:
    """Keep a message; False when these very bytes on this topic are here already.

    The sender is flagged for what a person must know of.
    """
    digest = hashlib.sha256(topic.encode("utf-8", "replace") + b"\x00" + payload).hexdigest()
    if session.scalar(select(Quarantine.id).where(Quarantine.payload_hash == digest)) is not None:
        return False
    identity = poison.identity
    site_id = poison.where.site_id if poison.where else None
    session.add(
        Quarantine(
            site_id=site_id,
            gateway_id=poison.gateway_id,
            topic=topic[:1000],
            epoch=identity.epoch if identity else None,
            stream=int(identity.stream) if identity else None,
            sequence=identity.sequence if identity else None,
            code=poison.code[:64],
            detail=poison.detail[:2000],
            payload=payload,
            payload_hash=digest,
            received_at=now,
        )
    )
    if poison.code in FLAGGED and poison.gateway_id and site_id:
        raise_flag(session, poison.gateway_id, site_id, poison.code, {"detail": poison.detail[:500]}, now)
    session.flush()
    return True


def listing(session: Session, gateway_id: str | None = None, limit: int = 200) -> Sequence[Quarantine]:
    """The newest first."""
    query = select(Quarantine).order_by(Quarantine.id.desc()).limit(limit)
    if gateway_id is not None:
        query = query.where(Quarantine.gateway_id == gateway_id)
    return session.scalars(query).all()


def find(session: Session, number: int) -> Quarantine:
    """One of them; NotFoundError when there is none."""
    row = session.get(Quarantine, number)
    if row is None:
        raise NotFoundError("quarantine", f"no message {number} is in quarantine")
    return row
