"""What is done to the outbox's rows inside a transaction: numbers, marks, fates."""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from pydantic import ValidationError

from edge_agent.outbox.schema import sealed
from edge_agent.outbox.settled import Fate, Ranges, Settled, Span
from models.identity import Stream
from models.wire.envelope import Kind
from models.wire.messages import ChannelEntry

RAISED_KEPT = 10_000
DROP_AT_ONCE = 64
TABLE = {Stream.URGENT: "urgent", Stream.BULK: "bulk"}


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

    position: int = 0
    boot: str = ""
    next_index: int = 0
    cursors: Mapping[str, str] = field(default_factory=dict)
    last_time: int = 0

    def told(self) -> dict[str, Any]:
        """As JSON-ready values."""
        return {
            "position": self.position,
            "boot": self.boot,
            "next_index": self.next_index,
            "cursors": dict(self.cursors),
            "last_time": self.last_time,
        }

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> SpoolMark:
        """What `told` gave; KeyError, TypeError, ValueError when it is something else."""
        cursors = {str(device): str(cursor) for device, cursor in told["cursors"].items()}
        numbers = (int(told["position"]), str(told["boot"]), int(told["next_index"]))
        return cls(*numbers, cursors, int(told["last_time"]))


def body_start(raw: bytes) -> int:
    """Where the body of a sealed message begins: after the prefix and the gateway's name."""
    return 48 + raw[5]


def set_meta(db: sqlite3.Connection, key: str, value: object) -> None:
    """Keep one value under a name."""
    db.execute("INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
               (key, sealed(key, value)))  # fmt: skip


def store_mark(db: sqlite3.Connection, mark: SpoolMark) -> None:
    """Keep how far the spool was cut."""
    set_meta(db, "mark", json.dumps(mark.told(), separators=(",", ":")))


def read_mark(meta: Mapping[str, str]) -> SpoolMark:
    """How far the spool was cut, out of `meta`; sqlite3.DatabaseError when that is damaged."""
    try:
        return SpoolMark.of(json.loads(meta["mark"])) if "mark" in meta else SpoolMark()
    except (KeyError, TypeError, ValueError) as wrong:
        raise sqlite3.DatabaseError("meta malformed: mark") from wrong


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


def read_channels(db: sqlite3.Connection) -> list[ChannelEntry]:
    """Every channel that ever had a number; sqlite3.DatabaseError when that cannot be read."""
    found = db.execute("SELECT number, name, entry FROM channel ORDER BY number").fetchall()
    try:
        entries = [ChannelEntry.model_validate_json(row[2]) for row in found]
    except ValidationError as wrong:
        raise sqlite3.DatabaseError(f"channels malformed: {wrong}") from wrong
    if [(entry.number, entry.name) for entry in entries] != [row[:2] for row in found]:
        raise sqlite3.DatabaseError("channels malformed: a number or a name is not what was kept")
    return entries


def table_digest(boot: str, entries: Sequence[ChannelEntry]) -> str:
    """Names a table of channels within a boot."""
    text = json.dumps([boot, [entry.model_dump() for entry in entries]], sort_keys=True)
    return blake2b(text.encode(), digest_size=12).hexdigest()


# ---- fates


def read_settled(db: sqlite3.Connection, stream: Stream) -> Settled:
    """What is settled of a stream; sqlite3.DatabaseError when that is damaged."""
    rows = db.execute(
        "SELECT first, last, fate, at, seal FROM settled WHERE stream = ? ORDER BY first", (int(stream),)
    )
    spans: list[Span] = []
    for first, last, fate, at, seal in rows:
        if seal != _seal_of(stream, (first, last, fate, at)):
            raise sqlite3.DatabaseError("settled malformed")
        spans.append(Span(first, last, Fate(fate), at))
    return Settled(tuple(spans))


def store_settled(db: sqlite3.Connection, stream: Stream, before: Settled, after: Settled) -> None:
    """Keep what changed."""
    old, new = set(before.spans), set(after.spans)
    db.executemany(
        "DELETE FROM settled WHERE stream = ? AND first = ?",
        [(int(stream), span.first) for span in old - new],
    )
    kept = [(span.first, span.last, int(span.fate), span.at) for span in new - old]
    db.executemany(
        "INSERT INTO settled VALUES (?, ?, ?, ?, ?, ?)",
        [(int(stream), *one, _seal_of(stream, one)) for one in kept],
    )


def _seal_of(stream: Stream, kept: tuple[int, int, int, int]) -> int:
    return zlib.crc32(repr((int(stream), *kept)).encode())


def count_rows(db: sqlite3.Connection, stream: Stream) -> int:
    """How many messages lie in the file."""
    source = "bulk INDEXED BY bulk_readings" if stream is Stream.BULK else "urgent"
    return int(db.execute(f"SELECT count(*) FROM {source}").fetchone()[0])


def sum_readings(db: sqlite3.Connection, ranges: Ranges) -> int:
    """Readings in these messages of the bulk stream."""
    query = (
        "SELECT coalesce(sum(readings), 0) FROM bulk INDEXED BY bulk_readings WHERE sequence BETWEEN ? AND ?"
    )
    return sum(int(db.execute(query, one).fetchone()[0]) for one in ranges)


def delete_rows(db: sqlite3.Connection, stream: Stream, ranges: Ranges) -> int:
    """Take messages out of the file; how many there were."""
    query = f"DELETE FROM {TABLE[stream]} WHERE sequence BETWEEN ? AND ?"
    return sum(db.execute(query, one).rowcount for one in ranges)


def drop_rows(db: sqlite3.Connection, ranges: Ranges) -> tuple[int, int, int]:
    """Delete telemetry that had no receipt: how many readings, and from when to when."""
    query = "SELECT readings, from_at, to_at FROM bulk WHERE sequence BETWEEN ? AND ?"
    found = [row for one in ranges for row in db.execute(query, one)]
    delete_rows(db, Stream.BULK, ranges)
    # A table of channels may have been among them: it is sent again before numbers are used.
    db.execute("DELETE FROM meta WHERE key = 'table_sent'")
    timed = [row for row in found if row[0]] or found
    return sum(row[0] for row in found), min(row[1] for row in timed), max(row[2] for row in timed)
