"""One detector on one channel with river's face, so that it serves in river's pipelines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from models.clock import SECOND_NS
from models.detectors.bank import PackedBank
from models.detectors.parameters import parse
from models.detectors.registry import entry_of
from models.readings import ReadingBlock


class SingleChannel:
    """`score_one` then `learn_one`, as river's anomaly detectors; a bank of one inside.

    `x` is a number or a dict with the value under its one key other than `time`. `time` is in seconds;
    without it readings are taken to come every `period_s`.

    >>> detector = SingleChannel("limit", high=60)
    >>> detector.score_one({"t": 71.0}), detector.score_one(20.0)
    (10.0, 0.0)
    """

    def __init__(self, name: str, *, period_s: float = 1.0, **parameters: Any) -> None:
        """ParameterError for an unknown detector or a parameter out of its range."""
        entry = entry_of(name)
        self._bank: PackedBank[Any] = entry.bank(parse(entry.parameters, name, parameters), [0])
        self._period_ns = round(period_s * SECOND_NS)
        self._time_ns = 0

    def score_one(self, x: float | Mapping[str, float]) -> float:
        """Score of the reading; nothing is learned from it."""
        kept = self._bank.state.copy()
        score = self._see(x)
        self._bank.state[:] = kept
        return score

    def learn_one(self, x: float | Mapping[str, float]) -> None:
        """Learn the reading; without a `time` of its own it moves time on by one period."""
        self._see(x)
        self._time_ns = self._time_of(x) + self._period_ns

    def _see(self, x: float | Mapping[str, float]) -> float:
        time_ns = self._time_of(x)
        self._bank.advance(time_ns // SECOND_NS * SECOND_NS)
        return float(self._bank.score(ReadingBlock.of([0], [time_ns], [_value_of(x)])).score[0])

    def _time_of(self, x: float | Mapping[str, float]) -> int:
        if isinstance(x, Mapping) and "time" in x:
            return round(x["time"] * SECOND_NS)
        return self._time_ns


def _value_of(x: float | Mapping[str, float]) -> float:
    if not isinstance(x, Mapping):
        return float(x)
    values = [value for key, value in x.items() if key != "time"]
    if len(values) != 1:
        raise ValueError(f"one value expected beside time, got {sorted(x)}")
    return float(values[0])
