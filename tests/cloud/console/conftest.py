"""A cloud with console_seed's evening in it, made once: pages read, and change nothing here."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from console_seed import PASSWORD, seed
from fastapi import FastAPI
from fastapi.testclient import TestClient

from cloud.settings import Settings
from cloud.storage.engine import open_main, open_series
from cloud.storage.migrate import upgrade
from cloud.web.app import create_app


@pytest.fixture(scope="session")
def console_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FastAPI]:
    settings = Settings(state=Path(tmp_path_factory.mktemp("console")))
    main, series = open_main(settings), open_series(settings)
    upgrade(main, "main")
    upgrade(series, "series")
    seed(main, series, time.time_ns())
    main.dispose()
    series.dispose()
    yield create_app(settings)


@pytest.fixture
def visit(console_app: FastAPI) -> Callable[..., TestClient]:
    """Somebody's browser, signed in; nobody's without a login."""

    def signed_in(login: str = "", language: str = "en") -> TestClient:
        client = TestClient(console_app, base_url="http://testserver", follow_redirects=False)
        client.cookies.set("lm_language", language)
        if login:
            origin = {"Origin": "http://testserver"}
            given = {"login": login, "password": PASSWORD}
            assert client.post("/api/v1/session", json=given, headers=origin).status_code == 200
        return client

    return signed_in
