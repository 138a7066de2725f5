"""The cloud's receiving end: its real lanes, intakes, windows and receipts, over real databases."""

from __future__ import annotations

import functools
import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from real_parts import make_state
from simulated_broker import Broker, Link
from simulated_world import Killed, Task, World, WorldClock
from sqlalchemy import Engine, event, select
from sqlalchemy.exc import OperationalError

from cloud.fleet.channels import ChannelDirectory
from cloud.fleet.registry import Registry
from cloud.incidents.tables import AlertRow, EvidenceRow
from cloud.ingest.bulk import BulkIntake
from cloud.ingest.inbox import Inbox, Waiting
from cloud.ingest.lane import BulkLane, Lane, UrgentLane
from cloud.ingest.receipts import Receipts
from cloud.ingest.service import _bulk_windows, _urgent_windows
from cloud.ingest.session import Received
from cloud.ingest.tables import LedgerRecord, Quarantine
from cloud.series.landed import LandedStore
from cloud.series.tables import Landing
from cloud.storage.engine import open_engine, reading
from models.identity import Stream
from models.wire.columns import decode_columns
from models.wire.messages import Receipt
from models.wire.topics import Up

RECEIVE_MAXIMUM = 50
_BATCH, _BATCH_WAIT_S, _RECEIPT_MS = 20, 0.02, 100
_DATABASES = ("lastmile.db", "series.db")
_IDLE_S = 5.0
_KEEPALIVE_S = 30.0


def work_folder() -> Path:
    """Where simulated disks lie: in memory where there is such a place."""
    memory = Path("/dev/shm")
    return Path(tempfile.mkdtemp(prefix="lastmile-sim-", dir=memory if memory.is_dir() else None))


class Databases:
    """The two databases of one process of simulations: made once, copied for each world."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._template = folder, folder / "template"
        (folder / "made").mkdir()
        make_state(folder / "made")
        _copy(folder / "made", self._template)
        self.main = open_engine(f"sqlite:///{folder / _DATABASES[0]}")
        self.series = open_engine(f"sqlite:///{folder / _DATABASES[1]}")
        self.cloud: Cloud | None = None
        for engine in (self.main, self.series):
            event.listen(engine, "before_cursor_execute", functools.partial(self._before, engine))
            event.listen(engine, "commit", lambda _connection: self._step())

    def reset(self) -> None:
        """As new, for another world."""
        self.cloud = None
        self._put_back(self._template)

    def back_up(self, name: str) -> None:
        """Keep a copy as it is now."""
        _copy(self.folder, self.folder / name)

    def restore(self, name: str) -> None:
        """Put a copy back; nobody may have it open."""
        self._put_back(self.folder / name)

    def _put_back(self, source: Path) -> None:
        for engine in (self.main, self.series):
            engine.dispose()
        for file in _DATABASES:
            for tail in ("-wal", "-shm"):
                (self.folder / (file + tail)).unlink(missing_ok=True)
            shutil.copyfile(source / file, self.folder / file)

    def _before(self, engine: Engine, *_: Any) -> None:
        if self.cloud is not None:
            self._step()
            self.cloud.refuse_if_failing(is_series=engine is self.series)

    def _step(self) -> None:
        if self.cloud is not None:
            self.cloud.step()


def _copy(source: Path, target: Path) -> None:
    """Both databases as of now, without logs beside them."""
    target.mkdir(exist_ok=True)
    for file in _DATABASES:
        here, there = sqlite3.connect(source / file), sqlite3.connect(target / file)
        here.backup(there)
        here.close()
        there.close()


class _SimulatedInbox(Inbox):
    """The real inbox; whoever waits for it lets the world go on."""

    def __init__(self, receive_maximum: int, clock: WorldClock, first: str) -> None:
        super().__init__(receive_maximum, clock, first)
        self.task: Task | None = None
        self.has_more: Callable[[], bool] = bool

    def put(self, received: Received) -> None:
        super().put(received)
        self.wake()

    def wake(self) -> None:
        if self.task is not None:
            self.task.wake()

    def take(self, wait_s: float) -> Waiting | None:
        if not len(self) and wait_s > 0 and self.task is not None:
            # Looking twenty times a second at nothing would be most of the simulation's work.
            self.task.wait(wait_s if self.has_more() else max(wait_s, _IDLE_S))
        return super().take(0)


class _Stop:
    """Looks like the lanes' Event; is never set, for a simulated cloud is killed."""

    def __init__(self) -> None:
        self.task: Task | None = None

    def is_set(self) -> bool:
        return False

    def wait(self, seconds: float) -> bool:
        assert self.task is not None
        self.task.wait(seconds)
        return False


