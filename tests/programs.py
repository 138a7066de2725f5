"""Where the programs are that tests start."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

_SYSTEM_FOLDERS = "/usr/sbin:/usr/local/sbin"


def find_program(name: str) -> str | None:
    """Path of a program on PATH, in .cache/bin or among the system's daemons."""
    cache = Path(__file__).parents[1] / ".cache" / "bin"
    return shutil.which(name, path=f"{cache}:{os.environ.get('PATH', '')}:{_SYSTEM_FOLDERS}")
