"""Identities of urgent messages, how far each stream has come, and what could not be used."""

from __future__ import annotations

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from cloud.storage.base import At, Base, Json, LongName, Name, Number, Raw, RisingId, Words


class UrgentIdentity(Base):
    """An urgent message that is stored. Commits with what the message caused."""

    __tablename__ = "urgent_identity"

    gateway_id: Mapped[Name] = mapped_column(primary_key=True)
    epoch: Mapped[Number] = mapped_column(primary_key=True, autoincrement=False)
    sequence: Mapped[Number] = mapped_column(primary_key=True, autoincrement=False)
    digest: Mapped[Raw]
    received_at: Mapped[At]
    quarantined: Mapped[bool]


class LedgerRecord(Base):
    """Gap and outage records: what the gateway itself says is missing."""

    __tablename__ = "ledger_record"

    id: Mapped[RisingId]
    site_id: Mapped[Name]
    gateway_id: Mapped[Name]
    kind: Mapped[Name]
    from_at: Mapped[At]
    to_at: Mapped[At]
    record: Mapped[Json]


class Quarantine(Base):
    """A message kept because it could not be used; `code` is the WireError's, or `clone`."""

    __tablename__ = "quarantine"
    __table_args__ = (Index(None, "gateway_id", "received_at"),)

    id: Mapped[RisingId]
    site_id: Mapped[Name | None]
    gateway_id: Mapped[Name | None]
    topic: Mapped[Words]
    epoch: Mapped[Number | None]
    stream: Mapped[int | None]
    sequence: Mapped[Number | None]
    code: Mapped[Name]
    detail: Mapped[Words]
    payload: Mapped[Raw]
    payload_hash: Mapped[LongName] = mapped_column(unique=True)
    received_at: Mapped[At]
