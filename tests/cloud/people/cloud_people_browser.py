"""The real application, asked as browsers and machines ask it."""

from __future__ import annotations

from typing import Any

import httpx
from cloud_people_street import PASSWORD, Street
from fastapi.testclient import TestClient

from cloud.people.tokens import add_token
from cloud.storage.engine import transaction
from cloud.web.app import create_app

ADDRESS = "http://lastmile.test"
API = "/api/v1"


class Browser:
    """One client of the application. Times are virtual, the databases real files."""

    def __init__(self, street: Street, app: Any = None) -> None:
        self.street = street
        self.app = app or create_app(street.settings, street.clock)
        self.client = TestClient(
            self.app, base_url=ADDRESS, raise_server_exceptions=False, follow_redirects=False
        )
        self.headers: dict[str, str] = {"Origin": ADDRESS}

    def other(self) -> Browser:
        """Another browser on the same application."""
        return Browser(self.street, self.app)

    def sign_in(self, login: str, password: str = PASSWORD) -> httpx.Response:
        answer = self.post("/session", {"login": login, "password": password})
        if answer.status_code == 200:
            self.headers["X-LM-CSRF"] = answer.json()["csrf"]
        return answer

    def with_token(self, role: str, site: str) -> Browser:
        """Another client that carries a token."""
        with transaction(self.street.engine) as session:
            token = add_token(session, name=f"{role}-{site}", role=role, site_id=site, now=self.street.now)
        machine = self.other()
        machine.headers = {"Authorization": f"Bearer {token}"}
        return machine

    def get(self, path: str, **query: Any) -> httpx.Response:
        headers = {name: value for name, value in self.headers.items() if name == "Authorization"}
        return self.client.get(API + path, params=query, headers=headers)

    def post(self, path: str, content: Any = None, **headers: str | None) -> httpx.Response:
        return self.ask("POST", API + path, content, **headers)

    def ask(self, method: str, path: str, content: Any = None, **changed: str | None) -> httpx.Response:
        renamed = {name.replace("_", "-"): value for name, value in changed.items()}
        headers = {name: value for name, value in {**self.headers, **renamed}.items() if value is not None}
        return self.client.request(method, path, json=content, headers=headers)

    def items(self, path: str, **query: Any) -> list[dict[str, Any]]:
        answer = self.get(path, **query)
        assert answer.status_code == 200, answer.text
        return answer.json()["items"]
