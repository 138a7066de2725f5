"""Kernels that read an ordinary SenML pack in one pass: JSON, numbers, plain names, base name, time and unit.

They take a part of JSON and of SenML and refuse all else without saying why: who calls them goes the long way
then, so they may be narrow but never lenient. The text ends in a NUL, which is no byte of JSON and which no
test here accepts, so nothing is read beyond it and no bound is checked. Times become whole nanoseconds in
integers; a value is one correctly rounded division, and where that is not sure its text is pointed at.
"""

from __future__ import annotations

import numpy as np

from models.compile import kernel, leaf
from models.readings import Bytes, Floats, Int64s
from models.wire.column_bits import ONE, ZERO, Whole
from models.wire.senml_syntax import RELATIVE_BELOW_NS

# Labels taken, numbers first. Each has four fields: begin and end of what it says, and of a number its
# digits (-1: too many) and how many of them are decimals.
_FIELDS = 4
_TIME, _VALUE, _BASE_TIME, _NAME, _UNIT, _BASE_NAME, _BASE_UNIT = range(0, 7 * _FIELDS, _FIELDS)
_QUOTE, _COMMA, _COLON, _MINUS, _POINT, _ZERO, _NINE = b'",:-.09'
_OPEN, _CLOSE, _OPEN_MAP, _CLOSE_MAP = b"[]{}"
_LETTERS = np.zeros(256, np.int64)
_LETTERS[list(b"tvnu")] = 1 + np.array([_TIME, _VALUE, _NAME, _UNIT])
_BASE_LETTERS = np.zeros(256, np.int64)
_BASE_LETTERS[list(b"tnu")] = 1 + np.array([_BASE_TIME, _BASE_NAME, _BASE_UNIT])
_TEXT = np.zeros(256, np.bool_)
_TEXT[32:127] = True
_TEXT[list(b'"\\')] = False
_MOST_DIGITS, _MOST_BYTES, _MOST_POWER = 18, 40, 22
_LARGEST_EXACT = 1 << 53
_POWERS = 10.0 ** np.arange(_MOST_POWER + 1)
_WHOLE_POWERS = 10 ** np.arange(_MOST_DIGITS + 1)
LARGEST_NS = 4_000_000_000_000_000_000  # two of them make a sum that 64 bits hold
_NO_TIME = -(1 << 63)


@leaf
def byte(body: Bytes, at: Whole) -> Whole:
    """The byte at `at`, which is not negative: said so, it costs no test for counting from the end."""
    return np.int64(body[np.uint64(at)])


@leaf
def skip_space(body: Bytes, at: Whole) -> Whole:
    while byte(body, at) <= 32 and (
        byte(body, at) == 32 or byte(body, at) == 10 or byte(body, at) == 13 or byte(body, at) == 9
    ):
        at += 1
    return at


@leaf
def skip_digits(body: Bytes, at: Whole) -> Whole:
    while _ZERO <= byte(body, at) <= _NINE:
        at += 1
    return at


@leaf
def take_label(body: Bytes, at: Whole) -> tuple[Whole, Whole]:
    """The field of the label that begins at `at`, and the place after its closing quote; -1 for any other."""
    label = _LETTERS[byte(body, at)]
    if byte(body, at) == 98:
        at += 1
        label = _BASE_LETTERS[byte(body, at)]
    if label == 0 or byte(body, at + 1) != _QUOTE:
        return -ONE, at
    return label - 1, at + 2


@leaf
def take_text(body: Bytes, at: Whole, field: Whole, found: Int64s) -> Whole:
    """A text of printable ASCII without escapes; the place after it, or -1."""
    if byte(body, at) != _QUOTE:
        return -ONE
    begin = at + 1
    at = begin
    while _TEXT[byte(body, at)]:
        at += 1
    found[field], found[field + 1] = begin, at
    return at + 1 if byte(body, at) == _QUOTE else -ONE


