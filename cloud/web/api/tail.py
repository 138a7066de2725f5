"""One reader of the events table for all live pages of a process."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from cloud.errors import StoreError
from cloud.events.bus import ALL_SITES, last_id, read_after
from cloud.events.tables import Event
from cloud.web.state import WebState
from models.clock import SECOND_NS

LOOK_EVERY_S = 0.2
OVERLAP_NS = 5 * SECOND_NS
MOST_WAITING = 1000  # events a page may be behind; then its stream ends and it resumes from the table
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Told:
    """An event, free of the database."""

    id: int
    site_id: str
    at: int
    kind: str
    subject: str
    payload: dict[str, Any]


class Tail:
    """Reads new events a few times a second while anybody listens, and hands them to everybody."""

    def __init__(self, state: WebState, look_every_s: float = LOOK_EVERY_S) -> None:
        self._state, self._look_every_s = state, look_every_s
        self._listeners: set[asyncio.Queue[Told | None]] = set()
        self._task: asyncio.Task[None] | None = None

    @contextlib.asynccontextmanager
    async def listen(self) -> AsyncIterator[asyncio.Queue[Told | None]]:
        """A queue of what comes from now on; None in it: too far behind, begin again from the table."""
        queue: asyncio.Queue[Told | None] = asyncio.Queue(MOST_WAITING + 1)
        if self._task is None or self._task.done():
            start = await asyncio.to_thread(self._last_id)
            if self._task is None or self._task.done():
                self._task = asyncio.create_task(self._follow(start))
        self._listeners.add(queue)
        try:
            yield queue
        finally:
            self._listeners.discard(queue)

    async def _follow(self, last: int) -> None:
        failing = False
        while True:
            await asyncio.sleep(self._look_every_s)
            if not self._listeners:
                return
            try:
                events = await asyncio.to_thread(self.read, last, {ALL_SITES})
            except StoreError as wrong:
                if not failing:
                    _LOG.warning("events cannot be read for now: %s", wrong)
                failing = True
                continue
            failing = False
            for event in events:
                last = event.id
                for queue in self._listeners:
                    _hand(queue, event)

    def read(self, after: int, site_ids: Collection[str]) -> list[Told]:
        """Events of these sites behind an id, oldest first, at most 500."""
        with self._state.reading() as session:
            rows = read_after(session, after, site_ids)
            return [Told(row.id, row.site_id, row.at, row.kind, row.subject, row.payload) for row in rows]

    def _last_id(self) -> int:
        with self._state.reading() as session:
            return last_id(session)

    def fresh_start(self) -> int:
        """Id behind which a reader without one begins: a few seconds back, as its page is that old."""
        latest = select(Event.id).where(Event.at <= self._state.now - OVERLAP_NS)
        with self._state.reading() as session:
            return session.scalar(latest.order_by(Event.id.desc()).limit(1)) or 0


def _hand(queue: asyncio.Queue[Told | None], event: Told) -> None:
    if queue.qsize() < MOST_WAITING:
        queue.put_nowait(event)
    elif queue.qsize() == MOST_WAITING:
        queue.put_nowait(None)
