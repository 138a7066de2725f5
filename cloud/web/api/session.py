"""Signing in and out, and who one is."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import Field

from cloud.errors import InvalidError
from cloud.people import audit
from cloud.people.accounts import LANGUAGES, actor_of, check_password, find_account
from cloud.people.roles import Permission
from cloud.people.tables import Account
from cloud.people.tokens import new_secret
from cloud.web.api.answers import Answer
from cloud.web.security.access import PUBLIC, Access, needs
from cloud.web.security.replies import UnauthenticatedError
from cloud.web.security.sessions import (
    COOKIE,
    begin_session,
    clear_cookie,
    csrf_token,
    end_session,
    set_cookie,
)
from cloud.web.security.throttle import forget_failures, note_failure, refuse_if_throttled
from cloud.web.state import State, WebState

router = APIRouter(tags=["session"])


class SignIn(Answer):
    """A person's login and password."""

    login: Annotated[str, Field(max_length=64)]
    password: Annotated[str, Field(max_length=256)]


class Role(Answer):
    """What one is at a site; `*` is all sites."""

    site: str
    role: str


class Me(Answer):
    """Who asks. `csrf` goes into X-LM-CSRF of every change; null for a token."""

    login: str
    name: str
    language: str
    account: str | None
    roles: list[Role]
    permissions: dict[str, list[str]]
    csrf: str | None


class Preferences(Answer):
    """What one may change of oneself."""

    language: str


@router.post("/session", dependencies=[PUBLIC])
def sign_in(given: SignIn, request: Request, response: Response, state: State) -> Me:
    """Sign in: sets the session cookie, always a fresh one."""
    address = request.client.host if request.client else "unknown"
    with state.reading() as session:
        refuse_if_throttled(session, address, given.login, state.now)
        account = find_account(session, given.login)
    is_good = check_password(account.password_hash if account else None, given.password)
    if account is None or not is_good or account.disabled_at is not None:
        raise _refused(state, address, given.login)
    secret = new_secret()
    _begin(state, account, secret, address, request.cookies.get(COOKIE))
    set_cookie(response, secret, is_secure=state.settings.web.has_tls)
    with state.reading() as session:
        actor = actor_of(session, account)
    return _me(Access(actor, Permission.SELF, actor.sites(Permission.SELF), secret))


@router.delete("/session", status_code=204)
def sign_out(response: Response, state: State, access: Access = needs(Permission.SELF)) -> None:
    """Sign out here: the cookie opens nothing any more."""
    if access.session_secret is not None:
        with state.writing() as session:
            end_session(session, access.session_secret)
    clear_cookie(response, is_secure=state.settings.web.has_tls)


@router.get("/me")
def me(access: Access = needs(Permission.SELF)) -> Me:
    """Who one is, what one may, and the token that changes must carry."""
    return _me(access)


@router.patch("/me")
def change_me(given: Preferences, state: State, access: Access = needs(Permission.SELF)) -> Me:
    """Change one's language."""
    if given.language not in LANGUAGES:
        raise InvalidError("language", f"one of {', '.join(LANGUAGES)}")
    if access.actor.account_id is not None:
        with state.writing() as session:
            session.get_one(Account, access.actor.account_id).language = given.language
    return _me(access).model_copy(update={"language": given.language})


def _refused(state: WebState, address: str, login: str) -> UnauthenticatedError:
    """The same words and time for an unknown login, a wrong password and a disabled account."""
    with state.writing() as session:
        note_failure(session, address, login, state.now)
    return UnauthenticatedError("login", "login or password is not right")


def _begin(state: WebState, account: Account, secret: str, address: str, old: str | None) -> None:
    with state.writing() as session:
        forget_failures(session, address, account.login)
        if old:
            end_session(session, old)
        begin_session(session, account, secret, state.now)
        audit.record(
            session,
            site_id="*",
            actor=f"person/{account.login}",
            action="session.begin",
            subject=account.id,
            before={},
            after={"address": address},
            at=state.now,
        )


def _me(access: Access) -> Me:
    actor = access.actor
    secret = access.session_secret
    return Me(
        login=actor.login,
        name=actor.display_name,
        language=actor.language,
        account=actor.account_id,
        roles=[Role(site=site, role=role.value) for site, role in sorted(actor.grants)],
        permissions={one.value: sorted(actor.sites(one)) for one in Permission if actor.sites(one)},
        csrf=None if secret is None else csrf_token(secret),
    )
