"""A gateway's disk: full when it is told to be, cut off in the middle of anything, forgetful without a sync.

Files are real ones (best in memory), so Outbox, Spool and snapshots run as they are. SQLite's promise is
taken at its word: with synchronous FULL a commit is on the disk when it returns, with less it may not be.
"""

from __future__ import annotations

import errno
import os
import random
import secrets
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from simulated_world import Killed, World

_REAL = {name: getattr(os, name) for name in ("write", "fsync", "fdatasync", "posix_fallocate")}
_real_connect = sqlite3.connect
_real_bits, _real_token = secrets.randbits, secrets.token_hex
_WRITES = ("INSERT", "UPDATE", "DELETE", "COMMIT", "REPLACE", "CREATE")
_current: Disk | None = None


class Disk:
    """One gateway's. Everything that happens while `in_use` counts as a step at which it can be killed."""

    def __init__(self, world: World, root: Path) -> None:
        self._world, self.root = world, root
        self.is_full = False
        self.chance = random.Random(world.chance.random())
        self.steps_left: int | None = None
        self.spare_pages: int | None = None  # what the outbox may grow by, if less than its settings say
        self._log_synced = 0
        self._synced: dict[int, int] = {}
        self._open: list[sqlite3.Connection] = []

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """The gateway's own code runs inside."""
        global _current
        before, _current = _current, self
        try:
            yield
        finally:
            _current = before

    def step(self) -> None:
        """A moment between two things; it may be the last."""
        if self.steps_left is not None:
            self.steps_left -= 1
            if self.steps_left <= 0:
                self.steps_left = None
                raise Killed

    def refuse_if_full(self) -> None:
        if self.is_full:
            raise OSError(errno.ENOSPC, "No space left on device")

    def note_synced(self, handle: int) -> None:
        told = os.fstat(handle)
        self._synced[told.st_ino] = told.st_size

    def opened(self, database: sqlite3.Connection) -> None:
        self._open.append(database)

    def note_commit(self, *, is_durable: bool) -> None:
        """A transaction of the outbox is in its log; durable: SQLite waited for the disk."""
        if is_durable:
            self._log_synced = self._log.stat().st_size

    @property
    def _log(self) -> Path:
        return self.root / "outbox.db-wal"

    def drop(self) -> None:
        """The process is gone: what was not committed never was. Its files stay as they are."""
        left = [(path, path.read_bytes()) for path in (self.root / "outbox.db", self._log) if path.exists()]
        for database in self._open:
            database.close()  # which would tidy up, as no killed process does
        self._open.clear()
        for path, content in left:
            path.unlink(missing_ok=True)
            path.write_bytes(content)
        (self.root / "outbox.db-shm").unlink(missing_ok=True)
        for handle in Path("/proc/self/fd").iterdir():
            with suppress(OSError):
                if handle.readlink().is_relative_to(self.root):
                    os.close(int(handle.name))

    def forget_unsynced(self) -> None:
        """The power went: of each file what was synced stays, and of the rest as much as chance leaves."""
        for path in sorted(self.root.rglob("*")):
            if not path.is_file() or path.name.startswith("outbox.db"):
                continue
            told = path.stat()
            kept = self._synced.get(told.st_ino, 0)
            if kept < told.st_size:
                size = self._world.chance.randint(kept, told.st_size)
                self._world.say("disk", path.name, f"{told.st_size} bytes, {kept} synced, {size} left")
                os.truncate(path, size)
        if self._log.exists() and (size := self._log.stat().st_size) > self._log_synced:
            os.truncate(self._log, self._world.chance.randint(self._log_synced, size))

    def damage(self) -> None:
        """Some bytes of the outbox's file are not what they were, or its end is gone."""
        path, draw = self.root / "outbox.db", self._world.chance
        database = _real_connect(path)  # as after an end in good order: all of it in the one file
        with suppress(sqlite3.DatabaseError):  # damaged before
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        database.close()
        raw = bytearray(path.read_bytes())
        if draw.random() < 0.2:
            del raw[draw.randrange(len(raw) // 2, len(raw)) :]
        for _ in range(draw.choice((1, 5, 40, 200))):
            raw[draw.randrange(len(raw))] ^= 1 << draw.randrange(8)
        path.write_bytes(raw)


class _Connection(sqlite3.Connection):
    """A connection of the gateway: each statement is a step, and a full disk refuses what writes."""

    disk: Disk
    is_outbox = False
    _is_full = False

    def execute(self, sql: str, *arguments: Any) -> sqlite3.Cursor:  # type: ignore[override]
        self._before(sql)
        found = super().execute(sql, *arguments)
        if sql == "COMMIT":
            if self.is_outbox:
                self.disk.note_commit(is_durable=self._is_full)
            self.disk.step()
        elif sql.startswith("PRAGMA max_page_count =") and self.disk.spare_pages is not None:
            used = super().execute("PRAGMA page_count").fetchone()[0]
            super().execute(f"PRAGMA max_page_count = {used + self.disk.spare_pages}")
        return found

    def executemany(self, sql: str, *arguments: Any) -> sqlite3.Cursor:  # type: ignore[override]
        self._before(sql)
        return super().executemany(sql, *arguments)

    def _before(self, sql: str) -> None:
        if sql == "ROLLBACK":
            return
        self.disk.step()
        if sql.startswith("PRAGMA synchronous"):
            self._is_full = sql.endswith("FULL")
        if self.disk.is_full and sql.lstrip().upper().startswith(_WRITES):
            full = sqlite3.OperationalError("database or disk is full")
            full.sqlite_errorcode, full.sqlite_errorname = 13, "SQLITE_FULL"
            raise full


def _connect(database: Any, *arguments: Any, **named: Any) -> sqlite3.Connection:
    disk = _current
    if disk is None:
        return _real_connect(database, *arguments, **named)
    disk.step()
    made: _Connection = _real_connect(database, *arguments, factory=_Connection, **named)
    made.disk = disk
    made.is_outbox = Path(str(database)).name == "outbox.db"
    disk.opened(made)
    return made


def _write(handle: int, data: Any) -> int:
    if _current is not None:
        _current.step()
        _current.refuse_if_full()
    return _REAL["write"](handle, data)


def _allocate(handle: int, offset: int, length: int) -> None:
    if _current is None:
        _REAL["posix_fallocate"](handle, offset, length)
        return
    _current.step()
    _current.refuse_if_full()
    os.ftruncate(handle, offset + length)  # it only stands for room, which is plenty here


def _sync(name: str) -> Callable[[int], None]:
    def sync(handle: int) -> None:
        if _current is not None:
            _current.step()
            _current.note_synced(handle)
            return
        _REAL[name](handle)

    return sync


def _random_bits(count: int) -> int:
    return _real_bits(count) if _current is None else _current.chance.getrandbits(count)


def _random_token(count: int | None = None) -> str:
    return _real_token(count) if _current is None else _current.chance.randbytes(count or 16).hex()


@contextmanager
def simulated_disks() -> Iterator[None]:
    """Let gateways' code meet their disks and chance that can be replayed; all other code the machine's."""
    os.write, os.fsync, os.fdatasync = _write, _sync("fsync"), _sync("fdatasync")
    os.posix_fallocate = _allocate
    sqlite3.connect = _connect  # type: ignore[assignment]
    secrets.randbits, secrets.token_hex = _random_bits, _random_token
    try:
        yield
    finally:
        os.write, os.fsync, os.fdatasync = _REAL["write"], _REAL["fsync"], _REAL["fdatasync"]
        os.posix_fallocate = _REAL["posix_fallocate"]
        sqlite3.connect = _real_connect
        secrets.randbits, secrets.token_hex = _real_bits, _real_token
