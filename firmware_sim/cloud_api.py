"""The cloud as its HTTP API shows it: to a person with a password, or to a machine with a token."""

from __future__ import annotations

from typing import Any

import httpx

from firmware_sim.errors import ApiError

PREFIX = "/api/v1"


class CloudApi:
    """One client of the API. Every failure is an ApiError with the status, 0 when there was no answer."""

    def __init__(self, address: str, token: str = "", transport: httpx.BaseTransport | None = None) -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._address = address.rstrip("/")
        self._client = httpx.Client(
            base_url=self._address + PREFIX,
            headers=headers,
            timeout=15.0,
            transport=transport,
            verify=self._address.startswith("https"),
            trust_env=False,
        )
        self._csrf = ""

    def sign_in(self, login: str, password: str) -> None:
        """Become that person; the session lives in the client's cookies."""
        self.post("/session", {"login": login, "password": password})
        self._csrf = str(self.get("/me").get("csrf", ""))

    @property
    def is_signed_in(self) -> bool:
        return bool(self._csrf)

    def get(self, path: str, **query: Any) -> Any:
        return self._ask("GET", path, params={k: v for k, v in query.items() if v is not None})

    def post(self, path: str, content: Any = None) -> Any:
        return self._change("POST", path, content)

    def put(self, path: str, content: Any) -> Any:
        return self._change("PUT", path, content)

    def close(self) -> None:
        self._client.close()

    def _change(self, method: str, path: str, content: Any) -> Any:
        headers = {"Origin": self._address}
        if self._csrf:
            headers["X-LM-CSRF"] = self._csrf
        return self._ask(method, path, json={} if content is None else content, headers=headers)

    def _ask(self, method: str, path: str, **rest: Any) -> Any:
        try:
            answer = self._client.request(method, path, **rest)
        except httpx.HTTPError as error:
            raise ApiError(f"{method} {path}", 0, str(error)) from error
        if answer.status_code >= 400:
            if answer.status_code == 401:
                self._csrf = ""
            raise ApiError(f"{method} {path}", answer.status_code, answer.text[:200])
        return answer.json() if answer.content else None


def rows_of(answer: Any) -> list[dict[str, Any]]:
    """The list in an answer, bare or under its one list-valued key."""
    if isinstance(answer, list):
        return answer
    return next((value for value in (answer or {}).values() if isinstance(value, list)), [])
