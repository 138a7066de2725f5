"""The two workers of ingest, each with its own session, thread and database."""

from __future__ import annotations

import logging
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Sequence

from pydantic import BaseModel, ValidationError
from sqlalchemy import Engine

from cloud.errors import StoreError
from cloud.fleet.clones import note_hello
from cloud.fleet.orders import send_again
from cloud.fleet.registry import Registry, Where
from cloud.fleet.status import take_health, take_reported
from cloud.ingest import quarantine
from cloud.ingest.bulk import BulkIntake
from cloud.ingest.inbox import Inbox, Waiting
from cloud.ingest.inspection import Poison, Sound, inspect
from cloud.ingest.receipts import Receipts
from cloud.ingest.session import BrokerSession
from cloud.ingest.urgent import Fate, take_urgent
from cloud.storage.engine import transaction
from models.clock import SECOND_NS, Clock
from models.errors import EnvelopeError
from models.identity import Stream
from models.wire.messages import GapRecord, Health, Presence, Reported
from models.wire.topics import Up, parse_up_topic

_log = logging.getLogger(__name__)
_TRIES = 3
_WAIT_S = 0.05
_BACK_OFF_S = (0.25, 10.0)


class Lane(ABC):
    """Takes messages from an inbox, stores, acknowledges, receipts; waits as long as its database does.

    Nothing jams it: what this program cannot take in three tries goes to quarantine.
    """

    def __init__(
        self, session: BrokerSession, inbox: Inbox, receipts: Receipts, clock: Clock, stop: threading.Event
    ) -> None:
        self.session, self.inbox, self.receipts = session, inbox, receipts
        self._clock, self._stop = clock, stop
        self._failing = False
        # Bounded: at most one entry a gateway and epoch.
        self._errands: dict[tuple[str, int], bool] = {}
        self._errands_lock = threading.Lock()

    def ask(self, gateway_id: str, epoch: int, *, reload: bool = False) -> None:
        """From any thread: tell this gateway how far its stream has come."""
        with self._errands_lock:
            key = (gateway_id, epoch)
            self._errands[key] = self._errands.get(key, False) or reload

    def run(self) -> None:
        """Work until stopped. The body of a thread."""
        while not self._stop.is_set():
            batch = self._gather()
            try:
                if batch:
                    self._take(batch)
                self._persist(self._tell)
            except Exception:
                # Nothing above should let one through; if it does, the messages come again at reconnect.
                _log.exception("%s: a batch was given up, unacknowledged", self.session.name)

    @abstractmethod
    def _gather(self) -> list[Waiting]:
        """The next messages to store together; empty when none came for a moment."""

    @abstractmethod
    def _store(self, batch: Sequence[Waiting], broken: str | None) -> None:
        """Commit and mark for receipt. `broken`: earlier tries failed with this; quarantine it."""

    def _take(self, batch: Sequence[Waiting]) -> None:
        wrong = ""
        for _ in range(_TRIES):
            try:
                self._persist(lambda: self._store(batch, None))
                return self._acknowledge(batch)
            except Exception as caught:
                wrong = f"{type(caught).__name__}: {caught}"
                _log.exception("%s: cannot take a batch of %d", self.session.name, len(batch))
        if len(batch) > 1:
            for waiting in batch:
                self._take([waiting])
            return None
        self._persist(lambda: self._store(batch, wrong))
        return self._acknowledge(batch)

    def _persist(self, work: Callable[[], None]) -> None:
        """Do `work`, again and again while the database fails; the broker keeps what waits meanwhile."""
        wait_s = _BACK_OFF_S[0]
        while True:
            try:
                work()
            except StoreError as wrong:
                if not self._failing:
                    _log.error("%s: waiting for the database: %s", self.session.name, wrong)
                self._failing = True
                if self._stop.wait(wait_s):
                    return
                wait_s = min(2 * wait_s, _BACK_OFF_S[1])
                continue
            if self._failing:
                _log.warning("%s: the database works again", self.session.name)
            self._failing = False
            return

    def _acknowledge(self, batch: Sequence[Waiting]) -> None:
        if self._stop.is_set() and self._failing:
            return
        for waiting in batch:
            self.session.acknowledge(waiting.received)

    def _tell(self) -> None:
        with self._errands_lock:
            errands, self._errands = self._errands, {}
        for (gateway_id, epoch), reload in errands.items():
            self.receipts.ask(gateway_id, epoch, reload=reload)
        self.receipts.flush()


