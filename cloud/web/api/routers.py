"""Every router of the API, written out."""

from __future__ import annotations

from fastapi import APIRouter

from cloud.web.api import (
    alerts,
    enrol,
    events,
    gateways,
    guarding,
    health,
    incidents,
    ledger,
    places,
    series,
    session,
    summary,
    tasks,
)

PREFIX = "/api/v1"
ROUTERS: tuple[APIRouter, ...] = (
    session.router,
    enrol.router,
    places.router,
    gateways.router,
    guarding.router,
    series.router,
    alerts.router,
    incidents.router,
    tasks.router,
    ledger.router,
    summary.router,
    events.router,
)
PLAIN: tuple[APIRouter, ...] = (health.router,)
