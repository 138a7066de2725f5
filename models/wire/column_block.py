"""Kernels that write a block as columns and read it back: functions of arrays and numbers, compiled.

All integers are int64 bit patterns and wrap modulo 2**64, so any times and values survive. The writing half
checks no bound: it is given `room_for` bytes. The reading half checks every count and bound before it is
used, whatever the bytes say. docs/wire/columns.md is the text of the format.
"""

from __future__ import annotations

import numpy as np

from models.compile import kernel, leaf
from models.readings import Bytes, Floats, Int32s, Int64s
from models.wire.column_bits import (
    CHANNEL,
    COUNT,
    ONE,
    ORDER,
    QUALITY,
    TRAILING,
    ZERO,
    Whole,
    put_column,
    take_column,
    unzigzag,
    zigzag,
)
from models.wire.column_times import put_times, take_times
from models.wire.column_values import MOST_STATED, put_values, take_values


def room_for(rows: int) -> int:
    """Bytes that surely hold the columns of so many rows."""
    return 112 * rows + 8 * MOST_STATED + 64


@kernel
def group_rows(channel: Int32s, ordinal: Int32s, numbers: Int32s, counts: Int64s) -> Whole:
    """Number the channels by first appearance; `ordinal[i]` is row i's.

    Returns how many there are, -1 if a number is negative. The channel that came next last time is looked
    at first, then a table is searched.
    """
    size = 16
    while size < 2 * len(channel):
        size *= 2
    table, after = np.full(size, -1, np.int32), np.zeros(len(channel), np.int32)
    found, before = ZERO, ZERO
    for i in range(len(channel)):
        now = np.int64(after[before])
        if found == 0 or numbers[now] != channel[i]:
            slot = (np.int64(channel[i]) * 40503) & (size - 1)
            while table[slot] >= 0 and numbers[table[slot]] != channel[i]:
                slot = (slot + 1) & (size - 1)
            if channel[i] < 0:
                return -ONE
            if table[slot] < 0:
                table[slot], numbers[found], counts[found] = found, channel[i], 0
                found += 1
            now = np.int64(table[slot])
        after[before] = now
        before = now
        ordinal[i] = now
        counts[now] += 1
    return found


@kernel
def put_order(ordinal: Int32s, channels: Whole, work: Int64s, dense: bool, out: Bytes, at: Whole) -> Whole:
    """Which channel each row is of: 0 where it follows as it did the last time, else 1 + its number."""
    after = np.empty(channels, np.int32)
    for c in range(channels):
        after[c] = (c + 1) % channels
    before = channels - 1
    for i in range(len(ordinal)):
        work[i] = 0 if after[before] == ordinal[i] else 1 + ordinal[i]
        after[before] = ordinal[i]
        before = ordinal[i]
    return put_column(work, len(ordinal), dense, out, at)


@kernel
def put_quality(quality: Bytes, lengths: Int64s, flags: Int64s, dense: bool, out: Bytes, at: Whole) -> Whole:
    """Quality as runs: none at all when every reading is good."""
    runs = ZERO
    for i in range(len(quality)):
        if i == 0 or quality[i] != quality[i - 1]:
            lengths[runs], flags[runs] = 0, quality[i]
            runs += 1
        lengths[runs - 1] += 1
    if runs == 1 and flags[0] == 0:
        runs = 0
    head = np.full(1, runs, np.int64)
    at = put_column(head, ONE, dense, out, at)
    at = put_column(lengths, runs, dense, out, at)
    return put_column(flags, runs, dense, out, at)


@kernel
def write_block(
    channel: Int32s, time: Int64s, value: Floats, quality: Bytes, resolution: Floats, dense: bool, out: Bytes
) -> tuple[Whole, Whole, Whole]:
    """All columns of a block of at least one row into `out`.

    Returns the channels (-1 for a negative channel number), the bytes written, and how many values are raw.
    """
    rows = len(channel)
    ordinal, numbers, work = np.empty(rows, np.int32), np.empty(rows, np.int32), np.empty(rows, np.int64)
    counts = np.empty(rows, np.int64)
    channels = group_rows(channel, ordinal, numbers, counts)
    if channels < 0:
        return channels, ZERO, ZERO
    numbers, counts = numbers[:channels], counts[:channels]
    before, place = np.int64(-1), np.empty(channels, np.int64)
    start, usual = ZERO, rows // channels
    for c in range(channels):
        work[c] = zigzag(np.int64(numbers[c]) - before - 1)
        before, place[c], start = np.int64(numbers[c]), start, start + counts[c]
    at = put_column(work, channels, dense, out, ZERO)
    for c in range(channels):
        work[c] = zigzag(counts[c] - usual)
        usual = counts[c]
    at = put_column(work, channels, dense, out, at)
    at = put_order(ordinal, channels, work, dense, out, at)
    times, values, flags = np.empty(rows, np.int64), np.empty(rows), np.empty(rows, np.uint8)
    for i in range(rows):
        to = place[ordinal[i]]
        place[ordinal[i]] = to + 1
        times[to], values[to], flags[to] = time[i], value[i], quality[i]
    at = put_times(times, counts, time[0], work, dense, out, at)
    at, raw = put_values(values, values.view(np.int64), counts, numbers, resolution, dense, out, at)
    lengths = np.empty(rows, np.int64)
    return channels, put_quality(flags, lengths, work, dense, out, at), raw


