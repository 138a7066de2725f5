"""Gather: all that a kernel judges as time passes, however much that is."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from models.detectors.bank import AdvanceScores
from models.readings import Floats, Int64s

ROOM = 64  # judgements a call of a kernel has room for


def gather(judge: Callable[[Int64s, Int64s, Floats], int]) -> AdvanceScores | None:
    """Call `judge` with buffers for places, times and scores until it has nothing more to say.

    It returns how many it wrote. When fewer than two places are left it may stop, to go on where it stopped
    when it is called again.
    """
    parts, found = [], ROOM
    while found >= ROOM - 1:
        slot, at, table = np.empty(ROOM, np.int64), np.empty(ROOM, np.int64), np.empty((5, ROOM))
        found = judge(slot, at, table)
        parts.append((slot[:found], at[:found], table[:, :found]))
    if not found and len(parts) == 1:
        return None
    slots, times, tables = zip(*parts, strict=True)
    return AdvanceScores(np.concatenate(slots), np.concatenate(times), np.concatenate(tables, axis=1))