class _Session:
    """What BrokerSession is with paho: a session, acknowledgement by hand and by generation, a way down."""

    def __init__(self, cloud: Cloud, name: str, topics: list[str], sink: Callable[[Received], None]) -> None:
        self.name, self._topics, self._sink, self._cloud = name, topics, sink, cloud
        self._link: Link | None = None
        self._generation = 0
        self.is_connected = self.is_over = False
        cloud.world.after(0.1, self._connect)

    def acknowledge(self, received: Received) -> bool:
        self._cloud.step()
        link = self._link
        if received.qos == 0 or received.generation != self._generation or link is None:
            return received.qos == 0
        link.up(lambda: self._cloud.broker.acknowledge(link, received.mid))
        return True

    def tell(self, topic: str, payload: bytes) -> bool:
        self._cloud.step()
        self._cloud.note_receipt(topic, payload)
        link = self._link
        if link is None or not self.is_connected:
            return False
        link.up(lambda: self._cloud.broker.publish(link, 0, topic, payload, qos=0, retain=False))
        return True

    def end(self) -> None:
        self.is_over = True
        if self._link is not None:
            self._link.cut("peer gone", tell_client=False)

    def _connect(self) -> None:
        if self.is_over or self._link is not None:
            return
        if not self._cloud.broker.is_up:
            self._cloud.world.after(1.0, self._connect)
            return
        cloud = self._cloud
        link = self._link = Link(cloud.world, cloud.broker, self, cloud.slowness, _KEEPALIVE_S)
        link.up(
            lambda: self._cloud.broker.connect(
                link, self.name, self, will=None, receive_maximum=RECEIVE_MAXIMUM
            )
        )
        self._cloud.world.after(10.0, lambda: self._give_up(link))

    def _give_up(self, link: Link) -> None:
        if self._link is link and not self.is_connected:
            link.cut("no answer")

    def connected(self, *, session_present: bool) -> None:
        if self.is_over or self._link is None:
            return
        self.is_connected = True
        self._generation += 1
        link = self._link
        link.up(lambda: self._cloud.broker.subscribe(link, self._topics))

    def acknowledged(self, packet: int, reason: int) -> None:
        """Receipts go out at most once; nothing of ours is acknowledged."""

    def message(self, mid: int, topic: str, payload: bytes, qos: int, *, dup: bool, retained: bool) -> None:
        if not self.is_over:
            self._sink(Received(topic, payload, qos, retained, mid, self._generation))

    def lost(self, reason: str) -> None:
        self.is_connected, self._link = False, None
        self._generation += 1
        if not self.is_over:
            self._cloud.world.after(1.0 + self._cloud.world.chance.random(), self._connect)


@dataclass(frozen=True)
class Kept:
    """What the cloud has of one gateway in the end."""

    values: dict[str, list[float]]  # by channel's name
    alerts: list[AlertRow]
    evidence: list[str]
    gaps: list[dict[str, Any]]
    stored: dict[tuple[int, int], int]  # epoch, sequence of each bulk message -> its readings
    outages: list[dict[str, Any]]
    quarantined: list[Quarantine]