@leaf
def take_number(body: Bytes, at: Whole, field: Whole, found: Int64s) -> Whole:
    """A number as JSON writes it, of at most 40 bytes; the place after it, or -1."""
    begin, decimals = at, ZERO
    at += 1 if byte(body, at) == _MINUS else 0
    first, digits = at, byte(body, at) - _ZERO
    if not 0 <= digits <= 9:
        return -ONE
    at += 1
    while digits > 0 and _ZERO <= byte(body, at) <= _NINE:
        digits = digits * 10 + (byte(body, at) - _ZERO)
        at += 1
    told = at - first
    if byte(body, at) == _POINT:
        point = at
        at += 1
        while _ZERO <= byte(body, at) <= _NINE:
            digits = digits * 10 + (byte(body, at) - _ZERO)
            at += 1
        decimals = at - point - 1
        if decimals == 0:
            return -ONE
    if told + decimals > _MOST_DIGITS:
        digits = -ONE
    if byte(body, at) == 101 or byte(body, at) == 69:
        at += 1
        sign = -1 if byte(body, at) == _MINUS else 1
        at += 1 if byte(body, at) == _MINUS or byte(body, at) == 43 else 0
        power, first = ZERO, at
        at = skip_digits(body, at)
        for i in range(first, min(at, first + 4)):
            power = power * 10 + (byte(body, i) - _ZERO)
        if at == first or at > first + 3:
            return -ONE
        decimals -= sign * power
    found[field], found[field + 1] = begin, at
    found[field + 2], found[field + 3] = digits, decimals
    return at if at - begin <= _MOST_BYTES else -ONE


@leaf
def take_record(body: Bytes, at: Whole, found: Int64s) -> Whole:
    """What the record that opens at `at` says, into `found`; the place after it, or -1.

    What is found of a label that this record does not have stays what it was: it begins before `at`.
    """
    opening = at
    if byte(body, at) != _OPEN_MAP:
        return -ONE
    at = skip_space(body, at + 1)
    while byte(body, at) == _QUOTE:
        field, at = take_label(body, at + 1)
        if field < 0 or found[field] > opening:
            return -ONE
        at = skip_space(body, at)
        if byte(body, at) != _COLON:
            return -ONE
        at = skip_space(body, at + 1)
        if field < _NAME:
            at = take_number(body, at, field, found)
        else:
            at = take_text(body, at, field, found)
        if at < 0:
            return -ONE
        at = skip_space(body, at)
        if byte(body, at) != _COMMA:
            break
        at = skip_space(body, at + 1)
        if byte(body, at) != _QUOTE:
            return -ONE
    return at + 1 if byte(body, at) == _CLOSE_MAP else -ONE


@leaf
def nanoseconds(body: Bytes, field: Whole, found: Int64s) -> Whole:
    """A number of seconds in ns, half to even, or _NO_TIME; as models.wire.senml_syntax.to_nanoseconds."""
    digits, shift = found[field + 2], 9 - found[field + 3]
    if digits < 0 or not -_MOST_DIGITS <= shift <= _MOST_DIGITS:
        return np.int64(_NO_TIME)
    size = _WHOLE_POWERS[abs(shift)]
    if shift >= 0:
        if digits > LARGEST_NS // size:
            return np.int64(_NO_TIME)
        whole = digits * size
    else:
        whole, rest = digits // size, digits % size
        whole += 1 if 2 * rest > size or (2 * rest == size and whole & 1) else 0
    return -whole if byte(body, found[field]) == _MINUS else whole


@leaf
def nearest_float(body: Bytes, field: Whole, found: Int64s) -> float:
    """The float nearest to a number; NaN where one rounding does not surely find it."""
    digits, decimals = found[field + 2], found[field + 3]
    if not 0 <= digits <= _LARGEST_EXACT or not -_MOST_POWER <= decimals <= _MOST_POWER:
        return np.nan
    size = _POWERS[abs(decimals)]
    near: float = digits / size if decimals >= 0 else digits * size
    # The text -0 is a whole number, which has no minus zero; -0.0 has.
    if byte(body, found[field]) != _MINUS or (digits == 0 and found[field + 1] - found[field] == 2):
        return near
    return -near


@leaf
def told_ns(body: Bytes, field: Whole, found: Int64s, opening: Whole, otherwise: Whole) -> Whole:
    """The time that the record at `opening` tells under a label, else `otherwise`; _NO_TIME as above."""
    return nanoseconds(body, field, found) if found[field] > opening else otherwise


@leaf
def same_name(body: Bytes, found: Int64s, names: Int64s, name: Whole) -> bool:
    """Whether the record's name is number `name`: base names at the same place, and the same text."""
    start, size = names[3 * name + 1], names[3 * name + 2] - names[3 * name + 1]
    begin = found[_NAME]
    if found[_NAME + 1] - begin != size or names[3 * name] != found[_BASE_NAME]:
        return False
    for i in range(size):  # noqa: SIM110
        if byte(body, begin + i) != byte(body, start + i):
            return False
    return True


