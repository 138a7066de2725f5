"""Spooled blocks into messages: about 500 readings or 5 seconds each, every block in exactly one."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from edge_agent.outbox.outbox import Outbox
from edge_agent.outbox.record import SpoolRecord
from edge_agent.outbox.rows import BulkPart, SpoolMark
from edge_agent.outbox.schema import OutboxBlockedError
from edge_agent.outbox.spool import Spool
from edge_agent.outbox.thinning import thin_block
from models.clock import SECOND_NS, STEP_NS
from models.configuration import ThinConfig
from models.mending import RightTime, mend_block
from models.readings import Floats, ReadingBlock, join_blocks
from models.wire.columns import encode_columns
from models.wire.envelope import Kind
from models.wire.messages import GapRecord

# So much of the spool may be held back until the clock is set; then it goes out as it is.
_HELD_SHARE = 0.25


class Cutter:
    """Walks the spool behind the sampler. `step` is called about once a second, by one thread.

    `announce` is called before readings go out: their channels must be known. What is cut need not be
    synced in the spool: the outbox's commit holds it, and a spool that a power cut left behind the outbox
    goes on where the outbox ends.

    `thin`: channels whose telemetry is thinned, by number; `full`: those of them that are not now, as they
    are near an alert. `waits`: whether readings wait in the spool for the clock to be set; `right`: what
    those taken before it was set are mended by, before their bytes are fixed.
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
        thin: Callable[[], Mapping[int, ThinConfig]] = dict,
        full: Callable[[], Collection[int]] = tuple,
        waits: Callable[[], bool] = bool,
        right: Callable[[], RightTime | None] = lambda: None,
    ) -> None:
        self._spool, self._outbox, self._resolution = spool, outbox, resolution
        self._announce = announce
        self._readings, self._wait_ns = readings, round(seconds * SECOND_NS)
        self._monotonic_ns = monotonic_ns
        self._thin, self._full, self._waits, self._right = thin, full, waits, right
        mark = outbox.mark()
        self._cut_to = self._read_to = max(mark.position, spool.start)
        self._left_until = spool.end  # what an earlier life read has waited long enough
        self._waiting: list[SpoolRecord] = []
        self._waiting_since = 0

    @property
    def position(self) -> int:
        """Everything before it is in the outbox."""
        return self._cut_to

    def step(self, *, final: bool = False) -> int:
        """Cut what is due (`final`: all there is), and let the rest survive a power cut; how many messages
        that made. Where the disk refuses nothing is cut, and the same is tried at the next step."""
        end = self._spool.end
        try:
            if self._waits() and end - self._cut_to < self._spool.max_bytes * _HELD_SHARE:
                return 0
            return self._cut(end, final)
        except OutboxBlockedError:
            return 0  # it says so itself, and the readings stay where they are
        finally:
            self._tell_lost()
            # What was cut is on the disk with the outbox's commit: syncing it here too would be a second wait
            # for the same readings.
            # While the outbox is short of room, what little there is belongs to its alerts.
            is_short = self._spool.problem and self._outbox.problem
            if (self._cut_to < end or self._spool.problem) and not is_short:
                self._spool.sync()

    def _tell_lost(self) -> None:
        """One record for all that was lost, and not before there is room for more than alerts."""
        lost = self._spool.take_lost(self._read_to, is_asked=not self._outbox.problem)
        if lost is not None:
            record = GapRecord(
                first_sequence=0, last_sequence=0, messages=0, readings=lost.readings, from_at=lost.from_at,
                to_at=lost.to_at, reason="disk_full",
            )  # fmt: skip
            self._outbox.put_urgent(Kind.GAP, record.model_dump_json().encode())

    def _cut(self, end: int, final: bool) -> int:
        made = 0
        while True:
            self._fetch(end)
            is_left = self._cut_to < self._left_until
            due = final or is_left or self._monotonic_ns() - self._waiting_since >= self._wait_ns
            groups, left = group_records(self._waiting, self._readings, all_of_it=due)
            if not groups:
                return made
            self._commit(groups)
            self._waiting = left
            self._waiting_since = self._monotonic_ns()
            made += len(groups)
            if self._read_to >= end and not left:
                return made

    def _fetch(self, end: int) -> None:
        held = sum(len(record.block) for record in self._waiting)
        while self._read_to < end and held < 50 * self._readings:
            records, position = self._spool.read(self._read_to)
            if not records:
                return
            if not self._waiting:
                self._waiting_since = self._monotonic_ns()
            self._waiting.extend(records)
            self._read_to = position
            held += sum(len(record.block) for record in records)

    def _commit(self, groups: Sequence[Sequence[SpoolRecord]]) -> None:
        resolution, full = self._resolution(), self._full()
        thin = {number: config for number, config in self._thin().items() if number not in full}
        blocks = (self._mended(join_blocks([r.block for r in group])) for group in groups)
        parts = [_part(thin_block(block, thin, resolution), resolution) for block in blocks]
        last = groups[-1][-1]
        cursors = {r.device: r.cursor for group in groups for r in group if r.cursor is not None}
        times = [part.to_at for part in parts]
        mark = SpoolMark(last.end, last.block.boot, last.block.next_index, cursors, max(times))
        self._announce()
        self._outbox.put_bulk(parts, mark)
        self._cut_to = last.end

    def _mended(self, block: ReadingBlock) -> ReadingBlock:
        """With right times, where it was taken in this boot before the clock was set."""
        right = self._right() if block.boot == self._spool.boot else None
        return block if right is None else mend_block(block, right)


def group_records(
    records: Sequence[SpoolRecord], readings: int, *, all_of_it: bool
) -> tuple[list[list[SpoolRecord]], list[SpoolRecord]]:
    """Runs of records that become one message each, and those that wait for more.

    A run ends once it holds `readings`, and where boot, index or clock do not go on. Where one is cut, all
    are, so that one commit makes everything durable: a short rest goes with the run before it.
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
    if not run or not (all_of_it or groups or held >= readings):
        return groups, run
    is_rest = groups and held < readings // 2 and _goes_on(groups[-1][-1].block, run[0].block)
    if is_rest and not all_of_it:
        groups[-1].extend(run)
    else:
        groups.append(run)
    return groups, []


def _goes_on(before: ReadingBlock, after: ReadingBlock) -> bool:
    # Times under one header are mended together, so the clock must not have stepped between its blocks.
    near = abs(after.monotonic_offset_ns - before.monotonic_offset_ns) < STEP_NS
    follows = after.boot == before.boot and after.first_index == before.next_index
    return follows and near and after.clock == before.clock


def _part(block: ReadingBlock, resolution: Floats) -> BulkPart:
    body = encode_columns(block, resolution)
    return BulkPart(Kind.TELEMETRY, body, len(block), int(block.time.min()), int(block.time.max()))
