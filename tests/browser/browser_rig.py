"""A real cloud web process with console_seed's evening in it, and a real Chromium looking at it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from console_seed import PASSWORD, seed
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from programs import find_program
from sqlalchemy import Engine

from cloud.settings import Settings
from cloud.storage.engine import open_main, open_series
from cloud.storage.migrate import upgrade

ROOT = Path(__file__).parents[2]
CHROMIUM = find_program("chromium") or "chromium"
# Set-up makes it where playwright's own node lacks a library.
if node := find_program("playwright-node"):
    os.environ["PLAYWRIGHT_NODEJS_PATH"] = node
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()
_SERVE = (
    "import sys, uvicorn; from pathlib import Path; from cloud.settings import Settings; "
    "from cloud.web.app import create_app; "
    "uvicorn.run(create_app(Settings(state=Path(sys.argv[1]))), host='127.0.0.1', port=int(sys.argv[2]), "
    "log_level='warning', timeout_graceful_shutdown=1)"
)


@dataclass(frozen=True, slots=True)
class Cloud:
    """A cloud that is served at `base`; tests may change `main` as ingest would."""

    base: str
    main: Engine


@dataclass
class Visit:
    """A page and what went wrong on it."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)


@pytest.fixture(scope="session")
def served_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """One cloud for all: a test may add to it and answer, and resolves only what no other test looks at."""
    state = tmp_path_factory.mktemp("served")
    settings = Settings(state=state)
    main, series = open_main(settings), open_series(settings)
    upgrade(main, "main")
    upgrade(series, "series")
    seed(main, series, time.time_ns())
    series.dispose()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-c", _SERVE, str(state), str(port)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    try:
        base = f"http://127.0.0.1:{port}"
        _wait_for(base, server)
        yield Cloud(base, main)
    finally:
        server.send_signal(signal.SIGTERM)
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()
        main.dispose()


def _wait_for(base: str, server: subprocess.Popen[bytes]) -> None:
    for _ in range(300):
        assert server.poll() is None, "the web process ended by itself"
        try:
            urllib.request.urlopen(f"{base}/healthz", timeout=2)
            return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise AssertionError("the web process does not answer")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Ends with each file: while it runs, playwright holds an event loop that later tests must not meet."""
    # A ceiling, not a figure: machines that test are busy.
    expect.set_options(timeout=20_000)
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def open_browser(chromium: Browser, served_cloud: Cloud) -> Iterator[Callable[..., Visit]]:
    """A fresh browser at a width, signed in unless `login` is empty."""
    contexts: list[BrowserContext] = []

    def opened(login: str = "", width: int = 1280, language: str = "en", **about: object) -> Visit:
        context = chromium.new_context(
            base_url=served_cloud.base, viewport={"width": width, "height": 800}, locale=language, **about
        )
        context.set_default_timeout(20_000)
        context.add_cookies([{"name": "lm_language", "value": language, "url": served_cloud.base}])
        contexts.append(context)
        visit = Visit(context.new_page())
        _watch(visit)
        if login:
            sign_in(visit.page, login)
        return visit

    yield opened
    for context in contexts:
        context.close()


def _watch(visit: Visit) -> None:
    """Note errors and who is called. A session that is not there yet is no error."""
    page = visit.page
    page.on("pageerror", lambda wrong: visit.complaints.append(str(wrong)))
    page.on("console", lambda said: visit.complaints.append(said.text) if said.type == "error" else None)
    page.on("request", lambda asked: visit.hosts.add(asked.url.split("/")[2]))


def sign_in(page: Page, login: str) -> None:
    page.goto("/sign-in")
    page.fill("[name=login]", login)
    page.fill("[name=password]", PASSWORD)
    page.press("[name=password]", "Enter")
    page.wait_for_url(lambda url: "/sign-in" not in url)
