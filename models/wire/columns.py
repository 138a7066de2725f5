"""Reading blocks as compressed columns: the body of telemetry, of evidence and of the cloud's chunks.

    offset size  field (big-endian)
    0      1     version of the body, 1
    1      1     flags: bits 0-1 clock state, bit 2 the columns are one zstd frame (without its magic number)
    2      4     CRC-32 of all other bytes, in order
    6      4     rows, at most 1,000,000
    10     4     channels
    14     16    boot
    30     8     index of the first row
    38     8     wall minus monotonic time, ns
    46     8     time of the first row, ns UTC
    54     ...   columns, written down in docs/wire/columns.md

Lossless to the bit: order of rows, times, values (NaN and its payload, infinities, -0), quality.
"""

from __future__ import annotations

import re
import struct
import threading
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import zstandard
from numpy.typing import NDArray

from models.clock import ClockState
from models.errors import BodyError
from models.readings import Floats, ReadingBlock
from models.wire.column_bits import FAULTS
from models.wire.column_block import read_block, room_for, write_block

VERSION = 1
MAX_ROWS = 1_000_000
MAX_COLUMN_BYTES = 64 << 20
_MARKS = struct.Struct(">BBI")
_HEAD = struct.Struct(">II16sQqq")
_HEAD_BYTES = _MARKS.size + _HEAD.size
_CLOCK_BITS, _ZSTD = 3, 4
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_BOOT = re.compile(r"[0-9a-f]{32}")
_LEVEL = 1
_TRY_ROWS = 4096  # beyond, planes under zstd are tried too
_INT32, _INT64, _UINT8, _FLOAT64 = map(np.dtype, (np.int32, np.int64, np.uint8, np.float64))
_thread = threading.local()  # zstd's contexts serve one thread at a time


@dataclass(frozen=True, slots=True)
class ColumnsHead:
    """What a columns body says before it is unpacked."""

    rows: int
    channels: int
    boot: str
    first_index: int
    monotonic_offset_ns: int
    first_time: int
    clock: ClockState
    packed: bool


def encode_columns(block: ReadingBlock, resolution: Floats) -> bytes:
    """The block as bytes; the same block, resolutions and zstd give the same bytes.

    `resolution` float64 (k,): step of channel number i at [i]; 0, and numbers beyond it: not known. It only
    helps to pack: values that are no whole step are kept to the bit all the same.
    ValueError: more than 1,000,000 rows, a negative channel number or index, a boot that is not 32
    hexadecimal digits.

    >>> block = ReadingBlock.of(channel=[1, 2], time=[10, 10], value=[20.5, float("nan")], first_index=7)
    >>> back = decode_columns(encode_columns(block, np.array([0.0, 0.5, 0.5])))
    >>> back.value.tolist(), back.first_index
    ([20.5, nan], 7)
    """
    rows = len(block)
    if rows > MAX_ROWS or not _BOOT.fullmatch(block.boot) or not 0 <= block.first_index < 1 << 63:
        raise ValueError(
            f"not a block for the wire: {rows} rows, boot {block.boot!r}, index {block.first_index}"
        )
    channels, columns, zstd = _smallest(block, resolution) if rows else (0, b"", False)
    marks = bytes((VERSION, int(block.clock) | (_ZSTD if zstd else 0)))
    boot, base = bytes.fromhex(block.boot), int(block.time[0]) if rows else 0
    head = _HEAD.pack(rows, channels, boot, block.first_index, block.monotonic_offset_ns, base)
    check = zlib.crc32(columns, zlib.crc32(head, zlib.crc32(marks)))
    return b"".join((marks, check.to_bytes(4, "big"), head, columns))


def decode_columns(body: bytes) -> ReadingBlock:
    """The block that was encoded. What is declared is checked before anything is allocated.

    BodyError: `short`, `version`, `check`, `flags`, `rows`, `zstd`, `size`, or a code of
    models.wire.column_bits.FAULTS.
    """
    head = read_head(body)
    if head.rows == 0:
        if len(body) > _HEAD_BYTES:
            raise BodyError("trailing", "bytes follow an empty block")
        columns = b""
    else:
        columns = _unpack(body[_HEAD_BYTES:]) if head.packed else body[_HEAD_BYTES:]
    channel, time = np.empty(head.rows, np.int32), np.empty(head.rows, np.int64)
    value, quality = np.empty(head.rows, np.float64), np.empty(head.rows, np.uint8)
    if head.rows:
        data = np.frombuffer(columns, np.uint8)
        fault = read_block(data, head.channels, head.first_time, channel, time, value, quality)
        if fault:
            raise BodyError(*FAULTS[fault])
    return ReadingBlock(
        channel, time, value, quality, head.boot, head.first_index, head.monotonic_offset_ns, head.clock
    )


