"""One detector with river's face, so that it serves in river's pipelines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from models.clock import SECOND_NS
from models.detectors.bank import PackedBank
from models.detectors.registry import entry_of, make_bank
from models.readings import ReadingBlock


class SingleChannel:
    """`score_one` then `learn_one`, as river's anomaly detectors; a bank of one channel inside.

    `x` is a number or a dict with the value under its one key other than `time`. `time` is in seconds;
    without it readings are taken to come every `period_s`. A detector that judges channels together takes a
    dict with a value of each, always the same ones; the score is the highest of theirs.

    >>> detector = SingleChannel("limit", high=60)
    >>> detector.score_one({"t": 71.0}), detector.score_one(20.0)
    (10.0, 0.0)
    """

    def __init__(self, name: str, *, period_s: float = 1.0, **parameters: Any) -> None:
        """ParameterError for an unknown detector or a parameter out of its range."""
        self._name, self._parameters = name, parameters
        self._keys: tuple[str, ...] = ()
        self._made: PackedBank[Any] | None = None
        if entry_of(name).fewest == 1:
            self._made = self._make(1)
        self._period_ns = round(period_s * SECOND_NS)
        self._time_ns = 0

    def score_one(self, x: float | Mapping[str, float]) -> float:
        """Score of the reading; nothing is learned from it."""
        bank = self._bank_for(x)
        kept = bank.state.copy()
        score = self._see(bank, x)
        bank.state[:] = kept
        return score

    def learn_one(self, x: float | Mapping[str, float]) -> None:
        """Learn the reading; without a `time` of its own it moves time on by one period."""
        self._see(self._bank_for(x), x)
        self._time_ns = self._time_of(x) + self._period_ns

    def _make(self, channels: int) -> PackedBank[Any]:
        made: PackedBank[Any] = make_bank(self._name, self._parameters, range(channels))  # type: ignore[assignment]
        return made

    def _bank_for(self, x: float | Mapping[str, float]) -> PackedBank[Any]:
        """The bank; one that judges channels together is made when their names are known."""
        if self._made is None:
            self._keys = tuple(sorted(_values_of(x)))
            self._made = self._make(len(self._keys))
        return self._made

    def _see(self, bank: PackedBank[Any], x: float | Mapping[str, float]) -> float:
        time_ns = self._time_of(x)
        values = _values_of(x)
        if len(values) != len(bank.channels) or (self._keys and set(values) != set(self._keys)):
            wanted = ", ".join(self._keys) or "one value"
            raise ValueError(f"{wanted} expected beside time, got {sorted(values)}")
        bank.advance(time_ns // SECOND_NS * SECOND_NS)
        row = [values[key] for key in self._keys] if self._keys else list(values.values())
        block = ReadingBlock.of(range(len(row)), [time_ns] * len(row), row)
        return float(bank.score(block).score.max())

    def _time_of(self, x: float | Mapping[str, float]) -> int:
        if isinstance(x, Mapping) and "time" in x:
            return round(x["time"] * SECOND_NS)
        return self._time_ns


def _values_of(x: float | Mapping[str, float]) -> dict[str, float]:
    if not isinstance(x, Mapping):
        return {"value": float(x)}
    return {key: float(value) for key, value in x.items() if key != "time"}
