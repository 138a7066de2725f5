"""The gateway's state folder: what lies where, and how a file is replaced."""

from __future__ import annotations

import fcntl
import os
from dataclasses import dataclass
from pathlib import Path

from models.errors import LastmileError


class StateBusyError(LastmileError):
    """Another lastmile-edge works on this state folder."""


@dataclass(frozen=True, slots=True)
class StateFolder:
    """Paths inside `--state DIR`."""

    root: Path

    @property
    def settings(self) -> Path:
        return self.root / "gateway.toml"

    @property
    def identity(self) -> Path:
        return self.root / "identity"

    @property
    def key(self) -> Path:
        return self.identity / "gateway.key"

    @property
    def certificate(self) -> Path:
        return self.identity / "gateway.crt"

    @property
    def ca(self) -> Path:
        return self.identity / "ca.crt"

    @property
    def signing_key(self) -> Path:
        return self.identity / "signing.pub"

    @property
    def next_signing_key(self) -> Path:
        return self.identity / "signing.next.pub"

    @property
    def outbox(self) -> Path:
        return self.root / "outbox.db"

    @property
    def spool(self) -> Path:
        return self.root / "spool"

    @property
    def snapshots(self) -> Path:
        return self.root / "snapshots"

    @property
    def channels(self) -> Path:
        return self.root / "channels.json"

    @property
    def desired(self) -> Path:
        return self.root / "desired.json"

    @property
    def trial(self) -> Path:
        return self.root / "trial.json"

    @property
    def watchdog(self) -> Path:
        return self.root / "watchdog.json"

    @property
    def actions(self) -> Path:
        return self.root / "actions.jsonl"

    @property
    def test_wish(self) -> Path:
        return self.root / "test-action"

    @property
    def clock(self) -> Path:
        return self.root / "clock.json"

    @property
    def commands(self) -> Path:
        return self.root / "commands.json"

    @property
    def status(self) -> Path:
        return self.root / "status.json"

    def make(self) -> None:
        """Make the folder, private to its owner."""
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)

    def lock(self) -> StateLock:
        """Hold the folder for this process; StateBusyError when another one does."""
        return StateLock(self.root / "lock")


class StateLock:
    """An advisory lock that the kernel drops with the process, however it ends."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a+")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as busy:
            self._file.close()
            raise StateBusyError(
                f"{path.parent} is in use by another lastmile-edge; stop it first (systemctl stop, or Ctrl-C)"
            ) from busy

    def release(self) -> None:
        self._file.close()

    def __enter__(self) -> StateLock:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def replace_file(path: Path, content: bytes, *, mode: int = 0o600, durable: bool = True) -> None:
    """Write `content` beside `path` and rename over it: a reader sees the old file or the new one.

    `durable` waits for the disk, for what a power cut must not take.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.new")
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        beside.replace(path)
    except OSError:
        beside.unlink(missing_ok=True)
        raise
    if durable:
        sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Make names created, renamed or removed in `path` survive a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
