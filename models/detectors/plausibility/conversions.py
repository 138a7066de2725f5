"""Mistaken units: how a channel's level jumps when its sensor begins to tell another unit."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from models.compile import kernel
from models.detectors.plausibility.natures import FLOW, PRESSURE, TEMPERATURE


class Conversion(NamedTuple):
    """What is told becomes factor * value + offset. `nature` 0: any quantity; the page words `name`."""

    name: str
    factor: float
    offset: float = 0.0
    nature: int = 0


# Number 0 stands for none, so that a state of zeros has no mistaken unit.
CONVERSIONS: tuple[Conversion, ...] = (
    Conversion("none", 1.0),
    Conversion("fahrenheit", 1.8, 32.0, TEMPERATURE),
    Conversion("celsius", 1.0 / 1.8, -32.0 / 1.8, TEMPERATURE),
    Conversion("kelvin", 1.0, 273.15, TEMPERATURE),
    Conversion("celsius", 1.0, -273.15, TEMPERATURE),
    Conversion("times", 10.0),
    Conversion("times", 100.0),
    Conversion("times", 1000.0),
    Conversion("times", 0.1),
    Conversion("times", 0.01),
    Conversion("times", 0.001),
    Conversion("per_minute", 60.0, 0.0, FLOW),
    Conversion("per_second", 1.0 / 60.0, 0.0, FLOW),
    Conversion("psi", 14.503774, 0.0, PRESSURE),
    Conversion("bar", 1.0 / 14.503774, 0.0, PRESSURE),
    Conversion("hectopascal", 10_000.0, 0.0, PRESSURE),
    Conversion("pascal", 100_000.0, 0.0, PRESSURE),
)
_FACTORS = np.array([one.factor for one in CONVERSIONS])
_OFFSETS = np.array([one.offset for one in CONVERSIONS])
_NATURES = np.array([one.nature for one in CONVERSIONS])
# The channel's usual distance must be smaller than this share of the jump, or chance would fit: a tenth for
# factors, which fit any quantity, a fifth for the units of one.
_CLEAR = np.where(_NATURES == 0, 0.1, 0.2)


@kernel
def converted_back(number: int, value: float) -> float:
    """The value in the channel's own unit, if it was told by conversion `number`."""
    return float((value - _OFFSETS[number]) / _FACTORS[number])


@kernel
def conversion_of(level: float, value: float, tolerance: float, nature: int) -> int:
    """Number of the conversion that best makes `value` out of `level` within `tolerance`; 0 when none does.

    `tolerance` is in the channel's own unit, before the conversion. A shrinking factor crowds all values
    together, so there the match must hold in the new unit too.
    """
    best, found = np.inf, 0
    jump = abs(value - level)
    for number in range(1, _FACTORS.shape[0]):
        if _NATURES[number] and not _NATURES[number] & nature:
            continue
        away = abs(converted_back(number, value) - level)
        told = tolerance * _FACTORS[number]
        size = max(abs(level), abs(_OFFSETS[number]))
        is_clear = told <= _CLEAR[number] * jump and tolerance <= 2.0 * _CLEAR[number] * size
        if is_clear and away <= tolerance and away < best:
            best, found = away, number
    return found
