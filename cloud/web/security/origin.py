"""Requests that another site's page makes with our visitor's browser are refused."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from fastapi import Request

from cloud.errors import ForbiddenError


def is_ours(headers: Mapping[str, str], names: tuple[str, ...] = ()) -> bool:
    """Whether the Origin is the host that was asked, or one of `names`; True when there is no Origin.

    `headers` has lower-case keys.

    >>> is_ours({"host": "lastmile.example:8080", "origin": "http://lastmile.example:8080"})
    True
    >>> is_ours({"host": "lastmile.example", "origin": "https://evil.example"})
    False
    >>> is_ours({"host": "lastmile.example", "origin": "null"})
    False
    """
    origin = headers.get("origin")
    if origin is None:
        return True
    parts = urlsplit(origin)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        return False
    return parts.netloc.lower() == headers.get("host", "").lower() or parts.hostname in names


def refuse_without_origin(request: Request) -> None:
    """For changes with a session cookie: browsers always say where they come from, so it must be said.

    That it is ours has been seen to for every request before this.
    """
    if "origin" not in request.headers:
        raise ForbiddenError("origin", "a change with a session cookie needs an Origin header")
