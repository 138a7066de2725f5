"""What an outbox knows of itself: epoch, numbers given, numbers settled, how far the spool was cut."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from edge_agent.outbox import rows, schema
from edge_agent.outbox.rows import TABLE, SpoolMark
from edge_agent.outbox.settled import Fate, Ranges, Settled, count, merge
from edge_agent.outbox.witness import Testimony
from models.identity import Stream


@dataclass(frozen=True, slots=True)
class Life:
    """Never changed, only replaced, so that a transaction that fails leaves the one before it.

    `served_s`: seconds this outbox has been in service, power-off time left out.
    """

    epoch: int
    assigned: dict[Stream, int] = field(default_factory=lambda: dict.fromkeys(Stream, 0))
    settled: dict[Stream, Settled] = field(default_factory=lambda: dict.fromkeys(Stream, Settled()))
    mark: SpoolMark = field(default_factory=SpoolMark)
    dropped: int = 0
    served_s: int = 0

    def numbered(self, stream: Stream) -> Life:
        """With one more number given."""
        return replace(self, assigned={**self.assigned, stream: self.assigned[stream] + 1})

    def fated(self, stream: Stream, ranges: Iterable[tuple[int, int]], fate: Fate, at: int = 0) -> Life:
        """With numbers settled."""
        return replace(self, settled={**self.settled, stream: self.settled[stream].mark(ranges, fate, at)})

    def reopened(self, stream: Stream, ranges: Ranges) -> Life:
        """With numbers that wait again."""
        return replace(self, settled={**self.settled, stream: self.settled[stream].clear(ranges)})

    def waiting(self, stream: Stream, after: int = 0) -> Ranges:
        """Numbers that wait for a receipt."""
        return self.settled[stream].waiting(self.assigned[stream], after)

    def held(self, stream: Stream) -> int:
        """How many rows the file must have."""
        gone = (*self.settled[stream].of(Fate.FORGOTTEN), *self.settled[stream].of(Fate.DROPPED))
        return self.assigned[stream] - count(merge(gone))

    def testimony(self) -> Testimony:
        settled = {stream: self.settled[stream].all for stream in Stream}
        return Testimony(self.epoch, self.assigned, settled, self.mark)


def read_life(db: sqlite3.Connection) -> Life | None:
    """What the file says; None when it is new. sqlite3.DatabaseError when it is damaged."""
    meta = schema.read_meta(db)
    if "epoch" not in meta:
        return None
    return Life(
        schema.whole(meta, "epoch"),
        {stream: schema.whole(meta, f"assigned_{TABLE[stream]}") for stream in Stream},
        {stream: rows.read_settled(db, stream) for stream in Stream},
        rows.read_mark(meta),
        schema.whole(meta, "dropped"),
        schema.whole(meta, "served_s"),
    )


def store_life(db: sqlite3.Connection, before: Life | None, after: Life) -> None:
    """Keep what changed since `before`."""
    if before is None or before.epoch != after.epoch:
        rows.set_meta(db, "epoch", after.epoch)
    for stream in Stream:
        if before is None or before.assigned[stream] != after.assigned[stream]:
            rows.set_meta(db, f"assigned_{TABLE[stream]}", after.assigned[stream])
        was = before.settled[stream] if before is not None else Settled()
        rows.store_settled(db, stream, was, after.settled[stream])
    if before is None or before.mark != after.mark:
        rows.store_mark(db, after.mark)
    for key in ("dropped", "served_s"):
        if before is None or getattr(before, key) != getattr(after, key):
            rows.set_meta(db, key, getattr(after, key))


def check_life(db: sqlite3.Connection, life: Life, testimony: Testimony | None) -> None:
    """sqlite3.DatabaseError when rows are missing, or when the file is older than what it once was."""
    for stream in Stream:
        found, held = rows.count_rows(db, stream), life.held(stream)
        if found != held:
            raise sqlite3.DatabaseError(f"malformed: {found} {stream.name} messages where {held} should be")
    if testimony is not None and testimony.epoch == life.epoch:
        behind = {s.name: testimony.assigned[s] - life.assigned[s] for s in Stream}
        behind["BYTES"] = testimony.mark.position - life.mark.position
        if any(missing > 0 for missing in behind.values()):
            raise sqlite3.DatabaseError(f"malformed: the file has gone back in time: {behind}")
