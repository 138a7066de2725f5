"""Signed-in browsers: a secret in a cookie, its hash in a row, and a CSRF token made from it."""

from __future__ import annotations

import hashlib
import hmac

from fastapi import Response
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from cloud.people.accounts import actor_of
from cloud.people.roles import Actor
from cloud.people.tables import Account, LoginSession
from cloud.people.tokens import hash_secret
from models.clock import SECOND_NS

COOKIE = "lm_session"
CSRF_HEADER = "x-lm-csrf"
# A worker signs in once a week; disabling the account ends the session at the next request.
LASTS_S = 7 * 86_400


def begin_session(session: Session, account: Account, secret: str, now: int) -> None:
    """Sign the account in under a new secret; what the browser held before is worth nothing."""
    session.add(
        LoginSession(
            secret_hash=hash_secret(secret),
            account_id=account.id,
            created_at=now,
            expires_at=now + LASTS_S * SECOND_NS,
        )
    )


def find_session(session: Session, secret: str, now: int) -> Actor | None:
    """Whoever is signed in with this secret; None when it is unknown, over, or the account is disabled."""
    query = (
        select(Account)
        .join(LoginSession, LoginSession.account_id == Account.id)
        .where(LoginSession.secret_hash == hash_secret(secret), LoginSession.expires_at > now)
    )
    account = session.scalar(query)
    return None if account is None or account.disabled_at is not None else actor_of(session, account)


def end_session(session: Session, secret: str) -> None:
    """Sign out."""
    session.execute(delete(LoginSession).where(LoginSession.secret_hash == hash_secret(secret)))


def csrf_token(secret: str) -> str:
    """What unsafe requests must repeat; only pages of ours can read it.

    >>> csrf_token("a") == csrf_token("a") != csrf_token("b")
    True
    """
    return hmac.new(secret.encode(), b"lastmile csrf", hashlib.sha256).hexdigest()


def is_csrf_token(secret: str, given: str) -> bool:
    """Whether this is the session's token; takes as long for a wrong one."""
    return hmac.compare_digest(csrf_token(secret).encode(), given.encode())


def set_cookie(response: Response, secret: str, *, is_secure: bool) -> None:
    """Give the secret to the browser: no script may read it, no other site may send it."""
    response.set_cookie(
        COOKIE, secret, max_age=LASTS_S, path="/", secure=is_secure, httponly=True, samesite="lax"
    )


def clear_cookie(response: Response, *, is_secure: bool) -> None:
    """Take the cookie back."""
    response.delete_cookie(COOKIE, path="/", secure=is_secure, httponly=True, samesite="lax")
