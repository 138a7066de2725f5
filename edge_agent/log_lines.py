"""How log lines are written: for people on a terminal, or for the journal, which has time and rank itself."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from typing import TextIO

_PLAIN = "%(asctime)s %(levelname)s %(name)s: %(message)s"
# sd-daemon(3): the journal takes a number in angle brackets for the rank of a line.
_RANKS = (
    (logging.CRITICAL, 2),
    (logging.ERROR, 3),
    (logging.WARNING, 4),
    (logging.INFO, 6),
    (logging.DEBUG, 7),
)


class JournalFormatter(logging.Formatter):
    """`<4>edge_agent.judge: words`; each line of a traceback has the rank too, or the journal splits them."""

    def __init__(self) -> None:
        super().__init__("%(name)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        rank = next((rank for level, rank in _RANKS if record.levelno >= level), 7)
        return "\n".join(f"<{rank}>{line}" for line in super().format(record).splitlines())


def set_up(stream: TextIO, environment: Mapping[str, str], *, verbose: bool) -> None:
    """Log to `stream`; without times, with ranks, where that is the journal."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JournalFormatter() if is_journal(stream, environment) else logging.Formatter(_PLAIN))
    logging.basicConfig(level=logging.DEBUG if verbose else logging.INFO, handlers=[handler])


def is_journal(stream: TextIO, environment: Mapping[str, str]) -> bool:
    """Whether $JOURNAL_STREAM, `device:inode`, is this very stream (systemd.exec(5))."""
    try:
        is_of = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return environment.get("JOURNAL_STREAM", "") == f"{is_of.st_dev}:{is_of.st_ino}"
