"""What is done to the outbox's rows inside a transaction: numbers, marks, room."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from pydantic import ValidationError

from edge_agent.outbox.schema import whole
from models.wire.envelope import Kind
from models.wire.messages import ChannelEntry, GapRecord

RAISED_KEPT = 10_000
DROP_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class BulkPart:
    """One message of the bulk stream before it has a number."""

    kind: Kind
    body: bytes
    readings: int = 0
    from_at: int = 0
    to_at: int = 0


@dataclass(frozen=True, slots=True)
class SpoolMark:
    """How far the spool has been cut into messages, and what that means for going on."""

    position: int
    boot: str
    next_index: int
    cursors: Mapping[str, str]
    last_time: int = 0
    thinner: str = ""  # what thinning holds back and goes on with


def body_start(raw: bytes) -> int:
    """Where the body of a sealed message begins: after the prefix and the gateway's name."""
    return 48 + raw[5]


def set_meta(db: sqlite3.Connection, key: str, value: object) -> None:
    """Keep one value under a name."""
    db.execute("INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
               (key, str(value)))  # fmt: skip


def store_mark(db: sqlite3.Connection, mark: SpoolMark) -> None:
    """Keep how far the spool was cut."""
    for key in ("position", "boot", "next_index", "last_time", "thinner"):
        set_meta(db, key, getattr(mark, key))
    db.executemany(
        "INSERT INTO cursor VALUES (?, ?) ON CONFLICT (device) DO UPDATE SET value = excluded.value",
        list(mark.cursors.items()),
    )


def is_first_time(db: sqlite3.Connection, alert_id: str, state: str) -> bool:
    """Remember that this state of an alert was stored; False when it was before."""
    added = db.execute(
        "INSERT OR IGNORE INTO raised (alert, state) VALUES (?, ?)", (alert_id, state)
    ).rowcount
    if added:
        db.execute("DELETE FROM raised WHERE number <= (SELECT max(number) FROM raised) - ?", (RAISED_KEPT,))
    return bool(added)


def number_channels(db: sqlite3.Connection, entries: Iterable[ChannelEntry]) -> dict[str, ChannelEntry]:
    """Entries under the numbers they have or now get."""
    numbered: dict[str, ChannelEntry] = {}
    for entry in entries:
        row = db.execute("SELECT number FROM channel WHERE name = ?", (entry.name,)).fetchone()
        number = row[0] if row else _free_number(db, entry.number)
        known = entry.model_copy(update={"number": number})
        db.execute(
            "INSERT INTO channel VALUES (?, ?, ?) ON CONFLICT (number) DO UPDATE SET entry = excluded.entry",
            (number, entry.name, known.model_dump_json()),
        )
        numbered[entry.name] = known
    return numbered


def _free_number(db: sqlite3.Connection, wished: int) -> int:
    if wished > 0 and not db.execute("SELECT 1 FROM channel WHERE number = ?", (wished,)).fetchone():
        return wished
    highest = db.execute("SELECT coalesce(max(number), 0) FROM channel").fetchone()[0]
    return int(highest) + 1


def table_digest(boot: str, entries: Sequence[ChannelEntry]) -> str:
    """Names a table of channels within a boot."""
    text = json.dumps([boot, [entry.model_dump() for entry in entries]], sort_keys=True)
    return blake2b(text.encode(), digest_size=12).hexdigest()


def drop_oldest(db: sqlite3.Connection, reason: str) -> GapRecord | None:
    """Delete some of the oldest telemetry; the record that says so, or None when there was none."""
    oldest = db.execute(
        "SELECT sequence, readings, from_at, to_at FROM bulk ORDER BY sequence LIMIT ?", (DROP_AT_ONCE,)
    ).fetchall()
    if not oldest:
        return None
    db.execute("DELETE FROM bulk WHERE sequence <= ?", (oldest[-1][0],))
    # A table of channels may have been among them: it is sent again before numbers are used.
    db.execute("DELETE FROM meta WHERE key = 'table_sent'")
    timed = [row for row in oldest if row[1]] or oldest
    return GapRecord(
        first_sequence=oldest[0][0],
        last_sequence=oldest[-1][0],
        messages=len(oldest),
        readings=sum(row[1] for row in oldest),
        from_at=min(row[2] for row in timed),
        to_at=max(row[3] for row in timed),
        reason=reason,
    )


def read_mark(db: sqlite3.Connection) -> SpoolMark:
    """How far the spool was cut, read inside a transaction."""
    meta = dict(db.execute("SELECT key, value FROM meta"))
    cursors = dict(db.execute("SELECT device, value FROM cursor"))
    return SpoolMark(
        whole(meta, "position"),
        meta.get("boot", ""),
        whole(meta, "next_index"),
        cursors,
        whole(meta, "last_time"),
        meta.get("thinner", ""),
    )


def read_channels(db: sqlite3.Connection) -> list[ChannelEntry]:
    """Every channel that ever had a number; sqlite3.DatabaseError when that cannot be read."""
    found = db.execute("SELECT entry FROM channel ORDER BY number").fetchall()
    try:
        return [ChannelEntry.model_validate_json(row[0]) for row in found]
    except ValidationError as wrong:
        raise sqlite3.DatabaseError(f"channels malformed: {wrong}") from wrong