class Cloud:
    """Ingest, alive or not. `arm` kills it in the middle of whatever it does."""

    def __init__(
        self, world: World, databases: Databases, broker: Broker, slowness: Callable[[], float]
    ) -> None:
        self.world, self.broker, self.slowness = world, broker, slowness
        self._databases, self.clock = databases, WorldClock(world, "cloud")
        databases.cloud = self
        self.steps_left: int | None = None
        self.series_fails = self.main_fails = False
        self._tasks: list[Task] = []
        self._sessions: list[_Session] = []
        self._lanes: list[Lane] = []
        self._told: dict[tuple[str, int, int], int] = {}
        self.receipts = self.restores = 0
        self.start()

    # ---- fate

    @property
    def is_on(self) -> bool:
        return bool(self._tasks)

    def start(self) -> None:
        """What IngestService wires, with tasks for threads."""
        if self.is_on:
            return
        self.world.say("cloud starts")
        main, series, clock = self._databases.main, self._databases.series, self.clock
        urgent_inbox = _SimulatedInbox(RECEIVE_MAXIMUM, clock, "/urgent")
        bulk_inbox = _SimulatedInbox(2 * _BATCH, clock, "/bulk")
        statuses = [f"lm/1/+/up/{kind}" for kind in (Up.URGENT, Up.HEALTH, Up.REPORTED)]
        urgent = _Session(self, "cloud-urgent", statuses, urgent_inbox.put)
        bulk = _Session(self, "cloud-bulk", ["lm/1/+/up/bulk"], bulk_inbox.put)
        stops = _Stop(), _Stop()
        # Nobody moves a gateway here, so that it need not be looked for every five seconds.
        registry = Registry(main, clock, keep_s=3600)
        bulk_lane: Any = BulkLane(
            bulk, bulk_inbox,  # type: ignore[arg-type]
            Receipts(Stream.BULK, _bulk_windows(main, series), bulk.tell, clock, _RECEIPT_MS / 1000),
            clock, stops[1],  # type: ignore[arg-type]
            intake=BulkIntake(main, LandedStore(series, ChannelDirectory(main)), registry.where),
            most=_BATCH, wait_s=_BATCH_WAIT_S,
        )  # fmt: skip

        def ask_bulk(*arguments: Any, **named: Any) -> None:
            bulk_lane.ask(*arguments, **named)
            bulk_inbox.wake()

        urgent_lane: Any = UrgentLane(
            urgent, urgent_inbox,  # type: ignore[arg-type]
            Receipts(Stream.URGENT, _urgent_windows(main), urgent.tell, clock, 0),
            clock, stops[0],  # type: ignore[arg-type]
            engine=main, ask_bulk=ask_bulk,
        )  # fmt: skip
        urgent_lane._registry = registry
        self._sessions = [urgent, bulk]
        for lane, inbox, stop in ((urgent_lane, urgent_inbox, stops[0]), (bulk_lane, bulk_inbox, stops[1])):
            task = Task(self.world, lane.run, self._ended)
            inbox.task = stop.task = task
            inbox.has_more = lambda lane=lane: bool(lane.receipts._due or lane._errands)
            self._tasks.append(task)

    def kill(self) -> None:
        if not self.is_on:
            return
        self.world.say("cloud killed")
        tasks, self._tasks = self._tasks, []
        self.steps_left = None
        for session in self._sessions:
            session.end()
        for task in tasks:
            task.kill()
        for engine in (self._databases.main, self._databases.series):
            engine.dispose()

    def arm(self, steps: int) -> None:
        if self.is_on:
            self.steps_left = steps

    def step(self) -> None:
        """A moment between two things; it may be the last."""
        if self.steps_left is not None:
            self.steps_left -= 1
            if self.steps_left <= 0:
                self.steps_left = None
                raise Killed

    def refuse_if_failing(self, *, is_series: bool) -> None:
        if self.series_fails if is_series else self.main_fails:
            raise OperationalError("simulated", None, sqlite3.OperationalError("disk I/O error"))

    def back_up(self) -> None:
        self.world.say("cloud backed up")
        self._databases.back_up("backup")

    def restore(self) -> None:
        """What was stored since the backup is gone."""
        self.kill()
        self.world.say("cloud restored from its backup")
        self._databases.restore("backup")
        self.restores += 1
        self._told.clear()

    def _ended(self, wrong: BaseException | None) -> None:
        if not isinstance(wrong, Killed):
            self.world.wrong(f"a lane of the cloud ended: {wrong!r}")
        self.kill()
        self.world.after(1.0 + self.world.chance.random(), self.start)

    # ---- what it says and has

    def note_receipt(self, topic: str, payload: bytes) -> None:
        """Receipts never take back what they said."""
        receipt = Receipt.model_validate_json(payload)
        gateway = topic.split("/")[2]
        key = (gateway, int(receipt.stream), receipt.epoch)
        before = self._told.get(key, 0)
        self.receipts += 1
        self.world.say("receipt", gateway, receipt.stream.name, f"epoch {receipt.epoch % 10_000}",
                       f"through {receipt.through} beyond {list(receipt.beyond)}")  # fmt: skip
        if receipt.through < before:
            self.world.wrong(
                f"receipts of {gateway} {receipt.stream.name} went back: {before} -> {receipt.through}"
            )
        self._told[key] = receipt.through

    def kept(self, gateway: str) -> Kept:
        """All it has of a gateway."""
        names = ChannelDirectory(self._databases.main)
        values: dict[str, list[float]] = {}
        with reading(self._databases.main) as session:
            alerts = list(session.scalars(select(AlertRow).filter_by(gateway_id=gateway)))
            ids = [alert.id for alert in alerts]
            evidence = list(
                session.scalars(select(EvidenceRow.alert_id).where(EvidenceRow.alert_id.in_(ids)))
            )
            records = list(session.scalars(select(LedgerRecord).filter_by(gateway_id=gateway)))
            quarantined = list(session.scalars(select(Quarantine).filter_by(gateway_id=gateway)))
            channels = _channel_names(session, gateway)
        with reading(self._databases.series) as session:
            columns = (Landing.epoch, Landing.sequence, Landing.readings, Landing.body)
            landed = session.execute(select(*columns).filter_by(gateway_id=gateway)).all()
        by_epoch = {epoch: names.numbers(gateway, epoch) for epoch in {row.epoch for row in landed}}
        for epoch, _, _, body in landed:
            numbers = by_epoch[epoch]
            block = decode_columns(body)
            for number, value in zip(block.channel.tolist(), block.value.tolist(), strict=True):
                name = channels.get(numbers.get(number, -1), f"unknown {number}")
                values.setdefault(name, []).append(value)
        return Kept(
            values, alerts, evidence,
            [record.record for record in records if record.kind == "gap"],
            {(epoch, sequence): readings for epoch, sequence, readings, _ in landed},
            [record.record for record in records if record.kind == "outage"],
            quarantined,
        )  # fmt: skip


def _channel_names(session: Any, gateway: str) -> dict[int, str]:
    from cloud.fleet.tables import Channel

    rows = session.execute(select(Channel.id, Channel.name).filter_by(gateway_id=gateway))
    return {row[0]: row[1] for row in rows}