@kernel
def take_channels(body: Bytes, at: Whole, rows: Whole, numbers: Int64s, counts: Int64s) -> Whole:
    """Channel numbers (0..2**31-1) and how many rows each has (at least one, together `rows`)."""
    channels = len(numbers)
    at = take_column(body, at, channels, numbers)
    if at < 0:
        return at
    before = np.int64(-1)
    for c in range(channels):
        before += 1 + unzigzag(numbers[c])
        if before < 0 or before > 0x7FFFFFFF:
            return CHANNEL
        numbers[c] = before
    at = take_column(body, at, channels, counts)
    if at < 0:
        return at
    total, usual = 0, np.int64(rows // channels)
    for c in range(channels):
        usual += unzigzag(counts[c])
        if usual < 1 or usual > rows - total:
            return COUNT
        counts[c] = usual
        total += usual
    return at if total == rows else COUNT


@kernel
def take_order(body: Bytes, at: Whole, counts: Int64s, work: Int64s, ordinal: Int32s) -> Whole:
    """Which channel each row is of; every channel gets exactly its count."""
    channels, rows = len(counts), len(ordinal)
    at = take_column(body, at, rows, work)
    if at < 0:
        return at
    after, left = np.empty(channels, np.int32), counts.copy()
    for c in range(channels):
        after[c] = (c + 1) % channels
    before = np.int64(channels - 1)
    for i in range(rows):
        now = np.int64(after[before]) if work[i] == 0 else work[i] - 1
        if now < 0 or now >= channels or left[now] == 0:
            return ORDER
        left[now] -= 1
        after[before] = now
        ordinal[i] = now
        before = now
    return at


@leaf
def take_quality(body: Bytes, at: Whole, lengths: Int64s, flags: Int64s, quality: Bytes) -> Whole:
    """Quality from its runs; no runs: all good. Both arrays are room to work, as long as the rows."""
    at = take_column(body, at, ONE, lengths)
    if at < 0:
        return at
    runs, rows, start = lengths[0], len(quality), 0
    if runs < 0 or runs > rows:
        return QUALITY
    at = take_column(body, at, runs, lengths)
    if at >= 0:
        at = take_column(body, at, runs, flags)
    if at < 0:
        return at
    if runs == 0:
        quality[:] = 0
        return at
    for k in range(runs):
        if lengths[k] < 1 or lengths[k] > rows - start or flags[k] < 0 or flags[k] > 255:
            return QUALITY
        quality[start : start + lengths[k]] = flags[k]
        start += lengths[k]
    return at if start == rows else QUALITY


@kernel
def read_block(
    body: Bytes, channels: Whole, base: Whole, channel: Int32s, time: Int64s, value: Floats, quality: Bytes
) -> Whole:
    """Fill the four columns, equally long and not empty, from `body`; 0 or a fault."""
    rows = len(channel)
    numbers, counts, work = (
        np.empty(channels, np.int64),
        np.empty(channels, np.int64),
        np.empty(rows, np.int64),
    )
    ordinal, times, values = np.empty(rows, np.int32), np.empty(rows, np.int64), np.empty(rows)
    flags, spare = np.empty(rows, np.uint8), np.empty(rows, np.int64)
    at = take_channels(body, ZERO, rows, numbers, counts)
    if at >= 0:
        at = take_order(body, at, counts, work, ordinal)
    if at >= 0:
        at = take_times(body, at, base, counts, work, times)
    if at >= 0:
        at = take_values(body, at, counts, values, values.view(np.int64))
    if at >= 0:
        at = take_quality(body, at, work, spare, flags)
    if at < 0:
        return at
    if at != len(body):
        return TRAILING
    place, start = np.empty(channels, np.int64), 0
    for c in range(channels):
        place[c] = start
        start += counts[c]
    for i in range(rows):
        to = place[ordinal[i]]
        place[ordinal[i]] = to + 1
        channel[i], time[i], value[i], quality[i] = numbers[ordinal[i]], times[to], values[to], flags[to]
    return 0
