"""Spooled blocks into messages: about 500 readings or 5 seconds each, every block in exactly one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from edge_agent.outbox.outbox import Outbox
from edge_agent.outbox.record import SpoolRecord
from edge_agent.outbox.rows import BulkPart, SpoolMark
from edge_agent.outbox.spool import Spool
from models.clock import SECOND_NS
from models.readings import Floats, ReadingBlock, join_blocks
from models.wire.columns import encode_columns
from models.wire.envelope import Kind

# Times under one header are mended together, so the clock must not have stepped between its blocks.
_SAME_CLOCK_NS = SECOND_NS


class Cutter:
    """Walks the spool behind the sampler. `step` is called about once a second, by one thread.

    `announce` is called before readings go out: their channels must be known. Only what the
    disk has is cut: a position in the outbox never lies beyond the spool after a power cut.
    """

    def __init__(
        self,
        spool: Spool,
        outbox: Outbox,
        *,
        resolution: Callable[[], Floats],
        announce: Callable[[], None],
        readings: int,
        seconds: float,
        monotonic_ns: Callable[[], int],
    ) -> None:
        self._spool, self._outbox, self._resolution = spool, outbox, resolution
        self._announce = announce
        self._readings, self._wait_ns = readings, round(seconds * SECOND_NS)
        self._monotonic_ns = monotonic_ns
        self._cut_to = self._read_to = max(outbox.mark().position, spool.start)
        self._waiting: list[SpoolRecord] = []
        self._waiting_since = 0

    @property
    def position(self) -> int:
        """Everything before it is in the outbox."""
        return self._cut_to

    def step(self, *, final: bool = False) -> int:
        """Sync the spool, and cut what is due (`final`: all there is); how many messages that made."""
        synced = self._spool.sync()
        made = 0
        while True:
            self._fetch(synced)
            due = final or self._monotonic_ns() - self._waiting_since >= self._wait_ns
            groups, left = group_records(self._waiting, self._readings, all_of_it=due)
            if not groups:
                return made
            self._commit(groups)
            self._waiting = left
            self._waiting_since = self._monotonic_ns()
            made += len(groups)
            if self._read_to >= synced and not left:
                return made

    def _fetch(self, synced: int) -> None:
        held = sum(len(record.block) for record in self._waiting)
        while self._read_to < synced and held < 50 * self._readings:
            records, position = self._spool.read(self._read_to)
            if not records:
                return
            if not self._waiting:
                self._waiting_since = self._monotonic_ns()
            self._waiting.extend(records)
            self._read_to = position
            held += sum(len(record.block) for record in records)

    def _commit(self, groups: Sequence[Sequence[SpoolRecord]]) -> None:
        resolution = self._resolution()
        parts = [_part(join_blocks([r.block for r in group]), resolution) for group in groups]
        last = groups[-1][-1]
        cursors = {r.device: r.cursor for group in groups for r in group if r.cursor is not None}
        times = [part.to_at for part in parts]
        mark = SpoolMark(last.end, last.block.boot, last.block.next_index, cursors, max(times))
        self._announce()
        self._outbox.put_bulk(parts, mark)
        self._cut_to = last.end


def group_records(
    records: Sequence[SpoolRecord], readings: int, *, all_of_it: bool
) -> tuple[list[list[SpoolRecord]], list[SpoolRecord]]:
    """Runs of records that become one message each, and those that wait for more.

    A run ends once it holds `readings`, and where boot, index or clock do not go on.
    """
    groups: list[list[SpoolRecord]] = []
    run: list[SpoolRecord] = []
    held = 0
    for record in records:
        if run and (held >= readings or not _goes_on(run[-1].block, record.block)):
            groups.append(run)
            run, held = [], 0
        run.append(record)
        held += len(record.block)
    if run and (all_of_it or held >= readings):
        groups.append(run)
        run = []
    return groups, run


def _goes_on(before: ReadingBlock, after: ReadingBlock) -> bool:
    near = abs(after.monotonic_offset_ns - before.monotonic_offset_ns) < _SAME_CLOCK_NS
    follows = after.boot == before.boot and after.first_index == before.next_index
    return follows and near and after.clock == before.clock


def _part(block: ReadingBlock, resolution: Floats) -> BulkPart:
    body = encode_columns(block, resolution)
    return BulkPart(Kind.TELEMETRY, body, len(block), int(block.time.min()), int(block.time.max()))
