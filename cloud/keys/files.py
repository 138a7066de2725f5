"""Writing secrets and public files so that nobody else reads the first and no reader sees half of either."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

PRIVATE_FOLDER = 0o700
PRIVATE_FILE = 0o600
PUBLIC_FILE = 0o644


def make_private_folder(path: Path) -> Path:
    """Make `path` if it is missing; mode 700 either way."""
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(PRIVATE_FOLDER)
    return path


def write_private(path: Path, data: bytes) -> None:
    """Put `data` in place of `path` in one step, readable by its owner alone (mode 600)."""
    _replace(path, data, PRIVATE_FILE)


def write_public(path: Path, data: bytes) -> None:
    """Put `data` in place of `path` in one step, readable by all who may enter its folder (mode 644)."""
    _replace(path, data, PUBLIC_FILE)


def _replace(path: Path, data: bytes, mode: int) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
