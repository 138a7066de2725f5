"""Reading blocks: the columns everything else takes and gives."""

from __future__ import annotations

import enum
import itertools
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from models.clock import ClockState

Int32s = NDArray[np.int32]
Int64s = NDArray[np.int64]
Floats = NDArray[np.float64]
Bytes = NDArray[np.uint8]
Columns = tuple[Int32s, Int64s, Floats, Bytes]  # channel, time, value, quality

T = TypeVar("T", bound=np.generic)


class Quality(enum.IntFlag):
    """What is known against a reading; 0 is good. One byte, travels with the reading and is stored."""

    GOOD = 0
    INVALID = 1  # NaN, infinite, or the device said so itself
    OUT_OF_RANGE = 2  # outside what the channel can physically be
    TIME_PAST = 4  # the device's own time is older than the allowed lateness
    TIME_FUTURE = 8  # the device's own time lies ahead of ours
    CLOCK_UNTRUSTED = 16  # our own wall clock was not set when this was measured
    HISTORIC = 32  # imported; teaches detectors, raises nothing
    SUSPECT = 64  # a fault detector holds the sensor for stuck or jumping
    THINNED = 128  # told within the channel's stated error, not as it was measured


# Readings with any of these are stored and shown, but neither scored nor learned.
NOT_BELIEVED = Quality.INVALID | Quality.OUT_OF_RANGE | Quality.TIME_PAST | Quality.TIME_FUTURE


@dataclass(frozen=True, slots=True)
class ReadingBlock:
    """Some readings of one gateway, in the order they were taken.

    `channel` int32 (n,): channel numbers; `time` int64 (n,): ns UTC when measured; `value` float64 (n,),
    already rounded to the channel's resolution; `quality` uint8 (n,).
    Row i has index `first_index + i` in this boot; indices have no holes between blocks of one boot.
    `monotonic_offset_ns` is wall minus monotonic time when the block was made, so times taken under a wrong
    wall clock can be mended later.

    >>> block = ReadingBlock.of(channel=[1, 2], time=[10, 10], value=[20.5, 61.0])
    >>> len(block), float(block.value[1])
    (2, 61.0)
    """

    channel: Int32s
    time: Int64s
    value: Floats
    quality: Bytes
    boot: str = "0" * 32
    first_index: int = 0
    monotonic_offset_ns: int = 0
    clock: ClockState = ClockState.UNKNOWN
    _columns: Columns | None = field(default=None, init=False, repr=False, compare=False)

    @classmethod
    def of(
        cls,
        channel: Sequence[int] | Int32s,
        time: Sequence[int] | Int64s,
        value: Sequence[float] | Floats,
        quality: Sequence[int] | Bytes | None = None,
        *,
        boot: str = "0" * 32,
        first_index: int = 0,
        monotonic_offset_ns: int = 0,
        clock: ClockState = ClockState.UNKNOWN,
    ) -> ReadingBlock:
        """Make a block from any sequences of equal length; ValueError when the lengths differ."""
        channels = np.ascontiguousarray(channel, dtype=np.int32)
        flags = np.zeros(len(channels), np.uint8) if quality is None else quality
        block = cls(
            channels,
            np.ascontiguousarray(time, dtype=np.int64),
            np.ascontiguousarray(value, dtype=np.float64),
            np.ascontiguousarray(flags, dtype=np.uint8),
            boot,
            first_index,
            monotonic_offset_ns,
            clock,
        )
        lengths = {len(block.channel), len(block.time), len(block.value), len(block.quality)}
        if len(lengths) > 1:
            raise ValueError(f"columns of a block must be equally long, got {sorted(lengths)}")
        return block

    def __len__(self) -> int:
        return len(self.channel)

    @property
    def next_index(self) -> int:
        """Index of the reading that follows this block."""
        return self.first_index + len(self)

    def columns(self) -> Columns:
        """Channel, time, value, quality as kernels take them: of these types, contiguous, writable.

        Worked out once a block, for many detectors look at it; a column that is so already is not copied.
        """
        if self._columns is None:
            plain = (
                _plain(self.channel, np.int32),
                _plain(self.time, np.int64),
                _plain(self.value, np.float64),
                _plain(self.quality, np.uint8),
            )
            object.__setattr__(self, "_columns", plain)
            return plain
        return self._columns

    def rows(self, start: int, stop: int) -> ReadingBlock:
        """Rows start..stop as a block of views; indices stay what they were."""
        return ReadingBlock(
            self.channel[start:stop],
            self.time[start:stop],
            self.value[start:stop],
            self.quality[start:stop],
            self.boot,
            self.first_index + start,
            self.monotonic_offset_ns,
            self.clock,
        )

    def only(self, channels: Collection[int]) -> ReadingBlock:
        """The rows of these channels; indices of rows are no longer what they were."""
        kept = np.isin(self.channel, list(channels))
        return replace(
            self,
            channel=self.channel[kept],
            time=self.time[kept],
            value=self.value[kept],
            quality=self.quality[kept],
        )


def _plain(column: NDArray[Any], kind: type[T]) -> NDArray[T]:
    return column if column.flags.carray and column.dtype == kind else column.astype(kind)


def join_blocks(blocks: Sequence[ReadingBlock]) -> ReadingBlock:
    """One block from blocks that follow each other in one boot.

    The header is the first one's. ValueError when there is none, or when indices do not follow.
    """
    if not blocks:
        raise ValueError("join_blocks needs at least one block")
    first = blocks[0]
    for before, after in itertools.pairwise(blocks):
        if after.boot != before.boot or after.first_index != before.next_index:
            raise ValueError(f"block at index {after.first_index} does not follow {before.next_index}")
    return ReadingBlock(
        np.concatenate([block.channel for block in blocks]),
        np.concatenate([block.time for block in blocks]),
        np.concatenate([block.value for block in blocks]),
        np.concatenate([block.quality for block in blocks]),
        first.boot,
        first.first_index,
        first.monotonic_offset_ns,
        first.clock,
    )


def round_to_resolution(value: Floats, resolution: float) -> Floats:
    """Round to whole steps of `resolution` the one way both ends use, so the wire is lossless.

    A resolution whose inverse is a whole number (0.1, 0.0625) divides, any other multiplies: so 3 x 0.1
    is the nearest float to 0.3. 0 means: leave as it is.

    >>> round_to_resolution(np.array([0.3000001, 21.97]), 0.1)
    array([ 0.3, 22. ])
    """
    if resolution <= 0:
        return value
    # Adding 0 turns -0, which is no whole step, into 0.
    return steps_to_values(np.rint(value / resolution) + 0.0, resolution)


def steps_to_values(steps: Floats, resolution: float) -> Floats:
    """Whole steps back to values; the inverse of rounding, exact to the bit."""
    inverse = round(1.0 / resolution)
    if inverse >= 1 and abs(inverse * resolution - 1.0) < 1e-9:
        return np.asarray(steps / float(inverse), dtype=np.float64)
    return np.asarray(steps * resolution, dtype=np.float64)
