"""Kernels for the times of a block, channel after channel: what differs from each channel's usual step.

A channel whose times are those of the one before (several quantities of one device) tells none. Written in
the coarsest of s, ms, us, ns that is exact. docs/wire/columns.md is the text of the format.
"""

from __future__ import annotations

import numpy as np

from models.compile import kernel, leaf
from models.readings import Bytes, Int64s
from models.wire.column_bits import ONE, SHORT, TIME, ZERO, Whole, put_column, take_column, unzigzag, zigzag

SAME_TIMES, SAME_UNIT, UNITS_FROM = (
    0,
    1,
    2,
)  # as the previous channel's; own, unit as before; own in ns, us, ms, s
_LARGEST_MEAN = 4503599627370496.0


@leaf
def coarsest_unit(numbers: Int64s, start: Whole, stop: Whole, unit: Whole) -> Whole:
    """Greatest of s, ms, us, ns (as 3, 2, 1, 0), at most `unit`, that divides all of numbers[start:stop]."""
    size = 1000**unit
    for i in range(start, stop):
        while numbers[i] % size != 0:
            size //= 1000
            unit -= 1
    return unit


@leaf
def usual_step(steps: Int64s, start: Whole, stop: Whole, fallback: Whole, coarse: Whole) -> Whole:
    """The step that more than half take, else their mean, in whole `coarse` where it is many of them."""
    if start >= stop:
        return fallback
    candidate, votes, total = steps[start], 0, 0.0
    for i in range(start, stop):
        total += steps[i]
        if votes == 0:
            candidate = steps[i]
        votes += 1 if steps[i] == candidate else -1
    votes = 0
    for i in range(start, stop):
        votes += 1 if steps[i] == candidate else 0
    mean = total / (stop - start)
    if 2 * votes > stop - start or not abs(mean) < _LARGEST_MEAN:
        return candidate
    if mean > 10 * coarse:
        return np.int64(np.rint(mean / coarse)) * coarse
    return np.int64(np.rint(mean))


@kernel
def put_times(
    time: Int64s, counts: Int64s, base: Whole, work: Int64s, dense: bool, out: Bytes, at: Whole
) -> Whole:
    """Times, channel after channel: how told, first, usual step, and what differs from it."""
    channels = len(counts)
    kinds, firsts, usuals = (
        np.empty(channels, np.int64),
        np.empty(channels, np.int64),
        np.empty(channels, np.int64),
    )
    own, told, start, before = ZERO, ZERO, ZERO, -ONE
    seconds, usual, first = 3 * ONE, ZERO, base + ZERO
    unit = unit_before = seconds
    for c in range(channels):
        stop = start + counts[c]
        same = before >= 0 and counts[c] == counts[c - 1]
        i = 0
        while same and i < counts[c]:
            same = time[before + i] == time[start + i]
            i += 1
        if same:
            kinds[c] = SAME_TIMES
        else:
            begin = told
            for i in range(start + 1, stop):
                work[told] = time[i] - time[i - 1]
                told += 1
            unit = coarsest_unit(work, begin, told, unit if told == begin else seconds)
            size = 1000**unit
            for i in range(begin, told):
                work[i] //= size
            now = usual_step(work, begin, told, usual, max(1, 1000000 // size))
            for i in range(begin, told):
                work[i] = zigzag(work[i] - now)
            kinds[c] = SAME_UNIT if unit == unit_before else UNITS_FROM + unit
            unit_before = unit
            usuals[own], firsts[own] = zigzag(now - usual), time[start] - first
            usual, first = now, time[start]
            own += 1
        before, start = start, stop
    at = put_column(kinds, channels, dense, out, at)
    unit = coarsest_unit(firsts, ZERO, own, seconds)
    out[at] = unit
    for c in range(own):
        firsts[c] = zigzag(firsts[c] // 1000**unit)
    at = put_column(firsts, own, dense, out, at + 1)
    at = put_column(usuals, own, dense, out, at)
    return put_column(work, told, dense, out, at)


@kernel
def own_times(counts: Int64s, kinds: Int64s) -> tuple[Whole, Whole]:
    """Channels that tell their own times and the steps they tell; (-1, -1) for an unknown kind.

    Of those that do, `kinds` becomes the unit: 0 to 3 for ns, us, ms, s; of the others -1.
    """
    own, told, unit = ZERO, ZERO, 3 * ONE
    for c in range(len(counts)):
        if kinds[c] == SAME_TIMES:
            if c == 0 or counts[c] != counts[c - 1]:
                return -1, -1
            kinds[c] = -1
            continue
        if kinds[c] != SAME_UNIT:
            unit = kinds[c] - UNITS_FROM
        if unit < 0 or unit > 3:
            return -1, -1
        kinds[c] = unit
        own += 1
        told += counts[c] - 1
    return own, told


@kernel
def take_times(body: Bytes, at: Whole, base: Whole, counts: Int64s, work: Int64s, time: Int64s) -> Whole:
    """Times, channel after channel, into `time`."""
    channels = len(counts)
    kinds, firsts, usuals = (
        np.empty(channels, np.int64),
        np.empty(channels, np.int64),
        np.empty(channels, np.int64),
    )
    at = take_column(body, at, channels, kinds)
    if at < 0:
        return at
    own, told = own_times(counts, kinds)
    if at >= len(body):
        return SHORT
    if own < 0 or body[at] > 3:
        return TIME
    size = 1000 ** np.int64(body[at])
    at = take_column(body, at + 1, own, firsts)
    if at >= 0:
        at = take_column(body, at, own, usuals)
    if at >= 0:
        at = take_column(body, at, told, work)
    if at < 0:
        return at
    own, told, start, usual, first = ZERO, ZERO, ZERO, ZERO, np.int64(base)
    for c in range(channels):
        if kinds[c] < 0:
            for i in range(counts[c]):
                time[start + i] = time[start - counts[c] + i]
        else:
            usual += unzigzag(usuals[own])
            first += unzigzag(firsts[own]) * size
            unit = 1000 ** kinds[c]
            own += 1
            time[start] = first
            for i in range(1, counts[c]):
                time[start + i] = time[start + i - 1] + (usual + unzigzag(work[told])) * unit
                told += 1
        start += counts[c]
    return at
