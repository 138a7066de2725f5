"""Keys of machines: 256 bits of chance, kept only as their SHA-256."""

from __future__ import annotations

import base64
import hashlib
import secrets

from sqlalchemy import select
from sqlalchemy.orm import Session

from cloud.errors import ConflictError, NotFoundError
from cloud.people.roles import Actor, Role
from cloud.people.tables import Token

PREFIX = "lm_"


def new_secret(prefix: str = "") -> str:
    """256 bits of chance as 43 URL-safe characters behind `prefix`."""
    return prefix + base64.urlsafe_b64encode(secrets.token_bytes(32)).rstrip(b"=").decode()


def hash_secret(secret: str) -> str:
    """How a secret is stored: SHA-256 suffices, as nobody can guess 256 bits."""
    return hashlib.sha256(secret.encode()).hexdigest()


def add_token(
    session: Session,
    *,
    name: str,
    role: str | Role,
    site_id: str,
    now: int,
    expires_at: int | None = None,
    secret: str | None = None,
) -> str:
    """Make a token and return its secret, which is shown once. ConflictError: name in use."""
    taken = select(Token.id).where(Token.name == name, Token.revoked_at.is_(None))
    if session.scalar(taken) is not None:
        raise ConflictError("token_taken", f"there is a token {name!r} already; revoke it first")
    secret = secret or new_secret(PREFIX)
    session.add(
        Token(
            name=name,
            secret_hash=hash_secret(secret),
            site_id=site_id,
            role=Role(role).value,
            created_at=now,
            expires_at=expires_at,
            revoked_at=None,
        )
    )
    session.flush()
    return secret


def find_token(session: Session, secret: str, now: int) -> Actor | None:
    """Whoever holds this secret; None when it is unknown, revoked or past its time."""
    token = session.scalar(select(Token).where(Token.secret_hash == hash_secret(secret)))
    if token is None or token.revoked_at is not None:
        return None
    if token.expires_at is not None and token.expires_at <= now:
        return None
    return Actor(token.name, token.name, frozenset({(token.site_id, Role(token.role))}))


def revoke_token(session: Session, name: str, now: int) -> None:
    """From now on the token opens nothing. NotFoundError when there is none in force by that name."""
    token = session.scalar(select(Token).where(Token.name == name, Token.revoked_at.is_(None)))
    if token is None:
        raise NotFoundError("token", f"no token {name!r} is in force")
    token.revoked_at = now
