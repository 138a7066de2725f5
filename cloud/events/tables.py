"""The bus: rows with a rising id, tailed by every live page."""

from __future__ import annotations

from sqlalchemy import Index
from sqlalchemy.orm import Mapped

from cloud.storage.base import At, Base, Json, Name, RisingId


class Event(Base):
    """Something that changed, for whoever watches the site."""

    __tablename__ = "event"
    __table_args__ = (Index(None, "site_id", "id"),)

    id: Mapped[RisingId]
    site_id: Mapped[Name]
    at: Mapped[At]
    kind: Mapped[Name]
    subject: Mapped[Name]
    payload: Mapped[Json]
