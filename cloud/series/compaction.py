"""Turning landed messages into chunks: many channels a message become one channel a chunk.

A chunk holds readings of one channel and one UTC day, sorted by time. A new one swallows the chunks before
it that are no more than twice its size, so each reading is rewritten about log2 times on its way.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy import Engine, and_, delete, select
from sqlalchemy.orm import Session

from cloud.errors import StoreError
from cloud.series.store import DAY_NS, Directory, Readings, merge
from cloud.series.tables import BulkIdentity, Chunk, Landing
from cloud.storage.dialect import insert_all
from cloud.storage.engine import reading, transaction
from models.clock import ClockState
from models.mending import RightTime, mend_block
from models.readings import Int64s, ReadingBlock
from models.wire.columns import decode_columns, encode_columns

CHUNK_READINGS = 65_536
STEP_READINGS = 200_000  # a transaction takes about so many, which bounds memory and the wait of others
_STEP_MESSAGES = 2_000
_GROWTH = 2
# What was measured without a clock stays as it landed so long, for its gateway may yet tell the right time.
UNTIMED_KEPT_NS = 7 * DAY_NS
# (gateway, boot, wall minus monotonic time that was wrong) -> what mends it, None while that is not known.
RightTimes = Callable[[str, str, int], RightTime | None]


@dataclass(frozen=True, slots=True)
class Compacted:
    """What a run did. `deferred` messages wait for their channels to be announced, or for the right time."""

    messages: int = 0
    readings: int = 0
    chunks: int = 0
    deferred: int = 0

    def __add__(self, other: Compacted) -> Compacted:
        return Compacted(
            self.messages + other.messages,
            self.readings + other.readings,
            self.chunks + other.chunks,
            self.deferred + other.deferred,
        )


@dataclass(slots=True)
class _Step:
    """Landed messages of one gateway that can be compacted now."""

    ids: list[int]
    channel: list[Int64s]
    blocks: list[ReadingBlock]
    deferred: int
    last_id: int


class Compactor:
    """The only one who writes chunks; one thread of ingest."""

    def __init__(
        self,
        engine: Engine,
        directory: Directory,
        step: int = STEP_READINGS,
        chunk: int = CHUNK_READINGS,
        *,
        right: RightTimes = lambda gateway_id, boot, offset_ns: None,
        now: Callable[[], int] = int,
    ) -> None:
        self._engine, self._directory, self._step, self._chunk = engine, directory, step, chunk
        self._right, self._now = right, now

    def run(self) -> Compacted:
        """Compact all that landed so far; StoreError when it should be tried again later."""
        done = Compacted()
        for gateway_id in self._gateways():
            for part in self.run_gateway(gateway_id):
                done += part
        return done

    def run_gateway(self, gateway_id: str) -> Iterator[Compacted]:
        """Compact one gateway's messages, a transaction at a time."""
        after = 0
        while step := self._next(gateway_id, after):
            chunks = self._compact(step) if step.ids else 0
            readings = sum(len(block) for block in step.blocks)
            yield Compacted(len(step.ids), readings, chunks, step.deferred)
            after = step.last_id

    def _gateways(self) -> list[str]:
        with reading(self._engine) as session:
            return list(session.scalars(select(Landing.gateway_id).distinct()))

    def _next(self, gateway_id: str, after: int) -> _Step | None:
        same = and_(
            BulkIdentity.gateway_id == Landing.gateway_id,
            BulkIdentity.epoch == Landing.epoch,
            BulkIdentity.sequence == Landing.sequence,
        )
        query = (
            select(Landing.id, Landing.epoch, Landing.body, BulkIdentity.received_at)
            .outerjoin(BulkIdentity, same)
            .where(Landing.gateway_id == gateway_id, Landing.id > after)
            .order_by(Landing.id)
            .limit(_STEP_MESSAGES)
        )
        step = _Step([], [], [], 0, after)
        names: dict[int, Mapping[int, int]] = {}
        count = 0
        with reading(self._engine) as session:
            rows = session.execute(query.execution_options(yield_per=100))
            for row_id, epoch, body, received_at in rows:
                step.last_id = row_id
                if epoch not in names:
                    names[epoch] = self._directory.numbers(gateway_id, epoch)
                block = self._mended(gateway_id, decode_columns(body), received_at)
                channels = None if block is None else _translate(block, names[epoch])
                if block is None or channels is None:
                    step.deferred += 1
                    continue
                step.ids.append(row_id)
                step.channel.append(channels)
                step.blocks.append(block)
                count += len(block)
                if count >= self._step:
                    break
        return step if step.last_id > after else None

    def _mended(self, gateway_id: str, block: ReadingBlock, received_at: int | None) -> ReadingBlock | None:
        """The block with right times; None while its clock was not set and the right time may yet be told."""
        if block.clock is not ClockState.UNTRUSTED:
            return block
        right = self._right(gateway_id, block.boot, block.monotonic_offset_ns)
        if right is not None:
            return mend_block(block, right)
        waits = received_at is not None and self._now() - received_at < UNTIMED_KEPT_NS
        return None if waits else block

    def _compact(self, step: _Step) -> int:
        """Write chunks for one step and take its messages away, in one transaction; chunks written."""
        with reading(self._engine) as session:
            groups = list(_groups(step))
            resolutions = self._directory.resolutions({channel for channel, _, _ in groups})
            dropped: list[int] = []
            written: list[dict[str, object]] = []
            for channel_id, day, readings in groups:
                merged = self._swallow(session, channel_id, day, readings, dropped)
                resolution = resolutions.get(channel_id, 0.0)
                written += self._cut(channel_id, merged, resolution)
        with transaction(self._engine) as session:
            _delete(session, Chunk, dropped)
            _delete(session, Landing, step.ids)
            insert_all(session, Chunk.__table__, written)
        return len(written)

    def _swallow(
        self, session: Session, channel_id: int, day: int, readings: Readings, dropped: list[int]
    ) -> Readings:
        """`readings` behind the last chunks of that day which are small beside them; notes their ids."""
        query = (
            select(Chunk.id, Chunk.readings)
            .where(Chunk.channel_id == channel_id)
            .where(Chunk.min_time >= day * DAY_NS, Chunk.min_time < (day + 1) * DAY_NS)
            .order_by(Chunk.id.desc())
        )
        size, eaten = len(readings.times), []
        for chunk_id, count in session.execute(query):
            if count > _GROWTH * size or size + count > self._chunk:
                break
            size += count
            eaten.append(chunk_id)
        dropped += eaten
        parts = [_chunk_readings(session, chunk_id) for chunk_id in reversed(eaten)]
        return merge([*parts, readings])

    def _cut(self, channel_id: int, readings: Readings, resolution: float) -> Iterator[dict[str, object]]:
        for start in range(0, len(readings.times), self._chunk):
            piece = Readings(*(column[start : start + self._chunk] for column in readings))
            number = np.zeros(len(piece.times), np.int32)
            block = ReadingBlock.of(number, piece.times, piece.values, piece.quality)
            yield {
                "channel_id": channel_id,
                "min_time": int(piece.times[0]),
                "max_time": int(piece.times[-1]),
                "readings": len(piece.times),
                "body": encode_columns(block, np.array([resolution])),
            }


