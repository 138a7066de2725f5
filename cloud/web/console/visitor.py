"""Who looks, in which language and appearance; what a page may show them."""

from __future__ import annotations

from typing import Any

from fastapi import Depends, Request

from cloud.people.roles import Actor, Permission
from cloud.web.console.render import Viewer
from cloud.web.console.wording import LANGUAGES, preferred, wording
from cloud.web.security.access import Access, current_actor, needs
from cloud.web.state import web_state

THEMES = ("auto", "light", "dark")


def visitor(request: Request) -> Viewer:
    """Whoever looks, signed in or not."""
    return _viewer(request, current_actor(request))


def page(permission: Permission) -> Any:
    """Default of a page's parameter: declares the permission and gives the viewer who has it somewhere.

    Who is not signed in is sent to sign in first; who has it nowhere gets the page that says so.
    """

    def viewer(request: Request, access: Access = needs(permission)) -> Viewer:
        return _viewer(request, access.actor, access.sites)

    return Depends(viewer)


def _viewer(request: Request, actor: Actor | None, sites: frozenset[str] = frozenset()) -> Viewer:
    theme = request.cookies.get("lm_theme", "auto")
    return Viewer(
        actor=actor,
        sites=sites,
        words=wording(_language(request, actor)),
        theme=theme if theme in THEMES else "auto",
        now=web_state(request).now,
    )


def _language(request: Request, actor: Actor | None) -> str:
    """What was switched to on this browser, else the account's, else what the browser asks for."""
    chosen = request.cookies.get("lm_language", "")
    if chosen in LANGUAGES:
        return chosen
    return actor.language if actor else preferred(request.headers.get("accept-language", ""))
