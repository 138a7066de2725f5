"""Values of telemetry told within a stated error, where a channel asks for it; times and flags as they are.

Midrange of the longest run (Lazaridis and Mehrotra, ICDE 2003): readings in a row whose spread is at most
twice the error are told by one value between them, so that the columns on the wire hold long runs of nothing
new. No smaller number of constant runs keeps within that error.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from models.configuration import ThinConfig
from models.readings import NOT_BELIEVED, Floats, Quality, ReadingBlock, round_to_resolution

_ROUNDING = 1e-13  # 20.3 lies within 0.1 of 20.2, though not as float64 has it


def thin_block(block: ReadingBlock, thin: Mapping[int, ThinConfig], resolution: Floats) -> ReadingBlock:
    """The block with the values of the channels in `thin` told within their error, and marked.

    Each block stands by itself. What is not believed is left as it is. `resolution`: step of channel number i
    at [i], 0 or beyond it: none; what is told is a whole step where the measured values are.

    >>> block = ReadingBlock.of([1] * 4, [0, 10, 20, 30], [20.1, 20.3, 20.2, 25.0])
    >>> told = thin_block(block, {1: ThinConfig(error=0.1)}, np.array([0.0, 0.1]))
    >>> told.value.tolist(), told.quality.tolist()
    ([20.2, 20.2, 20.2, 25.0], [128, 128, 128, 128])
    """
    if not thin or not bool(np.isin(block.channel, list(thin)).any()):
        return block
    value, quality = block.value.copy(), block.quality.copy()
    believed = ((quality & int(NOT_BELIEVED)) == 0) & np.isfinite(value)
    for number, config in thin.items():
        rows = np.flatnonzero((block.channel == number) & believed)
        step = float(resolution[number]) if number < len(resolution) else 0.0
        value[rows] = midranges(value[rows], config.error, step)
        quality[rows] |= np.uint8(Quality.THINNED)
    return replace(block, value=value, quality=quality)


def midranges(value: Floats, error: float, step: float) -> Floats:
    """Each finite value by that of its run, none further away than `error`.

    >>> midranges(np.array([1.0, 2.0, 3.0, 3.5]), error=1.0, step=0.0).tolist()
    [2.0, 2.0, 2.0, 3.5]
    """
    told = np.empty_like(value)
    begin, low, high, middle = 0, math.inf, -math.inf, 0.0
    for row, now in enumerate(value.tolist()):
        least, most = min(low, now), max(high, now)
        wider = _between(least, most, error, step)
        if wider is None:
            told[begin:row] = middle
            begin, least, most = row, now, now
            wider = now
        low, high, middle = least, most, wider
    told[begin:] = middle
    return told


def _between(low: float, high: float, error: float, step: float) -> float | None:
    """A value within `error` of both, on a whole step; None where there is none."""
    if low == high:
        return low
    middle = low + (high - low) / 2
    if step > 0:
        middle = float(round_to_resolution(np.array([middle]), step)[0])
    bound = error + _ROUNDING * (abs(low) + abs(high))
    return middle if high - middle <= bound and middle - low <= bound else None
