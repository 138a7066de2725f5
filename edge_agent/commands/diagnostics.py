"""What a person far away asks first. Names and numbers; no setting's value, as one may be a password."""

from __future__ import annotations

import hashlib
import platform
import shutil
import sys
from typing import Any

import models
from edge_agent.settings import Settings
from edge_agent.state import StateFolder
from models.errors import LastmileError

_MOST_FILES = 200


def diagnostics(state: StateFolder, settings: Settings, status: dict[str, Any]) -> dict[str, Any]:
    """The machine, the state folder, the outbox, and what the agent says of itself."""
    disk = shutil.disk_usage(state.root)
    return {
        "version": models.__version__,
        "python": sys.version.split()[0],
        "machine": {"system": platform.platform(), "architecture": platform.machine()},
        "disk_bytes": {"total": disk.total, "free": disk.free},
        "files": _files(state),
        "outbox": _outbox(state),
        "settings": {
            "sha256": hashlib.sha256(state.settings.read_bytes()).hexdigest(),
            "devices": [{"name": one.name, "driver": one.driver} for one in settings.devices],
            "actions": [one.name for one in settings.actions],
        },
        "status": status,
    }


def _files(state: StateFolder) -> dict[str, int]:
    """Size of every file of the state folder, in bytes; the identity's are left out."""
    found: dict[str, int] = {}
    for path in sorted(state.root.rglob("*")):
        if state.identity not in path.parents and path.is_file() and len(found) < _MOST_FILES:
            found[str(path.relative_to(state.root))] = path.stat().st_size
    return found


def _outbox(state: StateFolder) -> object:
    from edge_agent.outbox.inspect import outbox_figures

    try:
        return outbox_figures(state.outbox)
    except LastmileError as wrong:
        return {"problem": str(wrong)}
