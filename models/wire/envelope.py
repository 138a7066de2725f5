"""The fixed prefix round every message that must be stored once: read without touching the body.

    offset size  field (big-endian)
    0      2     magic, "LM"
    2      1     version of the envelope, 1
    3      1     kind of the body
    4      1     stream: 1 urgent, 2 bulk
    5      1     length of the gateway's name, 1..63
    6      2     reserved, 0
    8      8     epoch, unsigned
    16     8     sequence, unsigned, from 1
    24     8     sent_at: ns UTC, fixed when the bytes were first made
    32     16    digest: BLAKE2b-128 over all other bytes of the message, in order
    48     n     gateway's name, ASCII
    48+n   ...   body

The digest is over everything, so one flipped bit anywhere is seen, and the same identity with other bytes
is told from a duplicate.
"""

from __future__ import annotations

import enum
import hashlib
import struct
from dataclasses import dataclass

from models.errors import EnvelopeError, VersionError
from models.identity import MessageIdentity, Stream, is_name

MAGIC = b"LM"
VERSION = 1
MAX_MESSAGE_BYTES = 1 << 20
_HEAD = struct.Struct(">2sBBBBHQQq")
_DIGEST_BYTES = 16
_PREFIX_BYTES = _HEAD.size + _DIGEST_BYTES


class Kind(enum.IntEnum):
    """What the body is. Numbers are never given a second meaning."""

    TELEMETRY = 1  # columns, see docs/wire/columns.md
    CHANNELS = 2  # JSON ChannelTable
    ALERT = 3  # JSON Alert
    EVIDENCE = 4  # JSON Evidence
    GAP = 5  # JSON GapRecord
    OUTAGE = 6  # JSON OutageRecord
    RESULT = 7  # JSON CommandResult
    CLOCK = 8  # JSON ClockRecord
    AFTERMATH = 9  # JSON Aftermath
    CARRIED = 10  # a whole message of an earlier epoch, with the identity it had


@dataclass(frozen=True, slots=True)
class Envelope:
    """A message with its identity. `digest` is 16 bytes."""

    identity: MessageIdentity
    kind: int
    sent_at: int
    digest: bytes
    body: bytes


def seal(identity: MessageIdentity, kind: Kind, sent_at: int, body: bytes) -> bytes:
    """The exact bytes of a message; the same arguments give the same bytes for ever.

    >>> raw = seal(MessageIdentity("gw-1", 1, Stream.BULK, 1), Kind.TELEMETRY, 0, b"body")
    >>> open_envelope(raw).body
    b'body'
    """
    name = identity.gateway.encode("ascii")
    head = _HEAD.pack(
        MAGIC, VERSION, kind, identity.stream, len(name), 0, identity.epoch, identity.sequence, sent_at
    )
    return b"".join((head, _digest(head, name, body), name, body))


def open_envelope(raw: bytes) -> Envelope:
    """Read a message's prefix and check its digest.

    EnvelopeError: `short`, `magic`, `name`, `stream`, `sequence`, `size` or `digest`; VersionError `version`.
    The body's kind is not judged here: an unknown kind still has an identity.
    """
    if len(raw) > MAX_MESSAGE_BYTES:
        raise EnvelopeError("size", f"{len(raw)} bytes, at most {MAX_MESSAGE_BYTES} are taken")
    if len(raw) < _PREFIX_BYTES + 1:
        raise EnvelopeError("short", f"{len(raw)} bytes are no message")
    magic, version, kind, stream, size, _, epoch, sequence, sent_at = _HEAD.unpack_from(raw)
    if magic != MAGIC:
        raise EnvelopeError("magic", "does not begin with LM")
    if version != VERSION:
        raise VersionError("version", f"envelope version {version}, this program speaks {VERSION}")
    digest = raw[_HEAD.size : _PREFIX_BYTES]
    name, body = raw[_PREFIX_BYTES : _PREFIX_BYTES + size], raw[_PREFIX_BYTES + size :]
    if digest != _digest(raw[: _HEAD.size], name, body):
        raise EnvelopeError("digest", "bytes were changed on the way")
    gateway = name.decode("ascii", "replace")
    if len(name) != size or not is_name(gateway):
        raise EnvelopeError("name", f"not a gateway's name: {gateway[:80]!r}")
    if stream not in (Stream.URGENT, Stream.BULK):
        raise EnvelopeError("stream", f"unknown stream {stream}")
    # Stored as signed 64-bit by the databases; a gateway never comes near either bound.
    if not (1 <= sequence < 1 << 63 and epoch < 1 << 63):
        raise EnvelopeError("sequence", "epoch or sequence out of range")
    return Envelope(MessageIdentity(gateway, epoch, Stream(stream), sequence), kind, sent_at, digest, body)


def _digest(head: bytes, name: bytes, body: bytes) -> bytes:
    digest = hashlib.blake2b(head, digest_size=_DIGEST_BYTES)
    digest.update(name)
    digest.update(body)
    return digest.digest()
