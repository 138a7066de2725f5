"""What changes, as it changes: server-sent events that resume where they were cut."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request
from starlette.responses import StreamingResponse

from cloud.errors import RefusedError
from cloud.people.roles import Permission, covers
from cloud.web.api.moments import iso
from cloud.web.api.tail import Tail, Told
from cloud.web.security.access import Access, authenticate, needs

router = APIRouter(tags=["events"])

RETRY_MS = 2000
HEARTBEAT_S = 15.0
# How long a stream may outlive its session.
CHECK_EVERY_S = 1.5


@router.get("/events", response_class=StreamingResponse)
def get_events(
    request: Request,
    site: str | None = None,
    last_event_id: Annotated[str | None, Header(max_length=20)] = None,
    after: Annotated[int | None, Query(ge=0, description="as Last-Event-ID, for who cannot set it")] = None,
    access: Access = needs(Permission.SEE),
) -> StreamingResponse:
    """Events of the asker's sites behind Last-Event-ID; without one from a few seconds ago on, as the page
    that listens is that old. Ends when the session does.
    """
    sites = access.narrow(site)
    start = int(last_event_id) if last_event_id and last_event_id.isdecimal() else after
    stream = _stream(request, request.app.state.tail, sites, start)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(stream, media_type="text/event-stream", headers=headers)


async def _stream(
    request: Request, tail: Tail, sites: frozenset[str], start: int | None
) -> AsyncIterator[str]:
    yield f"retry: {RETRY_MS}\n\n"
    async with tail.listen() as queue:
        # Listening began before this look, so nothing falls between; what comes twice is told by its id.
        last = await asyncio.to_thread(tail.fresh_start) if start is None else start
        while missed := await asyncio.to_thread(tail.read, last, sites):
            for event in missed:
                yield told(event)
                last = event.id
        async for text in _live(request, queue, sites, last):
            yield text


async def _live(
    request: Request, queue: asyncio.Queue[Told | None], sites: frozenset[str], last: int
) -> AsyncIterator[str]:
    clock = asyncio.get_running_loop().time
    checked = said = clock()
    while True:
        event = await _next(queue, CHECK_EVERY_S)
        if event is ENDED:
            return
        if isinstance(event, Told) and event.id > last and covers(sites, event.site_id):
            yield told(event)
            last, said = event.id, clock()
        if clock() - checked >= CHECK_EVERY_S:
            checked = clock()
            if not await asyncio.to_thread(_still_may, request, sites):
                return
        if clock() - said >= HEARTBEAT_S:
            yield ": still here\n\n"
            said = clock()


ENDED = object()


async def _next(queue: asyncio.Queue[Told | None], wait_s: float) -> object:
    """The next event, None when none came in time, ENDED when this reader is too far behind."""
    try:
        event = await asyncio.wait_for(queue.get(), wait_s)
    except TimeoutError:
        return None
    return ENDED if event is None else event


def _still_may(request: Request, sites: frozenset[str]) -> bool:
    """Whether whoever began the stream is still signed in and still may see these sites."""
    try:
        actor, _ = authenticate(request)
    except RefusedError:
        return False
    allowed = actor.sites(Permission.SEE)
    return all(covers(allowed, site) for site in sites)


def told(event: Told) -> str:
    """One event on the wire; JSON has no bare line break, so one data line holds it."""
    data = {
        "id": event.id,
        "at": iso(event.at),
        "site": event.site_id,
        "kind": event.kind,
        "subject": event.subject,
        "payload": event.payload,
    }
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return f"id: {event.id}\nevent: {event.kind}\ndata: {text}\n\n"
