"""Kernels for the values of a block, channel after channel: whole steps where they are, else raw floats.

Lossless to the bit: a channel is told in steps only where each step gives back its very float; single values
that do not (NaN, infinities, minus zero) stand aside. docs/wire/columns.md is the text of the format.
"""

from __future__ import annotations

import numpy as np

from models.compile import kernel, leaf
from models.readings import Bytes, Floats, Int32s, Int64s
from models.wire.column_bits import (
    NO,
    ODD,
    ONE,
    SHORT,
    VALUE,
    YES,
    ZERO,
    Whole,
    put_column,
    take_column,
    unzigzag,
    zigzag,
)

# Resolutions that need one byte in a body. Numbers are never given a second meaning.
KNOWN_RESOLUTIONS = np.array(
    [1.0, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 0.5, 0.25, 0.125, 0.0625, 0.2, 0.05, 0.02, 5.0, 10.0, 100.0]
)
DECIMALS = 7  # the first so many of them are tried on channels that state none
CODE_FLOAT = 0  # value code: raw float64; 1.. are KNOWN_RESOLUTIONS, 64.. those written out in the body
CODE_STATED = 64
MOST_STATED = 190
_LARGEST_STEP = 4503599627370496.0  # 2**52: every whole step below it is exact


@leaf
def inverse_of(resolution: float) -> float:
    """1 / resolution where that is whole, else 0; as models.readings.steps_to_values has it."""
    inverse = float(np.rint(1.0 / resolution))
    if inverse >= 1.0 and abs(inverse * resolution - 1.0) < 1e-9:
        return inverse
    return 0.0


@leaf
def to_steps(
    value: Floats, start: Whole, stop: Whole, resolution: float, strict: bool, steps: Int64s, exact: Bytes
) -> bool:
    """Whole steps of value[start:stop] into `steps`, into `exact` whether they give it back to the bit.

    False, and both unfinished, when more than an eighth do not; `strict`: when one does not that is a number
    other than minus zero.
    """
    inverse, odd = inverse_of(resolution), 0
    for i in range(start, stop):
        now = value[i]
        step = np.rint(now * inverse) if inverse > 0.0 else np.rint(now / resolution)
        back = step / inverse if inverse > 0.0 else step * resolution
        if abs(step) < _LARGEST_STEP and back == now and (now != 0.0 or not np.signbit(now)):
            steps[i], exact[i] = np.int64(step), 1
            continue
        exact[i] = 0
        odd += 1
        if odd * 8 > stop - start or (strict and np.isfinite(now) and now != 0.0):
            return False
    return True


@leaf
def choose_code(
    value: Floats,
    start: Whole,
    stop: Whole,
    resolution: float,
    stated: Floats,
    used: Whole,
    steps: Int64s,
    exact: Bytes,
) -> Whole:
    """Value code of one channel, and its steps; `stated` holds the `used` resolutions that have no code.

    A decimal coarser than the channel's own is tried first: many sensors give less than they promise.
    """
    for k in range(DECIMALS):
        known = KNOWN_RESOLUTIONS[k]
        if known > resolution and to_steps(value, start, stop, known, YES, steps, exact):
            return 1 + k
    usable = 1e-300 < resolution < 1e300
    if not usable or not to_steps(value, start, stop, resolution, NO, steps, exact):
        return CODE_FLOAT
    for k in range(len(KNOWN_RESOLUTIONS)):
        if KNOWN_RESOLUTIONS[k] == resolution:
            return 1 + k
    for k in range(used):
        if stated[k] == resolution:
            return CODE_STATED + k
    if used >= MOST_STATED:
        return CODE_FLOAT
    stated[used] = resolution
    return CODE_STATED + used


