"""The series store over SQL: messages land as their own bytes, chunks hold what was compacted since."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from sqlalchemy import Engine, and_, func, or_, select, tuple_
from sqlalchemy.orm import Session

from cloud.series.store import DAY_NS, Arrival, Directory, Latest, Put, Readings, merge
from cloud.series.tables import BulkIdentity, Chunk, Landing
from cloud.storage.dialect import insert_all
from cloud.storage.engine import reading, transaction
from models.wire.columns import decode_columns

_EARLIEST = -(1 << 63)
_KEYS_A_QUERY = 200  # SQLite compares so many keys in one statement without straining its parser
_NEWEST_LANDED = 2000  # landed messages of one gateway looked through for its newest readings


class _Segment(NamedTuple):
    """A row that may hold readings of the channel: a chunk, or a landed message with its number there."""

    min_time: int
    max_time: int
    readings: int
    id: int
    numbers: tuple[int, ...] | None  # None: a chunk


class LandedStore:
    """`SeriesStore` in series.db. Any thread or process may read; ingest alone puts."""

    def __init__(self, engine: Engine, directory: Directory) -> None:
        self._engine, self._directory = engine, directory

    def put(self, arrivals: Sequence[Arrival]) -> list[Put]:
        """See SeriesStore. One message may stand twice in `arrivals`."""
        keys = [(a.gateway_id, a.epoch, a.sequence) for a in arrivals]
        with transaction(self._engine) as session:
            digests = _known(session, list(dict.fromkeys(keys)))
            fresh, found = [], []
            for key, arrival in zip(keys, arrivals, strict=True):
                before = digests.get(key)
                if before is None:
                    digests[key] = arrival.digest
                    fresh.append(arrival)
                    found.append(Put.STORED)
                else:
                    found.append(Put.DUPLICATE if before == arrival.digest else Put.CLONE)
            insert_all(session, BulkIdentity.__table__, [_identity(arrival) for arrival in fresh])
            insert_all(session, Landing.__table__, [_landing(a) for a in fresh if a.body])
        return found

    def read(self, channel_id: int, start: int, end: int, limit: int | None = None) -> Readings:
        """See SeriesStore. Memory: the result and one stored body."""
        wire = self._directory.on_the_wire([channel_id])
        parts: list[Readings] = []
        with reading(self._engine) as session:
            segments = sorted(_segments(session, channel_id, wire, start, end), key=_by_min_time)
            wanted, count = limit, 0
            while True:
                cut = _cut(segments, start, end, wanted)
                taken = [s for s in segments if s.min_time < cut and s.max_time >= start]
                part = _load(session, taken, start, cut)
                parts.append(part)
                count += len(part.times)
                if cut >= end or limit is None or count >= limit:
                    return merge(parts)
                # A landed message counts readings of all its channels, so the first guess falls short.
                start, wanted = cut, 4 * (wanted or limit)

    def latest(self, channel_ids: Collection[int]) -> dict[int, Latest]:
        """See SeriesStore."""
        numbered: dict[str, dict[tuple[int, int], int]] = defaultdict(dict)
        for channel_id, gateway_id, epoch, number in self._directory.on_the_wire(channel_ids):
            numbered[gateway_id][epoch, number] = channel_id
        with reading(self._engine) as session:
            found = _newest_chunked(session, channel_ids)
            for gateway_id, names in numbered.items():
                _newest_landed(session, gateway_id, names, found)
        return found


def _known(session: Session, keys: Sequence[tuple[str, int, int]]) -> dict[tuple[str, int, int], bytes]:
    """Digests stored under these identities."""
    columns = (BulkIdentity.gateway_id, BulkIdentity.epoch, BulkIdentity.sequence)
    found: dict[tuple[str, int, int], bytes] = {}
    for start in range(0, len(keys), _KEYS_A_QUERY):
        some = keys[start : start + _KEYS_A_QUERY]
        rows = session.execute(select(*columns, BulkIdentity.digest).where(tuple_(*columns).in_(some)))
        found |= {(gateway, epoch, sequence): digest for gateway, epoch, sequence, digest in rows}
    return found


def _identity(arrival: Arrival) -> dict[str, object]:
    return {
        "gateway_id": arrival.gateway_id,
        "epoch": arrival.epoch,
        "sequence": arrival.sequence,
        "digest": arrival.digest,
        "received_at": arrival.received_at,
        "quarantined": arrival.quarantined,
    }


def _landing(arrival: Arrival) -> dict[str, object]:
    return {
        "gateway_id": arrival.gateway_id,
        "epoch": arrival.epoch,
        "sequence": arrival.sequence,
        "min_time": arrival.min_time,
        "max_time": arrival.max_time,
        "readings": arrival.readings,
        "body": arrival.body,
    }


def _segments(
    session: Session, channel_id: int, wire: Sequence[tuple[int, str, int, int]], start: int, end: int
) -> Iterator[_Segment]:
    # No chunk spans more than a day, so the index needs to be walked from a day before the start only.
    begin = max(start - DAY_NS, _EARLIEST)
    chunks = select(Chunk.min_time, Chunk.max_time, Chunk.readings, Chunk.id).where(
        Chunk.channel_id == channel_id, Chunk.min_time >= begin, Chunk.min_time < end, Chunk.max_time >= start
    )
    yield from (_Segment(*row, None) for row in session.execute(chunks))
    numbers: dict[tuple[str, int], tuple[int, ...]] = {}
    for _, gateway, epoch, number in wire:
        numbers[gateway, epoch] = (*numbers.get((gateway, epoch), ()), number)
    if not numbers:
        return
    ours = (and_(Landing.gateway_id == gateway, Landing.epoch == epoch) for gateway, epoch in numbers)
    columns = (Landing.min_time, Landing.max_time, Landing.readings, Landing.id)
    landed = select(*columns, Landing.gateway_id, Landing.epoch).where(
        or_(*ours), Landing.min_time < end, Landing.max_time >= start
    )
    for *row, gateway, epoch in session.execute(landed):
        yield _Segment(*row, numbers[gateway, epoch])


def _by_min_time(segment: _Segment) -> int:
    return segment.min_time


def _cut(segments: Sequence[_Segment], start: int, end: int, wanted: int | None) -> int:
    """Where to stop so that the segments before hold about `wanted` readings; `segments` by min_time."""
    count = 0
    for this, following in itertools.pairwise(segments):
        count += this.readings
        if wanted is not None and count >= wanted and following.min_time > start:
            return min(following.min_time, end)
    return end


def _load(session: Session, segments: Sequence[_Segment], start: int, end: int) -> Readings:
    """Readings of these segments in [start, end): chunks first, then what landed, each by arrival."""
    chunks = sorted(segment.id for segment in segments if segment.numbers is None)
    landed = {segment.id: segment.numbers for segment in segments if segment.numbers is not None}
    parts = [_within(body, (0,), start, end) for _, body in _bodies(session, Chunk, chunks)]
    found = _bodies(session, Landing, sorted(landed))
    parts += [_within(body, landed[row_id], start, end) for row_id, body in found]
    return merge(parts)


def _bodies(
    session: Session, table: type[Chunk] | type[Landing], ids: Sequence[int]
) -> Iterator[tuple[int, bytes]]:
    for start in range(0, len(ids), _KEYS_A_QUERY):
        some = ids[start : start + _KEYS_A_QUERY]
        rows = session.execute(select(table.id, table.body).where(table.id.in_(some)).order_by(table.id))
        yield from ((row_id, body) for row_id, body in rows)


def _within(body: bytes, numbers: tuple[int, ...], start: int, end: int) -> Readings:
    block = decode_columns(body)
    ours = block.channel == numbers[0] if len(numbers) == 1 else np.isin(block.channel, numbers)
    inside = ours & (block.time >= start) & (block.time < end)
    if inside.all():
        return Readings(block.time, block.value, block.quality)
    return Readings(block.time[inside], block.value[inside], block.quality[inside])


def _newest_chunked(session: Session, channel_ids: Collection[int]) -> dict[int, Latest]:
    newest = (
        select(Chunk.channel_id, func.max(Chunk.max_time))
        .where(Chunk.channel_id.in_(channel_ids))
        .group_by(Chunk.channel_id)
    )
    found = {}
    for channel_id, max_time in session.execute(newest).all():
        query = select(Chunk.body).where(Chunk.channel_id == channel_id, Chunk.max_time == max_time)
        block = decode_columns(session.scalars(query.order_by(Chunk.id.desc()).limit(1)).one())
        found[channel_id] = Latest(int(block.time[-1]), float(block.value[-1]), int(block.quality[-1]))
    return found


def _newest_landed(
    session: Session, gateway_id: str, names: dict[tuple[int, int], int], found: dict[int, Latest]
) -> None:
    """Look through a gateway's landed messages, newest first, until nothing older could matter."""
    query = (
        select(Landing.epoch, Landing.max_time, Landing.body)
        .where(Landing.gateway_id == gateway_id)
        .order_by(Landing.max_time.desc(), Landing.id.desc())
        .limit(_NEWEST_LANDED)
    )
    wanted = set(names.values())
    for epoch, max_time, body in session.execute(query.execution_options(yield_per=50)):
        if all(channel in found and found[channel].time >= max_time for channel in wanted):
            return
        block = decode_columns(body)
        for number in np.unique(block.channel).tolist():
            channel_id = names.get((epoch, number))
            if channel_id is None:
                continue
            rows = np.flatnonzero(block.channel == number)
            row = rows[len(rows) - 1 - int(np.argmax(block.time[rows][::-1]))]
            if channel_id not in found or int(block.time[row]) > found[channel_id].time:
                found[channel_id] = Latest(
                    int(block.time[row]), float(block.value[row]), int(block.quality[row])
                )
