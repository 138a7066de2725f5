"""Who may do what, who is signed in, and who did what."""

from __future__ import annotations

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from cloud.storage.base import At, Base, Json, LongName, Name, RisingId, Words


class Account(Base):
    """A person who signs in."""

    __tablename__ = "account"

    id: Mapped[Name] = mapped_column(primary_key=True)
    login: Mapped[Name] = mapped_column(unique=True)
    display_name: Mapped[LongName]
    language: Mapped[Name] = mapped_column(default="en")
    password_hash: Mapped[Words]
    created_at: Mapped[At]
    disabled_at: Mapped[At | None]


class Grant(Base):
    """A role of an account at one site, or at all (`*`)."""

    __tablename__ = "role_grant"
    __table_args__ = (UniqueConstraint("account_id", "site_id", "role"),)

    id: Mapped[RisingId]
    account_id: Mapped[Name] = mapped_column(ForeignKey("account.id"))
    site_id: Mapped[Name]
    role: Mapped[Name]


class LoginSession(Base):
    """A signed-in browser; the cookie holds the secret, the row its hash."""

    __tablename__ = "login_session"

    secret_hash: Mapped[Name] = mapped_column(primary_key=True)
    account_id: Mapped[Name] = mapped_column(ForeignKey("account.id"), index=True)
    created_at: Mapped[At]
    expires_at: Mapped[At]


class Token(Base):
    """A machine's key: named, hashed, with one role at one site or all (`*`)."""

    __tablename__ = "token"

    id: Mapped[RisingId]
    name: Mapped[LongName]
    secret_hash: Mapped[Name] = mapped_column(unique=True)
    site_id: Mapped[Name]
    role: Mapped[Name]
    created_at: Mapped[At]
    expires_at: Mapped[At | None]
    revoked_at: Mapped[At | None]


class LoginAttempt(Base):
    """Failed sign-ins and enrolments by source, for back-off."""

    __tablename__ = "login_attempt"
    __table_args__ = (Index(None, "source", "at"),)

    id: Mapped[RisingId]
    source: Mapped[LongName]
    at: Mapped[At]


class Audit(Base):
    """Every act: who, what, before, after. Append-only."""

    __tablename__ = "audit"

    id: Mapped[RisingId]
    site_id: Mapped[Name]
    at: Mapped[At]
    actor: Mapped[LongName]
    action: Mapped[Name]
    subject: Mapped[LongName]
    before: Mapped[Json]
    after: Mapped[Json]
