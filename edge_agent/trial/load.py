"""What the program costs and how often it fires, second by second."""

from __future__ import annotations

import os
from collections import deque
from dataclasses import dataclass

from models.clock import SECOND_NS

_KEPT = 120


@dataclass(frozen=True, slots=True)
class Sample:
    """Running totals at one moment: `cpu_s` seconds of processor, `onsets` alerts that fired."""

    at_ns: int
    cpu_s: float
    memory_mb: float
    onsets: int


class Load:
    """Samples of the last two minutes."""

    def __init__(self) -> None:
        self._samples: deque[Sample] = deque(maxlen=_KEPT)

    def add(self, sample: Sample) -> None:
        self._samples.append(sample)

    @property
    def latest(self) -> Sample:
        return self._samples[-1] if self._samples else Sample(0, 0.0, 0.0, 0)

    def cpu_share(self, seconds: float) -> float:
        """Processor time over time in the last `seconds`, 1.0 = one core; 0 where there is no span yet."""
        since = self._at(seconds)
        span = (self.latest.at_ns - since.at_ns) / SECOND_NS
        return max(0.0, self.latest.cpu_s - since.cpu_s) / span if span > 0 else 0.0

    def onsets(self, seconds: float) -> int:
        """Alerts that fired in the last `seconds`."""
        return self.latest.onsets - self._at(seconds).onsets

    def _at(self, seconds: float) -> Sample:
        earliest = self.latest.at_ns - round(seconds * SECOND_NS)
        return next((sample for sample in self._samples if sample.at_ns >= earliest), self.latest)


def processor_s() -> float:
    """Processor time this process has used, all threads, s."""
    times = os.times()
    return times.user + times.system
