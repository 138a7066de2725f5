"""Refusals and failures as answers: JSON for the API, a page for browsers; never a stack trace."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, RedirectResponse, Response

from cloud.errors import (
    ConflictError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    RefusedError,
    ThrottledError,
)


class UnauthenticatedError(RefusedError):
    """Nobody is signed in here, or no longer."""


STATUS: dict[type[RefusedError], int] = {
    UnauthenticatedError: 401,
    NotFoundError: 404,
    ConflictError: 409,
    InvalidError: 422,
    ForbiddenError: 403,
    ThrottledError: 429,
}
_CODES = {400: "bad_request", 401: "signed_out", 403: "forbidden", 404: "not_found", 405: "method"}


def reply_to(
    request: Request,
    status: int,
    code: str,
    message: str,
    *,
    detail: Any = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The answer for one refusal: a page where pages live, else `{"error": {code, message, detail}}`."""
    path = request.url.path
    is_page = not path.startswith(("/api/", "/healthz", "/readyz"))
    if is_page and status == 401:
        wanted = path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(f"/sign-in?next={quote(wanted)}", 303)
    page = getattr(request.app.state, "error_page", None) if is_page and "app" in request.scope else None
    if page is not None:
        response: Response = page(request, status)
        response.headers.update(headers or {})
        return response
    error = {"code": code, "message": message, "detail": detail}
    return JSONResponse({"error": error}, status, headers=dict(headers or {}))


def add_replies(app: FastAPI) -> None:
    """Teach the application to answer for every kind of refusal."""

    @app.exception_handler(RefusedError)
    def _refused(request: Request, wrong: RefusedError) -> Response:
        status = next((STATUS[kind] for kind in type(wrong).__mro__ if kind in STATUS), 400)
        headers = {}
        if isinstance(wrong, ThrottledError):
            headers["Retry-After"] = str(math.ceil(wrong.retry_after_s))
        if status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        return reply_to(request, status, wrong.code, wrong.message, headers=headers)

    @app.exception_handler(RequestValidationError)
    def _invalid(request: Request, wrong: RequestValidationError) -> Response:
        # What was sent is not sent back: it may be a password, or markup.
        told = [
            {"where": [str(part) for part in one["loc"]], "message": one["msg"]} for one in wrong.errors()
        ]
        return reply_to(request, 422, "invalid", "the request does not fit; see detail", detail=told)

    @app.exception_handler(HTTPException)
    def _http(request: Request, wrong: HTTPException) -> Response:
        code = _CODES.get(wrong.status_code, "refused")
        return reply_to(request, wrong.status_code, code, str(wrong.detail), headers=wrong.headers)
