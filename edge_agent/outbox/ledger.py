"""The outbox's file as a ledger: transactions that survive a full and a damaged file, and numbers."""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from edge_agent.outbox import rows, schema
from edge_agent.outbox.rows import SpoolMark
from models.identity import MessageIdentity, Stream
from models.wire.envelope import Kind, seal
from models.wire.messages import GapRecord

log = logging.getLogger(__name__)
Answer = TypeVar("Answer")
RESERVE = 0.1  # of the file is kept for the urgent stream
TABLE = {Stream.URGENT: "urgent", Stream.BULK: "bulk"}
_TRIES = 12


class Ledger:
    """Epoch, sequence numbers and sealed messages, kept together in one SQLite file.

    Full: the oldest telemetry goes, with a gap record. Damaged, whenever that is noticed: the file is set
    aside and a new epoch begins, with how far the spool was cut if that can still be read.
    """

    def __init__(
        self, path: Path, gateway: str, *, max_mb: int, new_epoch: Callable[[], int], now: Callable[[], int]
    ) -> None:
        self._path, self._gateway, self._max_mb = path, gateway, max_mb
        self._new_epoch, self._now = new_epoch, now
        self._lock = threading.RLock()
        self._damaged: str = ""
        self._database = self._open()
        self._begin_life()

    def _open(self) -> sqlite3.Connection:
        try:
            return schema.open_database(self._path, self._max_mb)
        except schema.FAULTS as wrong:
            if not schema.is_damage(wrong):
                raise
            self._set_aside(wrong)
            return schema.open_database(self._path, self._max_mb)

    def _set_aside(self, wrong: Exception) -> None:
        self._damaged = str(wrong)
        kept = schema.set_aside(self._path, str(self._now()))
        log.error("outbox: damaged (%s), set aside as %s; a new epoch begins", wrong, kept.name)

    def _begin_life(self) -> None:
        try:
            self._read_life()
        except schema.FAULTS as wrong:
            if not schema.is_damage(wrong):
                raise
            self._database.close()
            self._set_aside(wrong)
            self._database = schema.open_database(self._path, self._max_mb)
            self._read_life()
        if self._damaged:
            self._note_damage()

    def _read_life(self) -> None:
        self._dropped = 0
        with self._lock:
            meta = dict(self._database.execute("SELECT key, value FROM meta"))
            if "epoch" not in meta:
                meta["epoch"] = str(self._new_epoch())
                self._database.execute("INSERT INTO meta VALUES ('epoch', ?)", (meta["epoch"],))
            self._epoch = schema.whole(meta, "epoch")
            self._assigned = {s: schema.whole(meta, f"assigned_{TABLE[s]}") for s in Stream}
            self._dropped = schema.whole(meta, "dropped")

    def _note_damage(self) -> None:
        """Tell the cloud that an unknown number of messages went with the damaged file."""
        now = self._now()
        record = GapRecord(
            first_sequence=0, last_sequence=0, messages=0, readings=0, from_at=now, to_at=now,
            reason="outbox_damaged",
        )  # fmt: skip
        self._damaged = ""
        self._run(lambda db: self._insert_urgent(db, Kind.GAP, record.model_dump_json().encode()))

    def _run(self, work: Callable[[sqlite3.Connection], Answer], *, writes: bool = True) -> Answer:
        """`work` in one transaction. Full: the oldest telemetry goes and it is tried again. Damaged: set
        aside, and tried again in the new file."""
        with self._lock:
            for attempt in range(_TRIES):
                try:
                    return self._once(work, writes)
                except schema.FAULTS as wrong:
                    if schema.is_full(wrong) and writes and attempt < _TRIES - 2:
                        self._once(lambda db: self._drop_oldest(db, "outbox_full"), True)
                    elif schema.is_damage(wrong) and attempt < _TRIES - 1:
                        self._start_over(wrong)
                    else:
                        raise
        raise AssertionError("not reached")

    def _once(self, work: Callable[[sqlite3.Connection], Answer], writes: bool) -> Answer:
        before = (self._epoch, dict(self._assigned), self._dropped)
        self._database.execute("BEGIN IMMEDIATE" if writes else "BEGIN")
        try:
            answer = work(self._database)
            self._database.execute("COMMIT")
        except BaseException:
            self._epoch, self._assigned, self._dropped = before
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            raise
        return answer

    def _start_over(self, wrong: Exception) -> None:
        """A new file, with how far the spool was cut and what channels are called if that can be read."""
        try:
            mark: SpoolMark | None = rows.read_mark(self._database)
            entries = rows.read_channels(self._database)
        except schema.FAULTS:
            mark, entries = None, []
        self._database.close()
        self._set_aside(wrong)
        self._database = schema.open_database(self._path, self._max_mb)
        self._read_life()
        self._damaged = ""
        if mark is not None:
            self._database.execute("BEGIN IMMEDIATE")
            rows.store_mark(self._database, mark)
            rows.number_channels(self._database, entries)
            self._database.execute("COMMIT")
        self._note_damage()

    def _next(self, db: sqlite3.Connection, stream: Stream) -> int:
        self._assigned[stream] += 1
        rows.set_meta(db, f"assigned_{TABLE[stream]}", self._assigned[stream])
        return self._assigned[stream]

    def _seal(self, stream: Stream, number: int, kind: Kind, body: bytes) -> bytes:
        return seal(MessageIdentity(self._gateway, self._epoch, stream, number), kind, self._now(), body)

    def _insert_urgent(self, db: sqlite3.Connection, kind: Kind, body: bytes) -> int:
        number = self._next(db, Stream.URGENT)
        raw = self._seal(Stream.URGENT, number, kind, body)
        db.execute("INSERT INTO urgent VALUES (?, ?, ?)", (number, int(kind), raw))
        return number

    def _make_room(self, db: sqlite3.Connection, needed: int) -> None:
        """Keep a reserve free for the urgent stream."""
        while True:
            free, bound = schema.free_bytes(db)
            if free >= needed + bound * RESERVE or not self._drop_oldest(db, "outbox_full"):
                return

    def _drop_oldest(self, db: sqlite3.Connection, reason: str) -> bool:
        """Drop some of the oldest telemetry and say so in the urgent stream; False when there is none."""
        record = rows.drop_oldest(db, reason)
        if record is None:
            return False
        self._insert_urgent(db, Kind.GAP, record.model_dump_json().encode())
        self._dropped += record.messages
        rows.set_meta(db, "dropped", self._dropped)
        return True
