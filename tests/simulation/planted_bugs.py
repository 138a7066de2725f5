"""Deliberate mutations of the real code, one of each kind the simulation must find.

Each is applied by patching while seeds are played; the code it breaks is the program's own.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any
from unittest.mock import patch

from cloud.ingest import lane, receipts, service, urgent
from cloud.ingest import window as cloud_window
from cloud.series import landed
from edge_agent import pipeline
from edge_agent.outbox import ledger, rows, schema
from edge_agent.outbox.outbox import Outbox
from edge_agent.outbox.settled import Fate
from edge_agent.outbox.spool import Spool
from edge_agent.uplink import liveness, sender, session, window
from models.identity import Stream

Patches = Callable[[ExitStack], None]


@dataclass(frozen=True)
class PlantedBug:
    """A kind of mistake, and how to make it."""

    name: str
    mistake: str
    plant: Patches

    @contextmanager
    def planted(self) -> Iterator[None]:
        with ExitStack() as stack:
            self.plant(stack)
            yield


def _replace(stack: ExitStack, place: Any, name: str, wrap: Callable[[Any], Any]) -> None:
    stack.enter_context(patch.object(place, name, wrap(getattr(place, name))))


# ---- the gateway's queue


def _free_at_puback(stack: ExitStack) -> None:
    def wrap(real: Any) -> Any:
        def acknowledged(self: Any, ticket: int, reason: int, now_ns: int) -> bool:
            flight = self.window._flights.get(ticket)
            if flight is not None and flight.lane is not None:
                stream, one = flight.lane.stream, ((flight.sequence, flight.sequence),)
                box = self._outbox
                if box._life.waiting(stream) and box.message(stream, flight.sequence) is not None:
                    box._write(lambda db: box._forget(db, stream, one))
            return bool(real(self, ticket, reason, now_ns))

        return acknowledged

    _replace(stack, sender.Sender, "acknowledged", wrap)


def _mark_apart(stack: ExitStack, *, mark_first: bool) -> None:
    def wrap(real: Any) -> Any:
        def put_bulk(self: Any, parts: Any, mark: Any = None) -> None:
            steps = [lambda: real(self, parts), lambda: real(self, [], mark)]
            for step in reversed(steps) if mark_first else steps:
                step()

        return put_bulk

    _replace(stack, Outbox, "put_bulk", wrap)


def _mark_after(stack: ExitStack) -> None:
    _mark_apart(stack, mark_first=False)


def _mark_before(stack: ExitStack) -> None:
    _mark_apart(stack, mark_first=True)


def _reuse_numbers(stack: ExitStack) -> None:
    """Rows leave at the receipt, and the next number is read from the rows that are left."""

    def wrap_receive(real: Any) -> Any:
        def receive(self: Any, receipt: Any) -> int:
            freed: int = real(self, receipt)
            for stream in Stream:
                received = self._life.settled[stream].of(Fate.RECEIVED)
                if received:
                    self._write(lambda db, s=stream, r=received: self._forget(db, s, r))
            return freed

        return receive

    def wrap_read(real: Any) -> Any:
        def read_life(db: sqlite3.Connection) -> Any:
            life = real(db)
            if life is None:
                return None
            for stream in Stream:
                table = rows.TABLE[stream]
                last = db.execute(f"SELECT coalesce(max(sequence), 0) FROM {table}").fetchone()[0]
                gone = life.settled[stream].clear([(last + 1, 1 << 62)])
                life = replace(
                    life,
                    assigned={**life.assigned, stream: last},
                    settled={**life.settled, stream: gone},
                )
            return life

        return read_life

    _replace(stack, Outbox, "receive", wrap_receive)
    _replace(stack, ledger, "read_life", wrap_read)
    stack.enter_context(patch.object(ledger, "check_life", lambda *_: None))


def _same_epoch(stack: ExitStack) -> None:
    stack.enter_context(patch.object(pipeline, "new_epoch", lambda: 7))


def _alerts_anew(stack: ExitStack) -> None:
    def wrap(real: Any) -> Any:
        def is_first_time(db: sqlite3.Connection, alert_id: str, state: str) -> bool:
            real(db, alert_id, state)
            return True

        return is_first_time

    _replace(stack, rows, "is_first_time", wrap)


def _lazy_commit(stack: ExitStack) -> None:
    def wrap(real: Any) -> Any:
        def connect(path: Any) -> sqlite3.Connection:
            database: sqlite3.Connection = real(path)
            database.execute("PRAGMA synchronous = NORMAL")
            return database

        return connect

    @contextmanager
    def unhurried(database: sqlite3.Connection) -> Iterator[None]:
        yield

    _replace(stack, schema, "connect", wrap)
    stack.enter_context(patch.object(schema, "unhurried", unhurried))


def _spool_unsynced(stack: ExitStack) -> None:
    stack.enter_context(patch.object(Spool, "sync", lambda self: self.end))


def _gap_miscounted(stack: ExitStack) -> None:
    def wrap(real: Any) -> Any:
        def drop_rows(db: Any, ranges: Any) -> tuple[int, int, int]:
            readings, from_at, to_at = real(db, ranges)
            return max(0, readings - 1), from_at, to_at

        return drop_rows

    _replace(stack, rows, "drop_rows", wrap)


def _gap_untold(stack: ExitStack) -> None:
    def wrap(real: Any) -> Any:
        def tell(self: Any, db: Any, stream: Any, numbers: Any, reason: str, **more: Any) -> None:
            if reason != "outbox_full":
                real(self, db, stream, numbers, reason, **more)

        return tell

    _replace(stack, ledger.Ledger, "_tell_gap", wrap)


# ---- the uplink


def _window_forgets(stack: ExitStack) -> None:
    """A new connection goes on behind what was sent on the one before, received or not."""

    def wrap(real: Any) -> Any:
        def restart(self: Any, allowed: int, assigned: Any) -> None:
            sent = {(lane.stream, lane.is_live): lane.after for lane in self.lanes}
            real(self, allowed, assigned)
            for one in self.lanes:
                before = max(sent.get((one.stream, one.is_live), 0), sent.get((one.stream, True), 0))
                one.after = max(one.after, before)

        return restart

    _replace(stack, window.SendWindow, "restart", wrap)


def _window_too_wide(stack: ExitStack) -> None:
    stack.enter_context(patch.object(session, "KEPT_FOR_STATUS", -40))


def _black_hole(stack: ExitStack) -> None:
    stack.enter_context(patch.object(liveness.Liveness, "problem", lambda *_: ""))


def _never_again(stack: ExitStack) -> None:
    """What got no receipt is not sent again on the same connection."""
    stack.enter_context(patch.object(window, "RESEND_AFTER_S", 1e9))
    stack.enter_context(patch.object(window, "RESEND_AT_MOST_S", 1e9))
    stack.enter_context(patch.object(liveness, "RECEIPT_S", 1e9))


def _not_rewound(stack: ExitStack) -> None:
    stack.enter_context(patch.object(window.SendWindow, "rewind", lambda *_: None))


# ---- the cloud


def _receipt_first(stack: ExitStack) -> None:
    def wrap(real: Any) -> Any:
        def store(self: Any, batch: Any, broken: str | None) -> None:
            for waiting in batch:
                identity = lane.inspect(
                    waiting.received.topic, waiting.received.payload, Stream.BULK, self._intake._find
                )
                if identity.envelope:
                    self.receipts.mark(identity.envelope.identity)
            self.receipts.flush()
            real(self, batch, broken)

        return store

    _replace(stack, lane.BulkLane, "_store", wrap)


def _receipt_goes_back(stack: ExitStack) -> None:
    """A cloud that starts anew begins its windows at nothing."""
    for name in ("_bulk_windows", "_urgent_windows"):
        stack.enter_context(patch(f"simulated_cloud.{name}", lambda *_: lambda *__: cloud_window.Window()))


def _no_identities(stack: ExitStack) -> None:
    """Stored again whenever it comes again."""
    stack.enter_context(patch.object(landed, "_known", lambda *_: {}))
    stack.enter_context(patch.object(landed, "_identity", lambda arrival: {**_identity(arrival)}))
    real = landed.insert_all

    def insert_all(stored: Any, table: Any, lines: Any) -> None:
        if table is not landed.BulkIdentity.__table__:
            real(stored, table, lines)
            return
        from cloud.storage.dialect import insert_new

        insert_new(stored, table, lines)

    stack.enter_context(patch.object(landed, "insert_all", insert_all))


_identity = landed._identity


def _epochs_confused(stack: ExitStack) -> None:
    """Duplicates are told by sequence alone."""
    from sqlalchemy import select

    def known(stored: Any, keys: Any) -> dict[Any, bytes]:
        columns = (landed.BulkIdentity.gateway_id, landed.BulkIdentity.sequence, landed.BulkIdentity.digest)
        found = {(gateway, number): digest for gateway, number, digest in stored.execute(select(*columns))}
        return {key: found[key[0], key[2]] for key in keys if (key[0], key[2]) in found}

    stack.enter_context(patch.object(landed, "_known", known))


def _identity_first(stack: ExitStack) -> None:
    """An urgent message's identity is committed, and in another transaction what it causes."""

    def wrap(real: Any) -> Any:
        def take_urgent(engine: Any, topic: str, payload: bytes, found: Any, now: int) -> Any:
            with patch.object(urgent, "_apply", lambda *_: None):
                fate = real(engine, topic, payload, found, now)
            if fate is urgent.Fate.STORED:
                with urgent.transaction(engine) as stored:
                    urgent._apply(stored, found, now)
            return fate

        return take_urgent

    _replace(stack, lane, "take_urgent", wrap)


