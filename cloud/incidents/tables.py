"""Alerts as the cloud keeps them, and the incidents made of them."""

from __future__ import annotations

from sqlalchemy import BigInteger, Float, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from cloud.storage.base import At, Base, Json, LongName, Name, Number, RisingId, Words


class AlertRow(Base):
    """An alert's latest state; `body` is the whole models.alert.Alert."""

    __tablename__ = "alert"
    __table_args__ = (Index(None, "site_id", "onset_at"), Index(None, "gateway_id", "onset_at"))

    id: Mapped[Name] = mapped_column(primary_key=True)
    site_id: Mapped[Name]
    gateway_id: Mapped[Name]
    channel_id: Mapped[int | None] = mapped_column(BigInteger)
    place_id: Mapped[Name | None]
    incident_id: Mapped[Name | None] = mapped_column(ForeignKey("incident.id"), index=True)
    monitor: Mapped[Name]
    kind: Mapped[Name]
    hazard: Mapped[Name]
    severity: Mapped[Name]
    state: Mapped[Name]
    trial: Mapped[bool]
    exercise: Mapped[bool]
    score: Mapped[float] = mapped_column(Float)
    onset_at: Mapped[At]
    measured_at: Mapped[At]
    received_at: Mapped[At]
    resolved_at: Mapped[At | None]
    body: Mapped[Json]


class EvidenceRow(Base):
    """What re-runs the alert."""

    __tablename__ = "evidence"

    alert_id: Mapped[Name] = mapped_column(primary_key=True)
    site_id: Mapped[Name]
    received_at: Mapped[At]
    body: Mapped[Json]


class Incident(Base):
    """One matter, made of alerts and reports about a place and a hazard.

    `open_key` is "{place}/{hazard}" while the incident can be joined and null after, unique: two alerts at
    once cannot open two.
    """

    __tablename__ = "incident"
    __table_args__ = (
        Index(None, "site_id", "state", "opened_at"),
        Index(None, "place_id", "hazard", "resolved_at"),
    )

    id: Mapped[Name] = mapped_column(primary_key=True)
    site_id: Mapped[Name] = mapped_column(ForeignKey("site.id"))
    place_id: Mapped[Name | None] = mapped_column(ForeignKey("place.id"))
    open_key: Mapped[LongName | None] = mapped_column(unique=True)
    kind: Mapped[Name]
    hazard: Mapped[Name]
    severity: Mapped[Name]
    state: Mapped[Name]
    origin: Mapped[Name]  # alert | person
    exercise: Mapped[bool]
    summary: Mapped[Words]
    onset_at: Mapped[At]
    opened_at: Mapped[At]
    acknowledged_at: Mapped[At | None]
    acknowledged_by: Mapped[Name | None] = mapped_column(ForeignKey("account.id"))
    resolved_at: Mapped[At | None]
    quiet_since: Mapped[At | None]  # when its last alert resolved
    openings: Mapped[int] = mapped_column(default=1, server_default="1")  # 1 + times it was reopened
    version: Mapped[Number]


class TimelineEntry(Base):
    """What happened to an incident: a code with parameters, put into words by the page."""

    __tablename__ = "timeline_entry"

    id: Mapped[RisingId]
    site_id: Mapped[Name]
    incident_id: Mapped[Name] = mapped_column(ForeignKey("incident.id"), index=True)
    at: Mapped[At]
    actor: Mapped[LongName]
    code: Mapped[Name]
    parameters: Mapped[Json]