@kernel
def put_values(
    value: Floats,
    bits: Int64s,
    counts: Int64s,
    numbers: Int32s,
    resolution: Floats,
    dense: bool,
    out: Bytes,
    at: Whole,
) -> tuple[Whole, Whole]:
    """Values, channel after channel: code, first step, steps to the next; floats; those that are no step.

    Returns where the next byte goes, and how many values are raw floats.
    """
    rows, channels = len(value), len(counts)
    codes, firsts, stated = np.empty(channels, np.int64), np.empty(channels, np.int64), np.empty(MOST_STATED)
    deltas, floats = np.empty(rows, np.int64), np.empty(rows, np.int64)
    odd_at, odd_bits = np.empty(rows, np.int64), np.empty(rows, np.int64)
    steps, exact = np.empty(rows, np.int64), np.empty(rows, np.uint8)
    stepped, moved, raw, odd, used, start, last_odd = ZERO, ZERO, ZERO, ZERO, ZERO, ZERO, -ONE
    first, float_before, code_before = ZERO, ZERO, ZERO
    for c in range(channels):
        stop = start + counts[c]
        wished = resolution[numbers[c]] if numbers[c] < len(resolution) else 0.0
        code = choose_code(value, start, stop, wished, stated, used, steps, exact)
        codes[c], code_before = zigzag(code - code_before), code
        if code == CODE_FLOAT:
            for i in range(start, stop):
                floats[raw] = zigzag(bits[i] - float_before)
                float_before = bits[i]
                raw += 1
            start = stop
            continue
        used = max(used, code - CODE_STATED + 1)
        step_before = first
        for i in range(start, stop):
            step = steps[i]
            if exact[i] == 0:
                odd_at[odd], odd_bits[odd] = i - last_odd - 1, bits[i]
                odd, last_odd, step = odd + 1, i, step_before
            if i == start:
                firsts[stepped], first = zigzag(step - first), step
                stepped += 1
            else:
                deltas[moved] = zigzag(step - step_before)
                moved += 1
            step_before = step
        start = stop
    at = put_column(codes, channels, dense, out, at)
    out[at] = used
    at = put_column(stated.view(np.int64), used, NO, out, at + 1)
    at = put_column(firsts, stepped, dense, out, at)
    at = put_column(deltas, moved, dense, out, at)
    at = put_column(floats, raw, NO, out, at)
    deltas[0] = odd
    at = put_column(deltas, ONE, dense, out, at)
    at = put_column(odd_at, odd, dense, out, at)
    return put_column(odd_bits, odd, NO, out, at), raw + odd


@kernel
def take_resolutions(
    body: Bytes, at: Whole, codes: Int64s, counts: Int64s, stated: Floats, sums: Int64s
) -> Whole:
    """Value codes and stated resolutions; `sums` becomes channels with steps, steps told, floats told."""
    at = take_column(body, at, len(codes), codes)
    if at < 0:
        return at
    if at >= len(body):
        return SHORT
    if body[at] > len(stated):
        return VALUE
    used = np.int64(body[at])
    at = take_column(body, at + 1, used, stated.view(np.int64))
    sums[:] = 0
    code = np.int64(CODE_FLOAT)
    for c in range(len(codes)):
        code += unzigzag(codes[c])
        codes[c] = code
        if code == CODE_FLOAT:
            sums[2] += counts[c]
            continue
        if not (1 <= code <= len(KNOWN_RESOLUTIONS) or CODE_STATED <= code < CODE_STATED + used):
            return VALUE
        sums[0] += 1
        sums[1] += counts[c] - 1
    return at


@kernel
def take_values(body: Bytes, at: Whole, counts: Int64s, value: Floats, bits: Int64s) -> Whole:
    """Values, channel after channel, into `value`, of which `bits` is another view."""
    rows, channels = len(value), len(counts)
    codes, firsts, stated = np.empty(channels, np.int64), np.empty(channels, np.int64), np.zeros(MOST_STATED)
    deltas, floats, sums = np.empty(rows, np.int64), np.empty(rows, np.int64), np.empty(3, np.int64)
    at = take_resolutions(body, at, codes, counts, stated, sums)
    if at >= 0:
        at = take_column(body, at, sums[0], firsts)
    if at >= 0:
        at = take_column(body, at, sums[1], deltas)
    if at >= 0:
        at = take_column(body, at, sums[2], floats)
    if at < 0:
        return at
    stepped, moved, raw, start = ZERO, ZERO, ZERO, ZERO
    first, float_now = ZERO, ZERO
    for c in range(channels):
        stop = start + counts[c]
        if codes[c] == CODE_FLOAT:
            for i in range(start, stop):
                float_now += unzigzag(floats[raw])
                bits[i] = float_now
                raw += 1
        else:
            size = (
                stated[codes[c] - CODE_STATED] if codes[c] >= CODE_STATED else KNOWN_RESOLUTIONS[codes[c] - 1]
            )
            inverse = inverse_of(size)
            first += unzigzag(firsts[stepped])
            stepped += 1
            step = first
            for i in range(start, stop):
                if i > start:
                    step += unzigzag(deltas[moved])
                    moved += 1
                value[i] = step / inverse if inverse > 0.0 else step * size
        start = stop
    return take_odd(body, at, deltas, floats, bits)


@leaf
def take_odd(body: Bytes, at: Whole, places: Int64s, odd_bits: Int64s, bits: Int64s) -> Whole:
    """The values that are no step, put over what stands there; the first two arrays are room to work."""
    at = take_column(body, at, ONE, places)
    if at < 0:
        return at
    odd = places[0]
    if odd < 0 or odd > len(bits):
        return ODD
    at = take_column(body, at, odd, places)
    if at >= 0:
        at = take_column(body, at, odd, odd_bits)
    if at < 0:
        return at
    place = np.int64(-1)
    for k in range(odd):
        if places[k] < 0 or places[k] > len(bits) - 2 - place:
            return ODD
        place += 1 + places[k]
        bits[place] = odd_bits[k]
    return at
