"""actions.jsonl: every switch and every refusal, on disk before it is told anywhere."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from models.wire.messages import ActionNote

log = logging.getLogger(__name__)
_AT_MOST = 1 << 20
_KEPT = 20


class ActionLog:
    """One line a note; at 1 MB the file becomes `.old`, of which there is one."""

    def __init__(self, path: Path) -> None:
        self._path, self._old = path, path.with_suffix(".old")

    def add(self, note: ActionNote) -> None:
        """Durable when it returns."""
        if self._path.exists() and self._path.stat().st_size >= _AT_MOST:
            self._path.replace(self._old)
        line = note.model_dump_json().encode() + b"\n"
        handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(handle, line)
            os.fsync(handle)
        finally:
            os.close(handle)

    def read(self) -> list[ActionNote]:
        """All notes, oldest first; a line torn by a power cut is passed over."""
        notes = []
        for path in (self._old, self._path):
            if not path.exists():
                continue
            for line in path.read_text(errors="replace").splitlines():
                try:
                    notes.append(ActionNote.model_validate(json.loads(line)))
                except (ValueError, ValidationError):
                    log.warning("%s: a line that cannot be read", path.name)
        return notes


def latest(notes: Sequence[ActionNote]) -> tuple[ActionNote, ...]:
    """The last notes, as many as a heartbeat carries."""
    return tuple(notes[-_KEPT:])
