"""The status page: what the gateway says of itself, to whoever stands before it. Loopback only."""

from __future__ import annotations

import hmac
import json
import logging
import secrets
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

from edge_agent.alone.look import render

log = logging.getLogger(__name__)
LOOPBACK = "127.0.0.1"
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'"
_BODY_AT_MOST = 1024


class StatusPage:
    """Serves the last status given to `show`, in threads of its own."""

    def __init__(self, port: int, test: Callable[[str], None]) -> None:
        """`port` 0 takes any free one. `test` is called with an action's name, from any thread."""
        self._told: dict[str, Any] = {}
        self._test, self._token = test, secrets.token_urlsafe(24)
        page = self

        class Handler(_Handler):
            owner = page

        self._server = ThreadingHTTPServer((LOOPBACK, port), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="page", daemon=True)

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def start(self) -> None:
        self._thread.start()
        log.info("status page: http://%s:%d/", LOOPBACK, self.port)

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def show(self, told: dict[str, Any]) -> None:
        """From now on this is what is shown."""
        self._told = told

    def html(self, language: str) -> str:
        return render(self._told, language, self._token)

    def json(self) -> str:
        return json.dumps(self._told)

    def try_action(self, name: str, token: str) -> bool:
        """Test an action, if the form came from this page."""
        if not hmac.compare_digest(token.encode(), self._token.encode()):
            return False
        self._test(name)
        return True


class _Handler(BaseHTTPRequestHandler):
    """GET / and /status.json, POST /test."""

    owner: StatusPage
    server_version, sys_version = "lastmile-edge", ""
    timeout = 10

    def do_GET(self) -> None:
        if not self._is_ours():
            self._answer(421, "text/plain", "not this host")
        elif self.path == "/":
            self._answer(200, "text/html", self.owner.html(self._language()))
        elif self.path == "/status.json":
            self._answer(200, "application/json", self.owner.json())
        else:
            self._answer(404, "text/plain", "not found")

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0) if self._is_ours() else -1
        if self.path != "/test" or not 0 < length <= _BODY_AT_MOST:
            self._answer(400, "text/plain", "refused")
            return
        form = parse_qs(self.rfile.read(length).decode(errors="replace"))
        if not self.owner.try_action(form.get("action", [""])[0], form.get("token", [""])[0]):
            self._answer(403, "text/plain", "refused")
            return
        self.send_response(303)
        self.send_header("Location", "/")
        self.end_headers()

    def _is_ours(self) -> bool:
        """Another name in Host is a page of the web that had its name pointed here."""
        return self.headers.get("Host", "") in (
            f"{LOOPBACK}:{self.owner.port}",
            f"localhost:{self.owner.port}",
        )

    def _language(self) -> str:
        return "zh" if self.headers.get("Accept-Language", "").lower().startswith("zh") else "en"

    def _answer(self, code: int, kind: str, text: str) -> None:
        body = text.encode()
        self.send_response(code)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Security-Policy", _POLICY)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the log is for what changes."""
