"""What a browser is shown when a page cannot be."""

from __future__ import annotations

import logging

from fastapi import Request
from starlette.responses import Response

from cloud.errors import StoreError
from cloud.web.console.render import Viewer, render
from cloud.web.console.visitor import visitor
from cloud.web.console.wording import preferred, wording
from cloud.web.state import web_state

_KNOWN = (403, 404, 500, 503)
_LOG = logging.getLogger(__name__)


def error_page(request: Request, status: int) -> Response:
    """The page for a status, in the same look; says nothing of what was asked for."""
    viewer = _viewer(request)
    words = viewer.words
    family = f"error.{status}" if status in _KNOWN else "error.other"
    return render(
        "error.html",
        viewer,
        status=status,
        status_code=status,
        heading=words.say(f"{family}_title"),
        text=words.say(f"{family}_text", status=status),
    )


def _viewer(request: Request) -> Viewer:
    """Whoever looks; nobody, when the database that knows them is what failed."""
    try:
        return visitor(request)
    except StoreError:
        _LOG.info("an error page is shown without knowing to whom")
        language = preferred(request.headers.get("accept-language", ""))
        return Viewer(None, frozenset(), wording(language), "auto", web_state(request).now)
