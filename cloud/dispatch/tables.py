"""Verification tasks, the clocks on them and what was found."""

from __future__ import annotations

from sqlalchemy import BigInteger, Float, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from cloud.storage.base import At, Base, Name, RisingId, Words


class Task(Base):
    """A request to look. One per incident and purpose, whatever is redelivered."""

    __tablename__ = "task"
    __table_args__ = (
        UniqueConstraint("incident_id", "purpose"),
        Index(None, "assignee_id", "state"),
        Index(None, "site_id", "state"),
    )

    id: Mapped[Name] = mapped_column(primary_key=True)
    site_id: Mapped[Name] = mapped_column(ForeignKey("site.id"))
    incident_id: Mapped[Name] = mapped_column(ForeignKey("incident.id"))
    purpose: Mapped[Name]
    assignee_id: Mapped[Name | None] = mapped_column(ForeignKey("account.id"))
    assigned_because: Mapped[Name]  # grid | duty_officer | nobody | escalation
    state: Mapped[Name]  # issued | delivered | accepted | on_site | verified | closed
    measured_at: Mapped[At | None]  # the reading that caused it; null when a person did
    issued_at: Mapped[At]
    delivered_at: Mapped[At | None]
    accepted_at: Mapped[At | None]
    on_site_at: Mapped[At | None]
    verified_at: Mapped[At | None]
    closed_at: Mapped[At | None]


class Deadline(Base):
    """A clock on somebody, as a row: due, then either met or fired, once."""

    __tablename__ = "deadline"
    __table_args__ = (
        UniqueConstraint("task_id", "clock", "rung"),
        Index(None, "ended_at", "due_at"),
    )

    id: Mapped[RisingId]
    site_id: Mapped[Name]
    task_id: Mapped[Name] = mapped_column(ForeignKey("task.id"))
    clock: Mapped[Name]  # accepted | verified
    rung: Mapped[int]
    due_at: Mapped[At]
    ended_at: Mapped[At | None]
    ended_as: Mapped[Name | None]  # met | fired | void


class OutcomeRow(Base):
    """What was found. `key` makes a second sending harmless."""

    __tablename__ = "outcome"

    id: Mapped[RisingId]
    key: Mapped[Name] = mapped_column(unique=True)
    site_id: Mapped[Name]
    task_id: Mapped[Name] = mapped_column(ForeignKey("task.id"), index=True)
    incident_id: Mapped[Name] = mapped_column(ForeignKey("incident.id"), index=True)
    account_id: Mapped[Name | None]
    verdict: Mapped[Name]
    cause: Mapped[Name]
    note: Mapped[Words]
    measured_value: Mapped[float | None] = mapped_column(Float)
    measured_unit: Mapped[Name]
    answered_at: Mapped[At]
    alert_onset_at: Mapped[int | None] = mapped_column(BigInteger)


class Assignment(Base):
    """Who was asked to do a task, and why; the last row is who has it."""

    __tablename__ = "assignment"
    __table_args__ = (UniqueConstraint("task_id", "rung"),)

    id: Mapped[RisingId]
    site_id: Mapped[Name]
    task_id: Mapped[Name] = mapped_column(ForeignKey("task.id"))
    rung: Mapped[int]
    account_id: Mapped[Name | None] = mapped_column(ForeignKey("account.id"))
    because: Mapped[Name]
    at: Mapped[At]


class ServerClock(Base):
    """Wall minus monotonic time of one boot, as last seen: what a step of the server's clock is told by.

    `seen_at`: the time it showed when last looked at; a later boot that begins before it has a wrong clock.
    """

    __tablename__ = "server_clock"

    boot: Mapped[Name] = mapped_column(primary_key=True)
    offset_ns: Mapped[At]
    steps: Mapped[int]
    seen_at: Mapped[At] = mapped_column(default=0, server_default="0")
