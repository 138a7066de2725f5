"""How far the outbox had come, in a file of its own that does not age with it.

A write-ahead log that loses its end leaves a sound file that is older than what was sent: numbers would be
given twice and readings cut twice. The witness is written after every commit and never waited for, so after
a power cut it may be behind the outbox, but it is never ahead unless the outbox went back in time.
"""

from __future__ import annotations

import json
import os
import zlib
from dataclasses import dataclass
from pathlib import Path

from edge_agent.outbox.rows import SpoolMark
from edge_agent.outbox.settled import Ranges
from models.identity import Stream

_MAGIC = b"LMW1"
_SLOT_BYTES = 1 << 16
_HEAD_BYTES = 16


@dataclass(frozen=True, slots=True)
class Testimony:
    """What a commit left: numbers given, numbers settled, how far the spool was cut."""

    epoch: int
    assigned: dict[Stream, int]
    settled: dict[Stream, Ranges]
    mark: SpoolMark


class Witness:
    """Two slots in one file, written in turn, so that one of them is always whole."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._turn = 0
        self._said = b""

    def read(self) -> Testimony | None:
        """The last whole testimony; None when there is none."""
        try:
            raw = self._path.read_bytes()
        except OSError:
            return None
        slots = [_slot(raw[at : at + _SLOT_BYTES]) for at in (0, _SLOT_BYTES)]
        found = [slot for slot in slots if slot is not None]
        if not found:
            return None
        turn, said = max(found)
        self._turn = turn
        try:
            return _testimony(json.loads(said))
        except (ValueError, KeyError, TypeError):
            return None

    def write(self, testimony: Testimony) -> None:
        """Say it; a testimony too long for its slot, or a disk that refuses, leaves the last one."""
        said = json.dumps(_told(testimony), separators=(",", ":")).encode()
        if said == self._said or len(said) > _SLOT_BYTES - _HEAD_BYTES:
            return
        turn = self._turn + 1
        head = turn.to_bytes(4, "big") + len(said).to_bytes(4, "big")
        check = zlib.crc32(head + said).to_bytes(4, "big")
        try:
            handle = os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o600)
            try:
                os.pwrite(handle, _MAGIC + head + check + said, (turn % 2) * _SLOT_BYTES)
            finally:
                os.close(handle)
        except OSError:
            return
        self._turn, self._said = turn, said


def _slot(raw: bytes) -> tuple[int, bytes] | None:
    if raw[:4] != _MAGIC:
        return None
    head, check, size = raw[4:12], raw[12:16], int.from_bytes(raw[8:12], "big")
    said = raw[_HEAD_BYTES : _HEAD_BYTES + size]
    if len(said) != size or zlib.crc32(head + said).to_bytes(4, "big") != check:
        return None
    return int.from_bytes(head[:4], "big"), said


def _told(testimony: Testimony) -> dict[str, object]:
    mark = testimony.mark
    return {
        "epoch": testimony.epoch,
        "assigned": {stream.name: testimony.assigned[stream] for stream in Stream},
        "settled": {stream.name: testimony.settled[stream] for stream in Stream},
        "mark": mark.told(),
    }


def _testimony(told: dict[str, dict[str, object]]) -> Testimony:
    ranges = {s: tuple((int(a), int(b)) for a, b in told["settled"][s.name]) for s in Stream}  # type: ignore[attr-defined]
    return Testimony(
        int(told["epoch"]),  # type: ignore[call-overload]
        {s: int(told["assigned"][s.name]) for s in Stream},  # type: ignore[call-overload]
        ranges,
        SpoolMark.of(told["mark"]),
    )
