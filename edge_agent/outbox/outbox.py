"""The durable queue: what the cloud must store once, with identity and bytes fixed at the first commit.

Two streams, each with its own sequence. A receipt ends the waiting of a row; the row itself stays for a day
of service, for a cloud that has to be restored. When the file is full the received rows go, then the oldest
telemetry, with a gap record; alerts never go.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from edge_agent.outbox import rows, schema
from edge_agent.outbox.ledger import Answer, Ledger, carried_body
from edge_agent.outbox.life import Life
from edge_agent.outbox.reserve import Reserve
from edge_agent.outbox.rows import TABLE, BulkPart, SpoolMark
from edge_agent.outbox.schema import OutboxBlockedError
from edge_agent.outbox.settled import Fate, Ranges, common, count, merge, without
from models.alert import Alert
from models.clock import SystemClock
from models.errors import EnvelopeError, WireError
from models.identity import MessageIdentity, Stream
from models.wire.columns import decode_columns
from models.wire.envelope import Envelope, Kind, open_envelope
from models.wire.messages import RECEIPT_NAMES, ChannelEntry, GapRecord, Receipt

log = logging.getLogger(__name__)
_EVIDENCE_SHARE = 0.5  # of the file; beyond it evidence is left out, alerts are not
KEPT_S = 24 * 3600  # of service, after the receipt
STEP_S = 600  # how finely the time of a receipt is kept
_MOST_HELD_BACK = 1000
_SHORT_LOG_PAGES = 32  # of the write-ahead log, when the reserve is all there is


class Outbox(Ledger):
    """SQLite with one writer lock; any thread may call anything.

    `new_epoch` names a new life of the queue: a number that never came before. `now` is wall time in ns,
    which messages carry; `monotonic` (the machine's own by default) measures how long rows are kept.
    Where the disk is full, `put_bulk` raises OutboxBlockedError and stores nothing; what is urgent uses a
    reserve, and when that is used up is held in memory and stored as soon as the disk allows.
    """

    def __init__(
        self,
        path: Path,
        gateway: str,
        *,
        max_mb: int,
        new_epoch: Callable[[], int],
        now: Callable[[], int],
        monotonic: Callable[[], int] | None = None,
    ) -> None:
        self._listeners: list[Callable[[Stream], None]] = []
        self._held_back: list[tuple[Kind, bytes, tuple[str, str] | None]] = []
        self._tidied_step = -1
        self.rewinds = 0
        self.problem = ""
        time_ns = monotonic or SystemClock().monotonic_ns
        super().__init__(path, gateway, max_mb=max_mb, new_epoch=new_epoch, now=now, monotonic=time_ns)
        self._reserve = Reserve(self._files.reserve)
        with contextlib.suppress(OSError):
            self._reserve.make()

    # ---- what it knows

    @property
    def epoch(self) -> int:
        return self._life.epoch

    def assigned(self, stream: Stream) -> int:
        """Highest number given in this epoch."""
        return self._life.assigned[stream]

    def mark(self) -> SpoolMark:
        """How far the spool was cut, as of the last commit."""
        return self._life.mark

    def counts(self) -> dict[str, int]:
        """Figures for status: rows that wait, rows kept after their receipt, bytes, numbers."""
        with self._lock:
            life = self._life
            waiting = {stream: life.waiting(stream) for stream in Stream}
            readings = self._run(lambda db: rows.sum_readings(db, waiting[Stream.BULK]), writes=False)
            free, bound = schema.free_bytes(self._database)
        return {
            "epoch": life.epoch,
            "urgent_rows": count(waiting[Stream.URGENT]),
            "bulk_rows": count(waiting[Stream.BULK]),
            "bulk_readings": readings,
            "urgent_assigned": life.assigned[Stream.URGENT],
            "bulk_assigned": life.assigned[Stream.BULK],
            "received_rows": sum(count(life.settled[stream].of(Fate.RECEIVED)) for stream in Stream),
            "dropped_messages": life.dropped,
            "held_back": len(self._held_back),
            "used_bytes": bound - free,
            "bound_bytes": bound,
        }

    def backlog(self) -> int:
        """How many messages wait for a receipt."""
        life = self._life
        return sum(count(life.waiting(stream)) for stream in Stream)

    def messages(self, stream: Stream, after: int, limit: int) -> list[tuple[int, bytes]]:
        """Number and exact bytes of waiting messages above `after`, lowest first."""
        found = self._run(lambda db: self._waiting_rows(db, stream, after, limit), writes=False)
        return [row for row in found if self._is_sound(stream, *row)]

    def message(self, stream: Stream, sequence: int) -> bytes | None:
        """Exact bytes of one waiting message; None when it needs no sending any more."""
        found = self.messages(stream, sequence - 1, 1)
        return found[0][1] if found and found[0][0] == sequence else None

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
        self._write(lambda db: self._put_bulk(db, parts, mark), takes_reserve=False)
        if parts:
            self._tell(Stream.BULK)

    def put_urgent(self, kind: Kind, body: bytes) -> int:
        """Number, seal and store one urgent message; its number, 0 while it is held back."""
        number = self._write_urgent(kind, body, None) or 0
        self._tell(Stream.URGENT)
        return number

    def raise_alert(self, alert: Alert) -> bool:
        """Store an alert unless this state of it was stored before; whether it was new."""
        once = (alert.id, alert.state.value)
        number = self._write_urgent(Kind.ALERT, alert.model_dump_json().encode(), once)
        if number is not None:
            self._tell(Stream.URGENT)
        return number is not None

    def put_evidence(self, alert_id: str, body: bytes, kind: Kind = Kind.EVIDENCE) -> bool:
        """Store an alert's evidence once; False when it is there already or there is no room for it."""
        try:
            is_new = self._write(lambda db: self._put_evidence(db, alert_id, body, kind))
        except OutboxBlockedError:
            return False
        if is_new:
            self._tell(Stream.URGENT)
        return is_new

    def put_again(self, raws: Sequence[bytes]) -> dict[str, int]:
        """Send messages once more, under the identity they have: how many wait `again`, how many are
        `carried` in new ones, and how many were `waiting` anyhow. EnvelopeError when one is no message of
        this gateway; then none is sent."""
        done = self._write(lambda db: [self._put_again(db, raw) for raw in raws])
        for stream in Stream:
            self._tell(stream)
        return {what: done.count(what) for what in ("again", "carried", "waiting")}

    # ---- what goes out

    def receive(self, receipt: Receipt) -> int:
        """Take in what the cloud has; how many rows need no sending any more.

        A receipt of another epoch says nothing of ours. One above what we ever assigned means that our file
        is older than the cloud's knowledge (a restored image): a new epoch begins. One that lacks what was
        received before means that the cloud's is (a restored backup): those rows wait again, `rewinds`
        rises, and what is not kept any more is told in a gap record.
        """
        life = self._life
        if receipt.epoch != life.epoch:
            return 0
        stream = receipt.stream
        highest = max((receipt.through, *receipt.beyond, *receipt.quarantined))
        if highest > life.assigned[stream]:
            log.error("outbox: the cloud has seen %d of a stream that ends at %d here; a new epoch begins",
                      highest, life.assigned[stream])  # fmt: skip
            self._write(self._renew_epoch)
            self._tell(Stream.URGENT)
            return 0
        named = merge([(1, receipt.through), *((n, n) for n in (*receipt.beyond, *receipt.quarantined))])
        missing = self._missing(receipt, named)
        fresh = without(named, life.settled[stream].all)
        if not fresh and not missing:
            return 0
        with self._lock:
            if missing:
                self._write(lambda db: self._rewind(db, stream, missing))
                self.rewinds += 1
            with schema.unhurried(self._database):
                self._run(lambda db: self._settle(db, stream, fresh))
        if missing:
            self._tell(stream)
        return count(fresh)

    def close(self) -> None:
        with self._lock:
            self._database.close()

    # ---- inside: writing

    def _write(self, work: Callable[[sqlite3.Connection], Answer], *, takes_reserve: bool = True) -> Answer:
        """`work` in a transaction, and before it what was held back while the disk refused."""
        with self._lock:
            try:
                if not takes_reserve:
                    self._refill_reserve()
                answer = self._try_to_write(work)
            except OutboxBlockedError as blocked:
                if not self.problem:
                    log.error("outbox: the disk takes no telemetry: %s", blocked)
                self.problem = str(blocked)
                if not takes_reserve or not self._reserve.give_up():
                    raise
                schema.checkpoint_after(self._database, _SHORT_LOG_PAGES)
                return self._try_to_write(work)
            if self.problem and self._reserve.is_whole:
                log.warning("outbox: storing again")
                schema.checkpoint_after(self._database, schema.LOG_PAGES)
                self.problem = ""
            return answer

    def _try_to_write(self, work: Callable[[sqlite3.Connection], Answer]) -> Answer:
        if self._held_back:
            self._run(self._store_held_back)
            self._held_back.clear()
        return self._run(work)

    def _refill_reserve(self) -> None:
        """Telemetry does not use the room that was given up for alerts."""
        try:
            self._reserve.make()
        except OSError as full:
            raise OutboxBlockedError(f"no room for the reserve: {full}") from full

    def _write_urgent(self, kind: Kind, body: bytes, once: tuple[str, str] | None) -> int | None:
        """The message's number; None: it was stored before; 0: the disk refuses, and it is held back."""
        with self._lock:
            try:
                return self._write(lambda db: self._insert_once(db, kind, body, once))
            except OutboxBlockedError:
                if once is not None and any(held[2] == once for held in self._held_back):
                    return None
                if len(self._held_back) >= _MOST_HELD_BACK:
                    raise
                self._held_back.append((kind, body, once))
                return 0

    def _store_held_back(self, db: sqlite3.Connection) -> None:
        for kind, body, once in self._held_back:
            self._insert_once(db, kind, body, once)

    def _insert_once(
        self, db: sqlite3.Connection, kind: Kind, body: bytes, once: tuple[str, str] | None
    ) -> int | None:
        if once is not None and not rows.is_first_time(db, *once):
            return None
        return self._insert_urgent(db, kind, body)

    def _tell(self, stream: Stream) -> None:
        for listener in self._listeners:
            listener(stream)

    def _put_bulk(self, db: sqlite3.Connection, parts: Sequence[BulkPart], mark: SpoolMark | None) -> None:
        self._tidy(db)
        self._make_room(db, sum(len(part.body) + 200 for part in parts))
        for part in parts:
            number = self._next(Stream.BULK)
            raw = self._seal(Stream.BULK, number, part.kind, part.body)
            db.execute(
                "INSERT INTO bulk VALUES (?, ?, ?, ?, ?, ?)",
                (number, int(part.kind), raw, part.readings, part.from_at, part.to_at),
            )
        if mark is not None:
            cursors = {**self._life.mark.cursors, **mark.cursors}
            self._life = replace(self._life, mark=replace(mark, cursors=cursors))

    def _put_evidence(self, db: sqlite3.Connection, alert_id: str, body: bytes, kind: Kind) -> bool:
        told = kind.name.lower()
        _, bound = schema.free_bytes(db)
        query = "SELECT coalesce(sum(length(raw)), 0) FROM urgent WHERE sequence BETWEEN ? AND ?"
        urgent = sum(db.execute(query, one).fetchone()[0] for one in self._life.waiting(Stream.URGENT))
        if urgent + len(body) > bound * _EVIDENCE_SHARE or not rows.is_first_time(db, alert_id, told):
            return False
        self._make_room(db, len(body))
        self._insert_urgent(db, kind, body)
        return True

    def table_is_sent(self, digest: str) -> bool:
        """Whether the table of channels with this digest is in the stream already."""
        return self._run(lambda db: schema.read_meta(db).get("table_sent") == digest, writes=False)

    def put_table(self, body: bytes, digest: str) -> None:
        """Put the table of channels into the bulk stream."""

        def work(db: sqlite3.Connection) -> None:
            self._put_bulk(db, [BulkPart(Kind.CHANNELS, body)], None)
            rows.set_meta(db, "table_sent", digest)

        self._write(work, takes_reserve=False)
        self._tell(Stream.BULK)

    def _put_again(self, db: sqlite3.Connection, raw: bytes) -> str:
        envelope = open_envelope(raw)
        identity = envelope.identity
        if identity.gateway != self._gateway:
            raise EnvelopeError("name", f"a message of {identity.gateway}, not of {self._gateway}")
        own = ((identity.sequence, identity.sequence),)
        if identity.epoch == self.epoch:
            if common(own, self._life.waiting(identity.stream)):
                return "waiting"
            if common(own, self._life.settled[identity.stream].of(Fate.RECEIVED)):
                self._life = self._life.reopened(identity.stream, own)
                return "again"
        self._carry(db, raw, *_span_of(open_envelope(carried_body(raw))))
        return "carried"

    # ---- inside: receipts

    def _missing(self, receipt: Receipt, named: Ranges) -> Ranges:
        """Numbers received once that this receipt should name and does not."""
        settled = self._life.settled[receipt.stream]
        had = merge((*settled.of(Fate.RECEIVED), *settled.of(Fate.FORGOTTEN)))
        if len(receipt.beyond) >= RECEIPT_NAMES:  # cut short: it says nothing of what lies above the last
            had = common(had, ((1, max(receipt.beyond)),))
        return without(had, named)

    def _rewind(self, db: sqlite3.Connection, stream: Stream, missing: Ranges) -> None:
        settled = self._life.settled[stream]
        kept = common(missing, settled.of(Fate.RECEIVED))
        gone = common(missing, settled.of(Fate.FORGOTTEN))
        log.warning("outbox: the cloud lacks %d %s messages it had received (restored from a backup?): %d are"
                    " sent again", count(missing), stream.name, count(kept))  # fmt: skip
        self._life = self._life.reopened(stream, kept)
        for one in gone:
            self._life = self._life.fated(stream, (one,), Fate.DROPPED)
            self._tell_gap(db, stream, one, "not_kept")

    def _settle(self, db: sqlite3.Connection, stream: Stream, fresh: Ranges) -> None:
        self._life = self._life.fated(stream, fresh, Fate.RECEIVED, self._served_s // STEP_S)
        self._tidy(db)

    def _tidy(self, db: sqlite3.Connection) -> None:
        """Once a step of service: let go of rows received a day ago."""
        step = self._served_s // STEP_S
        self._life = replace(self._life, served_s=self._served_s)
        if step == self._tidied_step:
            return
        oldest = step - KEPT_S // STEP_S
        for stream in Stream:
            spans = self._life.settled[stream].spans
            old = merge((s.first, s.last) for s in spans if s.fate is Fate.RECEIVED and s.at < oldest)
            if old:
                self._forget(db, stream, old)
        self._tidied_step = step

    def _renew_epoch(self, db: sqlite3.Connection) -> None:
        """Carry every waiting message over into a new epoch, in the order they were made."""
        before = self._life
        self._life = Life(
            self._new_epoch(), mark=before.mark, dropped=before.dropped, served_s=before.served_s
        )
        db.execute("DELETE FROM meta WHERE key = 'table_sent'")
        for stream in Stream:
            rows.delete_rows(db, stream, before.settled[stream].all)
            # New numbers never exceed old ones, and go upwards: no number is taken twice on the way.
            for first, last in before.waiting(stream):
                for sequence in range(first, last + 1):
                    self._renumber(db, stream, sequence)

    def _renumber(self, db: sqlite3.Connection, stream: Stream, sequence: int) -> None:
        table = TABLE[stream]
        row = db.execute(f"SELECT raw FROM {table} WHERE sequence = ?", (sequence,)).fetchone()
        if row is None:
            raise sqlite3.DatabaseError(f"malformed: message {sequence} of {stream.name} is missing")
        number = self._next(stream)
        fresh = self._seal(stream, number, Kind.CARRIED, carried_body(row[0]))
        db.execute(
            f"UPDATE {table} SET sequence = ?, kind = ?, raw = ? WHERE sequence = ?",
            (number, int(Kind.CARRIED), fresh, sequence),
        )

    # ---- inside: reading

    def _waiting_rows(
        self, db: sqlite3.Connection, stream: Stream, after: int, limit: int
    ) -> list[tuple[int, bytes]]:
        query = f"SELECT sequence, raw FROM {TABLE[stream]} WHERE sequence BETWEEN ? AND ? ORDER BY 1 LIMIT ?"
        found: list[tuple[int, bytes]] = []
        for first, last in self._life.waiting(stream, after):
            some = db.execute(query, (first, last, limit - len(found))).fetchall()
            due = min(last - first + 1, limit - len(found))
            if [row[0] for row in some] != list(range(first, first + due)):
                raise sqlite3.DatabaseError(f"malformed: {stream.name} messages from {first} on are missing")
            found += some
            if len(found) >= limit:
                break
        return found

    def _is_sound(self, stream: Stream, sequence: int, raw: bytes) -> bool:
        """Whether a message's bytes are those that were sealed. The disk changed them otherwise: the cloud
        could not even read whose they are, so they are given up and a gap record stands in."""
        try:
            identity = open_envelope(raw if isinstance(raw, bytes) else b"").identity
            if identity == MessageIdentity(self._gateway, self.epoch, stream, sequence):
                return True
            wrong = f"it says {identity}"
        except WireError as fault:
            wrong = str(fault)
        log.error("outbox: message %d of %s was damaged on disk: %s", sequence, stream.name, wrong)
        self._write(lambda db: self._give_up(db, stream, sequence))
        return False

    def _give_up(self, db: sqlite3.Connection, stream: Stream, sequence: int) -> None:
        one = (sequence, sequence)
        if stream is Stream.BULK:
            readings, from_at, to_at = rows.drop_rows(db, (one,))
            self._life = self._life.fated(stream, (one,), Fate.DROPPED)
            self._tell_gap(
                db, stream, one, "message_damaged", readings=readings, from_at=from_at, to_at=to_at
            )
            return
        now = self._now()
        record = GapRecord(
            first_sequence=0, last_sequence=0, messages=1, readings=0, from_at=now, to_at=now,
            reason="message_damaged", stream=stream,
        )  # fmt: skip
        raw = self._seal(stream, sequence, Kind.GAP, record.model_dump_json().encode())
        db.execute("UPDATE urgent SET kind = ?, raw = ? WHERE sequence = ?", (int(Kind.GAP), raw, sequence))


def _span_of(envelope: Envelope) -> tuple[int, int, int]:
    """Readings of a message, and from when to when."""
    if envelope.kind == Kind.TELEMETRY:
        with contextlib.suppress(WireError):
            block = decode_columns(envelope.body)
            if len(block):
                return len(block), int(block.time.min()), int(block.time.max())
    return 0, envelope.sent_at, envelope.sent_at
