"""Columns of unsigned integers in few bits: adaptive run-length and Rice codes, or plain planes of bytes.

The code is Malvar's RLGR ("Adaptive Run-Length / Golomb-Rice Encoding of Quantized Generalized Gaussian
Sources with Unknown Statistics", DCC 2006) with an escape, so that any 64-bit number fits. It learns its
two parameters as it goes, so short columns need no table; a column it would make longer is written as planes.
All integers are int64 bit patterns. docs/wire/columns.md is the text of the format.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

from models.compile import leaf
from models.readings import Bytes, Int64s

Whole: TypeAlias = Any  # an int64 inside kernels, an int outside

# What a reading kernel returns instead of a place: compiled code cannot raise cheaply.
SHORT, WIDTH, RUN, COUNT, ORDER, CHANNEL, TIME, VALUE, ODD, QUALITY, TRAILING = range(-1, -12, -1)
FAULTS = {
    SHORT: ("short", "a column runs past the end"),
    WIDTH: ("width", "an unknown way to write a column"),
    RUN: ("run", "a run of zeros is longer than its column"),
    COUNT: ("count", "the rows of the channels do not sum to the rows of the body"),
    ORDER: ("order", "the order of rows does not fit the channels"),
    CHANNEL: ("channel", "a channel number is out of range"),
    TIME: ("time", "an unknown way to tell times"),
    VALUE: ("value", "an unknown way to tell values"),
    ODD: ("odd", "a value that is no step lies outside the rows"),
    QUALITY: ("quality", "quality does not cover the rows"),
    TRAILING: ("trailing", "bytes follow the last column"),
}
RICE = 9  # width byte: 0 all are zero, 1..8 planes, 9 codes
_SCALE = 4  # both parameters are kept in sixteenths
_MOST_RUN, _MOST_RICE = 16 << _SCALE, 56 << _SCALE
_WORD = 62
_ESCAPE = 24  # so many ones say that 64 plain bits follow
# Typed from the start: a literal, or a number that begins as one, makes the compiler write another kernel.
ZERO: Whole = np.int64(0)
ONE: Whole = np.int64(1)
_ONES: Whole = np.int64(_ESCAPE)
_PLAIN: Whole = np.int64(64)
YES: Any = np.bool_(True)
NO: Any = np.bool_(False)


@leaf
def zigzag(number: Whole) -> Whole:
    """Small of either sign to small unsigned: 0, -1, 1, -2 become 0, 1, 2, 3."""
    return (number << 1) ^ (number >> 63)


@leaf
def unzigzag(number: Whole) -> Whole:
    """The inverse of `zigzag`."""
    return ((number >> 1) & 0x7FFFFFFFFFFFFFFF) ^ -(number & 1)


@leaf
def put_bits(bits: Whole, count: Whole, out: Bytes, at: Whole) -> Whole:
    """Write the low `count` bits at bit `at`, least significant first; `out` is filled in rising order."""
    while count > 0:
        byte, offset = np.uint64(at >> 3), at & 7
        taken = min(8 - offset, count)
        piece = (bits & ((1 << taken) - 1)) << offset
        out[byte] = piece if offset == 0 else out[byte] | piece
        bits = bits >> taken
        at += taken
        count -= taken
    return at


@leaf
def take_bits(body: Bytes, at: Whole, count: Whole) -> Whole:
    """`count` bits from bit `at`; the caller knows that they are there."""
    bits, got = np.int64(0), 0
    while got < count:
        offset = at & 7
        taken = min(8 - offset, count - got)
        bits |= ((np.int64(body[at >> 3]) >> offset) & ((1 << taken) - 1)) << got
        at += taken
        got += taken
    return bits


@leaf
def put_rice(number: Whole, low: Whole, out: Bytes, at: Whole) -> Whole:
    """number >> low in ones and a zero, then its `low` low bits; or the escape and 64 bits."""
    high = number >> low
    if number < 0 or high >= _ESCAPE:
        return put_bits(number, _PLAIN, out, put_bits((ONE << _ONES) - 1, _ONES, out, at))
    ones = (1 << high) - 1
    if high + 1 + low <= _WORD:  # the usual case: both at once
        return put_bits(ones | ((number & ((1 << low) - 1)) << (high + 1)), high + 1 + low, out, at)
    return put_bits(number, low, out, put_bits(ones, high + 1, out, at))


@leaf
def learned(rice: Whole, number: Whole) -> Whole:
    """The Rice parameter after `number`: down when it was small for it, up by how much it was too great."""
    high = number >> (rice >> _SCALE)
    if high == 0:
        return max(0, rice - 2)
    if high == 1:
        return rice
    return min(_MOST_RICE, rice + (_ESCAPE if number < 0 else min(high, _ESCAPE)) + 1)


@leaf
def put_codes(numbers: Int64s, count: Whole, out: Bytes, start: Whole, limit: Whole) -> Whole:
    """Write codes from byte `start`; returns the byte after them, or -1 once they reach byte `limit`."""
    run, rice, at, i = ONE << _SCALE, 2 * ONE << _SCALE, start * 8, ZERO
    while i < count:
        if at >= limit * 8:
            return -1
        short = run >> _SCALE
        if short == 0:
            at = put_rice(numbers[i], rice >> _SCALE, out, at)
            rice = learned(rice, numbers[i])
            run = run + 3 if numbers[i] == 0 else max(0, run - 1)
            i += 1
            continue
        zeros = 0
        while i + zeros < count and numbers[i + zeros] == 0 and zeros < 1 << short:
            zeros += 1
        i += zeros
        if zeros == 1 << short or i == count:
            at = put_bits(ZERO, ONE, out, at)
            run = min(_MOST_RUN, run + 2)
            continue
        at = put_bits(zeros, short, out, put_bits(ONE, ONE, out, at))
        at = put_rice(numbers[i] - 1, rice >> _SCALE, out, at)
        rice = learned(rice, numbers[i] - 1)
        run = max(0, run - 1)
        i += 1
    return (at + 7) >> 3


@leaf
def take_rice(body: Bytes, at: Whole, low: Whole) -> tuple[Whole, Whole]:
    """A Rice code at bit `at`: the number and the bit after it, or 0 and -1 when the bytes end before."""
    end, high = len(body) * 8, 0
    while high < _ESCAPE:
        if at >= end:
            return 0, -1
        one = (body[at >> 3] >> (at & 7)) & 1
        at += 1
        if one == 0:
            break
        high += 1
    wanted = 64 if high == _ESCAPE else low
    if wanted > end - at:
        return 0, -1
    bits = take_bits(body, at, wanted)
    return bits if high == _ESCAPE else (np.int64(high) << low) | bits, at + wanted


@leaf
def take_codes(body: Bytes, start: Whole, count: Whole, numbers: Int64s) -> Whole:
    """Read `count` numbers of `put_codes` from byte `start`; returns the byte after them, or a fault."""
    run, rice, at, i, end = ONE << _SCALE, 2 * ONE << _SCALE, start * 8, ZERO, len(body) * 8
    while i < count:
        short = run >> _SCALE
        if short == 0:
            numbers[i], at = take_rice(body, at, rice >> _SCALE)
            if at < 0:
                return SHORT
            rice = learned(rice, numbers[i])
            run = run + 3 if numbers[i] == 0 else max(0, run - 1)
            i += 1
            continue
        # A whole run is one bit, and may be the last of the body.
        if at >= end or (1 + short > end - at and take_bits(body, at, ONE) == 1):
            return SHORT
        zeros = min(1 << short, count - i)
        broken = take_bits(body, at, ONE)
        at += 1
        if broken == 1:
            zeros = take_bits(body, at, short)
            at += short
            if zeros >= count - i:
                return RUN
        for _ in range(zeros):
            numbers[i] = 0
            i += 1
        if broken == 0:
            run = min(_MOST_RUN, run + 2)
            continue
        less, at = take_rice(body, at, rice >> _SCALE)
        if at < 0:
            return SHORT
        numbers[i] = less + 1
        rice = learned(rice, less)
        run = max(0, run - 1)
        i += 1
    return (at + 7) >> 3


@leaf
def put_column(numbers: Int64s, count: Whole, dense: bool, out: Bytes, at: Whole) -> Whole:
    """Write `count` numbers; returns where the next byte goes. Not `dense`: planes, which zstd packs well."""
    seen = np.int64(0)
    for i in range(count):
        seen |= numbers[i]
    width = 8 if seen < 0 else 0
    while width < 8 and (seen >> (8 * width)) != 0:
        width += 1
    if dense and width > 0:
        after = put_codes(numbers, count, out, at + 1, at + 1 + width * count)
        if 0 <= after <= at + 1 + width * count:
            out[at] = RICE
            return after
    out[at] = width
    at += 1
    for plane in range(width):
        for i in range(count):
            out[at + i] = (numbers[i] >> (8 * plane)) & 255
        at += count
    return at


@leaf
def take_column(body: Bytes, at: Whole, count: Whole, numbers: Int64s) -> Whole:
    """Read `count` numbers, at most len(numbers); returns where the next byte is, or a fault."""
    if at >= len(body):
        return SHORT
    width = np.int64(body[at])
    at += 1
    if width > RICE or count > len(numbers):
        return WIDTH
    if width == RICE:
        return take_codes(body, at, count, numbers)
    if width * count > len(body) - at:
        return SHORT
    for i in range(count):
        numbers[i] = 0
    for plane in range(width):
        for i in range(count):
            numbers[i] |= np.int64(body[at + i]) << (8 * plane)
        at += count
    return at
