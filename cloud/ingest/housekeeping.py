"""What ingest does beside taking messages: sends what waits, notices silence, keeps the revoked out."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from sqlalchemy import Engine, select, update

from cloud.errors import StoreError
from cloud.fleet.status import mark_silent
from cloud.fleet.tables import Downlink
from cloud.ingest.guard import LOOK_S, Guard
from cloud.storage.engine import reading, transaction
from models.clock import SECOND_NS, Clock
from models.wire.topics import Down, down_topic

_log = logging.getLogger(__name__)
DOWNLINK_S = 0.2
SILENCE_S = 5.0
_AT_ONCE = 100


def send_downlinks(engine: Engine, publish: Callable[..., bool], now: int) -> int:
    """Publish what waits, oldest first, and mark each when the broker has it; how many were sent.

    Killed between the two it is sent again: documents have versions and commands ids, so that is harmless.
    """
    waiting = select(Downlink).where(Downlink.sent_at.is_(None)).order_by(Downlink.id).limit(_AT_ONCE)
    with reading(engine) as session:
        rows = session.scalars(waiting).all()
    sent = []
    for row in rows:
        topic = down_topic(row.gateway_id, Down(row.kind))
        if not publish(topic, row.payload, retain=row.retained):
            break
        sent.append(row.id)
    if sent:
        with transaction(engine) as session:
            session.execute(update(Downlink).where(Downlink.id.in_(sent)).values(sent_at=now))
    return len(sent)


class Housekeeping:
    """The thread that does all three, each at its own pace."""

    def __init__(
        self,
        engine: Engine,
        publish: Callable[..., bool],
        is_connected: Callable[[], bool],
        clock: Clock,
        stop: threading.Event,
        silent_s: float,
        guard: Guard,
    ) -> None:
        self._engine, self._publish, self._is_connected = engine, publish, is_connected
        self._clock, self._stop, self._silent_s = clock, stop, silent_s
        self._listening_since: int | None = None
        self._guard, self._guarded_at = guard, 0
        self._looked_at = 0
        self._failing = False

    def run(self) -> None:
        """Work until stopped. The body of a thread."""
        while not self._stop.wait(DOWNLINK_S):
            try:
                self._turn()
                self._failing = False
            except StoreError as wrong:
                if not self._failing:
                    _log.error("housekeeping waits for the database: %s", wrong)
                self._failing = True
            except Exception:
                _log.exception("housekeeping failed; it tries again")
                self._stop.wait(SILENCE_S)

    def _turn(self) -> None:
        now = self._clock.wall_ns()
        if not self._is_connected():
            self._listening_since = None
            return
        self._listening_since = self._listening_since or now
        send_downlinks(self._engine, self._publish, now)
        monotonic = self._clock.monotonic_ns()
        if monotonic - self._guarded_at >= LOOK_S * SECOND_NS:
            self._guarded_at = monotonic
            self._guard.step()
        if monotonic - self._looked_at >= SILENCE_S * SECOND_NS:
            self._looked_at = monotonic
            with transaction(self._engine) as session:
                for gateway_id in mark_silent(session, now, self._silent_s, self._listening_since):
                    _log.warning("gateway %s fell silent", gateway_id)
