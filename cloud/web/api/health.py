"""Whether the process lives, and whether it can serve; for whoever supervises it."""

from __future__ import annotations

from fastapi import APIRouter
from sqlalchemy import text

from cloud.storage.engine import reading
from cloud.web.api.answers import Answer
from cloud.web.security.access import PUBLIC
from cloud.web.state import State

router = APIRouter(tags=["health"])


class Healthy(Answer):
    """All is well."""

    status: str


@router.get("/healthz", dependencies=[PUBLIC])
async def is_alive() -> Healthy:
    """The process answers."""
    return Healthy(status="ok")


@router.get("/readyz", dependencies=[PUBLIC])
def is_ready(state: State) -> Healthy:
    """Both databases answer; 503 when one does not."""
    for engine in (state.main, state.series):
        with reading(engine) as session:
            session.execute(text("SELECT 1"))
    return Healthy(status="ready")
