"""Looking into an outbox from outside, beside a running agent; changes nothing."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from models.errors import LastmileError


def outbox_figures(path: Path) -> dict[str, int]:
    """Rows waiting, numbers given and bytes used; LastmileError when there is no readable outbox."""
    if not path.exists():
        raise LastmileError(f"{path} is not there: has the agent run?")
    try:
        database = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5.0)
    except sqlite3.Error as wrong:
        raise LastmileError(f"{path} cannot be read: {wrong}") from wrong
    try:
        return _figures(database)
    except sqlite3.Error as wrong:
        raise LastmileError(f"{path} cannot be read: {wrong}") from wrong
    finally:
        database.close()


def _figures(database: sqlite3.Connection) -> dict[str, int]:
    meta = dict(database.execute("SELECT key, value FROM meta"))
    urgent = database.execute("SELECT count(*), coalesce(sum(length(raw)), 0) FROM urgent").fetchone()
    bulk = database.execute(
        "SELECT count(*), coalesce(sum(length(raw)), 0), coalesce(sum(readings), 0) FROM bulk"
    ).fetchone()
    return {
        "epoch": int(meta.get("epoch", 0)),
        "urgent_messages": urgent[0],
        "urgent_bytes": urgent[1],
        "urgent_assigned": int(meta.get("assigned_urgent", 0)),
        "bulk_messages": bulk[0],
        "bulk_bytes": bulk[1],
        "bulk_readings": bulk[2],
        "bulk_assigned": int(meta.get("assigned_bulk", 0)),
        "dropped_messages": int(meta.get("dropped", 0)),
    }
