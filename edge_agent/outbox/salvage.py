"""A damaged outbox: what can still be known of it, which messages are whole, and what is lost."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from edge_agent.outbox import rows, schema
from edge_agent.outbox.life import Life, read_life
from edge_agent.outbox.pages import DamagedFile, Found
from edge_agent.outbox.rows import SpoolMark
from edge_agent.outbox.settled import Ranges, count, lowest, merge, without
from edge_agent.outbox.witness import Testimony
from models.identity import Stream
from models.wire.messages import ChannelEntry

Answer = TypeVar("Answer")


@dataclass(slots=True)
class Known:
    """What a damaged file, or the witness beside it, still tells."""

    life: Life | None = None
    channels: list[ChannelEntry] = field(default_factory=list)
    raised: list[tuple[str, str]] = field(default_factory=list)

    def read(self, db: sqlite3.Connection) -> None:
        """Take what can be read of each table."""
        self.life = _try(lambda: read_life(db), None)
        self.channels = _try(lambda: rows.read_channels(db), [])
        self.raised = _try(
            lambda: [
                (str(a), str(s)) for a, s in db.execute("SELECT alert, state FROM raised ORDER BY number")
            ],
            [],
        )


def _try(read: Callable[[], Answer], otherwise: Answer) -> Answer:
    try:
        return read()
    except (*schema.FAULTS, ValueError, TypeError):
        return otherwise


@dataclass(slots=True)
class Salvage:
    """What is carried over into the next file. `lost`: messages without a receipt that are gone."""

    mark: SpoolMark
    lost: dict[Stream, int]
    places: dict[tuple[Stream, int], tuple[int, int, int]]

    def messages(self, file: DamagedFile) -> Iterator[Found]:
        """Those to be carried over, lowest number first."""
        for key in sorted(self.places):
            found = file.read(self.places[key])
            if found is not None:
                yield found


def plan(file: DamagedFile, gateway: str, known: Known, testimony: Testimony | None, *, room: int) -> Salvage:
    """Find what waited for a receipt, at most `room` bytes of it (the oldest telemetry goes first)."""
    places: dict[tuple[int, Stream, int], tuple[int, int, int]] = {}
    sizes: dict[tuple[int, Stream, int], int] = {}
    for found in file.messages(gateway):
        identity = found.envelope.identity
        places[identity.epoch, identity.stream, identity.sequence] = found.place
        sizes[identity.epoch, identity.stream, identity.sequence] = len(found.raw)
    epoch = _epoch(known, testimony, [key[0] for key in places])
    if testimony is not None and testimony.epoch != epoch:
        testimony = None
    lost: dict[Stream, int] = {}
    kept: dict[tuple[Stream, int], tuple[int, int, int]] = {}
    for stream in (Stream.URGENT, Stream.BULK):
        whole = merge((key[2], key[2]) for key in places if key[:2] == (epoch, stream))
        owed = _owed(stream, whole, known.life, testimony)
        waiting = without(whole, without(whole, owed))
        waiting, room = _fitting(waiting, room, lambda n, s=stream: sizes[epoch, s, n])  # type: ignore[misc]
        lost[stream] = count(owed) - count(waiting)
        kept |= {(stream, n): places[epoch, stream, n] for a, b in waiting for n in range(a, b + 1)}
    return Salvage(_mark(known.life, testimony), lost, kept)


def _epoch(known: Known, testimony: Testimony | None, found: list[int]) -> int:
    if known.life is not None:
        return known.life.epoch
    if testimony is not None:
        return testimony.epoch
    return max(set(found), key=found.count, default=0)


def _owed(stream: Stream, whole: Ranges, life: Life | None, testimony: Testimony | None) -> Ranges:
    """Numbers that were given and had no receipt, as far as anybody knows."""
    told = _newer(life, testimony)
    highest = max((last for _, last in whole), default=0)
    if told is not None:
        return without(merge([(1, max(highest, told.assigned[stream]))]), merge(told.settled[stream]))
    # Rows leave the file from the lowest number on, so what lies below the lowest is settled.
    return without(merge([(1, highest)]), merge([(1, whole[0][0] - 1)]) if whole else ())


def _newer(life: Life | None, testimony: Testimony | None) -> Testimony | None:
    """The later of what file and witness say: what one has seen settled may wait again in the other."""
    if life is None:
        return testimony
    own = life.testimony()
    if testimony is None or any(testimony.assigned[s] < own.assigned[s] for s in Stream):
        return own
    return testimony


def _fitting(numbers: Ranges, room: int, size: Callable[[int], int]) -> tuple[Ranges, int]:
    """The highest numbers that have room, and the room left."""
    needed = 0
    taken = 0
    for first, last in reversed(numbers):
        for number in range(last, first - 1, -1):
            needed += size(number) + 200
            if needed > room:
                return without(numbers, lowest(numbers, count(numbers) - taken)), 0
            taken += 1
    return numbers, room - needed


def _mark(life: Life | None, testimony: Testimony | None) -> SpoolMark:
    told = _newer(life, testimony)
    return told.mark if told is not None else SpoolMark()


def look_into(path: Path, known: Known) -> None:
    """Read what SQLite itself can read of a damaged file, changing nothing."""
    with contextlib.suppress(*schema.FAULTS):
        db = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=1.0)
        try:
            known.read(db)
        finally:
            db.close()
