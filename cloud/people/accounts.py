"""Accounts: people who sign in, their passwords and their roles."""

from __future__ import annotations

import hashlib

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from cloud.errors import ConflictError, InvalidError, NotFoundError
from cloud.people.roles import ALL_SITES, Actor, Role
from cloud.people.tables import Account, Grant, LoginSession
from models.identity import is_name

MINIMUM_PASSWORD = 8
LANGUAGES = ("en", "zh")
NO_PASSWORD = "!"  # matches nothing; the account cannot sign in until a password is set
_HASHER = PasswordHasher()  # argon2id, RFC 9106's second recommendation
# Verified when the login is unknown, so that an unknown login takes as long as a wrong password.
_NOBODY = "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHRzb21lc2FsdA$KJnGTuYrJWOnLmLsANrYBsdvMAB6rsiUk4DyZ1YPCTU"


def account_id(login: str) -> str:
    """Id of the account that was first given this login.

    >>> account_id("wang") == account_id("wang") != account_id("li")
    True
    """
    return hashlib.blake2b(f"account\x1f{login}".encode(), digest_size=8).hexdigest()


def create_account(
    session: Session, *, login: str, display_name: str, language: str, password: str | None, now: int
) -> str:
    """Add an account and return its id; without a password it cannot sign in yet.

    ConflictError when the login is taken; InvalidError for a bad login, language or too short a password.
    """
    if not is_name(login):
        raise InvalidError("login", f"{login!r} is no login: use a-z, 0-9, dot, dash, underscore; at most 63")
    if language not in LANGUAGES:
        raise InvalidError("language", f"{language!r} is not one of {', '.join(LANGUAGES)}")
    if find_account(session, login) is not None:
        raise ConflictError("login_taken", f"there is an account {login!r} already")
    account = Account(
        id=account_id(login),
        login=login,
        display_name=display_name,
        language=language,
        password_hash=NO_PASSWORD if password is None else _hash(password),
        created_at=now,
        disabled_at=None,
    )
    session.add(account)
    session.flush()
    return account.id


def find_account(session: Session, login: str) -> Account | None:
    """The account with this login, disabled ones included."""
    return session.scalar(select(Account).where(Account.login == login))


def set_password(session: Session, account_id: str, password: str) -> None:
    """Change the password and end every session of the account."""
    _account(session, account_id).password_hash = _hash(password)
    end_sessions(session, account_id)


def disable_account(session: Session, account_id: str, now: int) -> None:
    """Nobody signs in with it any more; its sessions end, what it did stays."""
    account = _account(session, account_id)
    account.disabled_at = account.disabled_at or now
    end_sessions(session, account_id)


def end_sessions(session: Session, account_id: str) -> None:
    """Sign the account out everywhere."""
    session.execute(delete(LoginSession).where(LoginSession.account_id == account_id))


def grant(session: Session, account_id: str, site_id: str, role: str | Role) -> None:
    """Give a role at a site, or at all ("*"); giving it again changes nothing."""
    row = {"account_id": account_id, "site_id": site_id, "role": Role(role).value}
    if session.scalar(select(Grant.id).filter_by(**row)) is None:
        session.add(Grant(**row))
        session.flush()


def revoke(session: Session, account_id: str, site_id: str, role: str | Role) -> None:
    """Take a role away; nothing happens when it was not there."""
    gone = delete(Grant).where(Grant.account_id == account_id, Grant.site_id == site_id)
    session.execute(gone.where(Grant.role == Role(role).value))


def actor_of(session: Session, account: Account) -> Actor:
    """The account with its roles as they are now."""
    rows = session.execute(select(Grant.site_id, Grant.role).where(Grant.account_id == account.id))
    grants = frozenset((site_id, Role(role)) for site_id, role in rows)
    return Actor(account.login, account.display_name, grants, account.id, account.language)


def check_password(password_hash: str | None, password: str) -> bool:
    """Whether the password fits. With no hash it takes as long and says no."""
    try:
        _HASHER.verify(password_hash or _NOBODY, password)
    except (VerificationError, InvalidHashError):
        return False
    return password_hash is not None


def works_at(session: Session, account_id: str, site_id: str) -> bool:
    """Whether tasks of a site may go to this account: enabled, with any role there."""
    account = session.get(Account, account_id)
    if account is None or account.disabled_at is not None:
        return False
    granted = select(Grant.id).where(Grant.account_id == account_id, Grant.site_id.in_((site_id, ALL_SITES)))
    return session.scalar(granted.limit(1)) is not None


def _hash(password: str) -> str:
    if len(password) < MINIMUM_PASSWORD:
        raise InvalidError("password", f"a password needs at least {MINIMUM_PASSWORD} characters")
    return _HASHER.hash(password)


def _account(session: Session, account_id: str) -> Account:
    account = session.get(Account, account_id)
    if account is None:
        raise NotFoundError("account", "no such account")
    return account
