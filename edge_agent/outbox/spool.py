"""The spool: every block a driver returned, on disk before anything else sees it.

Files named by the position of their first byte; positions rise for ever. Whoever reads keeps a position of
his own, so judging, cutting and restarting are the same walk.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path

from edge_agent.outbox.overflow import Lost, Overflow
from edge_agent.outbox.record import SpoolRecord, pack_record, parse_records
from edge_agent.state import replace_file, sync_folder
from models.errors import TransientError
from models.readings import ReadingBlock

log = logging.getLogger(__name__)
_CHUNK = 1 << 20
_LARGEST_CHUNK = 32 << 20
_IN_MEMORY = 4 << 20  # while the disk takes nothing: half an hour at 100 readings a second


class SpoolFullError(TransientError):
    """What was read is not yet judged and cut; the reader of devices has to wait."""


class Spool:
    """Append-only segments in `folder`, at most `max_bytes` of them.

    `append` survives the death of the process at once and a power cut from the next `sync` on. Any thread
    may call anything. While the disk takes nothing, records are kept in memory (`problem` says so, and they
    survive nothing); beyond its bound the oldest go, and `take_lost` tells of them.

    `boot`: the machine's boot. Blocks carry one derived from it and from this spool's own life, so that
    indices never mean two readings, even when the state folder is made anew during one boot.
    """

    def __init__(
        self, folder: Path, *, boot: str, life: Callable[[], str], max_bytes: int, at_least: int = 0
    ) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder, self.max_bytes = folder, max_bytes
        self._segment_bytes = max(4096, min(4 << 20, max_bytes // 8))
        self._changed = threading.Condition()
        self.boot = blake2b(f"{boot}\x1f{_life_of(folder, life)}".encode(), digest_size=16).hexdigest()
        self.damaged_bytes = 0
        self.problem = ""
        self._overflow = Overflow(_IN_MEMORY)
        self._segments = sorted(int(path.stem, 16) for path in folder.glob("*.seg"))
        self._next_index = 0
        self._end = self._mend_tail()
        if not self._segments or self._end < at_least:
            self._end = max(self._end, at_least)
            self._segments.append(self._end)
        self._file = self._open_segment(self._segments[-1])
        # What the last run wrote and had no time to sync is promised no less than what this one will write.
        os.fdatasync(self._file)
        self._synced = self._written = self._end

    @property
    def start(self) -> int:
        """Position of the oldest byte kept."""
        return self._segments[0]

    @property
    def end(self) -> int:
        return self._end

    @property
    def next_index(self) -> int:
        """Index the next reading of this boot will get."""
        return self._next_index

    def count_from(self, index: int) -> None:
        """Indices below `index` were used in this boot, though the spool no longer shows it."""
        with self._changed:
            self._next_index = max(self._next_index, index)

    def append(self, block: ReadingBlock, device: str, cursor: str | None) -> None:
        """Store a block, giving it boot and index. SpoolFullError: nothing was stored."""
        with self._changed:
            if self._written - self.start > self.max_bytes:
                raise SpoolFullError(f"spool holds {self.max_bytes >> 20} MB not yet judged and cut")
            given = replace(block, boot=self.boot, first_index=self._next_index)
            data = pack_record(given, device, cursor)
            self._store(data, given)
            self._next_index = given.next_index
            self._changed.notify_all()

    def read(self, position: int, limit_bytes: int = _CHUNK) -> tuple[list[SpoolRecord], int]:
        """Records from `position` on (about `limit_bytes` of them), and the position to go on from."""
        while True:
            with self._changed:
                position = max(position, self.start)
                if self._overflow and position >= self._written:
                    begin, data = self._overflow.data(position, limit_bytes)
                    records, used, _ = parse_records(data, begin)
                    return records, begin + used if records else position
                end = self._written
                base = max(segment for segment in self._segments if segment <= position)
                following = min((s for s in self._segments if s > base), default=None)
            limit = end if following is None else following
            records, used, there = self._read_segment(base, position, limit, limit_bytes)
            if records:
                return records, used
            if following is None:
                if not self._overflow:
                    return records, used
                following = end
            if used == position and there:
                log.error("spool: %d bytes at %d belong to no reading", there, position)
                self.damaged_bytes += there
            position = following

    def take_lost(self, fetched: int, *, is_asked: bool) -> Lost | None:
        """Readings that neither disk nor memory could keep since this was last asked. `fetched`: who asks has
        read up to here, and keeps what it read; what is lost is kept for when it `is_asked`."""
        with self._changed:
            self._overflow.fetched = fetched
            return self._overflow.take_lost() if is_asked else None

    def wait(self, position: int, timeout_s: float) -> bool:
        """Until there is something past `position`, or the time is over."""
        with self._changed:
            return self._changed.wait_for(lambda: self._end > position, timeout_s)

    def wake(self) -> None:
        """Let whoever waits look again."""
        with self._changed:
            self._changed.notify_all()

    def sync(self) -> int:
        """Make everything appended so far survive a power cut; the position up to which it does."""
        with self._changed:
            self._empty_overflow()
            end, file = self._written, self._file
            if end == self._synced:
                return end
            handle = os.dup(file)
        try:
            os.fdatasync(handle)
        finally:
            os.close(handle)
        self._synced = end
        return end

    def release(self, position: int) -> None:
        """Nobody needs what lies before `position`: remove whole segments there, but never the last."""
        with self._changed:
            self._overflow.release(position)
            while len(self._segments) > 1 and self._segments[1] <= position:
                self._path(self._segments.pop(0)).unlink(missing_ok=True)

    def close(self) -> None:
        with self._changed:
            if self._file >= 0:
                os.fsync(self._file)
                os.close(self._file)
                self._file = -1

    def _read_segment(
        self, base: int, position: int, limit: int, limit_bytes: int
    ) -> tuple[list[SpoolRecord], int, int]:
        """Records in one segment, where they end, and how many bytes were looked at."""
        size = limit_bytes
        while True:
            wanted = min(size, limit - position)
            if wanted <= 0:
                return [], position, 0
            with self._path(base).open("rb") as file:
                file.seek(position - base)
                data = file.read(wanted)
            records, used, damaged = parse_records(data, position, is_all=wanted >= limit - position)
            if damaged:
                log.error("spool: %d damaged bytes near %d were stepped over", damaged, position)
                self.damaged_bytes += damaged
            if records or wanted >= limit - position or size >= _LARGEST_CHUNK:
                return records, position + used, len(data)
            size *= 4

    def _store(self, data: bytes, block: ReadingBlock) -> None:
        """On the disk, or in memory where that refuses."""
        position = self._end
        if not self._overflow:
            try:
                self._write(data)
                return
            except OSError as wrong:
                if not self.problem:
                    log.error("spool: the disk takes nothing (%s); readings are kept in memory", wrong)
                self.problem = str(wrong)
        self._overflow.keep(position, data, block)
        self._end += len(data)

    def _empty_overflow(self) -> None:
        """What was kept in memory goes to the disk, as far as that takes it."""
        if not self.problem:
            return
        try:
            while self._overflow:
                if self._overflow.start > self._written:
                    self._rotate(self._overflow.start)  # what lay between was lost, or is needed no more
                self._write(self._overflow.first(), is_new=False)
                self._overflow.drop_first()
            if self._end > self._written:
                self._rotate(self._end)
        except OSError as wrong:
            self.problem = str(wrong)
            return
        self.problem = ""
        log.warning("spool: the disk takes readings again")

    def _write(self, data: bytes, *, is_new: bool = True) -> None:
        """All of `data` or nothing."""
        if self._written - self._segments[-1] >= self._segment_bytes:
            self._rotate(self._written)
        start = self._written - self._segments[-1]
        written = 0
        try:
            while written < len(data):
                written += os.write(self._file, data[written:])
        except OSError:
            os.ftruncate(self._file, start)
            raise
        self._written += len(data)
        if is_new:
            self._end = self._written

    def _rotate(self, position: int) -> None:
        """Go on in a new segment that begins at `position`."""
        os.fdatasync(self._file)
        fresh = self._open_segment(position)
        os.close(self._file)
        self._file = fresh
        self._segments.append(position)
        self._synced = self._written = position

    def _open_segment(self, base: int) -> int:
        file = os.open(self._path(base), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        sync_folder(self._folder)
        return file

    def _mend_tail(self) -> int:
        """Cut off what the last run left unfinished; the end of the last sound record."""
        if not self._segments:
            return 0
        base = self._segments[-1]
        path = self._path(base)
        data = path.read_bytes()
        records, used, damaged = parse_records(data, base)
        if damaged or used < len(data):
            log.warning("spool: %d torn and %d damaged bytes at its end", len(data) - used, damaged)
            self.damaged_bytes += damaged
            os.truncate(path, used)
        self._count_records(records)
        for earlier in reversed(self._segments[:-1]):
            if records:
                break
            records = parse_records(self._path(earlier).read_bytes(), earlier)[0]
            self._count_records(records)
        return base + used

    def _count_records(self, records: list[SpoolRecord]) -> None:
        for record in records:
            if record.block.boot == self.boot:
                self._next_index = max(self._next_index, record.block.next_index)

    def _path(self, base: int) -> Path:
        return self._folder / f"{base:016x}.seg"


def _life_of(folder: Path, life: Callable[[], str]) -> str:
    """The name this spool was given when it was made."""
    path = folder / "life"
    if not path.exists():
        replace_file(path, life().encode())
    return path.read_text()
