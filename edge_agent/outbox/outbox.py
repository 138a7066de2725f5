"""The durable queue: what the cloud must store once, with identity and bytes fixed at the first commit.

Two streams, each with its own sequence. Rows leave on a receipt. When the file is full the oldest
telemetry goes first, with a gap record; alerts never go.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path

from edge_agent.outbox import rows, schema
from edge_agent.outbox.ledger import TABLE, Ledger
from edge_agent.outbox.rows import BulkPart, SpoolMark
from models.alert import Alert
from models.errors import WireError
from models.identity import Stream
from models.wire.envelope import Kind, open_envelope
from models.wire.messages import ChannelEntry, GapRecord, Receipt

log = logging.getLogger(__name__)
_EVIDENCE_SHARE = 0.5  # of the file; beyond it evidence is left out, alerts are not


class Outbox(Ledger):
    """SQLite with one writer lock; any thread may call anything.

    `new_epoch` names a new life of the queue: a number that never came before. `now` is wall time in ns.
    """

    def __init__(
        self, path: Path, gateway: str, *, max_mb: int, new_epoch: Callable[[], int], now: Callable[[], int]
    ) -> None:
        self._listeners: list[Callable[[Stream], None]] = []
        super().__init__(path, gateway, max_mb=max_mb, new_epoch=new_epoch, now=now)

    # ---- what it knows

    @property
    def epoch(self) -> int:
        return self._epoch

    def assigned(self, stream: Stream) -> int:
        """Highest number given in this epoch."""
        return self._assigned[stream]

    def mark(self) -> SpoolMark:
        """How far the spool was cut, as of the last commit."""
        return self._run(rows.read_mark, writes=False)

    def counts(self) -> dict[str, int]:
        """Figures for status: rows, bytes, numbers."""
        with self._lock:
            one = self._database.execute
            urgent, bulk = (one(f"SELECT count(*) FROM {t}").fetchone()[0] for t in ("urgent", "bulk"))
            readings = one("SELECT coalesce(sum(readings), 0) FROM bulk").fetchone()[0]
            free, bound = schema.free_bytes(self._database)
        return {
            "epoch": self._epoch,
            "urgent_rows": urgent,
            "bulk_rows": bulk,
            "bulk_readings": readings,
            "urgent_assigned": self._assigned[Stream.URGENT],
            "bulk_assigned": self._assigned[Stream.BULK],
            "dropped_messages": self._dropped,
            "used_bytes": bound - free,
            "bound_bytes": bound,
        }

    def backlog(self) -> int:
        """How many messages wait for a receipt."""
        with self._lock:
            one = self._database.execute
            return sum(one(f"SELECT count(*) FROM {t}").fetchone()[0] for t in ("urgent", "bulk"))

    def messages(self, stream: Stream, after: int, limit: int) -> list[tuple[int, bytes]]:
        """Number and exact bytes of waiting messages above `after`, lowest first."""
        query = f"SELECT sequence, raw FROM {TABLE[stream]} WHERE sequence > ? ORDER BY sequence LIMIT ?"
        found = self._run(lambda db: db.execute(query, (after, limit)).fetchall(), writes=False)
        return [row for row in found if self._is_sound(stream, *row)]

    def message(self, stream: Stream, sequence: int) -> bytes | None:
        """Exact bytes of one waiting message; None when it needs no sending any more."""
        query = f"SELECT raw FROM {TABLE[stream]} WHERE sequence = ?"
        row = self._run(lambda db: db.execute(query, (sequence,)).fetchone(), writes=False)
        return row[0] if row and self._is_sound(stream, sequence, row[0]) else None

    def listen(self, listener: Callable[[Stream], None]) -> None:
        """Call `listener` after each commit that added messages."""
        self._listeners.append(listener)

    # ---- channels

    def number_channels(self, entries: Sequence[ChannelEntry]) -> dict[str, ChannelEntry]:
        """Entries with the numbers they have or now get; a number means one name for ever.

        A number already in an entry (above 0) is kept if it is free: how numbers outlive a lost outbox.
        """
        return self._run(lambda db: rows.number_channels(db, entries))

    def channels(self) -> list[ChannelEntry]:
        """Every channel that ever had a number."""
        return self._run(rows.read_channels, writes=False)

    # ---- what goes in

    def put_bulk(self, parts: Sequence[BulkPart], mark: SpoolMark | None = None) -> None:
        """Number, seal and store messages and, in the same transaction, how far the spool was cut."""
        self._run(lambda db: self._put_bulk(db, parts, mark))
        if parts:
            self._tell(Stream.BULK)

    def put_urgent(self, kind: Kind, body: bytes) -> int:
        """Number, seal and store one urgent message; its number."""
        number = self._run(lambda db: self._insert_urgent(db, kind, body))
        self._tell(Stream.URGENT)
        return number

    def raise_alert(self, alert: Alert) -> bool:
        """Store an alert unless this state of it was stored before; whether it was new."""
        is_new = self._run(lambda db: self._raise(db, alert))
        if is_new:
            self._tell(Stream.URGENT)
        return is_new

    def put_evidence(self, alert_id: str, body: bytes) -> bool:
        """Store an alert's evidence once; False when it is there already or the file is too full for it."""
        is_new = self._run(lambda db: self._put_evidence(db, alert_id, body))
        if is_new:
            self._tell(Stream.URGENT)
        return is_new

    # ---- what goes out

    def receive(self, receipt: Receipt) -> int:
        """Forget what the cloud has; how many rows that freed.

        A receipt of another epoch says nothing of ours. One above what we ever assigned means that our file
        is older than the cloud's knowledge (a restored image): a new epoch begins.
        """
        if receipt.epoch != self._epoch:
            return 0
        highest = max((receipt.through, *receipt.beyond, *receipt.quarantined))
        if highest > self._assigned[receipt.stream]:
            log.error("outbox: the cloud has seen %d of a stream that ends at %d here; a new epoch begins",
                      highest, self._assigned[receipt.stream])  # fmt: skip
            self._run(self._renew_epoch)
            self._tell(Stream.URGENT)
            return 0
        return self._run(lambda db: self._forget(db, receipt))

    def close(self) -> None:
        with self._lock:
            self._database.close()

    # ---- inside

    def _is_sound(self, stream: Stream, sequence: int, raw: bytes) -> bool:
        """Whether a message's bytes are those that were sealed. The disk changed them otherwise: the cloud
        could not even read whose they are, so they are given up and a gap record stands in."""
        try:
            open_envelope(raw if isinstance(raw, bytes) else b"")
        except WireError as wrong:
            log.error("outbox: message %d of %s was damaged on disk: %s", sequence, stream.name, wrong)
            self._run(lambda db: self._give_up(db, stream, sequence))
            return False
        return True

    def _give_up(self, db: sqlite3.Connection, stream: Stream, sequence: int) -> None:
        now = self._now()
        record = GapRecord(
            first_sequence=sequence if stream is Stream.BULK else 0,
            last_sequence=sequence if stream is Stream.BULK else 0,
            messages=1, readings=0, from_at=now, to_at=now, reason="message_damaged",
        )  # fmt: skip
        body = record.model_dump_json().encode()
        if stream is Stream.BULK:
            db.execute("DELETE FROM bulk WHERE sequence = ?", (sequence,))
            self._insert_urgent(db, Kind.GAP, body)
        else:
            raw = self._seal(stream, sequence, Kind.GAP, body)
            db.execute(
                "UPDATE urgent SET kind = ?, raw = ? WHERE sequence = ?", (int(Kind.GAP), raw, sequence)
            )

    def _tell(self, stream: Stream) -> None:
        for listener in self._listeners:
            listener(stream)

    def _put_bulk(self, db: sqlite3.Connection, parts: Sequence[BulkPart], mark: SpoolMark | None) -> None:
        needed = sum(len(part.body) + 200 for part in parts)
        self._make_room(db, needed)
        for part in parts:
            number = self._next(db, Stream.BULK)
            raw = self._seal(Stream.BULK, number, part.kind, part.body)
            db.execute(
                "INSERT INTO bulk VALUES (?, ?, ?, ?, ?, ?)",
                (number, int(part.kind), raw, part.readings, part.from_at, part.to_at),
            )
        if mark is not None:
            rows.store_mark(db, mark)

    def _raise(self, db: sqlite3.Connection, alert: Alert) -> bool:
        if not rows.is_first_time(db, alert.id, alert.state.value):
            return False
        self._insert_urgent(db, Kind.ALERT, alert.model_dump_json().encode())
        return True

    def _put_evidence(self, db: sqlite3.Connection, alert_id: str, body: bytes) -> bool:
        _, bound = schema.free_bytes(db)
        urgent = db.execute("SELECT coalesce(sum(length(raw)), 0) FROM urgent").fetchone()[0]
        if urgent + len(body) > bound * _EVIDENCE_SHARE or not rows.is_first_time(db, alert_id, "evidence"):
            return False
        self._insert_urgent(db, Kind.EVIDENCE, body)
        return True

    def table_is_sent(self, digest: str) -> bool:
        """Whether the table of channels with this digest is in the stream already."""
        row = self._run(lambda db: db.execute("SELECT value FROM meta WHERE key = 'table_sent'").fetchone())
        return row is not None and row[0] == digest

    def put_table(self, body: bytes, digest: str) -> None:
        """Put the table of channels into the bulk stream."""

        def work(db: sqlite3.Connection) -> None:
            self._put_bulk(db, [BulkPart(Kind.CHANNELS, body)], None)
            rows.set_meta(db, "table_sent", digest)

        self._run(work)
        self._tell(Stream.BULK)

    def _forget(self, db: sqlite3.Connection, receipt: Receipt) -> int:
        table = TABLE[receipt.stream]
        freed = db.execute(f"DELETE FROM {table} WHERE sequence <= ?", (receipt.through,)).rowcount
        named = [(number,) for number in {*receipt.beyond, *receipt.quarantined}]
        if named:
            freed += db.executemany(f"DELETE FROM {table} WHERE sequence = ?", named).rowcount
        return freed

    def _renew_epoch(self, db: sqlite3.Connection) -> None:
        """Give every waiting message a new identity, in the order they were made."""
        self._epoch = self._new_epoch()
        rows.set_meta(db, "epoch", self._epoch)
        db.execute("DELETE FROM meta WHERE key = 'table_sent'")
        for stream in Stream:
            table = TABLE[stream]
            old = [row[0] for row in db.execute(f"SELECT sequence FROM {table} ORDER BY sequence")]
            self._assigned[stream] = 0
            rows.set_meta(db, f"assigned_{table}", 0)
            # New numbers never exceed old ones, and go upwards: no number is taken twice on the way.
            for sequence in old:
                kind, raw = db.execute(
                    f"SELECT kind, raw FROM {table} WHERE sequence = ?", (sequence,)
                ).fetchone()
                body = raw[rows.body_start(raw) :]
                number = self._next(db, stream)
                fresh = self._seal(stream, number, Kind(kind), body)
                db.execute(
                    f"UPDATE {table} SET sequence = ?, raw = ? WHERE sequence = ?", (number, fresh, sequence)
                )
