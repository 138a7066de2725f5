"""Stored state as bytes: versioned, checked, bound to what made it; never pickle.

4 B  magic "LMS1"    16 B  digest of everything after it    16 B  digest of the binding
8 B  rows, little-endian    rest: the rows, under zstd
"""

from __future__ import annotations

import hashlib
import struct

import zstandard

from models.errors import SnapshotError

_MAGIC = b"LMS1"
_LARGEST = 1 << 28  # a body that claims to unpack to more is not ours


def pack_state(binding: str, rows: int, body: bytes) -> bytes:
    """Bytes for `unpack_state`; `binding` names the code and configuration the state belongs to.

    >>> unpack_state("ewma {}", pack_state("ewma {}", 1, b"state"))
    (1, b'state')
    """
    rest = _digest(binding.encode()) + struct.pack("<Q", rows) + zstandard.ZstdCompressor(3).compress(body)
    return _MAGIC + _digest(rest) + rest


def unpack_state(binding: str, data: bytes) -> tuple[int, bytes]:
    """Rows and body; SnapshotError when damaged, of another version, or bound to something else."""
    if len(data) < 44 or data[:4] != _MAGIC:
        raise SnapshotError("not a snapshot of this version")
    rest = data[20:]
    if _digest(rest) != data[4:20]:
        raise SnapshotError("snapshot is damaged: its digest does not match")
    if rest[:16] != _digest(binding.encode()):
        raise SnapshotError("snapshot was made by another detector, configuration or version")
    try:
        body = zstandard.ZstdDecompressor().decompress(rest[24:], max_output_size=_LARGEST)
    except zstandard.ZstdError as error:
        raise SnapshotError(f"snapshot cannot be unpacked: {error}") from None
    return struct.unpack("<Q", rest[16:24])[0], body


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=16).digest()
