"""Room on the disk that is given up for alerts when there is no other."""

from __future__ import annotations

import os
from pathlib import Path

RESERVE_BYTES = 1 << 20  # some hundred alerts


class Reserve:
    """A file that holds nothing but its place."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def is_whole(self) -> bool:
        try:
            return self._path.stat().st_size == RESERVE_BYTES
        except OSError:
            return False

    def make(self) -> None:
        """Take the room; OSError when there is not enough."""
        if self.is_whole:
            return
        handle = os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            os.posix_fallocate(handle, 0, RESERVE_BYTES)
        except OSError:
            self._path.unlink(missing_ok=True)
            raise
        finally:
            os.close(handle)

    def give_up(self) -> bool:
        """Leave the room to others; whether there was any."""
        was_whole = self.is_whole
        self._path.unlink(missing_ok=True)
        return was_whole
