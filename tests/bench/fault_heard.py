"""One channel heard by a site's monitors: as it is, and around a fault."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from fault_series import STUCK, FaultType, Series

from models.alert import Alert, AlertKind, AlertState
from models.default_monitors import default_monitors
from models.detectors.bank import Trait
from models.monitor import Monitor
from models.readings import ReadingBlock
from models.replay import crossings_of
from models.wire.messages import ChannelEntry

Known = Mapping[str, bytes]  # monitor -> what it knows
NAME, NUMBER = "c", 0
BLOCK_ROWS = 2000
MINUTE_NS = 60_000_000_000
HOUR_NS = 60 * MINUTE_NS
SETTLES, PROBED, WATCHED = 60, 240, 1440  # minutes after the fault, or periods where those are longer
LASTS = 60  # periods a fault lasts at least, if it is not over at once; four of the longest rest as well


class Quiet(NamedTuple):
    """Maintenance alerts of days without a fault."""

    kind: str
    channel: str
    seed: int
    days: float
    codes: tuple[str, ...]


class Heard(NamedTuple):
    """What was said of a series, and what the monitors knew `PROBED_NS` after its fault."""

    judged: Judged
    known: Known


class Judged:
    """Monitors of a site on one channel, and the default's scores by time."""

    def __init__(self, series: Series, known: Known | None = None, only: Sequence[str] = ()) -> None:
        entry = ChannelEntry(
            number=NUMBER, name=NAME, kind=series.kind, unit=series.unit, resolution=series.resolution
        )
        every = default_monitors([Trait(series.kind, series.unit, series.resolution, NAME)])
        configs = [one for one in every if not only or one.name in only]
        self._monitors = [Monitor(one, {NUMBER: entry}, gateway="benchmark") for one in configs]
        for monitor in self._monitors if known is not None else ():
            monitor.restore(known[monitor.name])
        self.alerts: list[Alert] = []
        self.scores: dict[str, list[np.ndarray]] = {
            one.name: [] for one in configs if one.detector == "default"
        }
        self.times: list[np.ndarray] = []

    def hear(self, series: Series, from_ns: int, to_ns: int) -> None:
        """Readings with from <= time < to, and time until then."""
        begin, end = np.searchsorted(series.time, [from_ns, to_ns])
        quality = series.quality()
        for at in range(begin, end, BLOCK_ROWS):
            rows = slice(at, min(at + BLOCK_ROWS, end))
            channel = np.zeros(rows.stop - rows.start, np.int32)
            block = ReadingBlock.of(
                channel, series.time[rows], series.value[rows], quality[rows], first_index=at
            )
            self.judge(block)
        for monitor in self._monitors:
            self.alerts += monitor.advance(to_ns)

    def judge(self, block: ReadingBlock) -> None:
        crossings = crossings_of(block)
        self.times.append(block.time)
        for monitor in self._monitors:
            scores, alerts = monitor.judge(block, crossings)
            self.alerts += alerts
            if monitor.name in self.scores:
                self.scores[monitor.name] += [piece.score for piece in scores]

    def snapshot(self) -> Known:
        return {monitor.name: monitor.snapshot() for monitor in self._monitors}

    def score(self, monitor: str) -> tuple[np.ndarray, np.ndarray]:
        """Times and scores of all readings heard."""
        return np.concatenate(self.times), np.concatenate(self.scores[monitor])


class Calm:
    """A series without a fault, heard from `from_ns`; monitors know it until `knows_ns`."""

    def __init__(self, series: Series, from_ns: int, knows_ns: int) -> None:
        self.series, self.knows_ns = series, knows_ns
        learning = Judged(series)
        learning.hear(series, from_ns, knows_ns)
        self.knows, self._alerts, self._from_ns = learning.snapshot(), learning.alerts, from_ns
        rows = int(np.searchsorted(series.time, knows_ns))
        self.period_ns = float(np.median(np.diff(series.time[:rows])))
        self._unit = round(max(MINUTE_NS, self.period_ns))
        self._kept: dict[int, Heard] = {}

    def heard(self, over_ns: int) -> Heard:
        """The series as it is, around a fault that is over at `over_ns`."""
        if over_ns not in self._kept:
            self._kept[over_ns] = self.spoilt(self.series, over_ns)
        return self._kept[over_ns]

    def spoilt(self, series: Series, over_ns: int) -> Heard:
        """Other readings of the channel, heard until a day after they are right again."""
        judged = Judged(series, self.knows)
        judged.hear(series, self.knows_ns, self.probed_ns(over_ns))
        known = judged.snapshot()
        judged.hear(series, self.probed_ns(over_ns), self.settled_ns(over_ns) + WATCHED * self._unit)
        return Heard(judged, known)

    def settled_ns(self, over_ns: int) -> int:
        """From when on scores are held against each other."""
        return over_ns + SETTLES * self._unit

    def probed_ns(self, over_ns: int) -> int:
        return over_ns + PROBED * self._unit

    def lasts_ns(self, fault: FaultType, longest: float) -> float:
        """How long the fault lasts at least, on a channel that has rested for `longest` periods in calm."""
        return max(LASTS, 4.0 * longest if fault.name == STUCK else 0.0) * self.period_ns

    def quiet(self, channel: str, seed: int) -> Quiet:
        """What the maintenance monitor said of it all."""
        last = max(self._kept)
        alerts = [*self._alerts, *self._kept[last].judged.alerts]
        said = [a for a in alerts if a.state == AlertState.FIRING and a.kind == AlertKind.MAINTENANCE]
        days = (self.settled_ns(last) + WATCHED * self._unit - self._from_ns) / (24 * HOUR_NS)
        return Quiet(self.series.kind, channel, seed, days, tuple(alert.reasons[0].code for alert in said))
