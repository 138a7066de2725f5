"""Wires the web process: databases, API, pages, guard. Nothing runs at import."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from cloud.fleet.channels import ChannelDirectory
from cloud.series.landed import LandedStore
from cloud.settings import Settings
from cloud.storage.engine import open_main, open_series
from cloud.web.api.routers import PLAIN, PREFIX, ROUTERS
from cloud.web.api.tail import Tail
from cloud.web.console import assets, routes
from cloud.web.console.error_page import error_page
from cloud.web.security.access import PUBLIC, declared_permissions
from cloud.web.security.guard import Guard
from cloud.web.security.replies import add_replies
from cloud.web.state import WebState
from models.clock import Clock, SystemClock


def create_app(settings: Settings, clock: Clock | None = None) -> FastAPI:
    """The whole web application. TypeError when a route declares no permission."""
    app = FastAPI(
        title="Lastmile",
        version="1",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        lifespan=_closing,
    )
    _fill(app, settings, clock or SystemClock())
    add_replies(app)
    for router in ROUTERS:
        app.include_router(router, prefix=PREFIX)
    for router in PLAIN:
        app.include_router(router)
    app.add_api_route(f"{PREFIX}/openapi.json", app.openapi, dependencies=[PUBLIC], include_in_schema=False)
    app.include_router(routes.router)
    assets.mount(app)
    app.state.error_page = error_page
    declared_permissions(app)
    app.add_middleware(Guard, names=settings.web.names, is_secure=settings.web.has_tls)
    return app


def _fill(app: FastAPI, settings: Settings, clock: Clock) -> None:
    main, series = open_main(settings), open_series(settings)
    store = LandedStore(series, ChannelDirectory(main))
    app.state.web = WebState(settings, main, series, store, clock)
    app.state.tail = Tail(app.state.web)


@asynccontextmanager
async def _closing(app: FastAPI) -> AsyncIterator[None]:
    yield
    app.state.web.main.dispose()
    app.state.web.series.dispose()
