"""One record of the spool: a block of readings, whose they are, and where the device goes on.

"LMS1"  u32 length of the payload  u32 CRC-32 of the payload  payload (little-endian)

payload: 16s boot, u64 first index, i64 monotonic offset, u8 clock state, u8 length of device,
         u16 length of cursor (65535: none), u32 rows, device, cursor,
         int32 channel[rows], int64 time[rows], float64 value[rows], uint8 quality[rows]
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

import numpy as np

from models.clock import ClockState
from models.readings import ReadingBlock

MAGIC = b"LMS1"
_FRAME = struct.Struct("<4sII")
_HEAD = struct.Struct("<16sQqBBHI")
_NO_CURSOR = 0xFFFF
MAX_PAYLOAD = 16 << 20


@dataclass(frozen=True, slots=True)
class SpoolRecord:
    """A block as it was spooled, from byte `position` to `end` of the spool."""

    position: int
    end: int
    block: ReadingBlock
    device: str
    cursor: str | None


def pack_record(block: ReadingBlock, device: str, cursor: str | None) -> bytes:
    """The bytes of one record."""
    name = device.encode()
    mark = b"" if cursor is None else cursor.encode()
    head = _HEAD.pack(
        bytes.fromhex(block.boot),
        block.first_index,
        block.monotonic_offset_ns,
        int(block.clock),
        len(name),
        _NO_CURSOR if cursor is None else len(mark),
        len(block),
    )
    columns = (block.channel, block.time, block.value, block.quality)
    payload = b"".join((head, name, mark, *(column.tobytes() for column in columns)))
    return _FRAME.pack(MAGIC, len(payload), zlib.crc32(payload)) + payload


def parse_records(data: bytes, position: int, *, is_all: bool = True) -> tuple[list[SpoolRecord], int, int]:
    """Whole records at the start of `data`, which begins at `position` of the spool.

    Gives the records, how many bytes were used, and how many of those belonged to no sound record (damage
    is stepped over to the next sound record; what is torn at the end is left unused). Unless `is_all`, a
    record that goes on past the data is left for the next reading.
    """
    records: list[SpoolRecord] = []
    at = damaged = 0
    while len(data) - at >= _FRAME.size:
        size = _sound_size(data, at)
        if size == 0 and not is_all:
            break
        if size > 0:
            records.append(_unpack(data, at, size, position))
            at += size
            continue
        following = _next_sound(data, at + 1)
        if following < 0:
            break
        damaged += following - at
        at = following
    return records, at, damaged


def _sound_size(data: bytes, at: int) -> int:
    """Size of the record at `at`; 0: it may go on past the data; -1: there is none."""
    magic, length, check = _FRAME.unpack_from(data, at)
    if magic != MAGIC or length > MAX_PAYLOAD or length < _HEAD.size:
        return -1
    end = at + _FRAME.size + length
    if end > len(data):
        return 0
    payload = memoryview(data)[at + _FRAME.size : end]
    return end - at if zlib.crc32(payload) == check else -1


def _next_sound(data: bytes, start: int) -> int:
    at = data.find(MAGIC, start)
    while at >= 0 and len(data) - at >= _FRAME.size:
        if _sound_size(data, at) > 0:
            return at
        at = data.find(MAGIC, at + 1)
    return -1


def _unpack(data: bytes, at: int, size: int, position: int) -> SpoolRecord:
    start = at + _FRAME.size
    boot, index, offset, clock, name_size, mark_size, rows = _HEAD.unpack_from(data, start)
    here = start + _HEAD.size
    device = data[here : here + name_size].decode()
    here += name_size
    cursor = None
    if mark_size != _NO_CURSOR:
        cursor = data[here : here + mark_size].decode()
        here += mark_size
    # Copies, because compiled kernels want aligned arrays they may write to.
    columns = []
    for kind in ("<i4", "<i8", "<f8", "u1"):
        column = np.frombuffer(data, kind, rows, here).copy()
        columns.append(column)
        here += column.nbytes
    block = ReadingBlock(*columns, boot.hex(), index, offset, ClockState(clock))
    return SpoolRecord(position + at, position + at + size, block, device, cursor)
