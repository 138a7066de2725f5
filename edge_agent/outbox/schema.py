"""The outbox's tables, and the one way to open its file."""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from models.errors import TransientError

PAGE_BYTES = 4096
LOG_PAGES = 1000  # as SQLite does by itself

# The index holds what is counted, so that counting does not read the messages themselves.
_TABLES = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS urgent (
    sequence INTEGER PRIMARY KEY, kind INTEGER NOT NULL, raw BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS bulk (
    sequence INTEGER PRIMARY KEY, kind INTEGER NOT NULL, raw BLOB NOT NULL,
    readings INTEGER NOT NULL, from_at INTEGER NOT NULL, to_at INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS bulk_readings ON bulk (sequence, readings);
CREATE TABLE IF NOT EXISTS settled (
    stream INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL, fate INTEGER NOT NULL,
    at INTEGER NOT NULL, seal INTEGER NOT NULL, PRIMARY KEY (stream, first)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS channel (
    number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, entry TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS raised (
    number INTEGER PRIMARY KEY AUTOINCREMENT, alert TEXT NOT NULL, state TEXT NOT NULL,
    UNIQUE (alert, state));
"""


class OutboxBlockedError(TransientError, OSError):
    """The disk takes nothing now: it is full, or fails. Nothing was stored; later it may work again."""


def connect(path: Path) -> sqlite3.Connection:
    """The outbox's file: write-ahead log, each commit on disk before it returns. Writes nothing to a file
    that was an outbox. sqlite3.DatabaseError when it is damaged."""
    database = sqlite3.connect(path, timeout=10.0, isolation_level=None, check_same_thread=False)
    try:
        path.chmod(0o600)
        database.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        mode = database.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        if mode != "wal":
            raise sqlite3.DatabaseError(f"malformed: the file stays in journal mode {mode}")
        database.execute("PRAGMA synchronous = FULL")
        database.execute("PRAGMA journal_size_limit = 4194304")
        database.execute("PRAGMA cache_size = -2048")
    except FAULTS:
        database.close()
        raise
    return database


def is_new(database: sqlite3.Connection) -> bool:
    """Whether there is no outbox in the file yet."""
    return database.execute("SELECT 1 FROM sqlite_master WHERE name = 'meta'").fetchone() is None


def prepare(database: sqlite3.Connection, max_mb: int) -> None:
    """Tables, and the bound."""
    database.executescript(_TABLES)
    used = database.execute("PRAGMA page_count").fetchone()[0]
    wanted = max_mb * (1 << 20) // PAGE_BYTES
    database.execute(f"PRAGMA max_page_count = {max(wanted, used)}")


def open_draft(path: Path) -> sqlite3.Connection:
    """An empty file that becomes an outbox by being renamed: nothing in it is durable before that."""
    database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    path.chmod(0o600)
    database.execute(f"PRAGMA page_size = {PAGE_BYTES}")
    database.execute("PRAGMA journal_mode = OFF")
    database.execute("PRAGMA synchronous = OFF")
    database.execute("PRAGMA cache_size = -2048")
    database.executescript(_TABLES)
    return database


@contextmanager
def unhurried(database: sqlite3.Connection) -> Iterator[None]:
    """Commits within survive the death of the process, and a power cut from the next other commit on.

    For what may be forgotten without loss, as a receipt: it costs no waiting for the disk.
    """
    database.execute("PRAGMA synchronous = NORMAL")
    try:
        yield
    finally:
        database.execute("PRAGMA synchronous = FULL")


def checkpoint_after(database: sqlite3.Connection, pages: int) -> None:
    """How long the write-ahead log may grow before it is worked into the file and begins anew."""
    database.execute(f"PRAGMA wal_autocheckpoint = {pages}")


def free_bytes(database: sqlite3.Connection) -> tuple[int, int]:
    """How much the file may still take, and its bound."""
    bound = database.execute("PRAGMA max_page_count").fetchone()[0]
    used = database.execute("PRAGMA page_count").fetchone()[0]
    freed = database.execute("PRAGMA freelist_count").fetchone()[0]
    return (bound - used + freed) * PAGE_BYTES, bound * PAGE_BYTES


# What a damaged file can raise: its texts may be no UTF-8, its numbers none.
FAULTS = (sqlite3.Error, UnicodeDecodeError, OverflowError)
# Primary result codes that say nothing of the file's content.
_BUSY, _LOCKED, _NOMEM, _INTERRUPT, _FULL, _CANTOPEN = 5, 6, 7, 9, 13, 14
_READONLY, _IOERR, _IOERR_READ, _IOERR_SHORT_READ = 8, 10, 266, 522


def is_damage(wrong: Exception) -> bool:
    """Whether an error means that the file itself is broken, not that it is full or busy."""
    if not isinstance(wrong, sqlite3.Error):
        return isinstance(wrong, UnicodeDecodeError | OverflowError)
    code = getattr(wrong, "sqlite_errorcode", None)
    if code is None:  # ours, or Python's own of a value that is none
        return not isinstance(wrong, sqlite3.ProgrammingError) or "malformed" in str(wrong)
    if code in (_IOERR_READ, _IOERR_SHORT_READ):
        return True
    return code & 0xFF not in (_BUSY, _LOCKED, _NOMEM, _INTERRUPT, _FULL, _CANTOPEN, _IOERR, _READONLY)


def is_full(wrong: Exception) -> bool:
    """Whether there is no room: the file's bound is reached, or the disk is full."""
    return isinstance(wrong, sqlite3.OperationalError) and getattr(wrong, "sqlite_errorcode", 0) == _FULL


def is_blocked(wrong: Exception) -> bool:
    """Whether the disk refuses for now."""
    code = getattr(wrong, "sqlite_errorcode", 0) & 0xFF
    return isinstance(wrong, sqlite3.Error) and code in (_BUSY, _FULL, _CANTOPEN, _IOERR, _READONLY)


def sealed(key: str, value: object) -> str:
    """A value of `meta` with a check, so that a changed bit is no other value."""
    return f"{value}#{zlib.crc32(f'{key}={value}'.encode()):08x}"


def unsealed(key: str, kept: object) -> str:
    """The value; sqlite3.DatabaseError when it is not what was kept."""
    value, _, _ = str(kept).rpartition("#")
    if sealed(key, value) != kept:
        raise sqlite3.DatabaseError(f"meta malformed: {key}")
    return value


def read_meta(database: sqlite3.Connection) -> dict[str, str]:
    """All of `meta`; sqlite3.DatabaseError when one of it is damaged."""
    return {key: unsealed(key, kept) for key, kept in database.execute("SELECT key, value FROM meta")}


def whole(meta: dict[str, str], key: str) -> int:
    """A number kept as text, 0 when it is not there; sqlite3.DatabaseError when it is none."""
    try:
        return int(meta.get(key, 0))
    except (TypeError, ValueError) as wrong:
        raise sqlite3.DatabaseError(f"meta malformed: {key}") from wrong
