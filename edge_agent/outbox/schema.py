"""The outbox's tables, and the one way to open its file."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from pathlib import Path

PAGE_BYTES = 4096

_TABLES = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS urgent (
    sequence INTEGER PRIMARY KEY, kind INTEGER NOT NULL, raw BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS bulk (
    sequence INTEGER PRIMARY KEY, kind INTEGER NOT NULL, raw BLOB NOT NULL,
    readings INTEGER NOT NULL, from_at INTEGER NOT NULL, to_at INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS channel (
    number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, entry TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS cursor (device TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS raised (
    number INTEGER PRIMARY KEY AUTOINCREMENT, alert TEXT NOT NULL, state TEXT NOT NULL,
    UNIQUE (alert, state));
"""


def open_database(path: Path, max_mb: int) -> sqlite3.Connection:
    """The outbox's file: write-ahead log, each commit on disk before it returns, bounded size.

    sqlite3.DatabaseError when the file is damaged.
    """
    database = sqlite3.connect(path, timeout=10.0, isolation_level=None, check_same_thread=False)
    try:
        path.chmod(0o600)
        database.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        database.execute("PRAGMA journal_size_limit = 4194304")
        database.execute("PRAGMA cache_size = -2048")
        database.executescript(_TABLES)
        used = database.execute("PRAGMA page_count").fetchone()[0]
        wanted = max_mb * (1 << 20) // PAGE_BYTES
        database.execute(f"PRAGMA max_page_count = {max(wanted, used)}")
    except FAULTS:
        database.close()
        raise
    return database


def free_bytes(database: sqlite3.Connection) -> tuple[int, int]:
    """How much the file may still take, and its bound."""
    bound = database.execute("PRAGMA max_page_count").fetchone()[0]
    used = database.execute("PRAGMA page_count").fetchone()[0]
    freed = database.execute("PRAGMA freelist_count").fetchone()[0]
    return (bound - used + freed) * PAGE_BYTES, bound * PAGE_BYTES


# What a damaged file can raise: its texts may be no UTF-8.
FAULTS = (sqlite3.DatabaseError, UnicodeDecodeError)


def is_damage(wrong: Exception) -> bool:
    """Whether an error means that the file itself is broken, not that it is full or busy."""
    if isinstance(wrong, UnicodeDecodeError):
        return True
    if isinstance(wrong, sqlite3.OperationalError | sqlite3.ProgrammingError | sqlite3.IntegrityError):
        return "malformed" in str(wrong) or "no such table" in str(wrong)
    return isinstance(wrong, sqlite3.DatabaseError)


def is_full(wrong: Exception) -> bool:
    return isinstance(wrong, sqlite3.OperationalError) and "full" in str(wrong)


def set_aside(path: Path, suffix: str) -> Path:
    """Move a damaged file and what belongs to it out of the way."""
    kept = path.with_name(f"{path.name}.damaged-{suffix}")
    path.replace(kept)
    for tail in ("-wal", "-shm"):
        beside = path.with_name(path.name + tail)
        if beside.exists():
            beside.replace(kept.with_name(kept.name + tail))
    return kept


def whole(meta: Mapping[str, str], key: str) -> int:
    """A number kept as text, 0 when it is not there; sqlite3.DatabaseError when it is none."""
    try:
        return int(meta.get(key, 0))
    except (TypeError, ValueError) as wrong:
        raise sqlite3.DatabaseError(f"meta malformed: {key}") from wrong
