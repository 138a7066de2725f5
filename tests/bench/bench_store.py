"""The series store beside plain SQLite rows: putting, compacting, reading, and room on disk."""

from __future__ import annotations

import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from cloud.fleet.registry import Where
from cloud.ingest.inspection import Sound, Span, inspect
from cloud.series.chart import draw
from cloud.series.compaction import Compactor
from cloud.series.landed import LandedStore
from cloud.series.store import DAY_NS, Arrival
from cloud.storage import migrate
from cloud.storage.engine import open_engine
from models.clock import SECOND_NS
from models.identity import MessageIdentity, Stream
from models.readings import ReadingBlock
from models.wire.columns import encode_columns
from models.wire.envelope import Kind, seal
from models.wire.topics import Up, up_topic

CHANNELS = 20
MESSAGE = 500
TRANSACTION = 500  # messages
T0 = 1_790_000_000 * SECOND_NS // DAY_NS * DAY_NS
READS = 7
PEER = "SQLite, a row a reading"


class Directory:
    """Channel n + 1 is number n of the one gateway."""

    def numbers(self, gateway_id: str, epoch: int) -> dict[int, int]:
        return {number: number + 1 for number in range(CHANNELS)}

    def on_the_wire(self, channel_ids: Iterable[int]) -> list[tuple[int, str, int, int]]:
        return [(channel, "gw-a", 1, channel - 1) for channel in channel_ids]

    def resolutions(self, channel_ids: Iterable[int]) -> dict[int, float]:
        return dict.fromkeys(channel_ids, 0.1)


