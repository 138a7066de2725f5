"""Real recordings for faults to be put into: air of a city by the hour, an office by the minute, machines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from fault_heard import Calm, Quiet
from fault_runs import Outcome, run_fault
from fault_series import DRIFT, DRIFT_S, FAULT_TYPES, STUCK, Series
from recorded import Recorded, all_recorded

_LEARNED = 0.5  # share of a recording that is learned from before a fault comes
_SECOND = 1_000_000_000
_LONGEST_DAYS = 120  # of a recording; more would teach nothing more


class Kind(NamedTuple):
    """What a column of a recording measures; the range is its sensor's."""

    kind: str
    unit: str
    minimum: float
    maximum: float


_KINDS = {
    "TEMP": Kind("temperature", "Cel", -40.0, 85.0),
    "DEWP": Kind("temperature", "Cel", -60.0, 60.0),
    "PRES": Kind("pressure", "hPa", 300.0, 1100.0),
    "WSPM": Kind("wind", "m/s", 0.0, 75.0),
    "PM2.5": Kind("pm25", "ug/m3", 0.0, 1000.0),
    "O3": Kind("o3", "ug/m3", 0.0, 1000.0),
    "temperature": Kind("temperature", "Cel", -40.0, 85.0),
    "humidity": Kind("humidity", "%RH", 0.0, 100.0),
    "co2": Kind("co2", "ppm", 0.0, 10_000.0),
    "realKnownCause/ambient_temperature_system_failure.csv": Kind("temperature", "[degF]", -40.0, 185.0),
    "realKnownCause/machine_temperature_system_failure.csv": Kind("temperature", "[degF]", -40.0, 300.0),
}
_GROUPS = ("air, hourly", "office, 1 min", "NAB, 5 min to 1 h")


def recorded_outcomes(only: Sequence[str] = ()) -> tuple[list[Outcome], list[Quiet]]:
    """Every fault on every recording that it suits; and what was said of calm days.

    Units and drifts are left out where the recording is too short for them or told in another unit.
    """
    found, quiet = [], []
    for one in all_recorded():
        kind = _KINDS.get(one.name.split()[-1])
        if one.group in _GROUPS and kind is not None:
            outcomes, said = _outcomes_of(one, kind, only)
            found += outcomes
            quiet.append(said)
    return found, quiet


def _outcomes_of(one: Recorded, kind: Kind, only: Sequence[str]) -> tuple[list[Outcome], Quiet]:
    series = _series(one, kind)
    at = int(_LEARNED * len(series.time))
    knows_ns = int(series.time[at])
    calm = Calm(series, int(series.time[0]), knows_ns)
    found = []
    for fault in FAULT_TYPES:
        if (only and fault.name not in only) or not fault.suits(series.nature, series.kind):
            continue
        if fault.name == DRIFT and series.time[-1] - knows_ns < 2 * DRIFT_S * _SECOND:
            continue
        if fault.name == "unit" and kind.unit != "Cel":
            continue
        chance = np.random.default_rng((*fault.name.encode(), *one.name.encode()))
        row = at + int(chance.integers(20, 200))
        if fault.name == STUCK:
            row += int(np.argmax(series.value[row:] != 0.0))
        found.append(run_fault(calm, fault, row, chance, source=one.group, channel=one.name, seed=0))
    return found, calm.quiet(one.name, 0)


def _series(one: Recorded, kind: Kind) -> Series:
    period_s = float(np.median(np.diff(one.time_s)))
    rows = slice(0, round(_LONGEST_DAYS * max(86400.0 / period_s, 24.0)))
    time, first = np.unique(one.time_s[rows], return_index=True)
    return Series(
        kind=kind.kind,
        unit=kind.unit,
        resolution=0.0,
        time=time.astype(np.int64) * _SECOND,
        value=one.value[rows][first],
        minimum=kind.minimum,
        maximum=kind.maximum,
        has_limits=True,
    )
