"""A stretch of the spool as few blocks: one for each run of readings under one clock."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from edge_agent.outbox.spool import Spool
from models.clock import STEP_NS
from models.readings import ReadingBlock


def spooled(spool: Spool, start: int, stop: int) -> Iterator[ReadingBlock]:
    """Blocks from position `start` up to `stop`, in order."""
    while start < stop:
        records, start = spool.read(start)
        if not records:
            return
        for record in records:
            if record.end > stop:
                return
            if len(record.block):
                yield record.block


def read_window(
    spool: Spool, start: int, stop: int, *, most_rows: int, only: Collection[int] | None = None
) -> list[ReadingBlock] | None:
    """Readings between two positions, of the channels `only` where given; None beyond `most_rows`."""
    blocks: list[ReadingBlock] = []
    rows = 0
    for block in spooled(spool, start, stop):
        rows += len(block) if only is None else int(np.isin(block.channel, list(only)).sum())
        if rows > most_rows:
            return None
        blocks.append(block)
    return join_runs(blocks, only)


def join_runs(blocks: Iterable[ReadingBlock], only: Collection[int] | None = None) -> list[ReadingBlock]:
    """Blocks that follow each other in one boot, without a step of the clock, as one each.

    Of the channels `only` where given: indices of rows are then no longer what they were.

    >>> one, two = ReadingBlock.of([1], [10], [20.5]), ReadingBlock.of([1], [20], [20.6], first_index=1)
    >>> [len(run) for run in join_runs([one, two, ReadingBlock.of([1], [30], [1.0], boot="1" * 32)])]
    [2, 1]
    """
    runs: list[list[ReadingBlock]] = []
    for block in blocks:
        if runs and _goes_on(runs[-1][-1], block):
            runs[-1].append(block)
        elif len(block):
            runs.append([block])
    joined = (_joined(run, only) for run in runs)
    return [run for run in joined if len(run)]


def _goes_on(before: ReadingBlock, after: ReadingBlock) -> bool:
    follows = after.boot == before.boot and after.first_index == before.next_index
    near = abs(after.monotonic_offset_ns - before.monotonic_offset_ns) <= STEP_NS
    return follows and near and after.clock == before.clock


def _joined(run: Sequence[ReadingBlock], only: Collection[int] | None) -> ReadingBlock:
    whole = replace(
        run[0],
        channel=np.concatenate([block.channel for block in run]),
        time=np.concatenate([block.time for block in run]),
        value=np.concatenate([block.value for block in run]),
        quality=np.concatenate([block.quality for block in run]),
    )
    return whole if only is None else whole.only(only)
