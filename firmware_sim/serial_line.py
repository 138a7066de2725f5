"""What a microcontroller's firmware writes to its serial line, from docs/wire/serial-line.md alone."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

READINGS, DESCRIPTION = 1, 2


def crc16(content: bytes) -> int:
    """CRC-16/CCITT, bit by bit, as a small controller does it.

    >>> hex(crc16(b"123456789"))
    '0x29b1'
    """
    register = 0xFFFF
    for byte in content:
        register ^= byte << 8
        for _ in range(8):
            register = (register << 1 ^ 0x1021 if register & 0x8000 else register << 1) & 0xFFFF
    return register


def stuff(content: bytes) -> bytes:
    """COBS of at most 253 bytes.

    >>> stuff(bytes([1, 0, 2])).hex(" ")
    '02 01 02 02'
    """
    blocks = [bytes([len(block) + 1]) + block for block in content.split(b"\0")]
    return b"".join(blocks)


def frame(kind: int, node: int, boot: int, sequence: int, body: bytes) -> bytes:
    """A whole frame as it goes onto the wire, with its end."""
    content = struct.pack(">BBBH", 1 << 4 | kind, node, boot & 0xFF, sequence & 0xFFFF) + body
    return stuff(content + struct.pack(">H", crc16(content))) + b"\0"


def readings(values: Mapping[int, float | int | None]) -> bytes:
    """Body of readings by channel: none, int16 or int32 as it fits, float32."""
    body = b""
    for channel, value in values.items():
        if value is None:
            body += struct.pack(">BB", channel, 0)
        elif isinstance(value, float):
            body += struct.pack(">BBf", channel, 3, value)
        elif -(1 << 15) <= value < 1 << 15:
            body += struct.pack(">BBh", channel, 1, value)
        else:
            body += struct.pack(">BBi", channel, 2, value)
    return body


def description(name: str, channels: Sequence[tuple[int, int, str, str]]) -> bytes:
    """Body of a description; a channel is (number, exponent, kind, unit)."""
    body = _text(name)
    for number, exponent, kind, unit in channels:
        body += struct.pack(">Bb", number, exponent) + _text(kind) + _text(unit)
    return body


def _text(words: str) -> bytes:
    raw = words.encode()
    return bytes([len(raw)]) + raw
