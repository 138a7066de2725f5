"""What stands before every route: Origin, size of bodies, security headers, and no stack traces."""

from __future__ import annotations

import logging

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cloud.errors import StoreError
from cloud.web.security.origin import is_ours
from cloud.web.security.replies import reply_to

MAX_BODY_BYTES = 4 << 20
_CSP = "; ".join(
    (
        "default-src 'self'",
        "img-src 'self' data:",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": _CSP,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(self)",
}
_HSTS = "max-age=31536000"
_LOG = logging.getLogger(__name__)


class TooLargeError(Exception):
    """A body that goes on past what is taken."""


class Guard:
    """ASGI middleware round the whole application."""

    def __init__(self, app: ASGIApp, *, names: tuple[str, ...] = (), is_secure: bool = False) -> None:
        self._app, self._names, self._is_secure = app, names, is_secure

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "websocket":  # there are none
                await send({"type": "websocket.close", "code": 1008})
                return
            await self._app(scope, receive, send)
            return
        await self._guard(scope, receive, send)

    async def _guard(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        started = False
        taken = 0

        async def watched_send(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                self._add_headers(message, scope["path"])
            await send(message)

        async def bounded_receive() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > MAX_BODY_BYTES:
                raise TooLargeError
            return message

        if not (is_ours(headers, self._names) and _is_small(headers)):
            refusal = await run_in_threadpool(self._refusal, scope, headers)
            await refusal(scope, receive, watched_send)
            return
        try:
            await self._app(scope, bounded_receive, watched_send)
        except Exception as wrong:
            if started:
                raise
            # A page for it looks up who asks, so not on the event loop.
            answer = await run_in_threadpool(self._answer_failure, wrong, scope)
            await answer(scope, receive, watched_send)

    def _refusal(self, scope: Scope, headers: Headers) -> Response:
        if is_ours(headers, self._names):
            return _too_large(scope)
        return reply_to(Request(scope), 403, "origin", "requests from other sites' pages are refused")

    def _answer_failure(self, wrong: Exception, scope: Scope) -> Response:
        if isinstance(wrong, TooLargeError):
            return _too_large(scope)
        if isinstance(wrong, StoreError):
            _LOG.warning("%s %s: %s", scope["method"], scope["path"], wrong)
            return reply_to(
                Request(scope),
                503,
                "store",
                "the database is busy; try again in a moment",
                headers={"Retry-After": "2"},
            )
        _LOG.error("%s %s failed", scope["method"], scope["path"], exc_info=wrong)
        return reply_to(Request(scope), 500, "internal", "the server failed; it has been written down")

    def _add_headers(self, message: Message, path: str) -> None:
        headers = MutableHeaders(scope=message)
        for name, value in HEADERS.items():
            headers[name] = value
        if self._is_secure:
            headers["Strict-Transport-Security"] = _HSTS
        if path.startswith("/api/"):
            headers.setdefault("Cache-Control", "no-store")


def _is_small(headers: Headers) -> bool:
    length = headers.get("content-length", "0")
    return length.isdecimal() and int(length) <= MAX_BODY_BYTES


def _too_large(scope: Scope) -> Response:
    return reply_to(Request(scope), 413, "too_large", f"at most {MAX_BODY_BYTES} bytes are taken")
