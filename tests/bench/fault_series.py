"""Twelve faults of equipment, put into a calm series of one channel."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from models.detectors.fusion.views import view_of
from models.detectors.plausibility.natures import LIVELY, NEVER_ZERO, STATE, UPWARD, nature_of
from models.readings import Quality

Floats = np.ndarray
HOUR = 3600.0
STUCK, DRIFT = "stuck", "drift"
BEYOND = "out of range"  # needs a site that has set what is possible


@dataclass(frozen=True)
class Series:
    """One channel's readings. `minimum` and `maximum` are the sensor's; a site may have set them, or not."""

    kind: str
    unit: str
    resolution: float
    time: np.ndarray  # int64, ns
    value: Floats
    minimum: float = -np.inf
    maximum: float = np.inf
    has_limits: bool = False

    @property
    def nature(self) -> int:
        return nature_of(self.kind)

    def quality(self) -> np.ndarray:
        """As the sampler tells it."""
        quality = np.zeros(len(self.value), np.uint8)
        quality[~np.isfinite(self.value)] |= np.uint8(Quality.INVALID)
        if self.has_limits:
            beyond = (self.value < self.minimum) | (self.value > self.maximum)
            quality[beyond] |= np.uint8(Quality.OUT_OF_RANGE)
        return quality


class FaultType(NamedTuple):
    """`codes`: what a maintenance alert may rightly say; `lasts_s` 0: one reading.

    `spoil` takes the series, the rows of the fault and chance, and gives the values told in those rows, none
    where nothing is told at all.
    """

    name: str
    codes: tuple[str, ...]
    lasts_s: float
    suits: Callable[[int, str], bool]  # nature, kind
    spoil: Callable[[Series, np.ndarray, np.random.Generator], Floats | None]


# A large step of a quantity in its own unit; what is not listed goes by its own range.
_LARGE = {
    ("temperature", "Cel"): 8.0,
    ("humidity", "%RH"): 20.0,
    ("co2", "ppm"): 500.0,
    ("smoke", "%/m"): 3.0,
    ("co", "ppm"): 30.0,
    ("gas", "%LEL"): 15.0,
    ("pressure", "bar"): 1.0,
    ("water_level", "cm"): 30.0,
}
DRIFT_S = 14 * 86400.0  # in which a drift comes to matter


def large_step(series: Series) -> float:
    """A step no spike would be smaller than."""
    own = 1.5 * float(np.ptp(series.value))
    return max(_LARGE.get((series.kind, series.unit), own), series.resolution)


def matters(series: Series) -> float:
    """A change of this size matters to somebody."""
    return view_of(series.kind, series.unit).floor or 0.5 * float(np.ptp(series.value))


def _jump(series: Series, chance: np.random.Generator) -> float:
    """How far interference throws a reading: 2 to 5 large steps, or a third of the scale and more.

    A lively channel's own excursions may be as high as any step of its kind; there it is the scale alone.
    """
    up = series.nature & UPWARD or series.minimum >= 0.0 or chance.random() < 0.5
    height = chance.uniform(2.0, 5.0) * large_step(series)
    if series.nature & LIVELY:
        height = chance.uniform(0.33, 1.0) * (series.maximum - series.minimum)
    return height if up else -height


def _told(series: Series, values: Floats) -> Floats:
    """In whole steps of the resolution."""
    if series.resolution <= 0.0:
        return values
    return np.round(np.rint(values / series.resolution) * series.resolution, 9)


def _spike(series: Series, rows: np.ndarray, chance: np.random.Generator) -> Floats:
    return _told(series, series.value[rows] + _jump(series, chance))


def _burst(series: Series, rows: np.ndarray, chance: np.random.Generator) -> Floats:
    every = np.arange(len(rows)) % 5 == 0
    return _told(series, series.value[rows] + np.where(every, _jump(series, chance), 0.0))


def _loose(series: Series, rows: np.ndarray, chance: np.random.Generator) -> Floats:
    n, height = len(rows), abs(_jump(series, chance))
    jumps = np.where(chance.random(n) < 0.5, chance.uniform(-1.0, 1.0, n) * height, 0.0)
    return _told(series, np.clip(series.value[rows] + jumps, series.minimum, series.maximum))


def _zero(series: Series, rows: np.ndarray, chance: np.random.Generator) -> Floats:
    return np.zeros(len(rows))


def _sentinel(series: Series, rows: np.ndarray, chance: np.random.Generator) -> Floats:
    known = (-127.0, 85.0) if series.unit == "Cel" else (65535.0, -999.0, 6553.5)
    return np.full(len(rows), chance.choice(known))


def _no_number(series: Series, rows: np.ndarray, chance: np.random.Generator) -> Floats:
    return np.full(len(rows), np.nan)


def _range(series: Series, rows: np.ndarray, chance: np.random.Generator) -> Floats:
    beyond = series.maximum + (0.5 + chance.random()) * (series.maximum - series.minimum)
    return _told(series, beyond + series.resolution * chance.integers(0, 5, len(rows)))


def _unit(series: Series, rows: np.ndarray, chance: np.random.Generator) -> Floats:
    value = series.value[rows]
    if series.kind == "temperature":
        return _told(series, value * 1.8 + 32.0 if chance.random() < 0.7 else value + 273.15)
    return _told(series, value * (14.503774 if chance.random() < 0.7 else 100.0))  # psi, kPa


def _factor(series: Series, rows: np.ndarray, chance: np.random.Generator) -> Floats:
    down = series.nature & UPWARD or chance.random() < 0.5
    return _told(series, series.value[rows] * (0.1 if down else 10.0))


def _stuck(series: Series, rows: np.ndarray, chance: np.random.Generator) -> Floats:
    return np.full(len(rows), series.value[rows[0]])


def _silent(series: Series, rows: np.ndarray, chance: np.random.Generator) -> None:
    return None


def _drift(series: Series, rows: np.ndarray, chance: np.random.Generator) -> Floats:
    since_s = (series.time[rows] - series.time[rows[0]]) * 1e-9
    way = 1.0 if series.nature & UPWARD or chance.random() < 0.5 else -1.0
    return _told(series, series.value[rows] + way * matters(series) * since_s / DRIFT_S)


def _any(nature: int, kind: str) -> bool:
    return True


def _measured(nature: int, kind: str) -> bool:
    return not nature & STATE


def _steady(nature: int, kind: str) -> bool:
    return not nature & (STATE | LIVELY)


FAULT_TYPES: tuple[FaultType, ...] = (
    FaultType("spike", ("spike", "out_of_range"), 0.0, _measured, _spike),
    FaultType("spikes", ("spike", "erratic", "out_of_range"), 2 * HOUR, _measured, _burst),
    FaultType("loose contact", ("erratic", "spike", "out_of_range"), 2 * HOUR, _measured, _loose),
    FaultType("zero", ("dropout",), 2 * HOUR, lambda nature, _: bool(nature & NEVER_ZERO), _zero),
    FaultType("sentinel", ("dropout",), 2 * HOUR, _any, _sentinel),
    FaultType("no number", ("dropout",), 2 * HOUR, _any, _no_number),
    FaultType(BEYOND, ("out_of_range",), 2 * HOUR, _any, _range),
    FaultType("unit", ("unit_jump",), 6 * HOUR, lambda _, kind: kind in ("temperature", "pressure"), _unit),
    FaultType(
        "factor",
        ("unit_jump",),
        6 * HOUR,
        lambda _, kind: kind in ("temperature", "humidity", "co2", "pressure", "water_level"),
        _factor,
    ),
    FaultType(STUCK, ("stuck",), 12 * HOUR, _measured, _stuck),
    FaultType("silent", ("silent",), 2 * HOUR, _any, _silent),
    FaultType(DRIFT, ("drift",), DRIFT_S, _steady, _drift),
)


def spoilt(
    series: Series, fault: FaultType, at: int, least_ns: float, chance: np.random.Generator
) -> tuple[Series, int]:
    """The series with the fault from row `at` on, and the time of its last row, ns.

    What is not over at once lasts `least_ns` at least, for channels that speak seldom.
    """
    began = int(series.time[at])
    if fault.lasts_s == 0.0:
        rows = np.array([at])
    else:
        until = began + max(fault.lasts_s * 1e9, least_ns)
        rows = np.flatnonzero((series.time >= began) & (series.time < until))
    values = fault.spoil(series, rows, chance)
    over = int(series.time[rows[-1]])
    if values is None:
        kept = np.delete(np.arange(len(series.time)), rows)
        return dataclasses.replace(series, time=series.time[kept], value=series.value[kept]), over
    told = series.value.copy()
    told[rows] = values
    return dataclasses.replace(series, value=told, has_limits=series.has_limits or fault.name == BEYOND), over
