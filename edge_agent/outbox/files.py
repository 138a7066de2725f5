"""The files an outbox is made of, and how a damaged one gives way to its successor.

The successor is made whole beside the damaged file and takes its place by renaming, so that a power cut at
any moment leaves one of them to start from.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from pathlib import Path

from edge_agent.outbox import schema
from edge_agent.state import sync_folder

_TAILS = ("-wal", "-shm")


class OutboxFiles:
    """`outbox.db` and what lies beside it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.successor = path.with_name(f"{path.name}.new")
        self.witness = path.with_name(f"{path.name}.witness")
        self.reserve = path.with_name(f"{path.name}.reserve")
        self.log = path.with_name(f"{path.name}-wal")
        # SQLite removes the log when it closes; this second name keeps it until the file was found sound.
        self.kept_log = path.with_name(f"{path.name}.kept-wal")

    @property
    def logs(self) -> list[Path]:
        return [log for log in (self.log, self.kept_log) if log.exists()]

    def tidy(self) -> None:
        """Finish or forget what the last run began; called before the file is opened."""
        if self.successor.exists():
            if self.path.exists():
                self._remove(self.successor)
            else:
                self.successor.replace(self.path)
                sync_folder(self.path.parent)
        self.keep_log()

    def keep_log(self) -> None:
        """Let the write-ahead log outlive the closing of the file."""
        if not self.kept_log.exists() and self.log.exists():
            with contextlib.suppress(OSError):
                os.link(self.log, self.kept_log)

    def is_sound(self) -> None:
        """The file was opened and checked."""
        self.kept_log.unlink(missing_ok=True)

    def begin_successor(self) -> sqlite3.Connection:
        """An empty file beside; not yet durable, so quick to fill."""
        self._remove(self.successor)
        return schema.open_draft(self.successor)

    def succeed(self, suffix: str) -> Path:
        """The successor takes the place; where the damaged file was put. An older damaged one is removed."""
        for old in self.path.parent.glob(f"{self.path.name}.damaged-*"):
            old.unlink(missing_ok=True)
        with self.successor.open("rb") as file:
            os.fsync(file.fileno())
        aside = self.path.with_name(f"{self.path.name}.damaged-{suffix}")
        kept = self.kept_log if self.kept_log.exists() else self.log
        _move(kept, Path(f"{aside}-wal"))
        for tail in _TAILS:
            Path(f"{self.path}{tail}").unlink(missing_ok=True)
        _move(self.path, aside)
        self.successor.replace(self.path)
        sync_folder(self.path.parent)
        return aside

    def _remove(self, path: Path) -> None:
        for name in (path, *(Path(f"{path}{tail}") for tail in _TAILS)):
            name.unlink(missing_ok=True)


def _move(source: Path, target: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        source.replace(target)
