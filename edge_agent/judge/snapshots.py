"""What the monitors know, on disk: one file, replaced as a whole, with the spool position it stands for."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import msgspec

from edge_agent.state import replace_file

log = logging.getLogger(__name__)
_MAGIC = b"LMJ1"
_DIGEST = 16
_NAME = "monitors.snap"
_ASIDE = "before-trial.snap"


class MonitorState(msgspec.Struct, frozen=True):
    """One monitor's snapshot."""

    name: str
    state: bytes


class Snapshot(msgspec.Struct, frozen=True):
    """All monitors before the reading at `position` of the spool; `time` is event time up to there.

    `open_alerts`: alerts firing then, as JSON, so that they can be resolved if their monitor goes.
    """

    position: int
    time: int
    monitors: tuple[MonitorState, ...]
    open_alerts: tuple[str, ...] = ()

    def of(self, name: str) -> MonitorState | None:
        return next((monitor for monitor in self.monitors if monitor.name == name), None)


@dataclass(frozen=True, slots=True)
class SnapshotStore:
    """Where snapshots lie."""

    folder: Path

    def save(self, snapshot: Snapshot) -> None:
        self._save(snapshot, _NAME)

    def load(self) -> Snapshot | None:
        """The last one saved; None when there is none or it is damaged (monitors then start fresh)."""
        return self._load(_NAME)

    def set_aside(self, snapshot: Snapshot) -> None:
        """Keep what the monitors of the last good document know while another is on trial."""
        self._save(snapshot, _ASIDE)

    def load_aside(self) -> Snapshot | None:
        """What was set aside; None when there is none."""
        return self._load(_ASIDE)

    def drop_aside(self) -> None:
        """The trial is over."""
        (self.folder / _ASIDE).unlink(missing_ok=True)

    def _save(self, snapshot: Snapshot, name: str) -> None:
        packed = msgspec.msgpack.encode(snapshot)
        check = blake2b(packed, digest_size=_DIGEST).digest()
        replace_file(self.folder / name, _MAGIC + check + packed)

    def _load(self, name: str) -> Snapshot | None:
        path = self.folder / name
        try:
            raw = path.read_bytes()
        except FileNotFoundError:
            return None
        packed = raw[len(_MAGIC) + _DIGEST :]
        sound = raw[: len(_MAGIC)] == _MAGIC
        if not sound or raw[len(_MAGIC) :][:_DIGEST] != blake2b(packed, digest_size=_DIGEST).digest():
            log.error("judge: %s is damaged; monitors start fresh", path.name)
            return None
        try:
            return msgspec.msgpack.decode(packed, type=Snapshot)
        except msgspec.DecodeError as wrong:
            log.error("judge: %s cannot be read (%s); monitors start fresh", path.name, wrong)
            return None
