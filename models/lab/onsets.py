"""Onsets: a run of high scores is one happening, and counts where it rises."""

from __future__ import annotations

import numpy as np

from models.compile import kernel
from models.readings import Floats

REST_ROWS = 100


@kernel
def _keep_onsets(score: Floats, rest: int, out: Floats) -> None:
    highest, at = 0.0, -1
    for row in range(score.shape[0]):
        if at >= 0 and row - at > rest:
            highest = 0.0
            at = -1
            for before in range(max(0, row - rest), row):
                if score[before] > highest:
                    highest = score[before]
                    at = before
        out[row] = score[row] if score[row] > highest else 0.0
        if score[row] >= highest:
            highest = score[row]
            at = row


def onsets_of(score: Floats, rest: int = REST_ROWS) -> Floats:
    """Scores float64 (n,), 0 but where they exceed every score of the `rest` rows before; causal.

    >>> onsets_of(np.array([0.1, 0.5, 0.5, 0.3, 0.9]), rest=2)
    array([0.1, 0.5, 0. , 0. , 0.9])
    """
    out = np.empty(len(score))
    _keep_onsets(np.ascontiguousarray(score, dtype=np.float64), rest, out)
    return out
