"""Records of the spool that the disk did not take: in memory until it does, so that judging goes on."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from models.readings import ReadingBlock


@dataclass(frozen=True, slots=True)
class Lost:
    """Readings that neither disk nor memory could keep."""

    readings: int
    from_at: int
    to_at: int

    def __add__(self, other: Lost) -> Lost:
        count = self.readings + other.readings
        return Lost(count, min(self.from_at, other.from_at), max(self.to_at, other.to_at))


@dataclass(frozen=True, slots=True)
class _Record:
    position: int
    data: bytes
    loss: Lost


class Overflow:
    """At most `max_bytes` of records, the oldest go first. Not for several threads.

    `fetched`: whoever makes messages of them has read up to here, so what goes before it is not lost.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes, self._bytes = max_bytes, 0
        self._records: deque[_Record] = deque()
        self._lost: Lost | None = None
        self.fetched = 0

    def __len__(self) -> int:
        return len(self._records)

    @property
    def start(self) -> int:
        """Position of the oldest record; only while there is one."""
        return self._records[0].position

    def keep(self, position: int, data: bytes, block: ReadingBlock) -> None:
        """Add the bytes of a block's record."""
        loss = Lost(len(block), int(block.time.min()), int(block.time.max()))
        self._records.append(_Record(position, data, loss))
        self._bytes += len(data)
        while self._bytes > self._max_bytes and len(self._records) > 1:
            gone = self._pop()
            if gone.position >= self.fetched:
                self._lost = gone.loss if self._lost is None else self._lost + gone.loss

    def data(self, position: int, limit_bytes: int) -> tuple[int, bytes]:
        """Whole records from `position` on, about so many bytes, and the position of the first."""
        found: list[_Record] = []
        size = 0
        for record in self._records:
            if record.position >= position and size < limit_bytes:
                found.append(record)
                size += len(record.data)
        begin = found[0].position if found else position
        return begin, b"".join(record.data for record in found)

    def first(self) -> bytes:
        """The oldest record's bytes."""
        return self._records[0].data

    def drop_first(self) -> None:
        """The oldest record lies elsewhere now."""
        self._pop()

    def release(self, position: int) -> None:
        """Nobody needs what lies before `position`."""
        while self._records and self._records[0].position + len(self._records[0].data) <= position:
            self._pop()

    def take_lost(self) -> Lost | None:
        """What had to go since this was last asked."""
        lost, self._lost = self._lost, None
        return lost

    def _pop(self) -> _Record:
        gone = self._records.popleft()
        self._bytes -= len(gone.data)
        return gone
