"""Tables of series.db. A bulk identity and its landed bytes commit together, in this file alone."""

from __future__ import annotations

from sqlalchemy import BigInteger, Index
from sqlalchemy.orm import Mapped, mapped_column

from cloud.storage.base import At, Name, Number, Raw, RisingId, SeriesBase


class BulkIdentity(SeriesBase):
    """A bulk message that is stored; what makes the second arrival a duplicate."""

    __tablename__ = "bulk_identity"

    gateway_id: Mapped[Name] = mapped_column(primary_key=True)
    epoch: Mapped[Number] = mapped_column(primary_key=True, autoincrement=False)
    sequence: Mapped[Number] = mapped_column(primary_key=True, autoincrement=False)
    digest: Mapped[Raw]
    received_at: Mapped[At]
    quarantined: Mapped[bool]


class Landing(SeriesBase):
    """A telemetry body as it came, until compaction; `landed` keeps its readings findable by time."""

    __tablename__ = "landing"
    __table_args__ = (Index(None, "gateway_id", "min_time", "max_time"),)

    id: Mapped[RisingId]
    gateway_id: Mapped[Name]
    epoch: Mapped[Number]
    sequence: Mapped[Number]
    min_time: Mapped[At]
    max_time: Mapped[At]
    readings: Mapped[int]
    body: Mapped[Raw]


class Chunk(SeriesBase):
    """Readings of one channel, sorted by time, compressed."""

    __tablename__ = "chunk"
    __table_args__ = (Index(None, "channel_id", "min_time", "max_time"),)

    id: Mapped[RisingId]
    channel_id: Mapped[int] = mapped_column(BigInteger)
    min_time: Mapped[At]
    max_time: Mapped[At]
    readings: Mapped[int]
    body: Mapped[Raw]