@leaf
def number_of_name(
    body: Bytes, found: Int64s, names: Int64s, table: Int64s, guess: Whole, count: Whole
) -> Whole:
    """The number of the record's name; `count`, and it is noted, when it was not among the `count` so far.

    The guess is looked at first, then `table`, as long as a power of two that leaves room to spare.
    """
    if guess < count and same_name(body, found, names, guess):
        return guess
    slot = found[_BASE_NAME]
    for i in range(found[_NAME], found[_NAME + 1]):
        slot = ((slot ^ byte(body, i)) * 16777619) & 0xFFFFFFFF
    slot = (slot ^ (slot >> 15)) & (len(table) - 1)
    while table[slot] >= 0 and not same_name(body, found, names, table[slot]):
        slot = (slot + 1) & (len(table) - 1)
    if table[slot] < 0:
        table[slot] = count
        names[3 * count], names[3 * count + 1] = found[_BASE_NAME], found[_NAME]
        names[3 * count + 2] = found[_NAME + 1]
    return table[slot]


@leaf
def put_name(body: Bytes, found: Int64s, told: Bytes, at: Whole) -> Whole:
    """Base name, name and a line feed at `told[at]`; the place after them, or -1 when there is no room."""
    room = len(told) - at - 1
    for field in (_BASE_NAME, _NAME):
        room -= found[field + 1] - found[field]
    if room < 0:
        return -ONE
    for field in (_BASE_NAME, _NAME):
        for i in range(found[field], found[field + 1]):
            told[at] = byte(body, i)
            at += 1
    told[at] = 10
    return at + 1


@leaf
def most_records(body: Bytes) -> Whole:
    """How many records there are at most: braces are counted."""
    count = ZERO
    for i in range(len(body)):
        count += body[i] == _OPEN_MAP
    return count


@kernel
def scan_pack(
    body: Bytes, now_ns: Whole, place: Int64s, time: Int64s, value: Floats, unsure: Int64s, told: Bytes
) -> tuple[Whole, Whole, Whole]:
    """Read the pack `body`, which ends in a NUL, into the columns; they have room for all its records.

    Row i is of name number `place[i]`, counted by first appearance; `told` becomes the names, a line feed
    after each. Early times are told against `now_ns`, 0 to LARGEST_NS. Where `value` is NaN, `unsure` has
    three numbers: the row, and where the text of its value begins and ends.
    Returns rows, bytes of `told`, values that are unsure; rows are -1 for any pack that is not plain.
    """
    size = 16
    while size < 2 * len(place):
        size *= 2
    table, names = np.full(size, -1), np.empty(3 * len(place), np.int64)
    after, found = np.zeros(len(place), np.int64), np.zeros(7 * _FIELDS, np.int64)
    rows, count, ends, odd, before, base_ns, at = ZERO, ZERO, ZERO, ZERO, ZERO, ZERO, skip_space(body, ZERO)
    if byte(body, at) != _OPEN:
        return -ONE, ZERO, ZERO
    while True:
        opening = skip_space(body, at + 1)
        at = take_record(body, opening, found)
        if at < 0:
            return -ONE, ZERO, ZERO
        base_ns = told_ns(body, _BASE_TIME, found, opening, base_ns)
        time_ns = told_ns(body, _TIME, found, opening, ZERO)
        told_other = max(found[_TIME], found[_NAME], found[_UNIT]) > opening
        if min(base_ns, time_ns) == _NO_TIME or (told_other and found[_VALUE] < opening):
            return -ONE, ZERO, ZERO
        if found[_VALUE] > opening:
            if found[_NAME] < opening:
                found[_NAME] = found[_NAME + 1] = 0
            now = number_of_name(body, found, names, table, after[before], count)
            if now == count:
                ends = put_name(body, found, told, ends)
                count += 1
                if ends < 0:
                    return -ONE, ZERO, ZERO
            after[before] = now
            before = now
            place[rows], time[rows] = now, base_ns + time_ns
            time[rows] += now_ns if time[rows] < RELATIVE_BELOW_NS else 0
            value[rows] = nearest_float(body, _VALUE, found)
            if np.isnan(value[rows]):
                unsure[3 * odd], unsure[3 * odd + 1], unsure[3 * odd + 2] = (
                    rows,
                    found[_VALUE],
                    found[_VALUE + 1],
                )
                odd += 1
            rows += 1
        at = skip_space(body, at)
        if byte(body, at) != _COMMA:
            break
    at = skip_space(body, at + 1) if byte(body, at) == _CLOSE else ZERO
    return rows if at == len(body) - 1 else -ONE, ends, odd
