"""Blend: the parts' surprises become one evidence, and the evidence a calibrated surprise.

The evidence is the parts' mean, 0..9.9. How rare it is comes from this channel's own readings, begun with
what channels in general do as if so many readings had been seen before (Robbins 1956, empirical Bayes): a
young channel is judged by the many, an old one by itself.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from models.compile import kernel
from models.detectors.fusion.record import CELLS

CAP = 9.9
WIDTH = 0.125
LENT = 10_000.0  # readings lent by channels in general
FADES = 15_000.0  # own readings that take all but a third of it back
MEMORY = 50_000.0  # readings
START, SLOPE = 0.3, 1.2  # of readings in general one in 10^(start + slope x) has more evidence than x
_SOON = 0.25
_LN10 = math.log(10.0)
_PER_WIDTH = 1.0 / WIDTH


@kernel
def share_in_general(evidence: float) -> float:
    """Share of readings of channels in general with more evidence."""
    start = START * min(1.0, evidence / _SOON)
    return float(math.exp(-_LN10 * (start + SLOPE * evidence)))


@kernel
def surprise_of_evidence(blend: Any, evidence: float) -> float:
    """-log10 of the share of readings with more evidence, 0..9.9."""
    at = evidence * _PER_WIDTH
    place = min(CELLS - 1, int(at))
    low = np.float64(blend.rarity[place])
    return float(min(CAP, low + min(1.0, at - place) * (np.float64(blend.rarity[place + 1]) - low)))


@kernel
def learn_evidence(blend: Any, evidence: float, weight: float) -> None:
    """Count one reading, for as much as it is believed; settle when an eighth has been added."""
    blend.cells[min(CELLS - 1, int(evidence * _PER_WIDTH))] += np.float32(weight)
    blend.fresh += np.float32(1.0)
    if blend.fresh >= blend.due:
        settle_blend(blend)


@kernel
def settle_blend(blend: Any) -> None:
    """Forget, then work out the surprise at every cell's lower edge."""
    total = 0.0
    kept = math.exp(-np.float64(blend.fresh) / MEMORY)
    for k in range(CELLS):
        blend.cells[k] = np.float32(np.float64(blend.cells[k]) * kept)
        total += np.float64(blend.cells[k])
    blend.fresh = np.float32(0.0)
    blend.due = np.float32(max(16.0, min(512.0, total * 0.125)))
    blend.known = np.float32(math.log(total + 1.0) / _LN10)
    lent = LENT * math.exp(-total / FADES)
    tail = 0.0
    for k in range(CELLS, -1, -1):
        if k < CELLS:
            tail += np.float64(blend.cells[k])
        share = (tail + lent * share_in_general(k * WIDTH)) / (total + lent)
        blend.rarity[k] = np.float32(min(CAP, -math.log(share) / _LN10)) if share > 0.0 else np.float32(CAP)
    blend.rarity[0] = np.float32(0.0)
