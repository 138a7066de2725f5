"""What the monitors know, on disk: one file, replaced as a whole, with the spool position it stands for."""

from __future__ import annotations

import contextlib
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
_BEFORE_UPGRADE = "before-upgrade.snap"
_RING = "ring-"


class MonitorState(msgspec.Struct, frozen=True):
    """One monitor's snapshot."""

    name: str
    state: bytes


class Owed(msgspec.Struct, frozen=True):
    """What is to follow an alert (JSON): its evidence or, from spool position `start` on, what came after.

    `channels`: numbers of the channels whose readings those are.
    """

    alert: str
    start: int = -1
    channels: tuple[int, ...] = ()


class Snapshot(msgspec.Struct, frozen=True):
    """All monitors before the reading at `position` of the spool; `time` is event time up to there.

    `open_alerts`: alerts firing then, as JSON, so that they can be resolved if their monitor goes. `owed`:
    what is still to be sent of alerts. `boot` and `offset`: the clock of the last reading, wall minus
    monotonic time in ns.
    """

    position: int
    time: int
    monitors: tuple[MonitorState, ...]
    open_alerts: tuple[str, ...] = ()
    owed: tuple[Owed, ...] = ()
    boot: str = ""
    offset: int = 0

    def of(self, name: str) -> MonitorState | None:
        return next((monitor for monitor in self.monitors if monitor.name == name), None)


@dataclass(frozen=True, slots=True)
class SnapshotStore:
    """Where snapshots lie."""

    folder: Path

    def save(self, snapshot: Snapshot) -> None:
        self._save(snapshot, _NAME)

    def load(self) -> Snapshot | None:
        """The last one saved; None when there is none or it is damaged (monitors then start fresh).

        While an upgrade is on trial there is one from before it, for when the newer release wrote what this
        one cannot read.
        """
        return self._load(_NAME) or self._load(_BEFORE_UPGRADE)

    def set_aside(self, snapshot: Snapshot) -> None:
        """Keep what the monitors of the last good document know while another is on trial."""
        self._save(snapshot, _ASIDE)

    def load_aside(self) -> Snapshot | None:
        """What was set aside; None when there is none."""
        return self._load(_ASIDE)

    def drop_aside(self) -> None:
        """The trial is over."""
        (self.folder / _ASIDE).unlink(missing_ok=True)

    # ---- the ring: snapshots by position and event time

    def ring(self) -> list[tuple[int, int]]:
        """Position and time of every snapshot of the ring, oldest first."""
        found = []
        for path in self.folder.glob(f"{_RING}*.snap") if self.folder.is_dir() else ():
            try:
                position, time = path.stem.removeprefix(_RING).split("-", 1)
                found.append((int(position, 16), int(time)))
            except ValueError:
                path.unlink(missing_ok=True)
        return sorted(found)

    def put_in_ring(self, snapshot: Snapshot, *, saved: bool) -> None:
        """Keep a snapshot; one just `saved` is not written again. Not durable: it is for evidence."""
        path = self._ring_path(snapshot.position, snapshot.time)
        if saved:
            try:
                path.unlink(missing_ok=True)
                path.hardlink_to(self.folder / _NAME)
                return
            except OSError:
                log.debug("judge: this file system knows no links; a snapshot is written twice")
        self._save(snapshot, path.name, durable=False)

    def from_ring(self, position: int, time: int) -> Snapshot | None:
        """One of the ring; None when it is gone or damaged."""
        return self._load(self._ring_path(position, time).name)

    def rename_in_ring(self, position: int, time: int, new_time: int) -> None:
        """Give one another time."""
        path = self._ring_path(position, time)
        with contextlib.suppress(OSError):
            path.rename(self._ring_path(position, new_time))

    def drop_from_ring(self, position: int, time: int) -> None:
        self._ring_path(position, time).unlink(missing_ok=True)

    def _ring_path(self, position: int, time: int) -> Path:
        return self.folder / f"{_RING}{position:016x}-{time}.snap"

    def _save(self, snapshot: Snapshot, name: str, *, durable: bool = True) -> None:
        packed = msgspec.msgpack.encode(snapshot)
        check = blake2b(packed, digest_size=_DIGEST).digest()
        replace_file(self.folder / name, _MAGIC + check + packed, durable=durable)

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
