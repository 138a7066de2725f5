"""Ingest as a program: two sessions, two lanes, housekeeping and compaction, each in its own thread."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from sqlalchemy import Engine

from cloud.errors import StoreError
from cloud.fleet.channels import ChannelDirectory
from cloud.fleet.registry import Registry
from cloud.ingest.bulk import BulkIntake
from cloud.ingest.clocks import Clocks
from cloud.ingest.guard import Guard
from cloud.ingest.housekeeping import Housekeeping
from cloud.ingest.inbox import Inbox
from cloud.ingest.lane import BulkLane, UrgentLane
from cloud.ingest.receipts import Receipts
from cloud.ingest.session import BrokerSession
from cloud.ingest.tables import UrgentIdentity
from cloud.ingest.window import Window, gaps_of, load_window
from cloud.keys.authority import CLOUD_CLIENTS
from cloud.series.compaction import Compactor
from cloud.series.landed import LandedStore
from cloud.series.tables import BulkIdentity
from cloud.settings import Settings
from cloud.storage.engine import reading
from models.clock import Clock
from models.identity import Stream

_log = logging.getLogger(__name__)
_URGENT, _BULK = CLOUD_CLIENTS
_LOOK_S = 0.2
_JOIN_S = 5.0


class IngestService:
    """Everything ingest is made of. `run` returns when told to stop, or when a part of it died."""

    def __init__(self, settings: Settings, main: Engine, series: Engine, clock: Clock) -> None:
        self._stop = threading.Event()
        self._is_asked_to_stop = False
        self._clock, self._settings = clock, settings
        directory = ChannelDirectory(main)
        every = settings.ingest
        urgent_inbox = Inbox(every.receive_maximum, clock, first="/urgent")
        bulk_inbox = Inbox(2 * every.bulk_batch, clock, first="/bulk")
        statuses = [f"lm/1/+/up/{kind}" for kind in ("urgent", "health", "reported")]
        self._urgent = self._session(_URGENT, statuses, every.receive_maximum, urgent_inbox)
        self._bulk = self._session(_BULK, ["lm/1/+/up/bulk"], 2 * every.bulk_batch, bulk_inbox)
        bulk_receipts = self._receipts(Stream.BULK, _bulk_windows(main, series), self._bulk, every.receipt_ms)
        urgent_receipts = self._receipts(Stream.URGENT, _urgent_windows(main), self._urgent, 0)
        bulk_lane = BulkLane(
            self._bulk,
            bulk_inbox,
            bulk_receipts,
            clock,
            self._stop,
            intake=BulkIntake(main, LandedStore(series, directory), Registry(main, clock).where),
            most=every.bulk_batch,
            wait_s=every.bulk_wait_ms / 1000,
        )
        urgent_lane = UrgentLane(
            self._urgent,
            urgent_inbox,
            urgent_receipts,
            clock,
            self._stop,
            engine=main,
            ask_bulk=bulk_lane.ask,
        )
        housekeeping = Housekeeping(
            main,
            self._urgent.publish,
            lambda: self._urgent.is_connected,
            clock,
            self._stop,
            every.silent_s,
            Guard(settings, main, clock),
        )
        self._compactor = Compactor(series, directory, right=Clocks(main).right, now=clock.wall_ns)
        self._threads = [
            threading.Thread(target=target, name=name, daemon=True)
            for name, target in (
                ("urgent", urgent_lane.run),
                ("bulk", bulk_lane.run),
                ("housekeeping", housekeeping.run),
                ("compaction", self._compact),
            )
        ]

    def stop(self) -> None:
        """Make `run` return soon. For signal handlers: an Event set in one may wait for itself for ever."""
        self._is_asked_to_stop = True

    def run(self) -> int:
        """Work until stopped; 0 then, 1 when a part died and all should be started anew."""
        for thread in self._threads:
            thread.start()
        self._urgent.start()
        self._bulk.start()
        code = 0
        while not self._is_asked_to_stop:
            self._clock.sleep(_LOOK_S)
            if dead := [thread.name for thread in self._threads if not thread.is_alive()]:
                _log.critical("ingest ends, as it lost: %s", ", ".join(dead))
                code = 1
                break
        self._stop.set()
        for thread in self._threads:
            thread.join(_JOIN_S)
        for session in (self._urgent, self._bulk):
            session.stop()
        return code

    def _session(self, name: str, topics: list[str], most: int, inbox: Inbox) -> BrokerSession:
        broker = self._settings.broker
        address = (broker.host, broker.port)
        return BrokerSession(name, address, self._settings.keys, topics, most, inbox.put)

    def _receipts(
        self, stream: Stream, load: Callable[[str, int], Window], session: BrokerSession, every_ms: int
    ) -> Receipts:
        return Receipts(stream, load, session.tell, self._clock, every_ms / 1000)

    def _compact(self) -> None:
        failing = False
        while not self._stop.wait(self._settings.ingest.compact_s):
            try:
                self._compactor.run()
                failing = False
            except StoreError as wrong:
                if not failing:
                    _log.error("compaction waits for the database: %s", wrong)
                failing = True
            except Exception:
                _log.exception("compaction failed; what landed stays readable as it is")


def _urgent_windows(main: Engine) -> Callable[[str, int], Window]:
    def load(gateway_id: str, epoch: int) -> Window:
        with reading(main) as session:
            gaps = gaps_of(session, gateway_id, epoch, Stream.URGENT)
            return load_window(session, UrgentIdentity, gateway_id, epoch, gaps)

    return load


def _bulk_windows(main: Engine, series: Engine) -> Callable[[str, int], Window]:
    def load(gateway_id: str, epoch: int) -> Window:
        with reading(main) as session:
            gaps = gaps_of(session, gateway_id, epoch, Stream.BULK)
        with reading(series) as session:
            return load_window(session, BulkIdentity, gateway_id, epoch, gaps)

    return load
