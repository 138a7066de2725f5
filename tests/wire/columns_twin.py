"""A second reader of columns bodies, made from docs/wire/columns.md alone: slow, obvious, in plain Python."""

from __future__ import annotations

import struct
import zlib

import zstandard

RESOLUTIONS = [1, 0.1, 0.01, 0.001, 1e-4, 1e-5, 1e-6, 0.5, 0.25, 0.125, 0.0625, 0.2, 0.05, 0.02, 5, 10, 100]
UNITS = [1, 1_000, 1_000_000, 1_000_000_000]


def signed(number: int) -> int:
    """The low 64 bits of a number, read as signed."""
    number &= (1 << 64) - 1
    return number - (1 << 64) if number >> 63 else number


def unzigzag(number: int) -> int:
    return -((number + 1) >> 1) if number & 1 else number >> 1


class Bits:
    def __init__(self, data: bytes) -> None:
        self.number, self.taken = int.from_bytes(data, "little"), 0

    def take(self, count: int) -> int:
        bits = (self.number >> self.taken) & ((1 << count) - 1)
        self.taken += count
        return bits

    def rice(self, low: int) -> int:
        high = 0
        while high < 24 and self.take(1):
            high += 1
        return self.take(64) if high == 24 else (high << low) + self.take(low)


def learn(rice: int, number: int) -> int:
    high = min(24, number >> (rice >> 4))
    return max(0, rice - 2) if high == 0 else rice if high == 1 else min(896, rice + high + 1)


def codes(data: bytes, count: int) -> tuple[list[int], int]:
    bits, numbers, run, rice = Bits(data), [], 16, 32
    while len(numbers) < count:
        if run >> 4 == 0:
            number = bits.rice(rice >> 4)
            numbers.append(number)
            rice, run = learn(rice, number), run + 3 if number == 0 else max(0, run - 1)
        elif bits.take(1) == 0:
            numbers += [0] * min(1 << (run >> 4), count - len(numbers))
            run = min(256, run + 2)
        else:
            numbers += [0] * bits.take(run >> 4)
            number = bits.rice(rice >> 4)
            numbers.append((number + 1) % (1 << 64))
            rice, run = learn(rice, number), max(0, run - 1)
    return numbers, (bits.taken + 7) // 8


class Columns:
    def __init__(self, data: bytes) -> None:
        self.data = data

    def byte(self) -> int:
        first, self.data = self.data[0], self.data[1:]
        return first

    def take(self, count: int) -> list[int]:
        width = self.byte()
        if width == 9:
            numbers, used = codes(self.data, count)
        else:
            planes = [self.data[plane * count : (plane + 1) * count] for plane in range(width)]
            used = width * count
            numbers = [sum(plane[i] << (8 * p) for p, plane in enumerate(planes)) for i in range(count)]
        self.data = self.data[used:]
        return numbers

    def running(self, count: int, start: int, each: int = 0) -> list[int]:
        """Numbers told by what differs from the one before, plus `each`."""
        numbers = []
        for number in self.take(count):
            start = signed(start + each + unzigzag(number))
            numbers.append(start)
        return numbers


def read(body: bytes) -> dict:
    """Everything a body says; values as the bits of their float64, signed."""
    version, flags, check, n, m, boot, index, offset, base = struct.unpack_from(">BBIII16sQqq", body)
    assert version == 1
    assert check == zlib.crc32(body[:2] + body[6:])
    data = body[54:]
    if flags & 4:
        data = zstandard.ZstdDecompressor().decompress(b"\x28\xb5\x2f\xfd" + data)
    block = {"boot": boot.hex(), "first_index": index, "offset": offset, "clock": flags & 3}
    if n == 0:
        return block | {"rows": []}
    columns = Columns(data)
    numbers = columns.running(m, -1, 1)
    counts = columns.running(m, n // m)
    order = read_order(columns.take(n), m)
    times = read_times(columns, counts, base)
    values = read_values(columns, counts)
    quality = read_quality(columns, n)
    assert columns.data == b""
    parts = {c: [] for c in range(m)}
    place = 0
    for c in range(m):
        for row in range(place, place + counts[c]):
            parts[c].append((numbers[c], times[c].pop(0), values[row], quality[row]))
        place += counts[c]
    return block | {"rows": [parts[c].pop(0) for c in order]}


def read_order(told: list[int], m: int) -> list[int]:
    after, before, order = {c: (c + 1) % m for c in range(m)}, m - 1, []
    for number in told:
        now = after[before] if number == 0 else number - 1
        after[before] = now
        order.append(now)
        before = now
    return order


def read_times(columns: Columns, counts: list[int], base: int) -> list[list[int]]:
    kinds, unit = columns.take(len(counts)), 3
    own = [c for c, kind in enumerate(kinds) if kind]
    first_unit = UNITS[columns.byte()]
    firsts = columns.take(len(own))
    usuals = columns.running(len(own), 0)
    told = columns.take(sum(counts[c] - 1 for c in own))
    times: list[list[int]] = []
    for c, kind in enumerate(kinds):
        if kind == 0:
            times.append(list(times[-1]))
            continue
        unit = unit if kind == 1 else kind - 2
        base = signed(base + unzigzag(firsts.pop(0)) * first_unit)
        usual, channel = usuals.pop(0), [base]
        for _ in range(counts[c] - 1):
            channel.append(signed(channel[-1] + (unzigzag(told.pop(0)) + usual) * UNITS[unit]))
        times.append(channel)
    return times


def read_values(columns: Columns, counts: list[int]) -> list[int]:
    given = columns.running(len(counts), 0)
    stated = [struct.unpack(">d", number.to_bytes(8, "big"))[0] for number in columns.take(columns.byte())]
    stepped = [c for c, code in enumerate(given) if code]
    firsts = columns.running(len(stepped), 0)
    steps = columns.take(sum(counts[c] - 1 for c in stepped))
    floats = columns.running(sum(counts[c] for c, code in enumerate(given) if code == 0), 0)
    values = []
    for c, code in enumerate(given):
        if code == 0:
            values += [floats.pop(0) for _ in range(counts[c])]
            continue
        resolution, step = stated[code - 64] if code >= 64 else RESOLUTIONS[code - 1], firsts.pop(0)
        values.append(bits_of(step, resolution))
        for _ in range(counts[c] - 1):
            step += unzigzag(steps.pop(0))
            values.append(bits_of(step, resolution))
    odd = columns.take(1)[0]
    place = -1
    places, bits = columns.take(odd), columns.take(odd)
    for skipped, number in zip(places, bits, strict=True):
        place += 1 + skipped
        values[place] = signed(number)
    return values


def bits_of(step: int, resolution: float) -> int:
    inverse = round(1 / resolution)
    whole = inverse >= 1 and abs(inverse * resolution - 1) < 1e-9
    return struct.unpack(">q", struct.pack(">d", step / inverse if whole else step * resolution))[0]


def read_quality(columns: Columns, n: int) -> list[int]:
    runs = columns.take(1)[0]
    lengths, flags = columns.take(runs), columns.take(runs)
    if runs == 0:
        return [0] * n
    return [flag for length, flag in zip(lengths, flags, strict=True) for _ in range(length)]