class UrgentLane(Lane):
    """One message a transaction; status after everything urgent."""

    def __init__(
        self,
        session: BrokerSession,
        inbox: Inbox,
        receipts: Receipts,
        clock: Clock,
        stop: threading.Event,
        *,
        engine: Engine,
        ask_bulk: Callable[..., None],
    ) -> None:
        super().__init__(session, inbox, receipts, clock, stop)
        self._engine, self._ask_bulk = engine, ask_bulk
        self._registry = Registry(engine, clock)

    def _gather(self) -> list[Waiting]:
        waiting = self.inbox.take(_WAIT_S)
        return [waiting] if waiting else []

    def _store(self, batch: Sequence[Waiting], broken: str | None) -> None:
        for waiting in batch:
            if waiting.received.topic.endswith(f"/{Up.URGENT}"):
                self._store_urgent(waiting, broken)
            else:
                self._store_status(waiting, broken)

    def _store_urgent(self, waiting: Waiting, broken: str | None) -> None:
        received = waiting.received
        found = inspect(received.topic, received.payload, Stream.URGENT, self._registry.where)
        if broken and isinstance(found, Sound):
            identity = found.envelope.identity
            found = Poison("internal", broken, identity.gateway, found.where, found.envelope)
        fate = take_urgent(self._engine, received.topic, received.payload, found, waiting.received_at)
        if fate is Fate.LOST_IDENTITY or found.envelope is None:
            return
        identity = found.envelope.identity
        self.receipts.mark(identity, quarantined=fate is Fate.QUARANTINED)
        if isinstance(found, Sound) and isinstance(found.body, GapRecord):
            ask = self._ask_bulk if found.body.stream is Stream.BULK else self.ask
            ask(identity.gateway, identity.epoch, reload=True)

    def _store_status(self, waiting: Waiting, broken: str | None) -> None:
        """Health and reported have no identity: the latest is kept, nothing is receipted."""
        received, now = waiting.received, waiting.received_at
        gateway_id: str | None = None
        where: Where | None = None
        try:
            gateway_id, kind = parse_up_topic(received.topic)
            where = self._registry.where(gateway_id)
            status = _read_status(kind, received.payload)
            poison = Poison("internal", broken, gateway_id, where) if broken else None
        except (EnvelopeError, ValidationError) as wrong:
            poison = Poison("status", str(wrong)[:500], gateway_id, where)
        if where is None and poison is None:
            poison = Poison("unknown_gateway", f"no gateway {gateway_id!r} is registered", gateway_id)
        if where is not None and where.is_revoked:
            poison = Poison("revoked", f"{gateway_id!r} is revoked", gateway_id, where)
            if _is_goodbye(received.payload):
                return  # its last will, published by the broker when it is cut off
        with transaction(self._engine) as session:
            if poison:
                quarantine.keep(session, received.topic, received.payload, poison, now)
            elif isinstance(status, Health):
                is_live = not received.retained
                take_health(session, gateway_id, where.site_id, status, now, is_live=is_live)
                if is_live and status.hello:
                    note_hello(session, gateway_id, status, now)
                    send_again(session, gateway_id, now)
            elif isinstance(status, Reported):
                take_reported(session, gateway_id, where.site_id, status, now)
        if not poison and isinstance(status, Health) and status.hello and not received.retained:
            self.ask(gateway_id, status.epoch)
            self._ask_bulk(gateway_id, status.epoch)


class BulkLane(Lane):
    """As many messages a transaction as came within a moment."""

    def __init__(
        self,
        session: BrokerSession,
        inbox: Inbox,
        receipts: Receipts,
        clock: Clock,
        stop: threading.Event,
        *,
        intake: BulkIntake,
        most: int,
        wait_s: float,
    ) -> None:
        super().__init__(session, inbox, receipts, clock, stop)
        self._intake, self._most, self._wait_ns = intake, most, round(wait_s * SECOND_NS)

    def _gather(self) -> list[Waiting]:
        first = self.inbox.take(_WAIT_S)
        batch = deque([first] if first else [])
        until = self._clock.monotonic_ns() + self._wait_ns
        while batch and len(batch) < self._most:
            left_s = (until - self._clock.monotonic_ns()) / SECOND_NS
            following = self.inbox.take(max(left_s, 0.0))
            if following is None:
                break
            batch.append(following)
        return list(batch)

    def _store(self, batch: Sequence[Waiting], broken: str | None) -> None:
        for one in self._intake.take(batch, broken):
            if one.found.envelope:
                is_poison = one.fate is Fate.QUARANTINED
                self.receipts.mark(one.found.envelope.identity, quarantined=is_poison)


def _is_goodbye(payload: bytes) -> bool:
    try:
        return Health.model_validate_json(payload).presence is Presence.OFFLINE
    except ValidationError:
        return False


def _read_status(kind: Up, payload: bytes) -> BaseModel:
    if kind not in (Up.HEALTH, Up.REPORTED):
        raise EnvelopeError("topic", f"{kind} does not belong here")
    model = Health if kind is Up.HEALTH else Reported
    return model.model_validate_json(payload)
