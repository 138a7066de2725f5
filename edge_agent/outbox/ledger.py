"""The outbox's file as a ledger: transactions that survive a full and a damaged file, and numbers."""

from __future__ import annotations

import contextlib
import json
import logging
import secrets
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from edge_agent.outbox import rows, schema
from edge_agent.outbox.files import OutboxFiles
from edge_agent.outbox.life import Life, check_life, read_life, store_life
from edge_agent.outbox.pages import DamagedFile
from edge_agent.outbox.salvage import Known, Salvage, look_into, plan
from edge_agent.outbox.schema import OutboxBlockedError
from edge_agent.outbox.settled import Fate, Ranges, count, lowest
from edge_agent.outbox.witness import Witness
from models.clock import SECOND_NS
from models.identity import MessageIdentity, Stream
from models.wire.envelope import Kind, open_envelope, seal
from models.wire.messages import GapRecord

log = logging.getLogger(__name__)
Answer = TypeVar("Answer")
RESERVE = 0.1  # of the file is kept for the urgent stream
_CARRIED_SHARE = 0.85  # of the file may be filled with what was salvaged
_TRIES = 12


class Ledger:
    """Epoch, sequence numbers and sealed messages, kept together in one SQLite file.

    Full: what the cloud has received goes first, then the oldest telemetry, with a gap record. Damaged,
    whenever that is noticed: the file is set aside, a new epoch begins, and what is whole is carried over.
    """

    def __init__(
        self,
        path: Path,
        gateway: str,
        *,
        max_mb: int,
        new_epoch: Callable[[], int],
        now: Callable[[], int],
        monotonic: Callable[[], int],
    ) -> None:
        self._files, self._gateway, self._max_mb = OutboxFiles(path), gateway, max_mb
        self._new_epoch, self._now, self._monotonic = new_epoch, now, monotonic
        self._lock = threading.RLock()
        self._witness = Witness(self._files.witness)
        self._life = Life(0)
        self._database = self._open()
        self._opened_ns = self._monotonic()
        self._served_before = self._life.served_s

    # ---- opening

    def _open(self) -> sqlite3.Connection:
        self._files.tidy()
        testimony = self._witness.read()
        is_gone = not self._files.path.exists() and testimony is not None
        try:
            if is_gone:
                raise sqlite3.DatabaseError("the file is gone")
            database = self._open_sound()
        except schema.FAULTS as wrong:
            if not schema.is_damage(wrong):
                raise OutboxBlockedError(f"{self._files.path} cannot be opened: {wrong}") from wrong
            database = self._mend(wrong, None)
        self._files.is_sound()
        return database

    def _open_sound(self) -> sqlite3.Connection:
        """Open and check the file, and write nothing to it before it is known to be sound."""
        database, testimony = schema.connect(self._files.path), self._witness.read()
        try:
            life = None if schema.is_new(database) else read_life(database)
            if life is None and testimony is not None:
                raise sqlite3.DatabaseError("malformed: the file is as if it were new")
            if life is not None:
                check_life(database, life, testimony)
            schema.prepare(database, self._max_mb)
            if life is None:
                life = Life(self._new_epoch())
                database.execute("BEGIN IMMEDIATE")
                store_life(database, None, life)
                database.execute("COMMIT")
        except schema.FAULTS:
            database.close()
            raise
        self._life = life
        return database

    # ---- transactions

    def _run(self, work: Callable[[sqlite3.Connection], Answer], *, writes: bool = True) -> Answer:
        """`work` in one transaction. Full: what may go goes, and it is tried again. Damaged: set aside, and
        tried again in the new file. OutboxBlockedError: the disk takes nothing, nothing was stored."""
        with self._lock:
            for attempt in range(_TRIES):
                try:
                    return self._once(work, writes)
                except schema.FAULTS as wrong:
                    self._mend_for(wrong, writes and attempt < _TRIES - 1)
        raise AssertionError("not reached")

    def _mend_for(self, wrong: Exception, may_try_again: bool) -> None:
        """Make another try worth while, or raise."""
        if schema.is_full(wrong) and may_try_again and self._is_at_its_bound():
            try:
                self._once(lambda db: self._drop_some(db), True)
            except schema.FAULTS as worse:
                raise OutboxBlockedError(f"{self._files.path}: {worse}") from worse
        elif schema.is_damage(wrong):
            self._start_over(wrong)
        elif schema.is_blocked(wrong):
            raise OutboxBlockedError(f"{self._files.path}: {wrong}") from wrong
        else:
            raise wrong

    def _once(self, work: Callable[[sqlite3.Connection], Answer], writes: bool) -> Answer:
        before = self._life
        self._database.execute("BEGIN IMMEDIATE" if writes else "BEGIN")
        try:
            answer = work(self._database)
            if self._life is not before:
                store_life(self._database, before, self._life)
            self._database.execute("COMMIT")
        except BaseException:
            self._life = before
            with contextlib.suppress(sqlite3.Error):
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")
            raise
        if self._life is not before:
            self._witness.write(self._life.testimony())
        return answer

    def _is_at_its_bound(self) -> bool:
        """Whether the file's own bound is reached, and not the disk's."""
        try:
            free, bound = schema.free_bytes(self._database)
        except schema.FAULTS:
            return False
        return free < bound * RESERVE

    # ---- damage

    def _start_over(self, wrong: Exception) -> None:
        """In the middle of the work: the successor takes the place, and the work is tried there."""
        self._database = self._mend(wrong, self._database)

    def _mend(self, wrong: Exception, old: sqlite3.Connection | None) -> sqlite3.Connection:
        """Make the successor of a damaged file, let it take the place, and open it."""
        log.error("outbox: damaged (%s); salvaging what is whole, a new epoch begins", wrong)
        known, testimony = Known(), self._witness.read()
        try:
            if old is not None:
                known.read(old)
            else:
                look_into(self._files.path, known)
            with DamagedFile(self._files.path, self._files.logs) as file:
                room = round(self._max_mb * (1 << 20) * _CARRIED_SHARE)
                salvage = plan(file, self._gateway, known, testimony, room=room)
                self._fill_successor(known, salvage, file)
        except schema.FAULTS as worse:
            raise OutboxBlockedError(f"{self._files.path} cannot be mended: {worse}") from worse
        if old is not None:
            self._files.keep_log()
            old.close()
        aside = self._files.succeed(str(self._now()))
        log.error("outbox: set aside as %s; %d messages were carried over, %d are lost",
                  aside.name, len(salvage.places), sum(salvage.lost.values()))  # fmt: skip
        database = schema.connect(self._files.path)
        schema.prepare(database, self._max_mb)
        self._witness.write(self._life.testimony())
        return database

    def _fill_successor(self, known: Known, salvage: Salvage, file: DamagedFile) -> None:
        served_s = known.life.served_s if known.life is not None else 0
        fresh = Life(self._new_epoch(), mark=salvage.mark, served_s=served_s)
        self._life = fresh
        draft = self._files.begin_successor()
        try:
            draft.execute("BEGIN")
            rows.number_channels(draft, known.channels)
            for alert, state in known.raised:
                rows.is_first_time(draft, alert, state)
            self._report_loss(draft, salvage)
            for found in salvage.messages(file):
                self._carry(draft, found.raw, found.readings, found.from_at, found.to_at)
            store_life(draft, None, self._life)
            draft.execute("COMMIT")
        finally:
            draft.close()

    def _report_loss(self, db: sqlite3.Connection, salvage: Salvage) -> None:
        """Tell the cloud what went with the damaged file; a file from which all was saved is told of, too."""
        now = self._now()
        for stream in (Stream.BULK, Stream.URGENT):
            if stream is Stream.BULK or salvage.lost[stream]:
                record = GapRecord(
                    first_sequence=0, last_sequence=0, messages=salvage.lost[stream], readings=0,
                    from_at=now, to_at=now, reason="outbox_damaged", stream=stream,
                )  # fmt: skip
                self._insert_urgent(db, Kind.GAP, record.model_dump_json().encode())

    def _carry(
        self, db: sqlite3.Connection, raw: bytes, readings: int = 0, from_at: int = 0, to_at: int = 0
    ) -> None:
        """Store a message of an earlier epoch, whole, inside one of this epoch."""
        body = carried_body(raw)
        inner = open_envelope(body)
        stream = inner.identity.stream
        number = self._next(stream)
        sealed = self._seal(stream, number, Kind.CARRIED, body)
        if stream is Stream.BULK:
            row = (number, int(Kind.CARRIED), sealed, readings, from_at, to_at)
            db.execute("INSERT INTO bulk VALUES (?, ?, ?, ?, ?, ?)", row)
            return
        db.execute("INSERT INTO urgent VALUES (?, ?, ?)", (number, int(Kind.CARRIED), sealed))
        with contextlib.suppress(ValueError, KeyError):
            if inner.kind == Kind.ALERT:
                told = json.loads(inner.body)
                rows.is_first_time(db, told["id"], told["state"])
            elif inner.kind == Kind.EVIDENCE:
                rows.is_first_time(db, json.loads(inner.body)["alert"], "evidence")

    # ---- numbers

    def _next(self, stream: Stream) -> int:
        self._life = self._life.numbered(stream)
        return self._life.assigned[stream]

    def _seal(self, stream: Stream, number: int, kind: Kind, body: bytes) -> bytes:
        return seal(MessageIdentity(self._gateway, self._life.epoch, stream, number), kind, self._now(), body)

    def _insert_urgent(self, db: sqlite3.Connection, kind: Kind, body: bytes) -> int:
        number = self._next(Stream.URGENT)
        raw = self._seal(Stream.URGENT, number, kind, body)
        db.execute("INSERT INTO urgent VALUES (?, ?, ?)", (number, int(kind), raw))
        return number

    # ---- room

    def _make_room(self, db: sqlite3.Connection, needed: int) -> None:
        """Keep a reserve free for the urgent stream."""
        while True:
            free, bound = schema.free_bytes(db)
            if free >= needed + bound * RESERVE or not self._drop_some(db):
                return

    def _drop_some(self, db: sqlite3.Connection) -> bool:
        """Let go of some rows: received ones first, then the oldest telemetry, with a gap record. False when
        there is nothing that may go."""
        for stream in (Stream.BULK, Stream.URGENT):
            received = lowest(self._life.settled[stream].of(Fate.RECEIVED), rows.DROP_AT_ONCE)
            if received:
                self._forget(db, stream, received)
                return True
        return self._drop_oldest(db)

    def _forget(self, db: sqlite3.Connection, stream: Stream, received: Ranges) -> None:
        rows.delete_rows(db, stream, received)
        self._life = self._life.fated(stream, received, Fate.FORGOTTEN)

    def _drop_oldest(self, db: sqlite3.Connection) -> bool:
        oldest = lowest(self._life.waiting(Stream.BULK), rows.DROP_AT_ONCE)
        for one in oldest:
            readings, from_at, to_at = rows.drop_rows(db, (one,))
            self._life = self._life.fated(Stream.BULK, (one,), Fate.DROPPED)
            self._tell_gap(
                db, Stream.BULK, one, "outbox_full", readings=readings, from_at=from_at, to_at=to_at
            )
        dropped = self._life.dropped + count(oldest)
        self._life = replace(self._life, dropped=dropped)
        return bool(oldest)

    def _tell_gap(
        self,
        db: sqlite3.Connection,
        stream: Stream,
        numbers: tuple[int, int],
        reason: str,
        *,
        readings: int = 0,
        from_at: int = 0,
        to_at: int = 0,
    ) -> None:
        """Say that the cloud need not wait for these numbers."""
        record = GapRecord(
            first_sequence=numbers[0], last_sequence=numbers[1], messages=count((numbers,)),
            readings=readings, from_at=from_at or self._now(), to_at=to_at or self._now(), reason=reason,
            stream=stream,
        )  # fmt: skip
        self._insert_urgent(db, Kind.GAP, record.model_dump_json().encode())

    # ---- the outbox's own time

    @property
    def _served_s(self) -> int:
        """Seconds in service: monotonic while running, what the file says before; the wall clock plays no
        part, for it may be wrong by decades."""
        return self._served_before + (self._monotonic() - self._opened_ns) // SECOND_NS


def new_epoch() -> int:
    """A number for a life of the outbox that never came before, positive and below 2**63."""
    return secrets.randbits(62) | 1


def carried_body(raw: bytes) -> bytes:
    """What travels inside when a message is carried over: itself, or what it carries already."""
    envelope = open_envelope(raw)
    return envelope.body if envelope.kind == Kind.CARRIED else raw
