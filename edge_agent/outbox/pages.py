"""Messages out of a damaged outbox: every page is looked at for rows, whatever the tree above says.

Rows are found by SQLite's own layout of table leaves (https://www.sqlite.org/fileformat2.html, section 1.6)
and believed only when the digest inside the message fits, so nothing is made up. Pages in the write-ahead
log count as well, also those behind the place where SQLite would stop reading it.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from edge_agent.outbox.schema import PAGE_BYTES
from models.errors import WireError
from models.identity import Stream
from models.wire.envelope import MAX_MESSAGE_BYTES, Envelope, open_envelope

_WAL_HEAD, _FRAME_HEAD = 32, 24
_COLUMNS = {Stream.URGENT: 3, Stream.BULK: 6}
_MOST_LOCAL = PAGE_BYTES - 35
_LEAST_LOCAL = (PAGE_BYTES - 12) * 32 // 255 - 23


@dataclass(frozen=True, slots=True)
class Found:
    """A message as it was sealed, with what its row said beside it."""

    envelope: Envelope
    raw: bytes
    place: tuple[int, int, int]
    readings: int = 0
    from_at: int = 0
    to_at: int = 0


class DamagedFile:
    """The pages of a database file and of its write-ahead logs, read only."""

    def __init__(self, path: Path, logs: Sequence[Path]) -> None:
        self._stack = ExitStack()
        self._file = self._map(path)
        self._logs = [self._map(log) for log in logs]
        # Newest first: where a page lies, (which log or -1, offset).
        self._images: dict[int, list[tuple[int, int]]] = {}
        for which, log in enumerate(self._logs):
            for at in range(_WAL_HEAD, len(log) - _FRAME_HEAD - PAGE_BYTES + 1, _FRAME_HEAD + PAGE_BYTES):
                number = int.from_bytes(log[at : at + 4], "big")
                self._images.setdefault(number, []).insert(0, (which, at + _FRAME_HEAD))

    def __enter__(self) -> DamagedFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def messages(self, gateway: str) -> Iterator[Found]:
        """Every message of this gateway that is whole, some of them several times."""
        for log, offset in self._all_pages():
            page = self._page(log, offset)
            cells = int.from_bytes(page[_head(page) + 3 : _head(page) + 5], "big")
            for cell in range(min(cells, PAGE_BYTES // 2)):
                found = self._cell(page, (log, offset, cell))
                if found is not None and found.envelope.identity.gateway == gateway:
                    yield found

    def read(self, place: tuple[int, int, int]) -> Found | None:
        """The message that was found at this place."""
        return self._cell(self._page(*place[:2]), place)

    def _map(self, path: Path) -> bytes | mmap.mmap:
        if not path.exists() or not path.stat().st_size:
            return b""
        file = self._stack.enter_context(path.open("rb"))
        return self._stack.enter_context(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))

    def _all_pages(self) -> Iterator[tuple[int, int]]:
        for images in self._images.values():
            yield from images
        for at in range(0, len(self._file), PAGE_BYTES):
            yield -1, at

    def _page(self, log: int, offset: int) -> bytes:
        source = self._file if log < 0 else self._logs[log]
        return bytes(source[offset : offset + PAGE_BYTES]).ljust(PAGE_BYTES, b"\0")

    def _cell(self, page: bytes, place: tuple[int, int, int]) -> Found | None:
        """What a cell of a table leaf holds; a pointer to nowhere gives nothing."""
        pointer = _head(page) + 8 + 2 * place[2]
        start = int.from_bytes(page[pointer : pointer + 2], "big")
        size, at = _varint(page, start)
        _, at = _varint(page, at)
        if not 48 < size <= MAX_MESSAGE_BYTES + 100:
            return None
        local = _local_size(size)
        return _message(page[at : at + local] + self._overflow(page, at + local, size - local), place)

    def _overflow(self, page: bytes, at: int, left: int) -> bytes:
        parts: list[bytes] = []
        following = int.from_bytes(page[at : at + 4], "big") if left > 0 else 0
        while left > 0 and following > 0:
            places = self._images.get(following) or [(-1, (following - 1) * PAGE_BYTES)]
            image = self._page(*places[0])
            parts.append(image[4 : 4 + left])
            left -= PAGE_BYTES - 4
            following = int.from_bytes(image[:4], "big")
        return b"".join(parts)


def _local_size(size: int) -> int:
    """How much of a payload lies in the leaf itself."""
    if size <= _MOST_LOCAL:
        return size
    wanted = _LEAST_LOCAL + (size - _LEAST_LOCAL) % (PAGE_BYTES - 4)
    return wanted if wanted <= _MOST_LOCAL else _LEAST_LOCAL


def _head(page: bytes) -> int:
    """Where a page's own header begins: the first one has the file's before it."""
    return 100 if page[:6] == b"SQLite" else 0


def _message(payload: bytes, place: tuple[int, int, int]) -> Found | None:
    """The row of a message in a record's bytes; None when it is something else or was changed."""
    size, at = _varint(payload, 0)
    kinds: list[int] = []
    while at < size <= len(payload) and len(kinds) < 7:
        kind, at = _varint(payload, at)
        kinds.append(kind)
    if len(kinds) not in _COLUMNS.values() or kinds[2] < 12 or kinds[2] % 2:
        return None
    values = []
    for kind in kinds:
        width = _width(kind)
        values.append(payload[at : at + width])
        at += width
    try:
        envelope = open_envelope(values[2])
    except WireError:
        return None
    if _COLUMNS[envelope.identity.stream] != len(kinds):
        return None
    numbers = [_integer(kind, value) for kind, value in zip(kinds[3:], values[3:], strict=True)]
    return Found(envelope, values[2], place, *numbers)


def _width(kind: int) -> int:
    if kind >= 12:
        return (kind - 12) // 2
    return (0, 1, 2, 3, 4, 6, 8, 8, 0, 0, 0, 0)[kind]


def _integer(kind: int, value: bytes) -> int:
    if kind in (8, 9):
        return kind - 8
    return max(0, int.from_bytes(value, "big", signed=True)) if 1 <= kind <= 6 else 0


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for step in range(9):
        if at >= len(data):
            return 0, at
        byte = data[at]
        at += 1
        if step == 8:
            return (value << 8) | byte, at
        value = (value << 7) | (byte & 0x7F)
        if byte < 0x80:
            break
    return value, at
