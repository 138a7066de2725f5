"""Looking into an outbox from outside, beside a running agent; changes nothing."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from edge_agent.outbox import rows, schema
from edge_agent.outbox.life import Life, read_life
from edge_agent.outbox.rows import TABLE
from edge_agent.outbox.settled import Fate, common, count, merge
from models.errors import LastmileError
from models.identity import Stream
from models.wire.envelope import Kind


@dataclass(frozen=True, slots=True)
class Row:
    """A message in the outbox. `received_s`: seconds of service since its receipt, None: it waits."""

    stream: Stream
    number: int
    kind: Kind
    readings: int
    raw: bytes
    received_s: int | None


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    """The file, read only; LastmileError when there is no readable outbox."""
    if not path.exists():
        raise LastmileError(f"{path} is not there: has the agent run?")
    try:
        database = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5.0, isolation_level=None)
        try:
            database.execute("BEGIN")
            yield database
        finally:
            database.close()
    except schema.FAULTS as wrong:
        raise LastmileError(f"{path} cannot be read: {wrong}") from wrong


def outbox_figures(path: Path) -> dict[str, int]:
    """Rows waiting, numbers given and bytes used; LastmileError when there is no readable outbox."""
    with opened(path) as database:
        life = read_life(database) or Life(0)
        told = {"epoch": life.epoch}
        for stream in (Stream.URGENT, Stream.BULK):
            waiting, name = life.waiting(stream), TABLE[stream]
            query = f"SELECT coalesce(sum(length(raw)), 0) FROM {name} WHERE sequence BETWEEN ? AND ?"
            told[f"{name}_messages"] = count(waiting)
            told[f"{name}_bytes"] = sum(database.execute(query, one).fetchone()[0] for one in waiting)
            if stream is Stream.BULK:
                told["bulk_readings"] = rows.sum_readings(database, waiting)
            told[f"{name}_assigned"] = life.assigned[stream]
        received = [count(life.settled[stream].of(Fate.RECEIVED)) for stream in Stream]
        return {**told, "received_messages": sum(received), "dropped_messages": life.dropped}


def outbox_rows(path: Path, streams: tuple[Stream, ...], *, waiting: bool, received: bool) -> Iterator[Row]:
    """Messages lowest number first, stream by stream."""
    with opened(path) as database:
        life = read_life(database) or Life(0)
        for stream in streams:
            kept = merge((1, n) for n in [life.assigned[stream]])
            wanted = (*(life.waiting(stream) if waiting else ()),
                      *(life.settled[stream].of(Fate.RECEIVED) if received else ()))  # fmt: skip
            readings = "readings" if stream is Stream.BULK else "0"
            query = (
                f"SELECT sequence, kind, {readings}, raw FROM {TABLE[stream]}"
                " WHERE sequence BETWEEN ? AND ? ORDER BY sequence"
            )
            for one in common(kept, merge(wanted)):
                for number, kind, held, raw in database.execute(query, one):
                    yield Row(stream, number, Kind(kind), held, raw, _since(life, stream, number))


def _since(life: Life, stream: Stream, number: int) -> int | None:
    from edge_agent.outbox.outbox import STEP_S

    for span in life.settled[stream].spans:
        if span.first <= number <= span.last and span.fate is Fate.RECEIVED:
            return max(0, life.served_s - span.at * STEP_S)
    return None