def rows() -> list[dict[str, Any]]:
    """A day of 20 channels at 1 Hz in messages of 500 readings, 500 messages a transaction."""
    blocks = _day()
    messages = [_seal(number, block) for number, block in enumerate(blocks, 1)]
    readings = len(blocks) * MESSAGE
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        peer = _Peer(folder / "rows.db")
        peer_put = readings / _seconds(lambda: peer.put(blocks))
        engine = open_engine(f"sqlite:///{folder / 'series.db'}")
        migrate.upgrade(engine, "series")
        store = LandedStore(engine, Directory())
        _inspect(messages[:1])
        started = time.perf_counter()
        arrivals = _inspect(messages)
        inspected = time.perf_counter() - started
        landing = _seconds(lambda: _put(store, arrivals))
        hour = (T0 + 23 * DAY_NS // 24, T0 + DAY_NS)
        landed_ms = _milliseconds(lambda: store.read(3, *hour))
        compacting = _seconds(Compactor(engine, Directory()).run)
        day = (T0, T0 + DAY_NS)
        read_ms, chart_ms = (
            _milliseconds(lambda: store.read(3, *day)),
            _milliseconds(lambda: draw(store, 3, *day, 500)),
        )
        found = store.read(3, *day)
        times, values = peer.read(3, *day)
        assert np.array_equal(found.times, times) and np.array_equal(found.values, values)
        peer_ms = _milliseconds(lambda: peer.read(3, *day))
        engine.dispose()
        room, peer_room = _chunk_bytes(folder / "series.db") / readings, peer.bytes() / readings
    return [
        _row("store: landing", readings / landing, "readings/s", peer_put, goal=4),
        _row("store: inspection, then landing", readings / (inspected + landing), "readings/s", peer_put),
        _row("store: compaction", readings / compacting, "readings/s"),
        _row("store: read one channel and day, compacted", read_ms, "ms", peer_ms, goal=4),
        _row("store: read one channel and hour, landed", landed_ms, "ms"),
        _row("store: chart of one channel and day, 500 points", chart_ms, "ms"),
        _row("store: room of a compacted reading", room, "bytes", peer_room),
    ]


def _row(
    name: str, value: float, unit: str, peer: float | None = None, goal: float | None = None
) -> dict[str, Any]:
    """`ratio` and `goal`: how many times better than the peer."""
    ratio = None if peer is None else value / peer if unit == "readings/s" else peer / value
    return {
        "name": name,
        "value": round(value, 2),
        "unit": unit,
        "peer": None if peer is None else PEER,
        "peer_value": None if peer is None else round(peer, 2),
        "ratio": None if ratio is None else round(ratio, 1),
        "goal": goal,
        "ok": None if goal is None or ratio is None else ratio >= goal,
    }


def _day() -> list[ReadingBlock]:
    chance = np.random.default_rng(1)
    seconds = 86_400
    walk = 20 + np.cumsum(chance.normal(0, 0.02, (seconds, CHANNELS)), axis=0)
    value = np.round(walk + chance.normal(0, 0.15, (seconds, CHANNELS)), 1).ravel()
    channel = np.tile(np.arange(CHANNELS, dtype=np.int32), seconds)
    at = np.repeat(T0 + np.arange(seconds) * SECOND_NS, CHANNELS)
    return [
        ReadingBlock.of(
            channel[start : start + MESSAGE], at[start : start + MESSAGE], value[start : start + MESSAGE]
        )
        for start in range(0, len(channel), MESSAGE)
    ]


def _seal(sequence: int, block: ReadingBlock) -> bytes:
    body = encode_columns(block, np.full(CHANNELS, 0.1))
    return seal(MessageIdentity("gw-a", 1, Stream.BULK, sequence), Kind.TELEMETRY, T0, body)


def _inspect(messages: list[bytes]) -> list[Arrival]:
    arrivals = []
    for raw in messages:
        found = inspect(up_topic("gw-a", Up.BULK), raw, Stream.BULK, lambda _: Where("street", None))
        assert isinstance(found, Sound) and isinstance(found.body, Span)
        envelope, span = found.envelope, found.body
        identity = envelope.identity
        arrivals.append(
            Arrival(
                identity.gateway,
                identity.epoch,
                identity.sequence,
                envelope.digest,
                T0,
                envelope.body,
                span.min_time,
                span.max_time,
                span.readings,
            )
        )
    return arrivals


def _put(store: LandedStore, arrivals: list[Arrival]) -> None:
    for start in range(0, len(arrivals), TRANSACTION):
        store.put(arrivals[start : start + TRANSACTION])


class _Peer:
    """What one writes without a store: a table keyed by channel and time, in as large transactions."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection = sqlite3.connect(path, isolation_level=None)
        for statement in (
            "PRAGMA journal_mode = WAL",
            "PRAGMA synchronous = FULL",
            "CREATE TABLE reading (channel INTEGER, time INTEGER, value REAL, quality INTEGER,"
            " PRIMARY KEY (channel, time)) WITHOUT ROWID",
        ):
            self._connection.execute(statement)

    def put(self, blocks: list[ReadingBlock]) -> None:
        for start in range(0, len(blocks), TRANSACTION):
            self._connection.execute("BEGIN IMMEDIATE")
            for block in blocks[start : start + TRANSACTION]:
                columns = (block.channel + 1, block.time, block.value, block.quality)
                rows = zip(*(column.tolist() for column in columns), strict=True)
                self._connection.executemany("INSERT OR IGNORE INTO reading VALUES (?, ?, ?, ?)", rows)
            self._connection.execute("COMMIT")

    def read(self, channel: int, start: int, end: int) -> tuple[np.ndarray, np.ndarray]:
        found = self._connection.execute(
            "SELECT time, value FROM reading WHERE channel = ? AND time >= ? AND time < ? ORDER BY time",
            (channel, start, end),
        ).fetchall()
        times, values = zip(*found, strict=True)
        return np.array(times, np.int64), np.array(values)

    def bytes(self) -> int:
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return self._path.stat().st_size


def _chunk_bytes(path: Path) -> int:
    with sqlite3.connect(path) as connection:
        return int(connection.execute("SELECT sum(length(body)) FROM chunk").fetchone()[0])


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _milliseconds(work: Callable[[], object]) -> float:
    return 1000 * median(_seconds(work) for _ in range(READS))
