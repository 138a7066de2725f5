"""One fault on one channel: what the monitors of a site say of it, and what it does to their scores.

The same readings are judged twice, with the fault and without. Whatever differs is the fault's doing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from fault_heard import MINUTE_NS, Calm, Heard, Judged, Known
from fault_series import FaultType, Series, matters, spoilt

from models.alert import Alert, AlertKind, AlertState
from models.detectors.fusion.views import view_of
from models.detectors.plausibility.natures import RESTS_AT_ZERO
from models.readings import Quality, ReadingBlock

WITHIN = 0.05  # of the scale's 10 for a reading, of its own size for a probe
STILL_SEES = 3.0  # a probe must score so much without the fault


@dataclass(frozen=True)
class Back:
    """The default at one pace, from an hour after the fault on, with it and without.

    `mean`: of the absolute differences of a day's scores; `usual`: of the scores without the fault; `apart`:
    share of the day's readings whose scores differ by more than 5 % of the scale; `probe`: what the same
    unusual reading would score four hours after the fault with it and without, 0 when none scored 3.
    """

    monitor: str
    mean: float
    usual: float
    apart: float
    probe: tuple[float, float]

    @property
    def is_back(self) -> bool:
        """99 readings of 100 score within 5 % of the scale."""
        return self.apart <= 0.01

    @property
    def answers(self) -> bool:
        """The unusual reading scores within 5 % of what it would have."""
        spoilt_probe, clean_probe = self.probe
        return abs(spoilt_probe - clean_probe) <= WITHIN * clean_probe


@dataclass(frozen=True)
class Outcome:
    """`periods` from the first faulty reading to the first maintenance alert, infinite when there was none.

    `longest`: periods of the longest rest in calm; `code`: what the first alert said; `maintenance`: how
    many alerts there were; `hazards`: monitors that took the fault for a hazard.
    """

    fault: str
    source: str
    kind: str
    channel: str
    seed: int
    periods: float
    longest: float
    code: str
    maintenance: int
    hazards: tuple[str, ...]
    back: tuple[Back, ...]


def run_fault(
    calm: Calm,
    fault: FaultType,
    at: int,
    chance: np.random.Generator,
    *,
    source: str,
    channel: str,
    seed: int,
) -> Outcome:
    """Judge the fault that begins at row `at`."""
    series = calm.series
    longest = longest_rest(series, at)
    bad, over_ns = spoilt(series, fault, at, calm.lasts_ns(fault, longest), chance)
    clean, spoiled = calm.heard(over_ns), calm.spoilt(bad, over_ns)
    began = int(series.time[at - 1] if fault.name == "silent" else series.time[at])
    alike_ns = max(10 * MINUTE_NS, 2.0 * calm.period_ns)
    fired = _new_alerts(spoiled.judged.alerts, clean.judged.alerts, began, alike_ns)
    told = [alert for alert in fired if alert.kind == AlertKind.MAINTENANCE]
    return Outcome(
        fault=fault.name,
        source=source,
        kind=series.kind,
        channel=channel,
        seed=seed,
        periods=(told[0].fired_at - began) / calm.period_ns if told else float("inf"),
        longest=longest,
        code=told[0].reasons[0].code if told else "",
        maintenance=len(told),
        hazards=tuple(alert.monitor for alert in fired if alert.kind != AlertKind.MAINTENANCE),
        back=tuple(_back(name, calm, clean, spoiled, over_ns) for name in clean.judged.scores),
    )


def _new_alerts(
    alerts: Sequence[Alert], without: Sequence[Alert], began_ns: int, alike_ns: float
) -> list[Alert]:
    """Alerts from the fault's beginning on that were not there without it, by time."""
    fired = [a for a in alerts if a.state == AlertState.FIRING and a.fired_at >= began_ns]
    usual = [a for a in without if a.state == AlertState.FIRING]
    found = [one for one in fired if not any(_is_same(one, other, alike_ns) for other in usual)]
    return sorted(found, key=lambda alert: alert.fired_at)


def _is_same(one: Alert, other: Alert, alike_ns: float) -> bool:
    if one.monitor != other.monitor or abs(one.fired_at - other.fired_at) >= alike_ns:
        return False
    return one.kind != AlertKind.MAINTENANCE or one.reasons[0].code == other.reasons[0].code


def _back(monitor: str, calm: Calm, clean: Heard, spoiled: Heard, over_ns: int) -> Back:
    (time, usual), (told_at, told) = clean.judged.score(monitor), spoiled.judged.score(monitor)
    day = (time >= calm.settled_ns(over_ns)) & np.isin(time, told_at)
    usual, told = usual[day], told[np.isin(told_at, time[day])]
    apart = np.abs(told - usual)
    share = float(np.mean(apart > WITHIN * 10.0))
    probe = _probed(calm.series, monitor, clean.known, spoiled.known, calm.probed_ns(over_ns))
    return Back(monitor, float(apart.mean()), float(usual.mean()), share, probe)


def _probed(series: Series, monitor: str, clean: Known, spoiled: Known, from_ns: int) -> tuple[float, float]:
    """What an unusual reading scores with the fault and without: the smallest that scores 3 without it.

    Suspect readings are scored and not learned, so both models answer as they are. It stands for four
    readings, for a jump is held for two.
    """
    row = int(np.searchsorted(series.time, from_ns))
    side = -1.0 if view_of(series.kind, series.unit).side < 0 else 1.0
    for doublings in range(8):
        value = series.value[row - 1] + side * matters(series) * 2.0**doublings
        block = ReadingBlock.of(
            np.zeros(4, np.int32),
            series.time[row : row + 4],
            np.full(4, value),
            np.full(4, int(Quality.SUSPECT)),
        )
        usual = _answer(series, monitor, clean, block)
        if usual >= STILL_SEES:
            return _answer(series, monitor, spoiled, block), usual
    return 0.0, 0.0


def _answer(series: Series, monitor: str, known: Known, block: ReadingBlock) -> float:
    judged = Judged(series, known, (monitor,))
    judged.judge(block)
    return float(judged.score(monitor)[1].max())


def longest_rest(series: Series, rows: int) -> float:
    """Periods the longest run of equal readings lasted among the first `rows`.

    One for each reading, and for each that was lost; zeros are left out where the channel rests at zero.
    """
    time, value = series.time[:rows], series.value[:rows]
    first = np.flatnonzero(np.diff(value, prepend=np.nan) != 0.0)
    last = np.append(first[1:], len(value)) - 1
    if series.nature & RESTS_AT_ZERO:
        first, last = first[value[first] != 0.0], last[value[first] != 0.0]
    stood = time[last] - time[first]
    return 1.0 + float(stood.max() / np.median(np.diff(time))) if len(stood) else 1.0
