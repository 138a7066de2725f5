"""Frames of docs/wire/serial-line.md: out of a stream of bytes, checked and taken apart."""

from __future__ import annotations

import binascii
import math
import struct
from dataclasses import dataclass

VERSION = 1
READINGS, DESCRIPTION = 1, 2
MAX_FRAME = 254
_HEADER = struct.Struct(">BBBH")
_CRC_BYTES = 2
_FORMATS = {1: ">h", 2: ">i", 3: ">f"}
_OVERTAKEN = 15
_HALF = 1 << 15


class FrameError(ValueError):
    """Bytes that are no whole frame."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame whose check fits."""

    version: int
    kind: int
    node: int
    boot: int
    sequence: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Described:
    """A channel as its node describes it."""

    channel: int
    exponent: int
    kind: str
    unit: str


class FrameSplitter:
    """Cuts a stream at its zeros. What comes before the first zero is half a frame and left out."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._is_skipping = True

    def feed(self, heard: bytes) -> list[bytes]:
        """Stuffed frames that are complete now; an overlong one comes as the empty bytes, once.

        >>> FrameSplitter().feed(bytes.fromhex("99 00 00 02 11 00 03"))
        [b'\\x02\\x11']
        """
        frames = []
        for piece, is_ended in _pieces(heard):
            if not self._is_skipping:
                self._held += piece
                if len(self._held) > MAX_FRAME:
                    frames.append(b"")
                    self._held.clear()
                    self._is_skipping = True
            if is_ended:
                if self._held:
                    frames.append(bytes(self._held))
                self._held.clear()
                self._is_skipping = False
        return frames


def read_frame(stuffed: bytes) -> Frame:
    """The frame in bytes between two zeros; FrameError when it came damaged.

    >>> read_frame(bytes.fromhex("08 11 07 01 01 2c 01 01 03 d7 02 03 bc 7b")).sequence
    300
    """
    content = unstuff(stuffed)
    if len(content) < _HEADER.size + _CRC_BYTES:
        raise FrameError("too short")
    if binascii.crc_hqx(content[:-_CRC_BYTES], 0xFFFF) != int.from_bytes(content[-_CRC_BYTES:], "big"):
        raise FrameError("the check does not fit")
    first, node, boot, sequence = _HEADER.unpack_from(content)
    return Frame(first >> 4, first & 0x0F, node, boot, sequence, content[_HEADER.size : -_CRC_BYTES])


def unstuff(stuffed: bytes) -> bytes:
    """COBS taken off; FrameError when a block runs over the end."""
    content = bytearray()
    at = 0
    while at < len(stuffed):
        end = at + stuffed[at]
        if stuffed[at] == 0 or end > len(stuffed):
            raise FrameError("a block runs over the end")
        content += stuffed[at + 1 : end] + b"\0"
        at = end
    return bytes(content[:-1])


def read_values(body: bytes) -> list[tuple[int, float]]:
    """Channels and values of a frame of readings, NaN where a sensor does not answer."""
    values, at = [], 0
    while at < len(body):
        channel, form = _bytes(body, at, 2)
        at += 2
        if form == 0:
            values.append((channel, math.nan))
            continue
        if form not in _FORMATS:
            raise FrameError(f"channel {channel} has the unknown format {form}")
        size = struct.calcsize(_FORMATS[form])
        values.append((channel, float(struct.unpack(_FORMATS[form], _bytes(body, at, size))[0])))
        at += size
    return values


def read_description(body: bytes) -> tuple[str, list[Described]]:
    """A node's name and its channels."""
    name, at = _text(body, 0)
    channels = []
    while at < len(body):
        channel, exponent = struct.unpack(">Bb", _bytes(body, at, 2))
        kind, at = _text(body, at + 2)
        unit, at = _text(body, at)
        channels.append(Described(channel, exponent, kind, unit))
    return name, channels


def lost_between(last: int, sequence: int) -> int | None:
    """Frames lost between two of one boot; None for one to skip; -1 for a node that began anew.

    >>> [lost_between(*pair) for pair in ((65535, 0), (3, 7), (7, 7), (7, 5), (900, 0))]
    [0, 3, None, None, -1]
    """
    ahead = (sequence - last) % (1 << 16)
    if 0 < ahead < _HALF:
        return ahead - 1
    return None if (last - sequence) % (1 << 16) <= _OVERTAKEN else -1


def _pieces(heard: bytes) -> list[tuple[bytes, bool]]:
    *ended, rest = heard.split(b"\0")
    return [(piece, True) for piece in ended] + [(rest, False)]


def _bytes(body: bytes, at: int, count: int) -> bytes:
    if at + count > len(body):
        raise FrameError("a record runs over the end")
    return body[at : at + count]


def _text(body: bytes, at: int) -> tuple[str, int]:
    length = _bytes(body, at, 1)[0]
    return _bytes(body, at + 1, length).decode("utf-8", errors="replace"), at + 1 + length