def _poison_jams(stack: ExitStack) -> None:
    """What cannot be used is never receipted."""

    def wrap(real: Any) -> Any:
        def mark(self: Any, identity: Any, *, quarantined: bool = False) -> None:
            if not quarantined:
                real(self, identity)

        return mark

    _replace(stack, receipts.Receipts, "mark", wrap)

    def wrap_load(real: Any) -> Any:
        def load_window(*arguments: Any) -> Any:
            found = real(*arguments)
            if found.quarantined:
                found.through = min(found.quarantined) - 1
                found.quarantined.clear()
            return found

        return load_window

    _replace(stack, service, "load_window", wrap_load)


_TABLE: tuple[tuple[str, str, Patches], ...] = (
    ("free-at-puback", "the gateway forgets a message at the broker's PUBACK", _free_at_puback),
    ("mark-after", "the spool's mark is committed after its messages", _mark_after),
    ("mark-before", "the spool's mark is committed before its messages", _mark_before),
    ("numbers-reused", "numbers are taken from the rows that are left", _reuse_numbers),
    ("epoch-kept", "a damaged outbox begins again under its old epoch", _same_epoch),
    ("alerts-anew", "an alert judged again after a crash is raised again", _alerts_anew),
    ("lazy-commit", "the outbox does not wait for the disk", _lazy_commit),
    ("spool-unsynced", "readings are not synced each second", _spool_unsynced),
    ("gap-miscounted", "a gap record counts one reading too few", _gap_miscounted),
    ("gap-untold", "what a full outbox drops is not told", _gap_untold),
    ("window-forgets", "a new connection does not begin again at what has no receipt", _window_forgets),
    ("window-too-wide", "more is under way than the broker takes", _window_too_wide),
    ("black-hole", "a connection nobody answers on is never given up", _black_hole),
    ("never-again", "nothing is sent again for want of a receipt", _never_again),
    ("not-rewound", "what a restored cloud lacks is not sent again", _not_rewound),
    ("receipt-first", "the cloud receipts before it commits", _receipt_first),
    ("receipt-back", "a cloud that starts anew forgets how far streams had come", _receipt_goes_back),
    ("no-identities", "the cloud stores a message again when it comes again", _no_identities),
    ("epochs-confused", "the cloud tells duplicates by sequence alone", _epochs_confused),
    ("identity-first", "an alert's identity is committed before the alert", _identity_first),
    ("poison-jams", "a poisoned message is never receipted", _poison_jams),
)
BUGS = tuple(PlantedBug(*line) for line in _TABLE)