def _translate(block: ReadingBlock, names: Mapping[int, int]) -> Int64s | None:
    """Channel ids of a block's rows; None when a number is not announced yet.

    Numbers may be anything up to 2**31, so they are looked up, not used as places in a table.
    """
    numbers, place = np.unique(block.channel, return_inverse=True)
    ids = [names.get(number) for number in numbers.tolist()]
    if None in ids:
        return None
    return np.array(ids, np.int64)[place]


def _groups(step: _Step) -> Iterator[tuple[int, int, Readings]]:
    """(channel id, day, readings by time) of all the step's messages."""
    channel = np.concatenate(step.channel)
    time = np.concatenate([block.time for block in step.blocks])
    value = np.concatenate([block.value for block in step.blocks])
    quality = np.concatenate([block.quality for block in step.blocks])
    order = np.lexsort((time, channel))  # stable: equal times keep the order of arrival
    channel, time, value, quality = channel[order], time[order], value[order], quality[order]
    day = time // DAY_NS
    edges = np.flatnonzero((channel[1:] != channel[:-1]) | (day[1:] != day[:-1])) + 1
    bounds = [0, *edges.tolist(), len(channel)] if len(channel) else []
    for start, stop in itertools.pairwise(bounds):
        rows = slice(start, stop)
        yield int(channel[start]), int(day[start]), Readings(time[rows], value[rows], quality[rows])


def _chunk_readings(session: Session, chunk_id: int) -> Readings:
    block = decode_columns(session.scalars(select(Chunk.body).where(Chunk.id == chunk_id)).one())
    return Readings(block.time, block.value, block.quality)


def _delete(session: Session, table: type[Chunk] | type[Landing], ids: Sequence[int]) -> None:
    for start in range(0, len(ids), 500):
        some = ids[start : start + 500]
        gone = session.execute(delete(table).where(table.id.in_(some)))
        if gone.rowcount != len(some):
            raise StoreError("somebody else compacts this database; run one ingest only")