def read_head(body: bytes) -> ColumnsHead:
    """Check the body's bytes and read what it says of itself, without unpacking; errors as decode_columns."""
    if len(body) < _HEAD_BYTES:
        raise BodyError("short", f"{len(body)} bytes are no columns")
    version, flags, check = _MARKS.unpack_from(body)
    if version != VERSION:
        raise BodyError("version", f"columns version {version}, this program speaks {VERSION}")
    if check != zlib.crc32(memoryview(body)[_MARKS.size :], zlib.crc32(body[:2])):
        raise BodyError("check", "bytes were changed on the way")
    rows, channels, boot, index, offset, base = _HEAD.unpack_from(body, _MARKS.size)
    if flags > _CLOCK_BITS + _ZSTD or flags & _CLOCK_BITS > max(ClockState):
        raise BodyError("flags", f"unknown flags {flags:#x}")
    if rows > MAX_ROWS or not min(rows, 1) <= channels <= rows or index >= 1 << 63:
        raise BodyError("rows", f"{rows} rows of {channels} channels from index {index}")
    clock = ClockState(flags & _CLOCK_BITS)
    return ColumnsHead(rows, channels, boot.hex(), index, offset, base, clock, bool(flags & _ZSTD))


def _smallest(block: ReadingBlock, resolution: Floats) -> tuple[int, bytes, bool]:
    """Channels, the shortest form of the columns, and whether it is under zstd."""
    columns = (
        _plain(block.channel, _INT32),
        _plain(block.time, _INT64),
        _plain(block.value, _FLOAT64),
        _plain(block.quality, _UINT8),
        _plain(resolution, _FLOAT64),
    )
    out = np.empty(room_for(len(block)), np.uint8)
    channels, size, raw = write_block(*columns, True, out)
    if channels < 0:
        raise ValueError("channel numbers are not negative")
    coded = out[:size].tobytes()
    if not raw and len(block) <= _TRY_ROWS:
        return channels, coded, False
    forms = [(coded, False)]
    # Codes are dense already; zstd helps with raw floats, and over planes where patterns repeat.
    if raw:
        forms.append((_pack(coded), True))
    if len(block) > _TRY_ROWS:
        channels, size, raw = write_block(*columns, False, out)
        forms.append((_pack(out[:size].tobytes()), True))
    return channels, *min(forms, key=lambda form: len(form[0]))


def _plain(column: NDArray[Any], kind: np.dtype[Any]) -> NDArray[Any]:
    """The column as the one kind of array that kernels are compiled for; views into bytes are copied."""
    if column.dtype == kind and column.flags.c_contiguous and column.flags.writeable:
        return column
    return np.array(column, kind, order="C")


def _pack(columns: bytes) -> bytes:
    if not hasattr(_thread, "packer"):
        _thread.packer = zstandard.ZstdCompressor(level=_LEVEL)
    packed: bytes = _thread.packer.compress(columns)
    return packed[len(_ZSTD_MAGIC) :]


def _unpack(packed: bytes) -> bytes:
    frame = _ZSTD_MAGIC + packed
    try:
        said = zstandard.get_frame_parameters(frame)
        # An unknown size reads as 2**64-1; a frame that lies about its size is refused by zstd itself.
        if not 0 < said.content_size <= MAX_COLUMN_BYTES or said.window_size > MAX_COLUMN_BYTES:
            raise BodyError("size", f"columns of {said.content_size} bytes are not taken")
        if not hasattr(_thread, "unpacker"):
            _thread.unpacker = zstandard.ZstdDecompressor(max_window_size=MAX_COLUMN_BYTES)
        columns: bytes = _thread.unpacker.decompress(frame, allow_extra_data=False)
    except (zstandard.ZstdError, MemoryError) as wrong:
        raise BodyError("zstd", f"the columns cannot be unpacked: {wrong}") from wrong
    return columns
