"""Permissions of routes: every route declares one, through one dependency, or says that it is public."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fastapi import Depends, FastAPI, Request
from fastapi.routing import iter_route_contexts
from sqlalchemy import ColumnElement, true
from sqlalchemy.orm import InstrumentedAttribute
from starlette.routing import Mount

from cloud.errors import ForbiddenError, NotFoundError
from cloud.people.roles import ALL_SITES, Actor, Permission, covers
from cloud.people.tokens import find_token
from cloud.web.security.origin import refuse_without_origin
from cloud.web.security.replies import UnauthenticatedError
from cloud.web.security.sessions import COOKIE, CSRF_HEADER, find_session, is_csrf_token
from cloud.web.state import web_state

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class Access:
    """Who asks, and at which sites they may do what the route is for."""

    actor: Actor
    permission: Permission
    sites: frozenset[str]
    session_secret: str | None = None

    def check(self, site_id: str) -> None:
        """Pass if the route is permitted at this site.

        ForbiddenError for somebody of the site, NotFoundError for everybody else: strangers are not told
        what exists.
        """
        if covers(self.sites, site_id):
            return
        if self.actor.may(Permission.SEE, site_id):
            raise ForbiddenError(
                "forbidden", f"your role at {site_id} does not permit {self.permission.value}"
            )
        raise NotFoundError("not_found", "no such thing, or not for you")

    def narrow(self, site_id: str | None) -> frozenset[str]:
        """The asker's sites, or just this one; refused like `check` when it is not theirs."""
        if not site_id:
            return self.sites
        self.check(site_id)
        return frozenset({site_id})


def within(column: InstrumentedAttribute[Any], site_ids: frozenset[str]) -> ColumnElement[bool]:
    """Condition that a row's site is one of these; "*" means all."""
    return true() if ALL_SITES in site_ids else column.in_(sorted(site_ids))


class Needs:
    """The dependency that declares and enforces a route's permission."""

    def __init__(self, permission: Permission) -> None:
        self.permission = permission

    def __call__(self, request: Request) -> Access:
        actor, secret = authenticate(request)
        if secret is not None and request.method not in SAFE_METHODS:
            refuse_without_origin(request)
            if not is_csrf_token(secret, request.headers.get(CSRF_HEADER, "")):
                raise ForbiddenError("csrf", "the X-LM-CSRF header is missing or old; load the page again")
        sites = actor.sites(self.permission)
        if not sites:
            raise ForbiddenError("forbidden", f"your roles do not permit {self.permission.value}")
        return Access(actor, self.permission, sites, secret)


class Public:
    """The dependency that declares a route open to everybody."""

    permission = None

    def __call__(self) -> None:
        return None


def needs(permission: Permission) -> Any:
    """Default of a route's parameter: `access: Access = needs(Permission.SEE)`."""
    return Depends(Needs(permission))


PUBLIC = Depends(Public())


def authenticate(request: Request) -> tuple[Actor, str | None]:
    """Who asks, and the session's secret if it is a browser. UnauthenticatedError when nobody is known.

    A token in the header stands above a cookie, so a machine never acts in a person's name.
    """
    state = web_state(request)
    header = request.headers.get("authorization", "")
    secret = request.cookies.get(COOKIE)
    with state.reading() as session:
        if header:
            scheme, _, token = header.partition(" ")
            actor = find_token(session, token.strip(), state.now) if scheme.lower() == "bearer" else None
            if actor is not None:
                return actor, None
            raise UnauthenticatedError("token", "the token is not known, or no longer good")
        actor = find_session(session, secret, state.now) if secret else None
    if actor is None or secret is None:
        raise UnauthenticatedError("signed_out", "sign in first")
    return actor, secret


def current_actor(request: Request) -> Actor | None:
    """Who asks, or None: for pages that everybody may see."""
    try:
        return authenticate(request)[0]
    except UnauthenticatedError:
        return None


def declared_permissions(app: FastAPI) -> dict[tuple[str, str], Permission | None]:
    """Permission of every route by (method, path); None where it is public. Mounted files are left out.

    TypeError names the first route that declares none, or two: such an application is not built.
    """
    found: dict[tuple[str, str], Permission | None] = {}
    for context in iter_route_contexts(app.routes):
        if isinstance(context.route, Mount):
            continue
        dependant = getattr(context, "dependant", None)
        declared = _declarations(dependant) if dependant is not None else []
        if len(declared) != 1:
            raise TypeError(
                f"route {context.path} ({context.name}) must declare one permission, not {declared}"
            )
        for method in context.methods or ():
            found[method, str(context.path)] = declared[0]
    return found


def _declarations(dependant: Any) -> list[Permission | None]:
    own = [dependant.call.permission] if isinstance(dependant.call, Needs | Public) else []
    return own + [one for inner in dependant.dependencies for one in _declarations(inner)]
